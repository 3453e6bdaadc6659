#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "unit/child.h"

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* Random123's kat_vectors, "philox4x32 10": counter, key, result. */
static void philox_4x32_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct rng rng = {.left = 0};
        memcpy(rng.counter, known[i].counter, sizeof rng.counter);
        memcpy(rng.key, known[i].key, sizeof rng.key);
        for (int j = 0; j < 4; j++)
            assert_int_equal(rng_u32(&rng), known[i].expected[j]);
    }
}

/* Philox 2x32-10 from the paper's section 3.3: in each round the two halves change
 * places and the key grows by the golden ratio. */
static void plain_philox_2x32(const uint32_t in[2], uint32_t key, uint32_t out[2])
{
    uint32_t left = in[0], right = in[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product = (uint64_t)0xd256d193 * left;
        left = (uint32_t)(product >> 32) ^ key ^ right;
        right = (uint32_t)product;
        key += 0x9e3779b9;
    }
    out[0] = left;
    out[1] = right;
}

static void the_key_is_the_mixed_seed_and_the_purpose(void **state)
{
    (void)state;
    uint32_t mixed[2];
    plain_philox_2x32((uint32_t[]){0, 0}, 0, mixed);
    /* Random123's kat_vectors, "philox2x32 10": the plain version is right. */
    assert_int_equal(mixed[0], 0xff1dae59);
    assert_int_equal(mixed[1], 0x6cd10df2);

    static const uint64_t seed[] = {0, 1, 42, 0x0123456789abcdef, UINT64_MAX};
    for (size_t i = 0; i < sizeof seed / sizeof seed[0]; i++) {
        uint32_t half[] = {(uint32_t)(seed[i] & 0xffffffff), (uint32_t)(seed[i] >> 32)};
        plain_philox_2x32(half, 0x9e3779b9, mixed);
        struct rng rng = rng_stream(seed[i], RNG_SEARCH, 5, 6);
        assert_int_equal(rng.key[0], mixed[0]);
        assert_int_equal(rng.key[1], mixed[1] ^ RNG_SEARCH);
    }
}

static void the_counter_is_block_epoch_and_index(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, RNG_TEST, 7, 0x0000000300000002);
    static const uint32_t expected[] = {0, 7, 2, 3};
    assert_memory_equal(rng.counter, expected, sizeof expected);
    for (int i = 0; i < 9; i++)
        rng_u32(&rng);
    assert_int_equal(rng.counter[0],
                     3); /* 9 numbers are 2 blocks and one of the third */
}

/* 500 streams that differ in one coordinate each: 500 different beginnings. */
static void no_two_streams_begin_alike(void **state)
{
    (void)state;
    enum { EACH = 125, STREAMS = 4 * EACH };
    struct rng stream[STREAMS];
    for (uint32_t i = 0; i < EACH; i++) {
        stream[4 * i] = rng_stream(1 + i, RNG_TEST, 0, 0);
        stream[4 * i + 1] = rng_stream(1, (enum rng_purpose)(RNG_TEST + 1 + i), 0, 0);
        stream[4 * i + 2] = rng_stream(1, RNG_TEST, 1 + i, 0);
        stream[4 * i + 3] =
            rng_stream(1, RNG_TEST, 0, (uint64_t)(1 + i) << (i % 2 ? 32 : 0));
    }
    for (int i = 0; i < STREAMS; i++)
        rng_u32(&stream[i]);
    for (int i = 0; i < STREAMS; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(stream[i].block, stream[j].block,
                                    sizeof stream[i].block);
}

static void a_copy_goes_on_alike(void **state)
{
    (void)state;
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    for (int i = 0; i < 6; i++)
        rng_u32(&rng);
    struct rng copy = rng;
    for (int i = 0; i < 20; i++)
        assert_int_equal(rng_u32(&rng), rng_u32(&copy));
}

static int draw_past_the_end(const void *argument)
{
    (void)argument;
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    rng.counter[0] = UINT32_MAX - 1;
    for (int i = 0; i < 8; i++) /* the last two blocks */
        rng_u32(&rng);
    dprintf(STDOUT_FILENO, "eight");
    rng_u32(&rng);
    return 0;
}

static void a_stream_does_not_start_again_unnoticed(void **state)
{
    (void)state;
    struct child child = child_run(draw_past_the_end, NULL);
    assert_string_equal(child.out, "eight");
    assert_int_equal(child.signal, SIGABRT);
}

/* Sum of (observed - expected)^2 / expected over equally likely cells. */
static double chi_square(const int *observed, int cells, int draws)
{
    double expected = (double)draws / cells, sum = 0;
    for (int i = 0; i < cells; i++)
        sum += (observed[i] - expected) * (observed[i] - expected) / expected;
    return sum;
}

/* 9 degrees of freedom: above 33.7 once in 10,000 seeds; ours is fixed. */
static void below_draws_each_number_equally_often(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, RNG_TEST, 1, 0);
    int count[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint32_t drawn = rng_below(&rng, 10);
        assert_in_range(drawn, 0, 9);
        count[drawn]++;
    }
    assert_true(chi_square(count, 10, 100000) < 33.7);
}

