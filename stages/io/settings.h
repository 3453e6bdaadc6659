/*
 * settings.h - the table of settings, and how a mapping of YAML is read by such a
 * table.
 *
 * A row says everything about one setting: its dotted name, kind, range, default, where
 * its field is, which stages use it, what it does. Reading, defaults, the effective
 * YAML and configs/reference.yaml all go by the rows; there is no second list. The
 * items of lists (space.stages, space.fixed) have small tables of their own.
 */
#ifndef IO_SETTINGS_H
#define IO_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "io/problems.h"
#include "io/yaml_tree.h"

/* Which stages use a setting: an edit of it re-runs these and what follows them. */
enum setting_use {
    USE_PREPARE = 1 << 0,
    USE_WARMUP = 1 << 1,
    USE_GREEDY = 1 << 2,
    USE_SEARCH = 1 << 3,
    USE_LATENCY = 1 << 4,
    USE_RETRAIN = 1 << 5,
    USE_EVALUATE = 1 << 6,
    USE_RANKCORR = 1 << 7,
    USE_UNIFORM = 1 << 8,
    USE_FAIRNAS = 1 << 9,
    USE_UNIFORM_E = 1 << 10,
    USE_FAIRNAS_E = 1 << 11,
    USE_SCHEDULE = USE_WARMUP | USE_GREEDY,
    USE_EQUAL_COST = USE_UNIFORM_E | USE_FAIRNAS_E,
    USE_TRAINING = USE_SCHEDULE | USE_UNIFORM | USE_FAIRNAS | USE_EQUAL_COST,
    USE_STEPS = USE_TRAINING | USE_RETRAIN,
    USE_JUDGING = USE_SEARCH | USE_RANKCORR,
    USE_NETWORKS = USE_STEPS | USE_JUDGING | USE_EVALUATE,
    USE_SPACE = USE_NETWORKS | USE_LATENCY,
    USE_STAGES = USE_PREPARE | USE_SPACE,
    /* Not a stage: what make itself looks up. */
    USE_PIPELINE = 1 << 29,
    USE_ALL = USE_STAGES | USE_PIPELINE,
    /* Not a stage: the file of one network (config_load_network). */
    USE_NETWORK = 1 << 30,
};

enum { SETTING_STAGES = 12 };
/* Names in the order of the bits above, then NULL. */
extern const char *const setting_stages[SETTING_STAGES + 1];
/* The bit of a stage's name; 0 if there is none of that name. (Stages that are another
 * one but for some settings are instance.h's.) */
unsigned setting_use(const char *stage);
/* The names of several, with `between` between; the caller frees. */
char *setting_stage_names(unsigned use, const char *between);

struct setting;

/* Strings that were read; their owner frees them. */
struct texts {
    int n;
    char **text;
};
const char *texts_keep(struct texts *texts, const char *text);
void texts_release(struct texts *texts);

/* Where values come from and where trouble goes. */
struct reader {
    const char *file;
    bool positions; /* off: an override, which has no line */
    struct problems *problems;
    struct texts *texts;
};

/* Adds `shown: message` at the node. */
void reader_problem(const struct reader *reader, const struct yaml_tree *node,
                    const char *shown, const char *format, ...) PRINTF_LIKE(4, 5);
struct place reader_place(const struct reader *reader, const struct yaml_tree *node);

/*
 * What a kind of value does. `base` is the struct that the row's offset counts from;
 * `shown` is the full name for messages ("space.stages[2].channels"). read() adds its
 * problems and says whether the value is good; write() prints what follows `name:` in
 * YAML, from the blank on, without the line's end; `depth` is the nesting of that name.
 */
struct setting_kind {
    const char *expects; /* "an integer"; setting_expects() adds range and words */
    bool (*read)(const struct reader *reader, const struct setting *setting,
                 const char *shown, const struct yaml_tree *node, void *base);
    void (*write)(FILE *out, const struct setting *setting, const void *base,
                  int depth);
};

struct setting {
    const char *name;                /* "greedy.epsilon.to" */
    const struct setting_kind *kind; /* NULL: a section, whose settings follow it */
    size_t offset;
    const char *value; /* the default in YAML; of a required setting, an example */
    bool required;
    double least, most; /* of numbers: both ends allowed */
    const char *words;  /* of words: "relu relu6"; a leading blank allows "" */
    unsigned use;
    /* A setting that came when there were runs already: a stage's effective settings
     * leave it out while it has its default (written in `value` as it is printed), so
     * that those of the runs before it stay what they are, and nothing is made again.
     */
    bool later;
    const char *help; /* a sentence */
};

/* "an integer, 1 to 1000", "one of: idx imagefolder"; the caller frees. */
char *setting_expects(const struct setting *setting);

struct settings {
    const struct setting *row;
    int n;
};

/* What became of a row. */
enum setting_state { SETTING_ABSENT, SETTING_GIVEN, SETTING_BAD, SETTING_DEFAULT };
struct filled {
    enum setting_state state;
    struct place place; /* of its value */
    struct place key;   /* of its name, for duplicates */
};

/* The row of that name, or -1; sections included. */
int settings_find(const struct settings *settings, const char *name);
/* The name that was probably meant, or NULL; sections included. */
const char *settings_nearest(const struct settings *settings, const char *name);

/*
 * Reads a mapping by the table: section after section for dotted names. `use`: rows
 * that lack all of these bits are refused. filled[n] starts as zeros; `prefix` stands
 * before every name in messages ("space.stages[2]." or "").
 */
void settings_read(const struct reader *reader, const struct settings *settings,
                   const char *prefix, unsigned use, const struct yaml_tree *mapping,
                   void *base, struct filled *filled);
/* Reads one value into its row. */
void settings_read_row(const struct reader *reader, const struct settings *settings,
                       int row, const char *prefix, const struct yaml_tree *node,
                       void *base, struct filled *filled);
/*
 * Fills what is absent: the default, or "missing" at the place of the innermost section
 * that is there, else of `mapping`. A required setting that `use` does not need stays
 * zero. Returns whether no row is missing or bad.
 */
bool settings_complete(const struct reader *reader, const struct settings *settings,
                       const char *prefix, unsigned use,
                       const struct yaml_tree *mapping, void *base,
                       struct filled *filled);

/* Fills every row with its default or, where one is required, its example. */
void settings_examples(const struct settings *settings, struct texts *texts,
                       void *base);

#endif
