/*
 * evaluate.c - the last stage: a retrained network on the test images, which nothing
 * else looks at; and what it costs.
 *
 * evaluate.h5 holds:
 *   top1, top5          shares of the test images
 *   loss                mean cross-entropy, nats
 *   images              how many test images there are
 *   confusion           images [class][predicted class], the names in class_names
 *   flops, parameters   of one image
 *   weights             which set of the retrained weights was judged
 *   network/...         as in retrain.h5
 *   measured/latency/images, median, low, high    one image, and a batch: milliseconds
 *                       of a pass on one thread of this processor, with quartiles
 *   measured/latency/samples                      [2][repetitions], every pass
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/progress.h"
#include "base/quantile.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/stage.h"
#include "net/judge.h"
#include "net/retrained.h"

static const struct program program = {
    "evaluate", "judge a retrained network on the test images, and time it",
    "evaluate --config=results/quickstart/evaluate.yaml --data=data/fashion-mnist.h5 "
    "--in=results/quickstart/retrain/found.h5 "
    "--out=results/quickstart/evaluate/found.h5"};

enum { TIMED = 2 }; /* one image, and a batch */

struct evaluation {
    const struct config *config;
    struct stage *stage;
    struct dataset *dataset;
    struct path path;
    struct supernet *net;
    struct judge *judge;
    struct judgement judgement;
    double *sample[TIMED]; /* milliseconds, [repetitions] */
    bool timed;
};

/* The test images. */

static void save_judgement(const struct judgement *judgement, int classes,
                           struct artifact *artifact)
{
    size_t shape[2] = {(size_t)classes, (size_t)classes};
    artifact_write_i64(artifact, "images", judgement->images, "images",
                       "test images that were judged");
    artifact_write(artifact, "confusion", ARRAY_I64, 2, shape, judgement->confusion,
                   "images", "test images by their class and the predicted class");
}

static void save_checkpoint(void *context, struct artifact *artifact)
{
    const struct evaluation *e = context;
    save_judgement(&e->judgement, e->net->space.classes, artifact);
    artifact_write_i64(artifact, "state/top1", e->judgement.top1, "images", "hits");
    artifact_write_i64(artifact, "state/top5", e->judgement.top5, "images",
                       "whose label is one of five");
    artifact_write_f64(artifact, "state/loss", e->judgement.loss, "nats",
                       "sum of their losses");
}

static void resume(struct evaluation *e)
{
    struct artifact *half = checkpoint_load(e->stage->checkpoint);
    if (!half)
        return;
    size_t classes = (size_t)e->net->space.classes;
    e->judgement.images = artifact_read_i64(half, "images");
    artifact_read(half, "confusion", ARRAY_I64, 2, (size_t[]){classes, classes},
                  e->judgement.confusion);
    e->judgement.top1 = artifact_read_i64(half, "state/top1");
    e->judgement.top5 = artifact_read_i64(half, "state/top5");
    e->judgement.loss = artifact_read_f64(half, "state/loss");
    log_info("goes on after %lld images", (long long)e->judgement.images);
    artifact_close(half);
}

static bool judged(const struct evaluation *e)
{
    return e->judgement.images == dataset_size(e->dataset, SPLIT_TEST);
}

static void judge(struct evaluation *e)
{
    long images = dataset_size(e->dataset, SPLIT_TEST);
    struct progress progress;
    progress_start(&progress, "images", (long)e->judgement.images, images);
    while (!stop_requested() && judge_advance(e->judge, SPLIT_TEST, &e->judgement)) {
        progress_update(&progress, (long)e->judgement.images, NULL);
        status_update(e->stage->status, (long)e->judgement.images, images, "images",
                      judgement_loss(&e->judgement), progress_rate(&progress),
                      progress_eta(&progress));
        if (stage_checkpoint_due(e->stage))
            stage_checkpoint(e->stage, save_checkpoint, e);
    }
    progress_finish(&progress, NULL);
    if (judged(e) && !isfinite(judgement_loss(&e->judgement)))
        die("the mean loss on the test images is %g, expected a finite number: the "
            "weights in '%s' are no use",
            judgement_loss(&e->judgement), e->stage->options.in.text[0]);
}

/* The clock. */

static int timed_images(const struct evaluation *e, int i)
{
    return i == 0 ? 1 : e->config->evaluate.latency_batch;
}

