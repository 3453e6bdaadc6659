/*
 * warmup.c - training of the supernet without a pool.
 *
 * warmup.h5 is the first stage: uniform single-path training (Section 3.4: before the
 * greedy stage losses say little, so every path is trained alike). It leaves the
 * weights, momenta and place in the schedule from which greedy goes on.
 *
 * The same program makes the supernets that greedy's is compared with (Table 1), each
 * with a schedule of its own: uniform.h5, fairnas.h5 (strict fairness: in a step every
 * choice of every layer, one update), and uniform_e.h5 and fairnas_e.h5, which take
 * greedy.h5 and stop at its corrected cost.
 *
 * Each holds, as every supernet does:
 *   weights/..., statistics/..., momentum/...   (supernet.h)
 *   counters/{step,optimization,evaluation,trained,...}, measured/..., steps/...
 *                                               (trainer.h)
 *   probe/...                                   (probe.h)
 * and further
 *   budget/steps                     the steps of its schedule
 *   budget/{optimization,evaluation,ratio,corrected,source}
 *                                    -E: the greedy run's cost, and where the ratio is
 *                                    from: "measured" or "equal_cost.ratio"
 *   snapshots/step, snapshots/STEP/{weights,statistics}/...
 *                                    uniform: earlier weights (uniform.snapshot_steps)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/stage.h"
#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/probe.h"
#include "net/trainer.h"
#include "net/training_cost.h"
#include "net/training_plan.h"

static const struct program program = {
    "warmup", "train the supernet without a pool: as warm-up, or to compare with",
    "warmup --config=results/quickstart/warmup.yaml --data=data/fashion-mnist.h5 "
    "--out=results/quickstart/warmup.h5"};

/* How long a supernet is trained; with equal_cost the steps follow from the cost. */
struct plan {
    struct training_plan training;
    struct training_cost cost; /* of the greedy run, its warm-up included */
    double ratio;
    bool measured; /* the ratio */
};

struct training {
    struct plan plan;
    struct trainer *trainer;
    struct snapshot *snapshot;
    int n_snapshots;
};

/* As many steps as cost no more than the greedy run did. */
static void plan_for_cost(struct plan *plan, const struct config *config,
                          const char *path)
{
    struct artifact *greedy = artifact_open(path, "greedy");
    plan->cost = training_cost_of(greedy);
    plan->measured = config->equal_cost.ratio == 0.0;
    plan->ratio =
        plan->measured ? training_cost_ratio_of(&plan->cost) : config->equal_cost.ratio;
    if (plan->cost.evaluation && !isfinite(plan->ratio))
        die("'%s': the cost ratio cannot be told from its times (%g s for %lld images "
            "trained, %g s for %lld scored); set equal_cost.ratio",
            path, plan->cost.train_seconds, (long long)plan->cost.optimization,
            plan->cost.score_seconds, (long long)plan->cost.evaluation);
    plan->cost.optimization += training_cost_before(greedy);
    double images = training_cost_corrected(&plan->cost, plan->ratio);
    plan->training.steps = (long)(images / (double)plan->training.images_of_step);
    if (plan->training.steps < 1)
        die("'%s': the greedy run cost %.0f images, expected at least the %ld of one "
            "step",
            path, images, plan->training.images_of_step);
    artifact_close(greedy);
}

/* Before anything is read or made: what the command line and the settings ask for. */
static void check_request(const struct stage *stage, const struct plan *plan)
{
    const struct constraint_config *limit = &stage->config->sampling.constraint;
    if (stage->options.in.n != plan->training.equal_cost)
        die_asked_wrong("--in is given %d times, expected %s", stage->options.in.n,
                        plan->training.equal_cost
                            ? "once: greedy.h5, whose cost is the budget"
                            : "none: this stage starts from nothing");
    constraint_check(&stage->config->space, limit, stage->options.config,
                     "sampling.constraint");
    if (plan->training.fair && (limit->flops > 0 || limit->params > 0))
        die_asked_wrong(
            "%s: sampling.constraint is set, expected none: %s trains every "
            "choice of every layer in each step",
            stage->options.config, stage->instance);
}

