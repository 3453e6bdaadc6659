/*
 * series.h - the scalars of a run, a row per step or round: what curves are drawn from.
 *
 * In an artifact each column is an array `<group>/<name>`; columns marked `measured`
 * (times and rates) lie in `measured/<group>/<name>`, which the digest leaves out.
 */
#ifndef IO_SERIES_H
#define IO_SERIES_H

#include <stdbool.h>

#include "io/artifact.h"

enum { SERIES_COLUMNS_MAX = 16 };

struct series_column {
    const char *name, *units, *description;
    bool measured;
};

struct series;
/* columns: static storage, kept; ends with a row whose name is NULL. */
struct series *series_create(const char *group, const struct series_column *columns);
void series_free(struct series *series); /* NULL is allowed */

/* One value per column, in the table's order. */
void series_append(struct series *series, const double *values);
long series_length(const struct series *series);
double series_at(const struct series *series, int column, long row);

void series_save(const struct series *series, struct artifact *artifact);
/* Replaces the contents by what was saved. */
void series_load(struct series *series, struct artifact *artifact);

#endif
