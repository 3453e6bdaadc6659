/*
 * rankcorr.c - how far a supernet's ranking of paths can be trusted (Table 3, Figure
 * 4).
 *
 * The same random paths are judged by several supernets - the initial weights, each
 * --in, and each snapshot in one - on all of D_val and on its first N images, for a
 * list of N; then the rankings are compared, and with known accuracies if there are
 * any. What the artifact holds is listed in net/agreement.h.
 *
 * N images are judged exactly as if they alone had been asked for: with rankcorr.bn:
 * batch in as few and as equal batches of at most rankcorr.batch images as hold them,
 * each with its own statistics (and with less than one batch: as greedy's surrogate);
 * with recalibrate, by statistics that no judged image is part of.
 *
 * The paths are sorted, so that neighbours share prefixes, and judged in groups. A
 * shard judges every group of a part of the list; merging the shards gives what one run
 * over all of it would have, bit for bit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/stage.h"
#include "nas/latency_input.h"
#include "nas/sampler.h"
#include "net/correlations.h"
#include "net/paths_file.h"
#include "net/probe.h"

static const struct program program = {
    "rankcorr", "compare rankings of random paths by several supernets",
    "rankcorr --config=results/quickstart/rankcorr.yaml --data=data/fashion-mnist.h5 "
    "--in=results/quickstart/uniform.h5 --in=results/quickstart/greedy.h5 "
    "--out=results/quickstart/rankcorr.h5"};

/* Where the weights of a supernet are. */
struct weights_source {
    const char *file; /* NULL: the initial ones */
    int64_t step;     /* of a snapshot in it; -1: the final ones */
};

struct rankcorr {
    const struct config *config;
    struct stage *stage;
    struct supernet *net;
    struct workspace *workspace;
    struct scorer *scorer;
    struct truth *truth; /* NULL: unknown */
    int few[CONFIG_LIST_MAX];
    struct agreement agreement;
    struct weights_source *source; /* of each supernet */
    int group;                     /* paths that are judged in one go */
    struct shard shard;            /* 0 of 0: all paths */
    int supernet, path; /* where it stands: the next path of which supernet */
    struct progress progress;
    double seconds; /* in scoring */
    bool stopped;
};

/* --- The paths and the images ----------------------------------------------------- */

/* Distinct paths, uniform over the space; all of it if it has no more. */
static struct path *draw_paths(const struct supernet *net, uint64_t seed, int *n)
{
    const struct constraint_config none = {0};
    double all = space_size(&net->space);
    if (all < *n) {
        log_info("the space has %.0f paths: all of them are ranked", all);
        *n = (int)all;
    }
    struct path *path = memory_zeroed((size_t)*n, sizeof(*path));
    struct path_map *drawn = path_map_create();
    struct sampler sampler;
    struct rng rng = rng_stream(seed, RNG_RANKCORR, 0, 0);
    sampler_init(&sampler, &net->space, &net->cost, &none);
    for (int i = 0; i < *n;) {
        sampler_uniform(&sampler, &rng, &path[i]);
        if (path_map_insert(drawn, &path[i]) == i)
            i++;
    }
    path_map_free(drawn);
    qsort(path, (size_t)*n, sizeof(*path), path_by_genotype);
    return path;
}

