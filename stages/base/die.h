/*
 * die.h - how a program ends, and the lines it writes for people.
 *
 * Three kinds of trouble: the user asked wrong (die_asked_wrong, exit 2), the world is
 * wrong (die, exit 1), we are wrong (BUG, abort). Every line goes to stderr as
 * `greedy: message` (a message of several lines: each of them); stdout stays free for a
 * program's product. Any thread.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#include <stdarg.h>
#include <stdbool.h>

enum exit_code {
    EXIT_COMPLETE = 0,    /* the artifact is complete */
    EXIT_FAILED = 1,      /* something in the world is wrong */
    EXIT_ASKED_WRONG = 2, /* command line or config; nothing was started */
    EXIT_RUN_AGAIN = 75,  /* out of time or told to stop; the checkpoint is kept */
};

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* The name in front of every line; the string is kept, not copied. */
void log_set_program(const char *name);
const char *log_program(void);
/* Quiet: log_info() says nothing. Warnings and errors always speak. */
void log_set_quiet(bool quiet);
bool log_quiet(void);

void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
/*
 * From here on every line also goes to the end of this file, with the date in front.
 * Dies when the file cannot be opened; a line that cannot be written is lost there.
 */
void log_open_copy(const char *path);
bool log_has_copy(void);
/* A line for that file alone: what a bar shows on the terminal. */
void log_copy_only(const char *format, ...) PRINTF_LIKE(1, 2);
/* A progress bar stands on the terminal's last line: the next line written wipes it. */
void log_set_bar(bool shown);

/*
 * Called once by die(), with the finished message, before the process ends: a stage
 * writes it into its status record, so that `make status` can say why. A die() inside
 * the hook ends the process on the spot, exit handlers unrun.
 */
void die_set_hook(void (*hook)(const char *message));

_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void die_asked_wrong(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void bug_at(const char *file, int line, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define BUG_IF(condition)                                                              \
    do {                                                                               \
        if (condition)                                                                 \
            BUG("%s", #condition);                                                     \
    } while (0)

#endif
