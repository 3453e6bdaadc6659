/*
 * rank.h - how well two rankings agree (Table 3).
 *
 * Orientation: pass values that mean the same way up (accuracy, and minus loss). Ties
 * count in neither direction (tau-b) or share the average rank (rho). NAN for fewer
 * than two items, a constant input, or any NAN among the values.
 */
#ifndef NAS_RANK_H
#define NAS_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether some value is no number: then nothing can be ranked. */
bool rank_has_nan(const double *values, size_t n);
/* Kendall's tau-b in O(n log n) (Knight 1966). */
double rank_kendall(const double *a, const double *b, size_t n);
/* Spearman's rho: Pearson's correlation of average ranks. */
double rank_spearman(const double *a, const double *b, size_t n);
/* Percentile bootstrap interval of `statistic` at `level` (0.95) from `draws`
 * resamples of whole items; keyed by seed, whatever the number of threads: statistic()
 * is called by several at once. Resamples for which the statistic is NAN
 * (all equal) are left out; NAN if that is all of them. */
void rank_bootstrap(double (*statistic)(const double *, const double *, size_t),
                    const double *a, const double *b, size_t n, int draws, double level,
                    uint64_t seed, double *low, double *high);

#endif
