/*
 * agreement.h - how far the rankings of paths by supernets can be trusted (Table 3,
 * Figure 4): the scores of the same paths by several supernets on few and on all
 * validation images, and how well the rankings agree.
 *
 * In rankcorr.h5 (and, without the correlations, in a shard of it):
 *
 *   space/...                   see paths_file.h
 *   paths/paths                 uint8 [paths, layers], sorted
 *   paths/flops, params         int64 [paths]
 *   paths/feasible              uint8 [paths]: within search.constraints
 *   validation/image            int32 [all]: N images are the first N of these
 *   validation/origin           text: digest of the images' file
 *   recalibration/image         int32: training images for BN; none with bn: batch
 *   supernet_names              text, in the order they were judged in
 *   supernets/NAME/origin       text: digest of the artifact that has the weights
 *   supernets/NAME/step         int64: training steps that they have had; -1: not known
 *   supernets/NAME/images       int32 [few]: the numbers N of images
 *   supernets/NAME/loss, accuracy            float64 [few, paths]
 *   supernets/NAME/full_loss, full_accuracy  float64 [paths]: on all images
 * and the correlations:
 *   strata                      text: all, top20, feasible
 *   supernets/NAME/stratum_size int32 [strata]: paths in each
 *   supernets/NAME/kendall/by_loss, by_accuracy, and spearman/...
 *                               float64 [strata, few]: of the ranking on N images with
 *                               the ranking by full_accuracy; with _low and _high the
 *                               95 % bootstrap interval; NaN where it is undefined
 * if the true accuracies are known (nas/truth.h):
 *   truth/file, digest          text: which table
 *   truth/runs                  float64 [paths, runs]; truth/accuracy [paths], the mean
 *   truth/stratum_size          int32 [strata]; top20 is here by the truth
 *   truth/pair                  int32 [pairs, 2]: runs that are compared
 *   truth/kendall, spearman     float64 [strata, pairs], _low, _high: of one run with
 *                               another, what no ranking by a supernet need surpass
 *   supernets/NAME/truth/kendall/by_loss, ...
 *                               float64 [strata, few + 1], _low, _high: of the ranking
 *                               on N images, and last on all, with the truth
 * A shard has, instead:
 *   shard/index, of             int64: 3 of 8
 *   shard/first, end            int64: the paths [first, end) that its scores are of
 *
 * NAME is `random` (the initial weights), the base name of the artifact ("greedy"), or
 * with a step for a snapshot of its training ("uniform@3000").
 */
#ifndef NET_AGREEMENT_H
#define NET_AGREEMENT_H

#include <stdio.h>

#include "nas/cost.h"
#include "nas/truth.h"
#include "net/score.h"

/* One supernet's scores: score[path * (n_few + 1) + k], as score_paths_on_subsets()
 * gives them; NaN until they are known. */
struct judged {
    char *name, *origin;
    int64_t step;
    struct score *score;
};

struct agreement {
    const struct space *space;
    int n_paths;
    struct path *path; /* sorted */
    struct cost *cost;
    unsigned char *feasible;
    int n_few, n_images; /* few[n_few] of n_images */
    const int *few;
    int *image;
    char *image_origin;
    int n_calibration;
    int *calibration;
    int n_supernets;
    struct judged *supernet;
    const struct truth *truth; /* of the same paths in the same order; NULL: unknown */
};

/* Frees all that it points to but space, few and truth. */
void agreement_release(struct agreement *agreement);
/* One more supernet; copies the texts. step: of its training; -1: not known. */
struct judged *agreement_add(struct agreement *agreement, const char *name,
                             const char *origin, int64_t step);

/* The paths [first, end) of all: part `index` of `of`, from 1; of 0: not a shard. */
struct shard {
    int index, of, first, end;
};

/* Everything but the correlations, into a rankcorr.h5, a shard or a checkpoint: the
 * scores are those of the shard's paths. */
void agreement_save(const struct agreement *agreement, const struct shard *shard,
                    struct artifact *artifact);
/* The other way: takes the supernets that the artifact has. For merging. */
void agreement_load_supernets(struct agreement *agreement, struct artifact *artifact);
/* Which shard it is; dies if it is none. */
struct shard agreement_load_shard(const struct agreement *agreement,
                                  struct artifact *artifact);
/* Scores of the shard's paths. Dies unless the artifact is about the same paths,
 * images and supernets. */
void agreement_load_scores(struct agreement *agreement, const struct shard *shard,
                           struct artifact *artifact);

#endif
