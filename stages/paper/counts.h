/*
 * counts.h - what a run's training and searches cost, as they counted it themselves
 * (Table 1's last columns).
 */
#ifndef PAPER_COUNTS_H
#define PAPER_COUNTS_H

#include <stdint.h>

#include "net/training_cost.h"
#include "paper/run.h"

/* Of a supernet as it stands: the images of the warm-up that it went on from are in it,
 * the times are its own. False if it is not there. */
bool training_cost(struct sources *sources, const char *supernet,
                   struct training_cost *cost);
/* training_cost_ratio_of() greedy's own run; NAN if there is none. */
double training_cost_ratio(struct sources *sources);

/* The best path of a search. */
struct found {
    double accuracy; /* of the validation images, by the supernet's weights */
    double images;   /* validation images that judged it; NAN: not recorded */
    int64_t flops, params;
    int64_t judged; /* paths */
};
bool found_read(struct sources *sources, const char *search, struct found *found);

#endif
