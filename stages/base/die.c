#include "base/die.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHORT_TEXT = 1024 };

static const char *program_name;
static atomic_bool quiet_log;
static atomic_bool bar_shown;
static FILE *copy; /* log_open_copy() */
static void (*die_hook)(const char *message);

/* The thread that ends the process, once there is one. */
static atomic_flag ending = ATOMIC_FLAG_INIT;
static _Thread_local bool ending_here;

void log_set_program(const char *name)
{
    program_name = name;
}

const char *log_program(void)
{
    return program_name ? program_name : program_invocation_short_name;
}

void log_set_quiet(bool quiet)
{
    quiet_log = quiet;
}

bool log_quiet(void)
{
    return quiet_log;
}

void log_set_bar(bool shown)
{
    bar_shown = shown;
}

/*
 * The formatted text, in `space` when it fits, else on the heap. Without memory the
 * text is cut to `space`: half a message beats none.
 */
static char *format_text(char space[SHORT_TEXT], const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(space, SHORT_TEXT, format, args);
    char *text = space;
    if (length >= SHORT_TEXT) {
        char *longer = malloc((size_t)length + 1);
        if (longer) {
            vsnprintf(longer, (size_t)length + 1, format, again);
            text = longer;
        }
    } else if (length < 0) {
        snprintf(space, SHORT_TEXT, "(a message that cannot be formatted: '%s')",
                 format);
    }
    va_end(again);
    return text;
}

void log_open_copy(const char *path)
{
    FILE *file = fopen(path, "ae");
    if (!file)
        die("cannot open the log '%s': %s", path, strerror(errno));
    setvbuf(file, NULL, _IOLBF, 0); /* whole lines, also of several processes */
    copy = file;
}

bool log_has_copy(void)
{
    return copy;
}

/* Each line of `text` to `file`, the program's name in front of it. */
static void write_lines_to(FILE *file, const char *date, const char *kind,
                           const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        fprintf(file, "%s%s: %s%.*s\n", date, log_program(), kind, length, text);
        text += length + (text[length] == '\n');
    }
}

/* Lines of two threads do not mix. An error of stderr or of the copy has nowhere to be
 * reported. */
static void write_lines(bool to_person, const char *kind, const char *text)
{
    flockfile(stderr);
    if (to_person && atomic_exchange(&bar_shown, false))
        fputs("\r\033[K", stderr);
    if (to_person)
        write_lines_to(stderr, "", kind, text);
    if (copy) {
        char date[CLOCK_DATE_SIZE + 1];
        clock_date(date);
        strcat(date, " ");
        write_lines_to(copy, date, kind, text);
    }
    funlockfile(stderr);
}

static void write_formatted(bool to_person, const char *kind, const char *format,
                            va_list args)
{
    char space[SHORT_TEXT];
    char *text = format_text(space, format, args);
    write_lines(to_person, kind, text);
    if (text != space)
        free(text);
}

void log_info(const char *format, ...)
{
    if (log_quiet())
        return;
    va_list args;
    va_start(args, format);
    write_formatted(true, "", format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_formatted(true, "warning: ", format, args);
    va_end(args);
}

void log_copy_only(const char *format, ...)
{
    if (log_quiet() || !log_has_copy())
        return;
    va_list args;
    va_start(args, format);
    write_formatted(false, "", format, args);
    va_end(args);
}

void die_set_hook(void (*hook)(const char *message))
{
    die_hook = hook;
}

/*
 * Whether this thread may end the process in good order. If another thread is at it
 * already, waits for its end here; if it is this very thread (the hook or an exit
 * handler died in turn), there is no good order any more.
 */
static bool may_end(void)
{
    if (ending_here)
        return false;
    while (atomic_flag_test_and_set(&ending))
        pause();
    ending_here = true;
    return true;
}

void die(const char *format, ...)
{
    char space[SHORT_TEXT];
    va_list args;
    va_start(args, format);
    char *text = format_text(space, format, args);
    va_end(args);
    write_lines(true, "", text);
    if (!may_end())
        _exit(EXIT_FAILED);
    if (die_hook)
        die_hook(text);
    exit(EXIT_FAILED);
}

void die_asked_wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_formatted(true, "", format, args);
    va_end(args);
    if (!may_end())
        _exit(EXIT_ASKED_WRONG);
    exit(EXIT_ASKED_WRONG);
}

void bug_at(const char *file, int line, const char *format, ...)
{
    char space[SHORT_TEXT];
    va_list args;
    va_start(args, format);
    char *text = format_text(space, format, args);
    va_end(args);
    char kind[256];
    snprintf(kind, sizeof kind, "bug at %s:%d: ", file, line);
    write_lines(true, kind, text);
    abort();
}
