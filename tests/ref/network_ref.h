/*
 * network_ref.h - a whole path as obvious loops in double: every tensor is stored
 * activated, one operation after the other, with no dataflow to get wrong.
 *
 * Weights and statistics lie as in the supernet (struct layout), but are doubles.
 */
#ifndef REF_NETWORK_REF_H
#define REF_NETWORK_REF_H

#include "net/supernet.h"

struct network_ref {
    const struct supernet *net; /* its space and where arrays lie; no numbers */
    const struct path *path;
    const double *weights;
    int n;
    const double *images; /* [n, h, w, c] packed */
    const int *labels;
    double smoothing;
    const double *given; /* mean and biased variance to use; NULL: the batch's own */
    /* Results, each unless NULL. */
    double *statistics; /* the batch's mean and biased variance of every BN */
    double *pixels;     /* over how many pixels, at each of their places */
    double *logits;     /* [n][padded classes] */
    double *loss;       /* [n] */
};

/* Returns the mean loss. */
double network_ref_loss(const struct network_ref *run);

#endif
