#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/training_plan.h"

/* 90 steps of 10 images, 20 of them warm-up; four choices a layer. */
static struct config experiment(void)
{
    return (struct config){.supernet = {.steps = 90, .batch = 10},
                           .warmup = {.steps = 20},
                           .uniform = {.snapshot_steps = 7},
                           .space = {.n_choices = 4}};
}

static void uniform_training_has_the_whole_budget_unless_it_has_its_own(void **state)
{
    (void)state;
    struct config config = experiment();
    assert_int_equal(training_plan_of(&config, "warmup").steps, 20);
    assert_int_equal(training_plan_of(&config, "warmup").snapshot_steps, 0);
    assert_int_equal(training_plan_of(&config, "uniform").steps, 90);
    assert_int_equal(training_plan_of(&config, "uniform").snapshot_steps, 7);
    config.uniform.steps = 300;
    assert_int_equal(training_plan_of(&config, "uniform").steps, 300);
}

/* A step trains four paths: 90 / 4 steps see no more images than uniform training. */
static void fair_training_sees_as_many_images(void **state)
{
    (void)state;
    struct config config = experiment();
    struct training_plan fair = training_plan_of(&config, "fairnas");
    assert_int_equal(fair.images_of_step, 40);
    assert_int_equal(fair.steps, 22);
    assert_true(fair.steps * fair.images_of_step <= 90 * 10);
    config.supernet.steps = 3;
    assert_int_equal(training_plan_of(&config, "fairnas").steps, 1);
    config.fairnas.steps = 5;
    assert_int_equal(training_plan_of(&config, "fairnas").steps, 5);
}

static void at_equal_cost_the_settings_give_no_steps(void **state)
{
    (void)state;
    struct config config = experiment();
    struct training_plan uniform = training_plan_of(&config, "uniform_e");
    struct training_plan fair = training_plan_of(&config, "fairnas_e");
    assert_true(uniform.equal_cost && fair.equal_cost && fair.fair && !uniform.fair);
    assert_int_equal(uniform.steps + fair.steps, 0);
    assert_int_equal(uniform.images_of_step, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_training_has_the_whole_budget_unless_it_has_its_own),
        cmocka_unit_test(fair_training_sees_as_many_images),
        cmocka_unit_test(at_equal_cost_the_settings_give_no_steps),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("training_plan", tests, NULL, NULL);
}
