/*
 * search.c - the third stage: finds the architecture (Section 3.5).
 *
 * NSGA-II over (validation error, FLOPs), its first population the best feasible paths
 * of greedy's candidate pool; or random search, the baseline. Paths that violate a
 * constraint are thrown away before anything is computed for them. The found path is
 * the most accurate feasible one that was evaluated. Limits on latency, and latency in
 * place of FLOPs (search.cost), go by the table of program latency: a second --in.
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
#include "nas/nsga2.h"
#include "nas/rare.h"
#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/pool_file.h"
#include "net/probe.h"
#include "net/search_log.h"

static const struct program program = {
    "search", "find the best architecture within the constraints",
    "search --config=results/quickstart/search.yaml --data=data/fashion-mnist.h5 "
    "--in=results/quickstart/greedy.h5 --out=results/quickstart/search.h5"};

/* A surrogate batch that no round of greedy draws, nor a probe. */
enum { JUDGING_NUMBER = 0x7ffffffe };

struct search {
    const struct config *config;
    struct stage *stage;
    struct supernet *net;
    struct workspace *workspace;
    struct scorer *scorer;
    int n_images, n_calibration; /* validation images, training images for BN */
    int *image, *calibration;
    struct search_log log;
    int generation;
    struct nsga2 *nsga2; /* NULL: random search */
    struct path *pool;   /* greedy's candidates, best first */
    int n_pool;
    struct rare *counts; /* of the paths within the limits; NULL: no limit */
    struct progress progress;
    double seconds; /* in scoring */
    bool stopped;
};

/* Judging paths. */

/* False if it was told to stop. */
static bool score(struct search *search, const struct path *path, int n,
                  struct score *result)
{
    bool scored;
    double begin = clock_seconds();
    if (strcmp(search->config->search.bn, "recalibrate") == 0)
        scored = score_paths_recalibrated(search->scorer, path, n, search->calibration,
                                          search->n_calibration, SPLIT_VALIDATION,
                                          search->image, search->n_images, result);
    else
        scored = score_paths(search->scorer, path, n, SPLIT_VALIDATION, search->image,
                             search->n_images, result);
    search->seconds += clock_seconds() - begin;
    return scored;
}

static void save_search(void *context, struct artifact *artifact)
{
    const struct search *search = context;
    struct score_counters c = scorer_counters(search->scorer);
    search_log_save(&search->log, &search->net->space, artifact);
    artifact_write_i64(artifact, "counters/evaluation", c.evaluations, "images",
                       "images through forward while judging paths");
    artifact_write_i64(artifact, "counters/blocks_computed", c.blocks_computed,
                       "blocks", "blocks computed while judging");
    artifact_write_i64(artifact, "counters/blocks_asked", c.blocks_asked, "blocks",
                       "blocks that judging each path alone would have computed");
    artifact_write_f64(artifact, "measured/score_seconds", search->seconds, "s",
                       "wall time judging paths");
    artifact_write_vector(artifact, "validation/image", ARRAY_I32,
                          (size_t)search->n_images, search->image, "index",
                          "validation images that every path is judged on");
    artifact_write_vector(artifact, "recalibration/image", ARRAY_I32,
                          (size_t)search->n_calibration, search->calibration, "index",
                          "training images whose statistics BN takes (search.bn: "
                          "recalibrate)");
    artifact_describe(artifact, "counters", "how much was done");
    artifact_describe(artifact, "validation", "the images that judge paths");
    artifact_describe(artifact, "recalibration", "none of them with search.bn: batch");
}

/* The state that NSGA-II cannot be rebuilt without: its population's ranks. */
static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct search *search = context;
    save_search(context, artifact);
    artifact_write_i64(artifact, "nsga2/generation", search->generation, "generation",
                       "the last one that is complete; -1: none");
}

static void show(struct search *search)
{
    char note[96];
    long found = search_log_found(&search->log);
    double best = found < 0 ? 0 : search->log.entry[found].score.accuracy;
    snprintf(note, sizeof(note), "generation %d  best accuracy %.4f",
             search->generation + 1, best);
    progress_update(&search->progress, search->log.n, note);
    status_update(search->stage->status, search->log.n, search->progress.total, "paths",
                  found < 0 ? (double)NAN : search->log.entry[found].score.loss,
                  progress_rate(&search->progress), progress_eta(&search->progress));
}

/* Scores those of the paths that the log does not know yet, group by group, with a
 * checkpoint where one is due: what was scored before a stop is not scored again. */
