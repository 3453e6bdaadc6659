/*
 * feasible.h - which share of all paths respects a limit, before anything is trained.
 *
 * Costs are sums over layers, so how the FLOPs (or parameters) of all paths are
 * distributed is a convolution of one small table for each layer. Sums are counted in
 * units of their common divisor, where the space has so few different ones that this
 * is exact; else on a grid, once rounded up and once down, which encloses the share.
 * Limits on several figures at once are sampled.
 */
#ifndef NAS_FEASIBLE_H
#define NAS_FEASIBLE_H

#include <stdint.h>

#include "nas/cost.h"

enum feasible_method {
    FEASIBLE_COUNTED,  /* exact */
    FEASIBLE_ENCLOSED, /* surely between low and high */
    FEASIBLE_SAMPLED,  /* low to high is the 95 % interval of `draws` paths */
};

struct feasible_share {
    double low, high; /* of 1 */
    enum feasible_method method;
    int draws;
};

/* seed: of the draws, if it needs any. A limit on latency is on the table's. */
struct feasible_share feasible_share(const struct cost_table *table,
                                     const struct constraint_config *limit,
                                     uint64_t seed);

#endif
