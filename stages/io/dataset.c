#include "io/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/rng.h"
#include "io/artifact.h"

static const char *const split_names[] = {
    [SPLIT_TRAIN] = "train",
    [SPLIT_VALIDATION] = "validation",
    [SPLIT_TEST] = "test",
};
enum { SPLITS = sizeof(split_names) / sizeof(split_names[0]) };
_Static_assert(SPLITS == SPLIT_TEST + 1, "a name per split");

struct images {
    int n;
    unsigned char *pixel; /* [n, h, w, c] */
    int *label;           /* [n] */
    /* Image numbers by class: those of class k are by_class[start[k]] up to start[k+1].
     */
    int *by_class, *start;
};

struct dataset {
    char *path;
    int height, width, channels, classes;
    char **class_name;
    struct images split[SPLITS];
    float *value; /* [c, 256]: of a pixel, normalised */
    /* The permutation of one epoch of one seed. */
    int *order;
    uint64_t order_seed;
    int64_t order_epoch; /* -1: none yet */
    /* What the images of the batch that is being filled are. */
    struct drawn {
        int index;
        uint32_t epoch;
    } * drawn;
    int drawn_capacity;
};

static size_t image_size(const struct dataset *dataset)
{
    return (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
}

/* ---- reading ---- */

static void read_images(struct dataset *dataset, struct artifact *file,
                        enum split split)
{
    struct images *images = &dataset->split[split];
    size_t found[ARTIFACT_RANK_MAX];
    char *pixels = memory_format("%s/images", split_names[split]);
    char *labels = memory_format("%s/labels", split_names[split]);
    int rank = artifact_shape(file, pixels, found);
    if (rank != 4 || found[1] != (size_t)dataset->height ||
        found[2] != (size_t)dataset->width || found[3] != (size_t)dataset->channels) {
        char *is = rank != 4
                       ? memory_format("%d dimensions", rank)
                       : memory_format("%zu x %zu x %zu", found[1], found[2], found[3]);
        die("'%s': '%s' has %s, space.input is %d x %d x %d", dataset->path, pixels, is,
            dataset->height, dataset->width, dataset->channels);
    }
    images->n = (int)found[0];
    if (found[0] > INT32_MAX)
        die("'%s': '%s' has %zu images, more than %d", dataset->path, pixels, found[0],
            INT32_MAX);
    size_t size = found[0] * found[1] * found[2] * found[3];
    images->pixel = memory_zeroed(size, 1);
    images->label = memory_zeroed(found[0], sizeof(int));
    artifact_read(file, pixels, ARRAY_U8, 4, found, images->pixel);
    artifact_read(file, labels, ARRAY_I32, 1, found, images->label);
    free(pixels);
    free(labels);
}

/* Sorts the image numbers by class; on the way every label is checked. */
static void index_classes(struct dataset *dataset, enum split split)
{
    struct images *images = &dataset->split[split];
    int classes = dataset->classes;
    images->start = memory_zeroed((size_t)classes + 1, sizeof(int));
    images->by_class = memory_zeroed((size_t)images->n, sizeof(int));
    for (int i = 0; i < images->n; i++) {
        int label = images->label[i];
        if (label < 0 || label >= classes)
            die("'%s': label %d of '%s/labels' is %d, expected 0 to %d", dataset->path,
                i, split_names[split], label, classes - 1);
        images->start[label + 1]++;
    }
    for (int k = 0; k < classes; k++)
        images->start[k + 1] += images->start[k];
    int *next = memory_zeroed((size_t)classes, sizeof(int));
    memcpy(next, images->start, (size_t)classes * sizeof(int));
    for (int i = 0; i < images->n; i++)
        images->by_class[next[images->label[i]]++] = i;
    free(next);
}

/* A pixel is one of 256 values, so normalising is looking up. */
static void make_values(struct dataset *dataset, struct artifact *file)
{
    size_t channels = (size_t)dataset->channels;
    double *mean = memory_zeroed(channels, sizeof(double));
    double *deviation = memory_zeroed(channels, sizeof(double));
    artifact_read(file, "mean", ARRAY_F64, 1, &channels, mean);
    artifact_read(file, "deviation", ARRAY_F64, 1, &channels, deviation);
    dataset->value = memory_zeroed(channels * 256, sizeof(float));
    for (size_t c = 0; c < channels; c++) {
        if (!isfinite(mean[c]) || !isfinite(deviation[c]) || deviation[c] <= 0)
            die("'%s': channel %zu has mean %g and deviation %g, expected numbers and "
                "a "
                "positive deviation",
                dataset->path, c, mean[c], deviation[c]);
        for (int pixel = 0; pixel < 256; pixel++)
            dataset->value[c * 256 + (size_t)pixel] =
                (float)((pixel / 255.0 - mean[c]) / deviation[c]);
    }
    free(mean);
    free(deviation);
}

struct dataset *dataset_open(const char *path, const struct space_config *space)
{
    struct dataset *dataset = memory_zeroed(1, sizeof(*dataset));
    struct artifact *file = artifact_open(path, "prepare");
    size_t classes = 0;
    dataset->path = memory_text_copy(path);
    dataset->height = space->input[0];
    dataset->width = space->input[1];
    dataset->channels = space->input[2];
    dataset->classes = space->classes;
    dataset->order_epoch = -1;
    dataset->class_name = artifact_read_texts(file, "class_names", &classes);
    if (classes != (size_t)space->classes)
        die("'%s' has %zu classes, space.classes is %d", path, classes, space->classes);
    for (int split = 0; split < SPLITS; split++) {
        read_images(dataset, file, (enum split)split);
        index_classes(dataset, (enum split)split);
    }
    if (dataset->split[SPLIT_TRAIN].n == 0)
        die("'%s' has no training images", path);
    make_values(dataset, file);
    artifact_close(file);
    return dataset;
}

void dataset_close(struct dataset *dataset)
{
    if (!dataset)
        return;
    for (int split = 0; split < SPLITS; split++) {
        free(dataset->split[split].pixel);
        free(dataset->split[split].label);
        free(dataset->split[split].by_class);
        free(dataset->split[split].start);
    }
    free(dataset->class_name);
    free(dataset->value);
    free(dataset->order);
    free(dataset->drawn);
    free(dataset->path);
    free(dataset);
}

void dataset_train_on_all(struct dataset *dataset)
{
    struct images *train = &dataset->split[SPLIT_TRAIN],
                  *more = &dataset->split[SPLIT_VALIDATION];
    size_t n = (size_t)train->n + (size_t)more->n, size = image_size(dataset);
    if (n > INT32_MAX)
        die("'%s' has %zu images to train on, more than %d", dataset->path, n,
            INT32_MAX);
    train->pixel = memory_resized(train->pixel, n * size, 1);
    train->label = memory_resized(train->label, n, sizeof(int));
    memcpy(train->pixel + (size_t)train->n * size, more->pixel, (size_t)more->n * size);
    memcpy(train->label + train->n, more->label, (size_t)more->n * sizeof(int));
    train->n = (int)n;
    more->n = 0;
    for (int split = SPLIT_TRAIN; split <= SPLIT_VALIDATION; split++) {
        free(dataset->split[split].by_class);
        free(dataset->split[split].start);
        index_classes(dataset, (enum split)split);
    }
    free(dataset->order); /* of the images before */
    dataset->order = NULL;
    dataset->order_epoch = -1;
}

int dataset_size(const struct dataset *dataset, enum split split)
{
    return dataset->split[split].n;
}

int dataset_classes(const struct dataset *dataset)
{
    return dataset->classes;
}

const char *dataset_class_name(const struct dataset *dataset, int label)
{
    BUG_IF(label < 0 || label >= dataset->classes);
    return dataset->class_name[label];
}

/* ---- the training order ---- */

static void make_order(struct dataset *dataset, uint64_t seed, int64_t epoch)
{
    int n = dataset->split[SPLIT_TRAIN].n;
    if (!dataset->order)
        dataset->order = memory_zeroed((size_t)n, sizeof(int));
    for (int i = 0; i < n; i++)
        dataset->order[i] = i;
    struct rng rng = rng_stream(seed, RNG_ORDER, (uint32_t)epoch, 0);
    rng_shuffle(&rng, dataset->order, n);
    dataset->order_seed = seed;
    dataset->order_epoch = epoch;
}

int dataset_training_index(struct dataset *dataset, uint64_t seed, int64_t i)
{
    int n = dataset->split[SPLIT_TRAIN].n;
    int64_t epoch = i / n;
    BUG_IF(i < 0 || epoch > UINT32_MAX);
    if (dataset->order_epoch != epoch || dataset->order_seed != seed)
        make_order(dataset, seed, epoch);
    return dataset->order[i % n];
}

/* ---- images ---- */

/* pixel, image: [h, w, c] */
static void fill(const struct dataset *dataset, const unsigned char *pixel,
                 float *image)
{
    int channels = dataset->channels;
    size_t size = image_size(dataset);
    for (size_t i = 0; i < size; i += (size_t)channels)
        for (int c = 0; c < channels; c++)
            image[i + (size_t)c] = dataset->value[c * 256 + pixel[i + (size_t)c]];
}

/*
 * The image moved by (down, right), then flipped: what comes in at the edges is pixel
 * 0. Padding before normalising, as the usual pipelines do: the border is black.
 */
static void fill_moved(const struct dataset *dataset, const unsigned char *pixel,
                       int down, int right, bool flip, float *image)
{
    int height = dataset->height, width = dataset->width, channels = dataset->channels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, image += channels) {
            int from_y = y - down, from_x = (flip ? width - 1 - x : x) - right;
            bool inside =
                from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
            for (int c = 0; c < channels; c++)
                image[c] =
                    dataset
                        ->value[c * 256 +
                                (inside
                                     ? pixel[(from_y * width + from_x) * channels + c]
                                     : 0)];
        }
}