/* With a bound of 3/4 of all numbers a bare remainder draws the first third twice as
 * often as the others, and a bare product every third number. Both are seen in thirds
 * and in remainders by three: 2 degrees of freedom, above 18.4 once in 10,000 seeds. */
static void a_large_bound_is_drawn_without_bias(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, RNG_TEST, 2, 0);
    const uint32_t bound = 3u << 30;
    int third[3] = {0}, remainder[3] = {0};
    for (int i = 0; i < 30000; i++) {
        uint32_t drawn = rng_below(&rng, bound);
        third[drawn >> 30]++;
        remainder[drawn % 3]++;
    }
    assert_true(chi_square(third, 3, 30000) < 18.4);
    assert_true(chi_square(remainder, 3, 30000) < 18.4);
}

static void below_one_is_zero(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, RNG_TEST, 3, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rng_below(&rng, 1), 0);
}

/* Mean 1/2, variance 1/12; the bounds are five standard errors of 100,000 draws. */
static void uniform_numbers_fill_the_unit_interval_to_53_bits(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct rng rng = rng_stream(1, RNG_TEST, 4, 0);
    double sum = 0, squares = 0;
    int odd = 0;
    for (int i = 0; i < N; i++) {
        double drawn = rng_uniform(&rng), scaled = drawn * 0x1p53;
        assert_true(drawn >= 0 && drawn < 1);
        assert_true(scaled == floor(scaled));
        odd += fmod(scaled, 2) != 0;
        sum += drawn;
        squares += (drawn - 0.5) * (drawn - 0.5);
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 12) < 5 * sqrt(1.0 / 180 / N));
    assert_true(fabs((double)odd / N - 0.5) < 5 * 0.5 / sqrt(N));
}

/* Moments 0, 1, 0, 3 of the standard normal, whose own variances are 1, 2, 15, 96. */
static void normal_numbers_have_the_normal_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct rng rng = rng_stream(1, RNG_TEST, 5, 0);
    double sum[5] = {0};
    for (int i = 0; i < N; i++) {
        double drawn = rng_normal(&rng);
        for (int power = 1; power <= 4; power++)
            sum[power] += pow(drawn, power);
    }
    static const double moment[] = {1, 0, 1, 0, 3}, variance[] = {0, 1, 2, 15, 96};
    for (int power = 1; power <= 4; power++)
        assert_true(fabs(sum[power] / N - moment[power]) <
                    5 * sqrt(variance[power] / N));
}

/* 24 orders of 4 items; 23 degrees of freedom: above 56.6 once in 10,000 seeds. */
static void every_order_is_equally_likely(void **state)
{
    (void)state;
    enum { DRAWS = 48000 };
    struct rng rng = rng_stream(1, RNG_TEST, 6, 0);
    int count[24] = {0};
    for (int i = 0; i < DRAWS; i++) {
        int items[] = {0, 1, 2, 3}, order = 0;
        rng_shuffle(&rng, items, 4);
        bool seen[4] = {false};
        for (int j = 0; j < 4; j++) {
            assert_in_range(items[j], 0, 3);
            assert_false(seen[items[j]]);
            seen[items[j]] = true;
            int smaller_behind = 0; /* Lehmer's code numbers the orders */
            for (int k = j + 1; k < 4; k++)
                smaller_behind += items[k] < items[j];
            order = order * (4 - j) + smaller_behind;
        }
        count[order]++;
    }
    assert_true(chi_square(count, 24, DRAWS) < 56.6);
}

static void shuffling_nothing_is_allowed(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, RNG_TEST, 7, 0);
    rng_shuffle(&rng, NULL, 0);
    int one = 5;
    rng_shuffle(&rng, &one, 1);
    assert_int_equal(one, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_4x32_gives_the_published_numbers),
        cmocka_unit_test(the_key_is_the_mixed_seed_and_the_purpose),
        cmocka_unit_test(the_counter_is_block_epoch_and_index),
        cmocka_unit_test(no_two_streams_begin_alike),
        cmocka_unit_test(a_copy_goes_on_alike),
        cmocka_unit_test(a_stream_does_not_start_again_unnoticed),
        cmocka_unit_test(below_draws_each_number_equally_often),
        cmocka_unit_test(a_large_bound_is_drawn_without_bias),
        cmocka_unit_test(below_one_is_zero),
        cmocka_unit_test(uniform_numbers_fill_the_unit_interval_to_53_bits),
        cmocka_unit_test(normal_numbers_have_the_normal_moments),
        cmocka_unit_test(every_order_is_equally_likely),
        cmocka_unit_test(shuffling_nothing_is_allowed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
