/* Batches are what a plain loop makes of the images, whoever computes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "base/rng.h"
#include "io/artifact.h"
#include "io/dataset.h"
#include "unit/child.h"
#include "unit/scratch.h"

#include <omp.h>

/* 3 classes; training images of the classes 0, 1, 2: 12, 7, 4. */
enum { H = 4, W = 5, C = 2, SIZE = H * W * C, CLASSES = 3, TRAIN = 23, OTHER = 12 };

static unsigned char pixels[TRAIN][H][W][C];
static int32_t labels[TRAIN];
static const double mean[C] = {0.25, 0.5}, deviation[C] = {0.5, 0.125};
static const struct space_config space = {.input = {H, W, C}, .classes = CLASSES};

/* What is written may be spoilt first. */
struct contents {
    size_t height, channels, n_names, n_labels;
    int32_t label; /* of training image 5 */
    double deviation;
    const char *stage;
};

static const struct contents good = {H, C, CLASSES, TRAIN, 0, 0.125, "prepare"};

static void make_images(void)
{
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    for (int i = 0; i < TRAIN; i++) {
        for (int j = 0; j < SIZE; j++)
            (&pixels[i][0][0][0])[j] = (unsigned char)rng_below(&rng, 256);
        labels[i] = i < 12 ? 0 : i < 19 ? 1 : 2;
    }
}

static void write_split(struct artifact *artifact, const char *split, size_t n,
                        const struct contents *contents)
{
    char name[64];
    const size_t shape[] = {n, contents->height, W, contents->channels};
    snprintf(name, sizeof(name), "%s/images", split);
    unsigned char *data = calloc(n * contents->height * W * contents->channels, 1);
    memcpy(data, pixels,
           n * contents->height * W * contents->channels < sizeof(pixels)
               ? n * contents->height * W * contents->channels
               : sizeof(pixels));
    artifact_write(artifact, name, ARRAY_U8, 4, shape, data, "1", "images");
    snprintf(name, sizeof(name), "%s/labels", split);
    artifact_write_vector(artifact, name, ARRAY_I32,
                          n == TRAIN ? contents->n_labels : n, labels, "class",
                          "labels");
    free(data);
}

/* The validation and the test split repeat the first training images. */
static const char *make_file(const char *name, const struct contents *contents)
{
    static const char *const names[] = {"ant", "bee", "cow", "dog"};
    const struct artifact_origin origin = {.stage = contents->stage, .config = ""};
    const double deviations[] = {deviation[0], contents->deviation, 1};
    const double means[] = {mean[0], mean[1], 0};
    make_images();
    labels[5] = contents->label;
    struct artifact *artifact = artifact_create(scratch_path(name), &origin);
    write_split(artifact, "train", TRAIN, contents);
    write_split(artifact, "validation", TRAIN, contents);
    write_split(artifact, "test", OTHER, contents);
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT, contents->n_names, names,
                          "text", "names");
    artifact_write_vector(artifact, "mean", ARRAY_F64, contents->channels, means, "1",
                          "mean");
    artifact_write_vector(artifact, "deviation", ARRAY_F64, contents->channels,
                          deviations, "1", "deviation");
    artifact_commit(artifact);
    return scratch_path(name);
}

static struct dataset *open_good(void)
{
    return dataset_open(make_file("good.h5", &good), &space);
}

/* ---- the plain loops ---- */

/* Pads into a larger array, crops, flips, normalises: one after the other. */
static void augment_plainly(int image, int pad, int top, int left, bool flip,
                            float out[H][W][C])
{
    enum { ROOM = 16 };
    unsigned char padded[H + 2 * ROOM][W + 2 * ROOM][C] = {0};
    unsigned char cropped[H][W][C];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++)
                padded[y + pad][x + pad][c] = pixels[image][y][x][c];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++)
                cropped[y][x][c] = padded[y + top][x + left][c];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++)
                out[y][x][c] =
                    (float)((cropped[y][flip ? W - 1 - x : x][c] / 255.0 - mean[c]) /
                            deviation[c]);
}

/* Which crop and flip turns the image into `batch`; returns how many do. */
static int find_augmentation(int image, int pad, bool flips, const float *batch,
                             int *top, int *left, bool *flip)
{
    float expected[H][W][C];
    int found = 0;
    for (int t = 0; t <= 2 * pad; t++)
        for (int l = 0; l <= 2 * pad; l++)
            for (int f = 0; f <= flips; f++) {
                augment_plainly(image, pad, t, l, f, expected);
                if (memcmp(expected, batch, sizeof(expected)))
                    continue;
                *top = t, *left = l, *flip = f;
                found++;
            }
    return found;
}

