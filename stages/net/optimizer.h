/*
 * optimizer.h - stochastic gradient descent with Nesterov momentum, and the learning
 * rate of each step.
 */
#ifndef NET_OPTIMIZER_H
#define NET_OPTIMIZER_H

#include "net/supernet.h"

/*
 * Cosine from `learning_rate` to 0 over `steps` steps of warm-up and greedy together,
 * after a linear rise over the first `lr_ramp` steps. step counts from 0.
 */
double learning_rate_at(const struct supernet_config *config, long step);

/*
 * One step on one path: v = momentum*v + (g + decay*w); w -= rate * (g + decay*w +
 * momentum*v). Only that path's weights and momenta are touched; decay is 0 for BN and
 * biases. gradients: the path's contiguous block, as supernet_path_ranges() lays it
 * out.
 */
void sgd_step(struct supernet *net, const struct path *path, const float *gradients,
              double rate, double momentum, double weight_decay);

#endif
