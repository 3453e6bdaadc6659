/* layout.c - see layout.h. */
#include "net/layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/tensor.h"

void layout_release(struct layout *layout)
{
    free(layout->array);
    *layout = (struct layout){0};
}

struct layout_array *layout_add(struct layout *layout, const char *prefix,
                                const char *name, const char *description, int rank,
                                const size_t *shape, int inner)
{
    BUG_IF(rank < 1 || rank > LAYOUT_RANK_MAX || inner < 1 || inner > rank);
    if (layout->n == layout->capacity) {
        layout->capacity = layout->capacity ? 2 * layout->capacity : 64;
        layout->array = memory_resized(layout->array, (size_t)layout->capacity,
                                       sizeof(layout->array[0]));
    }
    struct layout_array *a = &layout->array[layout->n++];
    memset(a, 0, sizeof(*a));
    int length = snprintf(a->name, sizeof(a->name), "%s/%s", prefix, name);
    BUG_IF(length >= (int)sizeof(a->name));
    a->description = description;
    a->rank = rank;
    a->rows = a->cols = 1;
    for (int i = 0; i < rank; i++) {
        a->shape[i] = shape[i];
        *(i < rank - inner ? &a->rows : &a->cols) *= shape[i];
    }
    a->stride = channels_padded((int)a->cols);
    a->offset = layout->floats;
    layout->floats += a->rows * a->stride;
    return a;
}

size_t layout_add_vector(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int c, enum array_init init)
{
    struct layout_array *a =
        layout_add(layout, prefix, name, description, 1, &(size_t){(size_t)c}, 1);
    a->init = init;
    return a->offset;
}

size_t layout_add_weight(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int rank, const size_t *shape,
                         int inner, double fan_out)
{
    struct layout_array *a =
        layout_add(layout, prefix, name, description, rank, shape, inner);
    a->init = INIT_NORMAL;
    a->spread = (float)sqrt(2.0 / fan_out);
    a->decay = true;
    return a->offset;
}

static void array_initialise(const struct layout_array *a, struct rng rng,
                             float *values)
{
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->cols; c++) {
            float *v = &values[a->offset + r * a->stride + c];
            switch (a->init) {
            case INIT_ZERO:
                *v = 0;
                break;
            case INIT_ONE:
                *v = 1;
                break;
            case INIT_NORMAL:
                *v = (float)(rng_normal(&rng) * (double)a->spread);
                break;
            case INIT_UNIFORM:
                *v = (float)((2 * rng_uniform(&rng) - 1) * (double)a->spread);
                break;
            }
        }
}

void layout_initialise(const struct layout *layout, uint64_t seed, float *values)
{
    memset(values, 0, layout->floats * sizeof(float));
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < layout->n; i++)
        array_initialise(&layout->array[i], rng_stream(seed, RNG_INIT, 0, (uint64_t)i),
                         values);
}

size_t layout_dense_floats(const struct layout_array *array)
{
    return array->rows * array->cols;
}

void layout_gather(const struct layout_array *array, const float *values, float *dense)
{
    for (size_t r = 0; r < array->rows; r++)
        memcpy(dense + r * array->cols, values + array->offset + r * array->stride,
               array->cols * sizeof(float));
}

void layout_scatter(const struct layout_array *array, const float *dense, float *values)
{
    for (size_t r = 0; r < array->rows; r++)
        memcpy(values + array->offset + r * array->stride, dense + r * array->cols,
               array->cols * sizeof(float));
}
