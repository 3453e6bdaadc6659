/* Which paths are drawn, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nas/sampler.h"
#include "unit/child.h"
#include "unit/spaces.h"

static const struct constraint_config unconstrained = {0, 0, 0};

struct fixture {
    struct space space;
    struct cost_table cost;
    struct sampler sampler;
};

static void fixture_init(struct fixture *f, struct space_config config,
                         struct constraint_config constraint)
{
    space_init(&f->space, &config);
    cost_table_init(&f->cost, &f->space);
    sampler_init(&f->sampler, &f->space, &f->cost, &constraint);
}

static int number_of(const struct path *path, int base)
{
    int number = 0;
    for (int l = 0; l < path->n; l++)
        number = base * number + path->op[l];
    return number;
}

/* Chi-square over the 343 paths of 7^3 with 100 expected in each: 342 degrees of
 * freedom, mean 342, deviation sqrt(2 * 342) = 26.2; four deviations. */
static void every_path_is_drawn_equally_often(void **state)
{
    (void)state;
    enum { PATHS = 343, EACH = 100 };
    struct fixture f;
    fixture_init(&f, plain_config(3, 7), unconstrained);
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    int count[PATHS] = {0};
    for (int i = 0; i < PATHS * EACH; i++) {
        struct path path;
        sampler_uniform(&f.sampler, &rng, &path);
        assert_int_equal(path.n, 3);
        count[number_of(&path, 7)]++;
    }
    double chi_square = 0;
    for (int i = 0; i < PATHS; i++)
        chi_square += (double)(count[i] - EACH) * (count[i] - EACH) / EACH;
    assert_true(chi_square > 342 - 4 * 26.2 && chi_square < 342 + 4 * 26.2);
    assert_int_equal(f.sampler.rejected, 0);
}

/* The feasible ones among all 6561 paths are counted one by one; each of them is
 * equally likely. */
static void under_a_constraint_every_feasible_path_is_drawn_equally_often(void **state)
{
    (void)state;
    enum { EACH = 60 };
    const struct constraint_config limit = {36e6, 1.2e6, 0};
    struct fixture f;
    fixture_init(&f, macro_config(), limit);
    static bool allowed[6561];
    static int count[6561];
    int n_allowed = 0;
    for (int number = 0; number < 6561; number++) {
        struct path path = {.n = 8};
        for (int l = 7, rest = number; l >= 0; l--, rest /= 3)
            path.op[l] = (uint8_t)(rest % 3);
        struct cost cost = cost_of_path(&f.cost, &path);
        allowed[number] = cost.flops <= 36000000 && cost.params <= 1200000;
        n_allowed += allowed[number];
        count[number] = 0;
    }
    assert_true(n_allowed > 50);
    struct rng rng = rng_stream(2, RNG_TEST, 0, 0);
    for (int i = 0; i < EACH * n_allowed; i++) {
        struct path path;
        sampler_uniform(&f.sampler, &rng, &path);
        assert_true(allowed[number_of(&path, 3)]);
        count[number_of(&path, 3)]++;
    }
    double chi_square = 0, freedom = n_allowed - 1;
    for (int i = 0; i < 6561; i++)
        if (allowed[i])
            chi_square += (double)(count[i] - EACH) * (count[i] - EACH) / EACH;
    assert_true((chi_square - freedom) * (chi_square - freedom) < 16 * 2 * freedom);
    double taken = (double)(EACH * n_allowed);
    double rate = taken / (taken + (double)f.sampler.rejected);
    assert_true(rate > 0.9 * n_allowed / 6561 && rate < 1.1 * n_allowed / 6561);
}

/* 5.62 % of all 7^21 paths have at most 330 M FLOPs (from the distribution of the sum,
 * on a grid of 5 k); 40,000 draws have a standard deviation of 0.115 %. */
static void the_share_below_330_million_flops_is_that_of_the_mobile_space(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, mobile_config(plain_choices), unconstrained);
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    int below = 0;
    double sum = 0;
    for (int i = 0; i < 40000; i++) {
        struct path path;
        sampler_uniform(&f.sampler, &rng, &path);
        struct cost cost = cost_of_path(&f.cost, &path);
        below += cost.flops <= 330000000;
        sum += (double)cost.flops / 1e6;
    }
    assert_true(below > 40000 * (0.0562 - 4 * 0.00115));
    assert_true(below < 40000 * (0.0562 + 4 * 0.00115));
    assert_true(sum / 40000 > 408.0 && sum / 40000 < 411.0);
}

/* 8 of the 2187 paths of 3^7. */
static struct pool *small_pool(const struct space *space)
{
    struct pool *pool = pool_create(8);
    for (int i = 0; i < 8; i++) {
        struct path path = path_of_one_op(space, 0);
        path.op[0] = (uint8_t)(i & 1);
        path.op[1] = (uint8_t)(i >> 1 & 1);
        path.op[2] = (uint8_t)(i >> 2 & 1);
        pool_offer(pool, &path, i);
    }
    return pool;
}

