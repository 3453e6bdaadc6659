/* Windows are resampled as a plain loop over all pixels does it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "io/resize.h"

enum { H = 37, W = 53, C = 3 };
static unsigned char pixels[H][W][C];

static void make_pixels(void)
{
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    for (int i = 0; i < H * W * C; i++)
        (&pixels[0][0][0])[i] = (unsigned char)rng_below(&rng, 256);
}

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* One output: every pixel of the cut-out window, weighed by its distance in outputs. */
static double plain(const struct window *window, int height, int width, int i, int j,
                    int c)
{
    double tall = window->height / height, wide = window->width / width;
    double y = window->top + (i + 0.5) * tall, x = window->left + (j + 0.5) * wide;
    double sum = 0, weights = 0;
    tall = tall > 1 ? tall : 1;
    wide = wide > 1 ? wide : 1;
    for (int p = 0; p < H; p++)
        for (int q = 0; q < W; q++) {
            if (p + 1 <= window->top || p >= window->top + window->height ||
                q + 1 <= window->left || q >= window->left + window->width)
                continue;
            double w = triangle((p + 0.5 - y) / tall) * triangle((q + 0.5 - x) / wide);
            sum += w * pixels[p][q][c];
            weights += w;
        }
    return sum / weights;
}

static void assert_plain(struct window window, int height, int width)
{
    struct resizer *resizer = resizer_create();
    float *image = calloc((size_t)(height * width * C), sizeof(float));
    const struct picture picture = {0, H, W, C, &pixels[0][0][0]};
    make_pixels();
    resize(resizer, &picture, &window, height, width, image);
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++)
            for (int c = 0; c < C; c++)
                assert_float_equal((double)image[(i * width + j) * C + c],
                                   plain(&window, height, width, i, j, c), 1e-3);
    free(image);
    resizer_free(resizer);
}

static void the_same_size_is_the_same_picture(void **state)
{
    (void)state;
    struct resizer *resizer = resizer_create();
    static float image[H][W][C];
    const struct picture picture = {0, H, W, C, &pixels[0][0][0]};
    make_pixels();
    resize(resizer, &picture, &(struct window){0, 0, H, W}, H, W, &image[0][0][0]);
    for (int i = 0; i < H * W * C; i++)
        assert_true((&image[0][0][0])[i] == (float)(&pixels[0][0][0])[i]);
    resizer_free(resizer);
    resizer_free(NULL);
}

static void windows_are_what_the_plain_loop_makes_of_them(void **state)
{
    (void)state;
    assert_plain((struct window){0, 0, H, W}, 16, 16);
    assert_plain((struct window){0, 0, H, W}, 80, 11);
    assert_plain((struct window){5, 7, 20, 9}, 8, 24);
    assert_plain((struct window){3.25, 1.5, 30.5, 40.75}, 13, 17);
    assert_plain((struct window){36, 52, 1, 1}, 4, 4);
    assert_plain((struct window){0, 0, H, 1}, 1, 1);
}

/* 2 x 2 pixels to one: the triangle reaches 2 pixels from the middle, 1/4 and 3/4. */
static void shrinking_takes_all_pixels_into_account(void **state)
{
    (void)state;
    const unsigned char row[8] = {8, 16, 24, 32, 40, 48, 56, 64};
    const struct picture picture = {0, 1, 8, 1, row};
    struct resizer *resizer = resizer_create();
    float image[4];
    resize(resizer, &picture, &(struct window){0, 0, 1, 8}, 1, 4, image);
    /* Inside: (1 x 16 + 3 x 24 + 3 x 32 + 1 x 40) / 8 */
    assert_float_equal((double)image[1], 28, 1e-5);
    /* At the edge one of the four is missing: (3 x 8 + 3 x 16 + 1 x 24) / 7 */
    assert_float_equal((double)image[0], 96.0 / 7, 1e-5);
    resizer_free(resizer);
}

static void rows_of_a_part_stand_where_they_were(void **state)
{
    (void)state;
    const struct window window = {10.5, 3, 12, 40};
    const struct picture whole = {0, H, W, C, &pixels[0][0][0]};
    const struct picture part = {10, 13, W, C, &pixels[10][0][0]};
    struct resizer *resizer = resizer_create();
    float a[9 * 9 * C], b[9 * 9 * C];
    make_pixels();
    resize(resizer, &whole, &window, 9, 9, a);
    resize(resizer, &part, &window, 9, 9, b);
    assert_memory_equal(a, b, sizeof(a));
    resizer_free(resizer);
}

/* 400 x 300 to 224 x 224: the shorter side is 300 x 224/256 = 262.5 of it. */
static void the_centre_has_the_proportions_of_the_output(void **state)
{
    (void)state;
    struct window window = window_centred(400, 300, 224, 224, 224.0 / 256);
    assert_float_equal(window.height, 262.5, 1e-9);
    assert_float_equal(window.width, 262.5, 1e-9);
    assert_float_equal(window.top, (400 - 262.5) / 2, 1e-9);
    assert_float_equal(window.left, (300 - 262.5) / 2, 1e-9);
    window = window_centred(100, 300, 20, 30, 1);
    assert_float_equal(window.height, 100, 1e-9);
    assert_float_equal(window.width, 150, 1e-9);
    assert_float_equal(window.left, 75, 1e-9);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_size_is_the_same_picture),
        cmocka_unit_test(windows_are_what_the_plain_loop_makes_of_them),
        cmocka_unit_test(shrinking_takes_all_pixels_into_account),
        cmocka_unit_test(rows_of_a_part_stand_where_they_were),
        cmocka_unit_test(the_centre_has_the_proportions_of_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
