#include "paper/figures.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/quantile.h"
#include "nas/space.h"
#include "net/paths_file.h"
#include "paper/binomial.h"
#include "paper/ranking.h"
#include "paper/text_file.h"

/* A figure under way. */
struct drawing {
    struct figure *figure;
    struct sources sources;
    const char *folder;
};

/* The figure's data, "" or a part of it: figure4.csv, figure4_steps.csv. */
static void data_create(const struct drawing *drawing, const char *part,
                        struct text_file *file)
{
    text_file_create(file, "%s/%s%s%s.csv", drawing->folder, drawing->figure->id,
                     *part ? "_" : "", part);
}

/* Numbers of an artifact's vector; NULL with *n = 0 if there is none. Caller frees. */
static double *read_vector(struct artifact *artifact, const char *name, size_t *n)
{
    size_t shape[ARTIFACT_RANK_MAX];
    *n = 0;
    if (artifact_shape(artifact, name, shape) != 1)
        return NULL;
    *n = shape[0];
    double *value = memory_zeroed(*n + 1, sizeof(*value));
    artifact_read(artifact, name, ARRAY_F64, 1, shape, value);
    return value;
}

static double *read_counts(struct artifact *artifact, const char *name, size_t *n)
{
    size_t shape[ARTIFACT_RANK_MAX];
    *n = 0;
    if (artifact_shape(artifact, name, shape) != 1)
        return NULL;
    *n = shape[0];
    int64_t *count = memory_zeroed(*n + 1, sizeof(*count));
    double *value = memory_zeroed(*n + 1, sizeof(*value));
    artifact_read(artifact, name, ARRAY_I64, 1, shape, count);
    for (size_t i = 0; i < *n; i++)
        value[i] = (double)count[i];
    free(count);
    return value;
}

static double mean(const double *value, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += value[i];
    return sum / (double)n;
}

/* "" for NAN: gnuplot leaves a gap. */
static void print_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.8g", value);
}

/* --- Figure 2: how sure multi-path sampling is (Theorem 1) ------------------------ */

static const double shares[] = {0.2, 0.4, 0.6, 0.8};
enum { SHARES = sizeof(shares) / sizeof(shares[0]) };

static void confidence_head(FILE *out, const char *first)
{
    fputs(first, out);
    for (int i = 0; i < SHARES; i++)
        fprintf(out, ",q = %.0f %%", 100 * shares[i]);
    fputc('\n', out);
}

static void confidence_row(FILE *out, int first, int m, int k)
{
    fprintf(out, "%d", first);
    for (int i = 0; i < SHARES; i++)
        fprintf(out, ",%.6f", binomial_at_least(m, k, shares[i]));
    fputc('\n', out);
}

/* Over k at the run's m; and over m, k being half of it. */
static bool draw_confidence(struct drawing *drawing)
{
    sources_artifact(&drawing->sources, "greedy");
    const struct config *config = run_config(drawing->sources.run, "greedy");
    int m = config ? config->greedy.sampled_paths : 10;
    int k = config ? config->greedy.kept_paths : 5;
    struct text_file file;
    data_create(drawing, "", &file);
    confidence_head(file.out, "k");
    for (int i = 1; i <= m; i++)
        confidence_row(file.out, i, m, i);
    text_file_commit(&file);
    data_create(drawing, "paths", &file);
    confidence_head(file.out, "m");
    for (int i = 2; i <= 30; i += 2)
        confidence_row(file.out, i, i, i / 2);
    text_file_commit(&file);
    data_create(drawing, "run", &file);
    fprintf(file.out, "m,k\n%d,%d\n", m, k);
    text_file_commit(&file);
    drawing->figure->caption = memory_format(
        "The chance that at least k of m drawn paths are good, when the share q of all "
        "paths is (Theorem 1; computed, not measured). Top: m = %d. Below: k = m / 2.  "
        "The ring marks %s: m = %d, k = %d, %.1f %% at q = 60 %%.",
        m, config ? "this run" : "the paper", m, k, 100 * binomial_at_least(m, k, 0.6));
    return true;
}

/* --- Figure 3: accuracy of the searched paths ------------------------------------- */

