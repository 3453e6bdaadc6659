#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/config_table.h"
#include "io/setting_kinds.h"

static const char *nearest(const char *name)
{
    const char *found = settings_nearest(&config_table, name);
    return found ? found : "none";
}

static void a_slip_of_the_hand_is_recognised(void **state)
{
    (void)state;
    assert_string_equal(nearest("greedy.epslion"), "greedy.epsilon");
    assert_string_equal(nearest("serch"), "search");
    assert_string_equal(nearest("search.populaton"), "search.population");
    assert_string_equal(nearest("suprnet.batch"), "supernet.batch");
    assert_string_equal(nearest("greedy.epsilon.too"), "greedy.epsilon.to");
}

static void the_right_word_in_the_wrong_section_is_found(void **state)
{
    (void)state;
    assert_string_equal(nearest("greedy.learning_rate"), "supernet.learning_rate");
    assert_string_equal(nearest("mutation"), "search.mutation");
}

static void another_word_is_no_slip(void **state)
{
    (void)state;
    char longest[10000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(nearest("wibble"), "none");
    assert_string_equal(nearest("x"), "none");
    assert_string_equal(nearest(longest), "none");
}

static void every_stage_has_a_name_and_a_bit_of_its_own(void **state)
{
    (void)state;
    unsigned all = 0;
    for (int i = 0; setting_stages[i]; i++) {
        unsigned use = setting_use(setting_stages[i]);
        assert_true(use != 0 && (use & all) == 0);
        all |= use;
    }
    assert_int_equal(all, USE_STAGES);
    assert_int_equal(setting_use("report"), 0);
}

/* A setting stands in a section that was opened before it and is used by every stage
 * that the setting is: else its line in a stage's text would have no place. */
static void every_setting_stands_in_its_section(void **state)
{
    (void)state;
    for (int i = 0; i < config_table.n; i++) {
        const struct setting *row = &config_table.row[i];
        char *section = strdup(row->name);
        char *dot = strrchr(section, '.');
        assert_int_equal(settings_find(&config_table, row->name), i);
        if (dot) {
            *dot = '\0';
            int opened = settings_find(&config_table, section);
            assert_true(opened >= 0 && opened < i);
            assert_null(config_table.row[opened].kind);
            assert_int_equal(row->use & ~config_table.row[opened].use, 0);
        }
        free(section);
    }
}

static void every_setting_says_what_it_does(void **state)
{
    (void)state;
    for (int i = 0; i < config_table.n; i++) {
        const char *help = config_table.row[i].help;
        assert_non_null(help);
        assert_int_equal(help[strlen(help) - 1], '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_hand_is_recognised),
        cmocka_unit_test(the_right_word_in_the_wrong_section_is_found),
        cmocka_unit_test(another_word_is_no_slip),
        cmocka_unit_test(every_stage_has_a_name_and_a_bit_of_its_own),
        cmocka_unit_test(every_setting_stands_in_its_section),
        cmocka_unit_test(every_setting_says_what_it_does),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