/* Three numbers of the image's own stream: the crop's top and left in the padded image,
 * and whether to flip. */
static void fill_augmented(const struct dataset *dataset,
                           const struct augment_config *augment, uint64_t seed,
                           struct drawn drawn, float *image)
{
    const unsigned char *pixel =
        dataset->split[SPLIT_TRAIN].pixel + (size_t)drawn.index * image_size(dataset);
    struct rng rng = rng_stream(seed, RNG_AUGMENT, drawn.epoch, (uint64_t)drawn.index);
    uint32_t places = 2 * (uint32_t)augment->pad_crop + 1;
    int top = (int)rng_below(&rng, places), left = (int)rng_below(&rng, places);
    bool flip = rng_below(&rng, 2) && augment->flip;
    fill_moved(dataset, pixel, augment->pad_crop - top, augment->pad_crop - left, flip,
               image);
}

void dataset_training_batch(struct dataset *dataset,
                            const struct augment_config *augment, uint64_t seed,
                            int64_t first, int n, float *images, int *labels)
{
    if (n > dataset->drawn_capacity) {
        dataset->drawn =
            memory_resized(dataset->drawn, (size_t)n, sizeof(struct drawn));
        dataset->drawn_capacity = n;
    }
    for (int i = 0; i < n; i++)
        dataset->drawn[i] = (struct drawn){
            .index = dataset_training_index(dataset, seed, first + i),
            .epoch = (uint32_t)((first + i) / dataset->split[SPLIT_TRAIN].n),
        };
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        struct drawn drawn = dataset->drawn[i];
        fill_augmented(dataset, augment, seed, drawn,
                       images + (size_t)i * image_size(dataset));
        labels[i] = dataset->split[SPLIT_TRAIN].label[drawn.index];
    }
}

