/*
 * product.h - z = a w' over the pixels of an output, and its gradients: what a 1x1
 * convolution and the stem (the values under its window taken as channels) share.
 *
 * Work is split into chunks of consecutive pixels, at most 16, their number from the
 * shape alone. A thread takes a chunk through tile by tile, each small enough for the
 * second-level cache. Sums are floats within a tile and doubles within a chunk; chunks
 * are added in order.
 */
#ifndef TENSOR_PRODUCT_H
#define TENSOR_PRODUCT_H

#include "tensor/tensor.h"

struct product {
    struct shape in; /* of a, and of the input's gradient */
    int k, stride;
    /* How a is read; not used with `gather`. */
    const struct source *x;
    /* Not NULL: a is nowhere in memory. Writes it for `rows` output pixels from `first`
     * on, [rows][padded in.c], padding zero. */
    void (*gather)(const void *from, size_t first, int rows, float *a);
    const void *gather_from;
};

/* As pointwise.h has them; with `gather`, dx is NULL. */
void product_forward(const struct product *p, const float *w, float *z,
                     const struct moments *moments, struct arena *scratch);
void product_backward(const struct product *p, const struct gradient *dz,
                      const float *w, float *dw, const struct sink *dx,
                      struct arena *scratch);
/* A square p (k = in.c, stride 1), whose product completes a gradient: the sink of
 * `of`, which may be read otherwise than p's a, gets a w' + bias + sink->g. */
void product_complete(const struct product *p, const float *w, const float *bias,
                      const struct source *of, const struct sink *sink,
                      struct arena *scratch);
size_t product_scratch(const struct product *p);

#endif
