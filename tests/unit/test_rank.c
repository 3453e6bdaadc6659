/* Rank correlation: by hand, and against the definition over all pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nas/rank.h"

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static void the_same_order_is_1_and_the_opposite_minus_1(void **state)
{
    (void)state;
    const double a[] = {3, 1, 2, 10, -5}, same[] = {0.3, 0.1, 0.2, 7, -1},
                 opposite[] = {-3, -1, -2, -10, 5};
    assert_true(rank_kendall(a, same, 5) == 1.0);
    assert_true(rank_kendall(a, opposite, 5) == -1.0);
    assert_true(rank_spearman(a, same, 5) == 1.0);
    assert_true(rank_spearman(a, opposite, 5) == -1.0);
}

/* Worked by hand: 6 pairs, one tied in b; of the other 5, 3 agree and 2 do not. */
static void ties_count_in_neither_direction(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4}, b[] = {1, 3, 3, 2};
    assert_near(rank_kendall(a, b, 4), (3 - 2) / sqrt(6 * 5));
}

/* 10 pairs. Tied in a: (1,2); in b: (1,2), (4,5); so in both: (1,2). Of the other 8,
 * (3,1) and (3,2) disagree, and (1,4) (1,5) (2,4) (2,5) (3,4) (3,5) agree. */
static void pairs_tied_in_both_are_counted_once(void **state)
{
    (void)state;
    const double a[] = {1, 1, 2, 3, 4}, b[] = {5, 5, 2, 7, 7};
    assert_near(rank_kendall(a, b, 5), (6 - 2) / sqrt((10 - 1) * (10 - 2)));
}

/* Ranks of a: 1 2 3 4; of b: 1 3.5 3.5 2. Deviations from 2.5: products 2.25 - 0.5 +
 * 0.5
 * - 0.75 = 1.5; squares 5 and 2.25 + 1 + 1 + 0.25 = 4.5. */
static void tied_values_share_the_average_rank(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4}, b[] = {10, 30, 30, 20};
    assert_near(rank_spearman(a, b, 4), 1.5 / sqrt(5 * 4.5));
}

/* d = 0 1 1 0 0: rho = 1 - 6 * 2 / (5 * 24). */
static void without_ties_spearman_is_the_textbook_formula(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4, 5}, b[] = {10, 30, 20, 40, 50};
    assert_near(rank_spearman(a, b, 5), 1 - 6.0 * 2 / (5 * 24));
}

static void only_the_order_matters(void **state)
{
    (void)state;
    const double a[] = {0.1, 0.5, 0.2, 0.9}, b[] = {4, 7, 5, 6},
                 stretched[] = {-1e300, 1e3, 0, HUGE_VAL};
    assert_true(rank_kendall(a, b, 4) == rank_kendall(stretched, b, 4));
    assert_true(rank_spearman(a, b, 4) == rank_spearman(stretched, b, 4));
}

static void what_has_no_order_is_not_a_number(void **state)
{
    (void)state;
    const double constant[] = {2, 2, 2}, a[] = {1, 2, 3}, hole[] = {1, nan(""), 3};
    assert_true(isnan(rank_kendall(constant, a, 3)));
    assert_true(isnan(rank_kendall(a, constant, 3)));
    assert_true(isnan(rank_kendall(constant, constant, 3)));
    assert_true(isnan(rank_kendall(a, hole, 3)));
    assert_true(isnan(rank_kendall(hole, a, 3)));
    assert_true(isnan(rank_kendall(a, a, 1)));
    assert_true(isnan(rank_kendall(NULL, NULL, 0)));
    assert_true(isnan(rank_spearman(constant, a, 3)));
    assert_true(isnan(rank_spearman(a, constant, 3)));
    assert_true(isnan(rank_spearman(a, hole, 3)));
    assert_true(isnan(rank_spearman(hole, a, 3)));
    assert_true(isnan(rank_spearman(a, a, 1)));
    assert_true(isnan(rank_spearman(NULL, NULL, 0)));
}

/* Both in the same direction, as a caller has to pass them: accuracy, and minus loss.
 */
static void low_loss_and_high_accuracy_agree_when_the_loss_is_negated(void **state)
{
    (void)state;
    const double minus_loss[] = {-0.2, -0.9, -0.5}, accuracy[] = {0.9, 0.6, 0.8};
    assert_true(rank_kendall(minus_loss, accuracy, 3) == 1.0);
    assert_true(rank_spearman(minus_loss, accuracy, 3) == 1.0);
}

