/*
 * warmup.c - the first stage: uniform single-path training of the supernet
 * (Section 3.4: before the greedy stage losses say little, so every path is trained
 * alike).
 *
 * Leaves the weights, momenta and place in the schedule from which greedy goes on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/stage.h"
#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/probe.h"
#include "net/trainer.h"

static const struct program program = {
    "warmup", "train the supernet on uniformly drawn paths",
    "warmup --config=results/quickstart/warmup.yaml --data=data/fashion-mnist.h5 "
    "--out=results/quickstart/warmup.h5"};

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct trainer *trainer = context;
    supernet_save_state(trainer->net, artifact);
    trainer_save_run(trainer, artifact);
}

static void resume(struct trainer *trainer, struct checkpoint *checkpoint)
{
    struct artifact *half = checkpoint_load(checkpoint);
    if (!half)
        return;
    supernet_load_state(trainer->net, half);
    trainer_load_run(trainer, half);
    log_info("goes on at step %ld", trainer->step);
    artifact_close(half);
}

static void show(struct progress *progress, struct stage *stage,
                 const struct trainer *trainer, const struct train_result *result)
{
    char note[96];
    double rate = progress_rate(progress);
    snprintf(note, sizeof(note), "loss %.3f  %.0f img/s", result->loss,
             rate > 0 ? rate * trainer->config->supernet.batch : 0);
    progress_update(progress, trainer->step, note);
    status_update(stage->status, trainer->step, trainer->config->warmup.steps, "steps",
                  result->loss, rate, progress_eta(progress));
}

/* Uniform sampling: step s trains the path that (seed, s) draws. */
static void train(struct trainer *trainer, struct stage *stage)
{
    const struct config *config = trainer->config;
    struct sampler sampler;
    struct progress progress;
    sampler_init(&sampler, &trainer->net->space, &trainer->net->cost,
                 &config->sampling.constraint);
    progress_start(&progress, "steps", trainer->step, config->warmup.steps);
    while (trainer->step < config->warmup.steps && !stop_requested()) {
        struct path path;
        struct rng rng =
            rng_stream(config->seed, RNG_SAMPLE, 0, (uint64_t)trainer->step);
        sampler_uniform(&sampler, &rng, &path);
        struct train_result result = trainer_step(trainer, &path);
        show(&progress, stage, trainer, &result);
        if (stage_checkpoint_due(stage))
            stage_checkpoint(stage, save_checkpoint, trainer);
    }
    progress_finish(&progress, NULL);
}

static void write_artifact(const struct stage *stage, struct trainer *trainer)
{
    struct artifact *artifact = artifact_create(stage->options.out, &stage->origin);
    supernet_save(trainer->net, artifact, true);
    trainer_save_run(trainer, artifact);
    struct path probe = {.n = (uint8_t)trainer->net->space.n_layers};
    probe_save(trainer->scorer, &probe, stage->config->seed, artifact);
    artifact_commit(artifact);
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    const struct option_row rows[] = {OPTIONS_STAGE_ROWS(stage.options, 0), {0}};
    options_parse(&program, rows, argc, argv);
    stage_begin(&stage, program.name);

    const struct config *config = stage.config;
    struct dataset *dataset = dataset_open(stage.options.data, &config->space);
    /* Nothing is scored here but the probe. */
    struct trainer *trainer = trainer_create(config, dataset, PROBE_IMAGES_MAX);
    resume(trainer, stage.checkpoint);

    train(trainer, &stage);

    bool complete = trainer->step >= config->warmup.steps;
    if (complete)
        write_artifact(&stage, trainer);
    else
        stage_checkpoint_last(&stage, save_checkpoint, trainer);
    trainer_free(trainer);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
