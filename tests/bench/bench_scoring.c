/*
 * bench_scoring - what it saves to score paths together (score.h), on whole networks.
 *
 *   bench_scoring [NETWORK [--runs=N] [--csv=FOLDER] [--turns]]
 *
 * NETWORK: see references.h; both without one. Scored on one batch: a round of
 * Algorithm 1 (10 paths drawn uniformly), a population drawn uniformly (50 paths), and
 * one that has come closer together (50 paths, each one of 5 with a tenth of its layers
 * drawn anew). Each is timed together and path by path, in turn, N times (3). Results
 * are added to FOLDER/scoring.csv.
 *
 * --turns: prints the paths of the round, one a line, and an empty line; then reads a
 * line, scores the round, prints its milliseconds, and so on (see network_torch.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/threads.h"
#include "bench/csv.h"
#include "bench/references.h"
#include "io/artifact.h"
#include "net/score.h"

enum { ROUND = 10, POPULATION = 50, PARENTS = 5, RUNS_MOST = 100 };

struct subject {
    const struct reference *reference;
    struct supernet *net;
    struct workspace *workspace;
    struct dataset *dataset;
    struct scorer *scorer;
    int *index; /* of the batch's images */
};

/* --- A dataset of noise --------------------------------------------------------- */

static void write_split(struct artifact *file, const char *split,
                        const struct reference *reference, size_t n)
{
    const int *input = reference->space.input;
    const size_t h = (size_t)input[0], w = (size_t)input[1], c = (size_t)input[2];
    unsigned char *pixel = memory_zeroed(n * h * w * c, 1);
    int *label = memory_zeroed(n, sizeof(*label));
    struct rng rng = rng_stream(1, RNG_INIT, 2, 0);
    for (size_t i = 0; i < n * h * w * c; i++)
        pixel[i] = (unsigned char)rng_below(&rng, 256);
    for (size_t i = 0; i < n; i++)
        label[i] = (int)i % reference->space.classes;
    char *images = memory_format("%s/images", split),
         *labels = memory_format("%s/labels", split);
    artifact_write(file, images, ARRAY_U8, 4, (size_t[]){n, h, w, c}, pixel, "1", "");
    artifact_write(file, labels, ARRAY_I32, 1, &n, label, "1", "");
    free(images);
    free(labels);
    free(pixel);
    free(label);
}

static void write_dataset(const struct reference *reference, const char *path)
{
    const double half[] = {0.5, 0.5, 0.5};
    const struct artifact_origin origin = {
        .stage = "prepare", .config = "", .threads = 1};
    const size_t classes = (size_t)reference->space.classes,
                 channels = (size_t)reference->space.input[2];
    const char **name = memory_zeroed(classes, sizeof(*name));
    for (size_t k = 0; k < classes; k++)
        name[k] = "noise";
    struct artifact *file = artifact_create(path, &origin);
    write_split(file, "train", reference, 1);
    write_split(file, "validation", reference, (size_t)reference->batch);
    write_split(file, "test", reference, 1);
    artifact_write_vector(file, "class_names", ARRAY_TEXT, classes, name, "1", "");
    artifact_write_vector(file, "mean", ARRAY_F64, channels, half, "1", "");
    artifact_write_vector(file, "deviation", ARRAY_F64, channels, half, "1", "");
    artifact_commit(file);
    free(name);
}

static struct dataset *noise(const struct reference *reference)
{
    char folder[] = "/tmp/bench_scoring.XXXXXX";
    if (!mkdtemp(folder))
        die("cannot make a folder in '/tmp'");
    char *path = memory_format("%s/noise.h5", folder);
    write_dataset(reference, path);
    struct dataset *dataset = dataset_open(path, &reference->space);
    unlink(path);
    rmdir(folder);
    free(path);
    return dataset;
}

/* --- Paths ---------------------------------------------------------------------- */

static struct path draw_path(const struct space *space, struct rng *rng)
{
    struct path path = {.n = (uint8_t)space->n_layers};
    for (int l = 0; l < path.n; l++)
        path.op[l] = (uint8_t)rng_below(rng, (uint32_t)space->n_ops);
    return path;
}

static void draw_paths(const struct space *space, int n, struct path *path)
{
    struct rng rng = rng_stream(1, RNG_SAMPLE, 3, (uint64_t)n);
    for (int i = 0; i < n; i++)
        path[i] = draw_path(space, &rng);
}

static void draw_relatives(const struct space *space, int n, struct path *path)
{
    struct rng rng = rng_stream(1, RNG_SAMPLE, 4, (uint64_t)n);
    draw_paths(space, PARENTS, path);
    for (int i = PARENTS; i < n; i++) {
        const struct path other = draw_path(space, &rng);
        path[i] = path[i % PARENTS];
        for (int l = 0; l < path[i].n; l++)
            if (rng_below(&rng, 10) == 0)
                path[i].op[l] = other.op[l];
    }
}

/* --- Timing --------------------------------------------------------------------- */

