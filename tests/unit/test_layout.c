#include <omp.h>

#include "net/layout.h"
#include "unit/tensors.h"

/* 5 x 3 x 2 with the last two dimensions inside a row, then a vector of 16, then 17. */
static struct layout three_arrays(void)
{
    struct layout layout = {0};
    layout_add(&layout, "a", "weight", "", 3, (size_t[]){5, 3, 2}, 2);
    layout_add(&layout, "a", "gamma", "", 1, (size_t[]){16}, 1);
    layout_add(&layout, "b", "gamma", "", 1, (size_t[]){17}, 1);
    return layout;
}

static void rows_are_padded_to_16_and_arrays_follow_each_other(void **state)
{
    (void)state;
    struct layout layout = three_arrays();
    assert_int_equal(layout.n, 3);
    assert_string_equal(layout.array[0].name, "a/weight");
    assert_int_equal(layout.array[0].rows, 5);
    assert_int_equal(layout.array[0].cols, 6);
    assert_int_equal(layout.array[0].stride, 16);
    assert_int_equal(layout.array[1].offset, 5 * 16);
    assert_int_equal(layout.array[1].rows, 1);
    assert_int_equal(layout.array[2].offset, 6 * 16);
    assert_int_equal(layout.floats, 6 * 16 + 32);
    assert_int_equal(layout_dense_floats(&layout.array[0]), 30);
    layout_release(&layout);
}

static void hundreds_of_arrays_keep_their_places(void **state)
{
    (void)state;
    struct layout layout = {0};
    for (size_t i = 0; i < 500; i++)
        layout_add(&layout, "v", "gamma", "", 1, &(size_t){i % 40 + 1}, 1);
    size_t expected = 0;
    for (int i = 0; i < layout.n; i++) {
        assert_int_equal(layout.array[i].offset, expected);
        expected += channels_padded(i % 40 + 1);
    }
    assert_int_equal(layout.floats, expected);
    layout_release(&layout);
}

static void gathering_drops_the_padding_and_scattering_leaves_it(void **state)
{
    (void)state;
    struct layout layout = three_arrays();
    const struct layout_array *a = &layout.array[0];
    float *values = nan_floats(layout.floats), dense[30], back[30];
    for (int i = 0; i < 30; i++)
        dense[i] = (float)i;
    layout_scatter(a, dense, values);
    for (size_t i = 0; i < layout.floats; i++) {
        size_t row = i / 16, col = i % 16;
        if (row < 5 && col < 6)
            assert_true(values[i] == (float)(6 * row + col));
        else
            assert_true(isnan(values[i]));
    }
    layout_gather(a, values, back);
    assert_memory_equal(back, dense, sizeof(dense));
    free(values);
    layout_release(&layout);
}

/* Four arrays, one of each kind, 100 x 90. */
static struct layout of_each_kind(void)
{
    struct layout layout = {0};
    for (int kind = INIT_ZERO; kind <= INIT_UNIFORM; kind++) {
        struct layout_array *a =
            layout_add(&layout, "x", "w", "", 2, (size_t[]){100, 90}, 1);
        a->init = (enum array_init)kind;
        a->spread = 0.25f;
    }
    return layout;
}

static void moments_of(const struct layout_array *a, const float *values, double *mean,
                       double *deviation, double *largest)
{
    double n = (double)(a->rows * a->cols), sum = 0, square = 0;
    *largest = 0;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->cols; c++) {
            double v = (double)values[a->offset + r * a->stride + c];
            sum += v, square += v * v;
            *largest = fmax(*largest, fabs(v));
        }
    *mean = sum / n;
    *deviation = sqrt(square / n - *mean * *mean);
}

/* 9000 draws: the mean is off by 1/95, the deviation by 1/134 of a deviation. */
static void initial_values_have_the_asked_distribution(void **state)
{
    (void)state;
    struct layout layout = of_each_kind();
    float *values = nan_floats(layout.floats);
    double mean, deviation, largest;
    layout_initialise(&layout, 3, values);
    moments_of(&layout.array[INIT_ZERO], values, &mean, &deviation, &largest);
    assert_true(mean == 0 && largest == 0);
    moments_of(&layout.array[INIT_ONE], values, &mean, &deviation, &largest);
    assert_true(mean == 1 && largest == 1);
    moments_of(&layout.array[INIT_NORMAL], values, &mean, &deviation, &largest);
    assert_true(fabs(mean) < 0.25 * 4 / 95);
    assert_true(fabs(deviation - 0.25) < 0.25 * 4 / 134);
    assert_true(largest > 0.75 && largest < 1.5);
    moments_of(&layout.array[INIT_UNIFORM], values, &mean, &deviation, &largest);
    assert_true(fabs(mean) < 0.25 * 4 / 95);
    assert_true(fabs(deviation - 0.25 / sqrt(3)) < 0.005);
    assert_true(largest > 0.249 && largest <= 0.25);
    free(values);
    layout_release(&layout);
}

static void padding_is_zero_after_initialisation(void **state)
{
    (void)state;
    struct layout layout = of_each_kind();
    float *values = nan_floats(layout.floats);
    layout_initialise(&layout, 3, values);
    for (size_t i = 0; i < layout.floats; i++)
        if (i % 96 >= 90)
            assert_true(values[i] == 0);
    free(values);
    layout_release(&layout);
}

static float *initialised(const struct layout *layout, uint64_t seed, int threads)
{
    float *values = nan_floats(layout->floats);
    omp_set_num_threads(threads);
    layout_initialise(layout, seed, values);
    return values;
}

static void initial_values_depend_on_seed_and_array_and_not_on_threads(void **state)
{
    (void)state;
    struct layout layout = of_each_kind();
    size_t bytes = layout.floats * sizeof(float);
    float *one = initialised(&layout, 3, 1), *three = initialised(&layout, 3, 3),
          *other = initialised(&layout, 4, 1);
    assert_memory_equal(one, three, bytes);
    assert_memory_not_equal(one, other, bytes);
    layout.array[INIT_UNIFORM].init = INIT_NORMAL;
    float *two = initialised(&layout, 3, 1);
    assert_memory_not_equal(two + layout.array[INIT_NORMAL].offset,
                            two + layout.array[INIT_UNIFORM].offset,
                            100 * 96 * sizeof(float));
    free(one), free(two), free(three), free(other);
    layout_release(&layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_padded_to_16_and_arrays_follow_each_other),
        cmocka_unit_test(hundreds_of_arrays_keep_their_places),
        cmocka_unit_test(gathering_drops_the_padding_and_scattering_leaves_it),
        cmocka_unit_test(initial_values_have_the_asked_distribution),
        cmocka_unit_test(padding_is_zero_after_initialisation),
        cmocka_unit_test(initial_values_depend_on_seed_and_array_and_not_on_threads),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
