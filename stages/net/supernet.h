/*
 * supernet.h - the over-parameterised network: own weights for every choice of every
 * layer, and what all paths share (stem, fixed blocks, head, classifier).
 *
 * Weights, momenta and running statistics are three blocks of floats whose layouts name
 * every array. The shared arrays come first, then the blocks, layer by layer; so the
 * gradients of one path are one contiguous block as well (struct path_range). The
 * fields are for net/'s own files and for tests.
 */
#ifndef NET_SUPERNET_H
#define NET_SUPERNET_H

#include "io/artifact.h"
#include "nas/cost.h"
#include "nas/path.h"
#include "net/block.h"

enum { CHAIN_MAX = SPACE_LAYERS_MAX + CONFIG_FIXED_MAX * 8 };

struct supernet {
    struct space space;
    struct cost_table cost;
    struct layout weight_layout, statistic_layout;
    struct arena *arena;
    float *weights, *momentum, *statistics;
    struct conv_bn stem, head;
    enum activation stem_act, head_act;
    bool stem_stored; /* the first block may keep the shape, or is a cell: see
                         activate.h */
    struct block fixed[SPACE_LAYERS_MAX];
    struct block *layer; /* [n_layers][n_ops] */
    size_t fc_w, fc_b;   /* no fc_b without space.classifier_bias */
    size_t shared_end;   /* weights [0, shared_end) belong to every path */
};

/* Builds it with its initial weights; seed from the config. */
struct supernet *supernet_create(const struct space_config *config, uint64_t seed);
/* One path of the space as a network of its own: there are weights for its blocks and
 * no others. It is a supernet of which only this path may be asked (BUG otherwise). */
struct supernet *supernet_create_path(const struct space_config *config,
                                      const struct path *path, uint64_t seed);
void supernet_free(struct supernet *net); /* NULL is allowed */

const struct block *supernet_block(const struct supernet *net, int layer, int op);
struct net_values supernet_values(const struct supernet *net);

/* The blocks of one path in order, fixed ones first. */
struct chain {
    int n;
    const struct block *block[CHAIN_MAX];
};
void supernet_chain(const struct supernet *net, const struct path *path,
                    struct chain *chain);

/* A run of weights that a path uses: [begin, end) of the weights, at `gradient` of the
 * path's block of gradients. */
struct path_range {
    size_t begin, end, gradient;
};
/* Fills ranges (at most n_layers + 1); returns how many; *floats: their sum. */
int supernet_path_ranges(const struct supernet *net, const struct path *path,
                         struct path_range *ranges, size_t *floats);
/* Floats of the largest path's gradients. */
size_t supernet_gradient_floats(const struct supernet *net);

/*
 * An artifact's form: one array per name under weights/, statistics/ and (if asked)
 * momentum/, in its logical shape. Loading checks that every array is there and fits.
 */
void supernet_save(const struct supernet *net, struct artifact *artifact,
                   bool with_momentum);
void supernet_load(struct supernet *net, struct artifact *artifact, bool with_momentum);
/*
 * Earlier states of the same training, in the same artifact, without momenta: the steps
 * as snapshots/step, and for each snapshots/<step>/weights/... and .../statistics/...
 */
struct snapshot {
    long step;                   /* steps that had been done */
    float *weights, *statistics; /* as they lie in memory */
};
void supernet_save_snapshots(const struct supernet *net, struct artifact *artifact,
                             const struct snapshot *snapshot, int n);
/* The steps of which there are snapshots, in the artifact's order; 0 if none. *step:
 * the caller frees. */
size_t supernet_snapshot_steps(struct artifact *artifact, int64_t **step);
void supernet_load_snapshot(struct supernet *net, struct artifact *artifact,
                            int64_t step);
/* The same for one of several sets of weights, without momenta: GROUP/weights/...,
 * GROUP/statistics/.... */
void supernet_save_under(const struct supernet *net, struct artifact *artifact,
                         const char *group, const char *description);
void supernet_load_under(struct supernet *net, struct artifact *artifact,
                         const char *group);
/* A checkpoint's form: the three blocks as they lie in memory. */
void supernet_save_state(const struct supernet *net, struct artifact *artifact);
void supernet_load_state(struct supernet *net, struct artifact *artifact);

#endif
