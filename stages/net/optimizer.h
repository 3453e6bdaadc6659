/*
 * optimizer.h - how weights move: stochastic gradient descent with Nesterov momentum,
 * RMSProp, and the learning rate of each step.
 */
#ifndef NET_OPTIMIZER_H
#define NET_OPTIMIZER_H

#include "net/supernet.h"

/*
 * A linear rise over the first `ramp` steps, to `rate`; then a cosine that reaches 0
 * after `steps` steps in all, or (every > 0) steps down: `factor` times less each
 * `every` steps, counted from the ramp's end.
 */
struct rate_schedule {
    double rate;
    long ramp, steps;
    double factor, every; /* `every` need not be whole: so many epochs */
};
/* step counts from 0. */
double rate_at(const struct rate_schedule *schedule, long step);

/* The rate of warm-up and greedy, which share one cosine. */
double learning_rate_at(const struct supernet_config *config, long step);

/*
 * One step on one path: v = momentum*v + (g + decay*w); w -= rate * (g + decay*w +
 * momentum*v). Only that path's weights and momenta are touched; decay is 0 for BN and
 * biases. gradients: the path's contiguous block, as supernet_path_ranges() lays it
 * out.
 */
void sgd_step(struct supernet *net, const struct path *path, const float *gradients,
              double rate, double momentum, double weight_decay);

/* The same for all weights there are; gradients are laid out as the weights. */
void sgd_step_all(struct supernet *net, const float *gradients, double rate,
                  double momentum, double weight_decay);

/*
 * sgd_step() with RMSProp in TensorFlow's form: with d = g + weight_decay*w,
 *   s = decay*s + (1 - decay)*d*d;  v = momentum*v + rate*d / sqrt(s + epsilon);
 *   w -= v.
 * Epsilon stands inside the root, and the rate goes into the momentum: a change of the
 * rate does not touch what is in there already. (PyTorch's own RMSprop has both the
 * other way.) mean_square: s, laid out as the weights; 1 everywhere at the start.
 */
struct rmsprop {
    double rate, decay, momentum, epsilon, weight_decay;
};
void rmsprop_step(struct supernet *net, const struct path *path, float *mean_square,
                  const float *gradients, const struct rmsprop *settings);

#endif