/* ---- tests ---- */

static void sizes_and_names_are_the_files(void **state)
{
    (void)state;
    struct dataset *dataset = open_good();
    assert_int_equal(dataset_size(dataset, SPLIT_TRAIN), TRAIN);
    assert_int_equal(dataset_size(dataset, SPLIT_VALIDATION), TRAIN);
    assert_int_equal(dataset_size(dataset, SPLIT_TEST), OTHER);
    assert_int_equal(dataset_classes(dataset), 3);
    assert_string_equal(dataset_class_name(dataset, 1), "bee");
    dataset_close(dataset);
    dataset_close(NULL);
}

static void a_batch_of_indices_is_normalised_and_nothing_else(void **state)
{
    (void)state;
    const int index[] = {3, 0, 11, 3};
    float images[4][H][W][C], expected[H][W][C];
    int label[4];
    struct dataset *dataset = open_good();
    dataset_batch(dataset, SPLIT_TEST, index, 4, &images[0][0][0][0], label);
    for (int i = 0; i < 4; i++) {
        augment_plainly(index[i], 0, 0, 0, false, expected);
        assert_memory_equal(images[i], expected, sizeof(expected));
        assert_int_equal(label[i], labels[index[i]]);
    }
    dataset_close(dataset);
}

static void without_augmentation_training_images_are_only_normalised(void **state)
{
    (void)state;
    const struct augment_config off = {.pad_crop = 0, .flip = false};
    float images[TRAIN][H][W][C], expected[H][W][C];
    int label[TRAIN];
    struct dataset *dataset = open_good();
    dataset_training_batch(dataset, &off, 9, 0, TRAIN, &images[0][0][0][0], label);
    for (int i = 0; i < TRAIN; i++) {
        int image = dataset_training_index(dataset, 9, i);
        augment_plainly(image, 0, 0, 0, false, expected);
        assert_memory_equal(images[i], expected, sizeof(expected));
        assert_int_equal(label[i], labels[image]);
    }
    dataset_close(dataset);
}

/*
 * Each image of 40 epochs is the plain loop's for exactly one crop and flip, each of
 * the 25 crops and 2 flips comes up, and neither direction is preferred: of 920
 * draws 36.8 on average have one crop, 460 are flipped. The bounds are 6 deviations
 * wide.
 */
static void
each_image_is_padded_cropped_and_flipped_as_the_plain_loop_does(void **state)
{
    (void)state;
    enum { EPOCHS = 40, PAD = 2, PLACES = 2 * PAD + 1 };
    const struct augment_config augment = {.pad_crop = PAD, .flip = true};
    float images[TRAIN][H][W][C];
    int label[TRAIN], crops[PLACES][PLACES] = {0}, flips = 0;
    struct dataset *dataset = open_good();
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        dataset_training_batch(dataset, &augment, 3, (int64_t)epoch * TRAIN, TRAIN,
                               &images[0][0][0][0], label);
        for (int i = 0; i < TRAIN; i++) {
            int top = 0, left = 0;
            bool flip = false;
            int image = dataset_training_index(dataset, 3, (int64_t)epoch * TRAIN + i);
            assert_int_equal(find_augmentation(image, PAD, true, &images[i][0][0][0],
                                               &top, &left, &flip),
                             1);
            crops[top][left]++;
            flips += flip;
        }
    }
    for (int t = 0; t < PLACES; t++)
        for (int l = 0; l < PLACES; l++)
            assert_in_range(crops[t][l], 1, 73);
    assert_in_range(flips, 460 - 91, 460 + 91);
    dataset_close(dataset);
}

static void flipping_can_be_off(void **state)
{
    (void)state;
    const struct augment_config augment = {.pad_crop = 1, .flip = false};
    float images[TRAIN][H][W][C];
    int label[TRAIN], top, left;
    bool flip;
    struct dataset *dataset = open_good();
    dataset_training_batch(dataset, &augment, 3, 0, TRAIN, &images[0][0][0][0], label);
    for (int i = 0; i < TRAIN; i++)
        assert_int_equal(find_augmentation(dataset_training_index(dataset, 3, i), 1,
                                           false, &images[i][0][0][0], &top, &left,
                                           &flip),
                         1);
    dataset_close(dataset);
}

