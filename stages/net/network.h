/*
 * network.h - one path of the supernet as a network: forward and backward of a batch.
 *
 * Stem, the path's blocks, head, global pooling, classifier, loss. The tensors of a
 * pass lie in a workspace whose size is planned once from the largest path; taking them
 * for a path is moving a pointer.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "net/dropout.h"
#include "net/supernet.h"

/* Memory for passes. One at a time uses it. */
struct workspace {
    struct arena *tensors, *scratch;
    float
        *gradients; /* one path's, see supernet_path_ranges(); NULL when only scoring */
};

/* For training batches of `train` images (0: none) and scoring batches of `score`
 * images (0: none), whichever needs more. */
struct workspace *workspace_create(const struct supernet *net, int train, int score);
void workspace_free(struct workspace *workspace); /* NULL is allowed */
size_t workspace_bytes(const struct workspace *workspace);
/* What one would take, before it is made (without the rounding to whole pages). */
size_t workspace_planned_bytes(const struct supernet *net, int train, int score);

/* Stem and head of one pass. */
struct stem_tensors {
    float *z, *y; /* y: only where the activated output has to exist */
    struct bn_pass bn;
};

struct head_tensors {
    float *z;
    struct bn_pass bn;
    float *pooled, *logits;
    struct dropout dropout; /* none unless the caller sets it after taking */
    double *loss;           /* [n] per image */
    unsigned char *hit;     /* [n] */
};

/* Everything that a training pass keeps for backward. */
struct network_tensors {
    struct chain chain;
    struct stem_tensors stem;
    struct block_tensors block[CHAIN_MAX];
    struct head_tensors head;
};

/* The parts, for the scorer, which walks a tree of paths. images [n,h,w,c] packed. */
void stem_take(const struct supernet *net, int n, struct arena *arena,
               struct stem_tensors *tensors);
struct source stem_pass(const struct supernet *net, int n, const float *images,
                        enum bn_mode mode, struct stem_tensors *tensors,
                        struct arena *scratch);
void head_take(const struct supernet *net, int n, struct arena *arena,
               struct head_tensors *tensors);
/* The head's convolution, if there is one; then pooling and classifier, of the same x.
 * smoothing: of the loss; labels NULL: no loss. Fills pooled, logits, loss, hit. */
void head_convolve(const struct supernet *net, int n, const struct source *x,
                   enum bn_mode mode, struct head_tensors *tensors,
                   struct arena *scratch);
void head_classify(const struct supernet *net, int n, const struct source *x,
                   const int *labels, double smoothing, struct head_tensors *tensors);
/* Both. */
void head_pass(const struct supernet *net, int n, const struct source *x,
               const int *labels, double smoothing, enum bn_mode mode,
               struct head_tensors *tensors, struct arena *scratch);

/* Takes the tensors of a training pass; released by the caller with the arena's mark.
 */
void network_take(const struct supernet *net, const struct path *path, int n,
                  struct arena *arena, struct network_tensors *tensors);
/* Forward with the batch's own BN statistics; leaves loss and hits in tensors->head. */
void network_forward(const struct supernet *net, int n, const float *images,
                     const int *labels, double smoothing,
                     struct network_tensors *tensors, struct arena *scratch);
/* Gradients of the mean loss, into workspace->gradients. */
void network_backward(const struct supernet *net, const struct path *path, int n,
                      const float *images, const int *labels, double smoothing,
                      const struct network_tensors *tensors,
                      struct workspace *workspace);
/* Running statistics move towards this batch's. */
void network_update_statistics(struct supernet *net, int n, double momentum,
                               const struct network_tensors *tensors);
/* "layer03/k5e6, depthwise": where the numbers first stop being finite; false if all BN
 * statistics are finite. */
bool network_first_not_finite(const struct supernet *net,
                              const struct network_tensors *tensors, char *place,
                              size_t size);

#endif
