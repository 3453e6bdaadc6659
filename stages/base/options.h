/*
 * options.h - the command line, the same for every stage.
 *
 *   STAGE --config=FILE.yaml --data=FILE.h5 --in=FILE.h5... --out=FILE.h5
 *         [--threads=N] [--log=FILE] [--quiet] [--help] [--version]
 *
 * Nothing positional, nothing from the working directory. A program lists its options
 * in one table; --help is made from it. All problems are listed before exit 2.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_TEXTS,
    OPTION_TEXTS_EXACTLY, /* as many as are required */
    OPTION_COUNT,
};
enum { OPTION_TEXTS_MAX = 128 };

struct option_texts {
    int n;
    const char *text[OPTION_TEXTS_MAX];
};

/* One row: `--name=VALUE  help`; `value` points to bool, const char *, struct
 * option_texts or int (OPTION_COUNT, >= 1) that keeps its value when not given. Only
 * the OPTION_TEXTS may be given more than once. The texts are argv's own. */
struct option_row {
    const char *name, *value_name; /* value_name NULL for a flag */
    enum option_kind kind;
    void *value;
    int required;     /* how often it must be given at least; 0 = optional */
    const char *help; /* NULL: this program does not have the option */
};

struct program {
    const char *name;    /* "greedy" */
    const char *purpose; /* one line for --help */
    const char *example; /* a command that runs as it stands */
};

/* The options that every stage has. */
struct options {
    const char *config, *data, *out, *log;
    struct option_texts in;
    int threads; /* 0 = decide, see threads.h */
    bool quiet;
};

/*
 * Parses or exits: --help and --version print to stdout and exit 0, mistakes are all
 * listed and exit 2. `rows` ends with a row whose name is NULL. Also sets the program's
 * name, and quietness and a copy for the log (rows named "quiet" and "log" do that).
 */
void options_parse(const struct program *program, const struct option_row *rows,
                   int argc, char **argv);

/* The rows of struct options that every program has which works for a while (LOG: one
 * whose threads are a setting); and those of a stage that needs `inputs` --in; 0: it
 * has none. */
/* clang-format off */
#define OPTIONS_RUN_ROWS(options)                                                      \
    {"threads", "N", OPTION_COUNT, &(options).threads, 0,                              \
     "threads (default: SLURM_CPUS_PER_TASK, or all allowed processors)"},             \
    OPTIONS_LOG_ROWS(options)
#define OPTIONS_LOG_ROWS(options)                                                      \
    {"log", "FILE", OPTION_TEXT, &(options).log, 0,                                    \
     "file to add every line to, with its date"},                                      \
    {"quiet", NULL, OPTION_FLAG, &(options).quiet, 0,                                  \
     "warnings and errors only"}
#define OPTIONS_STAGE_ROWS(options, inputs)                                            \
    {"config", "FILE.yaml", OPTION_TEXT, &(options).config, 1,                         \
     "the stage's effective settings"},                                                \
    {"data", "FILE.h5", OPTION_TEXT, &(options).data, 1,                               \
     "images and labels, made by prepare"},                                            \
    {"in", "FILE.h5", OPTION_TEXTS_EXACTLY, &(options).in, (inputs),                   \
     (inputs) > 0 ? "artifact to start from" : NULL},                                  \
    {"out", "FILE.h5", OPTION_TEXT, &(options).out, 1,                                 \
     "artifact to make"},                                                              \
    OPTIONS_RUN_ROWS(options)
/* clang-format on */

#endif