/* Those of the table of known accuracies, if there is one, else any. */
static void choose_paths(struct rankcorr *r)
{
    const struct rankcorr_config *c = &r->config->rankcorr;
    struct agreement *a = &r->agreement;
    a->n_paths = c->paths;
    if (strcmp(c->truth, "none") == 0) {
        a->path = draw_paths(r->net, r->config->seed, &a->n_paths);
    } else {
        struct rng rng = rng_stream(r->config->seed, RNG_RANKCORR, 0, 0);
        r->truth = truth_read(c->truth, &r->net->space);
        r->stage->origin.plain = r->truth->file;
        r->stage->origin.plain_digest = r->truth->digest;
        int known = r->truth->n;
        truth_draw(r->truth, &rng, c->paths);
        a->n_paths = r->truth->n;
        a->path = memory_zeroed((size_t)a->n_paths, sizeof(*a->path));
        memcpy(a->path, r->truth->path, (size_t)a->n_paths * sizeof(*a->path));
        log_info("'%s' has accuracies of %d paths: %d of them are ranked", c->truth,
                 known, a->n_paths);
    }
    a->truth = r->truth;
    a->cost = memory_zeroed((size_t)a->n_paths, sizeof(*a->cost));
    a->feasible = memory_zeroed((size_t)a->n_paths, 1);
    for (int i = 0; i < a->n_paths; i++) {
        a->cost[i] = cost_of_path(&r->net->cost, &a->path[i]);
        a->feasible[i] = cost_feasible(&a->cost[i], &r->config->search.constraints);
    }
}

static int images_wanted(const char *setting, int wanted, int there, const char *kind)
{
    if (wanted > there)
        die("%s is %d, but the dataset has %d %s images", setting, wanted, there, kind);
    return wanted ? wanted : there;
}

/* The numbers of images that are less than all there are, or as many. */
static void choose_numbers(struct rankcorr *r)
{
    const struct count_list *list = &r->config->rankcorr.images;
    struct agreement *a = &r->agreement;
    for (int i = 0; i < list->n; i++)
        if (list->count[i] <= a->n_images)
            r->few[a->n_few++] = list->count[i];
    if (list->n && !a->n_few)
        die("rankcorr.images: %d is the fewest, but the images that judge are %d; "
            "expected a number that is no larger",
            list->count[0], a->n_images);
    if (a->n_few < list->n)
        log_info("rankcorr.images: %d is more than the %d images that judge; left out",
                 list->count[a->n_few], a->n_images);
    a->few = r->few;
}

static void choose_images(struct rankcorr *r, const struct dataset *dataset)
{
    const struct rankcorr_config *c = &r->config->rankcorr;
    struct agreement *a = &r->agreement;
    a->n_images = images_wanted("rankcorr.validation_images", c->validation_images,
                                dataset_size(dataset, SPLIT_VALIDATION), "validation");
    a->image = memory_zeroed((size_t)a->n_images, sizeof(int));
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, r->config->seed, RNG_RANKCORR,
                             0, a->n_images, a->image);
    choose_numbers(r);
    if (strcmp(c->bn, "recalibrate") != 0)
        return;
    a->n_calibration =
        images_wanted("rankcorr.recalibrate_images", c->recalibrate_images,
                      dataset_size(dataset, SPLIT_TRAIN), "training");
    a->calibration = memory_zeroed((size_t)a->n_calibration, sizeof(int));
    dataset_balanced_indices(dataset, SPLIT_TRAIN, r->config->seed, RNG_RECALIBRATE, 0,
                             a->n_calibration, a->calibration);
}

static char *digest_of_file(const char *file)
{
    char digest[ARTIFACT_DIGEST_SIZE];
    struct artifact *artifact = artifact_open(file, NULL);
    artifact_digest(artifact, digest);
    artifact_close(artifact);
    return memory_text_copy(digest);
}

/* --- The supernets ---------------------------------------------------------------- */

/* step: of the training that the weights have had. */
static void add_supernet(struct rankcorr *r, const char *name, const char *origin,
                         int64_t step, struct weights_source source)
{
    int n = r->agreement.n_supernets;
    for (int s = 0; s < n; s++)
        if (strcmp(r->agreement.supernet[s].name, name) == 0)
            die_asked_wrong("two of --in are called '%s', expected different names",
                            name);
    r->source = memory_resized(r->source, (size_t)n + 1, sizeof(*r->source));
    r->source[n] = source;
    agreement_add(&r->agreement, name, origin, step);
}

