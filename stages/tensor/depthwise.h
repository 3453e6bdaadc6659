/*
 * depthwise.h - depthwise convolution, kernel r = 3, 5 or 7, stride 1 or 2, padding
 * r/2.
 *
 * w [r][r][padded c]. Any height and width from 1 up.
 */
#ifndef TENSOR_DEPTHWISE_H
#define TENSOR_DEPTHWISE_H

#include "tensor/tensor.h"

/* z[n,p,q,c] = sum over i,j of a[n, p*stride - r/2 + i, q*stride - r/2 + j, c] *
 * w[i,j,c] */
void depthwise_forward(struct shape in, int r, int stride, const struct source *x,
                       const float *w, float *z, const struct moments *moments,
                       struct arena *scratch);

/* dw (overwritten) and the input's gradient in one pass. */
void depthwise_backward(struct shape in, int r, int stride, const struct gradient *dz,
                        const struct source *x, const float *w, float *dw,
                        const struct sink *dx, struct arena *scratch);

size_t depthwise_scratch(struct shape in, int r, int stride);

#endif