static void order_of_epoch(struct dataset *dataset, uint64_t seed, int64_t epoch,
                           int order[TRAIN])
{
    for (int i = 0; i < TRAIN; i++)
        order[i] = dataset_training_index(dataset, seed, epoch * TRAIN + i);
}

static void each_epoch_is_its_own_permutation(void **state)
{
    (void)state;
    int order[4][TRAIN];
    struct dataset *dataset = open_good();
    order_of_epoch(dataset, 1, 0, order[0]);
    order_of_epoch(dataset, 1, 1, order[1]);
    order_of_epoch(dataset, 1, 200000000, order[2]); /* past 32 bits of images */
    order_of_epoch(dataset, 2, 0, order[3]);
    for (int a = 0; a < 4; a++) {
        int seen[TRAIN] = {0};
        for (int i = 0; i < TRAIN; i++)
            seen[order[a][i]]++;
        for (int i = 0; i < TRAIN; i++)
            assert_int_equal(seen[i], 1);
        for (int b = 0; b < a; b++)
            assert_memory_not_equal(order[a], order[b], sizeof(order[a]));
    }
    int again[TRAIN];
    order_of_epoch(dataset, 1, 1, again);
    assert_memory_equal(again, order[1], sizeof(again));
    dataset_close(dataset);
}

static void a_batch_may_cross_the_end_of_an_epoch(void **state)
{
    (void)state;
    enum { N = TRAIN + 10 };
    const struct augment_config augment = {.pad_crop = 2, .flip = true};
    float whole[2 * TRAIN][H][W][C], part[N][H][W][C];
    int whole_label[2 * TRAIN], part_label[N];
    struct dataset *dataset = open_good();
    dataset_training_batch(dataset, &augment, 5, 0, TRAIN, &whole[0][0][0][0],
                           whole_label);
    dataset_training_batch(dataset, &augment, 5, TRAIN, TRAIN, &whole[TRAIN][0][0][0],
                           whole_label + TRAIN);
    dataset_training_batch(dataset, &augment, 5, 7, N, &part[0][0][0][0], part_label);
    assert_memory_equal(part, whole[7], sizeof(part));
    assert_memory_equal(part_label, whole_label + 7, sizeof(part_label));
    dataset_close(dataset);
}

/* The validation images of this file are the training images once more. */
static void trained_on_all_the_validation_images_come_after_the_others(void **state)
{
    (void)state;
    const struct augment_config plain = {0};
    float image[2 * TRAIN][H][W][C], expected[H][W][C];
    int label[2 * TRAIN], seen[2 * TRAIN] = {0};
    struct dataset *dataset = open_good();
    int before = dataset_training_index(dataset, 5, 0);
    dataset_train_on_all(dataset);
    assert_int_equal(dataset_size(dataset, SPLIT_TRAIN), 2 * TRAIN);
    assert_int_equal(dataset_size(dataset, SPLIT_VALIDATION), 0);
    assert_int_equal(dataset_size(dataset, SPLIT_TEST), OTHER);
    assert_in_range(before, 0, TRAIN - 1);
    dataset_training_batch(dataset, &plain, 5, 0, 2 * TRAIN, &image[0][0][0][0], label);
    for (int i = 0; i < 2 * TRAIN; i++) {
        int index = dataset_training_index(dataset, 5, i);
        seen[index]++;
        augment_plainly(index % TRAIN, 0, 0, 0, false, expected);
        assert_memory_equal(image[i], expected, sizeof(expected));
        assert_int_equal(label[i], labels[index % TRAIN]);
    }
    for (int i = 0; i < 2 * TRAIN; i++)
        assert_int_equal(seen[i], 1);
    /* As many of each class as before, twice: no draw repeats an image. */
    int drawn[24], twice[2 * TRAIN] = {0};
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 1, RNG_TEST, 0, 24, drawn);
    for (int i = 0; i < 24; i++)
        assert_int_equal(twice[drawn[i]]++, 0);
    dataset_close(dataset);
}