/* "results/x/greedy.h5" -> "greedy". */
static char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".h5") == 0)
        length -= 3;
    if (length < 1 || length > 48 || strcspn(name, " \t\n") < length)
        die_asked_wrong("--in is '%s', expected a file's name of 1 to 48 characters "
                        "without blanks",
                        file);
    return memory_format("%.*s", (int)length, name);
}

/* An artifact's snapshots, then its final weights. */
static void add_artifact(struct rankcorr *r, const char *file)
{
    char digest[ARTIFACT_DIGEST_SIZE], *name = base_name(file);
    int64_t *step;
    struct artifact *artifact = artifact_open(file, NULL);
    space_check(artifact, &r->net->space);
    if (!artifact_has(artifact, "weights"))
        die("'%s' has no weights, expected those of a supernet", file);
    artifact_digest(artifact, digest);
    size_t n = supernet_snapshot_steps(artifact, &step);
    for (size_t i = 0; i < n; i++) {
        char *snapshot = memory_format("%s@%lld", name, (long long)step[i]);
        add_supernet(r, snapshot, digest, step[i],
                     (struct weights_source){file, step[i]});
        free(snapshot);
    }
    int64_t last = artifact_has(artifact, "counters/step")
                       ? artifact_read_i64(artifact, "counters/step")
                       : -1;
    add_supernet(r, name, digest, last, (struct weights_source){file, -1});
    artifact_close(artifact);
    free(step);
    free(name);
}

static void list_supernets(struct rankcorr *r)
{
    const struct option_texts *in = &r->stage->options.in;
    add_supernet(r, "random", "", 0, (struct weights_source){NULL, -1});
    for (int i = 0; i < in->n; i++)
        add_artifact(r, in->text[i]);
}

static void load_weights(struct rankcorr *r, const struct weights_source *source)
{
    if (!source->file)
        return; /* the first one: the supernet was made with them */
    struct artifact *artifact = artifact_open(source->file, NULL);
    if (source->step >= 0)
        supernet_load_snapshot(r->net, artifact, source->step);
    else
        supernet_load(r->net, artifact, false);
    if (source->step < 0)
        probe_check(r->scorer, artifact);
    artifact_close(artifact);
}

/* --- Judging ---------------------------------------------------------------------- */

static void save_counters(const struct rankcorr *r, struct artifact *artifact)
{
    struct score_counters c = scorer_counters(r->scorer);
    artifact_write_i64(artifact, "counters/evaluation", c.evaluations, "images",
                       "images through forward while judging paths");
    artifact_write_i64(artifact, "counters/blocks_computed", c.blocks_computed,
                       "blocks", "blocks computed while judging");
    artifact_write_i64(artifact, "counters/blocks_asked", c.blocks_asked, "blocks",
                       "blocks that judging each path alone would have computed");
    artifact_write_f64(artifact, "measured/score_seconds", r->seconds, "s",
                       "wall time judging paths");
    artifact_describe(artifact, "counters", "how much was done");
}

/* Adds those of a checkpoint or a shard. */
static void add_counters(struct rankcorr *r, struct artifact *artifact)
{
    struct score_counters c = scorer_counters(r->scorer);
    c.evaluations += artifact_read_i64(artifact, "counters/evaluation");
    c.blocks_computed += artifact_read_i64(artifact, "counters/blocks_computed");
    c.blocks_asked += artifact_read_i64(artifact, "counters/blocks_asked");
    scorer_set_counters(r->scorer, &c);
    r->seconds += artifact_read_f64(artifact, "measured/score_seconds");
}

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct rankcorr *r = context;
    agreement_save(&r->agreement, &r->shard, artifact);
    save_counters(r, artifact);
    artifact_write_i64(artifact, "next/supernet", r->supernet, "index",
                       "the supernet that goes on judging");
    artifact_write_i64(artifact, "next/path", r->path, "index",
                       "the path it goes on with");
}

static long paths_done(const struct rankcorr *r)
{
    long each = r->shard.end - r->shard.first;
    return r->supernet * each + (r->path - r->shard.first);
}

