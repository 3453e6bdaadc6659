/*
 * conv_bn.h - a convolution and the batch normalisation after it: where their numbers
 * lie, what a pass leaves of them, and the two steps that every block is made of.
 */
#ifndef NET_CONV_BN_H
#define NET_CONV_BN_H

#include "net/layout.h"
#include "tensor/batchnorm.h"
#include "tensor/tensor.h"

/* Offsets of a convolution with BN: w, gamma, beta among the weights; mean and variance
 * among the running statistics. */
struct conv_bn {
    size_t w, gamma, beta;
    size_t mean, variance;
    int k; /* output channels */
};

/* Appends its arrays to both layouts. shape: of w; inner: see layout_add. */
void conv_bn_init(struct conv_bn *conv, const char *prefix, const char *name, int k,
                  int rank, const size_t *shape, int inner, double fan_out,
                  struct layout *weights, struct layout *statistics);
/* w [k][c], and w [r][r][c]. */
void pointwise_init(struct conv_bn *conv, const char *prefix, const char *name, int c,
                    int k, struct layout *weights, struct layout *statistics);
void depthwise_init(struct conv_bn *conv, const char *prefix, const char *name, int r,
                    int c, struct layout *weights, struct layout *statistics);

/* One BN's numbers in one pass, and the batch's biased variance. */
struct bn_pass {
    struct batchnorm bn;
    float *variance;
};

enum bn_mode {
    BN_BATCH, /* statistics of this batch; bn_pass is written */
    BN_GIVEN, /* bn_pass holds what to use (recalibrated) */
};

/* The supernet's numbers that a block reads. */
struct net_values {
    const float *weights, *statistics; /* statistics: centres of the moments only */
};

void bn_pass_take(int c, struct arena *arena, struct bn_pass *bn);
bool bn_pass_finite(int c, const struct bn_pass *bn);

/* Room for moments about the running mean. */
struct moments conv_bn_moments(const struct conv_bn *conv, const struct net_values *net,
                               struct arena *scratch);
/* BN statistics from the moments of a convolution's output (BN_BATCH). */
void conv_bn_finish(const struct conv_bn *conv, const struct net_values *net,
                    size_t pixels, const struct moments *moments,
                    const struct bn_pass *bn);

/* z = w * x, and its BN's numbers; in the shape of x. */
void pointwise_bn(const struct conv_bn *conv, const struct net_values *net,
                  struct shape in, int stride, const struct source *x,
                  enum bn_mode mode, float *z, const struct bn_pass *bn,
                  struct arena *scratch);
void depthwise_bn(const struct conv_bn *conv, const struct net_values *net,
                  struct shape in, int r, int stride, const struct source *x,
                  enum bn_mode mode, float *z, const struct bn_pass *bn,
                  struct arena *scratch);
/* Scratch bytes of their moments, in up to two blocks of the arena. */
size_t conv_bn_scratch(int k);

/* How z is read after its BN. */
struct source bn_source(const float *z, const struct bn_pass *bn, enum activation act);

/* Sums that a BN's backward wants, [padded k] each. */
struct bn_sums {
    double *g, *gz;
};
struct bn_sums bn_sums_take(int c, struct arena *arena);

/* The coefficients of a raw output's gradient, [padded k] each. */
struct coefficients {
    float *ca, *cb, *cc;
};
struct coefficients coefficients_take(int c, struct arena *arena);

/* BN's backward of one convolution; returns how to read the gradient of its raw output.
 * `gradients` points at the range of the weights that begins at weight `begin`. */
struct gradient conv_bn_backward(const struct conv_bn *conv, size_t begin,
                                 const struct net_values *net, size_t pixels,
                                 const float *g, const float *z,
                                 const struct bn_pass *bn, const struct bn_sums *sums,
                                 const struct coefficients *c, float *gradients);

/* bn's scale and shift from the mean and variance that it holds (BN_GIVEN). */
void conv_bn_given(const struct conv_bn *conv, const struct net_values *net,
                   const struct bn_pass *bn);
/* The same from the running statistics; bn's variance is left alone. */
void conv_bn_running(const struct conv_bn *conv, const struct net_values *net,
                     const struct bn_pass *bn);
typedef void bn_step(const struct conv_bn *conv, const struct net_values *net,
                     const struct bn_pass *bn);
/* Running statistics move towards the batch's after a training step. */
void conv_bn_update_statistics(const struct conv_bn *conv, size_t pixels,
                               double momentum, const struct bn_pass *bn,
                               float *statistics);

#endif