static void the_same_image_differs_from_epoch_to_epoch(void **state)
{
    (void)state;
    const struct augment_config augment = {.pad_crop = 2, .flip = true};
    float images[8 * TRAIN][H][W][C];
    int label[8 * TRAIN], at[8], n = 0, same = 0;
    struct dataset *dataset = open_good();
    dataset_training_batch(dataset, &augment, 5, 0, 8 * TRAIN, &images[0][0][0][0],
                           label);
    for (int i = 0; i < 8 * TRAIN; i++)
        if (dataset_training_index(dataset, 5, i) == 4)
            at[n++] = i;
    assert_int_equal(n, 8);
    for (int i = 1; i < 8; i++)
        same += !memcmp(images[at[0]], images[at[i]], sizeof(images[0]));
    assert_true(same < 7);
    dataset_close(dataset);
}

static void the_bytes_do_not_depend_on_the_threads(void **state)
{
    (void)state;
    const struct augment_config augment = {.pad_crop = 2, .flip = true};
    float images[4][TRAIN][H][W][C];
    int label[4][TRAIN], before = omp_get_max_threads();
    struct dataset *dataset = open_good();
    for (int threads = 1; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        dataset_training_batch(dataset, &augment, 5, 11, TRAIN,
                               &images[threads - 1][0][0][0][0], label[threads - 1]);
        assert_memory_equal(images[threads - 1], images[0], sizeof(images[0]));
        assert_memory_equal(label[threads - 1], label[0], sizeof(label[0]));
    }
    omp_set_num_threads(before);
    dataset_close(dataset);
}

/* ---- balanced draws ---- */

static void count_classes(const int *index, int n, int count[CLASSES])
{
    memset(count, 0, CLASSES * sizeof(int));
    for (int i = 0; i < n; i++)
        count[labels[index[i]]]++;
}

static void balanced_draws_have_as_many_of_each_class_in_every_piece(void **state)
{
    (void)state;
    int index[12], count[CLASSES];
    struct dataset *dataset = open_good();
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, 1, RNG_SURROGATE, 0, 12, index);
    for (int n = 3; n <= 12; n += 3) {
        count_classes(index, n, count);
        for (int k = 0; k < CLASSES; k++)
            assert_int_equal(count[k], n / 3);
    }
    dataset_close(dataset);
}

/* Class 2 has 4 images, class 1 has 7: of 24 drawn, 8 are of each. */
static void images_repeat_only_when_their_class_is_used_up(void **state)
{
    (void)state;
    int index[24], times[TRAIN] = {0};
    struct dataset *dataset = open_good();
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, 1, RNG_SURROGATE, 0, 24, index);
    for (int i = 0; i < 24; i++)
        times[index[i]]++;
    for (int i = 0; i < 12; i++)
        assert_in_range(times[i], 0, 1);
    for (int i = 12; i < 19; i++)
        assert_in_range(times[i], 1, 2);
    for (int i = 19; i < 23; i++)
        assert_int_equal(times[i], 2);
    dataset_close(dataset);
}

/* With 4 = 3 + 1, the extra image is of one class: each class in turn, over 60 draws.
 */
static void what_is_left_over_goes_to_classes_at_random(void **state)
{
    (void)state;
    int index[4], count[CLASSES], extra[CLASSES] = {0};
    struct dataset *dataset = open_good();
    for (int number = 0; number < 60; number++) {
        dataset_balanced_indices(dataset, SPLIT_VALIDATION, 1, RNG_SURROGATE,
                                 (uint64_t)number, 4, index);
        count_classes(index, 4, count);
        for (int k = 0; k < CLASSES; k++) {
            assert_in_range(count[k], 1, 2);
            extra[k] += count[k] - 1;
        }
    }
    for (int k = 0; k < CLASSES; k++)
        assert_in_range(extra[k], 5, 40);
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, 1, RNG_SURROGATE, 0, 1, index);
    assert_in_range(index[0], 0, TRAIN - 1);
    dataset_close(dataset);
}

static void a_draw_depends_on_seed_purpose_and_number_alone(void **state)
{
    (void)state;
    int index[5][12];
    struct dataset *dataset = open_good();
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 1, RNG_SURROGATE, 0, 12, index[0]);
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 1, RNG_SURROGATE, 1, 12, index[1]);
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 2, RNG_SURROGATE, 0, 12, index[2]);
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 1, RNG_RECALIBRATE, 0, 12, index[3]);
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            assert_memory_not_equal(index[a], index[b], sizeof(index[a]));
    dataset_balanced_indices(dataset, SPLIT_TRAIN, 1, RNG_SURROGATE, 0, 12, index[4]);
    assert_memory_equal(index[4], index[0], sizeof(index[0]));
    dataset_close(dataset);
}

