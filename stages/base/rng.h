/*
 * rng.h - counter-based random numbers (Philox 4x32-10, from Random123).
 *
 * A number is a pure function of (seed, purpose, epoch, index, draw): what is drawn
 * does not depend on threads, ranks, or where a run was interrupted, and nothing needs
 * to be saved. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* What a stream is for; part of its key and so of every result: append only. */
enum rng_purpose {
    RNG_INIT = 1,        /* initial weights; index = array */
    RNG_ORDER = 2,       /* order of the training images; epoch */
    RNG_AUGMENT = 3,     /* one image's augmentation; epoch, index = image */
    RNG_SURROGATE = 4,   /* the scoring batch; index = round */
    RNG_SAMPLE = 5,      /* paths; index = step or round */
    RNG_SPLIT = 6,       /* validation split; index = class */
    RNG_RECALIBRATE = 7, /* the stored subset of training images */
    RNG_SEARCH = 8,      /* NSGA-II; epoch = generation */
    RNG_DROPOUT = 9,
    RNG_BOOTSTRAP = 10,
    RNG_LATENCY = 20,  /* paths that are timed */
    RNG_RANKCORR = 21, /* paths and images whose ranking is looked at */
    RNG_ESTIMATE = 22, /* paths that stand for those of a stage */
    RNG_TEST = 1000,   /* tests */
};

/* A stream; a value, copied freely. */
struct rng {
    uint32_t key[2];
    uint32_t counter[4]; /* block number, epoch, index low, index high */
    uint32_t block[4];
    int left; /* numbers of `block` that were not handed out yet */
};

struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint32_t epoch,
                      uint64_t index);
uint32_t rng_u32(struct rng *rng);
/* Uniform in [0, bound) without bias; bound >= 1. */
uint32_t rng_below(struct rng *rng, uint32_t bound);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *rng);
/* Standard normal (Box-Muller). */
double rng_normal(struct rng *rng);
/* Fisher-Yates. */
void rng_shuffle(struct rng *rng, int *items, int n);

#endif
