/*
 * judge.h - how well a finished network does on a whole split: images in order, BN by
 * its running statistics.
 *
 * A judgement under way is a plain value, so that it can wait in a checkpoint: the next
 * image is number `images`. It is the same whatever the batches were.
 */
#ifndef NET_JUDGE_H
#define NET_JUDGE_H

#include "io/dataset.h"
#include "net/inference.h"

struct judgement {
    int64_t images;     /* judged so far */
    int64_t top1, top5; /* whose label has the largest logit, one of the five largest
                           (the lower class wins a tie) */
    double loss;        /* sum of cross-entropies, no label smoothing, in nats */
    int64_t *confusion; /* [label][predicted] images; NULL: not wanted. The caller's */
};

/* Adds n images by their logits [n][padded classes] and losses. */
void judgement_add(struct judgement *judgement, int classes, int n, const int *labels,
                   const float *logits, const double *loss);
/* Shares, and the mean loss; NAN of no images. */
double judgement_top1(const struct judgement *judgement);
double judgement_top5(const struct judgement *judgement);
double judgement_loss(const struct judgement *judgement);

struct judge;
/* `batch`: images at a time. Net and dataset are kept. */
struct judge *judge_create(const struct supernet *net, const struct path *path,
                           const struct dataset *dataset, int batch);
void judge_free(struct judge *judge); /* NULL is allowed */
/* Before judging with other weights or statistics than last time. */
void judge_refresh(struct judge *judge);
/* Judges the next batch of a split; false when there is none. */
bool judge_advance(struct judge *judge, enum split split, struct judgement *judgement);

#endif
