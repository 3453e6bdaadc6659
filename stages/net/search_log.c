/* search_log.c - see search_log.h. */
#include "net/search_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "net/paths_file.h"

void search_log_init(struct search_log *log, int population)
{
    *log = (struct search_log){.population = population, .known = path_map_create()};
}

void search_log_release(struct search_log *log)
{
    free(log->entry);
    free(log->member);
    path_map_free(log->known);
}

const struct search_entry *search_log_find(const struct search_log *log,
                                           const struct path *path)
{
    long i = path_map_find(log->known, path);
    return i < 0 ? NULL : &log->entry[i];
}

void search_log_add(struct search_log *log, const struct search_entry *entry)
{
    /* Doubles when n is a power of two. */
    if ((log->n & (log->n - 1)) == 0)
        log->entry = memory_resized(log->entry, (size_t)(log->n ? 2 * log->n : 1),
                                    sizeof(log->entry[0]));
    long i = path_map_insert(log->known, &entry->path);
    BUG_IF(i != log->n);
    log->entry[log->n++] = *entry;
}

void search_log_add_population(struct search_log *log, const struct path *const *path,
                               int n)
{
    BUG_IF(n > log->population);
    size_t size = (size_t)log->population;
    log->member = memory_resized(log->member, (size_t)(log->n_generations + 1) * size,
                                 sizeof(log->member[0]));
    long *member = log->member + (size_t)log->n_generations++ * size;
    for (int i = 0; i < log->population; i++) {
        member[i] = i < n ? path_map_find(log->known, path[i]) : -1;
        BUG_IF(i < n && member[i] < 0);
    }
}

/* Whether a is the better result. */
static bool better(const struct search_entry *a, const struct search_entry *b)
{
    if (a->score.accuracy != b->score.accuracy)
        return a->score.accuracy > b->score.accuracy;
    if (a->score.loss != b->score.loss)
        return a->score.loss < b->score.loss;
    if (a->cost.flops != b->cost.flops)
        return a->cost.flops < b->cost.flops;
    return path_compare(&a->path, &b->path) < 0;
}

long search_log_found(const struct search_log *log)
{
    long best = -1;
    for (long i = 0; i < log->n; i++)
        if (best < 0 || better(&log->entry[i], &log->entry[best]))
            best = i;
    return best;
}

static int by_cost(const void *a, const void *b, void *context)
{
    const struct search_log *log = context;
    const struct search_entry *x = &log->entry[*(const long *)a];
    const struct search_entry *y = &log->entry[*(const long *)b];
    double one = cost_figure(&x->cost, log->minimised);
    double other = cost_figure(&y->cost, log->minimised);
    if (one != other)
        return one < other ? -1 : 1;
    return better(x, y) ? -1 : better(y, x);
}

int search_log_front(const struct search_log *log, long **index)
{
    long *order = memory_zeroed((size_t)log->n + 1, sizeof(*order));
    for (long i = 0; i < log->n; i++)
        order[i] = i;
    qsort_r(order, (size_t)log->n, sizeof(*order), by_cost, (void *)log);
    int n = 0;
    double best = -1;
    for (long i = 0; i < log->n; i++) {
        double accuracy = log->entry[order[i]].score.accuracy;
        if (accuracy > best) {
            best = accuracy;
            order[n++] = order[i];
        }
    }
    *index = order;
    return n;
}

