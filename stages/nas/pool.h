/*
 * pool.h - the candidate pool: the best paths met so far, and their loss (Section 3.3).
 *
 * Greedy training draws from it to exploit what it has learnt (sampler.h), stops when
 * it settles, and hands it to the search as the first population. At most `capacity`
 * paths, those with the lowest loss; a path is in it once. Ties are broken by genotype,
 * so the order never depends on history.
 *
 * A pool owns copies of its paths. One thread at a time.
 */
#ifndef NAS_POOL_H
#define NAS_POOL_H

#include <stdbool.h>

#include "nas/path.h"

struct pool;
struct pool *pool_create(int capacity);
void pool_free(struct pool *pool); /* NULL is allowed */
int pool_size(const struct pool *pool);
int pool_capacity(const struct pool *pool);

/*
 * Offers a path; the one with the highest loss makes room if it must. A path that is in
 * already takes the new loss, better or not: the weights have moved on. Returns whether
 * it is in the pool now. A loss that is not finite is never let in, and a path whose
 * new loss is not finite leaves.
 */
bool pool_offer(struct pool *pool, const struct path *path, double loss);
/* New loss for a path if it is in (drawn again and rejected); returns whether it is. */
bool pool_refresh(struct pool *pool, const struct path *path, double loss);
bool pool_contains(const struct pool *pool, const struct path *path);
/*
 * What became of one round: paths[n] and their new losses, the first `kept` of them
 * chosen. Members among them take their new loss, chosen or not (not `refresh`: they
 * keep the old one); then the chosen ones that were no members are offered. So nobody
 * falls out for a loss that this round has renewed, whatever the order of the paths.
 */
void pool_update(struct pool *pool, const struct path *paths, const double *losses,
                 int n, int kept, bool refresh);
/* The i-th best, 0 = lowest loss; loss may be NULL. */
const struct path *pool_at(const struct pool *pool, int i, double *loss);

/*
 * Turnover (Eq. 10 as corrected): the share of today's pool that was not in it `window`
 * steps ago, |P \ P_t| / |P|. Call pool_remember(step) once a round, step by step
 * upwards; P_t is the latest remembered pool that is at least `window` steps old. Until
 * there is one, and while the pool is not full, turnover is 1. Pools too old to be
 * asked for again are forgotten: what is kept is the rounds of one window and one more.
 */
void pool_remember(struct pool *pool, int64_t step, int64_t window);
double pool_turnover(const struct pool *pool, int64_t step, int64_t window);

/* For checkpoints: the remembered pools, oldest first, as flat arrays that the caller
 * frees: n pools, step[n], size[n], and all their paths one after another, each pool's
 * by genotype. The pool itself is restored by offering its paths again. */
void pool_history(const struct pool *pool, int *n, int64_t **step, int **size,
                  struct path **paths);
void pool_restore_history(struct pool *pool, int n, const int64_t *step,
                          const int *size, const struct path *paths);

#endif
