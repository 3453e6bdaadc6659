#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"
#include "io/setting_kinds.h"

static void assert_number(const char *written, double expected)
{
    char *problems, override[80];
    snprintf(override, sizeof override, "search.constraints.flops=%s", written);
    struct config *config = read_least(override, &problems);
    assert_non_null(config);
    assert_true(config->search.constraints.flops == expected);
    config_free(config);
}

static void numbers_are_read_in_every_decimal_form(void **state)
{
    (void)state;
    assert_number("5000000", 5000000);
    assert_number("5.0e6", 5000000);
    assert_number("5e6", 5000000);
    assert_number("+5E+6", 5000000);
    assert_number("5.", 5);
    assert_number(".5e1", 5);
    assert_number("-0", 0);
    assert_number("0.30000000000000004", 0.1 + 0.2);
}

static void what_is_no_finite_decimal_is_refused(void **state)
{
    (void)state;
    const char *const words[] = {".inf", ".nan", "nan",   "inf", "0x10", "1_000",
                                 "1e",   "e5",   ".",     "1,5", "1 2",  "1e5.5",
                                 "--1",  "1f",   "1e+-2", "5M"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char override[80], expected[160];
        snprintf(override, sizeof override, "search.mutation=%s", words[i]);
        snprintf(expected, sizeof expected,
                 "SET: search.mutation: '%s' is not a number\n", words[i]);
        assert_true(is_refused(override, expected));
    }
    assert_true(is_refused("search.mutation=1e999",
                           "SET: search.mutation: 1e999 is out "
                           "of range, expected 0 to 1\n"));
    assert_true(is_refused("search.mutation=-1e999",
                           "SET: search.mutation: -1e999 is "
                           "out of range, expected 0 to 1\n"));
}

static void integers_are_digits_alone(void **state)
{
    (void)state;
    const char *const words[] = {"1.0", "1e3", "1_000", "0x10", "010",
                                 "0o7", "ten", "~",     "1 0"};
    assert_true(is_taken("search.population=+50"));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char override[80], expected[160];
        snprintf(override, sizeof override, "search.population=%s", words[i]);
        snprintf(expected, sizeof expected,
                 "SET: search.population: '%s' is not an integer\n", words[i]);
        assert_true(is_refused(override, expected));
    }
    assert_true(is_refused("search.population=99999999999999999999",
                           "SET: search.population: 99999999999999999999 is out of "
                           "range, expected 2 to 1000000\n"));
    assert_true(
        is_refused("search.population='50'",
                   "SET: search.population: '50' in quotes is text, expected an "
                   "integer\n"));
}

static void ranges_include_their_ends(void **state)
{
    (void)state;
    assert_true(is_taken("greedy.epsilon.to=0"));
    assert_true(is_taken("greedy.epsilon.to=1"));
    assert_true(
        is_refused("greedy.epsilon.to=1.0000001",
                   "SET: greedy.epsilon.to: 1.0000001 is out of range, expected "
                   "0 to 1\n"));
    assert_true(
        is_refused("greedy.epsilon.to=-1e-9",
                   "SET: greedy.epsilon.to: -1e-9 is out of range, expected 0 to "
                   "1\n"));
}

static void seeds_have_64_bits(void **state)
{
    (void)state;
    char *problems;
    struct config *config = read_least("seed=18446744073709551615", &problems);
    assert_non_null(config);
    assert_true(config->seed == UINT64_MAX);
    config_free(config);
    const char *const refused[] = {"18446744073709551616", "-1"};
    for (size_t i = 0; i < 2; i++) {
        char override[80], expected[160];
        snprintf(override, sizeof override, "seed=%s", refused[i]);
        snprintf(expected, sizeof expected,
                 "SET: seed: %s is out of range, expected 0 to 18446744073709551615\n",
                 refused[i]);
        assert_true(is_refused(override, expected));
    }
}

