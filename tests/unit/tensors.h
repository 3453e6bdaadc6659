/*
 * tensors.h - float arrays for kernel tests: drawn, converted, compared.
 *
 * A test draws its operands, gives the same numbers to the kernel and (in double) to
 * its plain-loop reference, and compares within a bound worked out from the magnitudes
 * of the terms.
 */
#ifndef UNIT_TENSORS_H
#define UNIT_TENSORS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tensor/tensor.h"

/* Evenly spread over [low, high); the next of one fixed sequence. */
static inline double drawn(double low, double high)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

/* [rows][padded c], padding zero. The caller frees. */
static inline float *drawn_rows(size_t rows, int c, double low, double high)
{
    const size_t padded = channels_padded(c);
    float *x = memory_zeroed(rows * padded, sizeof(*x));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < (size_t)c; j++)
            x[i * padded + j] = (float)drawn(low, high);
    return x;
}

/* Not overwritten means: still NaN. */
static inline float *nan_floats(size_t count)
{
    float *x = memory_zeroed(count, sizeof(*x));
    for (size_t i = 0; i < count; i++)
        x[i] = NAN;
    return x;
}

static inline double *nan_doubles(size_t count)
{
    double *x = memory_zeroed(count, sizeof(*x));
    for (size_t i = 0; i < count; i++)
        x[i] = (double)NAN;
    return x;
}

/* |found - expected| <= relative * magnitude, everywhere; NaN fails. */
#define assert_near_all(name, found, expected, magnitude, relative, count)             \
    do {                                                                               \
        for (size_t at_ = 0; at_ < (count); at_++) {                                   \
            const double off_ = fabs((double)(found)[at_] - (double)(expected)[at_]);  \
            if (!(off_ <= (relative) * (magnitude)[at_]))                              \
                fail_msg("%s[%zu] is %.9g, expected %.9g within %.2g", name, at_,      \
                         (double)(found)[at_], (double)(expected)[at_],                \
                         (relative) * (magnitude)[at_]);                               \
        }                                                                              \
    } while (0)

#endif
