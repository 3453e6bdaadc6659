/* What is drawn keeps to its laws, and does to pixels what plain loops do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "io/augment.h"

enum { DRAWS = 4000, H = 300, W = 400 };

static const struct augment_config everything = {.pad_crop = 3,
                                                 .flip = true,
                                                 .crop_area = 0.08,
                                                 .crop_aspect = 0.75,
                                                 .brightness = 0.4,
                                                 .contrast = 0.3,
                                                 .saturation = 0.2};

/* cmocka's own compares as float. */
static void assert_close(double found, double expected, double bound)
{
    if (!(fabs(found - expected) <= bound))
        fail_msg("%g is not %g, give or take %g", found, expected, bound);
}

static struct augmentation drawn(const struct augment_config *config, int i)
{
    return augment_draw(config, rng_stream(1, RNG_AUGMENT, 0, (uint64_t)i), H, W);
}

static void crops_lie_in_the_picture_and_in_their_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        struct window w = drawn(&everything, i).window;
        assert_true(w.top >= 0 && w.top + w.height <= H);
        assert_true(w.left >= 0 && w.left + w.width <= W);
        assert_true(w.top == floor(w.top) && w.left == floor(w.left));
        /* Sides are rounded to whole pixels. */
        assert_true((w.height + 1) * (w.width + 1) >= 0.08 * H * W);
        assert_true((w.width + 1) / (w.height - 1) >= 0.75);
        assert_true((w.height + 1) / (w.width - 1) >= 0.75);
    }
}

/*
 * Small crops always fit into a large square, so there area and proportions follow
 * their laws undisturbed: with areas of 0.3 to 0.5 (drawn up to 1, the larger ones
 * passed over) the mean is 0.4; as many are wide as are high; every place is as likely.
 * Bounds: 6 deviations of the mean.
 */
static void areas_are_uniform_and_proportions_symmetric(void **state)
{
    (void)state;
    double area = 0, squares = 0, wide = 0, place = 0;
    int n = 0;
    for (int i = 0; i < 4 * DRAWS; i++) {
        struct augment_config config = everything;
        config.crop_area = 0.3;
        struct window w =
            augment_draw(&config, rng_stream(2, RNG_AUGMENT, 0, (uint64_t)i), 1000,
                         1000)
                .window;
        double share = w.height * w.width / 1e6;
        if (share > 0.5)
            continue;
        area += share;
        squares += share * share;
        wide += w.width > w.height ? 1 : w.width == w.height ? 0.5 : 0;
        place += (w.top + 0.5) / (1000 - w.height + 1);
        n++;
    }
    assert_true(n > 1000);
    double deviation = 1 / sqrt((double)n);
    assert_close(area / n, 0.4, 6 * deviation * 0.2 / sqrt(12));
    assert_close(squares / n - area / n * (area / n), 0.04 / 12, 0.04 / 12 * 0.1);
    assert_close(wide / n, 0.5, 6 * deviation * 0.5);
    assert_close(place / n, 0.5, 6 * deviation / sqrt(12));
}

/* Of a picture 10 x 1000 nothing fits: the middle, 13 pixels wide (10 x 4/3). */
static void what_never_fits_is_cut_from_the_middle(void **state)
{
    (void)state;
    struct augment_config config = everything;
    config.crop_area = 1;
    struct window w =
        augment_draw(&config, rng_stream(1, RNG_AUGMENT, 0, 0), 10, 1000).window;
    assert_true(w.top == 0 && w.height == 10 && w.width == 13 && w.left == 493);
    w = augment_draw(&config, rng_stream(1, RNG_AUGMENT, 0, 0), 1000, 10).window;
    assert_true(w.left == 0 && w.width == 10 && w.height == 13 && w.top == 493);
}

