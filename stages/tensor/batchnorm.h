/*
 * batchnorm.h - batch normalisation as numbers per channel (Ioffe & Szegedy, 2015).
 *
 * y = gamma * (z - mean) * rstd + beta = scale * z + shift, rstd = 1/sqrt(var + eps),
 * var the biased variance over all pixels. The tensors themselves are touched by the
 * convolutions (see tensor.h); here are the small steps between, and batchnorm_apply()
 * where a block's output has to exist. All arrays [padded c]; gamma and beta are zero
 * in the padding, so scale and shift are zero there.
 */
#ifndef TENSOR_BATCHNORM_H
#define TENSOR_BATCHNORM_H

#include "tensor/tensor.h"

#define BATCHNORM_EPSILON 1e-5

/* One BN's numbers for one batch. */
struct batchnorm {
    float *mean, *rstd, *scale, *shift;
};

/* From the moments of `pixels` pixels. variance may be NULL; else biased, [padded c].
 */
void batchnorm_from_moments(int c, size_t pixels, const struct moments *moments,
                            const float *gamma, const float *beta,
                            const struct batchnorm *bn, float *variance);
/* From given mean and variance (running statistics, or recalibrated ones). */
void batchnorm_from_statistics(int c, const float *mean, const float *variance,
                               const float *gamma, const float *beta,
                               const struct batchnorm *bn);
/* running = (1 - momentum) * running + momentum * batch; the variance unbiased, as
 * usual (factor pixels / (pixels - 1); 1 for a single pixel). */
void batchnorm_update_running(int c, size_t pixels, double momentum, const float *mean,
                              const float *variance, float *running_mean,
                              float *running_variance);

/*
 * sum_g = sum g, sum_gz = sum g * (z - mean) over `pixels` pixels ->
 * dgamma = rstd * sum_gz, dbeta = sum_g, and the coefficients of struct gradient:
 * ca = gamma*rstd, cb = -gamma*rstd^2 * dgamma / pixels, cc = -ca * sum_g / pixels.
 */
void batchnorm_backward(int c, size_t pixels, const float *gamma,
                        const struct batchnorm *bn, const double *sum_g,
                        const double *sum_gz, float *ca, float *cb, float *cc,
                        float *dgamma, float *dbeta);

/* y = scale*z + shift (+ residual, may be NULL or y itself): a block's output. */
void batchnorm_apply(struct shape shape, const float *z, const float *scale,
                     const float *shift, const float *residual, float *y);

/* sum_g and sum_gz of a gradient g that nobody has summed yet. */
void batchnorm_gradient_sums(struct shape shape, const float *g, const float *z,
                             const float *mean, double *sum_g, double *sum_gz,
                             struct arena *scratch);
size_t batchnorm_scratch(struct shape shape);

#endif
