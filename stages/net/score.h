/*
 * score.h - judging paths by the supernet's weights, without changing anything.
 *
 * Many paths are scored on the same images. Sorted by genotype they form a tree: a
 * block whose prefix was computed for the path before is not computed again. The
 * results are those of scoring each path alone, bit for bit, and scoring A, B, A gives
 * A's number twice: weights and running statistics are only read.
 *
 * BN takes its statistics from the scored batch itself, or ("recalibrated") from a
 * fixed set of training images, measured for each path: averages of mean and variance
 * over batches of that set.
 */
#ifndef NET_SCORE_H
#define NET_SCORE_H

#include "io/dataset.h"
#include "net/network.h"

struct score {
    double loss; /* mean cross-entropy, no label smoothing */
    double accuracy;
};

struct scorer;
/* Uses the workspace (planned for `capacity` images) while a call runs; batches have
 * `batch` images, at most `capacity`. */
struct scorer *scorer_create(const struct supernet *net, struct workspace *workspace,
                             const struct dataset *dataset, int batch, int capacity);
void scorer_free(struct scorer *scorer); /* NULL is allowed */
const struct dataset *scorer_dataset(const struct scorer *scorer);

/* Scores on validation images index[n_index], in batches of at most `batch` with their
 * own BN statistics. */
void score_paths(struct scorer *scorer, const struct path *path, int n,
                 enum split split, const int *index, int n_index, struct score *score);

/* One path, on one batch of n_index <= capacity images. Not counted. */
struct score score_one_batch(struct scorer *scorer, const struct path *path,
                             enum split split, const int *index, int n_index);

/* The same with BN recalibrated on training images calibration[n_calibration]. */
void score_paths_recalibrated(struct scorer *scorer, const struct path *path, int n,
                              const int *calibration, int n_calibration,
                              enum split split, const int *index, int n_index,
                              struct score *score);

/* Counters: images * paths through forward; blocks that were computed, and that would
 * have been without sharing. */
struct score_counters {
    int64_t evaluations, blocks_computed, blocks_asked;
};
struct score_counters scorer_counters(const struct scorer *scorer);
void scorer_set_counters(struct scorer *scorer, const struct score_counters *counters);

#endif
