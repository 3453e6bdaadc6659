/*
 * sampler.h - which paths are trained: uniform over the space, or with probability
 * epsilon uniform over the candidate pool (Eq. 8).
 *
 * Draws are a function of the stream that is passed in: with one stream for each round
 * there is nothing to save and nothing to resume.
 */
#ifndef NAS_SAMPLER_H
#define NAS_SAMPLER_H

#include "base/rng.h"
#include "nas/cost.h"
#include "nas/pool.h"

struct sampler {
    const struct space *space;
    const struct cost_table *cost;
    struct constraint_config constraint; /* zeros: none */
    int64_t rejected;                    /* uniform draws, against the constraint */
};

void sampler_init(struct sampler *sampler, const struct space *space,
                  const struct cost_table *cost,
                  const struct constraint_config *constraint);
/* One uniform (feasible) path. After 100,000 rejections in a row it is drawn by
 * rare.h's law, which is nearly the same; dies if that finds none, saying so. */
void sampler_uniform(struct sampler *sampler, struct rng *rng, struct path *path);
/* Strict fairness (FairNAS): as many paths as a layer has choices, path[n_ops], such
 * that each layer has each of its choices in one of them; a permutation for each layer.
 */
void sampler_fair(const struct space *space, struct rng *rng, struct path *path);
/*
 * n distinct paths, each from the pool with probability epsilon, else uniform: a path
 * that is already among them is drawn again, source included; after 500 attempts for a
 * place from the space alone, for a pool that is drawn from always may hold fewer than
 * n. The pool may be NULL or empty; its paths must respect the constraint. If the space
 * has fewer than n distinct feasible paths, repeats are allowed after 1000 attempts for
 * a place. from_pool[n] (may be NULL) says which.
 */
void sampler_mixture(struct sampler *sampler, struct rng *rng, const struct pool *pool,
                     double epsilon, int n, struct path *path, bool *from_pool);

#endif
