/*
 * greedy.c - the second stage: greedy supernet training (Algorithms 1 and 2).
 *
 * Each round draws paths, from the whole space or from the pool of candidates, scores
 * them on one small batch of validation images, and trains only the better ones. What
 * is trained is ever more what the search will look at.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/stage.h"
#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/pool_file.h"
#include "net/probe.h"
#include "net/trainer.h"

static const struct program program = {
    "greedy", "train the supernet greedily on promising paths",
    "greedy --config=results/quickstart/greedy.yaml --data=data/fashion-mnist.h5 "
    "--in=results/quickstart/warmup.h5 --out=results/quickstart/greedy.h5"};

static const struct series_column round_columns[] = {
    {"step", "steps", "optimizer steps done when the round was drawn", false},
    {"epsilon", "1", "chance to draw a path from the pool", false},
    {"from_pool", "paths", "how many of the round's paths came from the pool", false},
    {"drawn_loss", "nats", "mean surrogate loss of the drawn paths", false},
    {"kept_loss", "nats", "mean surrogate loss of the kept paths", false},
    {"pool_size", "paths", "paths in the pool after the round", false},
    {"pool_loss", "nats", "mean of the pool's recorded losses", false},
    {"turnover", "1", "share of the pool that was not in it one window ago", false},
    {0}};

/* A run of greedy training: the trainer's, plus what only this stage has. */
struct greedy {
    const struct greedy_config *config;
    struct trainer *trainer;
    struct sampler sampler;
    struct pool *pool;
    struct series *rounds;
    int64_t round;
    int64_t first_step, window; /* where this stage began; steps of the turnover */
    double turnover;
    int *surrogate; /* indices of the round's validation images */
    /* The round under way: its kept paths, and how many were trained already. A stop
     * between two of them is no different from one between two rounds. */
    struct path *kept;
    int n_kept, next;
};

/* One drawn path of a round. */
struct candidate {
    struct path path;
    struct score score;
    bool from_pool;
};

/* epsilon rises linearly over the ramp, which begins with this stage. */
static double epsilon_at(const struct greedy *greedy)
{
    const struct greedy_config *c = greedy->config;
    if (!c->sample_from_pool)
        return 0;
    int64_t all = greedy->trainer->config->supernet.steps - greedy->first_step;
    double ramp = (double)(c->epsilon.ramp_steps ? c->epsilon.ramp_steps : all);
    double done = (double)(greedy->trainer->step - greedy->first_step) / ramp;
    return c->epsilon.from + (c->epsilon.to - c->epsilon.from) * fmin(1, done);
}

/* Whether this round's paths are scored: to filter them, or because a pool is used. */
static bool scores_wanted(const struct greedy_config *config)
{
    return config->filter || config->sample_from_pool || config->stop_by_turnover;
}

static int by_loss(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    /* A loss that is not finite goes last. */
    double p = isfinite(x->score.loss) ? x->score.loss : (double)INFINITY;
    double q = isfinite(y->score.loss) ? y->score.loss : (double)INFINITY;
    int order = (p > q) - (p < q);
    return order ? order : path_compare(&x->path, &y->path);
}

/* Draws m paths: from the pool with probability epsilon, else uniformly (Eq. 8). */
static void draw_paths(struct greedy *greedy, double epsilon, struct candidate *drawn)
{
    int m = greedy->config->sampled_paths;
    struct path *path = memory_zeroed((size_t)m, sizeof(*path));
    bool *from_pool = memory_zeroed((size_t)m, sizeof(*from_pool));
    struct rng rng = rng_stream(greedy->trainer->config->seed, RNG_SAMPLE, 1,
                                (uint64_t)greedy->round);
    sampler_mixture(&greedy->sampler, &rng, greedy->pool, epsilon, m, path, from_pool);
    for (int i = 0; i < m; i++)
        drawn[i] = (struct candidate){.path = path[i], .from_pool = from_pool[i]};
    free(path);
    free(from_pool);
}

/* Scores the paths on one class-balanced batch of validation images, all on the same.
 */
