/*
 * nsga2.h - NSGA-II (Deb et al., 2002) over paths; minimises every objective.
 *
 * Knows nothing of networks: `evaluate` gets a list of paths it has not seen before and
 * fills their objectives. No path is evaluated twice; infeasible ones are rejected
 * before evaluation. The initial population counts as generation 0, so that a search of
 * 20 generations of 50 evaluates 1,000 paths. Uniform crossover, mutation to a
 * different op with at least one change, binary tournaments, and one total order for
 * ties (objectives, then genotype). Random numbers depend on (seed, generation) alone,
 * and nothing depends on the order or the threads in which a batch is evaluated.
 */
#ifndef NAS_NSGA2_H
#define NAS_NSGA2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "nas/path.h"

enum { NSGA2_OBJECTIVES_MAX = 4 };

struct individual {
    struct path path;
    double objective[NSGA2_OBJECTIVES_MAX];
    int front;       /* 0 = not dominated */
    double crowding; /* INFINITY at both ends of its front, per objective */
};

struct nsga2_problem {
    const struct space *space;
    int n_objectives;
    bool (*feasible)(const struct path *path, void *context); /* NULL: all are */
    /* Fills objective[i] for each of n paths. Called once per generation. NAN counts as
     * INFINITY: worse than anything. */
    void (*evaluate)(const struct path *path, int n,
                     double (*objective)[NSGA2_OBJECTIVES_MAX], void *context);
    void *context;
    /* A random feasible path where draws at random find no new one: false if there is
     * no such way. NULL: there is none. */
    bool (*construct)(struct rng *rng, struct path *path, void *context);
};

struct nsga2_settings {
    int population, generations;
    double mutation;
    uint64_t seed;
};

struct nsga2;
struct nsga2 *nsga2_create(const struct nsga2_problem *problem,
                           const struct nsga2_settings *settings);
void nsga2_free(struct nsga2 *nsga2); /* NULL is allowed */

/* Generation 0: the first feasible, distinct paths of `initial` in order, topped up
 * with random feasible ones (by construct(), where 100,000 draws in a row were nothing
 * new); fewer than asked when the space has no more. Returns how
 * many came from `initial`. Dies if there is no feasible path at all. */
int nsga2_start(struct nsga2 *nsga2, const struct path *initial, int n_initial);
/* One generation: offspring, evaluation, survivors. False when all generations are done
 * or the space has no new feasible path left (found for certain in spaces of up to a
 * million paths; in larger ones, after that many were tried; a first population that
 * is not full does not end the search there). */
bool nsga2_advance(struct nsga2 *nsga2);
int nsga2_generation(const struct nsga2 *nsga2);
/* The current population, sorted by (front, crowding descending, total order). */
int nsga2_population(const struct nsga2 *nsga2, const struct individual **individuals);

/* Everything that was evaluated, in order; generation[i] is when. */
long nsga2_evaluated(const struct nsga2 *nsga2, const struct individual **individuals,
                     const int **generation);
/* Paths drawn at random or bred, and thrown away: infeasible, or seen before. */
int64_t nsga2_rejected_infeasible(const struct nsga2 *nsga2);
int64_t nsga2_rejected_duplicate(const struct nsga2 *nsga2);

/* For checkpoints: sets the state after generation `generation` from what the accessors
 * above gave; fronts and crowding need not be in it. Continues bit for bit. */
void nsga2_restore(struct nsga2 *nsga2, int generation,
                   const struct individual *population, int n,
                   const struct individual *evaluated, const int *evaluated_generation,
                   long n_evaluated, int64_t rejected_infeasible,
                   int64_t rejected_duplicate);

/* The building blocks, for tests and reports. Non-dominated sort: sets .front, returns
 * how many fronts there are. */
int nsga2_sort_fronts(struct individual *individuals, int n, int n_objectives);
/* Crowding within each front; fronts have to be set. Infinite in fronts of one or two;
 * an objective that is the same in all of the front adds nothing, not even at its ends.
 */
void nsga2_crowding(struct individual *individuals, int n, int n_objectives);
bool nsga2_dominates(const double *a, const double *b, int n_objectives);
/* Area dominated between the points and the reference; two objectives, minimised. */
double nsga2_hypervolume(const double (*points)[2], int n, const double reference[2]);

#endif