static void score_unknown(struct search *search, const struct path *path, int n)
{
    struct path *todo = memory_zeroed((size_t)n, sizeof(*todo));
    struct score *result = memory_zeroed((size_t)n, sizeof(*result));
    int n_todo = 0,
        group = score_group_size((int64_t)search->n_images + search->n_calibration);
    for (int i = 0; i < n; i++)
        if (!search_log_find(&search->log, &path[i]))
            todo[n_todo++] = path[i];
    qsort(todo, (size_t)n_todo, sizeof(*todo), path_by_genotype);
    for (int first = 0; first < n_todo && !search->stopped; first += group) {
        int count = n_todo - first < group ? n_todo - first : group;
        bool scored = score(search, todo + first, count, result);
        for (int i = 0; scored && i < count; i++)
            search_log_add(&search->log,
                           &(struct search_entry){
                               todo[first + i], result[i],
                               cost_of_path(&search->net->cost, &todo[first + i]),
                               search->generation + 1});
        show(search);
        if (stage_checkpoint_due(search->stage))
            stage_checkpoint(search->stage, save_checkpoint, search);
        search->stopped = stop_requested();
    }
    free(todo);
    free(result);
}

/* NSGA-II's problem: error on the validation images, and the cost. */

static bool feasible(const struct path *path, void *context)
{
    const struct search *search = context;
    struct cost cost = cost_of_path(&search->net->cost, path);
    return cost_feasible(&cost, &search->config->search.constraints);
}

static bool construct(struct rng *rng, struct path *path, void *context)
{
    const struct search *search = context;
    return search->counts && rare_draw(search->counts, rng, path);
}

static void set_objectives(const struct search *search, const struct search_entry *e,
                           double *objective)
{
    objective[0] = 1 - e->score.accuracy;
    objective[1] = cost_figure(&e->cost, search->log.minimised);
}

static void evaluate(const struct path *path, int n,
                     double (*objective)[NSGA2_OBJECTIVES_MAX], void *context)
{
    struct search *search = context;
    score_unknown(search, path, n);
    for (int i = 0; i < n; i++) {
        const struct search_entry *e = search_log_find(&search->log, &path[i]);
        if (e)
            set_objectives(search, e, objective[i]);
        else /* stopped: nobody will look */
            objective[i][0] = objective[i][1] = HUGE_VAL;
    }
}

static void record_generation(struct search *search)
{
    const struct individual *individual;
    int n = nsga2_population(search->nsga2, &individual);
    const struct path **path = memory_zeroed((size_t)n + 1, sizeof(*path));
    for (int i = 0; i < n; i++)
        path[i] = &individual[i].path;
    search_log_add_population(&search->log, path, n);
    free(path);
    search->log.rejected_infeasible = nsga2_rejected_infeasible(search->nsga2);
    search->log.rejected_duplicate = nsga2_rejected_duplicate(search->nsga2);
    search->generation = nsga2_generation(search->nsga2);
}

static void search_nsga2(struct search *search)
{
    if (search->generation < 0) {
        int n = search->config->search.initialise_from_pool ? search->n_pool : 0;
        search->log.initial_from_pool = nsga2_start(search->nsga2, search->pool, n);
        if (!search->stopped)
            record_generation(search);
    }
    while (!search->stopped && nsga2_advance(search->nsga2))
        if (!search->stopped)
            record_generation(search);
}

static long paths_planned(const struct search *search)
{
    const struct search_config *c = &search->config->search;
    return search->nsga2 || !c->random_paths ? (long)c->population * c->generations
                                             : c->random_paths;
}

/* The baseline: random feasible paths, each once. */
static void search_random(struct search *search)
{
    const struct search_config *c = &search->config->search;
    int wanted = (int)paths_planned(search);
    struct path *path = memory_zeroed((size_t)wanted, sizeof(*path));
    struct path_map *drawn = path_map_create();
    struct sampler sampler;
    struct rng rng = rng_stream(search->config->seed, RNG_SEARCH, 0, 0);
    sampler_init(&sampler, &search->net->space, &search->net->cost, &c->constraints);
    int n = 0;
    /* A small space may have fewer: give up after many repeats in a row. */
    for (int repeats = 0; n < wanted && repeats < 10000; repeats++) {
        sampler_uniform(&sampler, &rng, &path[n]);
        if (path_map_insert(drawn, &path[n]) == n) {
            n++;
            repeats = 0;
        }
    }
    search->log.rejected_infeasible = sampler.rejected;
    score_unknown(search, path, n);
    path_map_free(drawn);
    free(path);
}

/* Start and resume. */

static struct individual individual_of(const struct search *search,
                                       const struct search_entry *e)
{
    struct individual individual = {.path = e->path};
    set_objectives(search, e, individual.objective);
    return individual;
}