/* Columns of some entries (all of them: index NULL), written under a group. */
static void save_entries(const struct search_log *log, const long *index, long n,
                         struct artifact *artifact, const char *group)
{
    size_t count = (size_t)n;
    struct path *path = memory_zeroed(count + 1, sizeof(*path));
    double *accuracy = memory_zeroed(count + 1, sizeof(*accuracy));
    double *loss = memory_zeroed(count + 1, sizeof(*loss));
    int64_t *flops = memory_zeroed(count + 1, sizeof(*flops));
    int64_t *params = memory_zeroed(count + 1, sizeof(*params));
    double *latency = memory_zeroed(count + 1, sizeof(*latency));
    int *generation = memory_zeroed(count + 1, sizeof(*generation));
    for (long i = 0; i < n; i++) {
        const struct search_entry *e = &log->entry[index ? index[i] : i];
        path[i] = e->path;
        accuracy[i] = e->score.accuracy;
        loss[i] = e->score.loss;
        flops[i] = e->cost.flops;
        params[i] = e->cost.params;
        latency[i] = e->cost.latency_ms;
        generation[i] = e->generation;
    }
    char name[64];
#define COLUMN(column) (snprintf(name, sizeof(name), "%s/" column, group), name)
    paths_save(artifact, COLUMN("paths"), path, count, "architectures");
    artifact_write_vector(artifact, COLUMN("accuracy"), ARRAY_F64, count, accuracy, "1",
                          "validation accuracy by the supernet's weights");
    artifact_write_vector(artifact, COLUMN("loss"), ARRAY_F64, count, loss, "nats",
                          "mean validation cross-entropy");
    artifact_write_vector(artifact, COLUMN("flops"), ARRAY_I64, count, flops,
                          "multiply-adds", "cost of one image");
    artifact_write_vector(artifact, COLUMN("params"), ARRAY_I64, count, params,
                          "parameters", "weights, biases and BN's two per channel");
    if (log->has_latency)
        artifact_write_vector(artifact, COLUMN("latency"), ARRAY_F64, count, latency,
                              "ms", "by the latency table");
    artifact_write_vector(artifact, COLUMN("generation"), ARRAY_I32, count, generation,
                          "generation", "when it was evaluated");
#undef COLUMN
    free(path);
    free(accuracy);
    free(loss);
    free(flops);
    free(params);
    free(latency);
    free(generation);
}

void search_log_save(const struct search_log *log, const struct space *space,
                     struct artifact *artifact)
{
    space_save(artifact, space);
    save_entries(log, NULL, log->n, artifact, "evaluated");
    artifact_describe(artifact, "evaluated", "every path in the order of evaluation");
    size_t shape[2] = {(size_t)log->n_generations, (size_t)log->population};
    int64_t *member = memory_zeroed(shape[0] * shape[1] + 1, sizeof(*member));
    for (size_t i = 0; i < shape[0] * shape[1]; i++)
        member[i] = log->member[i];
    artifact_write(
        artifact, "population/member", ARRAY_I64, 2, shape, member, "index",
        "each generation's population as indices into evaluated/, best first; "
        "-1: no more");
    free(member);
    artifact_write_i64(artifact, "population/initial_from_pool", log->initial_from_pool,
                       "paths", "paths of generation 0 that came from greedy's pool");
    artifact_describe(artifact, "population", "who was in each generation");
    artifact_write_i64(artifact, "counters/rejected_infeasible",
                       log->rejected_infeasible, "paths",
                       "drawn paths thrown away for violating a constraint");
    artifact_write_i64(artifact, "counters/rejected_duplicate", log->rejected_duplicate,
                       "paths", "drawn paths thrown away for having been seen before");
}

static void load_entries(struct search_log *log, const struct cost_table *cost,
                         struct artifact *artifact)
{
    struct path *path;
    size_t n = paths_load(artifact, "evaluated/paths", &path);
    double *accuracy = memory_zeroed(n + 1, sizeof(*accuracy));
    double *loss = memory_zeroed(n + 1, sizeof(*loss));
    int *generation = memory_zeroed(n + 1, sizeof(*generation));
    artifact_read(artifact, "evaluated/accuracy", ARRAY_F64, 1, &n, accuracy);
    artifact_read(artifact, "evaluated/loss", ARRAY_F64, 1, &n, loss);
    artifact_read(artifact, "evaluated/generation", ARRAY_I32, 1, &n, generation);
    for (size_t i = 0; i < n; i++) {
        struct search_entry e = {path[i],
                                 {loss[i], accuracy[i]},
                                 cost_of_path(cost, &path[i]),
                                 generation[i]};
        if (search_log_find(log, &e.path))
            die("'%s': path %zu of 'evaluated/paths' is there twice",
                artifact_path(artifact), i);
        search_log_add(log, &e);
    }
    free(path);
    free(accuracy);
    free(loss);
    free(generation);
}