static void resume(struct rankcorr *r)
{
    struct artifact *half = checkpoint_load(r->stage->checkpoint);
    if (!half)
        return;
    int64_t index =
        artifact_has(half, "shard/index") ? artifact_read_i64(half, "shard/index") : 0;
    int64_t of = index ? artifact_read_i64(half, "shard/of") : 0;
    if (index != r->shard.index || of != r->shard.of)
        die("'%s' is the checkpoint of shard %lld/%lld, this is %d/%d (0/0: all "
            "paths); remove it, or choose another --out",
            artifact_path(half), (long long)index, (long long)of, r->shard.index,
            r->shard.of);
    agreement_load_scores(&r->agreement, &r->shard, half);
    add_counters(r, half);
    r->supernet = (int)artifact_read_i64(half, "next/supernet");
    r->path = (int)artifact_read_i64(half, "next/path");
    log_info("goes on after %ld paths", paths_done(r));
    artifact_close(half);
}

static long paths_planned(const struct rankcorr *r)
{
    return (long)r->agreement.n_supernets * (r->shard.end - r->shard.first);
}

static void show(struct rankcorr *r)
{
    progress_update(&r->progress, paths_done(r),
                    r->supernet < r->agreement.n_supernets
                        ? r->agreement.supernet[r->supernet].name
                        : NULL);
    status_update(r->stage->status, paths_done(r), r->progress.total, "paths",
                  (double)NAN, progress_rate(&r->progress), progress_eta(&r->progress));
}

/* The next group of paths by the weights that are loaded. */
static void judge_group(struct rankcorr *r)
{
    struct agreement *a = &r->agreement;
    const struct score_subsets subsets = {a->few, a->n_few};
    size_t first = (size_t)r->path;
    int n = r->shard.end - r->path < r->group ? r->shard.end - r->path : r->group;
    double begin = clock_seconds();
    bool scored = score_paths_on_subsets(
        r->scorer, a->path + first, n, a->calibration, a->n_calibration,
        SPLIT_VALIDATION, a->image, a->n_images, &subsets,
        a->supernet[r->supernet].score + first * (size_t)(a->n_few + 1));
    r->seconds += clock_seconds() - begin;
    if (scored)
        r->path += n;
}

/* Every supernet, group by group, with a checkpoint where one is due. */
static void judge(struct rankcorr *r)
{
    progress_start(&r->progress, "paths", paths_done(r), paths_planned(r));
    while (r->supernet < r->agreement.n_supernets && !r->stopped) {
        load_weights(r, &r->source[r->supernet]);
        while (r->path < r->shard.end && !r->stopped) {
            judge_group(r);
            show(r);
            if (stage_checkpoint_due(r->stage))
                stage_checkpoint(r->stage, save_checkpoint, r);
            r->stopped = stop_requested();
        }
        if (r->path == r->shard.end) {
            r->supernet++;
            r->path = r->shard.first;
        }
    }
    progress_finish(&r->progress, NULL);
}

/* --- Shards ----------------------------------------------------------------------- */

/* "3/8"; nothing: all paths. */
static struct shard shard_asked(const char *text)
{
    struct shard shard = {0};
    char end;
    if (text && (sscanf(text, "%d/%d%c", &shard.index, &shard.of, &end) != 2 ||
                 shard.index < 1 || shard.index > shard.of || shard.of > 100000))
        die_asked_wrong("--shard is '%s', expected one such as 3/8: the third of eight",
                        text);
    return shard;
}

/* Shards are of whole groups, so that each path shares with the same others whether
 * there are shards or not. */
static void set_range(const struct rankcorr *r, struct shard *shard)
{
    int n = r->agreement.n_paths;
    int64_t groups = (n + r->group - 1) / r->group;
    int64_t first = 0, end = groups;
    if (shard->of) {
        first = groups * (shard->index - 1) / shard->of;
        end = groups * shard->index / shard->of;
    }
    shard->first = first * r->group < n ? (int)(first * r->group) : n;
    shard->end = end * r->group < n ? (int)(end * r->group) : n;
}