struct searched {
    const char *search, *label;
    double *accuracy; /* percent, in ascending order */
    size_t n;
    double step; /* between two accuracies that so many images can give; 0: not known */
};

struct bins {
    double low, width; /* of the first: [low, low + width) */
    int n;
};

/*
 * As wide as Freedman and Diaconis advise for the search that is the most concentrated,
 * but no more than can be told apart in the picture; and a whole number of steps, or
 * some bins would hold more of the possible accuracies than others. No accuracy is on
 * the border of two.
 */
static struct bins choose_bins(const struct searched *searched, int n)
{
    enum { BINS_MAX = 100 };
    double low = HUGE_VAL, high = -HUGE_VAL, width = HUGE_VAL, step = searched[0].step;
    for (int s = 0; s < n; s++) {
        const struct searched *t = &searched[s];
        double spread =
            quantile_of(t->accuracy, t->n, 0.75) - quantile_of(t->accuracy, t->n, 0.25);
        low = fmin(low, t->accuracy[0]);
        high = fmax(high, t->accuracy[t->n - 1]);
        width = fmin(width, 2 * spread / cbrt((double)t->n));
        step = t->step == step ? step : 0;
    }
    width = fmax(width, (high - low) / BINS_MAX);
    if (step > 0)
        width = step * fmax(1, ceil(width / step - 1e-9));
    else if (width <= 0)
        width = 1;
    low -= step > 0 ? step / 2 : 0;
    return (struct bins){low, width, (int)((high - low) / width) + 1};
}

static void histogram_rows(FILE *out, const struct searched *searched, int n)
{
    const struct bins bins = choose_bins(searched, n);
    for (int b = 0; b < bins.n; b++) {
        fprintf(out, "%.8g", bins.low + bins.width * (b + 0.5));
        for (int s = 0; s < n; s++) {
            size_t count = 0;
            for (size_t i = 0; i < searched[s].n; i++)
                count += (int)((searched[s].accuracy[i] - bins.low) / bins.width) == b;
            fprintf(out, ",%.6g", 100 * (double)count / (double)searched[s].n);
        }
        fputc('\n', out);
    }
}

/* False if there is none. */
static bool searched_read(struct searched *searched, struct sources *sources)
{
    size_t images[ARTIFACT_RANK_MAX];
    struct artifact *artifact = sources_artifact(sources, searched->search);
    if (!artifact)
        return false;
    searched->accuracy = read_vector(artifact, "evaluated/accuracy", &searched->n);
    for (size_t i = 0; i < searched->n; i++)
        searched->accuracy[i] *= 100;
    quantile_sort(searched->accuracy, searched->n);
    if (artifact_shape(artifact, "validation/image", images) == 1 && images[0])
        searched->step = 100 / (double)images[0];
    if (searched->n)
        return true;
    free(searched->accuracy);
    return false;
}

static bool draw_histogram(struct drawing *drawing)
{
    static const struct searched searches[] = {
        {.search = "search", .label = "GreedyNAS"},
        {.search = "search_uniform", .label = "uniform"},
        {.search = "search_fairnas", .label = "FairNAS"},
        {.search = "random", .label = "random search"},
    };
    enum { SEARCHES = sizeof(searches) / sizeof(searches[0]) };
    struct searched there[SEARCHES];
    char *means = memory_text_copy("");
    int n = 0;
    for (int s = 0; s < SEARCHES; s++) {
        struct searched *t = &there[n];
        *t = searches[s];
        if (!searched_read(t, &drawing->sources))
            continue;
        char *before = means;
        means =
            memory_format("%s%s%s %zu paths, mean %.2f %%", before, *before ? "; " : "",
                          t->label, t->n, mean(t->accuracy, t->n));
        free(before);
        n++;
    }
    if (n) {
        struct text_file file;
        data_create(drawing, "", &file);
        fputs("accuracy", file.out);
        for (int s = 0; s < n; s++)
            fprintf(file.out, ",%s", there[s].label);
        fputc('\n', file.out);
        histogram_rows(file.out, there, n);
        text_file_commit(&file);
    }
    drawing->figure->caption =
        memory_format("Validation accuracy, by the supernet's weights, of all paths "
                      "that a search judged%s%s.",
                      n ? ": " : "", means);
    free(means);
    for (int s = 0; s < n; s++)
        free(there[s].accuracy);
    return n > 0;
}

