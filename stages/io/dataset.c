#include "io/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/rng.h"
#include "io/artifact.h"
#include "io/augment.h"
#include "io/decode.h"
#include "io/encoded.h"
#include "io/resize.h"

static const char *const split_names[] = {
    [SPLIT_TRAIN] = "train",
    [SPLIT_VALIDATION] = "validation",
    [SPLIT_TEST] = "test",
};
enum { SPLITS = sizeof(split_names) / sizeof(split_names[0]) };
_Static_assert(SPLITS == SPLIT_TEST + 1, "a name per split");

struct images {
    int n;
    unsigned char *pixel;          /* [n, h, w, c], or NULL: */
    struct encoded_images encoded; /* decoded when they are read */
    int *label;                    /* [n] */
    /* Image numbers by class: those of class k are by_class[start[k]] up to start[k+1].
     */
    int *by_class, *start;
};

/* What one thread makes images in; all of it grows to what was needed, and stays. */
struct maker {
    struct decoder *decoder;
    struct resizer *resizer;
    unsigned char *bytes; /* of the file that is decoded */
    size_t bytes_capacity;
    int height, width; /* of the picture at hand */
    float *image;      /* [h, w, c], before it is moved */
};

struct makers {
    int n; /* one for each thread */
    struct maker *maker;
};

