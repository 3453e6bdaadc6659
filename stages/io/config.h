/*
 * config.h - the settings of an experiment, read from one YAML file.
 *
 * Every setting is one row of the table in config_table.c (name, kind, range, default,
 * which stages use it, what it does) and one field here. All problems are reported at
 * once as `file:line:column: message` and the program exits 2: unknown, duplicate,
 * mistyped, out-of-range and contradictory settings. configs/reference.yaml lists every
 * row.
 */
#ifndef IO_CONFIG_H
#define IO_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    CONFIG_SPACE_STAGES_MAX = 16,
    CONFIG_FIXED_MAX = 8,
    CONFIG_CHOICES_MAX = 64,
    CONFIG_LIST_MAX = 16,
    CONFIG_LAYERS_MAX = 64, /* searchable layers, the sum of repeat; fixed blocks too */
    CONFIG_TOKEN_SIZE = 16,
};

struct augment_config {
    int pad_crop; /* pixels of zero padding on each side, then a random crop; 0 = off */
    bool flip;    /* left-right, every second image on average */
    /* Random-resized crop: its smallest share of the picture (0 = off), and the
     * narrowest width / height. */
    double crop_area, crop_aspect;
    double brightness, contrast, saturation; /* factors in 1 - x to 1 + x; 0 = off */
};

struct dataset_config {
    const char *name;   /* data/<name>.h5 */
    const char *format; /* "idx", "imagefolder", ... */
    const char *source; /* a folder, or a tar file */
    const char *decode; /* "auto", "import", "read" */
    int validation_per_class;
    struct augment_config augment;
};

struct space_stage_config {
    int channels, repeat, stride; /* the stride is the first block's */
};

struct fixed_config {
    char op[CONFIG_TOKEN_SIZE]; /* a token: k3e1 */
    int channels, repeat, stride;
    const char *activation; /* "" = the blocks' */
};

struct space_config {
    int input[3]; /* height, width, channels */
    int classes;
    const char *activation; /* of the blocks: relu, relu6, hswish, swish */
    struct {
        int channels, kernel, stride;
        const char *activation; /* "" = the blocks' */
    } stem;
    int n_fixed; /* blocks before the searchable ones */
    struct fixed_config fixed[CONFIG_FIXED_MAX];
    int n_stages;
    struct space_stage_config stages[CONFIG_SPACE_STAGES_MAX];
    /* The choices as tokens, in order ("k3e3", "k5e6s", "id"): written as such a list,
     * or made from {kernels, expansions, squeeze_excite, identity}: for each SE value,
     * each kernel, each expansion; identity last. The effective YAML has the list. */
    int n_choices;
    char choices[CONFIG_CHOICES_MAX][CONFIG_TOKEN_SIZE];
    struct {
        double ratio;
        const char *of;         /* "expanded" or "input": whose width the ratio is of */
        const char *activation; /* between its two convolutions */
        const char *gate;       /* hsigmoid, sigmoid */
    } squeeze_excite;
    struct {
        int channels;           /* of the last 1x1 convolution; 0 = none */
        const char *activation; /* "" = the blocks' */
        bool bias;              /* of the classifier */
    } head;
};

/* One schedule for warm-up and greedy. */
struct supernet_config {
    int batch, steps; /* steps of both stages together */
    double learning_rate, momentum, weight_decay, label_smoothing;
    int lr_ramp;        /* steps of linear rise from 0 before the cosine; 0 = none */
    double bn_momentum; /* weight of the new batch in the running statistics */
};

/* Limits on a path; 0 = none. FLOPs are multiply-adds (nas/cost.h); latency is that of
 * the table that the stage was given (nas/latency.h). */
struct constraint_config {
    double flops, params, latency_ms;
};

struct sampling_config {
    struct constraint_config constraint; /* on what training draws; off by default */
};

struct warmup_config {
    int steps;
};

struct greedy_config {
    int sampled_paths, kept_paths; /* m and k of Algorithm 1 */
    int surrogate_images;          /* validation images that score one round */
    int pool_size;
    struct {
        double from, to;
        int ramp_steps; /* 0 = to the end of the budget */
    } epsilon;
    struct {
        double alpha; /* stop when the pool's turnover falls to this */
        int window;   /* in steps; 0 = one epoch */
    } stop;
    bool filter;           /* off: every drawn path is trained (Table 4) */
    bool sample_from_pool; /* off: epsilon is 0 throughout */
    bool stop_by_turnover; /* off: the step budget alone ends training */
    bool refresh_losses;   /* a path drawn again takes its newest loss */
};

/* The supernets that greedy's is compared with. */
struct uniform_config {
    int steps;          /* 0 = supernet.steps */
    int snapshot_steps; /* 0 = no snapshots */
};

struct fairnas_config {
    int steps; /* 0 = as many images as supernet.steps trains */
};

struct equal_cost_config {
    double ratio; /* of training an image to scoring one; 0 = as measured */
};

struct search_config {
    const char *algorithm; /* "nsga2" or "random" */
    int population, generations;
    double mutation;           /* chance of each gene to be re-drawn */
    bool initialise_from_pool; /* else random */
    const char *cost;          /* "flops", "params" or "latency_ms" (nas/cost.h) */
    struct constraint_config constraints;
    const char *bn; /* "batch" or "recalibrate": statistics while judging a path */
    int recalibrate_images;
    int validation_images; /* 0 = all of them */
    int batch;             /* images per batch while judging */
    int random_paths;      /* of "random"; 0 = population x generations */
};

struct text_list {
    int n;
    const char *text[CONFIG_LIST_MAX];
};

