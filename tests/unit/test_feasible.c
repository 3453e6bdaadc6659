/* The share of feasible paths, against enumeration and against published shares. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* after those four */
#include <cmocka.h>

#include "nas/feasible.h"
#include "unit/spaces.h"

static struct cost_table *table_of(struct space_config config)
{
    struct space space = space_from(config);
    struct cost_table *table = calloc(1, sizeof *table);
    assert_non_null(table);
    cost_table_init(table, &space);
    return table;
}

/* All 6,561 paths of NAS-Bench-Macro's space, one by one. */
static double share_by_enumeration(const struct cost_table *table,
                                   const struct constraint_config *limit)
{
    int feasible = 0, n = 6561;
    for (int number = 0; number < n; number++) {
        struct path path = {.n = 8};
        for (int l = 0, rest = number; l < 8; l++, rest /= 3)
            path.op[l] = (uint8_t)(rest % 3);
        struct cost cost = cost_of_path(table, &path);
        feasible += cost_feasible(&cost, limit);
    }
    return (double)feasible / n;
}

static void a_small_space_is_counted_as_enumeration_does(void **state)
{
    (void)state;
    struct cost_table *table = table_of(macro_config());
    const struct constraint_config limit[] = {
        {.flops = 40e6},    {.flops = 53246464}, {.flops = 53246463},
        {.flops = 7713280}, {.flops = 7713279},  {.params = 1.2e6},
        {.params = 387882},
    };
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++) {
        struct feasible_share share = feasible_share(table, &limit[i], 1);
        assert_int_equal(share.method, FEASIBLE_COUNTED);
        assert_float_equal(share.low, share_by_enumeration(table, &limit[i]), 1e-12);
        assert_float_equal(share.high, share.low, 0);
    }
    free(table);
}

static void no_limit_and_one_beyond_every_path_allow_all(void **state)
{
    (void)state;
    struct cost_table *table = table_of(macro_config());
    const struct constraint_config limit[] = {
        {0}, {.flops = 1e18}, {.flops = 105660928}};
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++) {
        struct feasible_share share = feasible_share(table, &limit[i], 1);
        assert_float_equal(share.low, 1, 1e-12);
        assert_float_equal(share.high, 1, 1e-12);
    }
    free(table);
}

/* 7^21 and 13^21 paths. Expected: shares of two million uniform draws, by another
 * program (5.6 %, 4.0 %; 0.86 %, whose own error is 0.01 %). */
static void shares_of_the_papers_spaces(void **state)
{
    (void)state;
    const struct {
        const char *choices;
        double flops, share, within;
    } known[] = {{plain_choices, 330e6, 0.056, 0.0005},
                 {plain_choices, 322e6, 0.040, 0.0005},
                 {se_choices, 330e6, 0.0086, 0.0001}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct cost_table *table = table_of(mobile_config(known[i].choices));
        const struct constraint_config limit = {.flops = known[i].flops};
        struct feasible_share share = feasible_share(table, &limit, 1);
        assert_float_equal((share.low + share.high) / 2, known[i].share,
                           known[i].within);
        assert_true(share.low <= share.high);
        assert_true(share.high - share.low < 1e-2 * known[i].share);
        free(table);
    }
}

/* Where sums have no common divisor, the grid encloses what enumeration gives. */
static void a_grid_encloses_the_share(void **state)
{
    (void)state;
    struct cost_table *table = table_of(macro_config());
    for (int l = 0; l < table->n_layers; l++)
        for (int o = 0; o < table->n_ops; o++)
            table->op[l][o].flops = table->op[l][o].flops * 7 + 13 * l + 101 * o;
    for (int i = 1; i < 20; i++) {
        const struct constraint_config limit = {.flops = 37.1e6 * i};
        struct feasible_share share = feasible_share(table, &limit, 1);
        double expected = share_by_enumeration(table, &limit);
        assert_true(share.low <= expected + 1e-12);
        assert_true(share.high >= expected - 1e-12);
        assert_true(share.high - share.low < 0.01);
    }
    free(table);
}

/* Five intervals of 95 %: that all of them miss has a chance of one in three million.
 */
static void two_limits_are_sampled(void **state)
{
    (void)state;
    struct cost_table *table = table_of(macro_config());
    const struct constraint_config limit = {.flops = 50e6, .params = 1.2e6};
    double expected = share_by_enumeration(table, &limit);
    int held = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct feasible_share share = feasible_share(table, &limit, seed);
        assert_int_equal(share.method, FEASIBLE_SAMPLED);
        assert_true(share.high - share.low < 0.005);
        held += share.low <= expected && expected <= share.high;
    }
    assert_true(held > 0);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_space_is_counted_as_enumeration_does),
        cmocka_unit_test(no_limit_and_one_beyond_every_path_allow_all),
        cmocka_unit_test(shares_of_the_papers_spaces),
        cmocka_unit_test(a_grid_encloses_the_share),
        cmocka_unit_test(two_limits_are_sampled),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
