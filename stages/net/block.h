/*
 * block.h - one operation at one place of the network, with its own weights: MBConv
 * (expand - depthwise - [squeeze-excite] - project, method.md's search space) or
 * identity (nothing, or a 1x1 convolution + BN where the shape changes).
 *
 * A block does not own memory: its weights lie in the supernet's block of floats, its
 * tensors in an arena. block_take() decides what is kept of a forward pass.
 */
#ifndef NET_BLOCK_H
#define NET_BLOCK_H

#include "nas/space.h"
#include "net/layout.h"
#include "tensor/batchnorm.h"
#include "tensor/gram.h"
#include "tensor/squeeze_excite.h"
#include "tensor/tensor.h"

/* Offsets of a convolution with BN: w, gamma, beta among the weights; mean and variance
 * among the running statistics. */
struct conv_bn {
    size_t w, gamma, beta;
    size_t mean, variance;
    int k; /* output channels */
};

struct block {
    struct op op;
    struct block_place place;
    char name[LAYOUT_NAME_SIZE]; /* "layer03/k5e6" */
    enum activation act, se_act, se_gate;
    int expanded, se_reduced; /* widths; se_reduced 0: no SE */
    bool has_expand;          /* MBConv with expansion > 1 */
    bool passes;              /* identity that keeps the shape: output = input */
    bool residual;            /* MBConv that keeps the shape */
    struct conv_bn expand, depthwise, project; /* identity's convolution: project */
    size_t se_w1, se_b1, se_w2, se_b2;
    size_t begin, end; /* its range of the weights */
};

/* The words of the config that say how a block is built. */
struct block_style {
    enum activation act, se_act, se_gate;
};

/* Appends the block's arrays to both layouts. */
void block_init(struct block *block, const char *name, const struct space *space,
                const struct op *op, const struct block_place *place,
                const struct block_style *style, struct layout *weights,
                struct layout *statistics);
/* False for the place of one that was never built (supernet_create_path()). */
bool block_is_built(const struct block *block);
/* One convolution with BN, for stem and head too. shape: of w; inner: see layout_add.
 */
void conv_bn_init(struct conv_bn *conv, const char *prefix, const char *name, int k,
                  int rank, const size_t *shape, int inner, double fan_out,
                  struct layout *weights, struct layout *statistics);

/* One BN's numbers in one pass, and the batch's biased variance. */
struct bn_pass {
    struct batchnorm bn;
    float *variance;
};

/* What a forward pass leaves. y is the output (a pass-through block has none of its
 * own: its output is its input). */
struct block_tensors {
    float *z1, *z2, *z3, *y; /* z1: not in a fused block, see block.c */
    struct gram gram;        /* in its place, of the input */
    float *shift1;           /* bn1's shift for the input less gram.centre */
    struct bn_pass bn1, bn2, bn3;
    struct squeeze_excite_saved se;
};

enum bn_mode {
    BN_BATCH, /* statistics of this batch; bn* are written */
    BN_GIVEN, /* bn* hold what to use (recalibrated) */
};

/* The supernet's numbers that a block reads. */
struct net_values {
    const float *weights, *statistics; /* statistics: centres of the moments only */
};

/* Takes y only (outputs), then the rest (inner): a scorer releases the rest early. */
void block_take_output(const struct block *block, int n, struct arena *arena,
                       struct block_tensors *tensors);
void block_take_inner(const struct block *block, int n, struct arena *arena,
                      struct block_tensors *tensors);
void block_take_bn(const struct block *block, struct arena *arena,
                   struct block_tensors *tensors);
void bn_pass_take(int c, struct arena *arena, struct bn_pass *bn);

/* x: the block's input, plain or (the first block after the stem) activated. */
void block_forward(const struct block *block, const struct net_values *net, int n,
                   const struct source *x, enum bn_mode mode,
                   struct block_tensors *tensors, struct arena *scratch);

/* BN statistics from the moments of a convolution's output (BN_BATCH). */
void conv_bn_finish(const struct conv_bn *conv, const struct net_values *net,
                    size_t pixels, const struct moments *moments,
                    const struct bn_pass *bn);
/* Room for moments about the running mean. */
struct moments conv_bn_moments(const struct conv_bn *conv, const struct net_values *net,
                               struct arena *scratch);

/* Sums that a BN's backward wants, [padded k] each. */
struct bn_sums {
    double *g, *gz;
};

/*
 * dy: gradient of the block's output y, with `sums` taken over z3. Writes the gradients
 * of its weights to `gradients` (laid out as its range of the weights: gradients[0] is
 * weight block->begin) and the input's gradient to `dx` (the residual is added here; g
 * must not be dy's memory). BN_BATCH statistics are assumed. A pass-through block has
 * no backward.
 */
void block_backward(const struct block *block, const struct net_values *net, int n,
                    const struct source *x, const struct block_tensors *tensors,
                    const float *dy, const struct bn_sums *sums, float *gradients,
                    const struct sink *dx, struct arena *arena, struct arena *scratch);
/* Takes what block_backward() takes from `arena`; for planning. */
void block_plan_backward(const struct block *block, int n, struct arena *arena);

/* Scratch bytes of forward and backward. */
size_t block_scratch(const struct block *block, int n);

/* Running statistics move towards the batch's after a training step. */
void block_update_statistics(const struct block *block, int n, double momentum,
                             const struct block_tensors *tensors, float *statistics);
void conv_bn_update_statistics(const struct conv_bn *conv, size_t pixels,
                               double momentum, const struct bn_pass *bn,
                               float *statistics);

/* The name of the first of the block's convolutions whose BN is not finite (the batch's
 * statistics, or its scale and shift), or NULL: where a training run blew up. */
const char *block_first_not_finite(const struct block *block,
                                   const struct block_tensors *tensors);
bool bn_pass_finite(int c, const struct bn_pass *bn);

#endif