/* tau-b over all pairs, as it is defined. */
static double kendall_by_definition(const double *a, const double *b, size_t n)
{
    long sum = 0, untied_a = 0, untied_b = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            int sign_a = (a[i] > a[j]) - (a[i] < a[j]);
            int sign_b = (b[i] > b[j]) - (b[i] < b[j]);
            sum += sign_a * sign_b;
            untied_a += sign_a != 0;
            untied_b += sign_b != 0;
        }
    }
    return (double)sum / (sqrt((double)untied_a) * sqrt((double)untied_b));
}

/* The rank of a value is 1 + those below + half of its equals. */
static double spearman_by_definition(const double *a, const double *b, size_t n)
{
    double sum = 0, sum_a = 0, sum_b = 0, mean = (double)(n + 1) / 2;
    for (size_t i = 0; i < n; i++) {
        double rank_a = 0.5, rank_b = 0.5;
        for (size_t j = 0; j < n; j++) {
            rank_a += (a[j] < a[i]) + 0.5 * (a[j] == a[i]);
            rank_b += (b[j] < b[i]) + 0.5 * (b[j] == b[i]);
        }
        sum += (rank_a - mean) * (rank_b - mean);
        sum_a += (rank_a - mean) * (rank_a - mean);
        sum_b += (rank_b - mean) * (rank_b - mean);
    }
    return sum / (sqrt(sum_a) * sqrt(sum_b));
}

enum { CASES = 600, ITEMS_FEW = 62, ITEMS_MAX = 1000 };

/* Few values for many items; in every second case the two have to do with each other.
 * Now and then as many items as the paper ranks. */
static size_t draw_case(uint32_t number, double a[ITEMS_MAX], double b[ITEMS_MAX])
{
    struct rng rng = rng_stream(1, RNG_TEST, 0, number);
    size_t n = 2 + rng_below(&rng, (number % 20 ? ITEMS_FEW : ITEMS_MAX) - 1);
    uint32_t values = 1 + rng_below(&rng, 12);
    for (size_t i = 0; i < n; i++) {
        a[i] = (double)rng_below(&rng, values) - 3;
        b[i] = number % 2 ? a[i] + (double)rng_below(&rng, 4)
                          : (double)rng_below(&rng, 1 + values / 2);
    }
    return n;
}

static void both_equal_their_definitions_on_data_full_of_ties(void **state)
{
    (void)state;
    int defined = 0;
    for (uint32_t number = 0; number < CASES; number++) {
        double a[ITEMS_MAX], b[ITEMS_MAX];
        size_t n = draw_case(number, a, b);
        double tau = kendall_by_definition(a, b, n);
        if (isnan(tau)) {
            assert_true(isnan(rank_kendall(a, b, n)));
            assert_true(isnan(rank_spearman(a, b, n)));
            continue;
        }
        defined++;
        assert_near(rank_kendall(a, b, n), tau);
        assert_near(rank_kendall(b, a, n), tau);
        assert_near(rank_spearman(a, b, n), spearman_by_definition(a, b, n));
    }
    assert_true(defined > 400);
}

static void thousands_of_items_do_not_overflow(void **state)
{
    (void)state;
    enum { N = 100000 };
    static double a[N], b[N];
    for (int i = 0; i < N; i++) {
        a[i] = i;
        b[i] = i < N / 2 ? i : N + N / 2 - i;
    }
    /* The upper half is reversed: of the pairs, those within it disagree. */
    double pairs = 0.5 * N * (N - 1.0), within = 0.5 * (N / 2) * (N / 2 - 1.0);
    assert_near(rank_kendall(a, b, N), 1 - 2 * within / pairs);
}

static double number_of_distinct(const double *a, const double *b, size_t n)
{
    size_t distinct = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < i && (a[j] != a[i] || b[j] != b[i]))
            j++;
        distinct += j == i;
    }
    return (double)distinct;
}

/* Of n items drawn n times with replacement, n * (1 - (1 - 1/n)^n) are distinct: 25.5
 * of 40, with a deviation of about 2; the middle half lies within 23 to 28, and both
 * values of an item stay together. */
static void resamples_draw_whole_items_with_replacement(void **state)
{
    (void)state;
    double a[40], b[40], low, high;
    for (int i = 0; i < 40; i++) {
        a[i] = i;
        b[i] = 2 * i;
    }
    rank_bootstrap(number_of_distinct, a, b, 40, 1000, 0.5, 1, &low, &high);
    assert_true(low >= 23 && low <= 25.5);
    assert_true(high >= 25.5 && high <= 28);
    rank_bootstrap(rank_kendall, a, b, 40, 200, 0.95, 1, &low, &high);
    assert_true(low == 1.0 && high == 1.0);
}

