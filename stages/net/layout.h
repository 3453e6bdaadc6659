/*
 * layout.h - where each named array lies in one block of floats.
 *
 * All weights are one block, all running statistics another; gradients and momenta
 * reuse the weights' layout. An array is `rows` rows of `cols` floats, `stride` apart
 * (padded to a multiple of 16; the padding is zero), whatever its logical shape; files
 * have the logical shape without padding.
 */
#ifndef NET_LAYOUT_H
#define NET_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAYOUT_NAME_SIZE = 64, LAYOUT_RANK_MAX = 4 };

enum array_init { INIT_ZERO, INIT_ONE, INIT_NORMAL, INIT_UNIFORM };

struct layout_array {
    char name[LAYOUT_NAME_SIZE]; /* "layer03/k5e6/expand/weight" */
    const char *description;
    int rank;
    size_t shape[LAYOUT_RANK_MAX]; /* logical */
    size_t offset, rows, cols, stride;
    bool decay; /* weight decay applies: convolution and linear weights only */
    enum array_init init;
    float spread; /* deviation, or half the uniform interval */
};

struct layout {
    struct layout_array *array;
    int n, capacity;
    size_t floats;
};

void layout_release(struct layout *layout);
/* Appends an array of the given logical shape whose last `inner` dimensions make up the
 * columns; returns its offset. Fields init, spread, decay are set by the caller after.
 */
struct layout_array *layout_add(struct layout *layout, const char *prefix,
                                const char *name, const char *description, int rank,
                                const size_t *shape, int inner);
/* The two usual ones; they return the offset. A vector of c floats, not decayed, and a
 * weight with normal initial values of variance 2 / fan_out. */
size_t layout_add_vector(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int c, enum array_init init);
size_t layout_add_weight(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int rank, const size_t *shape,
                         int inner, double fan_out);
/* Initial values, each array from its own stream (seed, RNG_INIT, index). */
void layout_initialise(const struct layout *layout, uint64_t seed, float *values);
/* Between the padded block and a dense copy of one array. */
void layout_gather(const struct layout_array *array, const float *values, float *dense);
void layout_scatter(const struct layout_array *array, const float *dense,
                    float *values);
size_t layout_dense_floats(const struct layout_array *array);

#endif