static void score_paths_of_round(struct greedy *greedy, struct candidate *drawn)
{
    struct trainer *trainer = greedy->trainer;
    int m = greedy->config->sampled_paths, images = greedy->config->surrogate_images;
    struct path *path = memory_zeroed((size_t)m, sizeof(*path));
    struct score *score = memory_zeroed((size_t)m, sizeof(*score));
    for (int i = 0; i < m; i++)
        path[i] = drawn[i].path;
    dataset_balanced_indices(trainer->dataset, SPLIT_VALIDATION, trainer->config->seed,
                             RNG_SURROGATE, (uint64_t)greedy->round, images,
                             greedy->surrogate);
    trainer_score(trainer, path, m, greedy->surrogate, images, score);
    for (int i = 0; i < m; i++)
        drawn[i].score = score[i];
    free(path);
    free(score);
}

/*
 * Algorithm 1: m paths are drawn and scored, the k with the lowest loss come first. The
 * filter may be off (Table 4); then all of them are kept. Returns how many are kept.
 */
static int filter_paths(struct greedy *greedy, double epsilon, struct candidate *drawn)
{
    int m = greedy->config->sampled_paths;
    draw_paths(greedy, epsilon, drawn);
    if (scores_wanted(greedy->config))
        score_paths_of_round(greedy, drawn);
    if (!greedy->config->filter)
        return m;
    qsort(drawn, (size_t)m, sizeof(*drawn), by_loss);
    return greedy->config->kept_paths;
}

/* The kept paths go into the pool; one drawn again and rejected has its loss renewed.
 */
static void update_pool(struct greedy *greedy, const struct candidate *drawn, int kept)
{
    int m = greedy->config->sampled_paths;
    struct path *path = memory_zeroed((size_t)m, sizeof(*path));
    double *loss = memory_zeroed((size_t)m, sizeof(*loss));
    for (int i = 0; i < m; i++) {
        path[i] = drawn[i].path;
        loss[i] = drawn[i].score.loss;
    }
    pool_update(greedy->pool, path, loss, m, kept, greedy->config->refresh_losses);
    free(path);
    free(loss);
    pool_remember(greedy->pool, greedy->trainer->step, greedy->window);
    greedy->turnover =
        pool_turnover(greedy->pool, greedy->trainer->step, greedy->window);
}

static double mean_loss(const struct candidate *candidate, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += candidate[i].score.loss;
    return sum / n;
}

static double pool_mean_loss(const struct pool *pool)
{
    double sum = 0, loss;
    for (int i = 0; i < pool_size(pool); i++) {
        pool_at(pool, i, &loss);
        sum += loss;
    }
    return pool_size(pool) ? sum / pool_size(pool) : (double)NAN;
}

static void record_round(struct greedy *greedy, double epsilon,
                         const struct candidate *drawn, int kept)
{
    int m = greedy->config->sampled_paths, from_pool = 0;
    bool scored = scores_wanted(greedy->config);
    for (int i = 0; i < m; i++)
        from_pool += drawn[i].from_pool;
    series_append(greedy->rounds,
                  (double[]){(double)greedy->trainer->step, epsilon, from_pool,
                             scored ? mean_loss(drawn, m) : (double)NAN,
                             scored ? mean_loss(drawn, kept) : (double)NAN,
                             pool_size(greedy->pool), pool_mean_loss(greedy->pool),
                             greedy->turnover});
}

static void show(struct progress *progress, struct stage *stage, struct greedy *greedy,
                 const struct train_result *result)
{
    char note[128];
    const struct trainer *trainer = greedy->trainer;
    double rate = progress_rate(progress);
    snprintf(note, sizeof(note), "loss %.3f  turnover %.2f  %.0f img/s", result->loss,
             greedy->turnover, rate > 0 ? rate * trainer->config->supernet.batch : 0);
    progress_update(progress, trainer->step, note);
    status_update(stage->status, trainer->step, trainer->config->supernet.steps,
                  "steps", result->loss, rate, progress_eta(progress));
}

/* Between two rounds: has the pool stopped changing? */
static bool settled(const struct greedy *greedy)
{
    return greedy->config->stop_by_turnover && greedy->next == greedy->n_kept &&
           pool_size(greedy->pool) == pool_capacity(greedy->pool) &&
           greedy->turnover <= greedy->config->stop.alpha;
}

