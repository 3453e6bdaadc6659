/* What is said of a run whose artifacts are made by hand, number by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "paper/claims.h"
#include "unit/scratch.h"

static struct artifact *begin(const char *name)
{
    const struct artifact_origin origin = {
        .stage = "made by hand", .config = "", .seed = 5, .threads = 1};
    return artifact_create(scratch_path(name), &origin);
}

static void write_evaluation(const char *name, double top1, int64_t images)
{
    struct artifact *file = begin(name);
    artifact_write_f64(file, "top1", top1, "1", "test");
    artifact_write_f64(file, "top5", 1, "1", "test");
    artifact_write_i64(file, "images", images, "images", "test");
    artifact_write_i64(file, "flops", 1000, "multiply-adds", "test");
    artifact_write_i64(file, "parameters", 10, "parameters", "test");
    artifact_commit(file);
}

/* One supernet ranked by 20 images; no bootstrap interval where `low` is NAN. */
static void write_ranking(double tau, double low, double high)
{
    struct artifact *file = begin("rankcorr.h5");
    const size_t shape[] = {1, 1};
    artifact_write_vector(file, "supernet_names", ARRAY_TEXT, 1,
                          (const char *[]){"greedy"}, "1", "test");
    artifact_write_vector(file, "strata", ARRAY_TEXT, 1, (const char *[]){"all"}, "1",
                          "test");
    artifact_write_vector(file, "supernets/greedy/images", ARRAY_I32, 1, (int[]){20},
                          "images", "test");
    artifact_write(file, "supernets/greedy/kendall/by_loss", ARRAY_F64, 2, shape, &tau,
                   "1", "test");
    artifact_write(file, "supernets/greedy/kendall/by_loss_low", ARRAY_F64, 2, shape,
                   &low, "1", "test");
    artifact_write(file, "supernets/greedy/kendall/by_loss_high", ARRAY_F64, 2, shape,
                   &high, "1", "test");
    artifact_commit(file);
}

/* Fails unless one claim has that text in it, and is a limit or is none. */
static void assert_said(const char *text, bool limit)
{
    struct claims claims;
    struct run *run = run_open(scratch_folder);
    claims_collect(&claims, run);
    int found = 0;
    for (int i = 0; i < claims.n; i++) {
        if (!strstr(claims.claim[i].text, text))
            continue;
        found++;
        if (claims.claim[i].limit != limit)
            fail_msg("'%s' is %s limit", text, limit ? "no" : "a");
    }
    for (int i = 0; found != 1 && i < claims.n; i++)
        print_message("# %s\n", claims.claim[i].text);
    if (found != 1)
        fail_msg("said %d times, expected once: '%s'", found, text);
    claims_release(&claims);
    run_close(run);
}

static void assert_compared(double found, double random, const char *text, bool limit)
{
    write_evaluation("evaluate/found.h5", found, 10);
    write_evaluation("evaluate/random.h5", random, 10);
    assert_said(text, limit);
}

/* Newcombe's table (test_binomial.c) has 9/10 and 3/10; for two shares of 1 of n
 * Wilson's low end is n / (n + z^2), z = 1.96: 10 / 13.841. */
static void networks_are_told_apart_only_by_an_interval_without_zero(void **state)
{
    (void)state;
    assert_compared(0.9, 0.3,
                    "60.00 points more of the test images right than the best of "
                    "random search (95 % interval "
                    "of how much more: 17.05 to 80.90).",
                    false);
    assert_compared(0.3, 0.9,
                    "60.00 points less of the test images right than the best of "
                    "random search (95 % interval "
                    "of how much less: 17.05 to 80.90).",
                    false);
    assert_compared(1, 1,
                    "0.00 points more of the test images right than the best of random "
                    "search (95 % interval of "
                    "how much more: -27.75 to 27.75): the test images do not tell the "
                    "two apart.",
                    true);
}

static void a_ranking_that_is_none_is_a_limit(void **state)
{
    (void)state;
    write_ranking(0.5, 0.4, 0.6);
    assert_said("Kendall τ-b of 0.500 (0.400 to 0.600) on the greedy supernet.", false);
    write_ranking(0.5, (double)NAN, (double)NAN);
    assert_said("Kendall τ-b of 0.500 on the greedy supernet.", false);
    write_ranking((double)NAN, (double)NAN, (double)NAN);
    assert_said("How well the greedy supernet ranks paths by their loss on 20 "
                "validation images is not known",
                true);
}

static int setup(void **state)
{
    return scratch_setup(state) || mkdir(scratch_path("evaluate"), 0777);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_told_apart_only_by_an_interval_without_zero),
        cmocka_unit_test(a_ranking_that_is_none_is_a_limit),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("claims", tests, setup, scratch_teardown);
}
