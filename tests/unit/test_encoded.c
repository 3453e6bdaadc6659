/* Image files in a dataset are decoded when a batch is made of them, as a plain loop
 * does it; and what is not what was imported is told by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <omp.h>

#include <zlib.h>

#include "base/die.h"
#include "io/augment.h"
#include "io/dataset.h"
#include "io/decode.h"
#include "io/encoded.h"
#include "unit/child.h"
#include "unit/pictures.h"
#include "unit/scratch.h"

/* Too small to be decoded smaller: the plain loop sees the pixels that the batch is
 * made of. */
enum { H = 12, W = 10, C = 3, SIZE = H * W * C, N = 8, OWN = 5 };
static const struct space_config space = {.input = {H, W, C}, .classes = 2};
static const double mean[C] = {0.25, 0.5, 0.4}, deviation[C] = {0.5, 0.125, 0.25};
static const struct augment_config augment = {.pad_crop = 2,
                                              .flip = true,
                                              .crop_area = 0.2,
                                              .crop_aspect = 0.75,
                                              .brightness = 0.4,
                                              .contrast = 0.4,
                                              .saturation = 0.4};

static struct picture_file files[N];
static size_t offset[N], place;

static void make_files(void)
{
    size_t at = 0;
    for (int i = 0; i < N; i++) {
        int height = 14 + i, width = 21 - i;
        unsigned char *pixel = picture_smooth(height, width, C);
        for (int j = 0; j < height * width * C; j++)
            pixel[j] = (unsigned char)(pixel[j] + 5 * i);
        files[i] = i % 3 == 2 ? picture_png(pixel, height, width, PNG_FORMAT_RGB)
                              : picture_jpeg(pixel, height, width, JCS_RGB, 80 + i);
        offset[i] = at;
        at += files[i].n;
        free(pixel);
    }
}

/* Images [first, first + n) are of a split. */
static void write_split(struct artifact *artifact, const char *split, int first, int n)
{
    int64_t start[N], crc[N];
    int32_t size[N], label[N];
    const char *name[N];
    char names[N][32], path[64];
    for (int i = 0; i < n; i++) {
        const struct picture_file *file = &files[first + i];
        start[i] = (int64_t)offset[first + i];
        size[i] = (int32_t)file->n;
        crc[i] = (int64_t)crc32(0, file->bytes, (uInt)file->n);
        label[i] = (first + i) % 2;
        snprintf(names[i], sizeof(names[i]), "train/%d.jpg", first + i);
        name[i] = names[i];
    }
    const struct {
        const char *name;
        enum array_type type;
        const void *data;
    } columns[] = {{"offset", ARRAY_I64, start},
                   {"size", ARRAY_I32, size},
                   {"crc32", ARRAY_I64, crc},
                   {"labels", ARRAY_I32, label},
                   {"file", ARRAY_TEXT, name}};
    for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
        snprintf(path, sizeof(path), "%s/%s", split, columns[c].name);
        artifact_write_vector(artifact, path, columns[c].type, (size_t)n,
                              columns[c].data, "1", "column");
    }
}

static const char *make_dataset(const char *name)
{
    static const char *const classes[] = {"ant", "bee"};
    const struct artifact_origin origin = {.stage = "prepare", .config = ""};
    const char *part = scratch_path("part.h5");
    place = artifact_reserve(part, ENCODED_ARRAY, offset[N - 1] + files[N - 1].n, "1",
                             "files");
    FILE *file = fopen(part, "r+b");
    for (int i = 0; i < N; i++)
        if (!file || fseek(file, (long)(place + offset[i]), SEEK_SET) != 0 ||
            fwrite(files[i].bytes, 1, files[i].n, file) != files[i].n)
            abort();
    fclose(file);
    struct artifact *artifact = artifact_create_from(part, scratch_path(name), &origin);
    write_split(artifact, "train", 0, OWN);
    write_split(artifact, "validation", OWN, N - OWN);
    write_split(artifact, "test", 0, N);
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT, 2, classes, "1",
                          "names");
    artifact_write_vector(artifact, "mean", ARRAY_F64, C, mean, "1", "mean");
    artifact_write_vector(artifact, "deviation", ARRAY_F64, C, deviation, "1",
                          "deviation");
    artifact_commit(artifact);
    return scratch_path(name);
}

