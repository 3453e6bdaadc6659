#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "base/progress.h"
#include "unit/child.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* Nothing waits for the clock here: the past is moved back instead, by so much that the
 * seconds a slow machine adds do not show. */
static void move_back(struct progress *progress, double seconds)
{
    progress->started -= seconds;
    progress->last_line -= seconds;
    progress->last_copied -= seconds;
    for (size_t i = 0;
         i < sizeof progress->window_time / sizeof progress->window_time[0]; i++)
        progress->window_time[i] -= seconds;
}

static void assert_close(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-3 * expected);
}

static void the_rate_counts_what_was_done_here(void **state)
{
    (void)state;
    struct progress progress;
    log_set_quiet(true);
    progress_start(&progress, "steps", 1000, 3000);
    assert_true(progress_rate(&progress) == -1);
    assert_true(progress_eta(&progress) == -1);
    move_back(&progress, 1e6);
    progress_update(&progress, 1500, NULL); /* 500 in 1e6 seconds, 1500 to go */
    assert_close(progress_rate(&progress), 5e-4);
    assert_close(progress_eta(&progress), 3e6);
    progress_update(&progress, 3000, NULL);
    assert_true(progress_eta(&progress) == 0);
    log_set_quiet(false);
}

/* Steps get faster: i * i are done at sample i. The rate is over the last 16 samples.
 */
static void the_rate_is_that_of_the_recent_past(void **state)
{
    (void)state;
    struct progress progress;
    log_set_quiet(true);
    progress_start(&progress, "steps", 0, 100000);
    for (long i = 1; i <= 100; i++) {
        move_back(&progress, 1e6);
        progress_update(&progress, i * i, NULL);
        long first = i > 16 ? i - 16 : 0;
        double expected = (double)(i * i - first * first) / (1e6 * (double)(i - first));
        assert_close(progress_rate(&progress), expected);
    }
    log_set_quiet(false);
}

static int write_a_log(const void *quiet)
{
    log_set_program("greedy");
    log_set_quiet(quiet != NULL);
    struct progress progress;
    progress_start(&progress, "steps", 120, 3000);
    progress_update(&progress, 121, "too soon for a line");
    move_back(&progress, 7200);
    progress_update(&progress, 1320, "loss 1.234"); /* 1200 in 2 h; 1680 take 2.8 h */
    progress_update(&progress, 1321, "too soon again");
    progress_update(&progress, 3000, "too soon again");
    progress_finish(&progress, "loss 0.5");
    return 0;
}

static void a_log_has_a_line_at_the_start_now_and_then_and_at_the_end(void **state)
{
    (void)state;
    struct child child = child_run(write_a_log, NULL);
    assert_string_equal(child.err,
                        "greedy: 120/3000 steps   4%\n"
                        "greedy: 1320/3000 steps  44%  loss 1.234  ETA 2h 48m\n"
                        "greedy: 3000/3000 steps 100%  loss 0.5  after 2h 00m\n");
    assert_string_equal(child.out, "");
}

static void a_quiet_log_has_none(void **state)
{
    (void)state;
    assert_string_equal(child_run(write_a_log, "quiet").err, "");
}

static int write_rates(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    struct progress progress;
    progress_start(&progress, "paths", 0, 400);
    move_back(&progress, 1e5);
    progress_update(&progress, 100, NULL);
    progress_finish(&progress, NULL);
    return 0;
}

static void without_a_note_the_rate_is_shown(void **state)
{
    (void)state;
    struct child child = child_run(write_rates, NULL);
    assert_non_null(
        strstr(child.err, " 100/400 paths  25%  0.001 paths/s  ETA 83h 20m\n"));
    assert_non_null(strstr(child.err, " 100/400 paths  25%  0.001 paths/s  after "));
}

static int do_nothing(const void *argument)
{
    (void)argument;
    log_set_program("greedy");
    struct progress progress;
    progress_start(&progress, "steps", 0, 0);
    progress_update(&progress, 0, NULL);
    progress_finish(&progress, NULL);
    return progress_eta(&progress) == 0 ? 0 : 1;
}

static void work_of_no_steps_is_complete(void **state)
{
    (void)state;
    struct child child = child_run(do_nothing, NULL);
    assert_int_equal(child.code, 0);
    assert_string_equal(child.err, "greedy: 0/0 steps 100%\n"
                                   "greedy: 0/0 steps 100%  after 0s\n");
}

struct terminal {
    int columns; /* 0: it does not say */
    const char *kind;
};

/* Runs on a terminal of its own and copies what came out of it to stdout. */
static int draw_on_terminal(const void *argument)
{
    const struct terminal *terminal = argument;
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)terminal->columns};
    int ours = posix_openpt(O_RDWR | O_NOCTTY);
    if (ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0)
        return 1;
    int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
    if (theirs < 0 || ioctl(theirs, TIOCSWINSZ, &size) != 0)
        return 2;
    int usual = dup(STDERR_FILENO);
    dup2(theirs, STDERR_FILENO);
    setenv("TERM", terminal->kind, 1);

    log_set_program("greedy");
    struct progress progress;
    progress_start(&progress, "steps", 0, 3000);
    move_back(&progress, 3600);
    progress_update(&progress, 1500, "loss 1.234");
    log_warning("half");
    move_back(&progress, 3600);
    progress_update(&progress, 3000, "loss 0.5");
    progress_finish(&progress, "loss 0.5");

    /* With its last writer gone, reading from a terminal ends with an error. */
    close(theirs);
    dup2(usual, STDERR_FILENO);
    char drawn[1024];
    ssize_t n;
    while ((n = read(ours, drawn, sizeof drawn)) > 0)
        if (write(STDOUT_FILENO, drawn, (size_t)n) != n)
            return 3;
    return 0;
}

