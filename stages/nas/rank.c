#include "nas/rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/quantile.h"
#include "base/rng.h"

bool rank_has_nan(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]))
            return true;
    return false;
}

struct pair {
    double a, b;
};

static int compare(double x, double y)
{
    return (x > y) - (x < y);
}

static int by_a_then_b(const void *left, const void *right)
{
    const struct pair *x = left, *y = right;
    int order = compare(x->a, y->a);
    return order != 0 ? order : compare(x->b, y->b);
}

/* Sorts the n values and returns how many swaps of neighbours that would have taken. */
static double merge_sort(double *value, double *spare, size_t n)
{
    if (n < 2)
        return 0;
    size_t half = n / 2, left = 0, right = half;
    double swaps = merge_sort(value, spare, half) +
                   merge_sort(value + half, spare + half, n - half);
    for (size_t i = 0; i < n; i++) {
        if (right == n || (left < half && value[left] <= value[right])) {
            spare[i] = value[left++];
        } else {
            spare[i] = value[right++];
            swaps += (double)(half - left);
        }
    }
    memcpy(value, spare, n * sizeof *value);
    return swaps;
}

static double pairs_among(size_t n)
{
    return 0.5 * (double)n * ((double)n - 1);
}

/* Pairs with equal values in a sorted list. */
static double tied_pairs(const double *sorted, size_t n)
{
    double tied = 0;
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1; end < n && sorted[end] == sorted[start];)
            end++;
        tied += pairs_among(end - start);
    }
    return tied;
}

/* Pairs that agree in both values; sorted by a, then b. */
static double tied_in_both(const struct pair *sorted, size_t n)
{
    double tied = 0;
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1;
             end < n && by_a_then_b(&sorted[end], &sorted[start]) == 0;)
            end++;
        tied += pairs_among(end - start);
    }
    return tied;
}

/*
 * Sorted by a, and by b where a ties, the pairs that disagree are the inversions left
 * in b. Of all pairs, those tied in neither are: all - tied in a - tied in b + tied in
 * both.
 */
double rank_kendall(const double *a, const double *b, size_t n)
{
    if (n < 2 || rank_has_nan(a, n) || rank_has_nan(b, n))
        return (double)NAN;
    struct pair *pair = memory_zeroed(n, sizeof *pair);
    double *column = memory_zeroed(2 * n, sizeof *column);
    for (size_t i = 0; i < n; i++)
        pair[i] = (struct pair){a[i], b[i]};
    qsort(pair, n, sizeof *pair, by_a_then_b);

    for (size_t i = 0; i < n; i++)
        column[i] = pair[i].a;
    double all = pairs_among(n), tied_a = tied_pairs(column, n);
    double tied_both = tied_in_both(pair, n);
    for (size_t i = 0; i < n; i++)
        column[i] = pair[i].b;
    double disagree = merge_sort(column, column + n, n), tied_b = tied_pairs(column, n);
    free(pair);
    free(column);

    double agree = all - tied_a - tied_b + tied_both - disagree;
    double untied = (all - tied_a) * (all - tied_b);
    return untied > 0 ? (agree - disagree) / sqrt(untied) : (double)NAN;
}

struct item {
    double value;
    size_t index;
};

static int by_value(const void *left, const void *right)
{
    const struct item *x = left, *y = right;
    return compare(x->value, y->value);
}

/* Ranks from 1; equal values share the mean of the ranks they take up. */
static void average_ranks(const double *values, size_t n, double *rank)
{
    struct item *item = memory_zeroed(n, sizeof *item);
    for (size_t i = 0; i < n; i++)
        item[i] = (struct item){values[i], i};
    qsort(item, n, sizeof *item, by_value);
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1; end < n && item[end].value == item[start].value;)
            end++;
        for (size_t i = start; i < end; i++)
            rank[item[i].index] = ((double)(start + 1) + (double)end) / 2;
    }
    free(item);
}

double rank_spearman(const double *a, const double *b, size_t n)
{
    if (n < 2 || rank_has_nan(a, n) || rank_has_nan(b, n))
        return (double)NAN;
    double *rank_a = memory_zeroed(2 * n, sizeof *rank_a), *rank_b = rank_a + n;
    average_ranks(a, n, rank_a);
    average_ranks(b, n, rank_b);
    double mean = ((double)n + 1) / 2, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        double da = rank_a[i] - mean, db = rank_b[i] - mean;
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    free(rank_a);
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* The statistic of one resample; drawn[2 n] is room for it. */
static double resampled(double (*statistic)(const double *, const double *, size_t),
                        const double *a, const double *b, size_t n, struct rng rng,
                        double *drawn)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t from = rng_below(&rng, (uint32_t)n);
        drawn[i] = a[from];
        drawn[n + i] = b[from];
    }
    return statistic(drawn, drawn + n, n);
}

void rank_bootstrap(double (*statistic)(const double *, const double *, size_t),
                    const double *a, const double *b, size_t n, int draws, double level,
                    uint64_t seed, double *low, double *high)
{
    BUG_IF(draws < 1 || !(level > 0 && level < 1) || n > UINT32_MAX);
    double *value = memory_zeroed((size_t)draws, sizeof *value);
#pragma omp parallel
    {
        double *drawn = memory_zeroed(2 * n + 1, sizeof *drawn);
#pragma omp for
        for (int d = 0; d < draws; d++)
            value[d] =
                resampled(statistic, a, b, n,
                          rng_stream(seed, RNG_BOOTSTRAP, 0, (uint64_t)d), drawn);
        free(drawn);
    }
    int defined = 0;
    for (int d = 0; d < draws; d++)
        if (!isnan(value[d]))
            value[defined++] = value[d];
    *low = *high = (double)NAN;
    if (defined > 0) {
        quantile_sort(value, (size_t)defined);
        *low = quantile_of(value, (size_t)defined, (1 - level) / 2);
        *high = quantile_of(value, (size_t)defined, (1 + level) / 2);
    }
    free(value);
}