void search_log_load(struct search_log *log, const struct cost_table *cost,
                     struct artifact *artifact)
{
    size_t shape[ARTIFACT_RANK_MAX];
    load_entries(log, cost, artifact);
    if (artifact_shape(artifact, "population/member", shape) != 2)
        die("'%s': 'population/member' is not a table", artifact_path(artifact));
    int64_t *member = memory_zeroed(shape[0] * shape[1] + 1, sizeof(*member));
    artifact_read(artifact, "population/member", ARRAY_I64, 2, shape, member);
    free(log->member);
    log->n_generations = (int)shape[0];
    log->population = (int)shape[1];
    log->member = memory_zeroed(shape[0] * shape[1] + 1, sizeof(*log->member));
    for (size_t i = 0; i < shape[0] * shape[1]; i++) {
        if (member[i] < -1 || member[i] >= log->n)
            die("'%s': 'population/member' has index %lld, expected -1 to %ld",
                artifact_path(artifact), (long long)member[i], log->n - 1);
        log->member[i] = (long)member[i];
    }
    free(member);
    log->initial_from_pool =
        (int)artifact_read_i64(artifact, "population/initial_from_pool");
    log->rejected_infeasible =
        artifact_read_i64(artifact, "counters/rejected_infeasible");
    log->rejected_duplicate =
        artifact_read_i64(artifact, "counters/rejected_duplicate");
}

void search_log_save_result(const struct search_log *log, const struct space *space,
                            struct artifact *artifact)
{
    long found = search_log_found(log);
    BUG_IF(found < 0);
    const struct search_entry *e = &log->entry[found];
    char text[PATH_TEXT_SIZE], drawing[PATH_DRAW_SIZE];
    path_to_text(&e->path, space, text);
    path_draw(&e->path, space, drawing, sizeof(drawing));
    artifact_write_text(artifact, "found/drawing", drawing,
                        "the found path as a picture of letters, one line per layer");
    artifact_write_text(
        artifact, "found/architecture", text,
        "the most accurate feasible path: one token per layer, "
        "k3e6 = MBConv kernel 3 expansion 6, s = with SE, id = identity");
    paths_save(artifact, "found/path", &e->path, 1, "the same as indices of space/ops");
    artifact_write_f64(artifact, "found/accuracy", e->score.accuracy, "1",
                       "validation accuracy by the supernet's weights");
    artifact_write_f64(artifact, "found/loss", e->score.loss, "nats",
                       "mean validation cross-entropy");
    artifact_write_i64(artifact, "found/flops", e->cost.flops, "multiply-adds",
                       "cost of one image");
    artifact_write_i64(artifact, "found/params", e->cost.params, "parameters",
                       "weights, biases and BN's two per channel");
    if (log->has_latency)
        artifact_write_f64(artifact, "found/latency", e->cost.latency_ms, "ms",
                           "by the latency table");
    artifact_describe(artifact, "found", "the architecture that the search is for");
    long *index;
    int n = search_log_front(log, &index);
    save_entries(log, index, n, artifact, "front");
    artifact_write_text(artifact, "front/cost", cost_figure_names[log->minimised],
                        "what was minimised beside the error (search.cost)");
    artifact_describe(artifact, "front",
                      "Pareto front of error and cost over all evaluated paths");
    free(index);
}

/* The report. */

