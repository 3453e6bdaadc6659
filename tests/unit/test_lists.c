#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"

static void texts_keep_their_order_and_their_blanks(void **state)
{
    (void)state;
    char *problems;
    struct config *config =
        read_least("retrain.networks=[found, \"mine=k3e3 id\", b-0.x]", &problems);
    assert_non_null(config);
    assert_int_equal(config->retrain.networks.n, 3);
    assert_string_equal(config->retrain.networks.text[0], "found");
    assert_string_equal(config->retrain.networks.text[1], "mine=k3e3 id");
    assert_string_equal(config->retrain.networks.text[2], "b-0.x");
    config_free(config);
}

/* Quotes only where YAML would make something else of it. */
static void they_are_written_so_that_they_read_back(void **state)
{
    (void)state;
    char *problems;
    struct config *config = read_least(
        "retrain.networks=[found, \"mine=k3e3 id\", \"no\", \"3\"]", &problems);
    assert_non_null(config);
    char *value = config_value(config, "retrain.networks");
    assert_string_equal(value, "[found, \"mine=k3e3 id\", \"no\", \"3\"]");
    free(value);
    config_free(config);
}

static void what_is_no_list_of_texts_is_refused(void **state)
{
    (void)state;
    assert_true(is_refused("retrain.networks=found",
                           "SET: retrain.networks: expected a list of texts, found "
                           "'found'\n"));
    assert_true(is_refused("retrain.networks=[]",
                           "SET: retrain.networks: has 0 items, expected 1 to 16\n"));
    assert_true(
        is_refused("retrain.networks=[a, b, a]",
                   "SET: retrain.networks[2]: 'a' is there twice, first as item 0\n"));
    assert_true(is_refused("retrain.networks=[a, \"\"]",
                           "SET: retrain.networks[1]: '' is empty, expected text\n"));
    assert_true(is_refused("retrain.networks=[a, [b]]",
                           "SET: retrain.networks[1]: expected text, found a list\n"));
}

static void a_list_of_counts_rises(void **state)
{
    (void)state;
    char *problems;
    struct config *config = read_least("rankcorr.images=[5, 10, 400]", &problems);
    assert_non_null(config);
    assert_int_equal(config->rankcorr.images.n, 3);
    assert_int_equal(config->rankcorr.images.count[2], 400);
    char *value = config_value(config, "rankcorr.images");
    assert_string_equal(value, "[5, 10, 400]");
    free(value);
    config_free(config);
    assert_true(is_refused("rankcorr.images=[5, 10, 10]",
                           "SET: rankcorr.images[2]: 10 is not more than the one "
                           "before (10)\n"));
    assert_true(is_refused("rankcorr.images=[5, x]",
                           "SET: rankcorr.images[1]: 'x' is not an integer\n"));
    assert_true(is_refused("rankcorr.images=[0]",
                           "SET: rankcorr.images[0]: 0 is out of range, expected 1 to "
                           "100000000\n"));
    assert_true(is_refused("rankcorr.images=5",
                           "SET: rankcorr.images: expected a list of rising integers, "
                           "found '5'\n"));
    assert_true(is_refused("rankcorr.images=[]",
                           "SET: rankcorr.images: has 0 items, expected 1 to 16\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_keep_their_order_and_their_blanks),
        cmocka_unit_test(they_are_written_so_that_they_read_back),
        cmocka_unit_test(what_is_no_list_of_texts_is_refused),
        cmocka_unit_test(a_list_of_counts_rises),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
