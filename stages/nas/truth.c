#include "nas/truth.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/h5.h"
#include "io/problems.h"

/* No table of paths is larger; what is, is another file. */
enum { FILE_SIZE_MAX = 256 << 20 };

static char *read_bytes(const char *file, size_t *size)
{
    FILE *in = fopen(file, "rb");
    if (!in)
        die("cannot read '%s': %s", file, strerror(errno));
    char *bytes = NULL;
    size_t capacity = 0;
    *size = 0;
    do {
        capacity += 1 << 20;
        bytes = memory_resized(bytes, capacity + 1, 1);
        *size += fread(bytes + *size, 1, capacity - *size, in);
    } while (*size == capacity && capacity < FILE_SIZE_MAX);
    if (ferror(in))
        die("cannot read '%s': %s", file, strerror(errno));
    if (*size >= FILE_SIZE_MAX)
        die("'%s' has 256 MiB or more, expected a table of accuracies", file);
    fclose(in);
    bytes[*size] = '\0';
    return bytes;
}

/* A row that is being read, and how many there are. */
struct reading {
    struct truth *truth;
    const struct space *space;
    struct problems problems;
    struct place place;
    int *line; /* of each row, for repeated paths; HDF5: its number */
};

static void add_row(struct reading *reading, const struct path *path, const double *run)
{
    struct truth *t = reading->truth;
    /* Doubles when n is a power of two. */
    if ((t->n & (t->n - 1)) == 0) {
        size_t room = t->n ? 2 * (size_t)t->n : 1;
        t->path = memory_resized(t->path, room, sizeof *t->path);
        t->run = memory_resized(t->run, room * (size_t)t->n_runs, sizeof *t->run);
        reading->line = memory_resized(reading->line, room, sizeof *reading->line);
    }
    t->path[t->n] = *path;
    memcpy(t->run + (size_t)t->n * (size_t)t->n_runs, run,
           (size_t)t->n_runs * sizeof *run);
    reading->line[t->n++] = reading->place.line;
}

/* --- CSV -------------------------------------------------------------------------- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* "0213": a digit for each layer. */
static bool parse_digits(struct path *path, const struct space *space, const char *text)
{
    if (strlen(text) != (size_t)space->n_layers ||
        strspn(text, "0123456789") != (size_t)space->n_layers)
        return false;
    *path = (struct path){.n = (uint8_t)space->n_layers};
    for (int l = 0; l < space->n_layers; l++) {
        path->op[l] = (uint8_t)(text[l] - '0');
        if (path->op[l] >= space->n_ops)
            return false;
    }
    return true;
}

static bool parse_path(struct reading *reading, const char *text, struct path *path)
{
    char why[160];
    if (parse_digits(path, reading->space, text) ||
        path_parse(path, reading->space, text, why, sizeof why))
        return true;
    problems_add(&reading->problems, reading->place,
                 "'%.60s' is no path of this space: %s", text, why);
    return false;
}

static bool parse_accuracy(struct reading *reading, const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end != text && *end == '\0' && isfinite(*value))
        return true;
    problems_add(&reading->problems, reading->place,
                 "'%.60s' is no accuracy, expected a number", text);
    return false;
}

/* Splits at commas; returns how many fields there are, of which `most` are kept. */
static int split(char *line, char **field, int most)
{
    int n = 0;
    for (char *rest = line; rest; n++) {
        char *word = strsep(&rest, ",");
        if (n < most)
            field[n] = trimmed(word);
    }
    return n;
}

static void read_line(struct reading *reading, char *line)
{
    char *field[1 + TRUTH_RUNS_MAX];
    double run[TRUTH_RUNS_MAX];
    struct path path;
    struct truth *t = reading->truth;
    int n = split(line, field, 1 + TRUTH_RUNS_MAX);
    if (t->n_runs == 0 && n >= 2 && n <= 1 + TRUTH_RUNS_MAX)
        t->n_runs = n - 1;
    if (n < 2 || n != 1 + t->n_runs) {
        if (t->n_runs)
            problems_add(&reading->problems, reading->place,
                         "%d fields, expected %d as before: a path and its accuracies",
                         n, 1 + t->n_runs);
        else
            problems_add(&reading->problems, reading->place,
                         "%d fields, expected a path and 1 to %d accuracies", n,
                         TRUTH_RUNS_MAX);
        return;
    }
    bool good = parse_path(reading, field[0], &path);
    for (int r = 0; r < t->n_runs; r++)
        good &= parse_accuracy(reading, field[1 + r], &run[r]);
    if (good)
        add_row(reading, &path, run);
}

