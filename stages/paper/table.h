/*
 * table.h - a table of a report: filled cell by cell, written as Markdown, CSV, LaTeX
 * and HTML.
 *
 * Text is UTF-8 and plain; each writer escapes what its format takes for its own. CSV
 * has numbers in full where the others round, and an interval in columns of its own.
 */
#ifndef PAPER_TABLE_H
#define PAPER_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/die.h"

enum table_align { TABLE_LEFT, TABLE_RIGHT };
enum table_format { TABLE_MARKDOWN, TABLE_CSV, TABLE_LATEX, TABLE_HTML };

struct table;

/* id: "table1", the name of its files; title: "Table 1: what training cost". */
struct table *table_create(const char *id, const char *title);
void table_free(struct table *table); /* NULL is allowed */
const char *table_id(const struct table *table);
const char *table_title(const struct table *table);

/* All columns before the first row. A heading has no comma and no quote in it. */
void table_column(struct table *table, enum table_align align, const char *heading);
/* Begins a row; the calls below fill its cells from left to right. */
void table_row(struct table *table);
void table_text(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* NAN is unknown. */
void table_number(struct table *table, double value, int decimals);
/* `value` with its interval: "91.2 [90.6, 91.7]". */
void table_interval(struct table *table, double value, double low, double high,
                    int decimals);
/* "1,281,167" */
void table_count(struct table *table, int64_t value);
void table_check(struct table *table, bool on);
/* A cell that has no meaning in this row, or whose value nobody recorded. */
void table_unknown(struct table *table);
/* A cell whose artifact is not there: what a person types to have it. */
void table_missing(struct table *table, const char *target);
/* What stands under it; replaces what was set before. */
void table_caption(struct table *table, const char *caption);

/* "1,281,167"; the caller frees. */
char *count_text(int64_t value);

void table_write(const struct table *table, enum table_format format, FILE *out);
/* FOLDER/ID.md, .csv and .tex. */
void table_save(const struct table *table, const char *folder);

#endif
