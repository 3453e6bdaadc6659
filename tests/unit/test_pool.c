/* The candidate pool against a plain list, and its turnover by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nas/pool.h"

/* Five genes of base 4. */
static struct path numbered(int number)
{
    struct path path = {.n = 5};
    for (int l = 4; l >= 0; l--, number /= 4)
        path.op[l] = (uint8_t)(number % 4);
    return path;
}

static void offer(struct pool *pool, int number, double loss)
{
    struct path path = numbered(number);
    pool_offer(pool, &path, loss);
}

static bool has(const struct pool *pool, int number)
{
    struct path path = numbered(number);
    return pool_contains(pool, &path);
}

static void assert_at(const struct pool *pool, int i, int number, double loss)
{
    double found;
    struct path path = numbered(number);
    assert_true(path_equal(pool_at(pool, i, &found), &path));
    assert_true(found == loss);
}

static void the_lowest_losses_stay_in_order(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    assert_int_equal(pool_capacity(pool), 3);
    assert_int_equal(pool_size(pool), 0);
    offer(pool, 1, 2.5);
    offer(pool, 2, 0.5);
    offer(pool, 3, 1.5);
    assert_int_equal(pool_size(pool), 3);
    struct path path = numbered(4);
    assert_false(pool_offer(pool, &path, 3.0)); /* worse than all, pool full */
    assert_true(pool_offer(pool, &path, 1.0));  /* the path with loss 2.5 makes room */
    assert_int_equal(pool_size(pool), 3);
    assert_at(pool, 0, 2, 0.5);
    assert_at(pool, 1, 4, 1.0);
    assert_at(pool, 2, 3, 1.5);
    assert_false(has(pool, 1));
    assert_non_null(pool_at(pool, 0, NULL));
    pool_free(pool);
    pool_free(NULL);
}

static void a_known_path_takes_its_new_loss_better_or_not(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    offer(pool, 1, 1.0);
    offer(pool, 2, 2.0);
    offer(pool, 3, 3.0);
    offer(pool, 1, 9.0);
    assert_int_equal(pool_size(pool), 3);
    assert_at(pool, 2, 1, 9.0);
    offer(pool, 3, 0.5);
    assert_at(pool, 0, 3, 0.5);
    offer(pool, 4, 8.0); /* the stale good loss of path 1 protects it no more */
    assert_false(has(pool, 1));
    pool_free(pool);
}

static void refresh_changes_members_alone(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    struct path one = numbered(1), two = numbered(2);
    offer(pool, 1, 1.0);
    assert_false(pool_refresh(pool, &two, 0.5));
    assert_int_equal(pool_size(pool), 1);
    assert_true(pool_refresh(pool, &one, 4.0));
    assert_at(pool, 0, 1, 4.0);
    pool_free(pool);
}

/* Path 3 is the worst by a loss that is out of date; this round it is the best. Taken
 * in turn, path 4 would push it out before its turn comes. */
static void a_member_does_not_fall_out_for_a_loss_that_is_renewed(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    offer(pool, 1, 1.0);
    offer(pool, 2, 2.0);
    offer(pool, 3, 3.0);
    const struct path drawn[] = {numbered(4), numbered(3)};
    pool_update(pool, drawn, (double[]){1.5, 0.5}, 2, 1, true);
    assert_int_equal(pool_size(pool), 3);
    assert_at(pool, 0, 3, 0.5);
    assert_at(pool, 1, 1, 1.0);
    assert_at(pool, 2, 4, 1.5);
    pool_free(pool);
}

/* Losses are not renewed: the member that falls out does not come back by its new one,
 * the one that stays has its old one, and a path that was not chosen is not let in. */
static void without_refresh_members_have_their_old_loss_to_the_last(void **state)
{
    (void)state;
    struct pool *pool = pool_create(2);
    offer(pool, 1, 1.0);
    offer(pool, 2, 2.0);
    const struct path drawn[] = {numbered(4), numbered(2), numbered(1), numbered(5)};
    pool_update(pool, drawn, (double[]){1.5, 0.5, 0.7, 0.1}, 4, 3, false);
    assert_int_equal(pool_size(pool), 2);
    assert_at(pool, 0, 1, 1.0);
    assert_at(pool, 1, 4, 1.5);
    pool_free(pool);
}

