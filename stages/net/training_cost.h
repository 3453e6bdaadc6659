/*
 * training_cost.h - what the training of a supernet cost, as it counted it itself, in
 * the paper's terms: images trained on (#optimization), images that paths were scored
 * with (#evaluation), and both in one number (Section 4.1).
 */
#ifndef NET_TRAINING_COST_H
#define NET_TRAINING_COST_H

#include "io/artifact.h"

/* Images through the network. */
struct training_cost {
    int64_t optimization; /* forward and backward */
    int64_t evaluation;   /* forward only, to score paths */
    double train_seconds, score_seconds;
};

/* Of one artifact by itself. */
struct training_cost training_cost_of(struct artifact *supernet);
/* Images that were trained on before, by the warm-up that it went on from: one path a
 * step, of the batch that it has itself. */
int64_t training_cost_before(struct artifact *supernet);
/* How many images can be scored in the time that training on one takes, as measured in
 * that artifact's own run. NAN if nothing was trained or scored. */
double training_cost_ratio_of(const struct training_cost *cost);
/* Optimization + evaluation / ratio; without evaluation the ratio plays no part. */
double training_cost_corrected(const struct training_cost *cost, double ratio);

#endif
