/* quantile.h - medians, quartiles and the like of a sample. */
#ifndef BASE_QUANTILE_H
#define BASE_QUANTILE_H

#include <stddef.h>

/* Into ascending order; none of them a NAN. */
void quantile_sort(double *value, size_t n);
/*
 * Of n > 0 values in ascending order: 0.5 is the median, 0.25 the lower quartile.
 * Between two values it is on the straight line that joins them.
 */
double quantile_of(const double *sorted, size_t n, double share);

#endif