/* 20,000 single draws at epsilon 0.3: the share has a deviation of 0.0032. Every entry
 * of the pool gets an eighth of it: 750, deviation 27. */
static void a_share_of_epsilon_comes_evenly_from_the_pool(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(7, 3), unconstrained);
    struct pool *pool = small_pool(&f.space);
    int pooled = 0, entry[8] = {0};
    for (uint32_t i = 0; i < 20000; i++) {
        struct rng rng = rng_stream(4, RNG_TEST, 0, i);
        struct path path;
        bool from_pool;
        sampler_mixture(&f.sampler, &rng, pool, 0.3, 1, &path, &from_pool);
        if (!from_pool)
            continue;
        assert_true(pool_contains(pool, &path));
        pooled++;
        entry[path.op[0] + 2 * path.op[1] + 4 * path.op[2]]++;
    }
    assert_in_range(pooled, 20000 * (0.3 - 4 * 0.0032), 20000 * (0.3 + 4 * 0.0032));
    for (int i = 0; i < 8; i++)
        assert_in_range(entry[i], 750 - 4 * 27, 750 + 4 * 27);
    pool_free(pool);
}

static void epsilon_0_and_1_are_all_or_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(7, 3), unconstrained);
    struct pool *pool = small_pool(&f.space);
    for (uint32_t i = 0; i < 200; i++) {
        struct rng rng = rng_stream(5, RNG_TEST, 0, i);
        struct path path[5];
        bool from_pool[5];
        sampler_mixture(&f.sampler, &rng, pool, 1.0, 5, path, from_pool);
        for (int p = 0; p < 5; p++)
            assert_true(from_pool[p] && pool_contains(pool, &path[p]));
        sampler_mixture(&f.sampler, &rng, pool, 0.0, 5, path, from_pool);
        for (int p = 0; p < 5; p++)
            assert_false(from_pool[p]);
    }
    pool_free(pool);
}

static void without_a_pool_all_draws_are_uniform(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(7, 3), unconstrained);
    struct pool *empty = pool_create(8);
    struct path a[6], b[6];
    bool from_pool[6];
    struct rng rng = rng_stream(6, RNG_TEST, 0, 0), again = rng;
    sampler_mixture(&f.sampler, &rng, NULL, 0.9, 6, a, from_pool);
    for (int p = 0; p < 6; p++)
        assert_false(from_pool[p]);
    sampler_mixture(&f.sampler, &again, empty, 0.9, 6, b, NULL);
    for (int p = 0; p < 6; p++)
        assert_true(path_equal(&a[p], &b[p]));
    pool_free(empty);
}

static void assert_distinct(const struct path *path, int n)
{
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++)
            assert_false(path_equal(&path[a], &path[b]));
}

/* Even where chance alone would repeat: 8 of 9 paths, half of them in the pool. */
static void paths_of_a_round_are_distinct(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(2, 3), unconstrained);
    struct pool *pool = pool_create(4);
    for (int i = 0; i < 4; i++) {
        struct path path = {2, {(uint8_t)(i / 2), (uint8_t)(i % 2)}};
        pool_offer(pool, &path, i);
    }
    for (uint32_t i = 0; i < 200; i++) {
        struct rng rng = rng_stream(7, RNG_TEST, 0, i);
        struct path path[8];
        sampler_mixture(&f.sampler, &rng, pool, 0.5, 8, path, NULL);
        assert_distinct(path, 8);
    }
    pool_free(pool);
}

/* Epsilon 1 from the first round on: else the pool could never grow. */
static void what_a_small_pool_cannot_fill_comes_from_the_space(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(7, 3), unconstrained);
    struct pool *pool = pool_create(8);
    for (int i = 0; i < 2; i++)
        pool_offer(pool, &(struct path){7, {(uint8_t)i}}, i);
    struct rng rng = rng_stream(10, RNG_TEST, 0, 0);
    struct path path[5];
    bool from_pool[5];
    sampler_mixture(&f.sampler, &rng, pool, 1, 5, path, from_pool);
    assert_distinct(path, 5);
    for (int p = 0; p < 5; p++)
        assert_int_equal(from_pool[p], p < 2);
    pool_free(pool);
}

static void a_space_too_small_for_distinct_paths_repeats_some(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, plain_config(1, 3), unconstrained);
    struct rng rng = rng_stream(8, RNG_TEST, 0, 0);
    struct path path[5];
    sampler_mixture(&f.sampler, &rng, NULL, 0, 5, path, NULL);
    assert_distinct(path, 3);
    for (int p = 3; p < 5; p++)
        assert_in_range(path[p].op[0], 0, 2);
}

