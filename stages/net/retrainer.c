/* retrainer.c - see retrainer.h. */
#include "net/retrainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/stop.h"
#include "net/paths_file.h"
#include "net/retrained.h"

enum { JUDGING_BATCH = 100 }; /* changes no result */

static const struct series_column columns[] = {
    {"loss", "nats", "mean training loss of the epoch, smoothing included", false},
    {"accuracy", "1", "share of its training images that were classified right", false},
    {"learning_rate", "1", "learning rate of its last step", false},
    {"validation_loss", "nats",
     "mean loss on the validation images at its end; NaN: they are trained on", false},
    {"validation_accuracy", "1", "share of them that is classified right", false},
    {"seconds", "s", "wall time of the epoch, judging included", true},
    {0},
};

/* --- Where the run is to end ------------------------------------------------------ */

static int64_t images_per_epoch(const struct retrainer *r)
{
    return dataset_size(r->dataset, SPLIT_TRAIN);
}

/* The step that ends epoch `epoch`, from 1. */
static long epoch_end(const struct retrainer *r, long epoch)
{
    return (long)(epoch * images_per_epoch(r) / r->config->batch);
}

static struct rate_schedule schedule_of(const struct retrainer *r)
{
    const struct retrain_config *c = r->config;
    double steps_per_epoch = (double)images_per_epoch(r) / c->batch;
    bool by_steps = strcmp(c->schedule, "steps") == 0;
    return (struct rate_schedule){
        .rate = c->learning_rate * c->batch / c->learning_rate_batch,
        .ramp = lround(c->lr_ramp * steps_per_epoch),
        .steps = r->steps,
        .factor = c->steps.factor,
        .every = by_steps ? c->steps.epochs * steps_per_epoch : 0,
    };
}

/* --- Life ------------------------------------------------------------------------- */

static void optimizer_init(struct retrainer *r)
{
    size_t floats = r->net->weight_layout.floats;
    if (strcmp(r->config->optimizer, "rmsprop") != 0)
        return;
    r->arena = arena_create(floats * sizeof(float) + (size_t)16 * 1024);
    r->mean_square = arena_floats(r->arena, floats);
    for (size_t i = 0; i < floats; i++)
        r->mean_square[i] = 1;
}

struct retrainer *retrainer_create(const struct config *config, const struct path *path,
                                   struct dataset *dataset)
{
    const struct retrain_config *c = &config->retrain;
    struct retrainer *r = memory_zeroed(1, sizeof(*r));
    if (strcmp(c->images, "train+validation") == 0)
        dataset_train_on_all(dataset);
    r->config = c;
    r->augment = &config->dataset.augment;
    r->seed = config->seed;
    r->dataset = dataset;
    r->path = *path;
    if (c->batch > images_per_epoch(r))
        die_asked_wrong("retrain.batch is %d, but there are %lld images to train on",
                        c->batch, (long long)images_per_epoch(r));
    r->net = supernet_create_path(&config->space, path, config->seed);
    r->workspace = workspace_create(r->net, c->batch, 0);
    r->judge = judge_create(r->net, path, dataset, JUDGING_BATCH);
    r->steps = epoch_end(r, c->epochs);
    r->schedule = schedule_of(r);
    optimizer_init(r);
    r->average = c->ema > 0 ? shadow_create(r->net) : NULL;
    r->best = shadow_create(r->net);
    r->epochs = series_create("epochs", columns);
    const struct space *s = &r->net->space;
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    r->images = memory_zeroed((size_t)c->batch * image, sizeof(float));
    r->labels = memory_zeroed((size_t)c->batch, sizeof(int));
    return r;
}

void retrainer_free(struct retrainer *r)
{
    if (!r)
        return;
    judge_free(r->judge);
    workspace_free(r->workspace);
    shadow_free(r->average);
    shadow_free(r->best);
    arena_free(r->arena);
    supernet_free(r->net);
    series_free(r->epochs);
    free(r->images);
    free(r->labels);
    free(r);
}

/* --- Steps ------------------------------------------------------------------------ */

bool retrainer_epoch_ended(const struct retrainer *r)
{
    long noted = series_length(r->epochs);
    return noted < r->config->epochs && r->step >= epoch_end(r, noted + 1);
}

bool retrainer_done(const struct retrainer *r)
{
    return series_length(r->epochs) == r->config->epochs;
}