/* Passes of n images; the first is not counted, for it warms the caches. */
static bool time_passes(struct evaluation *e, int n, double *ms)
{
    const struct space *s = &e->net->space;
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    struct inference *inference = inference_create(e->net, &e->path, n);
    float *images = memory_zeroed((size_t)n * image, sizeof(float));
    int *index = memory_zeroed((size_t)n, sizeof(int)),
        *labels = memory_zeroed((size_t)n, sizeof(int));
    for (int i = 0; i < n; i++)
        index[i] = i % dataset_size(e->dataset, SPLIT_TEST);
    dataset_batch(e->dataset, SPLIT_TEST, index, n, images, labels);
    int done = -1;
    for (; done < e->config->evaluate.repetitions && !stop_requested(); done++) {
        double begin = clock_seconds();
        inference_run(inference, n, images, NULL);
        if (done >= 0)
            ms[done] = 1e3 * (clock_seconds() - begin);
    }
    free(images);
    free(index);
    free(labels);
    inference_free(inference);
    return done == e->config->evaluate.repetitions;
}

static void time_network(struct evaluation *e)
{
    threads_start(1);
    e->timed = true;
    for (int i = 0; i < TIMED && e->timed; i++)
        e->timed = time_passes(e, timed_images(e, i), e->sample[i]);
}

static void save_latency(const struct evaluation *e, struct artifact *artifact)
{
    int repetitions = e->config->evaluate.repetitions, images[TIMED];
    double median[TIMED], low[TIMED], high[TIMED];
    double *samples = memory_zeroed((size_t)(TIMED * repetitions), sizeof(*samples));
    for (int i = 0; i < TIMED; i++) {
        double *sorted = samples + i * repetitions;
        memcpy(sorted, e->sample[i], (size_t)repetitions * sizeof(*sorted));
        quantile_sort(sorted, (size_t)repetitions);
        images[i] = timed_images(e, i);
        median[i] = quantile_of(sorted, (size_t)repetitions, 0.5);
        low[i] = quantile_of(sorted, (size_t)repetitions, 0.25);
        high[i] = quantile_of(sorted, (size_t)repetitions, 0.75);
        memcpy(sorted, e->sample[i], (size_t)repetitions * sizeof(*sorted));
    }
    artifact_write_vector(artifact, "measured/latency/images", ARRAY_I32, TIMED, images,
                          "images", "images of a pass");
    artifact_write_vector(artifact, "measured/latency/median", ARRAY_F64, TIMED, median,
                          "ms", "of a pass on one thread");
    artifact_write_vector(artifact, "measured/latency/low", ARRAY_F64, TIMED, low, "ms",
                          "lower quartile");
    artifact_write_vector(artifact, "measured/latency/high", ARRAY_F64, TIMED, high,
                          "ms", "upper quartile");
    artifact_write(artifact, "measured/latency/samples", ARRAY_F64, 2,
                   (size_t[]){TIMED, (size_t)repetitions}, samples, "ms",
                   "every pass that was timed");
    free(samples);
}

/* Start and end. */

static void evaluation_init(struct evaluation *e, struct stage *stage)
{
    const struct config *config = stage->config;
    struct space space;
    *e = (struct evaluation){.config = config, .stage = stage};
    e->dataset = dataset_open(stage->options.data, &config->space);
    if (dataset_size(e->dataset, SPLIT_TEST) == 0)
        die("'%s' has no test images", stage->options.data);
    struct artifact *retrained = artifact_open(stage->options.in.text[0], "retrain");
    space_init(&space, &config->space);
    retrained_load_path(retrained, &space, &e->path);
    e->net = supernet_create_path(&config->space, &e->path, config->seed);
    retrained_load(e->net, &e->path, e->dataset,
                   strcmp(config->evaluate.weights, "last") == 0, retrained);
    artifact_close(retrained);
    e->judge = judge_create(e->net, &e->path, e->dataset, config->evaluate.batch);
    size_t classes = (size_t)config->space.classes;
    e->judgement.confusion = memory_zeroed(classes * classes, sizeof(int64_t));
    for (int i = 0; i < TIMED; i++)
        e->sample[i] =
            memory_zeroed((size_t)config->evaluate.repetitions, sizeof(double));
}

static void evaluation_release(struct evaluation *e)
{
    for (int i = 0; i < TIMED; i++)
        free(e->sample[i]);
    free(e->judgement.confusion);
    judge_free(e->judge);
    supernet_free(e->net);
    dataset_close(e->dataset);
}