static void save_greedy(void *context, struct artifact *artifact)
{
    const struct greedy *greedy = context;
    trainer_save_run(greedy->trainer, artifact);
    series_save(greedy->rounds, artifact);
    artifact_write_i64(artifact, "counters/round", greedy->round, "rounds",
                       "rounds of Algorithm 1 done");
    artifact_write_i64(artifact, "counters/first_step", greedy->first_step, "steps",
                       "optimizer steps that warm-up had done");
    artifact_write_f64(artifact, "pool/turnover", greedy->turnover, "1",
                       "turnover after the last round");
    pool_save(greedy->pool, artifact);
    artifact_describe(artifact, "rounds", "a row for each round of Algorithm 1");
}

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct greedy *greedy = context;
    supernet_save_state(greedy->trainer->net, artifact);
    save_greedy(context, artifact);
    pool_save_history(greedy->pool, artifact);
    paths_save(artifact, "round/kept", greedy->kept, (size_t)greedy->n_kept,
               "the kept paths of the round under way");
    artifact_write_i64(artifact, "round/next", greedy->next, "paths",
                       "how many of them were trained already");
}

static void begin_round(struct greedy *greedy, struct candidate *drawn)
{
    double epsilon = epsilon_at(greedy);
    greedy->n_kept = filter_paths(greedy, epsilon, drawn);
    greedy->next = 0;
    if (scores_wanted(greedy->config))
        update_pool(greedy, drawn, greedy->n_kept);
    record_round(greedy, epsilon, drawn, greedy->n_kept);
    for (int i = 0; i < greedy->n_kept; i++)
        greedy->kept[i] = drawn[i].path;
    greedy->round++;
}

/* Algorithm 2; one round = Algorithm 1 and one step for each kept path. */
static void train(struct greedy *greedy, struct stage *stage)
{
    struct trainer *trainer = greedy->trainer;
    long budget = trainer->config->supernet.steps;
    struct candidate *drawn =
        memory_zeroed((size_t)greedy->config->sampled_paths, sizeof(*drawn));
    struct progress progress;
    progress_start(&progress, "steps", trainer->step, budget);
    while (trainer->step < budget && !settled(greedy) && !stop_requested()) {
        if (greedy->next == greedy->n_kept)
            begin_round(greedy, drawn);
        while (greedy->next < greedy->n_kept && trainer->step < budget &&
               !stop_requested()) {
            struct train_result result =
                trainer_step(trainer, &greedy->kept[greedy->next++]);
            show(&progress, stage, greedy, &result);
            if (stage_checkpoint_due(stage))
                stage_checkpoint(stage, save_checkpoint, greedy);
        }
    }
    progress_finish(&progress, settled(greedy) ? "the pool has settled" : NULL);
    free(drawn);
}

/* What the stage cost, and what scoring together saved. */
static void report(const struct greedy *greedy)
{
    const struct trainer *trainer = greedy->trainer;
    struct score_counters c = scorer_counters(trainer->scorer);
    log_info("%ld rounds; %lld images trained in %.0f s, %lld scored in %.0f s",
             (long)greedy->round, (long long)trainer->optimizations,
             trainer->train_seconds, (long long)c.evaluations, trainer->score_seconds);
    if (c.blocks_asked)
        log_info("sharing prefixes saved %.1f %% of the block evaluations",
                 100 * (1 - (double)c.blocks_computed / (double)c.blocks_asked));
}

static bool finished(const struct greedy *greedy)
{
    return greedy->trainer->step >= greedy->trainer->config->supernet.steps ||
           settled(greedy);
}

static void resume_round(struct greedy *greedy, struct artifact *half)
{
    struct path *kept;
    size_t n = paths_load(half, "round/kept", &kept);
    int64_t next = artifact_read_i64(half, "round/next");
    if (n > (size_t)greedy->config->sampled_paths || next < 0 || next > (int64_t)n)
        die("'%s': %lld of %zu kept paths trained, expected at most %d",
            artifact_path(half), (long long)next, n, greedy->config->sampled_paths);
    for (size_t i = 0; i < n; i++)
        greedy->kept[i] = kept[i];
    greedy->n_kept = (int)n;
    greedy->next = (int)next;
    free(kept);
}

/* One schedule: warm-up has to have been made with the settings that greedy goes on
 * with. Before the work: a night of training on another schedule would be lost. */