static void update(struct retrainer *r, const struct train_step *step)
{
    const struct retrain_config *c = r->config;
    if (r->mean_square)
        rmsprop_step(r->net, &r->path, r->mean_square, r->workspace->gradients,
                     &(struct rmsprop){step->rate, c->rmsprop.decay, c->momentum,
                                       c->rmsprop.epsilon, c->weight_decay});
    else
        sgd_step(r->net, &r->path, r->workspace->gradients, step->rate, c->momentum,
                 c->weight_decay);
    if (r->average)
        shadow_average(r->average, r->net, shadow_decay_at(c->ema, r->step + 1));
}

struct train_result retrainer_step(struct retrainer *r)
{
    const struct retrain_config *c = r->config;
    double begin = clock_seconds();
    dataset_training_batch(r->dataset, r->augment, r->seed, (int64_t)r->step * c->batch,
                           c->batch, r->images, r->labels);
    double fetched = clock_seconds();
    const struct train_step step = {.step = r->step,
                                    .rate = rate_at(&r->schedule, r->step),
                                    .label_smoothing = c->label_smoothing,
                                    .bn_momentum = c->bn_momentum,
                                    .dropout = {c->dropout, r->seed, (uint32_t)r->step},
                                    .section = "retrain"};
    struct train_result result = train_gradients(r->net, &r->path, &step, c->batch,
                                                 r->images, r->labels, r->workspace);
    update(r, &step);
    double end = clock_seconds();
    r->epoch.steps++;
    r->epoch.loss += result.loss;
    r->epoch.accuracy += result.accuracy;
    r->epoch.seconds += end - begin;
    r->data_seconds += fetched - begin;
    r->train_seconds += end - fetched;
    r->step++;
    return result;
}

/* --- Epochs ----------------------------------------------------------------------- */

/* All validation images; false if the program was told to stop before the end. */
static bool judge_all(struct retrainer *r, struct judgement *judgement)
{
    judge_refresh(r->judge);
    while (judge_advance(r->judge, SPLIT_VALIDATION, judgement))
        if (stop_requested())
            return false;
    return true;
}

/* Better than every epoch before; with nothing to judge by, the last one counts. */
static bool is_best(const struct retrainer *r, const struct judgement *judgement)
{
    double accuracy = judgement_top1(judgement), loss = judgement_loss(judgement);
    if (judgement->images == 0)
        return series_length(r->epochs) + 1 == r->config->epochs;
    if (r->found.epoch == 0 || accuracy != r->found.accuracy)
        return r->found.epoch == 0 || accuracy > r->found.accuracy;
    return loss < r->found.loss;
}

static void note_epoch(struct retrainer *r, const struct judgement *judgement)
{
    double accuracy = judgement_top1(judgement), loss = judgement_loss(judgement);
    double n = (double)r->epoch.steps;
    if (is_best(r, judgement)) {
        shadow_copy(r->best, r->net);
        r->found.epoch = series_length(r->epochs) + 1;
        r->found.accuracy = accuracy;
        r->found.loss = loss;
    }
    series_append(r->epochs, (double[]){r->epoch.loss / n, r->epoch.accuracy / n,
                                        rate_at(&r->schedule, r->step - 1), loss,
                                        accuracy, r->epoch.seconds});
    memset(&r->epoch, 0, sizeof(r->epoch));
    r->evaluations += judgement->images;
}

bool retrainer_end_epoch(struct retrainer *r)
{
    struct judgement judgement = {0};
    double begin = clock_seconds();
    if (r->average)
        shadow_exchange(r->average, r->net);
    bool complete = judge_all(r, &judgement);
    double seconds = clock_seconds() - begin;
    r->judge_seconds += seconds;
    r->epoch.seconds += seconds;
    if (complete)
        note_epoch(r, &judgement);
    if (r->average)
        shadow_exchange(r->average, r->net);
    return complete;
}

/* --- Files ------------------------------------------------------------------------ */

