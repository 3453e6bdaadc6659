/*
 * training_plan.h - what the settings ask of a supernet that is trained without a pool:
 * for how long, and by which law paths are drawn (warmup, and the supernets to compare
 * with).
 */
#ifndef NET_TRAINING_PLAN_H
#define NET_TRAINING_PLAN_H

#include <stdbool.h>

#include "io/config.h"

struct training_plan {
    bool fair;       /* every choice of every layer in each step; else uniformly */
    bool equal_cost; /* the budget is the greedy run's cost, and `steps` is 0 */
    long steps;
    long snapshot_steps; /* 0: none */
    long images_of_step; /* times paths */
};

/* stage: warmup, uniform, fairnas, uniform_e or fairnas_e. */
struct training_plan training_plan_of(const struct config *config, const char *stage);

#endif