static void equal_losses_are_ordered_by_genotype_whatever_the_history(void **state)
{
    (void)state;
    static const int orders[][4] = {{7, 5, 6, 4}, {4, 5, 6, 7}, {6, 7, 4, 5}};
    for (int o = 0; o < 3; o++) {
        struct pool *pool = pool_create(3);
        for (int i = 0; i < 4; i++)
            offer(pool, orders[o][i], 1.0);
        assert_at(pool, 0, 4, 1.0);
        assert_at(pool, 1, 5, 1.0);
        assert_at(pool, 2, 6, 1.0);
        pool_free(pool);
    }
}

static void a_loss_that_is_not_finite_never_gets_in(void **state)
{
    (void)state;
    const double wrong[] = {nan(""), -nan(""), HUGE_VAL, -HUGE_VAL};
    for (int i = 0; i < 4; i++) {
        struct pool *pool = pool_create(2);
        struct path one = numbered(1), two = numbered(2);
        assert_false(pool_offer(pool, &one, wrong[i]));
        assert_int_equal(pool_size(pool), 0);
        offer(pool, 1, 1.0);
        offer(pool, 2, 2.0);
        assert_false(pool_offer(pool, &one, wrong[i]));
        assert_false(has(pool, 1));
        assert_at(pool, 0, 2, 2.0);
        assert_false(pool_refresh(pool, &two, wrong[i]));
        assert_int_equal(pool_size(pool), 0);
        pool_free(pool);
    }
}

/* The slow way: a loss for every path there is, the pool picked out afresh each time.
 */
struct plain_pool {
    int n;
    struct {
        int number;
        double loss;
    } entry[64];
};

static void plain_remove(struct plain_pool *plain, int number)
{
    for (int i = 0; i < plain->n; i++)
        if (plain->entry[i].number == number)
            plain->entry[i--] = plain->entry[--plain->n];
}

static void plain_offer(struct plain_pool *plain, int capacity, int number, double loss)
{
    plain_remove(plain, number);
    if (!isfinite(loss))
        return;
    plain->entry[plain->n].number = number;
    plain->entry[plain->n++].loss = loss;
    if (plain->n <= capacity)
        return;
    int worst = 0;
    for (int i = 1; i < plain->n; i++)
        if (plain->entry[i].loss > plain->entry[worst].loss ||
            (plain->entry[i].loss == plain->entry[worst].loss &&
             plain->entry[i].number > plain->entry[worst].number))
            worst = i;
    plain_remove(plain, plain->entry[worst].number);
}

static bool plain_has(const struct plain_pool *plain, int number)
{
    for (int i = 0; i < plain->n; i++)
        if (plain->entry[i].number == number)
            return true;
    return false;
}

static void assert_same(const struct pool *pool, const struct plain_pool *plain)
{
    assert_int_equal(pool_size(pool), plain->n);
    for (int i = 0; i < plain->n; i++) {
        int better = 0; /* how many come before entry i */
        for (int j = 0; j < plain->n; j++)
            better += plain->entry[j].loss < plain->entry[i].loss ||
                      (plain->entry[j].loss == plain->entry[i].loss &&
                       plain->entry[j].number < plain->entry[i].number);
        assert_at(pool, better, plain->entry[i].number, plain->entry[i].loss);
    }
}

