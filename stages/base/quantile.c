#include "base/quantile.h"

#include <stdlib.h>

#include "base/die.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void quantile_sort(double *value, size_t n)
{
    if (n)
        qsort(value, n, sizeof(*value), by_value);
}

double quantile_of(const double *sorted, size_t n, double share)
{
    BUG_IF(n == 0 || !(share >= 0 && share <= 1));
    double position = share * (double)(n - 1);
    size_t below = (size_t)position;
    if (below >= n - 1)
        return sorted[n - 1];
    return sorted[below] +
           (position - (double)below) * (sorted[below + 1] - sorted[below]);
}
