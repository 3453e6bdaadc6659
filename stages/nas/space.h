/*
 * space.h - the search space: which operations each layer may choose from, at which
 * shapes. Built from the config; knows nothing of weights.
 *
 * A network is: stem convolution - fixed blocks - searchable layers - 1x1 head
 * convolution - global average pool - linear classifier. Stride sits on the first block
 * of a stage. Table 5 of the GreedyNAS paper is one such space.
 */
#ifndef NAS_SPACE_H
#define NAS_SPACE_H

#include <stdbool.h>

#include "io/config.h"

enum {
    SPACE_LAYERS_MAX = CONFIG_LAYERS_MAX,
    SPACE_OPS_MAX = CONFIG_CHOICES_MAX,
    OP_TOKEN_SIZE = CONFIG_TOKEN_SIZE,
};

enum op_kind {
    OP_IDENTITY, /* pass-through; 1x1 convolution + BN when the shape changes */
    OP_MBCONV,   /* expand 1x1 - depthwise kxk - [SE] - project 1x1 */
    OP_SHUFFLE,  /* ShuffleNetV2's block, and its variant (graph.h) */
    OP_XCEPTION,
};

/* One alternative of a layer; `token` is its text form: "id", "k3e6", "k5e3s",
 * "shuffle5", "xception". */
struct op {
    enum op_kind kind;
    int kernel;    /* of depthwise convolutions */
    int expansion; /* MBConv; 1 has no expand convolution */
    bool squeeze_excite;
    char token[OP_TOKEN_SIZE];
};

/* Where a block stands: input h x w x c, output p x q x k, padding kernel / 2. */
struct block_place {
    int h, w, c;
    int p, q, k;
    int stride;
};

struct fixed_block {
    struct op op;
    struct block_place place;
};

struct space {
    int h, w, c, classes;    /* input image */
    struct block_place stem; /* a dense convolution stem_kernel x stem_kernel */
    int stem_kernel;
    int n_fixed;
    struct fixed_block fixed[SPACE_LAYERS_MAX];
    int n_layers, n_ops;
    struct block_place layer[SPACE_LAYERS_MAX]; /* the searchable layers */
    int layer_stage[SPACE_LAYERS_MAX];          /* which config stage each belongs to */
    struct op op[SPACE_OPS_MAX];                /* the same choices in every layer */
    int head_channels;          /* 0 = no head convolution: the last layer is pooled */
    int head_h, head_w, head_c; /* its input */
    bool classifier_bias;
    double se_ratio;
    bool se_of_input; /* the ratio is of the block's input width, else the expanded one
                       */
};

/* The config was checked when it was read: what is left to fail here is a BUG. */
void space_init(struct space *space, const struct space_config *config);
/* Parses "k5e3s"; false if it is not a token. Kernels are 3, 5 and 7; each op has one
 * spelling ("k05e3" is none). */
bool op_parse(const char *token, struct op *op);
/* Channels between the two convolutions of SE: max(1, (int)(ratio * width)); 0 if the
 * op has no SE. */
int space_se_channels(const struct space *space, const struct op *op, int c_in);
/* Expanded width of a block. */
int op_expanded_channels(const struct op *op, int c_in);
/* Whether the block has a residual connection (MBConv, shape kept), or is nothing at
 * all (identity, shape kept). */
bool block_keeps_shape(const struct block_place *place);
/* The number of paths, n_ops ^ n_layers; as a double, 7^21 is 5.6e17. */
double space_size(const struct space *space);

#endif
