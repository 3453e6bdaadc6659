/*
 * dataset.h - images and labels of data/<name>.h5 (made by prepare), and batches of
 * them.
 *
 * The file: groups train, validation, test, each with `images` uint8 [n, h, w, c], or
 * with the places of image files in the array `encoded` (encoded.h), which are decoded
 * when a batch is made; and `labels` int32 [n]; `class_names`; per-channel `mean` and
 * `deviation` of the training images (in units of pixel/255); `sources` with the digest
 * of what was read. It is an artifact of stage "prepare".
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

/*
 * What is judged of a decoded picture: its middle, whose shorter side is this share of
 * the picture's, resized (224 of 256, as ImageNet's accuracies are measured).
 */
#define DATASET_CENTRE (224.0 / 256)

/* Reads all of it into memory, but for image files, which stay on disk; dies unless
 * height, width, channels and the number of classes are those of `space` (says both).
 */
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
 * first+n-1 of the training order, augmented as `augment` says (augment.h; padding is
 * pixel 0, before it is normalised). Parallel.
 */
void dataset_training_batch(struct dataset *dataset,
                            const struct augment_config *augment, uint64_t seed,
                            int64_t first, int n, float *images, int *labels);

/* Fills with the images of the given indices, not augmented. Parallel. */
void dataset_batch(const struct dataset *dataset, enum split split, const int *index,
                   int n, float *images, int *labels);

/* One training image as it would be augmented in an epoch. */
void dataset_augmented(const struct dataset *dataset,
                       const struct augment_config *augment, uint64_t seed,
                       uint32_t epoch, int index, float *image);
/* An image [h, w, c] of a batch as bytes: normalising undone. */
void dataset_pixels(const struct dataset *dataset, const float *image,
                    unsigned char *pixel);

/*
 * n indices of a split, the same number of each class (n a multiple of the number of
 * classes, or the remainder goes to classes drawn at random), without repetition while
 * a class has enough images; a function of (seed, purpose, number).
 */
void dataset_balanced_indices(const struct dataset *dataset, enum split split,
                              uint64_t seed, int purpose, uint64_t number, int n,
                              int *index);

#endif
