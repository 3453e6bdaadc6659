/*
 * cost.h - FLOPs and parameters of a path, exactly; and its latency, by a table.
 *
 * "FLOPs" are multiply-adds of convolutions, the linear layer and SE's convolutions for
 * one image, as the papers count; parameters are their weights and biases and BN's two
 * per channel. Latency is what a table of measurements says (nas/latency.h); 0 without
 * one. All are sums over layers, so the extremes of the space are exact too.
 */
#ifndef NAS_COST_H
#define NAS_COST_H

#include <stddef.h>
#include <stdint.h>

#include "nas/path.h"

struct cost {
    int64_t flops, params;
    double latency_ms;
};

/* One of its figures, as the search's settings name them: flops, params, latency_ms. */
enum cost_figure { COST_FLOPS, COST_PARAMS, COST_LATENCY, COST_FIGURES };
extern const char *const cost_figure_names[COST_FIGURES];
/* By name; COST_FIGURES if there is none of that name. */
enum cost_figure cost_figure_find(const char *name);
double cost_figure(const struct cost *cost, enum cost_figure figure);

/* Every (layer, op) cost of a space, and of what all paths share. */
struct cost_table {
    int n_layers, n_ops;
    bool has_latency;   /* cost_table_set_latency() gave every op its time */
    struct cost shared; /* stem, fixed blocks, head, classifier */
    struct cost op[SPACE_LAYERS_MAX][SPACE_OPS_MAX];
};

void cost_table_init(struct cost_table *table, const struct space *space);
struct cost cost_of_block(const struct space *space, const struct op *op,
                          const struct block_place *place);
struct cost cost_of_path(const struct cost_table *table, const struct path *path);
/* The least and the most any path has, each of the figures by itself. */
void cost_range(const struct cost_table *table, struct cost *least, struct cost *most);
/* The path with the most (else the fewest) FLOPs; of equal ones the first choice. */
void cost_extreme_path(const struct cost_table *table, bool most, struct path *path);
/* All weights of the supernet: shared + every op of every layer. */
int64_t cost_supernet_params(const struct cost_table *table);

/* Does the path respect the limits (0 = no limit)? */
bool cost_feasible(const struct cost *cost, const struct constraint_config *limit);
/*
 * NULL if some path may be feasible, else a message with the space's minimum; the
 * caller frees. Exact for one limit. For several at once it can prove that no path
 * meets them, or find one that does; in the narrow gap between (ops that trade FLOPs
 * for parameters) it answers NULL, and the sampler has the last word.
 */
char *cost_infeasible(const struct cost_table *table,
                      const struct constraint_config *limit);
/* The setting of the first limit that there is: "flops"; for messages. */
const char *cost_limit_name(const struct constraint_config *limit);
/* The same for a program at its start: exits as asked wrong, naming the file and the
 * setting ("search.constraints") that the limits are from. */
void cost_check(const struct cost_table *table, const struct constraint_config *limit,
                const char *file, const char *setting);
/* And where there are no costs yet (nor latencies). */
void constraint_check(const struct space_config *space,
                      const struct constraint_config *limit, const char *file,
                      const char *setting);

#endif