/* --- Figure 4: rank correlation over images, and over training -------------------- */

/* Every number of images that some supernet was ranked by, in order. */
static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int *all_images(const struct ranking *ranking, int *n)
{
    int total = 0, *images = memory_zeroed(1, sizeof(*images));
    for (int s = 0; s < ranking->n_supernets; s++) {
        images = memory_resized(images, (size_t)(total + ranking->n_images[s]) + 1,
                                sizeof(*images));
        for (int i = 0; i < ranking->n_images[s]; i++)
            images[total++] = ranking->images[s][i];
    }
    qsort(images, (size_t)total, sizeof(*images), by_number);
    *n = 0;
    for (int i = 0; i < total; i++)
        if (*n == 0 || images[*n - 1] != images[i])
            images[(*n)++] = images[i];
    return images;
}

static void correlation_cells(FILE *out, const struct ranking *ranking, int supernet,
                              const char *measure, int image)
{
    struct correlation c = {(double)NAN, (double)NAN, (double)NAN};
    int all = ranking_stratum(ranking, "all");
    if (image >= 0 && all >= 0)
        c = ranking_correlation(ranking, supernet, measure, all, image);
    const double value[] = {c.value, c.low, c.high};
    for (int i = 0; i < 3; i++) {
        fputc(',', out);
        print_number(out, value[i]);
    }
}

static int image_index(const struct ranking *ranking, int supernet, int images)
{
    for (int i = 0; i < ranking->n_images[supernet]; i++)
        if (ranking->images[supernet][i] == images)
            return i;
    return -1;
}

/* By loss: images, then value, low and high of each supernet. */
static void correlation_over_images(FILE *out, const struct ranking *ranking)
{
    fputs("images", out);
    for (int s = 0; s < ranking->n_supernets; s++)
        if (!ranking_is_snapshot(ranking->supernet[s]))
            fprintf(out, ",%s,low,high", ranking->supernet[s]);
    fputc('\n', out);
    int n, *images = all_images(ranking, &n);
    for (int i = 0; i < n; i++) {
        fprintf(out, "%d", images[i]);
        for (int s = 0; s < ranking->n_supernets; s++)
            if (!ranking_is_snapshot(ranking->supernet[s]))
                correlation_cells(out, ranking, s, "kendall/by_loss",
                                  image_index(ranking, s, images[i]));
        fputc('\n', out);
    }
    free(images);
}

/* The most images of the list that greedy training scores a path on, or fewer. */
static int scoring_images(struct sources *sources, const struct ranking *ranking, int s)
{
    sources_artifact(sources, "greedy");
    const struct config *config = run_config(sources->run, "greedy");
    int image = 0;
    for (int i = 0; config && i < ranking->n_images[s]; i++)
        if (ranking->images[s][i] <= config->greedy.surrogate_images)
            image = i;
    return image;
}

/* Whether these supernets have a correlation that is a number: gnuplot draws no panel
 * without a point. image: -1 for any. */
static bool any_correlation(const struct ranking *ranking, const int *supernet, int n,
                            int image)
{
    int all = ranking_stratum(ranking, "all");
    for (int k = 0; all >= 0 && k < n; k++)
        for (int i = 0; i < ranking->n_images[supernet[k]]; i++)
            if ((image < 0 || i == image) &&
                isfinite(
                    ranking_correlation(ranking, supernet[k], "kendall/by_loss", all, i)
                        .value))
                return true;
    return false;
}

/* Over uniform training: by loss and by accuracy. The caption of that panel; NULL if
 * there is nothing to draw. The caller frees. */
