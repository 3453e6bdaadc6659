/*
 * bench_network - how long a training step, and scoring, take on whole networks.
 *
 *   bench_network [NETWORK MODE [--runs=N] [--profile [--csv=FOLDER] | --turns]]
 *
 * Without arguments: all of them. NETWORK: see references.h. MODE: train (forward,
 * backward, SGD with Nesterov momentum), score (forward, statistics of the batch) or
 * infer (forward, given statistics). The median of N runs (9) is printed. --profile
 * adds where the time went, by operation and by layer, and how much that is of what
 * this machine can do (limits.h); --csv=FOLDER adds that to FOLDER/kernels.csv.
 * --turns: reads a line, does one run, prints its milliseconds, and so on: for
 * network_torch.py, which has PyTorch do the same in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/rng.h"
#include "base/threads.h"
#include "bench/csv.h"
#include "bench/limits.h"
#include "bench/profile.h"
#include "bench/references.h"
#include "net/inference.h"
#include "net/optimizer.h"

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
    const char *csv;
};

static void show_profile(const struct reference *reference, const struct mode *mode,
                         const char *folder)
{
    const struct limits limits = limits_measure();
    printf("this machine, %d threads, %s: %.0f GFLOP/s, %.1f GB/s\n", threads_count(),
           tensor_isa(), limits.flops / 1e9, limits.bytes / 1e9);
    profile_print(&limits);
    if (!folder)
        return;
    FILE *csv = csv_open(folder, "kernels.csv",
                         "network,mode,isa,threads,kernel,shape,median_ms,low_ms,"
                         "high_ms,gflops,gbytes_per_s,flops_per_byte,share,bound,"
                         "peak_gflops,peak_gbytes_per_s");
    for (int i = 0; i < profile_rows; i++) {
        const struct profile_row *row = &profile_row[i];
        const struct profile_rate r = profile_rate(row, &limits);
        fprintf(csv,
                "%s,%s,%s,%d,%s,%s,%.4f,%.4f,%.4f,%.2f,%.2f,%.3f,%.3f,%s,%.1f,%.2f\n",
                reference->name, mode->name, tensor_isa(), threads_count(), row->kind,
                row->shape, 1e3 * row->median, 1e3 * row->low, 1e3 * row->high,
                r.flops / 1e9, r.bytes / 1e9, row->flops / row->bytes, r.share, r.bound,
                limits.flops / 1e9, limits.bytes / 1e9);
    }
    csv_close(csv);
}

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
        show_profile(reference, mode, wish->csv);
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
        else if (strncmp(argv[i], "--csv=", 6) == 0)
            wish.csv = argv[i] + 6;
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
