#include "base/quantile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_median_is_the_middle_or_halfway_between_two(void **state)
{
    (void)state;
    const double odd[] = {1, 2, 10}, even[] = {1, 2, 4, 10}, one[] = {7};
    assert_float_equal(quantile_of(odd, 3, 0.5), 2, 0);
    assert_float_equal(quantile_of(even, 4, 0.5), 3, 0);
    assert_float_equal(quantile_of(one, 1, 0.5), 7, 0);
}

static void quartiles_are_on_the_line_between_neighbours(void **state)
{
    (void)state;
    /* Position 0.25 * 3 = 0.75 and 0.75 * 3 = 2.25. */
    const double value[] = {0, 4, 8, 100};
    assert_float_equal(quantile_of(value, 4, 0.25), 3, 1e-12);
    assert_float_equal(quantile_of(value, 4, 0.75), 31, 1e-12);
    assert_float_equal(quantile_of(value, 4, 0), 0, 0);
    assert_float_equal(quantile_of(value, 4, 1), 100, 0);
}

static void sorting_ascends_and_keeps_equals(void **state)
{
    (void)state;
    double value[] = {3, -1, 3, 0.5};
    const double sorted[] = {-1, 0.5, 3, 3};
    quantile_sort(value, 4);
    assert_memory_equal(value, sorted, sizeof(sorted));
    quantile_sort(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_is_the_middle_or_halfway_between_two),
        cmocka_unit_test(quartiles_are_on_the_line_between_neighbours),
        cmocka_unit_test(sorting_ascends_and_keeps_equals),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("quantile", tests, NULL, NULL);
}
