/*
 * dropout.h - noise in front of the classifier while a network is trained: each feature
 * of an image is 0 with the chance `rate`, and the others grow by 1 / (1 - rate), so
 * that nothing changes on average.
 *
 * Which ones is a function of (seed, step, image, feature): nothing is stored between
 * forward and backward, and neither threads nor an interruption change a bit.
 */
#ifndef NET_DROPOUT_H
#define NET_DROPOUT_H

#include <stdint.h>

struct dropout {
    double rate; /* 0: none, as in every pass that only judges */
    uint64_t seed;
    uint32_t step;
};

/* x [n][padded c]: pooled features, or their gradients. In place. */
void dropout_apply(const struct dropout *dropout, int n, int c, float *x);

#endif