/* Training one network from scratch. */
struct retrain_config {
    struct text_list networks; /* what `make retrain` makes one artifact each of */
    const char *network;       /* this one: "found", "largest", "smallest" or tokens */
    const char *images;        /* "train" or "train+validation" */
    int epochs, batch;
    const char *optimizer; /* "sgd" or "rmsprop" */
    double learning_rate;
    int learning_rate_batch; /* the batch that learning_rate is meant for */
    double lr_ramp;          /* epochs of linear rise */
    const char *schedule;    /* "cosine" or "steps" */
    struct {
        double factor, epochs; /* times less each so many epochs */
    } steps;
    double momentum;
    struct {
        double decay, epsilon;
    } rmsprop;
    double weight_decay, label_smoothing;
    double dropout; /* before the classifier */
    double ema;     /* decay of the weights' moving average; 0 = none */
    double bn_momentum;
};

struct evaluate_config {
    const char *weights; /* "best" or "last" */
    int batch;           /* images per batch while judging */
    int latency_batch;   /* images of the larger of the two timed batches */
    int repetitions;     /* of each timing */
};

struct count_list {
    int n;
    int count[CONFIG_LIST_MAX];
};

struct rankcorr_config {
    int paths;
    struct count_list images; /* numbers of images whose ranking is looked at */
    int validation_images;    /* 0 = all of them */
    const char *bn;           /* "batch" or "recalibrate" */
    int recalibrate_images;
    int batch;
    int bootstrap;     /* resamples */
    const char *truth; /* a table of known accuracies; "none" */
};

struct latency_config {
    const char *table; /* a table in ProxylessNAS's form; "none" = measure */
    int batch, threads, repetitions, networks;
};

/* One network, in a file of its own. */
struct network_config {
    const char *name;
    const char *path; /* a token for each layer, blanks between */
    const char *source;
    struct {
        double flops, params, top1, top5; /* 0 = not known; accuracies in percent */
        double latency_ms;                /* on the phone of the paper's Table 2 */
    } reported;
};

struct checkpoint_config {
    double seconds; /* a checkpoint at least this often */
    int steps;      /* and every so many steps; 0 = by time alone */
};

struct config {
    /* "" for an experiment's whole file. A stage's effective YAML says `stage: greedy`
     * (see instance.h); then settings that it does not use are not read, and mean
     * nothing here. */
    const char *stage;
    uint64_t seed;
    struct dataset_config dataset;
    struct space_config space;
    struct supernet_config supernet;
    struct sampling_config sampling;
    struct warmup_config warmup;
    struct greedy_config greedy;
    struct uniform_config uniform;
    struct fairnas_config fairnas;
    struct equal_cost_config equal_cost;
    struct search_config search;
    struct retrain_config retrain;
    struct evaluate_config evaluate;
    struct latency_config latency;
    struct rankcorr_config rankcorr;
    struct network_config network;
    struct checkpoint_config checkpoint;
};

/*
 * Reads `path`, applies the overrides ("search.population=20", each its own string; the
 * last one of a name counts), fills defaults, checks everything. On any problem all are
 * printed and the program exits 2. The result owns its strings; config_free() ends it.
 */
struct config *config_load(const char *path, const char *const *overrides,
                           int n_overrides);
/* The same for a caller who goes on: NULL with the problems' text, which it frees. */
struct config *config_read(const char *path, const char *const *overrides,
                           int n_overrides, char **problems);
/* The file of one network: its sections `network` and `space`, and no other. */
struct config *config_load_network(const char *path);
struct config *config_read_network(const char *path, char **problems);
/* The experiment is about this network from now on: it has its space, but for the image
 * and the classes, and its path as retrain.network. Takes `network` over. */
void config_take_network(struct config *config, struct config *network);
/* The same from text that is at hand (an artifact's `config`); messages call it `name`.
 */
struct config *config_read_text(const char *name, const char *text, char **problems);
void config_free(struct config *config); /* NULL is allowed */

/*
 * Splits "a.b=1 space.choices=[k3e3, id]" at blanks outside brackets, braces and
 * quotes. Returns how many; the caller frees *overrides, which is one block, with
 * free().
 */
int config_split_overrides(const char *text, char ***overrides);

/*
 * The effective YAML of one stage ("greedy", see instance.h): every setting it uses,
 * defaults included (but for those that a row calls `later`), in the table's order;
 * NULL: of all stages. Reads back to the same values. An instance's presets have to be
 * among the config's overrides. The caller frees. Dies on an unknown stage name, and
 * when the config was read from the effective YAML of another stage whose settings are
 * not all that this one uses.
 */
char *config_effective(const struct config *config, const char *stage);
/*
 * The same without `checkpoint:`, whose settings change no result: what a checkpoint or
 * an artifact is compared by. It is the beginning of config_effective()'s text.
 */
char *config_fingerprint(const struct config *config, const char *stage);

/* NULL if two effective texts (or fingerprints) give the same result, else the first
 * lines that differ, "it has 'X', now 'Y'"; the caller frees. */
char *config_difference(const char *found, const char *expected);

/* One setting's value as it stands in the YAML; NULL if there is none of that name. The
 * caller frees. */
char *config_value(const struct config *config, const char *name);

/* Where it was set: "configs/mine.yaml:4:18", "SET", or "" for a default or an unknown
 * name. The caller frees. */
char *config_place(const struct config *config, const char *name);

/* The text of configs/reference.yaml: every row with default, range and what it does.
 */
void config_write_reference(FILE *out);

#endif
