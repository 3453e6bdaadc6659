/*
 * trainer.h - a training run: the supernet, the data in order, and where the run
 * stands.
 *
 * Warm-up and greedy share one run: greedy goes on at the step, learning rate, momenta
 * and place in the data where warm-up ended. Step s trains on images s*batch ..
 * (s+1)*batch-1 of the training order, so `step` is all there is to remember.
 */
#ifndef NET_TRAINER_H
#define NET_TRAINER_H

#include "io/dataset.h"
#include "io/series.h"
#include "net/score.h"
#include "net/train.h"

struct trainer {
    const struct config *config;
    struct dataset *dataset;
    struct supernet *net;
    struct workspace *workspace;
    struct scorer *scorer;
    /* config->supernet; a supernet with a budget of its own sets the steps, before the
     * first one. */
    struct supernet_config schedule;
    long step;             /* steps done, of schedule.steps */
    int64_t optimizations; /* images through forward and backward */
    int64_t *trained;      /* [n_layers][n_ops]: steps that each op took part in */
    struct series *steps;  /* one row per step of this stage */
    double train_seconds, data_seconds, score_seconds;
    float *images;
    int *labels;
    float *sums; /* of gradients, in fair steps */
};

/* score_batch: images that are scored at once. */
struct trainer *trainer_create(const struct config *config, struct dataset *dataset,
                               int score_batch);
void trainer_free(struct trainer *trainer); /* NULL is allowed */

/* One step of the run on one path. */
struct train_result trainer_step(struct trainer *trainer, const struct path *path);
/* One step with every choice of every layer: train_fairly(). */
struct train_result trainer_step_fairly(struct trainer *trainer,
                                        const struct path *path);
/* Scores paths on a surrogate batch (validation images, BN of that batch). */
void trainer_score(struct trainer *trainer, const struct path *path, int n,
                   const int *index, int n_index, struct score *score);

/* All of the run that is not a weight: for artifact and checkpoint alike. */
void trainer_save_run(const struct trainer *trainer, struct artifact *artifact);
void trainer_load_run(struct trainer *trainer, struct artifact *artifact);
/* Goes on from another stage's artifact: weights, momenta, step; own counters start at
 * nought. Checks the stored probe (see probe.h). */
void trainer_continue(struct trainer *trainer, struct artifact *artifact);

#endif
