/*
 * counts.h - what a run's training and searches cost, as they counted it themselves
 * (Table 1's last columns).
 */
#ifndef PAPER_COUNTS_H
#define PAPER_COUNTS_H

#include <stdint.h>

#include "paper/run.h"

/* Images through the network. */
struct training_cost {
    int64_t optimization; /* forward and backward */
    int64_t evaluation;   /* forward only, to score paths */
    double train_seconds, score_seconds;
};

/* Of one artifact by itself. */
struct training_cost training_cost_of(struct artifact *supernet);
/*
 * Of a supernet as it stands, the warm-up that it went on from included. False if it,
 * or that warm-up, is not there; sources learn of both.
 */
bool training_cost(struct sources *sources, const char *supernet,
                   struct training_cost *cost);
/* How many images can be scored in the time that training on one takes: as measured in
 * greedy's own run. NAN if there is none, or nothing was scored. */
double training_cost_ratio(struct sources *sources);
/* Optimization + evaluation / ratio; without evaluation the ratio plays no part. */
double training_cost_corrected(const struct training_cost *cost, double ratio);

/* The best path of a search. */
struct found {
    double accuracy; /* of the validation images, by the supernet's weights */
    double images;   /* validation images that judged it */
    int64_t flops, params;
    int64_t judged; /* paths */
};
bool found_read(struct sources *sources, const char *search, struct found *found);

#endif
