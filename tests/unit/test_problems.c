#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/problems.h"

static void are_sorted_by_place_and_those_without_one_come_last(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    problems_add(&problems, (struct place){"SET", 0, 0}, "e");
    problems_add(&problems, (struct place){"f.yaml", 10, 1}, "d");
    problems_add(&problems, (struct place){"f.yaml", 9, 12}, "b");
    problems_add(&problems, (struct place){"f.yaml", 9, 3}, "a");
    problems_add(&problems, (struct place){"f.yaml", 9, 12}, "c");
    char *text = problems_text(&problems);
    assert_string_equal(text, "f.yaml:9:3: a\nf.yaml:9:12: b\nf.yaml:9:12: c\n"
                              "f.yaml:10:1: d\nSET: e\n");
    free(text);
    problems_release(&problems);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    problems_add(&problems, (struct place){"f", 1, 1}, "'%s'",
                 "a\033[31m\nb\177\xc3\xa9");
    char *text = problems_text(&problems);
    assert_string_equal(text, "f:1:1: 'a?[31m?b?\xc3\xa9'\n");
    free(text);
    problems_release(&problems);
}

static void a_hundred_are_shown_and_the_others_counted(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    for (int i = 0; i < 103; i++)
        problems_add(&problems, (struct place){"f", i + 1, 1}, "x");
    char *text = problems_text(&problems);
    assert_non_null(strstr(text, "f:100:1: x\nand 3 more\n"));
    assert_null(strstr(text, "f:101:1"));
    free(text);
    problems_release(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_sorted_by_place_and_those_without_one_come_last),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(a_hundred_are_shown_and_the_others_counted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
