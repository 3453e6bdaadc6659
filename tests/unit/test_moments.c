/* Means and deviations are those of the pixels, of files as of arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>

#include "base/die.h"
#include "io/moments.h"
#include "unit/child.h"
#include "unit/pictures.h"
#include "unit/scratch.h"

static const struct config config = {.seed = 1, .space = {.input = {2, 2, 3}}};

static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-6))
        fail_msg("%.9g is not %.9g", found, expected);
}

/* Channel c of the two images that count: 0, 51, 102, 153 + c and 51 times c. */
static void of_pixels_all_count_once(void **state)
{
    (void)state;
    unsigned char pixel[3][4][3];
    struct image_set set = {
        .images = (char *)(uintptr_t) "source", .n = 3, .pixel = &pixel[0][0][0]};
    const int index[] = {2, 0};
    memset(pixel, 200, sizeof(pixel));
    for (int j = 0; j < 4; j++)
        for (int c = 0; c < 3; c++) {
            pixel[0][j][c] = (unsigned char)(51 * j + c);
            pixel[2][j][c] = (unsigned char)(51 * c);
        }
    struct moments moments = moments_of(NULL, &set, index, 2, &config);
    for (int c = 0; c < 3; c++) {
        double sum = 0, squares = 0;
        for (int j = 0; j < 4; j++) {
            double a = (51 * j + c) / 255.0, b = 0.2 * c;
            sum += a + b;
            squares += a * a + b * b;
        }
        assert_close(moments.mean[c], sum / 8);
        assert_close(moments.deviation[c], sqrt(squares / 8 - sum / 8 * (sum / 8)));
    }
    moments_release(&moments);
}

/* Files of one colour each: 0.2 + 0.05 c and 0.6 - 0.05 c, whatever part is looked at.
 */
static void of_files_their_pictures_count(void **state)
{
    (void)state;
    struct picture_file file[2];
    unsigned char pixel[2][9 * 7][3];
    char *names[] = {(char *)(uintptr_t) "a", (char *)(uintptr_t) "b"};
    const char *path = scratch_path("files");
    FILE *out = fopen(path, "wb");
    fwrite("some bytes", 1, 10, out);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 9 * 7; j++)
            for (int c = 0; c < 3; c++)
                pixel[i][j][c] =
                    (unsigned char)(255 * (i ? 0.6 - 0.05 * c : 0.2 + 0.05 * c) + 0.5);
        file[i] = picture_png(pixel[i], 9, 7, PNG_FORMAT_RGB);
        fwrite(file[i].bytes, 1, file[i].n, out);
    }
    fclose(out);
    int64_t offset[] = {0, (int64_t)file[0].n};
    int32_t size[] = {(int32_t)file[0].n, (int32_t)file[1].n};
    struct import import = {.reserved = path, .place = 10};
    struct image_set set = {
        .images = names[0], .n = 2, .file = names, .offset = offset, .size = size};
    double first[3] = {0};
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        struct moments moments =
            moments_of(&import, &set, (const int[]){0, 1}, 2, &config);
        for (int c = 0; c < 3; c++) {
            double a = pixel[0][0][c] / 255.0, b = pixel[1][0][c] / 255.0;
            assert_close(moments.mean[c], (a + b) / 2);
            assert_true(fabs(moments.deviation[c] - fabs(a - b) / 2) < 1e-4);
            first[c] = threads == 1 ? moments.mean[c] : first[c];
            assert_true(moments.mean[c] == first[c]);
        }
        moments_release(&moments);
    }
    for (int i = 0; i < 2; i++)
        free(file[i].bytes);
}

static int of_one_colour(const void *argument)
{
    (void)argument;
    unsigned char pixel[12];
    log_set_program("prepare");
    for (int i = 0; i < 12; i++)
        pixel[i] = (unsigned char)(i % 3 == 1 ? 7 : i);
    struct image_set set = {
        .images = (char *)(uintptr_t) "source", .n = 1, .pixel = pixel};
    moments_of(NULL, &set, (const int[]){0}, 1, &config);
    return 0;
}

static void a_channel_of_one_value_is_refused(void **state)
{
    (void)state;
    struct child child = child_run(of_one_colour, NULL);
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err,
                        "prepare: 'source': all pixels of channel 1 have the "
                        "same value, expected images\n");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        /* First, while there is one thread: it forks. */
        cmocka_unit_test(a_channel_of_one_value_is_refused),
        cmocka_unit_test(of_pixels_all_count_once),
        cmocka_unit_test(of_files_their_pictures_count),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