static struct subject subject_of(const struct reference *reference)
{
    struct subject s = {.reference = reference};
    const int n = reference->batch;
    s.net = supernet_create(&reference->space, 1);
    s.workspace = workspace_create(s.net, 0, n);
    s.dataset = noise(reference);
    s.scorer = scorer_create(s.net, s.workspace, s.dataset, n, n);
    s.index = memory_zeroed((size_t)n, sizeof(int));
    for (int i = 0; i < n; i++)
        s.index[i] = i;
    return s;
}

static void subject_release(struct subject *s)
{
    scorer_free(s->scorer);
    dataset_close(s->dataset);
    workspace_free(s->workspace);
    supernet_free(s->net);
    free(s->index);
}

/* Milliseconds for n paths, `some` of them at a time. */
static double milliseconds(struct subject *s, const struct path *path, int n, int some)
{
    struct score score[POPULATION];
    const double start = clock_seconds();
    for (int i = 0; i < n; i += some)
        score_paths(s->scorer, path + i, some, SPLIT_VALIDATION, s->index,
                    s->reference->batch, score);
    return (clock_seconds() - start) * 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct spread {
    double median, low, high;
};

static struct spread spread_of(double *value, int n)
{
    qsort(value, (size_t)n, sizeof(*value), by_value);
    return (struct spread){value[n / 2], value[0], value[n - 1]};
}

static void bench(struct subject *s, const char *what, const struct path *path, int n,
                  int runs, const char *folder)
{
    double together[RUNS_MOST], alone[RUNS_MOST], ratio[RUNS_MOST];
    scorer_set_counters(s->scorer, &(struct score_counters){0});
    milliseconds(s, path, n, n);
    const struct score_counters c = scorer_counters(s->scorer);
    for (int i = 0; i < runs; i++) {
        together[i] = milliseconds(s, path, n, n);
        alone[i] = milliseconds(s, path, n, 1);
        ratio[i] = alone[i] / together[i];
    }
    const struct spread t = spread_of(together, runs), a = spread_of(alone, runs),
                        r = spread_of(ratio, runs);
    printf("%s, %s of %d paths, %s, %d threads: %.1f ms (%.1f to %.1f), each alone "
           "%.1f (%.1f to %.1f): %.2f times (%.2f to %.2f); %lld of %lld blocks\n",
           s->reference->name, what, n, tensor_isa(), threads_count(), t.median, t.low,
           t.high, a.median, a.low, a.high, r.median, r.low, r.high,
           (long long)c.blocks_computed, (long long)c.blocks_asked);
    if (!folder)
        return;
    FILE *csv = csv_open(folder, "scoring.csv",
                         "network,what,paths,images,isa,threads,together_ms,low_ms,"
                         "high_ms,alone_ms,alone_low_ms,alone_high_ms,ratio,ratio_low,"
                         "ratio_high,blocks_computed,blocks_asked");
    fprintf(
        csv,
        "%s,%s,%d,%d,%s,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%lld,%lld\n",
        s->reference->name, what, n, s->reference->batch, tensor_isa(), threads_count(),
        t.median, t.low, t.high, a.median, a.low, a.high, r.median, r.low, r.high,
        (long long)c.blocks_computed, (long long)c.blocks_asked);
    csv_close(csv);
}

static void take_turns(struct subject *s, const struct path *path, int n)
{
    char line[64], text[PATH_TEXT_SIZE];
    for (int i = 0; i < n; i++) {
        path_to_text(&path[i], &s->net->space, text);
        printf("%s\n", text);
    }
    printf("\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.3f\n", milliseconds(s, path, n, n));
        fflush(stdout);
    }
}

static void bench_reference(const struct reference *reference, int runs,
                            const char *folder, bool turns)
{
    struct subject s = subject_of(reference);
    struct path path[POPULATION];
    draw_paths(&s.net->space, ROUND, path);
    if (turns) {
        take_turns(&s, path, ROUND);
    } else {
        bench(&s, "round", path, ROUND, runs, folder);
        draw_paths(&s.net->space, POPULATION, path);
        bench(&s, "population", path, POPULATION, runs, folder);
        draw_relatives(&s.net->space, POPULATION, path);
        bench(&s, "relatives", path, POPULATION, runs, folder);
    }
    subject_release(&s);
}

int main(int argc, char **argv)
{
    int runs = 3;
    const char *folder = NULL;
    bool turns = false;
    log_set_program("bench_scoring");
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--turns") == 0)
            turns = true;
        else if (strncmp(argv[i], "--csv=", 6) == 0)
            folder = argv[i] + 6;
        else if (sscanf(argv[i], "--runs=%d", &runs) != 1 || runs < 1 ||
                 runs > RUNS_MOST)
            die("unknown option '%s'", argv[i]);
    threads_start(0);
    if (argc > 1) {
        bench_reference(reference_named(argv[1]), runs, folder, turns);
        return 0;
    }
    for (size_t r = 0; r < sizeof(references) / sizeof(*references); r++)
        bench_reference(&references[r], runs, folder, false);
    return 0;
}
