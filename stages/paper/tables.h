/*
 * tables.h - the paper's four tables, filled from the artifacts of a run. What a cell
 * needs and is not there, it says.
 */
#ifndef PAPER_TABLES_H
#define PAPER_TABLES_H

#include "base/options.h"
#include "paper/run.h"
#include "paper/table.h"

/* Each makes one table; the caller frees it with table_free(). */
struct table *table_of_costs(struct run *run); /* Table 1 */
/* Table 2; `published`: files of networks (configs/zoo). */
struct table *table_of_networks(struct run *run, const struct option_texts *published);
struct table *table_of_correlation(struct run *run); /* Table 3 */
struct table *table_of_ablation(struct run *run);    /* Table 4 */

#endif
