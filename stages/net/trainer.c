/* trainer.c - see trainer.h. */
#include "net/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "net/paths_file.h"
#include "net/probe.h"

enum { COLUMN_LOSS, COLUMN_ACCURACY, COLUMN_RATE, COLUMN_SECONDS, N_COLUMNS };

static const struct series_column step_columns[] = {
    [COLUMN_LOSS] = {"loss", "nats", "training loss of each step, smoothing included",
                     false},
    [COLUMN_ACCURACY] = {"accuracy", "1", "share of the step's batch classified right",
                         false},
    [COLUMN_RATE] = {"learning_rate", "1", "learning rate of each step", false},
    [COLUMN_SECONDS] = {"seconds", "s", "wall time of each step, data included", true},
    [N_COLUMNS] = {0},
};

struct trainer *trainer_create(const struct config *config, struct dataset *dataset,
                               int score_batch)
{
    struct trainer *t = memory_zeroed(1, sizeof(*t));
    int batch = config->supernet.batch;
    t->config = config;
    t->schedule = config->supernet;
    t->dataset = dataset;
    t->net = supernet_create(&config->space, config->seed);
    int capacity = score_batch > PROBE_IMAGES_MAX ? score_batch : PROBE_IMAGES_MAX;
    t->workspace = workspace_create(t->net, batch, capacity);
    t->scorer = scorer_create(t->net, t->workspace, dataset, score_batch, capacity);
    const struct space *s = &t->net->space;
    t->trained =
        memory_zeroed((size_t)s->n_layers * (size_t)s->n_ops, sizeof(t->trained[0]));
    t->steps = series_create("steps", step_columns);
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    t->images = memory_zeroed((size_t)batch * image, sizeof(float));
    t->labels = memory_zeroed((size_t)batch, sizeof(int));
    return t;
}

void trainer_free(struct trainer *trainer)
{
    if (!trainer)
        return;
    scorer_free(trainer->scorer);
    workspace_free(trainer->workspace);
    supernet_free(trainer->net);
    series_free(trainer->steps);
    free(trainer->trained);
    free(trainer->images);
    free(trainer->labels);
    free(trainer->sums);
    free(trainer);
}

/* Some steps train on several paths at once: n of them. */
static struct train_result train_on(struct trainer *t, const struct path *path, int n)
{
    const struct config *config = t->config;
    int batch = config->supernet.batch;
    double begin = clock_seconds();
    dataset_training_batch(t->dataset, &config->dataset.augment, config->seed,
                           (int64_t)t->step * batch, batch, t->images, t->labels);
    double fetched = clock_seconds();
    struct train_step step = train_step_at(&t->schedule, t->step);
    struct train_result result =
        n == 1
            ? train_path(t->net, path, &step, batch, t->images, t->labels, t->workspace)
            : train_fairly(t->net, path, &step, batch, t->images, t->labels,
                           t->workspace, t->sums);
    double end = clock_seconds();
    for (int i = 0; i < n; i++)
        for (int l = 0; l < path[i].n; l++)
            t->trained[l * t->net->space.n_ops + path[i].op[l]]++;
    series_append(t->steps,
                  (double[]){result.loss, result.accuracy, step.rate, end - begin});
    t->data_seconds += fetched - begin;
    t->train_seconds += end - fetched;
    t->optimizations += (int64_t)n * batch;
    t->step++;
    return result;
}

struct train_result trainer_step(struct trainer *t, const struct path *path)
{
    return train_on(t, path, 1);
}

struct train_result trainer_step_fairly(struct trainer *t, const struct path *path)
{
    if (!t->sums)
        t->sums = memory_zeroed(t->net->weight_layout.floats, sizeof(*t->sums));
    return train_on(t, path, t->net->space.n_ops);
}

void trainer_score(struct trainer *t, const struct path *path, int n, const int *index,
                   int n_index, struct score *score)
{
    double begin = clock_seconds();
    score_paths(t->scorer, path, n, SPLIT_VALIDATION, index, n_index, score);
    t->score_seconds += clock_seconds() - begin;
}

void trainer_save_run(const struct trainer *t, struct artifact *artifact)
{
    struct score_counters c = scorer_counters(t->scorer);
    const struct space *s = &t->net->space;
    space_save(artifact, s);
    series_save(t->steps, artifact);
    artifact_write_i64(artifact, "counters/step", t->step, "steps",
                       "optimizer steps done so far, warm-up included");
    artifact_write_i64(artifact, "counters/optimization", t->optimizations, "images",
                       "images through forward and backward in this stage");
    artifact_write_i64(artifact, "counters/evaluation", c.evaluations, "images",
                       "images through forward while scoring paths in this stage");
    artifact_write_i64(artifact, "counters/blocks_computed", c.blocks_computed,
                       "blocks", "blocks computed while scoring");
    artifact_write_i64(artifact, "counters/blocks_asked", c.blocks_asked, "blocks",
                       "blocks that scoring each path alone would have computed");
    artifact_write(artifact, "counters/trained", ARRAY_I64, 2,
                   (size_t[]){(size_t)s->n_layers, (size_t)s->n_ops}, t->trained,
                   "steps", "steps in which each layer's op was trained in this stage");
    artifact_write_f64(artifact, "measured/train_seconds", t->train_seconds, "s",
                       "wall time in forward, backward and update");
    artifact_write_f64(artifact, "measured/data_seconds", t->data_seconds, "s",
                       "wall time waiting for training batches");
    artifact_write_f64(artifact, "measured/score_seconds", t->score_seconds, "s",
                       "wall time scoring paths, fetching their images included");
    artifact_describe(artifact, "counters", "how much was done");
    artifact_describe(artifact, "steps", "a row for each training step of this stage");
}

void trainer_load_run(struct trainer *t, struct artifact *artifact)
{
    const struct space *s = &t->net->space;
    space_check(artifact, s);
    series_load(t->steps, artifact);
    t->step = (long)artifact_read_i64(artifact, "counters/step");
    t->optimizations = artifact_read_i64(artifact, "counters/optimization");
    struct score_counters counters = {
        artifact_read_i64(artifact, "counters/evaluation"),
        artifact_read_i64(artifact, "counters/blocks_computed"),
        artifact_read_i64(artifact, "counters/blocks_asked")};
    scorer_set_counters(t->scorer, &counters);
    artifact_read(artifact, "counters/trained", ARRAY_I64, 2,
                  (size_t[]){(size_t)s->n_layers, (size_t)s->n_ops}, t->trained);
    t->train_seconds = artifact_read_f64(artifact, "measured/train_seconds");
    t->data_seconds = artifact_read_f64(artifact, "measured/data_seconds");
    t->score_seconds = artifact_read_f64(artifact, "measured/score_seconds");
}

void trainer_continue(struct trainer *t, struct artifact *artifact)
{
    space_check(artifact, &t->net->space);
    supernet_load(t->net, artifact, true);
    t->step = (long)artifact_read_i64(artifact, "counters/step");
    probe_check(t->scorer, artifact);
}
