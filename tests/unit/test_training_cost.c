#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "net/training_cost.h"
#include "unit/scratch.h"

/* A supernet's counters: `first` < 0 stands for one that starts from nothing. */
static struct artifact *supernet_of(int64_t first, int64_t step, int64_t optimization)
{
    const struct artifact_origin origin = {
        .stage = "greedy", .config = "", .seed = 1, .threads = 1};
    struct artifact *artifact = artifact_create(scratch_path("net.h5"), &origin);
    artifact_write_i64(artifact, "counters/step", step, "steps", "steps");
    if (first >= 0)
        artifact_write_i64(artifact, "counters/first_step", first, "steps", "before");
    artifact_write_i64(artifact, "counters/optimization", optimization, "images", "o");
    artifact_write_i64(artifact, "counters/evaluation", 600, "images", "e");
    artifact_write_f64(artifact, "measured/train_seconds", 50, "s", "t");
    artifact_write_f64(artifact, "measured/score_seconds", 30, "s", "s");
    artifact_commit(artifact);
    return artifact_open(scratch_path("net.h5"), NULL);
}

/* The paper's own sum (Table 1): 1.23 M images for 46 epochs, 2.40 M scored in each, at
 * 3.33 images scored in the time of one trained: 89.7 M. */
static void the_papers_figures_give_the_papers_sum(void **state)
{
    (void)state;
    struct training_cost cost = {.optimization = (int64_t)(1.23e6 * 46),
                                 .evaluation = (int64_t)(2.40e6 * 46)};
    assert_float_equal(training_cost_corrected(&cost, 3.33), 89.7e6, 0.05e6);
}

/* 1000 images in 50 s are 0.05 s each, 600 in 30 s too; at 300 trained 0.1667 s. */
static void the_ratio_is_of_times_per_image(void **state)
{
    (void)state;
    struct artifact *net = supernet_of(-1, 100, 1000);
    struct training_cost cost = training_cost_of(net);
    assert_float_equal(training_cost_ratio_of(&cost), 1, 1e-12);
    cost.optimization = 300;
    assert_float_equal(training_cost_ratio_of(&cost), 10.0 / 3, 1e-12);
    artifact_close(net);
}

static void without_scoring_there_is_no_ratio_and_none_is_needed(void **state)
{
    (void)state;
    struct training_cost cost = {.optimization = 70, .train_seconds = 1};
    assert_true(isnan(training_cost_ratio_of(&cost)));
    assert_float_equal(training_cost_corrected(&cost, (double)NAN), 70, 0);
}

/* 40 own steps of 25 images each; the 60 before them were of 25, too. */
static void the_warm_up_before_is_counted_by_its_steps(void **state)
{
    (void)state;
    struct artifact *net = supernet_of(60, 100, 1000);
    assert_int_equal(training_cost_before(net), 60 * 25);
    artifact_close(net);
    net = supernet_of(-1, 100, 1000);
    assert_int_equal(training_cost_before(net), 0);
    artifact_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_figures_give_the_papers_sum),
        cmocka_unit_test(the_ratio_is_of_times_per_image),
        cmocka_unit_test(without_scoring_there_is_no_ratio_and_none_is_needed),
        cmocka_unit_test(the_warm_up_before_is_counted_by_its_steps),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