static void print_found(struct artifact *artifact, FILE *out)
{
    char *text = artifact_read_text(artifact, "found/architecture");
    char *drawing = artifact_read_text(artifact, "found/drawing");
    if (!text || !drawing)
        die("'%s': no 'found/architecture' and 'found/drawing', expected both",
            artifact_path(artifact));
    fprintf(out, "architecture  %s\n\n%s\n", text, drawing);
    fprintf(out, "validation accuracy on the supernet  %.2f %%  (loss %.4f)\n",
            100 * artifact_read_f64(artifact, "found/accuracy"),
            artifact_read_f64(artifact, "found/loss"));
    fprintf(out, "FLOPs (multiply-adds)  %.3f M\nparameters  %.3f M\n",
            (double)artifact_read_i64(artifact, "found/flops") / 1e6,
            (double)artifact_read_i64(artifact, "found/params") / 1e6);
    if (artifact_has(artifact, "found/latency"))
        fprintf(out, "latency by the table  %.4g ms\n",
                artifact_read_f64(artifact, "found/latency"));
    free(text);
    free(drawing);
}

static void print_tokens(const struct path *path, char **token, size_t n_tokens,
                         FILE *out)
{
    for (int l = 0; l < path->n; l++)
        fprintf(out, " %s", path->op[l] < n_tokens ? token[path->op[l]] : "?");
    fputc('\n', out);
}

static void print_front(struct artifact *artifact, FILE *out)
{
    struct path *path;
    size_t n = paths_load(artifact, "front/paths", &path), n_tokens;
    double *accuracy = memory_zeroed(n + 1, sizeof(*accuracy));
    int64_t *flops = memory_zeroed(n + 1, sizeof(*flops));
    int64_t *params = memory_zeroed(n + 1, sizeof(*params));
    double *latency = memory_zeroed(n + 1, sizeof(*latency));
    bool has_latency = artifact_has(artifact, "front/latency");
    char **token = artifact_read_texts(artifact, "space/ops", &n_tokens);
    if (has_latency)
        artifact_read(artifact, "front/latency", ARRAY_F64, 1, &n, latency);
    artifact_read(artifact, "front/accuracy", ARRAY_F64, 1, &n, accuracy);
    artifact_read(artifact, "front/flops", ARRAY_I64, 1, &n, flops);
    artifact_read(artifact, "front/params", ARRAY_I64, 1, &n, params);
    fprintf(out, "%9s %9s %9s%s  architecture\n", "accuracy", "MFLOPs", "Mparams",
            has_latency ? "        ms" : "");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%7.2f %% %9.3f %9.3f ", 100 * accuracy[i], (double)flops[i] / 1e6,
                (double)params[i] / 1e6);
        if (has_latency)
            fprintf(out, "%9.4g ", latency[i]);
        print_tokens(&path[i], token, token ? n_tokens : 0, out);
    }
    free(path);
    free(accuracy);
    free(flops);
    free(params);
    free(latency);
    free(token);
}

void search_result_print(struct artifact *artifact, FILE *out)
{
    size_t evaluated[ARTIFACT_RANK_MAX] = {0}, member[ARTIFACT_RANK_MAX] = {0};
    artifact_shape(artifact, "evaluated/loss", evaluated);
    artifact_shape(artifact, "population/member", member);
    print_found(artifact, out);
    fprintf(out, "\nPareto front of the %zu evaluated paths\n", evaluated[0]);
    print_front(artifact, out);
    if (member[0])
        fprintf(out,
                "\nfirst population: %lld of %zu paths from greedy's candidate pool\n",
                (long long)artifact_read_i64(artifact, "population/initial_from_pool"),
                member[1]);
    int64_t computed = artifact_read_i64(artifact, "counters/blocks_computed");
    int64_t asked = artifact_read_i64(artifact, "counters/blocks_asked");
    fprintf(out, "block evaluations saved by sharing prefixes: %.1f %%\n",
            asked ? 100 * (1 - (double)computed / (double)asked) : 0);
}
