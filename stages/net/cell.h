/*
 * cell.h - a block whose inside is a graph (nas/graph.h): its weights, forward and
 * backward, node by node.
 *
 * Every node's output is one of the cell's inner tensors, but for the first and the
 * last: they are the block's input and output. A convolution's is its raw output z,
 * which others read through its BN (tensor.h's dataflow); the rest are plain. All BNs
 * of a cell are one struct bn_pass whose channels are the nodes' one after the other,
 * so that whoever keeps and averages such numbers need not know how many there are.
 *
 * Written for clarity, not speed: splits and joins are passes over memory of their own.
 */
#ifndef NET_CELL_H
#define NET_CELL_H

#include "nas/graph.h"
#include "net/conv_bn.h"

struct cell;

/* Appends its arrays to both layouts: NAME/CONVOLUTION/.... */
struct cell *cell_create(const struct op *op, const struct block_place *place,
                         enum activation act, const char *name, struct layout *weights,
                         struct layout *statistics);
void cell_free(struct cell *cell); /* NULL is allowed */

/* Channels of its struct bn_pass. */
int cell_bn_channels(const struct cell *cell);
/* Calls `step` with each convolution and its part of bn. */
void cell_bn_each(const struct cell *cell, const struct net_values *net,
                  const struct bn_pass *bn, bn_step *step);
/* Floats of the inner tensors, and of their gradients, for n images. */
size_t cell_floats(const struct cell *cell, int n);
size_t cell_scratch(const struct cell *cell, int n);

/* x: plain, the input. Writes inner, y and (BN_BATCH) bn. */
void cell_forward(const struct cell *cell, const struct net_values *net, int n,
                  const float *x, enum bn_mode mode, float *inner,
                  const struct bn_pass *bn, float *y, struct arena *scratch);

/* A forward pass, the gradient of its output, and room for those of inner tensors. */
struct cell_pass {
    int n;
    const float *x, *inner;
    const struct bn_pass *bn;
    const float *dy;
    float *inner_gradients;
};
/* As block_backward(): gradients[0] is that of weight `begin`; dx as there. */
void cell_backward(const struct cell *cell, const struct net_values *net,
                   const struct cell_pass *pass, size_t begin, float *gradients,
                   const struct sink *dx, struct arena *scratch);

void cell_update_statistics(const struct cell *cell, int n, double momentum,
                            const struct bn_pass *bn, float *statistics);
const char *cell_first_not_finite(const struct cell *cell, const struct bn_pass *bn);

#endif
