#include "net/correlations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "nas/rank.h"

static const char *const stratum_name[STRATA] = {"all", "top20", "feasible"};
static const char *const measure_name[MEASURES] = {"kendall", "spearman"};
static const char *const by_name[BYS] = {"by_loss", "by_accuracy"};

typedef double statistic(const double *, const double *, size_t);
static statistic *const measure_of[MEASURES] = {rank_kendall, rank_spearman};

/* --- Strata ----------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The least value among the best fifth, rounded up. */
static double best_fifth(const double *value, int n)
{
    double *sorted = memory_zeroed((size_t)n, sizeof(*sorted));
    memcpy(sorted, value, (size_t)n * sizeof(*sorted));
    qsort(sorted, (size_t)n, sizeof(*sorted), descending);
    double least = sorted[(n + 4) / 5 - 1];
    free(sorted);
    return least;
}

int stratum_members(enum stratum stratum, const double *reference,
                    const unsigned char *feasible, int n, int *member)
{
    int members = 0;
    double least = stratum == STRATUM_TOP20 && n ? best_fifth(reference, n) : 0;
    for (int i = 0; i < n; i++)
        if (stratum == STRATUM_ALL ||
            (stratum == STRATUM_TOP20 && reference[i] >= least) ||
            (stratum == STRATUM_FEASIBLE && feasible[i]))
            member[members++] = i;
    return members;
}

/* --- Computing -------------------------------------------------------------------- */

/* What all correlations have in common, and room for the values of a stratum. */
struct computing {
    const struct agreement *agreement;
    int resamples;
    uint64_t seed;
    bool (*stop)(void);
    int *member;
    double *a, *b;
};

static void table_init(struct correlation_table *table, int n)
{
    *table = (struct correlation_table){.n = n};
    for (int m = 0; m < MEASURES; m++)
        table->cell[m] =
            memory_zeroed((size_t)(STRATA * n) + 1, sizeof(*table->cell[m]));
}

static void table_release(struct correlation_table *table)
{
    for (int m = 0; m < MEASURES; m++)
        free(table->cell[m]);
}

static bool is_constant(const double *value, int n)
{
    for (int i = 1; i < n; i++)
        if (value[i] != value[0])
            return false;
    return true;
}

static void explain(const char *what, int stratum, const double *a, const double *b,
                    int n)
{
    const char *why = n < 2                        ? "fewer than two paths"
                      : rank_has_nan(a, (size_t)n) ? "a score is not a number"
                      : is_constant(a, n)          ? "all paths have the same score"
                      : is_constant(b, n)          ? "all paths have the same accuracy"
                                                   : "a value is not a number";
    log_info("%s, stratum %s (%d path%s): no correlation, %s", what,
             stratum_name[stratum], n, n == 1 ? "" : "s", why);
}

/* One column of a table: how the ranking by `value` agrees with that by `reference`. */
static void correlate(const struct computing *c, const char *what, const double *value,
                      const double *reference, int column,
                      struct correlation_table *table)
{
    for (int s = 0; s < STRATA; s++) {
        int n = stratum_members((enum stratum)s, reference, c->agreement->feasible,
                                c->agreement->n_paths, c->member);
        for (int i = 0; i < n; i++) {
            c->a[i] = value[c->member[i]];
            c->b[i] = reference[c->member[i]];
        }
        table->size[s] = n;
        for (int m = 0; m < MEASURES; m++) {
            struct correlation *cell = &table->cell[m][s * table->n + column];
            cell->value = measure_of[m](c->a, c->b, (size_t)n);
            rank_bootstrap(measure_of[m], c->a, c->b, (size_t)n, c->resamples, 0.95,
                           c->seed, &cell->low, &cell->high);
        }
        if (isnan(table->cell[MEASURE_KENDALL][s * table->n + column].value))
            explain(what, s, c->a, c->b, n);
    }
}

/* What ranks the paths: by a supernet on so many images. */
static void values_of(const struct agreement *a, const struct judged *judged,
                      enum by by, int column, double *value)
{
    for (int i = 0; i < a->n_paths; i++) {
        struct score score =
            judged->score[(size_t)i * (size_t)(a->n_few + 1) + (size_t)column];
        value[i] = by == BY_LOSS ? -score.loss : score.accuracy;
    }
}

