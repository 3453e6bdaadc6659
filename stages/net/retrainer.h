/*
 * retrainer.h - the training of one network by itself: its weights, optimizer and data,
 * and where the run stands.
 *
 * The training images are passed over epoch after epoch, in one order without a gap:
 * step s trains on number s*batch .. (s+1)*batch-1, and epoch e (from 1) ends with step
 * e*size/batch, rounded down. At its end the validation images judge the network, if
 * they are not trained on: by the moving average's weights, if there is one, and BN's
 * running statistics. The weights that did best are kept.
 */
#ifndef NET_RETRAINER_H
#define NET_RETRAINER_H

#include "io/series.h"
#include "net/judge.h"
#include "net/optimizer.h"
#include "net/shadow.h"
#include "net/train.h"

struct retrainer {
    const struct retrain_config *config;
    const struct augment_config *augment;
    uint64_t seed;
    struct dataset *dataset;
    struct path path;
    struct supernet *net; /* of this path alone */
    struct workspace *workspace;
    struct judge *judge;
    struct rate_schedule schedule;
    float *mean_square;            /* rmsprop's; else NULL */
    struct arena *arena;           /* where it lies */
    struct shadow *average, *best; /* average: NULL without ema */
    long step, steps;              /* done, of */
    struct {                       /* the epoch under way */
        long steps;
        double loss, accuracy; /* sums over its steps */
        double seconds;
    } epoch;
    struct series *epochs; /* a row each */
    struct {
        long epoch; /* from 1; 0: none yet */
        double accuracy, loss;
    } found;             /* the best one */
    int64_t evaluations; /* images judged */
    double train_seconds, data_seconds, judge_seconds;
    float *images;
    int *labels;
};

/* The dataset's validation images become training images if the config says so. */
struct retrainer *retrainer_create(const struct config *config, const struct path *path,
                                   struct dataset *dataset);
void retrainer_free(struct retrainer *retrainer); /* NULL is allowed */

bool retrainer_done(const struct retrainer *retrainer);
/* The last step of an epoch was made, and the epoch is not in the series yet. */
bool retrainer_epoch_ended(const struct retrainer *retrainer);
struct train_result retrainer_step(struct retrainer *retrainer);
/* Judges the epoch that ended and adds its row; false, and nothing is noted, if the
 * program was told to stop meanwhile. */
bool retrainer_end_epoch(struct retrainer *retrainer);

/* Series, counters, times, and which network it is: for artifact and checkpoint. */
void retrainer_save_run(const struct retrainer *retrainer, struct artifact *artifact);
/* The rest, for a checkpoint; loading takes both, and dies if the network is another.
 */
void retrainer_save_state(const struct retrainer *retrainer, struct artifact *artifact);
void retrainer_load(struct retrainer *retrainer, struct artifact *artifact);
/* The rest, for the artifact: last, average and best weights by their names. */
void retrainer_save_result(struct retrainer *retrainer, struct artifact *artifact);

#endif