static void booleans_are_true_and_false_and_a_hint_helps_with_others(void **state)
{
    (void)state;
    assert_true(is_taken("greedy.filter=true"));
    assert_true(is_taken("greedy.filter=false"));
    assert_true(
        is_refused("greedy.filter=Yes",
                   "SET: greedy.filter: 'Yes' is not true or false, write true\n"));
    assert_true(
        is_refused("greedy.filter=off",
                   "SET: greedy.filter: 'off' is not true or false, write false\n"));
    assert_true(is_refused("greedy.filter=1",
                           "SET: greedy.filter: '1' is not true or false\n"));
}

static void words_are_those_of_the_list(void **state)
{
    (void)state;
    assert_true(is_taken("space.activation=relu6"));
    assert_true(is_taken("space.stem.activation=\"\""));
    assert_true(is_refused("space.activation=relu7",
                           "SET: space.activation: 'relu7' is not one of: relu relu6 "
                           "hswish swish\n"));
    assert_true(is_refused("space.activation=rel",
                           "SET: space.activation: 'rel' is not one of: relu relu6 "
                           "hswish swish\n"));
    assert_true(is_refused("space.activation=\"relu relu6\"",
                           "SET: space.activation: 'relu relu6' is not one of: relu "
                           "relu6 hswish swish\n"));
    assert_true(is_refused("space.activation=\"\"",
                           "SET: space.activation: '' is not one of: relu relu6 hswish "
                           "swish\n"));
}

static void a_dataset_is_called_what_a_file_can_be_called(void **state)
{
    (void)state;
    assert_true(is_taken("dataset.name=fashion-mnist_2.1"));
    const char *const refused[] = {"a/b", "../x", ".x", "-x", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char override[80], expected[160];
        snprintf(override, sizeof override, "dataset.name=\"%s\"", refused[i]);
        snprintf(expected, sizeof expected,
                 "SET: dataset.name: '%s' is not a file's base name: letters, digits "
                 "and '._-'\n",
                 refused[i]);
        assert_true(is_refused(override, expected));
    }
}

static void control_characters_are_no_text(void **state)
{
    (void)state;
    assert_true(
        is_refused("dataset.source=\"a\\nb\"",
                   "SET: dataset.source: 'a?b' has a control character, expected "
                   "text\n"));
    assert_true(is_refused("dataset.source=\"a\\Nb\"", /* U+0085, next line */
                           "SET: dataset.source: 'a\xc2\x85"
                           "b' has a control character, expected text\n"));
}

static void assert_text(double value, const char *expected)
{
    char text[SETTING_NUMBER_SIZE];
    setting_number_text(value, text);
    assert_string_equal(text, expected);
    assert_true(strtod(text, NULL) == value);
}

static void numbers_are_written_as_short_as_they_read_back(void **state)
{
    (void)state;
    assert_text(0, "0");
    assert_text(5000000, "5000000");
    assert_text(-3, "-3");
    assert_text(0.1, "0.1");
    assert_text(0.1 + 0.2, "0.30000000000000004");
    assert_text(4e-5, "4.0e-05");
    assert_text(1.25e-7, "1.25e-07");
    assert_text(1e18, "1.0e+18");
    assert_text(5e-324, "5.0e-324");
    assert_text(1.7976931348623157e308, "1.7976931348623157e+308");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_every_decimal_form),
        cmocka_unit_test(what_is_no_finite_decimal_is_refused),
        cmocka_unit_test(integers_are_digits_alone),
        cmocka_unit_test(ranges_include_their_ends),
        cmocka_unit_test(seeds_have_64_bits),
        cmocka_unit_test(booleans_are_true_and_false_and_a_hint_helps_with_others),
        cmocka_unit_test(words_are_those_of_the_list),
        cmocka_unit_test(a_dataset_is_called_what_a_file_can_be_called),
        cmocka_unit_test(control_characters_are_no_text),
        cmocka_unit_test(numbers_are_written_as_short_as_they_read_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