static void a_pool_equals_a_plain_list_over_random_operations(void **state)
{
    (void)state;
    for (uint32_t run = 0; run < 40; run++) {
        struct rng rng = rng_stream(3, RNG_TEST, 0, run);
        int capacity = 1 + (int)rng_below(&rng, 20);
        struct pool *pool = pool_create(capacity);
        struct plain_pool plain = {0};
        for (int i = 0; i < 300; i++) {
            int number = (int)rng_below(&rng, 60);
            double loss = rng_below(&rng, 12) / 4.0; /* many ties */
            if (rng_below(&rng, 20) == 0)
                loss = nan("");
            struct path path = numbered(number);
            if (rng_below(&rng, 3) == 0) {
                bool was_in = plain_has(&plain, number);
                if (was_in)
                    plain_offer(&plain, capacity, number, loss);
                assert_int_equal(pool_refresh(pool, &path, loss),
                                 was_in && isfinite(loss));
            } else {
                plain_offer(&plain, capacity, number, loss);
                assert_int_equal(pool_offer(pool, &path, loss),
                                 plain_has(&plain, number));
            }
            assert_int_equal(has(pool, number), plain_has(&plain, number));
            assert_same(pool, &plain);
        }
        pool_free(pool);
    }
}

static void offering_a_pool_to_an_empty_one_gives_the_same_pool(void **state)
{
    (void)state;
    struct pool *pool = pool_create(10), *copy = pool_create(10);
    struct rng rng = rng_stream(4, RNG_TEST, 0, 0);
    for (int i = 0; i < 100; i++)
        offer(pool, (int)rng_below(&rng, 500), rng_below(&rng, 5));
    for (int i = 9; i >= 0; i--) {
        double loss;
        const struct path *path = pool_at(pool, i, &loss);
        pool_offer(copy, path, loss);
    }
    for (int i = 0; i < 10; i++) {
        double a, b;
        assert_true(path_equal(pool_at(pool, i, &a), pool_at(copy, i, &b)));
        assert_true(a == b);
    }
    pool_free(pool);
    pool_free(copy);
}

/* Fills a pool of four with paths 0..3. */
static struct pool *full_pool(void)
{
    struct pool *pool = pool_create(4);
    for (int i = 0; i < 4; i++)
        offer(pool, i, 10 + i);
    return pool;
}

/* Window 10. Remembered: at 5 {0 1 2 3}, at 10 {0 1 2 4}, at 15 {4 5 0 1}. */
static void turnover_is_the_share_of_newcomers_since_one_window_ago(void **state)
{
    (void)state;
    struct pool *pool = full_pool();
    pool_remember(pool, 5, 10);
    assert_true(pool_turnover(pool, 5, 10) == 1.0); /* nothing is old enough */
    offer(pool, 4, 1);
    pool_remember(pool, 10, 10);
    assert_true(pool_turnover(pool, 14, 10) == 1.0);
    offer(pool, 5, 2);
    assert_true(pool_turnover(pool, 15, 10) == 0.5); /* 4 and 5 against step 5 */
    pool_remember(pool, 15, 10);
    assert_true(pool_turnover(pool, 19, 10) == 0.5);
    assert_true(pool_turnover(pool, 20, 10) == 0.25); /* 5 against step 10 */
    assert_true(pool_turnover(pool, 24, 10) == 0.25);
    assert_true(pool_turnover(pool, 25, 10) == 0.0); /* nothing new since step 15 */
    pool_free(pool);
}

/* A newer loss moves a member within the pool; one that left and returned is no
 * newcomer. */
static void turnover_counts_members_not_their_order(void **state)
{
    (void)state;
    struct pool *pool = full_pool();
    pool_remember(pool, 1, 10);
    offer(pool, 0, 99);
    offer(pool, 9, 50);
    assert_false(has(pool, 0));
    assert_true(pool_turnover(pool, 11, 10) == 0.25);
    offer(pool, 0, 1);
    assert_false(has(pool, 9));
    assert_true(pool_turnover(pool, 11, 10) == 0.0);
    pool_free(pool);
}

static void a_pool_that_is_not_full_has_turnover_1(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    offer(pool, 0, 1);
    offer(pool, 1, 1);
    pool_remember(pool, 1, 2);
    assert_true(pool_turnover(pool, 3, 2) == 1.0);
    offer(pool, 2, 1);
    assert_true(pool_turnover(pool, 3, 2) == 1 / 3.0);
    pool_free(pool);
}