static char *correlation_over_steps(struct drawing *drawing, struct ranking *ranking)
{
    int *order = memory_zeroed((size_t)ranking->n_supernets + 1, sizeof(*order));
    int n = ranking_uniform_course(ranking, order);
    int image = n ? scoring_images(&drawing->sources, ranking, order[0]) : 0;
    if (n < 2 || !any_correlation(ranking, order, n, image))
        return free(order), NULL;
    struct text_file file;
    data_create(drawing, "steps", &file);
    fputs("step,by loss,low,high,by accuracy,low,high\n", file.out);
    for (int i = 0; i < n; i++) {
        fprintf(file.out, "%ld", ranking->step[order[i]]);
        correlation_cells(file.out, ranking, order[i], "kendall/by_loss", image);
        correlation_cells(file.out, ranking, order[i], "kendall/by_accuracy", image);
        fputc('\n', file.out);
    }
    text_file_commit(&file);
    char *caption = memory_format(
        " Below: by loss and by accuracy on %d images, over uniform training: %d "
        "points from step %ld to %s%ld.",
        ranking->images[order[0]][image], n, ranking->step[order[0]],
        ranking_is_snapshot(ranking->supernet[order[n - 1]]) ? "" : "its end at ",
        ranking->step[order[n - 1]]);
    free(order);
    return caption;
}

/* "random (0 steps), uniform (6d7ef937c57f, 4500 steps)": those that the upper panel
 * has. The caller frees. */
static char *ranked_weights(const struct ranking *ranking)
{
    char *list = memory_text_copy("");
    for (int s = 0; s < ranking->n_supernets; s++) {
        if (ranking_is_snapshot(ranking->supernet[s]))
            continue;
        char *before = list, *steps, digest[SHORT_DIGEST_SIZE];
        ranking_origin(ranking, s, digest);
        steps = ranking->step[s] < 0 ? memory_text_copy("")
                                     : memory_format("%s%ld steps", *digest ? ", " : "",
                                                     ranking->step[s]);
        bool known = *digest || *steps;
        list = memory_format("%s%s%s%s%s%s%s", before, *before ? ", " : "",
                             ranking->supernet[s], known ? " (" : "", digest, steps,
                             known ? ")" : "");
        free(before);
        free(steps);
    }
    return list;
}

static char *correlation_caption(struct sources *sources, const struct ranking *ranking,
                                 const char *below)
{
    const struct config *config = run_config(sources->run, "rankcorr");
    char *weights = ranked_weights(ranking);
    char *resamples = config ? memory_format(" (%d resamples of the paths)",
                                             config->rankcorr.bootstrap)
                             : memory_text_copy("");
    char *caption = memory_format(
        "%sKendall τ-b between the ranking of %ld random paths by their loss on N "
        "validation images and that by their accuracy on all %ld, on several "
        "supernets' weights: %s. 1 is the same order, 0 none; shaded: bootstrap "
        "intervals of 95 %%%s.%s",
        *below ? "Top: " : "", ranking->paths, ranking->all_images, weights, resamples,
        below);
    free(weights);
    free(resamples);
    return caption;
}

static bool draw_correlation(struct drawing *drawing)
{
    struct ranking *ranking = ranking_read(&drawing->sources);
    drawing->figure->caption = memory_text_copy(
        "Kendall τ-b between the ranking of random paths by their loss on few "
        "validation images and that by their accuracy on all of them.");
    if (!ranking)
        return false;
    int *last = memory_zeroed((size_t)ranking->n_supernets + 1, sizeof(*last)), n = 0;
    for (int s = 0; s < ranking->n_supernets; s++)
        if (!ranking_is_snapshot(ranking->supernet[s]))
            last[n++] = s;
    bool drawn = any_correlation(ranking, last, n, -1);
    free(last);
    if (drawn) {
        struct text_file file;
        data_create(drawing, "", &file);
        correlation_over_images(file.out, ranking);
        text_file_commit(&file);
        char *below = correlation_over_steps(drawing, ranking);
        free(drawing->figure->caption);
        drawing->figure->caption =
            correlation_caption(&drawing->sources, ranking, below ? below : "");
        free(below);
    }
    ranking_free(ranking);
    return drawn;
}

/* --- Training curves ---------------------------------------------------------------
 */

/* Of many steps no more than so many means are drawn. */
enum { CURVE_POINTS = 400 };

/* Means of `block` rows: the first column's is that of its steps. */
static void print_steps(FILE *out, struct artifact *artifact, long first, size_t block,
                        const char *stage)
{
    size_t n, n_rates;
    double *loss = read_vector(artifact, "steps/loss", &n);
    double *rate = read_vector(artifact, "steps/learning_rate", &n_rates);
    for (size_t i = 0; i < n; i += block) {
        size_t count = n - i < block ? n - i : block;
        fprintf(out, "%.8g,", (double)first + (double)i + (double)(count + 1) / 2);
        print_number(out, mean(loss + i, count));
        fputc(',', out);
        if (n_rates == n)
            print_number(out, mean(rate + i, count));
        fprintf(out, ",%s\n", stage);
    }
    free(loss);
    free(rate);
}