/* What follows the line that says whose settings they are. */
static const char *after_stage(const char *settings)
{
    const char *line = strstr(settings, "stage: ");
    const char *end = line ? strchr(line, '\n') : NULL;
    return end ? end : settings;
}

/* The settings of a shard are those of this run, but for `stage: rankcorr/1of8` and
 * `checkpoint:`, which comes last. */
static void check_settings(const struct rankcorr *r, struct artifact *shard)
{
    char *ours = config_fingerprint(r->config, r->stage->instance);
    char *theirs = artifact_attribute(shard, "config");
    const char *expected = after_stage(ours);
    if (!theirs || strncmp(after_stage(theirs), expected, strlen(expected)) != 0)
        die("'%s' was made with other settings than '%s'; make it again",
            artifact_path(shard), r->stage->options.config);
    free(ours);
    free(theirs);
}

/* All shards of the paths, each once. */
static void merge(struct rankcorr *r)
{
    const struct option_texts *in = &r->stage->options.in;
    const char **have = NULL;
    for (int i = 0; i < in->n; i++) {
        struct artifact *artifact = artifact_open(in->text[i], program.name);
        check_settings(r, artifact);
        if (i == 0)
            agreement_load_supernets(&r->agreement, artifact);
        struct shard shard = agreement_load_shard(&r->agreement, artifact);
        struct shard expected = shard;
        set_range(r, &expected);
        if (shard.of != in->n || shard.first != expected.first ||
            shard.end != expected.end)
            die("'%s' is shard %d of %d, expected one of the %d that are given",
                in->text[i], shard.index, shard.of, in->n);
        if (i == 0)
            have = memory_zeroed((size_t)in->n + 1, sizeof(*have));
        if (have[shard.index])
            die("'%s' and '%s' are both shard %d", have[shard.index], in->text[i],
                shard.index);
        have[shard.index] = in->text[i];
        agreement_load_scores(&r->agreement, &shard, artifact);
        add_counters(r, artifact);
        artifact_close(artifact);
    }
    free(have);
}

/* --- Start and end ---------------------------------------------------------------- */

/* No batch is larger than the images that there are: memory for more would be wasted.
 */
static int largest_batch(const struct rankcorr *r)
{
    int images = r->agreement.n_images > r->agreement.n_calibration
                     ? r->agreement.n_images
                     : r->agreement.n_calibration;
    int batch = r->config->rankcorr.batch;
    return batch < images ? batch : images;
}

static void rankcorr_init(struct rankcorr *r, struct stage *stage,
                          struct dataset *dataset)
{
    struct agreement *a = &r->agreement;
    *r = (struct rankcorr){.config = stage->config, .stage = stage};
    r->net = supernet_create(&r->config->space, r->config->seed);
    a->space = &r->net->space;
    latency_take_input(&r->net->cost, a->space, &r->config->search,
                       stage->options.config, &stage->options.in);
    if (!stage->options.in.n)
        die_asked_wrong("--in is given no supernet, expected one or more");
    choose_paths(r);
    choose_images(r, dataset);
    a->image_origin = digest_of_file(stage->options.data);
    int batch = largest_batch(r);
    int capacity = batch > PROBE_IMAGES_MAX ? batch : PROBE_IMAGES_MAX;
    r->workspace = workspace_create(r->net, 0, capacity);
    r->scorer = scorer_create(r->net, r->workspace, dataset, batch, capacity);
    scorer_set_stop(r->scorer, stop_requested);
    const struct score_subsets subsets = {a->few, a->n_few};
    r->group = score_group_size(
        score_subsets_images(r->scorer, a->n_calibration, a->n_images, &subsets));
}

static void rankcorr_release(struct rankcorr *r)
{
    agreement_release(&r->agreement);
    scorer_free(r->scorer);
    workspace_free(r->workspace);
    supernet_free(r->net);
    truth_free(r->truth);
    free(r->source);
}

