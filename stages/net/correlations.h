/*
 * correlations.h - what the scores of an agreement say: rank correlations with
 * bootstrap intervals, by stratum, as arrays of rankcorr.h5 (agreement.h) and as a
 * table.
 *
 * Always the same way up: minus loss, or accuracy, against accuracy. Each is looked at
 * over all paths, over the best fifth by what the ranking is compared with (all that
 * tie with the last of them are in), and over the feasible ones.
 */
#ifndef NET_CORRELATIONS_H
#define NET_CORRELATIONS_H

#include "net/agreement.h"

enum stratum { STRATUM_ALL, STRATUM_TOP20, STRATUM_FEASIBLE, STRATA };
enum measure { MEASURE_KENDALL, MEASURE_SPEARMAN, MEASURES };
enum by { BY_LOSS, BY_ACCURACY, BYS };

/* NaN where it is undefined: fewer than two paths, or all with the same value. */
struct correlation {
    double value, low, high; /* 95 % interval */
};

/* cell[measure][stratum * n + column]. */
struct correlation_table {
    int n;
    struct correlation *cell[MEASURES];
    int size[STRATA]; /* paths in each stratum */
};

/* The members of a stratum as indices, in order; returns how many. reference: what
 * makes a path one of the best. */
int stratum_members(enum stratum stratum, const double *reference,
                    const unsigned char *feasible, int n, int *member);

struct correlations {
    int n_supernets;
    struct correlation_table (*with_full)[BYS];  /* [supernets]; n = n_few */
    struct correlation_table (*with_truth)[BYS]; /* n = n_few + 1; NULL: unknown */
    struct correlation_table among_runs;         /* of the truth; n = pairs of runs */
};

/* Asks stop() now and then; false if it gave up. Release either way. What is undefined
 * is said in the log, with the reason. */
bool correlations_compute(struct correlations *correlations,
                          const struct agreement *agreement, int resamples,
                          uint64_t seed, bool (*stop)(void));
void correlations_release(struct correlations *correlations);
void correlations_save(const struct correlations *correlations,
                       const struct agreement *agreement, struct artifact *artifact);

/* The tables of a finished rankcorr.h5, from the artifact alone. */
void correlations_print(struct artifact *artifact, FILE *out);

#endif