static void print_rounds(FILE *out, struct artifact *greedy)
{
    static const char *const columns[] = {"step",      "epsilon",   "turnover",
                                          "pool_loss", "pool_size", "drawn_loss",
                                          "kept_loss", "from_pool"};
    enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };
    double *value[COLUMNS];
    size_t n = 0, length;
    for (int c = 0; c < COLUMNS; c++) {
        char *name = memory_format("rounds/%s", columns[c]);
        value[c] = read_vector(greedy, name, &length);
        n = c == 0 || length < n ? length : n;
        fprintf(out, "%s%s", c ? "," : "", columns[c]);
        free(name);
    }
    fputc('\n', out);
    size_t block = (n + CURVE_POINTS - 1) / CURVE_POINTS;
    for (size_t i = 0; i < n; i += block) {
        size_t count = n - i < block ? n - i : block;
        for (int c = 0; c < COLUMNS; c++) {
            fputs(c ? "," : "", out);
            print_number(out, mean(value[c] + i, count));
        }
        fputc('\n', out);
    }
    for (int c = 0; c < COLUMNS; c++)
        free(value[c]);
}

static size_t length_of(struct artifact *artifact, const char *name)
{
    size_t shape[ARTIFACT_RANK_MAX];
    return artifact && artifact_shape(artifact, name, shape) == 1 ? shape[0] : 0;
}

static bool draw_curves(struct drawing *drawing)
{
    struct artifact *warmup = sources_artifact(&drawing->sources, "warmup");
    struct artifact *greedy = sources_artifact(&drawing->sources, "greedy");
    long first = greedy ? (long)artifact_read_i64(greedy, "counters/first_step") : 0;
    size_t steps = length_of(warmup, "steps/loss") + length_of(greedy, "steps/loss");
    size_t block = steps / CURVE_POINTS ? steps / CURVE_POINTS : 1;
    struct text_file file;
    if (steps) {
        data_create(drawing, "", &file);
        fputs("step,loss,learning_rate,stage\n", file.out);
        if (warmup)
            print_steps(file.out, warmup, 0, block, "warmup");
        if (greedy)
            print_steps(file.out, greedy, first, block, "greedy");
        text_file_commit(&file);
    }
    if (greedy && length_of(greedy, "rounds/step")) {
        data_create(drawing, "rounds", &file);
        print_rounds(file.out, greedy);
        text_file_commit(&file);
    }
    drawing->figure->caption = memory_format(
        "Training of the supernet: loss of the training batches (means of %zu step%s), "
        "the chance ε to draw a path from the pool, the pool's turnover, and the mean "
        "loss of the paths in it and of those drawn.",
        block, block == 1 ? "" : "s");
    return steps > 0;
}

/* --- The Pareto front by generation ------------------------------------------------
 */

struct point {
    double mflops, accuracy; /* percent */
    int generation;
};

static int by_flops(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    if (x->mflops != y->mflops)
        return x->mflops < y->mflops ? -1 : 1;
    return (x->accuracy < y->accuracy) - (x->accuracy > y->accuracy);
}

static struct point *read_points(struct artifact *search, size_t *n)
{
    size_t n_accuracy, n_flops, n_generation;
    double *accuracy = read_vector(search, "evaluated/accuracy", &n_accuracy);
    double *flops = read_counts(search, "evaluated/flops", &n_flops);
    double *generation = read_counts(search, "evaluated/generation", &n_generation);
    *n = n_accuracy == n_flops && n_flops == n_generation ? n_flops : 0;
    struct point *point = memory_zeroed(*n + 1, sizeof(*point));
    for (size_t i = 0; i < *n; i++)
        point[i] =
            (struct point){flops[i] / 1e6, 100 * accuracy[i], (int)generation[i]};
    qsort(point, *n, sizeof(*point), by_flops);
    free(accuracy);
    free(flops);
    free(generation);
    return point;
}