static int setup(void **state)
{
    make_files();
    return scratch_setup(state);
}

static int teardown(void **state)
{
    for (int i = 0; i < N; i++)
        free(files[i].bytes);
    return scratch_teardown(state);
}

/* The whole of a picture, resized by the definition, over all pixels of the window. */
static void plain_window(int image, const struct augmentation *drawn,
                         float out[H][W][C])
{
    struct decoder *decoder = decoder_create();
    struct picture picture;
    int height, width;
    assert_null(
        decoder_begin(decoder, files[image].bytes, files[image].n, &height, &width));
    assert_null(decoder_read(decoder, C, NULL, H, W, &picture));
    struct window w = {.height = 0};
    double side =
        (double)height / H < (double)width / W ? (double)height / H : (double)width / W;
    w.height = side * H * 7 / 8, w.width = side * W * 7 / 8;
    w.top = (height - w.height) / 2, w.left = (width - w.width) / 2;
    if (drawn)
        w = drawn->window;
    double tall = w.height / H, wide = w.width / W;
    double reach_y = tall > 1 ? tall : 1, reach_x = wide > 1 ? wide : 1;
    for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++) {
            double sum[C] = {0}, weights = 0;
            double y = w.top + (i + 0.5) * tall, x = w.left + (j + 0.5) * wide;
            for (int p = (int)floor(w.top); p < ceil(w.top + w.height); p++)
                for (int q = (int)floor(w.left); q < ceil(w.left + w.width); q++) {
                    double a = 1 - fabs(p + 0.5 - y) / reach_y;
                    double b = 1 - fabs(q + 0.5 - x) / reach_x;
                    if (a <= 0 || b <= 0)
                        continue;
                    weights += a * b;
                    for (int c = 0; c < C; c++)
                        sum[c] += a * b * picture.pixel[(p * width + q) * C + c];
                }
            for (int c = 0; c < C; c++)
                out[i][j][c] = (float)(sum[c] / weights);
        }
    decoder_free(decoder);
}

static void assert_same(const float *found, float expected[H][W][C])
{
    for (int i = 0; i < SIZE; i++) {
        double pixel = (double)(&expected[0][0][0])[i];
        double value = (pixel / 255 - mean[i % C]) / deviation[i % C];
        if (!(fabs((double)found[i] - value) < 1e-3))
            fail_msg("value %d is %g, expected %g", i, (double)found[i], value);
    }
}

static void a_file_is_judged_by_its_middle(void **state)
{
    (void)state;
    const int index[] = {3, 0, 7, 2, 3};
    float images[5][H][W][C], expected[H][W][C];
    int label[5];
    struct dataset *dataset = dataset_open(make_dataset("middle.h5"), &space);
    assert_int_equal(dataset_size(dataset, SPLIT_TRAIN), OWN);
    dataset_batch(dataset, SPLIT_TEST, index, 5, &images[0][0][0][0], label);
    for (int i = 0; i < 5; i++) {
        plain_window(index[i], NULL, expected);
        assert_same(&images[i][0][0][0], expected);
        assert_int_equal(label[i], index[i] % 2);
    }
    dataset_close(dataset);
}

/* Cropped, moved, mirrored, coloured: one after the other, as they were drawn. */
static void plain_augmented(int image, uint32_t epoch, float out[H][W][C])
{
    float window[H][W][C];
    struct augmentation drawn =
        augment_draw(&augment, rng_stream(5, RNG_AUGMENT, epoch, (uint64_t)image),
                     14 + image, 21 - image);
    plain_window(image, &drawn, window);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int p = y - drawn.down, q = (drawn.flip ? W - 1 - x : x) - drawn.right;
            for (int c = 0; c < C; c++)
                out[y][x][c] = p >= 0 && p < H && q >= 0 && q < W ? window[p][q][c] : 0;
        }
    augment_jitter(&drawn, H * W, C, &out[0][0][0]);
}