void retrainer_save_run(const struct retrainer *r, struct artifact *artifact)
{
    retrained_save_network(r->net, &r->path, artifact);
    series_save(r->epochs, artifact);
    artifact_describe(artifact, "epochs", "a row for each epoch");
    artifact_write_i64(artifact, "best/epoch", r->found.epoch, "epochs",
                       "the epoch, from 1, that did best on the validation images; the "
                       "last one if these are trained on");
    artifact_write_f64(artifact, "best/validation_accuracy", r->found.accuracy, "1",
                       "its validation accuracy; NaN: not judged");
    artifact_write_f64(artifact, "best/validation_loss", r->found.loss, "nats",
                       "its mean validation loss");
    artifact_write_i64(artifact, "counters/step", r->step, "steps",
                       "optimizer steps done");
    artifact_write_i64(artifact, "counters/optimization",
                       (int64_t)r->step * r->config->batch, "images",
                       "images through forward and backward");
    artifact_write_i64(artifact, "counters/evaluation", r->evaluations, "images",
                       "validation images through forward");
    artifact_describe(artifact, "counters", "how much was done");
    artifact_write_f64(artifact, "measured/train_seconds", r->train_seconds, "s",
                       "wall time in forward, backward and update");
    artifact_write_f64(artifact, "measured/data_seconds", r->data_seconds, "s",
                       "wall time waiting for training batches");
    artifact_write_f64(artifact, "measured/judge_seconds", r->judge_seconds, "s",
                       "wall time judging epochs");
}

void retrainer_save_state(const struct retrainer *r, struct artifact *artifact)
{
    supernet_save_state(r->net, artifact);
    if (r->mean_square)
        artifact_write_vector(artifact, "state/mean_square", ARRAY_F32,
                              r->net->weight_layout.floats, r->mean_square, "1",
                              "RMSProp's mean squares as they lie in memory");
    if (r->average)
        shadow_save_state(r->average, artifact, "average");
    shadow_save_state(r->best, artifact, "best");
    artifact_write_i64(artifact, "epoch/steps", r->epoch.steps, "steps",
                       "steps of the epoch under way");
    artifact_write_f64(artifact, "epoch/loss", r->epoch.loss, "nats",
                       "sum of their losses");
    artifact_write_f64(artifact, "epoch/accuracy", r->epoch.accuracy, "1",
                       "sum of their accuracies");
    artifact_write_f64(artifact, "measured/epoch_seconds", r->epoch.seconds, "s",
                       "wall time of the epoch under way");
}

static void load_run(struct retrainer *r, struct artifact *artifact)
{
    series_load(r->epochs, artifact);
    r->found.epoch = (long)artifact_read_i64(artifact, "best/epoch");
    r->found.accuracy = artifact_read_f64(artifact, "best/validation_accuracy");
    r->found.loss = artifact_read_f64(artifact, "best/validation_loss");
    r->step = (long)artifact_read_i64(artifact, "counters/step");
    r->evaluations = artifact_read_i64(artifact, "counters/evaluation");
    r->train_seconds = artifact_read_f64(artifact, "measured/train_seconds");
    r->data_seconds = artifact_read_f64(artifact, "measured/data_seconds");
    r->judge_seconds = artifact_read_f64(artifact, "measured/judge_seconds");
}

void retrainer_load(struct retrainer *r, struct artifact *artifact)
{
    struct path path;
    size_t floats = r->net->weight_layout.floats;
    retrained_load_path(artifact, &r->net->space, &path);
    if (!path_equal(&path, &r->path))
        die("'%s' trains another network; remove it to begin anew",
            artifact_path(artifact));
    load_run(r, artifact);
    supernet_load_state(r->net, artifact);
    if (r->mean_square)
        artifact_read(artifact, "state/mean_square", ARRAY_F32, 1, &floats,
                      r->mean_square);
    if (r->average)
        shadow_load_state(r->average, artifact, "average");
    shadow_load_state(r->best, artifact, "best");
    r->epoch.steps = (long)artifact_read_i64(artifact, "epoch/steps");
    r->epoch.loss = artifact_read_f64(artifact, "epoch/loss");
    r->epoch.accuracy = artifact_read_f64(artifact, "epoch/accuracy");
    r->epoch.seconds = artifact_read_f64(artifact, "measured/epoch_seconds");
}

void retrainer_save_result(struct retrainer *r, struct artifact *artifact)
{
    supernet_save_under(r->net, artifact, "last",
                        "weights and running statistics after the last step");
    if (r->average) {
        shadow_exchange(r->average, r->net);
        supernet_save_under(r->net, artifact, "average",
                            "their moving average over all steps, statistics included");
        shadow_exchange(r->average, r->net);
    }
    shadow_exchange(r->best, r->net);
    supernet_save_under(r->net, artifact, "best",
                        "weights and statistics (the average's, if there is one) at "
                        "the end of the best epoch");
    retrained_save_check(r->net, &r->path, r->dataset, artifact);
    shadow_exchange(r->best, r->net);
}