/* ---- what is refused ---- */

struct opening {
    const char *path;
    const struct space_config *space;
};

static int open_and_close(const void *argument)
{
    const struct opening *opening = argument;
    log_set_program("greedy");
    dataset_close(dataset_open(opening->path, opening->space));
    return 0;
}

static void assert_refused(const struct contents *contents,
                           const struct space_config *wanted, const char *rest)
{
    char expected[2 * SCRATCH_PATH_SIZE];
    const char *path = make_file("bad.h5", contents);
    struct child child = child_run(open_and_close, &(struct opening){path, wanted});
    snprintf(expected, sizeof(expected), "greedy: '%s'%s\n", path, rest);
    assert_string_equal(child.err, expected);
    assert_int_equal(child.code, 1);
}

static void images_of_another_size_than_the_space_s_are_refused(void **state)
{
    (void)state;
    struct space_config other = space;
    other.input[0] = 32;
    assert_refused(&good, &other,
                   ": 'train/images' has 4 x 5 x 2, space.input is 32 x 5 x 2");
    other = space;
    other.input[2] = 3;
    assert_refused(&good, &other,
                   ": 'train/images' has 4 x 5 x 2, space.input is 4 x 5 x 3");
}

static void another_number_of_classes_than_the_space_s_is_refused(void **state)
{
    (void)state;
    struct space_config other = space;
    other.classes = 10;
    assert_refused(&good, &other, " has 3 classes, space.classes is 10");
}

static void labels_out_of_range_are_refused(void **state)
{
    (void)state;
    struct contents contents = good;
    contents.label = 3;
    assert_refused(&contents, &space,
                   ": label 5 of 'train/labels' is 3, expected 0 to 2");
    contents.label = -1;
    assert_refused(&contents, &space,
                   ": label 5 of 'train/labels' is -1, expected 0 to 2");
}

static void labels_and_images_of_different_number_are_refused(void **state)
{
    (void)state;
    struct contents contents = good;
    contents.n_labels = TRAIN - 1;
    assert_refused(&contents, &space,
                   ": array 'train/labels' has shape 22, expected 23");
}

static void a_deviation_that_cannot_divide_is_refused(void **state)
{
    (void)state;
    struct contents contents = good;
    contents.deviation = 0;
    assert_refused(&contents, &space,
                   ": channel 1 has mean 0.5 and deviation 0, expected numbers and a "
                   "positive deviation");
}

static void what_prepare_did_not_make_is_refused(void **state)
{
    (void)state;
    struct contents contents = good;
    contents.stage = "greedy";
    assert_refused(&contents, &space,
                   " was made by 'greedy', expected an artifact of 'prepare'");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        /* First, while there is one thread: those that fork. The leak detector takes
         * the parent's OpenMP threads for the child's. */
        cmocka_unit_test(images_of_another_size_than_the_space_s_are_refused),
        cmocka_unit_test(another_number_of_classes_than_the_space_s_is_refused),
        cmocka_unit_test(labels_out_of_range_are_refused),
        cmocka_unit_test(labels_and_images_of_different_number_are_refused),
        cmocka_unit_test(a_deviation_that_cannot_divide_is_refused),
        cmocka_unit_test(what_prepare_did_not_make_is_refused),
        cmocka_unit_test(sizes_and_names_are_the_files),
        cmocka_unit_test(a_batch_of_indices_is_normalised_and_nothing_else),
        cmocka_unit_test(without_augmentation_training_images_are_only_normalised),
        cmocka_unit_test(
            each_image_is_padded_cropped_and_flipped_as_the_plain_loop_does),
        cmocka_unit_test(flipping_can_be_off),
        cmocka_unit_test(each_epoch_is_its_own_permutation),
        cmocka_unit_test(a_batch_may_cross_the_end_of_an_epoch),
        cmocka_unit_test(trained_on_all_the_validation_images_come_after_the_others),
        cmocka_unit_test(the_same_image_differs_from_epoch_to_epoch),
        cmocka_unit_test(the_bytes_do_not_depend_on_the_threads),
        cmocka_unit_test(balanced_draws_have_as_many_of_each_class_in_every_piece),
        cmocka_unit_test(images_repeat_only_when_their_class_is_used_up),
        cmocka_unit_test(what_is_left_over_goes_to_classes_at_random),
        cmocka_unit_test(a_draw_depends_on_seed_purpose_and_number_alone),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