static void training_images_are_augmented_as_drawn(void **state)
{
    (void)state;
    enum { BATCH = 4 * OWN };
    float images[BATCH][H][W][C], expected[H][W][C];
    int label[BATCH];
    struct dataset *dataset = dataset_open(make_dataset("augmented.h5"), &space);
    dataset_training_batch(dataset, &augment, 5, 0, BATCH, &images[0][0][0][0], label);
    for (int i = 0; i < BATCH; i++) {
        int image = dataset_training_index(dataset, 5, i);
        plain_augmented(image, (uint32_t)(i / OWN), expected);
        assert_same(&images[i][0][0][0], expected);
        assert_int_equal(label[i], image % 2);
        dataset_augmented(dataset, &augment, 5, (uint32_t)(i / OWN), image,
                          &expected[0][0][0]);
        assert_memory_equal(expected, images[i], sizeof(expected));
    }
    dataset_close(dataset);
}

/* Images kept as pixels take the same crops and colours. */
static void pixels_are_augmented_alike(void **state)
{
    (void)state;
    static const char *const classes[] = {"ant", "bee"};
    const struct artifact_origin origin = {.stage = "prepare", .config = ""};
    unsigned char *pixel = picture_smooth(H, W, C);
    float found[H][W][C], window[H][W][C], expected[H][W][C];
    struct artifact *artifact = artifact_create(scratch_path("pixels.h5"), &origin);
    for (int s = 0; s < 3; s++) {
        static const char *const images[] = {"train/images", "validation/images",
                                             "test/images"},
                                 *const labels[] = {"train/labels", "validation/labels",
                                                    "test/labels"};
        artifact_write(artifact, images[s], ARRAY_U8, 4, (size_t[]){1, H, W, C}, pixel,
                       "1", "images");
        artifact_write_vector(artifact, labels[s], ARRAY_I32, 1, &(int32_t){1}, "1",
                              "labels");
    }
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT, 2, classes, "1",
                          "names");
    artifact_write_vector(artifact, "mean", ARRAY_F64, C, mean, "1", "mean");
    artifact_write_vector(artifact, "deviation", ARRAY_F64, C, deviation, "1", "d");
    artifact_commit(artifact);
    struct dataset *dataset = dataset_open(scratch_path("pixels.h5"), &space);
    struct resizer *resizer = resizer_create();
    const struct picture picture = {0, H, W, C, pixel};
    for (uint32_t epoch = 0; epoch < 10; epoch++) {
        struct augmentation drawn =
            augment_draw(&augment, rng_stream(5, RNG_AUGMENT, epoch, 0), H, W);
        resize(resizer, &picture, &drawn.window, H, W, &window[0][0][0]);
        augment_move(&drawn, H, W, C, &window[0][0][0], &expected[0][0][0]);
        augment_jitter(&drawn, H * W, C, &expected[0][0][0]);
        dataset_augmented(dataset, &augment, 5, epoch, 0, &found[0][0][0]);
        assert_same(&found[0][0][0], expected);
    }
    resizer_free(resizer);
    dataset_close(dataset);
    free(pixel);
}

static void the_bytes_do_not_depend_on_the_threads(void **state)
{
    (void)state;
    float images[4][20][H][W][C];
    int label[20], before = omp_get_max_threads();
    struct dataset *dataset = dataset_open(make_dataset("threads.h5"), &space);
    for (int threads = 1; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        dataset_training_batch(dataset, &augment, 5, 3, 20,
                               &images[threads - 1][0][0][0][0], label);
        assert_memory_equal(images[threads - 1], images[0], sizeof(images[0]));
    }
    omp_set_num_threads(before);
    dataset_close(dataset);
}

static void normalising_can_be_undone(void **state)
{
    (void)state;
    float images[H][W][C], expected[H][W][C];
    unsigned char pixel[H][W][C];
    int label;
    struct dataset *dataset = dataset_open(make_dataset("undone.h5"), &space);
    dataset_batch(dataset, SPLIT_TEST, (int[]){4}, 1, &images[0][0][0], &label);
    plain_window(4, NULL, expected);
    dataset_pixels(dataset, &images[0][0][0], &pixel[0][0][0]);
    for (int i = 0; i < SIZE; i++)
        assert_true(fabs((&pixel[0][0][0])[i] - (double)(&expected[0][0][0])[i]) <
                    0.51);
    dataset_close(dataset);
}