static bool is_header(const char *line)
{
    return strncmp(line, "path", 4) == 0 && (line[4] == ',' || isspace(line[4]));
}

static void read_csv(struct reading *reading, char *text)
{
    bool first = true;
    for (char *rest = text; rest;) {
        char *line = trimmed(strsep(&rest, "\n"));
        reading->place.line++;
        if (*line == '\0' || *line == '#')
            continue;
        if (!first || !is_header(line))
            read_line(reading, line);
        first = false;
    }
}

/* --- HDF5 ------------------------------------------------------------------------- */

/* Reads an array as a type; NULL after a problem. rank: 1 to most. */
static void *read_array(struct reading *reading, hid_t file, const char *name,
                        enum array_type type, int most, struct h5_array *array)
{
    void *data = NULL;
    char *error = h5_inspect(file, name, array);
    if (!error && (array->type == ARRAY_TEXT || array->rank < 1 || array->rank > most))
        error = memory_format("it has rank %d and is of type %s, expected numbers of "
                              "rank at most %d",
                              array->rank, h5_type_name(array->type), most);
    if (!error) {
        data = memory_zeroed(h5_count(array) + 1, h5_type_size(type));
        error = h5_read(file, name, array, type, data);
    }
    if (!error)
        return data;
    problems_add(&reading->problems, reading->place, "array '%s': %s", name, error);
    free(error);
    free(data);
    return NULL;
}

static void read_rows(struct reading *reading, const int64_t *op, const double *run,
                      size_t n)
{
    const struct space *space = reading->space;
    for (size_t i = 0; i < n; i++, op += space->n_layers) {
        struct path path = {.n = (uint8_t)space->n_layers};
        bool good = true;
        for (int l = 0; l < space->n_layers; l++) {
            good &= op[l] >= 0 && op[l] < space->n_ops;
            path.op[l] = (uint8_t)op[l];
        }
        const double *runs = run + i * (size_t)reading->truth->n_runs;
        for (int r = 0; r < reading->truth->n_runs; r++)
            good &= isfinite(runs[r]);
        reading->place.line = (int)i + 1;
        if (good)
            add_row(reading, &path, runs);
        else
            problems_add(&reading->problems, reading->place,
                         "this row of 'paths' and 'accuracy' has a choice that is not "
                         "0 to %d, or no finite accuracy",
                         space->n_ops - 1);
    }
}

static void read_hdf5(struct reading *reading, const char *name)
{
    hid_t file;
    struct h5_array paths = {0}, accuracy = {0};
    char *error = h5_open(name, &file);
    if (error)
        die("cannot read '%s': %s", name, error);
    int64_t *op = read_array(reading, file, "paths", ARRAY_I64, 2, &paths);
    double *run = read_array(reading, file, "accuracy", ARRAY_F64, 2, &accuracy);
    error = h5_close(file);
    if (error)
        die("cannot close '%s': %s", name, error);
    size_t runs = accuracy.rank == 2 ? accuracy.shape[1] : 1;
    if (!op || !run)
        return free(op), free(run);
    if (paths.rank != 2 || paths.shape[1] != (size_t)reading->space->n_layers)
        problems_add(&reading->problems, reading->place,
                     "'paths' has rank %d and %zu layers, expected rank 2 and %d",
                     paths.rank, paths.rank == 2 ? paths.shape[1] : 0,
                     reading->space->n_layers);
    else if (accuracy.shape[0] != paths.shape[0] || runs < 1 || runs > TRUTH_RUNS_MAX)
        problems_add(&reading->problems, reading->place,
                     "'accuracy' is of %zu paths and %zu runs, expected %zu as 'paths' "
                     "has and 1 to %d",
                     accuracy.shape[0], runs, paths.shape[0], TRUTH_RUNS_MAX);
    else {
        reading->truth->n_runs = (int)runs;
        read_rows(reading, op, run, paths.shape[0]);
    }
    free(op);
    free(run);
}