/* What nothing judged up to this generation beats, as a staircase of its corners. */
static void print_front(FILE *out, const struct point *point, size_t n, int generation)
{
    double best = -1;
    fprintf(out, "%sgeneration %d\n", generation ? "\n\n" : "", generation);
    for (size_t i = 0; i < n; i++)
        if (point[i].generation <= generation && point[i].accuracy > best) {
            best = point[i].accuracy;
            fprintf(out, "%.8g,%.8g\n", point[i].mflops, best);
        }
}

static bool draw_front(struct drawing *drawing)
{
    struct artifact *search = sources_artifact(&drawing->sources, "search");
    size_t n = 0;
    struct point *point = search ? read_points(search, &n) : NULL;
    int last = 0;
    for (size_t i = 0; i < n; i++)
        last = point[i].generation > last ? point[i].generation : last;
    if (n) {
        struct text_file file;
        data_create(drawing, "", &file);
        fputs("mflops,accuracy,generation\n", file.out);
        for (size_t i = 0; i < n; i++)
            fprintf(file.out, "%.8g,%.8g,%d\n", point[i].mflops, point[i].accuracy,
                    point[i].generation);
        text_file_commit(&file);
        data_create(drawing, "steps", &file);
        int before = -1;
        for (int i = 0; i <= 3; i++) {
            int generation = (int)lround(last * i / 3.0);
            if (generation != before)
                print_front(file.out, point, n, generation);
            before = generation;
        }
        text_file_commit(&file);
        data_create(drawing, "found", &file);
        fprintf(file.out, "mflops,accuracy\n%.8g,%.8g\n",
                (double)artifact_read_i64(search, "found/flops") / 1e6,
                100 * artifact_read_f64(search, "found/accuracy"));
        text_file_commit(&file);
    }
    drawing->figure->caption = memory_format(
        "Every path that the search judged (%zu in %d generations), and the Pareto "
        "front of all up to a generation: validation accuracy by the supernet's "
        "weights "
        "against FLOPs. The ring is the architecture that was found.",
        n, n ? last + 1 : 0);
    free(point);
    return n > 0;
}

/* --- The found architecture --------------------------------------------------------
 */

/* One row of the drawing: what a layer is, its output, its place in the pipeline. op:
 * NULL for what is no block. */
static void print_layer(FILE *out, const char *token, const char *kind, int stage,
                        const struct block_place *place, const struct op *op)
{
    fprintf(out, "%s,%s,%d,%d,%d,%d,%d,%d,%d\n", token, kind, stage, place->p, place->q,
            place->k, place->stride, op ? op->expansion : 0,
            op ? op->squeeze_excite : 0);
}

/* "k3" of "k3e6s": the colour's name; identities that change the shape have weights. */
static void kind_of(const struct op *op, const struct block_place *place, char *kind,
                    size_t size)
{
    if (op->kind == OP_IDENTITY)
        snprintf(kind, size, "%s", block_keeps_shape(place) ? "id" : "conv");
    else
        snprintf(kind, size, "k%d", op->kernel);
}

static void print_network(FILE *out, const struct space *space, const struct path *path)
{
    char kind[16];
    fputs("token,kind,stage,height,width,channels,stride,expansion,squeeze_excite\n",
          out);
    char stem[24];
    snprintf(stem, sizeof(stem), "conv %dx%d", space->stem_kernel, space->stem_kernel);
    print_layer(out, stem, "conv", 0, &space->stem, NULL);
    for (int i = 0; i < space->n_fixed; i++) {
        const struct fixed_block *fixed = &space->fixed[i];
        kind_of(&fixed->op, &fixed->place, kind, sizeof(kind));
        print_layer(out, fixed->op.token, kind, 0, &fixed->place, &fixed->op);
    }
    for (int l = 0; l < path->n; l++) {
        const struct op *op = &space->op[path->op[l]];
        kind_of(op, &space->layer[l], kind, sizeof(kind));
        print_layer(out, op->token, kind, space->layer_stage[l] + 1, &space->layer[l],
                    op);
    }
    struct block_place head = {
        .p = space->head_h, .q = space->head_w, .k = space->head_channels, .stride = 1};
    if (space->head_channels)
        print_layer(out, "conv 1x1", "conv", 0, &head, NULL);
    struct block_place classes = {.p = 1, .q = 1, .k = space->classes, .stride = 1};
    print_layer(out, "pool fc", "fc", 0, &classes, NULL);
}