static void report_sharing(const struct rankcorr *r)
{
    struct score_counters c = scorer_counters(r->scorer);
    if (c.blocks_asked)
        log_info("%lld images through forward; shared prefixes saved %.0f %% of the "
                 "blocks",
                 (long long)c.evaluations,
                 100 * (1 - (double)c.blocks_computed / (double)c.blocks_asked));
}

static void write_artifact(const struct rankcorr *r,
                           const struct correlations *correlations)
{
    struct artifact *artifact =
        artifact_create(r->stage->options.out, &r->stage->origin);
    agreement_save(&r->agreement, &r->shard, artifact);
    save_counters(r, artifact);
    if (correlations)
        correlations_save(correlations, &r->agreement, artifact);
    artifact_commit(artifact);
}

/* A shard has no correlations. Returns whether it was not told to stop. */
static bool conclude(struct rankcorr *r)
{
    struct correlations correlations;
    report_sharing(r);
    if (r->shard.of) {
        write_artifact(r, NULL);
        return true;
    }
    log_info("compares the rankings by %d supernets", r->agreement.n_supernets);
    bool complete = correlations_compute(&correlations, &r->agreement,
                                         r->config->rankcorr.bootstrap, r->config->seed,
                                         stop_requested);
    if (complete)
        write_artifact(r, &correlations);
    correlations_release(&correlations);
    return complete;
}

/* `rankcorr --show=FILE`: true if that was asked, and done. */
static bool show_only(int argc, char **argv)
{
    const char *file = NULL;
    const struct option_row rows[] = {
        {"show", "rankcorr.h5", OPTION_TEXT, &file, 1, "finished artifact to print"},
        {0}};
    if (argc != 2 || strncmp(argv[1], "--show", 6) != 0)
        return false;
    options_parse(&program, rows, argc, argv);
    struct artifact *artifact = artifact_open(file, program.name);
    correlations_print(artifact, stdout);
    artifact_close(artifact);
    return true;
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    const char *part = NULL, *file = NULL;
    bool merging = false;
    const struct option_row rows[] = {
        {"in", "FILE.h5", OPTION_TEXTS, &stage.options.in, 1,
         "supernet whose ranking is judged, or (--merge) a shard; also the table of "
         "latency, for a limit on it"},
        OPTIONS_STAGE_ROWS(stage.options, 0),
        {"shard", "I/N", OPTION_TEXT, &part, 0, "judge only the I-th of N parts"},
        {"merge", NULL, OPTION_FLAG, &merging, 0,
         "judge nothing: --in are all N shards"},
        {"show", "rankcorr.h5", OPTION_TEXT, &file, 0,
         "print a finished artifact and do nothing else (no other option then)"},
        {0}};
    if (show_only(argc, argv))
        return EXIT_COMPLETE;
    options_parse(&program, rows, argc, argv);
    struct shard shard = shard_asked(part);
    if (file)
        die_asked_wrong("'--show' goes with no other option");
    if (merging && part)
        die_asked_wrong("'--merge' puts shards together, '--shard' makes one: expected "
                        "one of the two");
    stage_begin(&stage, program.name);

    struct rankcorr rankcorr;
    struct dataset *dataset = dataset_open(stage.options.data, &stage.config->space);
    rankcorr_init(&rankcorr, &stage, dataset);
    set_range(&rankcorr, &shard);
    rankcorr.shard = shard;
    rankcorr.path = shard.first;

    if (merging) {
        merge(&rankcorr);
    } else {
        list_supernets(&rankcorr);
        resume(&rankcorr);
        judge(&rankcorr);
    }

    bool complete = !rankcorr.stopped && conclude(&rankcorr);
    if (!complete && !merging)
        stage_checkpoint_last(&stage, save_checkpoint, &rankcorr);
    rankcorr_release(&rankcorr);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