/* NSGA-II as it stood after its last complete generation: from the log, where what was
 * evaluated of the generation under way comes last. */
static void restore_nsga2(struct search *search)
{
    struct search_log *log = &search->log;
    long n_evaluated = 0;
    struct individual *evaluated = memory_zeroed((size_t)log->n, sizeof(*evaluated));
    int *generation = memory_zeroed((size_t)log->n, sizeof(*generation));
    for (long i = 0; i < log->n; i++)
        if (log->entry[i].generation <= search->generation) {
            evaluated[n_evaluated] = individual_of(search, &log->entry[i]);
            generation[n_evaluated++] = log->entry[i].generation;
        }
    const long *member =
        log->member + (size_t)search->generation * (size_t)log->population;
    int n = 0;
    while (n < log->population && member[n] >= 0)
        n++;
    struct individual *population = memory_zeroed((size_t)n, sizeof(*population));
    for (int i = 0; i < n; i++)
        population[i] = individual_of(search, &log->entry[member[i]]);
    nsga2_restore(search->nsga2, search->generation, population, n, evaluated,
                  generation, n_evaluated, log->rejected_infeasible,
                  log->rejected_duplicate);
    free(evaluated);
    free(generation);
    free(population);
}

static void resume(struct search *search)
{
    struct artifact *half = checkpoint_load(search->stage->checkpoint);
    if (!half)
        return;
    space_check(half, &search->net->space);
    search_log_load(&search->log, &search->net->cost, half);
    search->generation = (int)artifact_read_i64(half, "nsga2/generation");
    if (search->generation != search->log.n_generations - 1)
        die("'%s': generation %d is the last complete one, but there are %d "
            "populations, expected %d",
            artifact_path(half), search->generation, search->log.n_generations,
            search->generation + 1);
    struct score_counters counters = {
        artifact_read_i64(half, "counters/evaluation"),
        artifact_read_i64(half, "counters/blocks_computed"),
        artifact_read_i64(half, "counters/blocks_asked")};
    scorer_set_counters(search->scorer, &counters);
    search->seconds = artifact_read_f64(half, "measured/score_seconds");
    if (search->nsga2 && search->generation >= 0)
        restore_nsga2(search);
    log_info("goes on after %ld paths", search->log.n);
    artifact_close(half);
}

static void load_supernet(struct search *search, const char *path)
{
    struct artifact *artifact = artifact_open(path, NULL);
    if (!artifact_has(artifact, "weights"))
        die("'%s' has no weights, expected a trained supernet", path);
    space_check(artifact, &search->net->space);
    supernet_load(search->net, artifact, false);
    probe_check(search->scorer, artifact);
    if (artifact_has(artifact, "pool"))
        search->n_pool = (int)paths_load(artifact, "pool/paths", &search->pool);
    else if (search->nsga2 && search->config->search.initialise_from_pool)
        die("'%s' has no candidate pool, expected one: greedy leaves it; a search that "
            "does without has search.initialise_from_pool=false",
            path);
    artifact_close(artifact);
}

/* Which images judge, and which recalibrate. */
static void choose_images(struct search *search, const struct dataset *dataset)
{
    const struct search_config *c = &search->config->search;
    int all = dataset_size(dataset, SPLIT_VALIDATION);
    if (c->validation_images > all)
        die("search.validation_images is %d, but the dataset has %d validation images",
            c->validation_images, all);
    search->n_images = c->validation_images ? c->validation_images : all;
    search->image = memory_zeroed((size_t)search->n_images, sizeof(int));
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, search->config->seed,
                             RNG_SURROGATE, JUDGING_NUMBER, search->n_images,
                             search->image);
    if (strcmp(c->bn, "recalibrate") != 0)
        return;
    if (c->recalibrate_images > dataset_size(dataset, SPLIT_TRAIN))
        die("search.recalibrate_images is %d, but the dataset has %d training images",
            c->recalibrate_images, dataset_size(dataset, SPLIT_TRAIN));
    search->n_calibration = c->recalibrate_images;
    search->calibration = memory_zeroed((size_t)search->n_calibration, sizeof(int));
    dataset_balanced_indices(dataset, SPLIT_TRAIN, search->config->seed,
                             RNG_RECALIBRATE, 0, search->n_calibration,
                             search->calibration);
}

/* No batch is larger than the images that there are: memory for more would be wasted.
 */
static int largest_batch(const struct search *search)
{
    int images = search->n_images > search->n_calibration ? search->n_images
                                                          : search->n_calibration;
    int batch = search->config->search.batch;
    return batch < images ? batch : images;
}