static void factors_keep_to_their_bounds_and_use_them(void **state)
{
    (void)state;
    double least = 2, most = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct augmentation a = drawn(&everything, i);
        assert_true(fabs(a.brightness - 1) <= 0.4 && fabs(a.contrast - 1) <= 0.3 &&
                    fabs(a.saturation - 1) <= 0.2);
        least = a.brightness < least ? a.brightness : least;
        most = a.brightness > most ? a.brightness : most;
        assert_true(augment_colours(&a));
    }
    assert_true(least < 0.61 && most > 1.39);
}

/* Runs that were made before there were crops and colours go on as they began. */
static void moves_and_mirrors_do_not_depend_on_what_else_is_drawn(void **state)
{
    (void)state;
    const struct augment_config plain = {.pad_crop = 3, .flip = true};
    int flips = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct augmentation a = drawn(&everything, i), b = drawn(&plain, i);
        assert_true(a.down == b.down && a.right == b.right && a.flip == b.flip);
        assert_true(!b.crop && !augment_colours(&b));
        flips += a.flip;
    }
    assert_in_range(flips, DRAWS / 2 - 190, DRAWS / 2 + 190); /* 6 deviations */
}

static void moving_brings_in_black_and_mirrors_after(void **state)
{
    (void)state;
    const struct augmentation a = {.down = 1, .right = -1, .flip = true};
    const float in[2][3][1] = {{{1}, {2}, {3}}, {{4}, {5}, {6}}};
    /* Moved: 0 0 0 / 2 3 0; mirrored: 0 0 0 / 0 3 2 */
    const float expected[2][3][1] = {{{0}, {0}, {0}}, {{0}, {3}, {2}}};
    float out[2][3][1];
    augment_move(&a, 2, 3, 1, &in[0][0][0], &out[0][0][0]);
    assert_memory_equal(out, expected, sizeof(out));
}

/*
 * Worked by hand, two pixels. Brightness 1.5: (150, 60, 0) and (255, 255, 255), one cut
 * off. Greys 80.07 and 255, mean 167.535. Contrast 0.5: (158.7675, 113.7675, 83.7675)
 * and 211.2675. Greys 123.803 (0.299 x 158.7675 + 0.587 x 113.7675 + 0.114 x 83.7675)
 * and 211.2675; saturation 2: twice the colour less the grey.
 */
static void colours_are_mixed_in_turn(void **state)
{
    (void)state;
    const struct augmentation a = {.brightness = 1.5, .contrast = 0.5, .saturation = 2};
    float image[] = {100, 40, 0, 200, 180, 255};
    const double grey = 0.299 * 158.7675 + 0.587 * 113.7675 + 0.114 * 83.7675;
    augment_jitter(&a, 2, 3, image);
    assert_close((double)image[0], 2 * 158.7675 - grey, 1e-3);
    assert_close((double)image[1], 2 * 113.7675 - grey, 1e-3);
    assert_close((double)image[2], 2 * 83.7675 - grey, 1e-3);
    for (int c = 3; c < 6; c++)
        assert_close((double)image[c], 211.2675, 1e-3);
}

static void a_grey_image_has_no_saturation(void **state)
{
    (void)state;
    const struct augmentation a = {.brightness = 1, .contrast = 1, .saturation = 0};
    float image[] = {10, 20, 30};
    augment_jitter(&a, 3, 1, image);
    assert_true(image[0] == 10 && image[1] == 20 && image[2] == 30);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_lie_in_the_picture_and_in_their_bounds),
        cmocka_unit_test(areas_are_uniform_and_proportions_symmetric),
        cmocka_unit_test(what_never_fits_is_cut_from_the_middle),
        cmocka_unit_test(factors_keep_to_their_bounds_and_use_them),
        cmocka_unit_test(moves_and_mirrors_do_not_depend_on_what_else_is_drawn),
        cmocka_unit_test(moving_brings_in_black_and_mirrors_after),
        cmocka_unit_test(colours_are_mixed_in_turn),
        cmocka_unit_test(a_grey_image_has_no_saturation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
