/*
 * retrain.c - the fourth stage: one network, trained from scratch (Section 4: what a
 * search has found is judged by this, not by the supernet's weights).
 *
 * The recipe is a setting: SGD with a cosine, or RMSProp with steps and a moving
 * average. retrain.h5 holds:
 *   network/architecture, drawing, path, flops, params     which network it is
 *   epochs/loss, accuracy, learning_rate, validation_loss, validation_accuracy
 *                                a row per epoch (NaN where validation is trained on)
 *   best/epoch, validation_accuracy, validation_loss       the epoch that did best
 *   best/, average/, last/: weights/..., statistics/...    three sets of weights; there
 *                                is an average only with retrain.ema
 *   counters/step, optimization, evaluation; check/loss, images
 *   measured/train_seconds, data_seconds, judge_seconds, epochs/seconds
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/stage.h"
#include "net/paths_file.h"
#include "net/retrainer.h"

static const struct program program = {
    "retrain", "train one network from scratch",
    "retrain --config=results/quickstart/retrain/found.yaml "
    "--data=data/fashion-mnist.h5 --in=results/quickstart/search.h5 "
    "--out=results/quickstart/retrain/found.h5"};

/* Which network. */

static void take_found(const struct stage *stage, const struct space *space,
                       struct path *path)
{
    struct path *list;
    if (stage->options.in.n != 1)
        die_asked_wrong("retrain.network is 'found': found %d '--in', expected one, a "
                        "finished search",
                        stage->options.in.n);
    struct artifact *search = artifact_open(stage->options.in.text[0], NULL);
    if (!artifact_has(search, "found/path"))
        die("'%s' has no 'found/path', expected a finished search",
            artifact_path(search));
    space_check(search, space);
    if (paths_load(search, "found/path", &list) != 1)
        die("'%s': 'found/path' is no single path", artifact_path(search));
    *path = list[0];
    free(list);
    artifact_close(search);
}

static void choose_network(const struct stage *stage, struct path *path)
{
    const char *asked = stage->config->retrain.network;
    char why[256], text[PATH_TEXT_SIZE];
    struct space *space = memory_zeroed(1, sizeof(*space));
    struct cost_table *cost = memory_zeroed(1, sizeof(*cost));
    space_init(space, &stage->config->space);
    cost_table_init(cost, space);
    if (strcmp(asked, "found") == 0)
        take_found(stage, space, path);
    else if (strcmp(asked, "largest") == 0 || strcmp(asked, "smallest") == 0)
        cost_extreme_path(cost, strcmp(asked, "largest") == 0, path);
    else if (!path_parse(path, space, asked, why, sizeof(why)))
        die_asked_wrong(
            "%s: retrain.network is '%s', expected found, largest, smallest "
            "or a token for each layer: %s",
            stage->options.config, asked, why);
    path_to_text(path, space, text);
    struct cost c = cost_of_path(cost, path);
    log_info("trains '%s', %.3f M FLOPs, %.3f M parameters", text,
             (double)c.flops / 1e6, (double)c.params / 1e6);
    free(space);
    free(cost);
}

/* The run. */

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct retrainer *retrainer = context;
    retrainer_save_run(retrainer, artifact);
    retrainer_save_state(retrainer, artifact);
}

static void resume(struct retrainer *retrainer, struct checkpoint *checkpoint)
{
    struct artifact *half = checkpoint_load(checkpoint);
    if (!half)
        return;
    retrainer_load(retrainer, half);
    log_info("goes on at step %ld", retrainer->step);
    artifact_close(half);
}

static void show(struct progress *progress, struct stage *stage,
                 const struct retrainer *retrainer, const struct train_result *result)
{
    char note[96];
    double rate = progress_rate(progress);
    snprintf(note, sizeof(note), "epoch %ld of %d  loss %.3f  %.0f img/s",
             series_length(retrainer->epochs) + 1, retrainer->config->epochs,
             result->loss, rate > 0 ? rate * retrainer->config->batch : 0);
    progress_update(progress, retrainer->step, note);
    status_update(stage->status, retrainer->step, retrainer->steps, "steps",
                  result->loss, rate, progress_eta(progress));
}

static void tell_epoch(const struct retrainer *retrainer)
{
    enum { LOSS, ACCURACY, RATE, VALIDATION_LOSS, VALIDATION_ACCURACY };
    const struct series *epochs = retrainer->epochs;
    long row = series_length(epochs) - 1;
    char judged[96] = "";
    if (!isnan(series_at(epochs, VALIDATION_ACCURACY, row)))
        snprintf(judged, sizeof(judged), ", validation %.2f %% (loss %.4f)",
                 100 * series_at(epochs, VALIDATION_ACCURACY, row),
                 series_at(epochs, VALIDATION_LOSS, row));
    log_info("epoch %ld of %d: training %.2f %% (loss %.4f)%s", row + 1,
             retrainer->config->epochs, 100 * series_at(epochs, ACCURACY, row),
             series_at(epochs, LOSS, row), judged);
}

static void train(struct retrainer *retrainer, struct stage *stage)
{
    struct progress progress;
    progress_start(&progress, "steps", retrainer->step, retrainer->steps);
    while (!retrainer_done(retrainer) && !stop_requested()) {
        if (retrainer_epoch_ended(retrainer)) {
            if (retrainer_end_epoch(retrainer))
                tell_epoch(retrainer);
        } else {
            struct train_result result = retrainer_step(retrainer);
            show(&progress, stage, retrainer, &result);
        }
        if (stage_checkpoint_due(stage))
            stage_checkpoint(stage, save_checkpoint, retrainer);
    }
    progress_finish(&progress, NULL);
}

static void write_artifact(const struct stage *stage, struct retrainer *retrainer)
{
    struct artifact *artifact = artifact_create(stage->options.out, &stage->origin);
    retrainer_save_run(retrainer, artifact);
    retrainer_save_result(retrainer, artifact);
    artifact_commit(artifact);
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    struct path path;
    const struct option_row rows[] = {
        {"in", "search.h5", OPTION_TEXTS, &stage.options.in, 0,
         "finished search whose path is trained (retrain.network: found)"},
        OPTIONS_STAGE_ROWS(stage.options, 0),
        {0}};
    options_parse(&program, rows, argc, argv);
    stage_begin(&stage, program.name);
    choose_network(&stage, &path);

    const struct config *config = stage.config;
    struct dataset *dataset = dataset_open(stage.options.data, &config->space);
    struct retrainer *retrainer = retrainer_create(config, &path, dataset);
    resume(retrainer, stage.checkpoint);

    train(retrainer, &stage);

    bool complete = retrainer_done(retrainer);
    if (complete)
        write_artifact(&stage, retrainer);
    else
        stage_checkpoint_last(&stage, save_checkpoint, retrainer);
    retrainer_free(retrainer);
    dataset_close(dataset);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
