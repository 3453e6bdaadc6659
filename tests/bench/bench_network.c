/*
 * bench_network - how long a training step, and scoring, take on whole networks.
 *
 *   bench_network [NETWORK MODE [--runs=N] [--profile | --turns]]
 *
 * Without arguments: all of them. NETWORK: imagenet (224 x 224, 32 images, 469 M
 * multiply-adds) or cifar (32 x 32, 128 images, 76 M). MODE: train (forward, backward,
 * SGD with Nesterov momentum), score (forward, statistics of the batch) or infer
 * (forward, given statistics). The median of N runs (9) is printed. --profile adds
 * where the time went, by operation and by layer. --turns: reads a line, does one run,
 * prints its milliseconds, and so on: for network_torch.py, which has PyTorch do the
 * same in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/rng.h"
#include "base/threads.h"
#include "bench/profile.h"
#include "net/inference.h"
#include "net/optimizer.h"

struct reference {
    const char *name, *path;
    int batch;
    struct space_config space;
};

#define NO_SQUEEZE_EXCITE                                                              \
    {                                                                                  \
        .of = "expanded", .activation = "", .gate = "sigmoid"                          \
    }

static const struct reference references[] = {
    {.name = "imagenet",
     .batch = 32,
     .path = "k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 "
             "k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6",
     .space = {.input = {224, 224, 3},
               .classes = 1000,
               .activation = "relu6",
               .stem = {.channels = 32, .kernel = 3, .stride = 2, .activation = ""},
               .n_fixed = 1,
               .fixed = {{"k3e1", 16, 1, 1, ""}},
               .n_stages = 6,
               .stages = {{32, 4, 2},
                          {40, 4, 2},
                          {80, 4, 2},
                          {96, 4, 1},
                          {192, 4, 2},
                          {320, 1, 1}},
               .n_choices = 4,
               .choices = {"k3e6", "k5e3", "k7e6", "k3e3"},
               .squeeze_excite = NO_SQUEEZE_EXCITE,
               .head = {.channels = 1280, .activation = ""}}},
    {.name = "cifar",
     .batch = 128,
     .path = "k3e3 k5e6 k3e3 k5e6 k3e3 k5e6 k3e3 k5e6",
     .space = {.input = {32, 32, 3},
               .classes = 10,
               .activation = "relu6",
               .stem = {.channels = 32, .kernel = 3, .stride = 1, .activation = ""},
               .n_stages = 3,
               .stages = {{64, 2, 2}, {128, 3, 2}, {256, 3, 2}},
               .n_choices = 2,
               .choices = {"k3e3", "k5e6"},
               .squeeze_excite = NO_SQUEEZE_EXCITE,
               .head = {.channels = 1280, .activation = ""}}},
};

/* One network at work. */
struct subject {
    const struct reference *reference;
    struct supernet *net;
    struct path path;
    struct workspace *workspace;
    struct inference *inference;
    float *images;
    int *labels;
};

static const struct reference *reference_named(const char *name)
{
    for (size_t i = 0; i < sizeof(references) / sizeof(*references); i++)
        if (strcmp(references[i].name, name) == 0)
            return &references[i];
    die("no network '%s', expected imagenet or cifar", name);
}

static struct subject subject_of(const struct reference *reference, bool infer)
{
    struct subject s = {.reference = reference};
    const int n = reference->batch, *input = reference->space.input;
    s.net = supernet_create(&reference->space, 1);
    char why[128];
    BUG_IF(!path_parse(&s.path, &s.net->space, reference->path, why, sizeof(why)));
    if (infer)
        s.inference = inference_create(s.net, &s.path, n);
    else
        s.workspace = workspace_create(s.net, n, n);
    const size_t floats = (size_t)(n * input[0] * input[1] * input[2]);
    s.images = memory_zeroed(floats, sizeof(float));
    s.labels = memory_zeroed((size_t)n, sizeof(int));
    struct rng rng = rng_stream(1, RNG_INIT, 1, 0);
    for (size_t i = 0; i < floats; i++)
        s.images[i] = (float)rng_normal(&rng);
    for (int i = 0; i < n; i++)
        s.labels[i] = i % reference->space.classes;
    return s;
}

