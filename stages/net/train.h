/*
 * train.h - one training step of one path (single-path training, Section 3 of the
 * paper): forward, backward, and an update that touches only that path's weights and
 * momenta.
 */
#ifndef NET_TRAIN_H
#define NET_TRAIN_H

#include "net/network.h"

struct train_step {
    long step;   /* for messages, and for the learning rate */
    double rate; /* learning rate */
    double momentum, weight_decay, label_smoothing, bn_momentum;
    struct dropout dropout;
    const char *section; /* of the config: whose settings a message names */
};

struct train_result {
    double loss;     /* mean over the batch, smoothing included, before the update */
    double accuracy; /* share of hits in the batch */
};

/* Settings of a step of the common schedule. */
struct train_step train_step_at(const struct supernet_config *config, long step);

/*
 * Forward and backward: the path's gradients into workspace->gradients; its running
 * statistics move, its weights do not. Dies when the loss is not finite, naming step,
 * path and the layer where the numbers first went wrong.
 */
struct train_result train_gradients(struct supernet *net, const struct path *path,
                                    const struct train_step *step, int n,
                                    const float *images, const int *labels,
                                    struct workspace *workspace);

/* The same, and the update; when it dies, the weights are still those before the step.
 */
struct train_result train_path(struct supernet *net, const struct path *path,
                               const struct train_step *step, int n,
                               const float *images, const int *labels,
                               struct workspace *workspace);

/*
 * Strict fairness: the paths hold every choice of every layer once (sampler_fair) and
 * are trained on the same batch, from the same weights. The gradients of what they
 * share are summed; then there is one update of all weights. sums: room for these. The
 * result is the mean over the paths.
 */
struct train_result train_fairly(struct supernet *net, const struct path *path,
                                 const struct train_step *step, int n,
                                 const float *images, const int *labels,
                                 struct workspace *workspace, float *sums);

#endif