static void check_warmup(const struct stage *stage)
{
    const char *path = stage->options.in.text[0];
    struct artifact *warmup = artifact_open(path, "warmup");
    char *found = artifact_attribute(warmup, "config");
    char *expected = config_fingerprint(stage->config, "warmup");
    char *difference = config_difference(found ? found : "", expected);
    if (difference)
        die_asked_wrong("'%s' was made with other settings than those of '%s' (%s), "
                        "expected the same: warm-up and greedy are one training",
                        path, stage->options.config, difference);
    free(difference);
    free(expected);
    free(found);
    artifact_close(warmup);
}

/* From the checkpoint if there is one, else from where warm-up ended. */
static void start(struct greedy *greedy, const struct stage *stage)
{
    struct trainer *trainer = greedy->trainer;
    struct artifact *half = checkpoint_load(stage->checkpoint);
    if (half) {
        supernet_load_state(trainer->net, half);
        trainer_load_run(trainer, half);
        series_load(greedy->rounds, half);
        greedy->round = artifact_read_i64(half, "counters/round");
        greedy->first_step = artifact_read_i64(half, "counters/first_step");
        greedy->turnover = artifact_read_f64(half, "pool/turnover");
        pool_load(greedy->pool, half);
        pool_load_history(greedy->pool, half);
        resume_round(greedy, half);
        log_info("goes on at step %ld", trainer->step);
        artifact_close(half);
        return;
    }
    struct artifact *warmup = artifact_open(stage->options.in.text[0], "warmup");
    trainer_continue(trainer, warmup);
    greedy->first_step = trainer->step;
    artifact_close(warmup);
}

static void greedy_init(struct greedy *greedy, const struct config *config,
                        struct dataset *dataset)
{
    const struct greedy_config *c = &config->greedy;
    int validation = dataset_size(dataset, SPLIT_VALIDATION);
    if (c->surrogate_images > validation)
        die("greedy.surrogate_images is %d, but the dataset has %d validation images",
            c->surrogate_images, validation);
    *greedy = (struct greedy){.config = c, .turnover = 1};
    greedy->trainer = trainer_create(config, dataset, c->surrogate_images);
    greedy->pool = pool_create(c->pool_size);
    greedy->rounds = series_create("rounds", round_columns);
    greedy->kept = memory_zeroed((size_t)c->sampled_paths, sizeof(*greedy->kept));
    greedy->surrogate = memory_zeroed((size_t)c->surrogate_images, sizeof(int));
    int batch = config->supernet.batch;
    int epoch = (dataset_size(dataset, SPLIT_TRAIN) + batch - 1) / batch;
    greedy->window = c->stop.window ? c->stop.window : epoch;
    sampler_init(&greedy->sampler, &greedy->trainer->net->space,
                 &greedy->trainer->net->cost, &config->sampling.constraint);
}

static void greedy_release(struct greedy *greedy)
{
    trainer_free(greedy->trainer);
    pool_free(greedy->pool);
    series_free(greedy->rounds);
    free(greedy->surrogate);
    free(greedy->kept);
}

static void write_artifact(const struct stage *stage, struct greedy *greedy)
{
    struct trainer *trainer = greedy->trainer;
    struct artifact *artifact = artifact_create(stage->options.out, &stage->origin);
    supernet_save(trainer->net, artifact, false);
    save_greedy(greedy, artifact);
    struct path probe = {.n = (uint8_t)trainer->net->space.n_layers};
    if (pool_size(greedy->pool))
        probe = *pool_at(greedy->pool, 0, NULL);
    probe_save(trainer->scorer, &probe, stage->config->seed, artifact);
    artifact_commit(artifact);
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    const struct option_row rows[] = {OPTIONS_STAGE_ROWS(stage.options, 1), {0}};
    options_parse(&program, rows, argc, argv);
    stage_begin(&stage, program.name);
    constraint_check(&stage.config->space, &stage.config->sampling.constraint,
                     stage.options.config, "sampling.constraint");
    check_warmup(&stage);

    struct greedy greedy;
    struct dataset *dataset = dataset_open(stage.options.data, &stage.config->space);
    greedy_init(&greedy, stage.config, dataset);
    start(&greedy, &stage);

    train(&greedy, &stage);

    bool complete = finished(&greedy);
    report(&greedy);
    if (complete)
        write_artifact(&stage, &greedy);
    else
        stage_checkpoint_last(&stage, save_checkpoint, &greedy);
    greedy_release(&greedy);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
