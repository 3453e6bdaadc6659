#include "io/config_rules.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "io/config_table.h"

struct check {
    const struct config *config;
    unsigned use;
    const struct filled *filled;
    struct problems *problems;
    const char *subject; /* of the rule at hand */
    struct place place;
};

/* A row whose value can be relied on, or -1. */
static int known_row(const struct check *check, const char *name)
{
    int row = settings_find(&config_table, name);
    if (row < 0)
        BUG("a rule about '%s', which is no setting", name);
    enum setting_state state = check->filled[row].state;
    if (!(config_table.row[row].use & check->use))
        return -1;
    return state == SETTING_GIVEN || state == SETTING_DEFAULT ? row : -1;
}

/*
 * Starts a rule about the named settings (the last is NULL): false if it does not
 * apply. The first is the subject; the problem is placed at the first one that was
 * written.
 */
static bool about(struct check *check, const char *subject, ...)
{
    bool known = true;
    va_list names;
    check->subject = subject;
    check->place = (struct place){0};
    va_start(names, subject);
    for (const char *name = subject; name; name = va_arg(names, const char *)) {
        int row = known_row(check, name);
        known &= row >= 0;
        if (row >= 0 && check->filled[row].state == SETTING_GIVEN && !check->place.file)
            check->place = check->filled[row].place;
    }
    va_end(names);
    return known;
}

static void PRINTF_LIKE(2, 3)
    contradiction(struct check *check, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        die("no memory for a message");
    if (!check->place.file)
        BUG("defaults contradict each other: %s: %s", check->subject, message);
    problems_add(check->problems, check->place, "%s: %s", check->subject, message);
    free(message);
}

/* `subject` may not be more than `limit`, both integers. */
static void at_most(struct check *check, const char *subject, int value,
                    const char *limit, int most)
{
    if (about(check, subject, limit, NULL) && value > most)
        contradiction(check, "%d is more than %s (%d)", value, limit, most);
}

static void schedule_fits(struct check *check)
{
    const struct config *config = check->config;
    at_most(check, "warmup.steps", config->warmup.steps, "supernet.steps",
            config->supernet.steps);
    at_most(check, "supernet.lr_ramp", config->supernet.lr_ramp, "supernet.steps",
            config->supernet.steps);
}

static void retraining_fits(struct check *check)
{
    const struct retrain_config *retrain = &check->config->retrain;
    if (about(check, "retrain.lr_ramp", "retrain.epochs", NULL) &&
        retrain->lr_ramp > retrain->epochs)
        contradiction(check, "%g is more than retrain.epochs (%d)", retrain->lr_ramp,
                      retrain->epochs);
}

/* The steps of `uniform`. */
static int uniform_steps(const struct config *config)
{
    return config->uniform.steps ? config->uniform.steps : config->supernet.steps;
}

/* Each of them is a whole supernet, in memory and in every checkpoint. */
static void snapshots_are_few(struct check *check)
{
    enum { SNAPSHOTS_MAX = 100 };
    const struct config *config = check->config;
    int every = config->uniform.snapshot_steps;
    if (about(check, "uniform.snapshot_steps", "uniform.steps", "supernet.steps",
              NULL) &&
        every > 0 && uniform_steps(config) / every > SNAPSHOTS_MAX)
        contradiction(check, "%d makes %d snapshots of %d steps, expected at most %d",
                      every, uniform_steps(config) / every, uniform_steps(config),
                      SNAPSHOTS_MAX);
}

static void greedy_round_fits(struct check *check)
{
    const struct greedy_config *greedy = &check->config->greedy;
    at_most(check, "greedy.kept_paths", greedy->kept_paths, "greedy.sampled_paths",
            greedy->sampled_paths);
    at_most(check, "greedy.kept_paths", greedy->kept_paths, "greedy.pool_size",
            greedy->pool_size);
    if (about(check, "greedy.surrogate_images", "space.classes", NULL) &&
        greedy->surrogate_images < check->config->space.classes)
        contradiction(check,
                      "%d is less than space.classes (%d): it takes one of each class",
                      greedy->surrogate_images, check->config->space.classes);
}