/* --- Both ------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b, void *context)
{
    const struct path *path = context;
    int i = *(const int *)a, j = *(const int *)b;
    int order = path_compare(&path[i], &path[j]);
    return order ? order : i - j;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The same for the same values in any order: else rounding would part paths that tie.
 */
static double mean_of(const double *value, size_t n)
{
    double sorted[TRUTH_RUNS_MAX], sum = 0;
    memcpy(sorted, value, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t i = 0; i < n; i++)
        sum += sorted[i];
    return sum / (double)n;
}

/* Keeps the rows index[n], in that order, and their means. */
static void keep_rows(struct truth *t, const int *index, int n)
{
    size_t runs = (size_t)t->n_runs;
    struct path *path = memory_zeroed((size_t)n + 1, sizeof *path);
    double *run = memory_zeroed((size_t)n * runs + 1, sizeof *run);
    double *accuracy = memory_zeroed((size_t)n + 1, sizeof *accuracy);
    for (int i = 0; i < n; i++) {
        const double *from = t->run + (size_t)index[i] * runs;
        path[i] = t->path[index[i]];
        memcpy(run + (size_t)i * runs, from, runs * sizeof *run);
        accuracy[i] = mean_of(from, runs);
    }
    free(t->path), free(t->run), free(t->accuracy);
    t->path = path;
    t->run = run;
    t->accuracy = accuracy;
    t->n = n;
}

static int *row_numbers(int n)
{
    int *index = memory_zeroed((size_t)n + 1, sizeof *index);
    for (int i = 0; i < n; i++)
        index[i] = i;
    return index;
}

static void sort_rows(struct reading *reading)
{
    struct truth *t = reading->truth;
    int *index = row_numbers(t->n);
    qsort_r(index, (size_t)t->n, sizeof *index, by_path, t->path);
    for (int i = 1; i < t->n; i++)
        if (path_equal(&t->path[index[i]], &t->path[index[i - 1]])) {
            reading->place.line = reading->line[index[i]];
            problems_add(&reading->problems, reading->place,
                         "its path is in row %d already", reading->line[index[i - 1]]);
        }
    keep_rows(t, index, t->n);
    free(index);
}

struct truth *truth_read(const char *file, const struct space *space)
{
    struct truth *t = memory_zeroed(1, sizeof *t);
    struct reading reading = {.truth = t, .space = space, .place = {file, 0, 1}};
    size_t size;
    t->file = memory_text_copy(file);
    char *bytes = read_bytes(file, &size);
    digest_of(bytes, size, t->digest);
    problems_init(&reading.problems);
    if (size >= 8 && memcmp(bytes, "\x89HDF\r\n\x1a\n", 8) == 0)
        read_hdf5(&reading, file);
    else if (memchr(bytes, '\0', size))
        die("'%s' is neither HDF5 nor text, expected a table of accuracies", file);
    else
        read_csv(&reading, bytes);
    free(bytes);
    if (!reading.problems.n)
        sort_rows(&reading);
    if (reading.problems.n)
        die("%s", problems_text(&reading.problems));
    if (t->n == 0)
        die("'%s' has no paths, expected a table of their accuracies", file);
    problems_release(&reading.problems);
    free(reading.line);
    return t;
}

void truth_free(struct truth *truth)
{
    if (!truth)
        return;
    free(truth->file);
    free(truth->path);
    free(truth->run);
    free(truth->accuracy);
    free(truth);
}

static int by_number(const void *a, const void *b)
{
    int i = *(const int *)a, j = *(const int *)b;
    return (i > j) - (i < j);
}

void truth_draw(struct truth *truth, struct rng *rng, int n)
{
    if (n >= truth->n)
        return;
    int *index = row_numbers(truth->n);
    rng_shuffle(rng, index, truth->n);
    qsort(index, (size_t)n, sizeof *index, by_number);
    keep_rows(truth, index, n);
    free(index);
}
