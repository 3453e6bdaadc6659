/*
 * block.h - one operation at one place of the network, with its own weights: MBConv
 * (expand - depthwise - [squeeze-excite] - project, method.md's search space) or
 * identity (nothing, or a 1x1 convolution + BN where the shape changes). What is no
 * chain of convolutions is a cell (cell.h).
 *
 * A block does not own memory: its weights lie in the supernet's block of floats, its
 * tensors in an arena. block_take() decides what is kept of a forward pass.
 */
#ifndef NET_BLOCK_H
#define NET_BLOCK_H

#include "nas/space.h"
#include "net/conv_bn.h"
#include "tensor/gram.h"
#include "tensor/squeeze_excite.h"

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
    struct cell *cell; /* not NULL: its inside is a graph; of the above, name and act */
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
void block_release(struct block *block);

enum { BLOCK_BNS = 3 };

/* What a forward pass leaves. y is the output (a pass-through block has none of its
 * own: its output is its input). A cell has its inner tensors in z2, and all its BNs'
 * numbers, one after the other, in the last bn. */
struct block_tensors {
    float *z1, *z2, *z3, *y; /* z1: not in a fused block, see block.c */
    struct gram gram;        /* in its place, of the input */
    float *shift1;           /* the first BN's shift for the input less gram.centre */
    struct bn_pass bn[BLOCK_BNS]; /* of expand, depthwise, project */
    struct squeeze_excite_saved se;
};

/* Takes y only (outputs), then the rest (inner): a scorer releases the rest early. */
void block_take_output(const struct block *block, int n, struct arena *arena,
                       struct block_tensors *tensors);
void block_take_inner(const struct block *block, int n, struct arena *arena,
                      struct block_tensors *tensors);
void block_take_bn(const struct block *block, struct arena *arena,
                   struct block_tensors *tensors);
/* The channels of each of its BNs; 0: it has none there. */
void block_bn_channels(const struct block *block, int channels[BLOCK_BNS]);
/* Their scale and shift from the mean and variance that they hold (for BN_GIVEN), or
 * from the running statistics. */
void block_bn_given(const struct block *block, const struct net_values *net,
                    struct bn_pass bn[BLOCK_BNS]);
void block_bn_running(const struct block *block, const struct net_values *net,
                      struct bn_pass bn[BLOCK_BNS]);

/* x: the block's input, plain or (the first block after the stem, no cell)
 * activated. */
void block_forward(const struct block *block, const struct net_values *net, int n,
                   const struct source *x, enum bn_mode mode,
                   struct block_tensors *tensors, struct arena *scratch);

/*
 * dy: gradient of the block's output y, with `sums` taken over z3 (of a cell, none).
 * Writes the gradients of its weights to `gradients` (laid out as its range of the
 * weights: gradients[0] is weight block->begin) and the input's gradient to `dx` (the
 * residual is added here; g must not be dy's memory). BN_BATCH statistics are assumed.
 * A pass-through block has no backward.
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

/* The name of the first of the block's convolutions whose BN is not finite (the batch's
 * statistics, or its scale and shift), or NULL: where a training run blew up. */
const char *block_first_not_finite(const struct block *block,
                                   const struct block_tensors *tensors);

#endif
