/* series.c - see series.h. */
#include "io/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

struct series {
    const char *group;
    const struct series_column *column;
    int n_columns;
    long rows, capacity;
    double *value[SERIES_COLUMNS_MAX];
};

struct series *series_create(const char *group, const struct series_column *columns)
{
    struct series *s = memory_zeroed(1, sizeof(*s));
    s->group = group;
    s->column = columns;
    while (columns[s->n_columns].name)
        s->n_columns++;
    BUG_IF(s->n_columns > SERIES_COLUMNS_MAX);
    return s;
}

void series_free(struct series *series)
{
    if (!series)
        return;
    for (int c = 0; c < series->n_columns; c++)
        free(series->value[c]);
    free(series);
}

static void reserve(struct series *s, long rows)
{
    if (rows <= s->capacity)
        return;
    s->capacity = rows > 2 * s->capacity ? rows : 2 * s->capacity;
    for (int c = 0; c < s->n_columns; c++)
        s->value[c] =
            memory_resized(s->value[c], (size_t)s->capacity, sizeof(s->value[c][0]));
}

void series_append(struct series *series, const double *values)
{
    reserve(series, series->rows + 1);
    for (int c = 0; c < series->n_columns; c++)
        series->value[c][series->rows] = values[c];
    series->rows++;
}

long series_length(const struct series *series)
{
    return series->rows;
}

double series_at(const struct series *series, int column, long row)
{
    BUG_IF(column >= series->n_columns || row < 0 || row >= series->rows);
    return series->value[column][row];
}

static void column_name(const struct series *s, int c, char *name, size_t size)
{
    int length =
        snprintf(name, size, "%s%s/%s", s->column[c].measured ? "measured/" : "",
                 s->group, s->column[c].name);
    BUG_IF(length >= (int)size);
}

void series_save(const struct series *series, struct artifact *artifact)
{
    for (int c = 0; c < series->n_columns; c++) {
        char name[128];
        column_name(series, c, name, sizeof(name));
        artifact_write_vector(artifact, name, ARRAY_F64, (size_t)series->rows,
                              series->value[c], series->column[c].units,
                              series->column[c].description);
    }
}

void series_load(struct series *series, struct artifact *artifact)
{
    for (int c = 0; c < series->n_columns; c++) {
        char name[128];
        size_t shape[ARTIFACT_RANK_MAX];
        column_name(series, c, name, sizeof(name));
        if (artifact_shape(artifact, name, shape) != 1)
            die("'%s': no vector '%s', expected one", artifact_path(artifact), name);
        if (c > 0 && (long)shape[0] != series->rows)
            die("'%s': '%s' has %zu rows, expected %ld", artifact_path(artifact), name,
                shape[0], series->rows);
        reserve(series, (long)shape[0]);
        series->rows = (long)shape[0];
        artifact_read(artifact, name, ARRAY_F64, 1, shape, series->value[c]);
    }
}