#define WIPE "\033[K"

/* The terminal itself turns each newline into \r\n. */
static void a_terminal_has_a_bar_that_is_drawn_over(void **state)
{
    (void)state;
    struct child child = child_run(draw_on_terminal, &(struct terminal){120, "xterm"});
    assert_int_equal(child.code, 0);
    assert_string_equal(
        child.out,
        "\rgreedy  [>                   ] 0/3000 steps   0%" WIPE
        "\rgreedy  [==========>         ] 1500/3000 steps  50%  loss 1.234  ETA 1h "
        "00m" WIPE "\r" WIPE "greedy: warning: half\r\n"
        "\rgreedy  [====================] 3000/3000 steps 100%  loss 0.5" WIPE
        "\rgreedy  [====================] 3000/3000 steps 100%  loss 0.5  after "
        "2h 00m" WIPE "\r\n");
}

/* Length of the longest line as it stands on the terminal. */
static int longest_line(const char *drawn)
{
    int longest = 0;
    while (*drawn) {
        int length = (int)strcspn(drawn, "\r\n\033");
        longest = length > longest ? length : longest;
        drawn += length;
        drawn += strspn(drawn, "\r\n");
        if (strncmp(drawn, WIPE, 3) == 0)
            drawn += 3;
    }
    return longest;
}

/* One column stays free: a terminal may wrap after the last one. */
static void a_line_is_never_wider_than_the_terminal(void **state)
{
    (void)state;
    for (int columns = 22; columns < 100; columns += 4) {
        struct child child =
            child_run(draw_on_terminal, &(struct terminal){columns, "xterm"});
        assert_int_equal(child.code, 0);
        assert_true(longest_line(child.out) < columns);
    }
}

/* The name has 6 columns, "  [" 3, the shortest bar 10, "] " 2, the text 44, and one
 * stays free: 66. */
static void a_narrow_terminal_has_a_shorter_bar_or_none(void **state)
{
    (void)state;
    struct child child = child_run(draw_on_terminal, &(struct terminal){66, "xterm"});
    assert_non_null(strstr(child.out, "greedy  [=====>    ] 1500/3000 steps"));
    child = child_run(draw_on_terminal, &(struct terminal){65, "xterm"});
    assert_non_null(strstr(child.out, "greedy  1500/3000 steps  50%"));
}

static void a_terminal_that_cannot_wipe_has_lines(void **state)
{
    (void)state;
    struct child child = child_run(draw_on_terminal, &(struct terminal){80, "dumb"});
    assert_string_equal(child.out,
                        "greedy: 0/3000 steps   0%\r\n"
                        "greedy: 1500/3000 steps  50%  loss 1.234  ETA 1h 00m\r\n"
                        "greedy: warning: half\r\n"
                        "greedy: 3000/3000 steps 100%  loss 0.5\r\n"
                        "greedy: 3000/3000 steps 100%  loss 0.5  after 2h 00m\r\n");
}

static int draw_with_a_copy(const void *path)
{
    log_open_copy(path);
    return draw_on_terminal(&(struct terminal){80, "xterm"});
}

/* The bar is drawn four times; the third comes with 2 hours gone, the second with one.
 */
static void a_copy_of_the_log_has_lines_for_the_bar(void **state)
{
    (void)state;
    char path[] = "/tmp/test_progress.XXXXXX", text[2048];
    int file = mkstemp(path);
    assert_true(file >= 0);
    struct child child = child_run(draw_with_a_copy, path);
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    close(file);
    unlink(path);
    assert_int_equal(child.code, 0);
    assert_true(n > 0);
    text[n] = 0;
    static const char *const expected[] = {
        "greedy: 0/3000 steps   0%\n",
        "greedy: 1500/3000 steps  50%  loss 1.234  ETA 1h 00m\n",
        "greedy: warning: half\n",
        "greedy: 3000/3000 steps 100%  loss 0.5\n",
        "greedy: 3000/3000 steps 100%  loss 0.5  after 2h 00m\n",
    };
    char *line = text;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        line = strchr(line, ' ') + 1; /* past the date */
        assert_memory_equal(line, expected[i], strlen(expected[i]));
        line += strlen(expected[i]);
    }
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_counts_what_was_done_here),
        cmocka_unit_test(the_rate_is_that_of_the_recent_past),
        cmocka_unit_test(a_log_has_a_line_at_the_start_now_and_then_and_at_the_end),
        cmocka_unit_test(a_quiet_log_has_none),
        cmocka_unit_test(without_a_note_the_rate_is_shown),
        cmocka_unit_test(work_of_no_steps_is_complete),
        cmocka_unit_test(a_terminal_has_a_bar_that_is_drawn_over),
        cmocka_unit_test(a_line_is_never_wider_than_the_terminal),
        cmocka_unit_test(a_narrow_terminal_has_a_shorter_bar_or_none),
        cmocka_unit_test(a_terminal_that_cannot_wipe_has_lines),
        cmocka_unit_test(a_copy_of_the_log_has_lines_for_the_bar),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