static void free_history(int64_t *step, int *size, struct path *paths)
{
    free(step);
    free(size);
    free(paths);
}

/* A round every 5 steps, window 20: the pools of the last 4 rounds, today's, and
 * nothing more; the oldest is exactly one window old. */
static void only_one_window_is_remembered(void **state)
{
    (void)state;
    struct pool *pool = full_pool();
    for (int round = 0; round < 50; round++) {
        pool_remember(pool, 5 * round, 20);
        int n, *size;
        int64_t *step;
        struct path *paths;
        pool_history(pool, &n, &step, &size, &paths);
        assert_int_equal(n, round < 4 ? round + 1 : 5);
        assert_int_equal(step[n - 1], 5 * round);
        if (round >= 4)
            assert_int_equal(step[0], 5 * round - 20);
        free_history(step, size, paths);
    }
    pool_free(pool);
}

/* A pool that changes and is remembered in 60 rounds; a copy is restored after each. */
static void a_restored_history_gives_the_same_turnover(void **state)
{
    (void)state;
    struct pool *pool = pool_create(12);
    struct rng rng = rng_stream(5, RNG_TEST, 0, 0);
    int compared = 0;
    for (int round = 1; round <= 60; round++) {
        for (int i = 0; i < 3; i++)
            offer(pool, (int)rng_below(&rng, 200), rng_uniform(&rng));
        pool_remember(pool, 4 * round, 30);
        int n, *size;
        int64_t *step;
        struct path *paths;
        pool_history(pool, &n, &step, &size, &paths);
        struct pool *copy = pool_create(12);
        pool_remember(copy, 1, 1); /* gives way to the restored history */
        for (int i = 0; i < pool_size(pool); i++) {
            double loss;
            const struct path *path = pool_at(pool, i, &loss);
            pool_offer(copy, path, loss);
        }
        pool_restore_history(copy, n, step, size, paths);
        free_history(step, size, paths);
        for (int later = 0; later < 40; later++) {
            double turnover = pool_turnover(pool, 4 * round + later, 30);
            assert_true(pool_turnover(copy, 4 * round + later, 30) == turnover);
            compared += turnover > 0 && turnover < 1;
        }
        pool_free(copy);
    }
    assert_true(compared > 100);
    pool_free(pool);
}

static void an_empty_history_restores_to_nothing(void **state)
{
    (void)state;
    struct pool *pool = full_pool();
    int n, *size;
    int64_t *step;
    struct path *paths;
    pool_history(pool, &n, &step, &size, &paths);
    assert_int_equal(n, 0);
    free_history(step, size, paths);
    pool_restore_history(pool, 0, NULL, NULL, NULL);
    assert_true(pool_turnover(pool, 100, 10) == 1.0);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_losses_stay_in_order),
        cmocka_unit_test(a_known_path_takes_its_new_loss_better_or_not),
        cmocka_unit_test(refresh_changes_members_alone),
        cmocka_unit_test(a_member_does_not_fall_out_for_a_loss_that_is_renewed),
        cmocka_unit_test(without_refresh_members_have_their_old_loss_to_the_last),
        cmocka_unit_test(equal_losses_are_ordered_by_genotype_whatever_the_history),
        cmocka_unit_test(a_loss_that_is_not_finite_never_gets_in),
        cmocka_unit_test(a_pool_equals_a_plain_list_over_random_operations),
        cmocka_unit_test(offering_a_pool_to_an_empty_one_gives_the_same_pool),
        cmocka_unit_test(turnover_is_the_share_of_newcomers_since_one_window_ago),
        cmocka_unit_test(turnover_counts_members_not_their_order),
        cmocka_unit_test(a_pool_that_is_not_full_has_turnover_1),
        cmocka_unit_test(only_one_window_is_remembered),
        cmocka_unit_test(a_restored_history_gives_the_same_turnover),
        cmocka_unit_test(an_empty_history_restores_to_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
