#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "unit/child.h"

#include <signal.h>
#include <stdio.h>

static int die_of_a_file(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    die("cannot open '%s': %s", "a.h5", "no such file");
}

static void die_says_why_and_exits_1(void **state)
{
    (void)state;
    struct child child = child_run(die_of_a_file, NULL);
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err, "greedy: cannot open 'a.h5': no such file\n");
    assert_string_equal(child.out, "");
}

static int ask_wrong(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    die_asked_wrong("first problem\nsecond problem\n");
}

static void asking_wrong_exits_2_and_names_the_program_in_each_line(void **state)
{
    (void)state;
    struct child child = child_run(ask_wrong, NULL);
    assert_int_equal(child.code, 2);
    assert_string_equal(child.err, "greedy: first problem\ngreedy: second problem\n");
}

static int meet_a_bug(const void *argument)
{
    log_set_program("greedy");
    BUG_IF(argument == NULL);
    return 0;
}

static void a_bug_aborts_and_says_where_and_what(void **state)
{
    (void)state;
    struct child child = child_run(meet_a_bug, NULL);
    assert_int_equal(child.signal, SIGABRT);
    assert_non_null(strstr(child.err, "greedy: bug at "));
    assert_non_null(strstr(child.err, "test_die.c:"));
    assert_non_null(strstr(child.err, "argument == NULL"));
}

static int log_all_kinds(const void *quiet)
{
    log_set_program("greedy");
    log_set_quiet(quiet != NULL);
    log_info("step %d", 3);
    log_warning("%s", "old");
    return 0;
}

static void a_quiet_log_keeps_its_warnings(void **state)
{
    (void)state;
    struct child loud = child_run(log_all_kinds, NULL);
    assert_string_equal(loud.err, "greedy: step 3\ngreedy: warning: old\n");
    struct child quiet = child_run(log_all_kinds, "quiet");
    assert_string_equal(quiet.err, "greedy: warning: old\n");
    assert_string_equal(quiet.out, "");
}

static int log_a_long_message(const void *argument)
{
    log_set_program("greedy");
    log_info("%s", (const char *)argument);
    return 0;
}

static void a_long_message_is_not_cut(void **state)
{
    (void)state;
    char message[5001], expected[5100];
    memset(message, 'x', 5000);
    message[5000] = 0;
    snprintf(expected, sizeof expected, "greedy: %s\n", message);
    struct child child = child_run(log_a_long_message, message);
    assert_string_equal(child.err, expected);
}

static void tell_message(const char *message)
{
    printf("[%s]", message);
}

static int die_with_a_hook(const void *argument)
{
    (void)argument;
    die_set_hook(tell_message);
    die("disk %d full", 7);
}

static int ask_wrong_with_a_hook(const void *argument)
{
    (void)argument;
    die_set_hook(tell_message);
    die_asked_wrong("no");
}

static void the_hook_hears_the_message_of_die_alone(void **state)
{
    (void)state;
    struct child died = child_run(die_with_a_hook, NULL);
    assert_string_equal(died.out, "[disk 7 full]");
    struct child asked = child_run(ask_wrong_with_a_hook, NULL);
    assert_string_equal(asked.out, "");
}

static void die_again(const char *message)
{
    die("second death after '%s'", message);
}

static int die_in_the_hook(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    die_set_hook(die_again);
    die("first death");
}

static void dying_in_the_hook_ends_the_process_too(void **state)
{
    (void)state;
    struct child child = child_run(die_in_the_hook, NULL);
    assert_int_equal(child.code, 1);
    assert_string_equal(
        child.err, "greedy: first death\ngreedy: second death after 'first death'\n");
}

/* Long enough for the other threads to get here too, if they were let. */
static void tell_slowly(const char *message)
{
    usleep(20000);
    tell_message(message);
}

static int die_in_every_thread(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    die_set_hook(tell_slowly);
#pragma omp parallel num_threads(4)
    die("thread died");
    return 0;
}

static void of_many_dying_threads_one_ends_the_process(void **state)
{
    (void)state;
    struct child child = child_run(die_in_every_thread, NULL);
    assert_int_equal(child.code, 1);
    assert_string_equal(child.out, "[thread died]");
    assert_true(strncmp(child.err, "greedy: thread died\n", 20) == 0);
}

static int log_below_a_bar(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    log_set_bar(true);
    log_info("first");
    log_info("second");
    return 0;
}

static void a_line_wipes_the_bar_once(void **state)
{
    (void)state;
    struct child child = child_run(log_below_a_bar, NULL);
    assert_string_equal(child.err, "\r\033[Kgreedy: first\ngreedy: second\n");
}

static int log_with_a_copy(const void *path)
{
    log_set_program("greedy");
    log_open_copy(path);
    log_info("step %d", 3);
    log_copy_only("as on the bar");
    die("first\nsecond");
}

/* Every line is the date of "2026-03-12T14:05:59Z", which is 20 characters, and the
 * text that stderr got. */
static void the_copy_gets_every_line_with_its_date_behind_what_was_there(void **state)
{
    (void)state;
    char path[] = "/tmp/test_die.XXXXXX", line[256];
    int file = mkstemp(path);
    assert_int_equal(write(file, "before\n", 7), 7);
    struct child child = child_run(log_with_a_copy, path);
    assert_string_equal(child.err, "greedy: step 3\ngreedy: first\ngreedy: second\n");
    FILE *copy = fdopen(file, "r");
    rewind(copy);
    assert_string_equal(fgets(line, sizeof line, copy), "before\n");
    static const char *const expected[] = {
        " greedy: step 3\n",
        " greedy: as on the bar\n",
        " greedy: first\n",
        " greedy: second\n",
    };
    for (int i = 0; i < 4; i++) {
        assert_non_null(fgets(line, sizeof line, copy));
        assert_int_equal(line[10], 'T');
        assert_int_equal(line[19], 'Z');
        assert_string_equal(line + 20, expected[i]);
    }
    assert_null(fgets(line, sizeof line, copy));
    fclose(copy);
    unlink(path);
}

static void a_copy_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct child child = child_run(log_with_a_copy, "/nonexistent/x.log");
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err, "greedy: cannot open the log '/nonexistent/x.log': "
                                   "No such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(die_says_why_and_exits_1),
        cmocka_unit_test(asking_wrong_exits_2_and_names_the_program_in_each_line),
        cmocka_unit_test(a_bug_aborts_and_says_where_and_what),
        cmocka_unit_test(a_quiet_log_keeps_its_warnings),
        cmocka_unit_test(a_long_message_is_not_cut),
        cmocka_unit_test(the_hook_hears_the_message_of_die_alone),
        cmocka_unit_test(dying_in_the_hook_ends_the_process_too),
        cmocka_unit_test(of_many_dying_threads_one_ends_the_process),
        cmocka_unit_test(a_line_wipes_the_bar_once),
        cmocka_unit_test(the_copy_gets_every_line_with_its_date_behind_what_was_there),
        cmocka_unit_test(a_copy_that_cannot_be_opened_is_named),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("die", tests, NULL, NULL);
}