static void save_class_names(const struct dataset *dataset, struct artifact *artifact)
{
    int n = dataset_classes(dataset);
    const char **name = memory_zeroed((size_t)n, sizeof(*name));
    for (int k = 0; k < n; k++)
        name[k] = dataset_class_name(dataset, k);
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT, (size_t)n, name, "text",
                          "what the classes are called");
    free(name);
}

static void write_artifact(const struct evaluation *e)
{
    struct artifact *artifact =
        artifact_create(e->stage->options.out, &e->stage->origin);
    struct cost cost = cost_of_path(&e->net->cost, &e->path);
    retrained_save_network(e->net, &e->path, artifact);
    artifact_write_f64(artifact, "top1", judgement_top1(&e->judgement), "1",
                       "share of the test images whose class is the predicted one");
    artifact_write_f64(artifact, "top5", judgement_top5(&e->judgement), "1",
                       "share whose class is one of the five likeliest");
    artifact_write_f64(artifact, "loss", judgement_loss(&e->judgement), "nats",
                       "mean cross-entropy on the test images");
    save_judgement(&e->judgement, e->net->space.classes, artifact);
    save_class_names(e->dataset, artifact);
    artifact_write_i64(artifact, "flops", cost.flops, "multiply-adds",
                       "cost of one image");
    artifact_write_i64(artifact, "parameters", cost.params, "parameters",
                       "weights, biases and BN's two per channel");
    artifact_write_text(artifact, "weights", e->config->evaluate.weights,
                        "which weights were judged: of the best epoch, or the last");
    save_latency(e, artifact);
    artifact_commit(artifact);
}

/* The table. */

static void print_row(const char *file)
{
    struct artifact *artifact = artifact_open(file, "evaluate");
    const char *slash = strrchr(file, '/');
    char *name = artifact_sibling(slash ? slash + 1 : file, "");
    double median[TIMED];
    size_t n = TIMED;
    artifact_read(artifact, "measured/latency/median", ARRAY_F64, 1, &n, median);
    printf(
        "%-20s %7.2f %% %7.2f %% %8.4f %9.3f %9.3f %10.3f %10.3f\n", name,
        100 * artifact_read_f64(artifact, "top1"),
        100 * artifact_read_f64(artifact, "top5"), artifact_read_f64(artifact, "loss"),
        (double)artifact_read_i64(artifact, "flops") / 1e6,
        (double)artifact_read_i64(artifact, "parameters") / 1e6, median[0], median[1]);
    free(name);
    artifact_close(artifact);
}

/* `evaluate --show=FILE...`: true if that was asked, and done. */
static bool show_only(int argc, char **argv)
{
    struct option_texts files = {0};
    const struct option_row rows[] = {{"show", "evaluate.h5", OPTION_TEXTS, &files, 1,
                                       "finished evaluation to print"},
                                      {0}};
    if (argc < 2 || strncmp(argv[1], "--show", 6) != 0)
        return false;
    options_parse(&program, rows, argc, argv);
    printf("%-20s %9s %9s %8s %9s %9s %10s %10s\n", "test images", "top-1", "top-5",
           "loss", "MFLOPs", "Mparams", "ms/image", "ms/batch");
    for (int i = 0; i < files.n; i++)
        print_row(files.text[i]);
    if (fflush(stdout) != 0)
        die("cannot write to standard output");
    return true;
}

int main(int argc, char **argv)
{
    struct stage stage = {0};
    struct evaluation evaluation;
    struct option_texts files = {0};
    const struct option_row rows[] = {
        OPTIONS_STAGE_ROWS(stage.options, 1),
        {"show", "evaluate.h5", OPTION_TEXTS, &files, 0,
         "print finished evaluations and do nothing else (no other option then)"},
        {0}};
    if (show_only(argc, argv))
        return EXIT_COMPLETE;
    options_parse(&program, rows, argc, argv);
    if (files.n)
        die_asked_wrong("'--show' goes with no other option");
    stage_begin(&stage, program.name);
    evaluation_init(&evaluation, &stage);
    resume(&evaluation);

    judge(&evaluation);
    if (judged(&evaluation))
        time_network(&evaluation);

    if (evaluation.timed)
        write_artifact(&evaluation);
    else
        stage_checkpoint_last(&stage, save_checkpoint, &evaluation);
    bool complete = evaluation.timed;
    evaluation_release(&evaluation);
    return complete ? stage_complete(&stage) : stage_interrupted(&stage);
}
