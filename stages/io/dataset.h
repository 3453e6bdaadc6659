/*
 * dataset.h - images and labels of data/<name>.h5 (made by prepare), and batches of
 * them.
 *
 * The file: groups train, validation, test, each with `images` uint8 [n, h, w, c] and
 * `labels` int32 [n]; `class_names`; per-channel `mean` and `deviation` of the training
 * images (in units of pixel/255); `sources` with the digest of every file read. It is
 * an artifact of stage "prepare".
 *
 * Order, augmentation and the scoring batches are functions of (seed, epoch, index):
 * see rng.h. Batches are float NHWC without padding, (pixel/255 - mean) / deviation.
 */
#ifndef IO_DATASET_H
#define IO_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/config.h"

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST };

struct dataset;

/* Reads all of it into memory; dies unless height, width, channels and the number of
 * classes are those of `space` (says both). */
struct dataset *dataset_open(const char *path, const struct space_config *space);
void dataset_close(struct dataset *dataset); /* NULL is allowed */

/* From now on the training images are those and, after them, the validation images, of
 * which none are left. */
void dataset_train_on_all(struct dataset *dataset);

int dataset_size(const struct dataset *dataset, enum split split);
int dataset_classes(const struct dataset *dataset);
const char *dataset_class_name(const struct dataset *dataset, int label);

/*
 * The i-th image index of the training order, i counted over all epochs from 0: epoch =
 * i / size, each epoch its own permutation. Keeps one epoch's permutation at a time.
 */
int dataset_training_index(struct dataset *dataset, uint64_t seed, int64_t i);

/*
 * Fills images [n, h, w, c] and labels [n] with training images number first ..
 * first+n-1 of the training order, augmented (pad, crop, flip as `augment` says;
 * padding is pixel 0, before it is normalised). Parallel.
 */
void dataset_training_batch(struct dataset *dataset,
                            const struct augment_config *augment, uint64_t seed,
                            int64_t first, int n, float *images, int *labels);

/* Fills with the images of the given indices, not augmented. Parallel. */
void dataset_batch(const struct dataset *dataset, enum split split, const int *index,
                   int n, float *images, int *labels);

/*
 * n indices of a split, the same number of each class (n a multiple of the number of
 * classes, or the remainder goes to classes drawn at random), without repetition while
 * a class has enough images; a function of (seed, purpose, number).
 */
void dataset_balanced_indices(const struct dataset *dataset, enum split split,
                              uint64_t seed, int purpose, uint64_t number, int n,
                              int *index);

#endif
