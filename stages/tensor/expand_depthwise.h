/*
 * expand_depthwise.h - a 1x1 convolution that widens, its BN and activation, and the
 * depthwise convolution that reads them, in one pass over the small input.
 *
 *   a = act(scale * (w1 x) + shift);  z[n,p,q,c] = sum over i,j of a[...] * w2[i,j,c]
 *
 * The wide tensors, w1 x and its gradient, are the largest of a network and never
 * exist: a few rows at a time are made where the depthwise convolution wants them, and
 * in backward made once more. That takes BN's statistics of w1 x before w1 x is there,
 * see gram.h.
 */
#ifndef TENSOR_EXPAND_DEPTHWISE_H
#define TENSOR_EXPAND_DEPTHWISE_H

#include "tensor/tensor.h"

struct expand_depthwise {
    struct shape in; /* of x */
    int expanded, r, stride;
    struct source x; /* no gate */
    enum activation act;
    const float *w1, *scale, *shift; /* w1 [expanded][padded in.c] */
    const float *w2;                 /* [r][r][padded expanded] */
};

void expand_depthwise_forward(const struct expand_depthwise *e, float *z,
                              const struct moments *moments, struct arena *scratch);

/*
 * What one pass can say of the gradients; gram_backward() makes the rest of it. With g
 * the gradient of BN's output, scale * (w1 x) + shift: all overwritten.
 */
struct expand_gradient {
    float *dw2;    /* [r][r][padded expanded] */
    double *sum_g; /* [padded expanded]: sum over pixels of g */
    float *gx;     /* [padded expanded][padded in.c]: sum over pixels of g x' */
    float *y;      /* like x: (diag(scale) w1)' g, plus `add` unless that is NULL */
    const float *add;
};
void expand_depthwise_backward(const struct expand_depthwise *e,
                               const struct gradient *dz,
                               const struct expand_gradient *to, struct arena *scratch);

size_t expand_depthwise_scratch(struct shape in, int expanded, int r, int stride);

#endif