static void validation_images_can_be_trained_on_too(void **state)
{
    (void)state;
    const int index[] = {OWN, N - 1};
    float images[2][H][W][C], expected[H][W][C];
    int label[2];
    struct dataset *dataset = dataset_open(make_dataset("all.h5"), &space);
    dataset_train_on_all(dataset);
    assert_int_equal(dataset_size(dataset, SPLIT_TRAIN), N);
    dataset_batch(dataset, SPLIT_TRAIN, index, 2, &images[0][0][0][0], label);
    for (int i = 0; i < 2; i++) {
        plain_window(index[i], NULL, expected);
        assert_same(&images[i][0][0][0], expected);
        assert_int_equal(label[i], index[i] % 2);
    }
    dataset_close(dataset);
}

/* ---- what is refused ---- */

struct reading {
    const char *path;
    int image;
    bool all;
};

static int read_image(const void *argument)
{
    const struct reading *reading = argument;
    float image[SIZE];
    int label;
    log_set_program("greedy");
    omp_set_num_threads(1);
    struct dataset *dataset = dataset_open(reading->path, &space);
    if (reading->all)
        dataset_train_on_all(dataset);
    dataset_batch(dataset, SPLIT_TRAIN, &reading->image, 1, image, &label);
    dataset_close(dataset);
    return 0;
}

static void assert_told(const struct reading *reading, const char *rest)
{
    char expected[2 * SCRATCH_PATH_SIZE];
    struct child child = child_run(read_image, reading);
    snprintf(expected, sizeof(expected), "greedy: '%s': %s", reading->path, rest);
    assert_string_equal(child.err, expected);
    assert_int_equal(child.code, 1);
}

static void a_damaged_image_is_named(void **state)
{
    (void)state;
    static const char rest[] =
        "its bytes are not those that were imported (CRC-32)\n"
        "greedy: the file is damaged: remove it to have it made again\n";
    char text[512];
    const char *path = make_dataset("damaged.h5");
    for (int image = 1; image < N; image += N - 2) { /* the second, the last */
        scratch_write_at(path, place + offset[image] + files[image].n / 2, 0x5a);
        snprintf(text, sizeof(text), "'train/%d.jpg': %s", image, rest);
        assert_told(&(struct reading){path, image, true}, text);
    }
    assert_int_equal(child_run(read_image, &(struct reading){path, 0, false}).code, 0);
}

static void a_file_that_was_cut_short_is_told(void **state)
{
    (void)state;
    const char *path = make_dataset("cut.h5");
    struct child child;
    if (truncate(path, (off_t)(place + offset[3])) != 0)
        abort();
    child = child_run(read_image, &(struct reading){path, 0, false});
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "cut.h5' is truncated: found "));
}

static int open_four(const void *path)
{
    struct space_config four = space;
    four.input[2] = 4;
    log_set_program("greedy");
    dataset_close(dataset_open(path, &four));
    return 0;
}

static void other_than_one_or_three_channels_are_refused(void **state)
{
    (void)state;
    struct child child = child_run(open_four, make_dataset("four.h5"));
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "four.h5': its images have 1 or 3 channels when "
                                      "they are decoded, space.input has 4\n"));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        /* First, while there is one thread: those that fork. */
        cmocka_unit_test(a_damaged_image_is_named),
        cmocka_unit_test(a_file_that_was_cut_short_is_told),
        cmocka_unit_test(other_than_one_or_three_channels_are_refused),
        cmocka_unit_test(a_file_is_judged_by_its_middle),
        cmocka_unit_test(training_images_are_augmented_as_drawn),
        cmocka_unit_test(pixels_are_augmented_alike),
        cmocka_unit_test(the_bytes_do_not_depend_on_the_threads),
        cmocka_unit_test(normalising_can_be_undone),
        cmocka_unit_test(validation_images_can_be_trained_on_too),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