static void validation_images_suffice(struct check *check)
{
    const struct config *config = check->config;
    struct {
        const char *name;
        int images;
    } wanted[] = {
        {"greedy.surrogate_images", config->greedy.surrogate_images},
        {"search.validation_images", config->search.validation_images},
        {"rankcorr.validation_images", config->rankcorr.validation_images},
    };
    double there = (double)config->space.classes * config->dataset.validation_per_class;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (about(check, wanted[i].name, "dataset.validation_per_class",
                  "space.classes", NULL) &&
            wanted[i].images > there)
            contradiction(check,
                          "%d is more than the %.0f validation images "
                          "(dataset.validation_per_class x space.classes)",
                          wanted[i].images, there);
}

static int searchable_layers(const struct space_config *space)
{
    int layers = 0;
    for (int i = 0; i < space->n_stages; i++)
        layers += space->stages[i].repeat;
    return layers;
}

static void layers_fit(struct check *check)
{
    const struct space_config *space = &check->config->space;
    int layers = searchable_layers(space), fixed = 0;
    for (int i = 0; i < space->n_fixed; i++)
        fixed += space->fixed[i].repeat;
    if (about(check, "space.stages", NULL) && layers > CONFIG_LAYERS_MAX)
        contradiction(check, "has %d layers (the sum of repeat), expected at most %d",
                      layers, CONFIG_LAYERS_MAX);
    if (about(check, "space.fixed", NULL) && fixed > CONFIG_LAYERS_MAX)
        contradiction(check, "has %d blocks (the sum of repeat), expected at most %d",
                      fixed, CONFIG_LAYERS_MAX);
}

/* Halves (rounding up, as padding by kernel / 2 does) unless nothing is left to halve.
 */
static bool halve(int size[2], int stride)
{
    if (stride == 1)
        return true;
    if (size[0] == 1 && size[1] == 1)
        return false;
    size[0] = (size[0] + 1) / 2;
    size[1] = (size[1] + 1) / 2;
    return true;
}

static void strides_fit(struct check *check)
{
    const struct space_config *space = &check->config->space;
    int size[2] = {space->input[0], space->input[1]};
    if (about(check, "space.stem.stride", "space.input", NULL) &&
        !halve(size, space->stem.stride))
        contradiction(check, "stride 2 meets an input of 1 x 1");
    if (!about(check, "space.fixed", "space.input", "space.stem.stride", NULL))
        return;
    for (int i = 0; i < space->n_fixed; i++)
        if (!halve(size, space->fixed[i].stride))
            contradiction(
                check, "item %d has stride 2, but only 1 x 1 is left of the input", i);
    if (!about(check, "space.stages", "space.input", "space.stem.stride", "space.fixed",
               NULL))
        return;
    for (int i = 0; i < space->n_stages; i++)
        if (!halve(size, space->stages[i].stride))
            contradiction(
                check, "item %d has stride 2, but only 1 x 1 is left of the input", i);
}

/* What decodes files knows grey and RGB. */
static void channels_fit(struct check *check)
{
    const struct config *config = check->config;
    int channels = config->space.input[2];
    if (about(check, "space.input", "dataset.format", NULL) && channels != 1 &&
        channels != 3 &&
        (!strcmp(config->dataset.format, "imagefolder") ||
         !strcmp(config->dataset.format, "ilsvrc2012")))
        contradiction(check,
                      "%d channels, expected 1 or 3: JPEG and PNG files "
                      "(dataset.format: %s) are read as grey or RGB",
                      channels, config->dataset.format);
}

/* ShuffleNetV2's blocks: of c channels they keep half at stride 1, all at stride 2, and
 * make the others, at least one. */
static bool splits_channels(const char *token)
{
    return strncmp(token, "shuffle", 7) == 0 || strcmp(token, "xception") == 0;
}

