/*
 * activate.h - an activated tensor that has to exist in memory: the stem's output,
 * where the first block after it may pass it on as it is or add it as a residual.
 */
#ifndef TENSOR_ACTIVATE_H
#define TENSOR_ACTIVATE_H

#include "tensor/tensor.h"

/* y = act(scale*z + shift), a plain tensor. No gate. */
void activate_forward(struct shape shape, const struct source *x, float *y);
/* g = dy * act'(scale*z + shift) and its sums, into the sink. */
void activate_backward(struct shape shape, const float *dy, const struct source *x,
                       const struct sink *dx, struct arena *scratch);
size_t activate_scratch(struct shape shape);

#endif