static void the_same_stream_draws_the_same_paths(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, mobile_config(plain_choices),
                 (struct constraint_config){380e6, 0, 0});
    struct path first[10], again[10], other[10];
    struct rng rng = rng_stream(9, RNG_TEST, 0, 17);
    sampler_mixture(&f.sampler, &rng, NULL, 0, 10, first, NULL);
    rng = rng_stream(9, RNG_TEST, 0, 18);
    sampler_mixture(&f.sampler, &rng, NULL, 0, 10, other, NULL);
    rng = rng_stream(9, RNG_TEST, 0, 17);
    sampler_mixture(&f.sampler, &rng, NULL, 0, 10, again, NULL);
    int same = 0;
    for (int p = 0; p < 10; p++) {
        assert_true(path_equal(&first[p], &again[p]));
        same += path_equal(&first[p], &other[p]);
    }
    assert_int_equal(same, 0);
}

static int draw_one(const void *fixture)
{
    struct fixture f = *(const struct fixture *)fixture;
    struct rng rng = rng_stream(10, RNG_TEST, 0, 0);
    struct path path;
    sampler_uniform(&f.sampler, &rng, &path);
    return 0;
}

/* Of 13^21 paths less than one in 10^9 has at most 100 M FLOPs. */
static void a_constraint_that_hardly_a_path_keeps_to_is_kept_to(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, mobile_config(se_choices),
                 (struct constraint_config){100e6, 0, 0});
    struct path path[2];
    for (uint64_t i = 0; i < 2; i++) {
        struct rng rng = rng_stream(1, RNG_TEST, 0, i);
        sampler_uniform(&f.sampler, &rng, &path[i]);
        assert_true(cost_of_path(&f.cost, &path[i]).flops <= 100000000);
    }
    assert_false(path_equal(&path[0], &path[1]));
}

static void an_impossible_constraint_ends_with_the_ranges(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, macro_config(), (struct constraint_config){7713279, 0, 0});
    struct child child = child_run(draw_one, &f);
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "none of 100000 paths"));
    assert_non_null(strstr(child.err, "flops 7713279"));
    assert_non_null(strstr(child.err, "7713280 to 105660928 FLOPs"));
    assert_non_null(strstr(child.err, "387882 to 2932586 parameters"));
}

/* 3 choices: each of the 6 orders of a layer as often as another (600 draws, 100
 * expected; 5 degrees of freedom, four deviations above the mean: 5 + 4 sqrt(10)), and
 * the layers independent: of two layers 1 in 6 draws has the same order. */
static void fair_paths_have_every_choice_of_every_layer_once(void **state)
{
    (void)state;
    enum { DRAWS = 600 };
    struct fixture f;
    fixture_init(&f, macro_config(), unconstrained);
    int count[27] = {0}, same = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        struct path path[3];
        struct rng rng = rng_stream(1, RNG_TEST, 0, (uint64_t)draw);
        sampler_fair(&f.space, &rng, path);
        for (int l = 0; l < 8; l++) {
            int seen = 0;
            for (int p = 0; p < 3; p++) {
                assert_int_equal(path[p].n, 8);
                seen |= 1 << path[p].op[l];
            }
            assert_int_equal(seen, 7);
        }
        count[9 * path[0].op[3] + 3 * path[1].op[3] + path[2].op[3]]++;
        same += path[0].op[3] == path[0].op[4] && path[1].op[3] == path[1].op[4];
    }
    double chi_square = 0;
    for (int i = 0; i < 27; i++)
        chi_square += count[i] ? (count[i] - 100.0) * (count[i] - 100.0) / 100 : 0;
    assert_true(chi_square < 5 + 4 * 3.17);
    assert_in_range(same, 100 - 4 * 9, 100 + 4 * 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_drawn_equally_often),
        cmocka_unit_test(under_a_constraint_every_feasible_path_is_drawn_equally_often),
        cmocka_unit_test(the_share_below_330_million_flops_is_that_of_the_mobile_space),
        cmocka_unit_test(a_share_of_epsilon_comes_evenly_from_the_pool),
        cmocka_unit_test(epsilon_0_and_1_are_all_or_nothing),
        cmocka_unit_test(without_a_pool_all_draws_are_uniform),
        cmocka_unit_test(paths_of_a_round_are_distinct),
        cmocka_unit_test(what_a_small_pool_cannot_fill_comes_from_the_space),
        cmocka_unit_test(a_space_too_small_for_distinct_paths_repeats_some),
        cmocka_unit_test(fair_paths_have_every_choice_of_every_layer_once),
        cmocka_unit_test(the_same_stream_draws_the_same_paths),
        cmocka_unit_test(a_constraint_that_hardly_a_path_keeps_to_is_kept_to),
        cmocka_unit_test(an_impossible_constraint_ends_with_the_ranges),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
