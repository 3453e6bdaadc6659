#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"

/* The choices that an override makes, with blanks between. */
static void assert_choices(const char *override, const char *expected)
{
    char *problems, found[CONFIG_CHOICES_MAX * CONFIG_TOKEN_SIZE] = "";
    struct config *config = read_least(override, &problems);
    assert_non_null(config);
    for (int i = 0; i < config->space.n_choices; i++) {
        strcat(found, i ? " " : "");
        strcat(found, config->space.choices[i]);
    }
    assert_string_equal(found, expected);
    config_free(config);
}

static void choices_by_factors_go_by_se_then_kernel_then_expansion(void **state)
{
    (void)state;
    assert_choices("space.choices={kernels: [3, 5, 7], expansions: [3, 6], "
                   "squeeze_excite: [false, true], identity: true}",
                   "k3e3 k3e6 k5e3 k5e6 k7e3 k7e6 k3e3s k3e6s k5e3s k5e6s k7e3s k7e6s "
                   "id");
    assert_choices(
        "space.choices={kernels: [7, 3], expansions: [6, 1], squeeze_excite: "
        "[true], identity: false}",
        "k7e6s k7e1s k3e6s k3e1s");
}

static void factors_are_without_se_and_with_identity_unless_said(void **state)
{
    (void)state;
    assert_choices("space.choices={kernels: [5], expansions: [1, 2, 3, 4]}",
                   "k5e1 k5e2 k5e3 k5e4 id");
}

static void choices_by_name_keep_their_order(void **state)
{
    (void)state;
    assert_choices("space.choices=[id, k7e32s, k3e3, \"k5e6\", k3e4]",
                   "id k7e32s k3e3 k5e6 k3e4");
}

static void what_is_no_operation_is_refused(void **state)
{
    (void)state;
    const char *const words[] = {
        "k4e3",    "k3e0",     "k3e33",     "k3e",       "k3",       "ID",
        "k3e3S",   "k3e3ss",   "k3e03",     "k03e3",     "k3e+3",    "k3e3 s",
        "shuffle", "shuffle4", "shuffle03", "shuffle3s", "xception3"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char override[80], expected[240];
        snprintf(override, sizeof override, "space.choices=[k3e3, k3e4, %s]", words[i]);
        snprintf(
            expected, sizeof expected,
            "SET: space.choices[2]: '%s' is not an operation, expected k3e6 (kernel "
            "3, 5 or 7, expansion 1 to 32), k3e6s (with squeeze-and-excitation), "
            "shuffle3 (3, 5 or 7), xception or id\n",
            words[i]);
        assert_true(is_refused(override, expected));
    }
}

static void a_choice_may_be_there_once(void **state)
{
    (void)state;
    assert_true(
        is_refused("space.choices=[k3e3, id, k3e3]",
                   "SET: space.choices[2]: 'k3e3' is there twice, first as item 0\n"));
    assert_true(is_refused(
        "space.choices={kernels: [3, 5, 5], expansions: [3]}",
        "SET: space.choices.kernels[2]: '5' is there twice, first as item 1\n"));
    assert_true(is_refused(
        "space.choices={kernels: [3], expansions: [3], squeeze_excite: [true, true]}",
        "SET: space.choices.squeeze_excite[1]: 'true' is there twice, first as item "
        "0\n"));
}

/* 3 kernels x 11 expansions x 2 = 66. */
static void there_are_at_most_64_choices(void **state)
{
    (void)state;
    assert_true(
        is_refused("space.choices={kernels: [3, 5, 7], expansions: [1, 2, 3, 4, 5, 6, "
                   "7, 8, 9, 10, "
                   "11], squeeze_excite: [false, true], identity: false}",
                   "SET: space.choices: makes 66 choices, expected at most 64\n"));
    assert_true(is_taken(
        "space.choices={kernels: [3, 5, 7], expansions: [1, 2, 3, 4, 5, 6, 7, 8, 9, "
        "10], squeeze_excite: [false, true]}")); /* 61 */
    assert_true(is_refused("space.choices=[]",
                           "SET: space.choices: has 0 items, expected 1 to 64\n"));
}

static void a_stage_has_repeat_and_stride_1_unless_said(void **state)
{
    (void)state;
    char *problems;
    struct config *config = read_least(
        "space.stages=[{channels: 24}, {stride: 2, repeat: 7, channels: 40}]",
        &problems);
    assert_non_null(config);
    const struct space_stage_config *stage = config->space.stages;
    assert_int_equal(config->space.n_stages, 2);
    assert_true(stage[0].channels == 24 && stage[0].repeat == 1 &&
                stage[0].stride == 1);
    assert_true(stage[1].channels == 40 && stage[1].repeat == 7 &&
                stage[1].stride == 2);
    config_free(config);
}

static void fixed_blocks_name_their_operation(void **state)
{
    (void)state;
    char *problems;
    struct config *config =
        read_least("space.fixed=[{op: k3e1, channels: 16, stride: 2}]", &problems);
    assert_non_null(config);
    assert_int_equal(config->space.n_fixed, 1);
    assert_string_equal(config->space.fixed[0].op, "k3e1");
    assert_int_equal(config->space.fixed[0].channels, 16);
    assert_int_equal(config->space.fixed[0].repeat, 1);
    assert_int_equal(config->space.fixed[0].stride, 2);
    config_free(config);
    assert_true(is_refused("space.fixed=[{channels: 16}]",
                           "SET: space.fixed[0].op: is missing, expected an operation "
                           "such as k3e6\n"));
}

static void problems_inside_an_item_have_its_number(void **state)
{
    (void)state;
    assert_true(
        is_refused("space.stages=[{channels: 8, repeat: 9}, {chanels: 4}, 5]",
                   "SET: unknown setting 'space.stages[1].chanels', did you mean "
                   "'space.stages[1].channels'?\n"
                   "SET: space.stages[1].channels: is missing, expected an "
                   "integer, 1 to 65536\n"
                   "SET: space.stages[2]: expected settings (name: value), found "
                   "'5'\n"));
}

static void an_input_has_three_extents(void **state)
{
    (void)state;
    assert_true(is_refused("space.input=[28, 28]",
                           "SET: space.input: has 2 items, expected 3\n"));
    assert_true(is_refused(
        "space.input=28",
        "SET: space.input: expected a list [height, width, channels], found '28'\n"));
    assert_true(
        is_refused("space.input=[28, 0, 1]",
                   "SET: space.input[1]: 0 is out of range, expected 1 to 8192\n"));
    assert_true(is_refused("space.input=", "SET: space.input: has no value, expected a "
                                           "list [height, width, channels]\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_by_factors_go_by_se_then_kernel_then_expansion),
        cmocka_unit_test(factors_are_without_se_and_with_identity_unless_said),
        cmocka_unit_test(choices_by_name_keep_their_order),
        cmocka_unit_test(what_is_no_operation_is_refused),
        cmocka_unit_test(a_choice_may_be_there_once),
        cmocka_unit_test(there_are_at_most_64_choices),
        cmocka_unit_test(a_stage_has_repeat_and_stride_1_unless_said),
        cmocka_unit_test(fixed_blocks_name_their_operation),
        cmocka_unit_test(problems_inside_an_item_have_its_number),
        cmocka_unit_test(an_input_has_three_extents),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
