/*
 * rare.h - random paths within limits that few paths keep to.
 *
 * Drawing until a path fits takes for ever where one in a million does. But a cost is a
 * sum over the layers: the paths within a limit can be counted from the last layer to
 * the first, and drawn from the first to the last with every choice in proportion to
 * the paths that it leaves.
 *
 * The law: costs are counted in steps of 1/4096 of what the limit leaves above the
 * space's cheapest path, each layer's rounded up; every path that keeps to the limit
 * when so counted is equally likely, and no other is drawn. Those left out come closer
 * to the limit than a step for each layer. The cheapest path always counts. Under
 * several limits the one that fewest paths keep to is counted, the others are left to
 * trial.
 */
#ifndef NAS_RARE_H
#define NAS_RARE_H

#include "base/rng.h"
#include "nas/cost.h"

struct rare;

/* NULL if a limit is below every path, or there is none. */
struct rare *rare_create(const struct cost_table *cost,
                         const struct constraint_config *limit);
void rare_free(struct rare *rare); /* NULL is allowed */
/* The paths that are drawn from, as a share of the space (under one limit: a little
 * less than the feasible ones). */
double rare_share(const struct rare *rare);
/* False if none of 10,000 paths that keep to one limit keeps to the others. */
bool rare_draw(const struct rare *rare, struct rng *rng, struct path *path);

#endif