static bool draw_architecture(struct drawing *drawing)
{
    struct artifact *search = sources_artifact(&drawing->sources, "search");
    const struct config *config = run_config(drawing->sources.run, "search");
    drawing->figure->caption = memory_text_copy(
        "The architecture that was found, from the image (top) to the classes: one box "
        "for each layer, as wide as it has output channels (root scale), coloured by "
        "its kernel, the darker the larger its expansion, with a thick border where it "
        "has squeeze-and-excitation. k5e3s: depthwise kernel 5, expansion 3, with "
        "squeeze-and-excitation; id: nothing at all.");
    if (!search || !config)
        return false;
    struct space *space = memory_zeroed(1, sizeof(*space));
    struct path *path;
    struct text_file file;
    space_init(space, &config->space);
    bool found = paths_load(search, "found/path", &path) == 1;
    if (found) {
        data_create(drawing, "", &file);
        print_network(file.out, space, path);
        text_file_commit(&file);
    }
    free(path);
    free(space);
    return found;
}

/* --- All of them -------------------------------------------------------------------
 */

static const struct {
    const char *id, *title;
    bool (*draw)(struct drawing *drawing);
} figures_of_a_run[] = {
    {"figure2", "Figure 2: how sure multi-path sampling is", draw_confidence},
    {"figure3", "Figure 3: accuracy of the searched paths", draw_histogram},
    {"figure4", "Figure 4: rank correlation", draw_correlation},
    {"curves", "Training curves", draw_curves},
    {"front", "The Pareto front by generation", draw_front},
    {"architecture", "The found architecture", draw_architecture},
};
enum { FIGURES = sizeof(figures_of_a_run) / sizeof(figures_of_a_run[0]) };

/* Files that an earlier report left and that this run's artifacts do not give any more:
 * the numbers before they are written anew, the pictures when nothing is to be drawn.
 */
static void remove_files(const char *folder, const char *id, const char *const *endings)
{
    for (; *endings; endings++) {
        char *path = memory_format("%s/%s%s", folder, id, *endings);
        if (unlink(path) != 0 && errno != ENOENT)
            die("cannot remove '%s': %s", path, strerror(errno));
        free(path);
    }
}

static const char *const numbers[] = {
    ".csv", "_steps.csv", "_paths.csv", "_run.csv", "_found.csv", "_rounds.csv", NULL};
static const char *const pictures[] = {".svg", ".png", NULL};

static void write_captions(const char *folder, const struct figure *figures)
{
    struct text_file file;
    text_file_create(&file, "%s/captions.md", folder);
    for (int i = 0; i < FIGURES; i++) {
        fprintf(file.out, "### %s\n\n", figures[i].title);
        if (figures[i].drawn)
            fprintf(file.out, "![%s](%s.svg)\n\n", figures[i].title, figures[i].id);
        else
            fputs("Not drawn: what it needs is not there.\n\n", file.out);
        fprintf(file.out, "%s\n\n", figures[i].caption);
    }
    text_file_commit(&file);
}

int figures_write(struct run *run, const char *folder, struct figure **figures)
{
    *figures = memory_zeroed(FIGURES, sizeof(**figures));
    for (int i = 0; i < FIGURES; i++) {
        struct figure *figure = &(*figures)[i];
        struct drawing drawing = {.figure = figure, .folder = folder};
        figure->id = figures_of_a_run[i].id;
        figure->title = figures_of_a_run[i].title;
        sources_init(&drawing.sources, run);
        remove_files(folder, figure->id, numbers);
        figure->drawn = figures_of_a_run[i].draw(&drawing);
        if (!figure->drawn)
            remove_files(folder, figure->id, pictures);
        char *words = figure->caption, *from = sources_text(&drawing.sources);
        figure->caption = memory_format("%s %s", words, from);
        free(words);
        free(from);
        sources_release(&drawing.sources);
    }
    write_captions(folder, *figures);
    return FIGURES;
}

void figures_free(struct figure *figures, int n)
{
    for (int i = 0; i < n; i++)
        free(figures[i].caption);
    free(figures);
}
