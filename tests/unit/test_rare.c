/* Drawing within limits: against every path of a small space looked at one by one, and
 * where one path in many millions fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "nas/rare.h"
#include "unit/spaces.h"

enum { MACRO_PATHS = 6561 };

static void macro(struct space *space, struct cost_table *cost)
{
    static struct space_config config;
    config = macro_config();
    space_init(space, &config);
    cost_table_init(cost, space);
}

static int number_of(const struct path *path)
{
    int number = 0;
    for (int l = 0; l < path->n; l++)
        number = 3 * number + path->op[l];
    return number;
}

static struct path path_of_number(int number)
{
    struct path path = {.n = 8};
    for (int l = 7; l >= 0; l--, number /= 3)
        path.op[l] = (uint8_t)(number % 3);
    return path;
}

/* Of the paths within the limit, all but those next to it are drawn, each as often. */
static void feasible_paths_are_drawn_equally_often_and_no_others(void **state)
{
    (void)state;
    struct space space;
    struct cost_table cost;
    macro(&space, &cost);
    const struct constraint_config limit = {.flops = 45e6};
    struct rare *rare = rare_create(&cost, &limit);
    static int times[MACRO_PATHS];
    enum { DRAWS = 200000 };
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        struct path path;
        assert_true(rare_draw(rare, &rng, &path));
        times[number_of(&path)]++;
    }
    int within = 0, never = 0, drawn = 0;
    double square = 0;
    double near = 45e6 - 8 * (45e6 - 7713280) / 4096; /* a step for each layer */
    for (int i = 0; i < MACRO_PATHS; i++) {
        struct path path = path_of_number(i);
        double flops = (double)cost_of_path(&cost, &path).flops;
        if (flops > limit.flops) {
            assert_int_equal(times[i], 0);
            continue;
        }
        within++;
        never += times[i] == 0;
        assert_true(times[i] > 0 || flops > near);
        drawn += times[i] > 0;
    }
    for (int i = 0; i < MACRO_PATHS; i++)
        if (times[i] > 0)
            square += pow(times[i] - (double)DRAWS / drawn, 2) * drawn / DRAWS;
    if (within < 300 || never > within / 10)
        fail_msg("%d paths within the limit, %d of them never drawn", within, never);
    assert_true(fabs(rare_share(rare) * MACRO_PATHS - drawn) < 1e-6);
    /* Chi-squared: mean drawn - 1, deviation sqrt(2 (drawn - 1)). */
    assert_true(fabs(square - (drawn - 1)) < 5 * sqrt(2.0 * drawn));
    rare_free(rare);
}

/* Without a limit that cuts, the whole space. */
static void a_limit_above_all_paths_leaves_all(void **state)
{
    (void)state;
    struct space space;
    struct cost_table cost;
    macro(&space, &cost);
    struct rare *rare = rare_create(&cost, &(struct constraint_config){.flops = 2e8});
    assert_true(fabs(rare_share(rare) - 1) < 1e-12);
    rare_free(rare);
}

static void where_only_the_cheapest_fits_it_is_drawn(void **state)
{
    (void)state;
    struct space space;
    struct cost_table cost;
    macro(&space, &cost);
    struct rng rng = rng_stream(2, RNG_TEST, 0, 0);
    for (int more = 0; more < 2; more++) {
        struct path path;
        struct rare *rare =
            rare_create(&cost, &(struct constraint_config){.flops = 7713280 + more});
        assert_true(rare_draw(rare, &rng, &path));
        assert_int_equal(number_of(&path), 0);
        rare_free(rare);
    }
    assert_null(rare_create(&cost, &(struct constraint_config){.flops = 7713279}));
    assert_null(rare_create(
        &cost, &(struct constraint_config){.flops = 2e8, .params = 387881}));
    assert_null(rare_create(&cost, &(struct constraint_config){0}));
}

/* 13^21 paths, of which less than one in 10^9 has at most 100 M FLOPs: many different
 * ones are found at once, within both limits. */
static void a_needle_in_a_large_space_is_found_at_once(void **state)
{
    (void)state;
    static struct space_config config;
    struct space space;
    struct cost_table cost;
    config = mobile_config(se_choices);
    space_init(&space, &config);
    cost_table_init(&cost, &space);
    const struct constraint_config limit = {.flops = 100e6, .params = 4e6};
    struct rare *rare = rare_create(&cost, &limit);
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    struct path_map *found = path_map_create();
    assert_true(rare_share(rare) > 0 && rare_share(rare) < 1e-9);
    for (int i = 0; i < 1000; i++) {
        struct path path;
        assert_true(rare_draw(rare, &rng, &path));
        struct cost one = cost_of_path(&cost, &path);
        assert_true(cost_feasible(&one, &limit));
        path_map_insert(found, &path);
    }
    assert_true(path_map_size(found) > 900);
    path_map_free(found);
    rare_free(rare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feasible_paths_are_drawn_equally_often_and_no_others),
        cmocka_unit_test(a_limit_above_all_paths_leaves_all),
        cmocka_unit_test(where_only_the_cheapest_fits_it_is_drawn),
        cmocka_unit_test(a_needle_in_a_large_space_is_found_at_once),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rare", tests, NULL, NULL);
}
