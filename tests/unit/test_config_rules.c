#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"

/* The space of least_text: 4 choices, 8 layers, 65536 paths; 10 classes x 50 = 500
 * validation images; defaults of 10 sampled and 5 kept paths. */

/* least_text and these lines. */
static struct config *with(const char *lines, char **problems)
{
    char text[2000];
    snprintf(text, sizeof text, "%s%s", least_text, lines);
    return read_text(text, strlen(text), NULL, problems);
}

static void assert_with(const char *lines, const char *expected)
{
    char *problems;
    struct config *config = with(lines, &problems);
    assert_string_equal(problems ? problems : "", expected);
    config_free(config);
    free(problems);
}

static void the_schedule_holds_warm_up_and_ramp(void **state)
{
    (void)state;
    assert_with("warmup: {steps: 30}\nsupernet: {steps: 30, lr_ramp: 30}\n", "");
    assert_with("warmup: {steps: 31}\nsupernet: {steps: 30, lr_ramp: 31}\n",
                "8:17: warmup.steps: 31 is more than supernet.steps (30)\n"
                "9:32: supernet.lr_ramp: 31 is more than supernet.steps (30)\n");
}

static void the_ramp_of_retraining_fits_its_epochs(void **state)
{
    (void)state;
    assert_with("retrain: {epochs: 5, lr_ramp: 5}\n", "");
    assert_with("retrain: {epochs: 5, lr_ramp: 5.5}\n",
                "8:31: retrain.lr_ramp: 5.5 is more than retrain.epochs (5)\n");
}

static void a_round_keeps_no_more_than_it_draws(void **state)
{
    (void)state;
    assert_true(is_taken("greedy.kept_paths=10"));
    assert_true(is_refused("greedy.kept_paths=11", "SET: greedy.kept_paths: 11 is more "
                                                   "than greedy.sampled_paths (10)\n"));
    assert_true(is_refused("greedy.pool_size=4",
                           "SET: greedy.kept_paths: 5 is more than "
                           "greedy.pool_size (4)\n"));
}

/* The setting that was written is the one to point at, though the other is the subject.
 */
static void a_contradiction_of_a_default_is_placed_at_what_was_written(void **state)
{
    (void)state;
    assert_with("warmup: {steps: 20}\nsupernet: {steps: 10}\nsampling:\n",
                "8:17: warmup.steps: 20 is more than supernet.steps (10)\n");
    assert_with("supernet: {steps: 9999}\n",
                "8:19: warmup.steps: 10000 is more than supernet.steps (9999)\n");
}

static void a_surrogate_batch_has_every_class_and_comes_from_validation(void **state)
{
    (void)state;
    assert_true(is_taken("greedy.surrogate_images=10"));
    assert_true(is_refused("greedy.surrogate_images=9",
                           "SET: greedy.surrogate_images: 9 is less than space.classes "
                           "(10): it takes one of each class\n"));
    assert_true(is_taken("greedy.surrogate_images=500"));
    assert_true(is_refused("greedy.surrogate_images=501",
                           "SET: greedy.surrogate_images: 501 is more than the 500 "
                           "validation images (dataset.validation_per_class x "
                           "space.classes)\n"));
    assert_true(is_refused("search.validation_images=501",
                           "SET: search.validation_images: 501 is more than the 500 "
                           "validation images (dataset.validation_per_class x "
                           "space.classes)\n"));
}

static void there_are_at_most_64_layers(void **state)
{
    (void)state;
    assert_true(
        is_taken("space.stages=[{channels: 8, repeat: 60}, {channels: 8, repeat: "
                 "4}]"));
    assert_true(is_refused(
        "space.stages=[{channels: 8, repeat: 60}, {channels: 8, repeat: 5}]",
        "SET: space.stages: has 65 layers (the sum of repeat), expected at most 64\n"));
    assert_true(
        is_refused("space.fixed=[{op: id, channels: 8, repeat: 64}, {op: k3e1, "
                   "channels: 8}]",
                   "SET: space.fixed: has 65 blocks (the sum of repeat), expected "
                   "at most 64\n"));
}

/* The stem halves 28 to 14; 7, 4, 2, 1: four more halvings fit. */
static void strides_stop_at_one_pixel(void **state)
{
    (void)state;
    assert_true(is_taken(
        "space.stages=[{channels: 8, stride: 2, repeat: 5}, {channels: 8, stride: 2}, "
        "{channels: 8, stride: 2}, {channels: 8, stride: 2}]"));
    assert_true(is_refused(
        "space.stages=[{channels: 8, stride: 2, repeat: 5}, {channels: 8, stride: 2}, "
        "{channels: 8, stride: 2}, {channels: 8, stride: 2}, {channels: 8, stride: 2}]",
        "SET: space.stages: item 4 has stride 2, but only 1 x 1 is left of the "
        "input\n"));
    assert_true(
        is_refused("space.input=[1, 1, 3]",
                   "SET: space.stem.stride: stride 2 meets an input of 1 x 1\n"));
    assert_true(is_taken("space.input=[1, 28, 3]"));
}