static bool correlate_supernet(const struct computing *c, const struct judged *judged,
                               const double *reference, const char *with, int columns,
                               struct correlation_table table[BYS])
{
    const struct agreement *a = c->agreement;
    double *value = memory_zeroed((size_t)a->n_paths, sizeof(*value));
    bool complete = true;
    for (int by = 0; by < BYS; by++) {
        table_init(&table[by], columns);
        for (int k = 0; complete && k < columns; k++) {
            char *what =
                memory_format("%s, %s on %d images with %s", judged->name, by_name[by],
                              k < a->n_few ? a->few[k] : a->n_images, with);
            values_of(a, judged, (enum by)by, k, value);
            correlate(c, what, value, reference, k, &table[by]);
            free(what);
            complete = !c->stop || !c->stop();
        }
    }
    free(value);
    return complete;
}

static int pairs_of(int runs)
{
    return runs * (runs - 1) / 2;
}

/* How well the truth agrees with itself; the later run says which paths are best. */
static void correlate_runs(const struct computing *c, struct correlation_table *table)
{
    const struct truth *t = c->agreement->truth;
    double *one = memory_zeroed((size_t)t->n + 1, sizeof(*one));
    double *other = memory_zeroed((size_t)t->n + 1, sizeof(*other));
    table_init(table, pairs_of(t->n_runs));
    int column = 0;
    for (int r = 0; r < t->n_runs; r++)
        for (int q = r + 1; q < t->n_runs; q++) {
            for (int i = 0; i < t->n; i++) {
                one[i] = t->run[(size_t)i * (size_t)t->n_runs + (size_t)r];
                other[i] = t->run[(size_t)i * (size_t)t->n_runs + (size_t)q];
            }
            char *what = memory_format("truth, run %d with run %d", r, q);
            correlate(c, what, one, other, column++, table);
            free(what);
        }
    free(one);
    free(other);
}

static bool compute(struct correlations *correlations, const struct computing *c)
{
    const struct agreement *a = c->agreement;
    double *full = memory_zeroed((size_t)a->n_paths, sizeof(*full));
    bool complete = true;
    for (int s = 0; complete && s < a->n_supernets; s++) {
        values_of(a, &a->supernet[s], BY_ACCURACY, a->n_few, full);
        complete = correlate_supernet(c, &a->supernet[s], full, "all", a->n_few,
                                      correlations->with_full[s]);
        if (complete && a->truth)
            complete =
                correlate_supernet(c, &a->supernet[s], a->truth->accuracy, "the truth",
                                   a->n_few + 1, correlations->with_truth[s]);
    }
    if (complete && a->truth)
        correlate_runs(c, &correlations->among_runs);
    free(full);
    return complete;
}

bool correlations_compute(struct correlations *correlations,
                          const struct agreement *agreement, int resamples,
                          uint64_t seed, bool (*stop)(void))
{
    size_t n = (size_t)agreement->n_paths, s = (size_t)agreement->n_supernets;
    struct computing c = {.agreement = agreement,
                          .resamples = resamples,
                          .seed = seed,
                          .stop = stop,
                          .member = memory_zeroed(n + 1, sizeof(*c.member)),
                          .a = memory_zeroed(n + 1, sizeof(*c.a)),
                          .b = memory_zeroed(n + 1, sizeof(*c.b))};
    *correlations = (struct correlations){.n_supernets = agreement->n_supernets};
    correlations->with_full = memory_zeroed(s + 1, sizeof(*correlations->with_full));
    if (agreement->truth)
        correlations->with_truth =
            memory_zeroed(s + 1, sizeof(*correlations->with_truth));
    bool complete = compute(correlations, &c);
    free(c.member);
    free(c.a);
    free(c.b);
    return complete;
}

void correlations_release(struct correlations *correlations)
{
    for (int s = 0; s < correlations->n_supernets; s++)
        for (int by = 0; by < BYS; by++) {
            table_release(&correlations->with_full[s][by]);
            if (correlations->with_truth)
                table_release(&correlations->with_truth[s][by]);
        }
    table_release(&correlations->among_runs);
    free(correlations->with_full);
    free(correlations->with_truth);
}

/* --- Saving ----------------------------------------------------------------------- */

/* NAME, NAME_low and NAME_high. */
static void save_cells(const struct correlation_table *table, int measure,
                       const char *name, struct artifact *artifact)
{
    static const char *const ending[] = {"", "_low", "_high"};
    static const char *const description[] = {
        "rank correlation, by stratum; NaN: undefined",
        "lower end of its 95 % bootstrap interval",
        "upper end of its 95 % bootstrap interval"};
    size_t n = (size_t)(STRATA * table->n), shape[] = {STRATA, (size_t)table->n};
    double *value = memory_zeroed(n + 1, sizeof(*value));
    for (int e = 0; e < 3; e++) {
        char *array = memory_format("%s%s", name, ending[e]);
        for (size_t i = 0; i < n; i++) {
            const struct correlation *cell = &table->cell[measure][i];
            value[i] = e == 0 ? cell->value : e == 1 ? cell->low : cell->high;
        }
        artifact_write(artifact, array, ARRAY_F64, 2, shape, value, "1",
                       description[e]);
        free(array);
    }
    free(value);
}