struct dataset {
    char *path;
    int height, width, channels, classes;
    char **class_name;
    struct images split[SPLITS];
    struct encoded *encoded;  /* NULL: all images are pixels in memory */
    float *value;             /* [c, 256]: of a pixel, normalised */
    double *mean, *deviation; /* [c] */
    struct makers *makers;    /* changed by reading, as a file's position is */
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

static void read_pixels(struct dataset *dataset, struct artifact *file,
                        enum split split)
{
    struct images *images = &dataset->split[split];
    size_t found[ARTIFACT_RANK_MAX];
    char *pixels = memory_format("%s/images", split_names[split]);
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
    artifact_read(file, pixels, ARRAY_U8, 4, found, images->pixel);
    free(pixels);
}

static void read_images(struct dataset *dataset, struct artifact *file,
                        enum split split)
{
    struct images *images = &dataset->split[split];
    char *labels = memory_format("%s/labels", split_names[split]);
    if (dataset->encoded) {
        encoded_images_read(dataset->encoded, file, split_names[split],
                            &images->encoded);
        images->n = images->encoded.n;
    } else {
        read_pixels(dataset, file, split);
    }
    images->label = memory_zeroed((size_t)images->n, sizeof(int));
    artifact_read(file, labels, ARRAY_I32, 1, &(size_t){(size_t)images->n},
                  images->label);
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
    double *mean = dataset->mean = memory_zeroed(channels, sizeof(double));
    double *deviation = dataset->deviation = memory_zeroed(channels, sizeof(double));
    artifact_read(file, "mean", ARRAY_F64, 1, &channels, mean);
    artifact_read(file, "deviation", ARRAY_F64, 1, &channels, deviation);
    dataset->value = memory_zeroed(channels * 256, sizeof(float));
    for (size_t c = 0; c < channels; c++) {
        if (!isfinite(mean[c]) || !isfinite(deviation[c]) || deviation[c] <= 0)
            die("'%s': channel %zu has mean %g and deviation %g, expected numbers and "
                "a positive deviation",
                dataset->path, c, mean[c], deviation[c]);
        for (int pixel = 0; pixel < 256; pixel++)
            dataset->value[c * 256 + (size_t)pixel] =
                (float)((pixel / 255.0 - mean[c]) / deviation[c]);
    }
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
    dataset->makers = memory_zeroed(1, sizeof(*dataset->makers));
    dataset->class_name = artifact_read_texts(file, "class_names", &classes);
    if (classes != (size_t)space->classes)
        die("'%s' has %zu classes, space.classes is %d", path, classes, space->classes);
    dataset->encoded = encoded_open(file);
    if (dataset->encoded && dataset->channels != 1 && dataset->channels != 3)
        die("'%s': its images have 1 or 3 channels when they are decoded, space.input "
            "has %d",
            path, dataset->channels);
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

static void release_maker(struct maker *maker)
{
    decoder_free(maker->decoder);
    resizer_free(maker->resizer);
    free(maker->bytes);
    free(maker->image);
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
        encoded_images_release(&dataset->split[split].encoded);
    }
    for (int i = 0; i < dataset->makers->n; i++)
        release_maker(&dataset->makers->maker[i]);
    encoded_close(dataset->encoded);
    free(dataset->makers->maker);
    free(dataset->makers);
    free(dataset->class_name);
    free(dataset->value);
    free(dataset->mean);
    free(dataset->deviation);
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
    train->label = memory_resized(train->label, n, sizeof(int));
    if (dataset->encoded) {
        encoded_images_append(&train->encoded, &more->encoded);
    } else {
        train->pixel = memory_resized(train->pixel, n * size, 1);
        memcpy(train->pixel + (size_t)train->n * size, more->pixel,
               (size_t)more->n * size);
    }
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

/* Before a parallel loop: a maker for each of its threads. */
static struct maker *need_makers(const struct dataset *dataset)
{
    struct makers *makers = dataset->makers;
    int threads = omp_get_max_threads();
    if (threads <= makers->n)
        return makers->maker;
    makers->maker =
        memory_resized(makers->maker, (size_t)threads, sizeof(struct maker));
    for (int i = makers->n; i < threads; i++)
        makers->maker[i] = (struct maker){
            .decoder = decoder_create(),
            .resizer = resizer_create(),
            .image = memory_zeroed(image_size(dataset), sizeof(float)),
        };
    makers->n = threads;
    return makers->maker;
}

static const unsigned char *pixels_of(const struct dataset *dataset,
                                      const struct images *images, int index)
{
    return images->pixel + (size_t)index * image_size(dataset);
}

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
                       const struct augmentation *drawn, float *image)
{
    int height = dataset->height, width = dataset->width, channels = dataset->channels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, image += channels) {
            int from_y = y - drawn->down;
            int from_x = (drawn->flip ? width - 1 - x : x) - drawn->right;
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

/* image: [h, w, c], pixel values 0 to 255, which need not be whole; in place. */
static void normalise(const struct dataset *dataset, float *image)
{
    int channels = dataset->channels;
    size_t size = image_size(dataset);
    for (int c = 0; c < channels; c++) {
        float scale = (float)(1 / (255 * dataset->deviation[c]));
        float shift = (float)(-dataset->mean[c] / dataset->deviation[c]);
        for (size_t i = (size_t)c; i < size; i += (size_t)channels)
            image[i] = image[i] * scale + shift;
    }
}

/* The bytes of an image's file, and its header. */
static void begin_decoding(const struct dataset *dataset, struct maker *maker,
                           const struct images *images, int index)
{
    size_t size = (size_t)images->encoded.size[index];
    if (size > maker->bytes_capacity) {
        maker->bytes = memory_resized(maker->bytes, size, 1);
        maker->bytes_capacity = size;
    }
    encoded_read(dataset->encoded, &images->encoded, index, maker->bytes);
    const char *reason = decoder_begin(maker->decoder, maker->bytes, size,
                                       &maker->height, &maker->width);
    if (reason)
        encoded_die(dataset->encoded, &images->encoded, index, reason);
}

/*
 * image: [h, w, c], pixel values: what `drawn` makes of the picture before it is moved;
 * with no crop, or none drawn at all (NULL), the middle of a file's picture.
 */
static void make_picture(const struct dataset *dataset, struct maker *maker,
                         const struct images *images, int index,
                         const struct augmentation *drawn, float *image)
{
    int height = dataset->height, width = dataset->width, channels = dataset->channels;
    struct picture picture = {0, height, width, channels, NULL};
    struct window window = {0, 0, height, width};
    if (images->pixel) {
        picture.pixel = pixels_of(dataset, images, index);
        if (drawn && drawn->crop)
            window = drawn->window;
    } else {
        window = drawn && drawn->crop ? drawn->window
                                      : window_centred(maker->height, maker->width,
                                                       height, width, DATASET_CENTRE);
        const char *reason =
            decoder_read(maker->decoder, channels, &window, height, width, &picture);
        if (reason)
            encoded_die(dataset->encoded, &images->encoded, index, reason);
    }
    resize(maker->resizer, &picture, &window, height, width, image);
}

/* One image as it is judged. */
static void fill_plain(const struct dataset *dataset, struct maker *maker,
                       const struct images *images, int index, float *image)
{
    if (images->pixel) {
        fill(dataset, pixels_of(dataset, images, index), image);
        return;
    }
    begin_decoding(dataset, maker, images, index);
    make_picture(dataset, maker, images, index, NULL, image);
    normalise(dataset, image);
}

/* One image as it is trained on; what is done to it is drawn from its own stream. */
static void fill_augmented(const struct dataset *dataset, struct maker *maker,
                           const struct augment_config *augment, uint64_t seed,
                           struct drawn image, float *out)
{
    const struct images *images = &dataset->split[SPLIT_TRAIN];
    int height = dataset->height, width = dataset->width;
    struct rng rng = rng_stream(seed, RNG_AUGMENT, image.epoch, (uint64_t)image.index);
    maker->height = height;
    maker->width = width;
    if (dataset->encoded)
        begin_decoding(dataset, maker, images, image.index);
    struct augmentation drawn = augment_draw(augment, rng, maker->height, maker->width);
    bool colours = augment_colours(&drawn);
    if (images->pixel && !drawn.crop && !colours) {
        fill_moved(dataset, pixels_of(dataset, images, image.index), &drawn, out);
        return;
    }
    make_picture(dataset, maker, images, image.index, &drawn, maker->image);
    augment_move(&drawn, height, width, dataset->channels, maker->image, out);
    if (colours)
        augment_jitter(&drawn, height * width, dataset->channels, out);
    normalise(dataset, out);
}

void dataset_augmented(const struct dataset *dataset,
                       const struct augment_config *augment, uint64_t seed,
                       uint32_t epoch, int index, float *image)
{
    BUG_IF(index < 0 || index >= dataset->split[SPLIT_TRAIN].n);
    fill_augmented(dataset, need_makers(dataset), augment, seed,
                   (struct drawn){index, epoch}, image);
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
    struct maker *maker = need_makers(dataset);
    /* Files take as long as they are large: who is done takes the next. */
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < n; i++) {
        struct drawn drawn = dataset->drawn[i];
        fill_augmented(dataset, &maker[omp_get_thread_num()], augment, seed, drawn,
                       images + (size_t)i * image_size(dataset));
        labels[i] = dataset->split[SPLIT_TRAIN].label[drawn.index];
    }
}

void dataset_batch(const struct dataset *dataset, enum split split, const int *index,
                   int n, float *images, int *labels)
{
    const struct images *from = &dataset->split[split];
    size_t size = image_size(dataset);
    struct maker *maker = need_makers(dataset);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < n; i++) {
        BUG_IF(index[i] < 0 || index[i] >= from->n);
        fill_plain(dataset, &maker[omp_get_thread_num()], from, index[i],
                   images + (size_t)i * size);
        labels[i] = from->label[index[i]];
    }
}

void dataset_pixels(const struct dataset *dataset, const float *image,
                    unsigned char *pixel)
{
    size_t size = image_size(dataset), channels = (size_t)dataset->channels;
    for (size_t i = 0; i < size; i++) {
        double value = 255 * ((double)image[i] * dataset->deviation[i % channels] +
                              dataset->mean[i % channels]);
        pixel[i] = value < 0 ? 0 : value > 255 ? 255 : (unsigned char)lround(value);
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