/* The stem has 32 channels, the stage 8. */
static void blocks_that_split_channels_have_some_to_split(void **state)
{
    (void)state;
    assert_true(is_taken("space.fixed=[{op: shuffle3, channels: 32}, {op: xception, "
                         "channels: 34, stride: 2, repeat: 2}]"));
    assert_true(is_refused("space.fixed=[{op: xception, channels: 32, stride: 2}]",
                           "SET: space.fixed: item 0: xception at stride 2 keeps 32 of "
                           "its 32 input channels, so 32 for its output is too few\n"));
    assert_true(is_refused("space.fixed=[{op: shuffle3, channels: 33, repeat: 2}]",
                           "SET: space.fixed: item 0: shuffle3 at stride 1 halves 33 "
                           "channels, expected an even number\n"));
    assert_true(is_refused("space.choices=[k3e3, k5e3, shuffle7, id]",
                           "5:11: space.stages: item 0: shuffle7 at stride 1 keeps 16 "
                           "of its 32 input channels, so 8 for its output is too "
                           "few\n"));
}

static void a_crop_keeps_a_pixel(void **state)
{
    (void)state;
    assert_true(is_taken("dataset.augment.pad_crop=27"));
    assert_true(is_refused("dataset.augment.pad_crop=28",
                           "SET: dataset.augment.pad_crop: 28 leaves crops without a "
                           "pixel of a 28 x 28 image\n"));
}

/* 3 choices in 2 layers: 9 paths. */
static void no_more_distinct_paths_are_asked_for_than_there_are(void **state)
{
    (void)state;
    assert_true(is_taken("greedy.pool_size=65536"));
    assert_true(
        is_refused("greedy.pool_size=65537",
                   "SET: greedy.pool_size: 65537 is more than the 65536 paths of "
                   "the space\n"));
    char *problems;
    const char nine[] =
        "dataset: {name: d, format: idx, source: /s}\n"
        "space: {input: [28, 28, 1], classes: 10, stages: [{channels: 8, "
        "repeat: 2}], choices: [k3e3, k5e3, id]}\n"
        "greedy: {surrogate_images: 250, sampled_paths: 10, kept_paths: "
        "5, pool_size: 10}\n"
        "search: {algorithm: random, population: 10, random_paths: 10}\n";
    struct config *config = read_text(nine, strlen(nine), NULL, &problems);
    assert_null(config);
    assert_string_equal(
        problems,
        "3:48: greedy.sampled_paths: 10 is more than the 9 paths of the space\n"
        "3:78: greedy.pool_size: 10 is more than the 9 paths of the space\n"
        "4:59: search.random_paths: 10 is more than the 9 paths of the space\n");
    free(problems);
}

/* A value that is bad already makes no second problem. */
static void a_bad_value_contradicts_nothing(void **state)
{
    (void)state;
    assert_true(
        is_refused("greedy.sampled_paths=0",
                   "SET: greedy.sampled_paths: 0 is out of range, expected 1 to "
                   "10000\n"));
    assert_true(
        is_refused("search.algorithm=evolution",
                   "SET: search.algorithm: 'evolution' is not one of: nsga2 random\n"));
    assert_true(is_refused("space.choices=[x]",
                           "SET: space.choices[0]: 'x' is not an operation, expected "
                           "k3e6 (kernel 3, 5 or 7, expansion 1 to 32), k3e6s (with "
                           "squeeze-and-excitation), shuffle3 (3, 5 or 7), xception "
                           "or id\n"));
}

/* Of 55,300 steps (the default) every 553rd makes 100. */
static void snapshots_are_at_most_a_hundred(void **state)
{
    (void)state;
    assert_true(is_taken("uniform.snapshot_steps=553"));
    assert_true(is_refused("uniform.snapshot_steps=540",
                           "SET: uniform.snapshot_steps: 540 makes 102 snapshots of "
                           "55300 steps, expected at most 100\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schedule_holds_warm_up_and_ramp),
        cmocka_unit_test(the_ramp_of_retraining_fits_its_epochs),
        cmocka_unit_test(a_round_keeps_no_more_than_it_draws),
        cmocka_unit_test(a_contradiction_of_a_default_is_placed_at_what_was_written),
        cmocka_unit_test(a_surrogate_batch_has_every_class_and_comes_from_validation),
        cmocka_unit_test(there_are_at_most_64_layers),
        cmocka_unit_test(strides_stop_at_one_pixel),
        cmocka_unit_test(blocks_that_split_channels_have_some_to_split),
        cmocka_unit_test(a_crop_keeps_a_pixel),
        cmocka_unit_test(no_more_distinct_paths_are_asked_for_than_there_are),
        cmocka_unit_test(snapshots_are_at_most_a_hundred),
        cmocka_unit_test(a_bad_value_contradicts_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
