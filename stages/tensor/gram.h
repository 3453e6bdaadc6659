/*
 * gram.h - a 1x1 convolution with BN whose output is nowhere in memory: what BN wants
 * of z = w x, forward and backward, follows from small sums over x, for z is linear in
 * x.
 *
 *   mean of z = w mean(x);  variance of z = w Cov(x) w'
 *
 * expand_depthwise.h does the large work. x is read less its mean, about, where it is a
 * plain tensor: what is left of a covariance after taking the mean's square off would
 * be rounding.
 */
#ifndef TENSOR_GRAM_H
#define TENSOR_GRAM_H

#include "tensor/batchnorm.h"
#include "tensor/tensor.h"

/* Sums over the pixels of x less centre; x has c channels. */
struct gram {
    float *centre, *minus_centre, *ones; /* [padded c]; centre 0 of an activated x */
    double *sum;                         /* [padded c] */
    double *product;                     /* [padded c][padded c]: x x' */
};

void gram_take(int c, struct arena *arena, struct gram *gram);
/* All of gram, from x (no gate). */
void gram_of(struct shape in, const struct source *x, const struct gram *gram,
             struct arena *scratch);
/* x less centre. */
struct source gram_source(const struct source *x, const struct gram *gram);

/* Mean and biased variance of w x, w [k][padded c]; [padded k]. */
void gram_statistics(struct shape in, int k, const struct gram *gram, const float *w,
                     float *mean, float *variance, struct arena *scratch);
/* scale * (w (x - centre)) + shifted = scale * (w x) + shift */
void gram_shift(int c, int k, const struct gram *gram, const float *w,
                const float *scale, const float *shift, float *shifted);

/*
 * Backward, from what expand_depthwise_backward() leaves: sum_g, gx, and dx->g, which
 * holds its y. Overwrites dw, dgamma, dbeta, and finishes dx (whose `add` is in y
 * already) for a sink of x. w [k][padded c]; bn of w x.
 */
struct gram_gradient {
    const double *sum_g; /* [padded k] */
    const float *gx;     /* [padded k][padded c] */
    float *dw, *dgamma, *dbeta;
};
void gram_backward(struct shape in, int k, const struct source *x,
                   const struct gram *gram, const float *w, const float *gamma,
                   const struct batchnorm *bn, const struct gram_gradient *to,
                   const struct sink *dx, struct arena *scratch);

size_t gram_scratch(struct shape in, int k);

#endif
