/* global_pool.h - global average pooling of an activated tensor. */
#ifndef TENSOR_GLOBAL_POOL_H
#define TENSOR_GLOBAL_POOL_H

#include "tensor/tensor.h"

/* y[n][padded c] = mean over pixels of a. */
void global_pool_forward(struct shape in, const struct source *x, float *y);
/* da = dy / (h*w) for every pixel, handed to the sink. dy [n][padded c]. */
void global_pool_backward(struct shape in, const float *dy, const struct source *x,
                          const struct sink *dx, struct arena *scratch);
size_t global_pool_scratch(struct shape in);

#endif
