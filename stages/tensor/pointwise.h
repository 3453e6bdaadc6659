/*
 * pointwise.h - 1x1 convolution: nearly all of a network's multiply-adds.
 *
 * A pixel's output is w times its input. Stride 2 (the identity choice that changes the
 * shape) takes every second pixel of every second row: p = (h - 1) / stride + 1.
 * w [k][padded c]; its padding lanes are zero, and so are dw's.
 */
#ifndef TENSOR_POINTWISE_H
#define TENSOR_POINTWISE_H

#include "tensor/tensor.h"

/* z[n,p,q,k] = sum over c of a[n,p*stride,q*stride,c] * w[k,c], with z's moments
 * (moments->sum NULL: none are taken). */
void pointwise_forward(struct shape in, int k, int stride, const struct source *x,
                       const float *w, float *z, const struct moments *moments,
                       struct arena *scratch);

/*
 * dw[k,c] = sum over n,p,q of dz * a (overwritten; NULL: not wanted);
 * da[n,p*stride,q*stride,c] = sum over k of dz * w[k,c], 0 where no output looks,
 * handed to the sink (NULL: not wanted). One pass over z and the input.
 */
void pointwise_backward(struct shape in, int k, int stride, const struct gradient *dz,
                        const struct source *x, const float *w, float *dw,
                        const struct sink *dx, struct arena *scratch);

size_t pointwise_scratch(struct shape in, int k, int stride);

#endif