/* The same as train_path(), but that the loss may do what it wants. */
static void train(struct subject *s)
{
    const int n = s->reference->batch;
    struct network_tensors t;
    const size_t mark = arena_mark(s->workspace->tensors);
    network_take(s->net, &s->path, n, s->workspace->tensors, &t);
    network_forward(s->net, n, s->images, s->labels, 0, &t, s->workspace->scratch);
    network_backward(s->net, &s->path, n, s->images, s->labels, 0, &t, s->workspace);
    network_update_statistics(s->net, n, 0.1, &t);
    sgd_step(s->net, &s->path, s->workspace->gradients, 0.01, 0.9, 4e-5);
    arena_release(s->workspace->tensors, mark);
}

static void score(struct subject *s)
{
    const int n = s->reference->batch;
    struct network_tensors t;
    const size_t mark = arena_mark(s->workspace->tensors);
    network_take(s->net, &s->path, n, s->workspace->tensors, &t);
    network_forward(s->net, n, s->images, s->labels, 0, &t, s->workspace->scratch);
    arena_release(s->workspace->tensors, mark);
}

static void infer(struct subject *s)
{
    inference_run(s->inference, s->reference->batch, s->images, s->labels);
}

static const struct mode {
    const char *name;
    void (*run)(struct subject *s);
} modes[] = {{"train", train}, {"score", score}, {"infer", infer}};

static const struct mode *mode_named(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    die("no mode '%s', expected train, score or infer", name);
}

static double milliseconds(const struct mode *mode, struct subject *s)
{
    const double start = clock_seconds();
    mode->run(s);
    return (clock_seconds() - start) * 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void measure(const struct mode *mode, struct subject *s, int runs)
{
    double ms[PROFILE_RUNS_MOST];
    for (int i = 0; i < runs; i++) {
        profile_next_run();
        ms[i] = milliseconds(mode, s);
    }
    qsort(ms, (size_t)runs, sizeof(*ms), by_value);
    const double median = ms[runs / 2];
    printf("%s %s %s %d threads: %.1f ms (%.1f to %.1f), %.1f images/s\n",
           s->reference->name, mode->name, tensor_isa(), threads_count(), median, ms[0],
           ms[runs - 1], 1e3 * s->reference->batch / median);
}

static void take_turns(const struct mode *mode, struct subject *s)
{
    char line[64];
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.3f\n", milliseconds(mode, s));
        fflush(stdout);
    }
}

static void subject_release(struct subject *s)
{
    workspace_free(s->workspace);
    inference_free(s->inference);
    supernet_free(s->net);
    free(s->images);
    free(s->labels);
}

struct wish {
    int runs;
    bool profile, turns;
};

static void bench(const struct reference *reference, const struct mode *mode,
                  const struct wish *wish)
{
    struct subject s = subject_of(reference, mode->run == infer);
    milliseconds(mode, &s);
    milliseconds(mode, &s);
    if (wish->turns)
        take_turns(mode, &s);
    else
        measure(mode, &s, wish->runs);
    if (wish->profile)
        profile_print();
    subject_release(&s);
}

int main(int argc, char **argv)
{
    struct wish wish = {.runs = 9};
    log_set_program("bench_network");
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "--profile") == 0)
            wish.profile = true;
        else if (strcmp(argv[i], "--turns") == 0)
            wish.turns = true;
        else if (sscanf(argv[i], "--runs=%d", &wish.runs) != 1 || wish.runs < 1 ||
                 wish.runs > PROFILE_RUNS_MOST)
            die("unknown option '%s'", argv[i]);
    threads_start(0);
    if (argc > 1) {
        bench(reference_named(argv[1]), mode_named(argc > 2 ? argv[2] : ""), &wish);
        return 0;
    }
    for (size_t r = 0; r < sizeof(references) / sizeof(*references); r++)
        for (size_t m = 0; m < sizeof(modes) / sizeof(*modes); m++) {
            profile_run = -1;
            bench(&references[r], &modes[m], &wish);
        }
    return 0;
}