static void block_splits(struct check *check, int item, const char *token, int c, int k,
                         int stride)
{
    if (!splits_channels(token))
        return;
    int kept = stride == 1 ? c / 2 : c;
    if (stride == 1 && c % 2 != 0)
        contradiction(check,
                      "item %d: %s at stride 1 halves %d channels, expected an "
                      "even number",
                      item, token, c);
    else if (k <= kept)
        contradiction(check,
                      "item %d: %s at stride %d keeps %d of its %d input "
                      "channels, so %d for its output is too few",
                      item, token, stride, kept, c, k);
}

static void fixed_blocks_split(struct check *check, int *c)
{
    const struct space_config *space = &check->config->space;
    for (int i = 0; i < space->n_fixed; i++) {
        const struct fixed_config *fixed = &space->fixed[i];
        block_splits(check, i, fixed->op, *c, fixed->channels, fixed->stride);
        if (fixed->repeat > 1)
            block_splits(check, i, fixed->op, fixed->channels, fixed->channels, 1);
        *c = fixed->channels;
    }
}

/* One problem for a stage: it is the same for all ops of that kind. */
static void stages_split(struct check *check, const char *token, int c)
{
    const struct space_config *space = &check->config->space;
    for (int i = 0; i < space->n_stages; i++) {
        const struct space_stage_config *stage = &space->stages[i];
        block_splits(check, i, token, c, stage->channels, stage->stride);
        if (stage->repeat > 1)
            block_splits(check, i, token, stage->channels, stage->channels, 1);
        c = stage->channels;
    }
}

static void channels_split(struct check *check)
{
    const struct space_config *space = &check->config->space;
    int c = space->stem.channels;
    if (!about(check, "space.fixed", "space.stem.channels", NULL))
        return;
    fixed_blocks_split(check, &c);
    if (!about(check, "space.stages", "space.fixed", "space.stem.channels",
               "space.choices", NULL))
        return;
    for (int o = 0; o < space->n_choices; o++)
        if (splits_channels(space->choices[o])) {
            stages_split(check, space->choices[o], c);
            break;
        }
}

static void crop_fits(struct check *check)
{
    const struct config *config = check->config;
    int pad = config->dataset.augment.pad_crop;
    const int *input = config->space.input;
    int least = input[0] < input[1] ? input[0] : input[1];
    if (about(check, "dataset.augment.pad_crop", "space.input", NULL) && pad >= least)
        contradiction(check, "%d leaves crops without a pixel of a %d x %d image", pad,
                      input[0], input[1]);
}

/* A setting that asks for more distinct paths than there are. */
static void paths_suffice(struct check *check)
{
    const struct config *config = check->config;
    const struct space_config *space = &config->space;
    const char *algorithm = config->search.algorithm; /* NULL if it was bad */
    bool random = algorithm && strcmp(algorithm, "random") == 0;
    double paths = pow(space->n_choices, searchable_layers(space));
    struct {
        const char *name, *because;
        int wanted;
        bool applies;
    } rule[] = {
        {"greedy.sampled_paths", NULL, config->greedy.sampled_paths, true},
        {"greedy.pool_size", "greedy.stop_by_turnover", config->greedy.pool_size,
         config->greedy.stop_by_turnover},
        {"search.population", "search.algorithm", config->search.population, !random},
        {"search.random_paths", "search.algorithm", config->search.random_paths,
         random},
    };
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        if (about(check, rule[i].name, "space.choices", "space.stages", rule[i].because,
                  NULL) &&
            rule[i].applies && rule[i].wanted > paths)
            contradiction(check, "%d is more than the %.0f paths of the space",
                          rule[i].wanted, paths);
}

void config_rules_check(const struct config *config, unsigned use,
                        const struct filled *filled, struct problems *problems)
{
    struct check check = {
        .config = config, .use = use, .filled = filled, .problems = problems};
    schedule_fits(&check);
    snapshots_are_few(&check);
    retraining_fits(&check);
    greedy_round_fits(&check);
    validation_images_suffice(&check);
    layers_fit(&check);
    strides_fit(&check);
    channels_fit(&check);
    channels_split(&check);
    crop_fits(&check);
    paths_suffice(&check);
}
