#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stop.h"
#include "unit/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* Exits 0 when the flag was down before and up afterwards; says the reason. */
static int be_signalled(const void *number)
{
    stop_install();
    if (stop_requested() || stop_reason())
        return 1;
    raise(*(const int *)number);
    if (!stop_requested())
        return 2;
    dprintf(STDOUT_FILENO, "%s", stop_reason());
    return 0;
}

static void each_signal_sets_the_flag_and_is_named(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *name;
    } known[] = {{SIGTERM, "SIGTERM"},
                 {SIGINT, "SIGINT"},
                 {SIGUSR1, "SIGUSR1"},
                 {SIGXCPU, "SIGXCPU"},
                 {SIGHUP, "SIGHUP"}};
    for (int i = 0; i < 5; i++) {
        struct child child = child_run(be_signalled, &known[i].number);
        assert_int_equal(child.code, 0);
        assert_string_equal(child.out, known[i].name);
    }
}

static int request_twice(const void *argument)
{
    (void)argument;
    stop_install();
    stop_request("time limit");
    raise(SIGTERM);
    stop_request("another");
    dprintf(STDOUT_FILENO, "%s", stop_reason());
    return stop_requested() ? 0 : 1;
}

static void the_first_reason_stays(void **state)
{
    (void)state;
    struct child child = child_run(request_twice, NULL);
    assert_int_equal(child.code, 0);
    assert_string_equal(child.out, "time limit");
}

static int raise_all(const void *numbers)
{
    stop_install();
    for (const int *number = numbers; *number; number++)
        raise(*number);
    dprintf(STDOUT_FILENO, "alive");
    return 75;
}

static void the_second_interrupt_ends_at_once(void **state)
{
    (void)state;
    struct child child = child_run(raise_all, (int[]){SIGINT, SIGINT, 0});
    assert_int_equal(child.signal, SIGINT);
    assert_string_equal(child.out, "");
}

static void other_signals_may_come_again_and_again(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGTERM, SIGUSR1, SIGUSR1, SIGXCPU,
                                  SIGXCPU, SIGINT,  SIGTERM, 0};
    struct child child = child_run(raise_all, numbers);
    assert_int_equal(child.code, 75);
    assert_string_equal(child.out, "alive");
}

static int hang_up_ignored(const void *argument)
{
    (void)argument;
    signal(SIGHUP, SIG_IGN);
    stop_install();
    raise(SIGHUP);
    return stop_requested() ? 1 : 0;
}

static void a_program_under_nohup_outlives_its_terminal(void **state)
{
    (void)state;
    struct child child = child_run(hang_up_ignored, NULL);
    assert_int_equal(child.signal, 0);
    assert_int_equal(child.code, 0);
}

static int write_beyond_the_limit(const void *argument)
{
    (void)argument;
    stop_install();
    FILE *file = tmpfile();
    struct rlimit limit = {1, 1};
    if (!file || setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
        write(fileno(file), "x", 1) != 1)
        return 1;
    return write(fileno(file), "x", 1) == -1 && errno == EFBIG ? 0 : 2;
}

static void a_file_that_grows_too_large_is_an_error_of_write(void **state)
{
    (void)state;
    struct child child = child_run(write_beyond_the_limit, NULL);
    assert_int_equal(child.signal, 0);
    assert_int_equal(child.code, 0);
}

/* 'R', 'S' (sleeps), 'Z', ... of /proc/PID/stat. */
static char state_of(pid_t pid)
{
    char path[64], name[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%63[^)]) %c", name, &state), 2);
    fclose(file);
    return state;
}

static void wait_until_asleep(pid_t pid)
{
    while (state_of(pid) == 'R')
        usleep(1000);
}

/* Its exit code is what it read, or 1. */
static _Noreturn void read_a_byte(int from, int ready)
{
    unsigned char byte = 0;
    stop_install();
    if (write(ready, "r", 1) != 1)
        _exit(1);
    ssize_t n = read(from, &byte, 1);
    _exit(n == 1 && stop_requested() ? byte : 1);
}

/* The child sleeps in read() when the signal comes; without SA_RESTART it sees EINTR.
 */
static void a_signal_does_not_break_a_read(void **state)
{
    (void)state;
    int data[2], ready[2], status;
    char byte;
    assert_int_equal(pipe(data), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        read_a_byte(data[0], ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    wait_until_asleep(pid);
    assert_int_equal(kill(pid, SIGTERM), 0);
    /* The signal has to be met before there is something to read. */
    usleep(1000);
    wait_until_asleep(pid);
    ssize_t written = write(data[1], "*", 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(data[0]), close(data[1]), close(ready[0]), close(ready[1]);
    assert_int_equal(written, 1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), '*');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_sets_the_flag_and_is_named),
        cmocka_unit_test(the_first_reason_stays),
        cmocka_unit_test(the_second_interrupt_ends_at_once),
        cmocka_unit_test(other_signals_may_come_again_and_again),
        cmocka_unit_test(a_program_under_nohup_outlives_its_terminal),
        cmocka_unit_test(a_file_that_grows_too_large_is_an_error_of_write),
        cmocka_unit_test(a_signal_does_not_break_a_read),
    };
    /* Under nohup a hang-up is ignored, and says nothing. */
    signal(SIGHUP, SIG_DFL);
    /* A write to a child that has died must fail, not end the test. */
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