/* The space, what its paths cost, and whether any is within the limits: before anything
 * is loaded. */
static void search_begin(struct search *search, struct stage *stage)
{
    const struct config *config = stage->config;
    const struct search_config *c = &config->search;
    struct option_texts *in = &stage->options.in;
    *search = (struct search){.config = config, .stage = stage, .generation = -1};
    search->net = supernet_create(&config->space, config->seed);
    latency_take_input(&search->net->cost, &search->net->space, c,
                       stage->options.config, in);
    if (in->n != 1)
        die_asked_wrong("--in is given %d supernets, expected one (and a latency "
                        "table, if any)",
                        in->n);
    cost_check(&search->net->cost, &c->constraints, stage->options.config,
               "search.constraints");
    search_log_init(&search->log, c->population);
    search->log.minimised = cost_figure_find(c->cost);
    search->log.has_latency = search->net->cost.has_latency;
}

static void search_init(struct search *search, struct dataset *dataset)
{
    const struct config *config = search->config;
    const struct search_config *c = &config->search;
    choose_images(search, dataset);
    int batch = largest_batch(search);
    int capacity = batch > PROBE_IMAGES_MAX ? batch : PROBE_IMAGES_MAX;
    search->workspace = workspace_create(search->net, 0, capacity);
    search->scorer =
        scorer_create(search->net, search->workspace, dataset, batch, capacity);
    search->counts = rare_create(&search->net->cost, &c->constraints);
    struct nsga2_problem problem = {
        &search->net->space, 2, feasible, evaluate, search, construct};
    struct nsga2_settings settings = {c->population, c->generations, c->mutation,
                                      config->seed};
    if (strcmp(c->algorithm, "nsga2") == 0)
        search->nsga2 = nsga2_create(&problem, &settings);
    load_supernet(search, search->stage->options.in.text[0]);
    scorer_set_stop(search->scorer, stop_requested);
}

/* A constraint may leave fewer paths than were asked for. */
static void warn_of_few(const struct search *search)
{
    if (search->log.n < paths_planned(search))
        log_warning("judged %ld paths, expected %ld: found no further ones that are "
                    "new and within search.constraints",
                    search->log.n, paths_planned(search));
}

static void search_release(struct search *search)
{
    nsga2_free(search->nsga2);
    rare_free(search->counts);
    search_log_release(&search->log);
    scorer_free(search->scorer);
    workspace_free(search->workspace);
    supernet_free(search->net);
    free(search->image);
    free(search->calibration);
    free(search->pool);
}

static void write_artifact(struct search *search)
{
    warn_of_few(search);
    struct artifact *artifact =
        artifact_create(search->stage->options.out, &search->stage->origin);
    save_search(search, artifact);
    search_log_save_result(&search->log, &search->net->space, artifact);
    artifact_commit(artifact);
}

/* `search --show=FILE`: true if that was asked, and done. */
static bool show_only(int argc, char **argv)
{
    const char *file = NULL;
    const struct option_row rows[] = {
        {"show", "search.h5", OPTION_TEXT, &file, 1, "finished search to print"}, {0}};
    if (argc != 2 || strncmp(argv[1], "--show", 6) != 0)
        return false;
    options_parse(&program, rows, argc, argv);
    struct artifact *artifact = artifact_open(file, "search");
    search_result_print(artifact, stdout);
    artifact_close(artifact);
    return true;
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    const char *file = NULL;
    const struct option_row rows[] = {
        {"in", "FILE.h5", OPTION_TEXTS, &stage.options.in, 1,
         "trained supernet; also the table of latency, for limits on it"},
        OPTIONS_STAGE_ROWS(stage.options, 0),
        {"show", "search.h5", OPTION_TEXT, &file, 0,
         "print a finished search and do nothing else (no other option then)"},
        {0}};
    if (show_only(argc, argv))
        return EXIT_COMPLETE;
    options_parse(&program, rows, argc, argv);
    if (file)
        die_asked_wrong("'--show' goes with no other option");
    stage_begin(&stage, program.name);

    struct search search;
    search_begin(&search, &stage);
    struct dataset *dataset = dataset_open(stage.options.data, &stage.config->space);
    search_init(&search, dataset);
    resume(&search);

    progress_start(&search.progress, "paths", search.log.n, paths_planned(&search));
    if (search.nsga2)
        search_nsga2(&search);
    else
        search_random(&search);
    progress_finish(&search.progress, NULL);

    bool complete = !search.stopped;
    if (complete)
        write_artifact(&search);
    else
        stage_checkpoint_last(&stage, save_checkpoint, &search);
    search_release(&search);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