static void save_budget(const struct plan *plan, struct artifact *artifact)
{
    artifact_write_i64(artifact, "budget/steps", plan->training.steps, "steps",
                       "steps of the whole schedule of this stage");
    artifact_describe(artifact, "budget", "how long training was to be, and why");
    if (!plan->training.equal_cost)
        return;
    artifact_write_i64(artifact, "budget/optimization", plan->cost.optimization,
                       "images", "the greedy run trained on, warm-up included");
    artifact_write_i64(artifact, "budget/evaluation", plan->cost.evaluation, "images",
                       "the greedy run scored paths with");
    artifact_write_f64(artifact, "budget/ratio", plan->ratio, "1",
                       "cost of training on an image over that of scoring one");
    artifact_write_text(artifact, "budget/source",
                        plan->measured ? "measured" : "equal_cost.ratio",
                        "where the ratio is from: measured in the greedy run, or set");
    artifact_write_f64(artifact, "budget/corrected",
                       training_cost_corrected(&plan->cost, plan->ratio), "images",
                       "optimization + evaluation / ratio: what the steps may cost");
}

/* The schedule of a checkpoint is gone on with: the greedy run may have been made anew
 * since, to the same bits in another time. */
static void load_budget(struct plan *plan, struct artifact *artifact)
{
    plan->training.steps = (long)artifact_read_i64(artifact, "budget/steps");
    if (!plan->training.equal_cost)
        return;
    plan->cost.optimization = artifact_read_i64(artifact, "budget/optimization");
    plan->cost.evaluation = artifact_read_i64(artifact, "budget/evaluation");
    plan->ratio = artifact_read_f64(artifact, "budget/ratio");
}

static float *copied(const float *values, size_t floats)
{
    float *copy = memory_zeroed(floats, sizeof(*copy));
    memcpy(copy, values, floats * sizeof(*copy));
    return copy;
}

static void take_snapshot(struct training *training, long step)
{
    const struct supernet *net = training->trainer->net;
    int n = training->n_snapshots++;
    training->snapshot =
        memory_resized(training->snapshot, (size_t)n + 1, sizeof(*training->snapshot));
    training->snapshot[n] =
        (struct snapshot){step, copied(net->weights, net->weight_layout.floats),
                          copied(net->statistics, net->statistic_layout.floats)};
}

/* What artifact and checkpoint have in common, the weights apart. */
static void save_training(const struct training *training, struct artifact *artifact)
{
    trainer_save_run(training->trainer, artifact);
    save_budget(&training->plan, artifact);
    if (training->plan.training.snapshot_steps)
        supernet_save_snapshots(training->trainer->net, artifact, training->snapshot,
                                training->n_snapshots);
}

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct training *training = context;
    supernet_save_state(training->trainer->net, artifact);
    save_training(training, artifact);
}

static void resume(struct training *training, struct checkpoint *checkpoint)
{
    struct trainer *trainer = training->trainer;
    struct artifact *half = checkpoint_load(checkpoint);
    if (!half)
        return;
    load_budget(&training->plan, half);
    int64_t *step;
    size_t n = supernet_snapshot_steps(half, &step);
    for (size_t i = 0; i < n; i++) {
        supernet_load_snapshot(trainer->net, half, step[i]);
        take_snapshot(training, (long)step[i]);
    }
    free(step);
    supernet_load_state(trainer->net, half);
    trainer_load_run(trainer, half);
    log_info("goes on at step %ld", trainer->step);
    artifact_close(half);
}

static void show(struct progress *progress, struct stage *stage,
                 const struct training *training, const struct train_result *result)
{
    char note[96];
    const struct trainer *trainer = training->trainer;
    double rate = progress_rate(progress);
    snprintf(note, sizeof(note), "loss %.3f  %.0f img/s", result->loss,
             rate > 0 ? rate * (double)training->plan.training.images_of_step : 0);
    progress_update(progress, trainer->step, note);
    status_update(stage->status, trainer->step, training->plan.training.steps, "steps",
                  result->loss, rate, progress_eta(progress));
}