static void save_supernet(const struct correlation_table table[BYS], const char *group,
                          struct artifact *artifact)
{
    for (int m = 0; m < MEASURES; m++)
        for (int by = 0; by < BYS; by++) {
            char *name = memory_format("%s/%s/%s", group, measure_name[m], by_name[by]);
            save_cells(&table[by], m, name, artifact);
            free(name);
        }
}

static void save_sizes(const int size[STRATA], const char *group,
                       struct artifact *artifact)
{
    char *name = memory_format("%s/stratum_size", group);
    artifact_write_vector(artifact, name, ARRAY_I32, STRATA, size, "paths",
                          "paths in each stratum");
    free(name);
}

static void save_pairs(int runs, struct artifact *artifact)
{
    size_t pairs = (size_t)pairs_of(runs), n = 0;
    int *pair = memory_zeroed(2 * pairs + 1, sizeof(*pair));
    for (int r = 0; r < runs; r++)
        for (int q = r + 1; q < runs; q++) {
            pair[n++] = r;
            pair[n++] = q;
        }
    artifact_write(artifact, "truth/pair", ARRAY_I32, 2, (size_t[]){pairs, 2}, pair,
                   "index", "the runs that are compared with each other");
    free(pair);
}

static void save_truth(const struct correlations *correlations, const struct truth *t,
                       struct artifact *artifact)
{
    size_t n = (size_t)t->n;
    artifact_write_text(artifact, "truth/file", t->file, "the table of accuracies");
    artifact_write_text(artifact, "truth/digest", t->digest, "of the table's bytes");
    artifact_write(artifact, "truth/runs", ARRAY_F64, 2,
                   (size_t[]){n, (size_t)t->n_runs}, t->run, "as in the table",
                   "known accuracies of each path, one for each run of its training");
    artifact_write_vector(artifact, "truth/accuracy", ARRAY_F64, n, t->accuracy,
                          "as in the table", "mean over the runs");
    save_pairs(t->n_runs, artifact);
    save_cells(&correlations->among_runs, MEASURE_KENDALL, "truth/kendall", artifact);
    save_cells(&correlations->among_runs, MEASURE_SPEARMAN, "truth/spearman", artifact);
    artifact_describe(artifact, "truth",
                      "what the paths reach when trained alone, and how well one run "
                      "ranks them as another does: the ceiling for any ranking");
}

void correlations_save(const struct correlations *correlations,
                       const struct agreement *agreement, struct artifact *artifact)
{
    artifact_write_vector(artifact, "strata", ARRAY_TEXT, STRATA, stratum_name, "1",
                          "all paths; the best fifth by what a ranking is compared "
                          "with; those within search.constraints");
    for (int s = 0; s < correlations->n_supernets; s++) {
        char *group = memory_format("supernets/%s", agreement->supernet[s].name);
        char *truth = memory_format("%s/truth", group);
        save_supernet(correlations->with_full[s], group, artifact);
        save_sizes(correlations->with_full[s][BY_LOSS].size, group, artifact);
        if (agreement->truth) {
            save_supernet(correlations->with_truth[s], truth, artifact);
            save_sizes(correlations->with_truth[s][BY_LOSS].size, truth, artifact);
        }
        free(truth);
        free(group);
    }
    if (agreement->truth)
        save_truth(correlations, agreement->truth, artifact);
}

/* --- The report ------------------------------------------------------------------- */

/* A table of doubles [rows, columns]; NULL if there is none of that name. The caller
 * frees. */
static double *read_table(struct artifact *artifact, const char *name, size_t shape[2])
{
    size_t found[ARTIFACT_RANK_MAX];
    if (artifact_shape(artifact, name, found) != 2)
        return NULL;
    double *value = memory_zeroed(found[0] * found[1] + 1, sizeof(*value));
    artifact_read(artifact, name, ARRAY_F64, 2, found, value);
    memcpy(shape, found, 2 * sizeof(*shape));
    return value;
}

static void print_cells(const double *value, size_t n, FILE *out)
{
    for (size_t k = 0; k < n; k++)
        if (isnan(value[k]))
            fprintf(out, "%8s", "-");
        else
            fprintf(out, "%8.3f", value[k]);
}

