#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "paper/binomial.h"

static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-9))
        fail_msg("found %.12g, expected %.12g", found, expected);
}

/* Every one of the 2^m outcomes by itself: which of the m paths are good. */
static double by_outcomes(int m, int k, double q)
{
    double sum = 0;
    for (unsigned good = 0; good < 1u << m; good++) {
        int n = __builtin_popcount(good);
        if (n >= k)
            sum += pow(q, n) * pow(1 - q, m - n);
    }
    return sum;
}

static void the_chance_of_enough_good_paths_is_the_sum_over_all_outcomes(void **state)
{
    (void)state;
    for (int m = 1; m <= 10; m++)
        for (int k = 0; k <= m; k++)
            for (int tenth = 0; tenth <= 10; tenth++)
                assert_close(binomial_at_least(m, k, tenth / 10.0),
                             by_outcomes(m, k, tenth / 10.0));
}

/* The paper prints these two. */
static void ten_paths_have_five_good_ones_as_the_paper_says(void **state)
{
    (void)state;
    assert_true(fabs(binomial_at_least(10, 5, 0.6) - 0.83376) < 5e-6);
    assert_true(fabs(binomial_at_least(10, 5, 0.8) - 0.99363) < 5e-6);
}

/* Wilson's interval has as its ends the shares p of which the one that was seen is just
 * 1.96 standard errors away: |share - p| = z sqrt(p (1 - p) / n). */
static void an_intervals_ends_are_as_many_standard_errors_away(void **state)
{
    (void)state;
    static const double shares[] = {0.003, 0.2, 0.5, 0.912, 0.999};
    static const double trials[] = {10, 100, 5000};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 3; j++) {
            double end[2], n = trials[j];
            binomial_interval(shares[i], n, &end[0], &end[1]);
            assert_true(end[0] < shares[i] && shares[i] < end[1]);
            for (int e = 0; e < 2; e++)
                assert_close(fabs(shares[i] - end[e]),
                             1.959963984540054 * sqrt(end[e] * (1 - end[e]) / n));
        }
}

static void an_interval_stays_between_none_and_all(void **state)
{
    (void)state;
    double low, high;
    binomial_interval(0, 20, &low, &high);
    assert_true(low == 0 && high > 0 && high < 0.2);
    binomial_interval(1, 20, &low, &high);
    assert_true(high == 1 && low < 1 && low > 0.8);
}

static void nothing_is_known_of_no_trials(void **state)
{
    (void)state;
    double low, high;
    binomial_interval(0.5, 0, &low, &high);
    assert_true(isnan(low) && isnan(high));
    binomial_interval(0.5, (double)NAN, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

/* Newcombe (1998), Statistics in Medicine 17, Table II, method 10: 56/70 and 48/80,
 * 9/10 and 3/10, 10/10 and 0/10. */
static void a_differences_interval_is_that_of_the_published_examples(void **state)
{
    (void)state;
    static const struct {
        double share, n, other, m, low, high;
    } example[] = {{56.0 / 70, 70, 48.0 / 80, 80, 0.0524, 0.3339},
                   {9.0 / 10, 10, 3.0 / 10, 10, 0.1705, 0.8090},
                   {10.0 / 10, 10, 0.0 / 10, 10, 0.6075, 1.0000}};
    for (size_t i = 0; i < sizeof(example) / sizeof(example[0]); i++) {
        double low, high;
        binomial_difference(example[i].share, example[i].n, example[i].other,
                            example[i].m, &low, &high);
        assert_true(fabs(low - example[i].low) < 5.1e-5);
        assert_true(fabs(high - example[i].high) < 5.1e-5);
        binomial_difference(example[i].other, example[i].m, example[i].share,
                            example[i].n, &high, &low);
        assert_true(fabs(low + example[i].low) < 5.1e-5);
        assert_true(fabs(high + example[i].high) < 5.1e-5);
    }
}

static void of_no_images_nothing_is_known_of_a_difference(void **state)
{
    (void)state;
    double low, high;
    binomial_difference(0.5, 0, 0.5, 10, &low, &high);
    assert_true(isnan(low) && isnan(high));
    binomial_difference(0.5, 10, 0.5, 0, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chance_of_enough_good_paths_is_the_sum_over_all_outcomes),
        cmocka_unit_test(ten_paths_have_five_good_ones_as_the_paper_says),
        cmocka_unit_test(an_intervals_ends_are_as_many_standard_errors_away),
        cmocka_unit_test(an_interval_stays_between_none_and_all),
        cmocka_unit_test(nothing_is_known_of_no_trials),
        cmocka_unit_test(a_differences_interval_is_that_of_the_published_examples),
        cmocka_unit_test(of_no_images_nothing_is_known_of_a_difference),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("binomial", tests, NULL, NULL);
}
