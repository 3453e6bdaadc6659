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

#include <stdbool.h>

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
/* Asked between the paths of a batch: whether to give up. Then what was asked for
 * returns false, its scores are without meaning, and nothing was counted. */
void scorer_set_stop(struct scorer *scorer, bool (*stop)(void));
/* How many paths to score in one go, if one takes so many images: neighbours in a
 * sorted list share prefixes, yet a checkpoint must not be hours away, nor recalibrated
 * statistics fill the memory. About 100,000 images, 4 to 64 paths. */
int score_group_size(int64_t images);

/* Scores on validation images index[n_index], in batches of at most `batch` with their
 * own BN statistics. Returns false if it was told to stop. */
bool score_paths(struct scorer *scorer, const struct path *path, int n,
                 enum split split, const int *index, int n_index, struct score *score);

/* One path, on one batch of n_index <= capacity images. Not counted. */
struct score score_one_batch(struct scorer *scorer, const struct path *path,
                             enum split split, const int *index, int n_index);

/* The same with BN recalibrated on training images calibration[n_calibration]. */
bool score_paths_recalibrated(struct scorer *scorer, const struct path *path, int n,
                              const int *calibration, int n_calibration,
                              enum split split, const int *index, int n_index,
                              struct score *score);

/*
 * Either of them (n_calibration 0: batch statistics) for several numbers of images at
 * once: score[i * (n_few + 1) + k] is what path i gets for the first few[k] images,
 * k < n_few, and then for all n_index, bit for bit as if each were asked for alone.
 *
 * Recalibrated, an image's score has nothing to do with the others, and one pass over
 * all images gives every number. With batch statistics it gives those numbers whose
 * batches are the first ones of all images' (multiples of `batch`, if n_index is one);
 * each other number takes a pass of its own, over so many images.
 */
struct score_subsets {
    const int *few;
    int n_few;
};
bool score_paths_on_subsets(struct scorer *scorer, const struct path *path, int n,
                            const int *calibration, int n_calibration, enum split split,
                            const int *index, int n_index,
                            const struct score_subsets *subsets, struct score *score);
/* Images through forward that this takes for one path. */
int64_t score_subsets_images(const struct scorer *scorer, int n_calibration,
                             int n_index, const struct score_subsets *subsets);

/* Counters: images * paths through forward; blocks that were computed, and that would
 * have been without sharing. */
struct score_counters {
    int64_t evaluations, blocks_computed, blocks_asked;
};
struct score_counters scorer_counters(const struct scorer *scorer);
void scorer_set_counters(struct scorer *scorer, const struct score_counters *counters);

#endif