/* One line: a supernet's correlations in a stratum. */
static void print_row(struct artifact *artifact, const char *supernet,
                      const char *array, int stratum, FILE *out)
{
    size_t shape[2];
    char *name = memory_format("supernets/%s/%s", supernet, array);
    double *value = read_table(artifact, name, shape);
    if (!value || shape[0] != STRATA)
        die("'%s': no table '%s' of %d strata", artifact_path(artifact), name, STRATA);
    fprintf(out, "  %-20s", supernet);
    print_cells(value + (size_t)stratum * shape[1], shape[1], out);
    fputc('\n', out);
    free(value);
    free(name);
}

struct report {
    struct artifact *artifact;
    char **supernet;
    size_t n_supernets;
    size_t n_few;
    int *few, n_images;
    FILE *out;
};

static void print_block(const struct report *r, const char *title, const char *array,
                        int stratum, bool all_images)
{
    fprintf(r->out, "\n%s\n  %-20s", title, "images");
    for (size_t k = 0; k < r->n_few; k++)
        fprintf(r->out, "%8d", r->few[k]);
    if (all_images)
        fprintf(r->out, "%8d", r->n_images);
    fputc('\n', r->out);
    for (size_t s = 0; s < r->n_supernets; s++)
        print_row(r->artifact, r->supernet[s], array, stratum, r->out);
}

static void print_accuracies(const struct report *r)
{
    fprintf(r->out, "\nmean accuracy of the paths on all images, and of the best\n");
    for (size_t s = 0; s < r->n_supernets; s++) {
        size_t n[ARTIFACT_RANK_MAX];
        double sum = 0, best = 0;
        char *name = memory_format("supernets/%s/full_accuracy", r->supernet[s]);
        artifact_shape(r->artifact, name, n);
        double *value = memory_zeroed(n[0] + 1, sizeof(*value));
        artifact_read(r->artifact, name, ARRAY_F64, 1, n, value);
        for (size_t i = 0; i < n[0]; i++) {
            sum += value[i];
            best = fmax(best, value[i]);
        }
        fprintf(r->out, "  %-20s%7.2f %%%7.2f %%\n", r->supernet[s],
                100 * sum / (double)n[0], 100 * best);
        free(value);
        free(name);
    }
}

static void print_ceiling(const struct report *r)
{
    size_t shape[2];
    double *value = read_table(r->artifact, "truth/kendall", shape);
    if (!value)
        return;
    print_block(r, "Kendall's tau with the known accuracies, by loss",
                "truth/kendall/by_loss", STRATUM_ALL, true);
    if (shape[1] > 0) {
        fprintf(r->out, "  %-20s", "one run by another");
        print_cells(value, shape[1], r->out);
        fputc('\n', r->out);
    }
    free(value);
}

static void report_init(struct report *r, struct artifact *artifact, FILE *out)
{
    size_t shape[ARTIFACT_RANK_MAX];
    *r = (struct report){.artifact = artifact, .out = out};
    if (artifact_shape(artifact, "strata", shape) != 1 || shape[0] != STRATA)
        die("'%s' has no correlations by %d strata: a shard, or damaged",
            artifact_path(artifact), STRATA);
    r->supernet = artifact_read_texts(artifact, "supernet_names", &r->n_supernets);
    char *name = memory_format("supernets/%s/images", r->supernet[0]);
    artifact_shape(artifact, name, shape);
    r->n_few = shape[0];
    r->few = memory_zeroed(r->n_few + 1, sizeof(*r->few));
    artifact_read(artifact, name, ARRAY_I32, 1, &r->n_few, r->few);
    artifact_shape(artifact, "validation/image", shape);
    r->n_images = (int)shape[0];
    free(name);
}

void correlations_print(struct artifact *artifact, FILE *out)
{
    struct report r;
    size_t shape[ARTIFACT_RANK_MAX];
    report_init(&r, artifact, out);
    artifact_shape(artifact, "paths/paths", shape);
    fprintf(out,
            "%zu random paths: their ranking on few images against that by accuracy on "
            "%d\n",
            shape[0], r.n_images);
    print_block(&r, "Kendall's tau by loss", "kendall/by_loss", STRATUM_ALL, false);
    print_block(&r, "Kendall's tau by accuracy", "kendall/by_accuracy", STRATUM_ALL,
                false);
    print_block(&r, "Kendall's tau by loss, among the best fifth", "kendall/by_loss",
                STRATUM_TOP20, false);
    print_ceiling(&r);
    print_accuracies(&r);
    free(r.supernet);
    free(r.few);
}