/* For n items in random order, tau varies with variance 2(2n+5)/(9n(n-1)): 0.00453 for
 * n = 100. The bootstrap's spread is near that, so the 95 % interval is about 4 *
 * 0.0673 wide. */
static void the_interval_has_the_width_that_theory_gives(void **state)
{
    (void)state;
    double width = 0;
    for (uint32_t run = 0; run < 20; run++) {
        struct rng rng = rng_stream(2, RNG_TEST, 0, run);
        double a[100], b[100], low, high;
        for (int i = 0; i < 100; i++) {
            a[i] = rng_uniform(&rng);
            b[i] = rng_uniform(&rng);
        }
        double tau = rank_kendall(a, b, 100);
        rank_bootstrap(rank_kendall, a, b, 100, 400, 0.95, run, &low, &high);
        assert_true(low < tau && tau < high);
        width += (high - low) / 20;
    }
    assert_true(width > 0.85 * 4 * 0.0673 && width < 1.15 * 4 * 0.0673);
}

static double first_of_a(const double *a, const double *b, size_t n)
{
    (void)b, (void)n;
    return a[0];
}

/* Of two items, one of them heads each resample: the interval of that value has both at
 * its ends; the values come back when the seed does, at another number of threads. */
static void the_interval_is_a_function_of_the_seed(void **state)
{
    (void)state;
    double a[50], b[50], low[3], high[3];
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    for (int i = 0; i < 50; i++) {
        a[i] = rng_uniform(&rng);
        b[i] = rng_uniform(&rng);
    }
    int threads = omp_get_max_threads();
    for (int i = 0; i < 3; i++) {
        omp_set_num_threads(i == 2 ? 3 : 1);
        rank_bootstrap(rank_spearman, a, b, 50, 100, 0.9, i == 1 ? 8 : 7, &low[i],
                       &high[i]);
    }
    omp_set_num_threads(threads);
    assert_true(low[0] == low[2] && high[0] == high[2]);
    assert_true(low[0] != low[1] || high[0] != high[1]);
    const double two[] = {1, 2};
    rank_bootstrap(first_of_a, two, two, 2, 100, 0.9, 1, &low[0], &high[0]);
    assert_true(low[0] == 1 && high[0] == 2);
}

/* Two items: every second resample is constant and has no tau; the others have 1. */
static void resamples_without_a_value_are_left_out(void **state)
{
    (void)state;
    const double a[] = {1, 2}, constant[] = {3, 3};
    double low, high;
    rank_bootstrap(rank_kendall, a, a, 2, 100, 0.95, 1, &low, &high);
    assert_true(low == 1.0 && high == 1.0);
    rank_bootstrap(rank_kendall, a, constant, 2, 100, 0.95, 1, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

/* One line for each case: tau and rho; a; b. For tests/cli/rank_scipy.bats. */
static int write_cases(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return 1;
    for (uint32_t number = 0; number < CASES; number++) {
        double a[ITEMS_MAX], b[ITEMS_MAX];
        size_t n = draw_case(number, a, b);
        fprintf(out, "%.17g,%.17g", rank_kendall(a, b, n), rank_spearman(a, b, n));
        for (size_t i = 0; i < n; i++)
            fprintf(out, "%c%.17g", i == 0 ? ';' : ',', a[i]);
        for (size_t i = 0; i < n; i++)
            fprintf(out, "%c%.17g", i == 0 ? ';' : ',', b[i]);
        fprintf(out, "\n");
    }
    return fclose(out) != 0;
}

int main(void)
{
    const char *cases = getenv("RANK_CASES");
    if (cases != NULL)
        return write_cases(cases);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_order_is_1_and_the_opposite_minus_1),
        cmocka_unit_test(ties_count_in_neither_direction),
        cmocka_unit_test(pairs_tied_in_both_are_counted_once),
        cmocka_unit_test(tied_values_share_the_average_rank),
        cmocka_unit_test(without_ties_spearman_is_the_textbook_formula),
        cmocka_unit_test(only_the_order_matters),
        cmocka_unit_test(what_has_no_order_is_not_a_number),
        cmocka_unit_test(low_loss_and_high_accuracy_agree_when_the_loss_is_negated),
        cmocka_unit_test(both_equal_their_definitions_on_data_full_of_ties),
        cmocka_unit_test(thousands_of_items_do_not_overflow),
        cmocka_unit_test(resamples_draw_whole_items_with_replacement),
        cmocka_unit_test(the_interval_has_the_width_that_theory_gives),
        cmocka_unit_test(the_interval_is_a_function_of_the_seed),
        cmocka_unit_test(resamples_without_a_value_are_left_out),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rank", tests, NULL, NULL);
}