/* Step s trains what (seed, s) draws: one path, or a path for each choice of a layer.
 */
static struct train_result train_step(struct training *training,
                                      struct sampler *sampler)
{
    struct trainer *trainer = training->trainer;
    struct path path[SPACE_OPS_MAX];
    bool fair = training->plan.training.fair;
    struct rng rng = rng_stream(trainer->config->seed, RNG_SAMPLE, fair ? 2 : 0,
                                (uint64_t)trainer->step);
    if (fair) {
        sampler_fair(&trainer->net->space, &rng, path);
        return trainer_step_fairly(trainer, path);
    }
    sampler_uniform(sampler, &rng, path);
    return trainer_step(trainer, path);
}

static bool snapshot_due(const struct training *training)
{
    long every = training->plan.training.snapshot_steps, step = training->trainer->step;
    return every && step % every == 0 && step < training->plan.training.steps;
}

static void train(struct training *training, struct stage *stage)
{
    struct trainer *trainer = training->trainer;
    long steps = training->plan.training.steps;
    struct sampler sampler;
    struct progress progress;
    sampler_init(&sampler, &trainer->net->space, &trainer->net->cost,
                 &stage->config->sampling.constraint);
    progress_start(&progress, "steps", trainer->step, steps);
    while (trainer->step < steps && !stop_requested()) {
        struct train_result result = train_step(training, &sampler);
        if (snapshot_due(training))
            take_snapshot(training, trainer->step);
        show(&progress, stage, training, &result);
        if (stage_checkpoint_due(stage))
            stage_checkpoint(stage, save_checkpoint, training);
    }
    progress_finish(&progress, NULL);
}

static void write_artifact(const struct stage *stage, const struct training *training)
{
    struct trainer *trainer = training->trainer;
    struct artifact *artifact = artifact_create(stage->options.out, &stage->origin);
    supernet_save(trainer->net, artifact, true);
    save_training(training, artifact);
    struct path probe = {.n = (uint8_t)trainer->net->space.n_layers};
    probe_save(trainer->scorer, &probe, stage->config->seed, artifact);
    artifact_commit(artifact);
}

static void training_init(struct training *training, const struct stage *stage,
                          struct dataset *dataset)
{
    if (training->plan.training.equal_cost)
        plan_for_cost(&training->plan, stage->config, stage->options.in.text[0]);
    /* Nothing is scored here but the probe. */
    training->trainer = trainer_create(stage->config, dataset, PROBE_IMAGES_MAX);
    resume(training, stage->checkpoint);
    /* Warm-up is the beginning of greedy's schedule, the others have their own. */
    if (strcmp(stage->instance, "warmup") != 0)
        training->trainer->schedule.steps = (int)training->plan.training.steps;
}

static void training_release(struct training *training)
{
    for (int i = 0; i < training->n_snapshots; i++) {
        free(training->snapshot[i].weights);
        free(training->snapshot[i].statistics);
    }
    free(training->snapshot);
    trainer_free(training->trainer);
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    const struct option_row rows[] = {
        {"in", "greedy.h5", OPTION_TEXTS, &stage.options.in, 0,
         "for uniform_e and fairnas_e: the run that they are to cost as much as"},
        OPTIONS_STAGE_ROWS(stage.options, 0),
        {0}};
    options_parse(&program, rows, argc, argv);
    stage_begin(&stage, program.name);
    struct training training = {.plan.training =
                                    training_plan_of(stage.config, stage.instance)};
    check_request(&stage, &training.plan);

    struct dataset *dataset = dataset_open(stage.options.data, &stage.config->space);
    training_init(&training, &stage, dataset);

    train(&training, &stage);

    bool complete = training.trainer->step >= training.plan.training.steps;
    if (complete)
        write_artifact(&stage, &training);
    else
        stage_checkpoint_last(&stage, save_checkpoint, &training);
    training_release(&training);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