void dataset_batch(const struct dataset *dataset, enum split split, const int *index,
                   int n, float *images, int *labels)
{
    const struct images *from = &dataset->split[split];
    size_t size = image_size(dataset);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        BUG_IF(index[i] < 0 || index[i] >= from->n);
        fill(dataset, from->pixel + (size_t)index[i] * size, images + (size_t)i * size);
        labels[i] = from->label[index[i]];
    }
}

/* ---- balanced draws ---- */

/*
 * The images of one class, in random order, as many as are wanted: written to index[0],
 * index[step], ... When all have been drawn they are drawn again.
 */
static void draw_class(const struct images *images, int label, struct rng *rng,
                       int wanted, int step, int *index)
{
    int n = images->start[label + 1] - images->start[label];
    int *rest = memory_zeroed((size_t)n, sizeof(int));
    memcpy(rest, images->by_class + images->start[label], (size_t)n * sizeof(int));
    for (int i = 0; i < wanted; i++) {
        int drawn = i % n, other = drawn + (int)rng_below(rng, (uint32_t)(n - drawn));
        int image = rest[other];
        rest[other] = rest[drawn];
        rest[drawn] = image;
        index[(size_t)i * (size_t)step] = image;
    }
    free(rest);
}

/*
 * The classes take turns, in random order: so every piece of the batch is as balanced
 * as can be (batch statistics may be taken of pieces), and the last, incomplete turn
 * goes to classes drawn at random.
 */
void dataset_balanced_indices(const struct dataset *dataset, enum split split,
                              uint64_t seed, int purpose, uint64_t number, int n,
                              int *index)
{
    const struct images *images = &dataset->split[split];
    int classes = dataset->classes;
    struct rng rng = rng_stream(seed, (enum rng_purpose)purpose, 0, number);
    int *turn = memory_zeroed((size_t)classes, sizeof(int));
    for (int k = 0; k < classes; k++)
        turn[k] = k;
    rng_shuffle(&rng, turn, classes);
    for (int k = 0; k < classes && k < n; k++) {
        if (images->start[turn[k] + 1] == images->start[turn[k]])
            die("'%s': class %d ('%s') has no images in '%s', expected some of each "
                "class",
                dataset->path, turn[k], dataset->class_name[turn[k]],
                split_names[split]);
        draw_class(images, turn[k], &rng, (n - k + classes - 1) / classes, classes,
                   index + k);
    }
    free(turn);
}
