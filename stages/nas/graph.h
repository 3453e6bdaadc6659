/*
 * graph.h - the inside of an op that is no chain of convolutions: ShuffleNetV2's
 * blocks.
 *
 * A table of nodes in the order in which they are computed. The first one is the op's
 * input, the last one its output; every node reads nodes before it. What a node does is
 * its kind; costs (cost.h) and weights (net/cell.h) follow from the table, so a new op
 * is a new table, and a new kind of node one case in each of them.
 *
 *   shuffle   stride 1: even channels ----------------------------- concat
 *                       odd channels - 1x1, act - k x k - 1x1, act -/
 *             stride 2: k x k - 1x1, act -------------------------- concat
 *                       1x1, act - k x k - 1x1, act --------------/
 *   xception  the same with 3 x 3 - 1x1, act three times as the lower branch
 *
 * (k x k is a depthwise convolution; BN follows each convolution.) The lower branch is
 * half of the output's channels wide inside and makes those that the upper one leaves.
 * Splitting into even and odd channels is the shuffle: Ma et al., "ShuffleNet V2", ECCV
 * 2018; as searched by Guo et al., "Single Path One-Shot", ECCV 2020.
 */
#ifndef NAS_GRAPH_H
#define NAS_GRAPH_H

#include "nas/space.h"

enum { GRAPH_NODES_MAX = 12, GRAPH_INPUTS_MAX = 2 };

enum node_kind {
    NODE_INPUT,
    NODE_POINTWISE, /* 1 x 1 convolution and BN */
    NODE_DEPTHWISE, /* kernel x kernel and BN */
    NODE_PICK,      /* every second channel, from channel `first` on */
    NODE_CONCAT,    /* the channels of its inputs, one after the other */
};

/* A node that another one reads. */
struct edge {
    int node;
    bool activated; /* as it is read, after its BN */
};

struct node {
    enum node_kind kind;
    int n_inputs;
    struct edge input[GRAPH_INPUTS_MAX];
    int h, w, c; /* output */
    int kernel, stride, first;
    const char *name; /* of a convolution's arrays */
};

struct graph {
    int n;
    struct node node[GRAPH_NODES_MAX];
};

bool op_has_graph(const struct op *op);
/* config_rules.c has checked that the op fits the place; else a BUG. */
void graph_init(struct graph *graph, const struct op *op,
                const struct block_place *place);
/* Whether the node is a convolution with BN: the others have no weights. */
bool node_has_weights(const struct node *node);

#endif
