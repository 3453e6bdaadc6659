#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void durations_are_written_in_their_two_largest_units(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *expected;
    } known[] = {
        {0, "0s"},
        {9, "9s"},
        {9.4, "9s"},
        {9.6, "10s"},
        {59.4, "59s"},
        {59.6, "1m 00s"},
        {61, "1m 01s"},
        {252, "4m 12s"},
        {3599, "59m 59s"},
        {3599.7, "1h 00m"},
        {7500, "2h 05m"},
        {86399, "23h 59m"},
        {360000, "100h 00m"},
        {-1, "-"},
        {(double)NAN, "-"},
        {(double)INFINITY, "-"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[32];
        clock_duration(known[i].seconds, text, sizeof text);
        assert_string_equal(text, known[i].expected);
    }
}

static void the_date_is_now_in_universal_time(void **state)
{
    (void)state;
    char text[CLOCK_DATE_SIZE];
    setenv("TZ", "America/St_Johns", 1); /* 3 1/2 hours away: must not show */
    tzset();
    time_t before = time(NULL);
    clock_date(text);
    time_t after = time(NULL);
    struct tm date = {0};
    char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &date);
    assert_non_null(end);
    assert_int_equal(*end, 0);
    assert_int_equal(strlen(text), 20);
    assert_in_range(timegm(&date), before, after);
}

static void the_clocks_do_not_go_backwards(void **state)
{
    (void)state;
    double wall = clock_seconds(), cpu = clock_cpu_seconds();
    assert_true(wall > 0 && cpu > 0);
    for (int i = 0; i < 1000; i++) {
        double wall_now = clock_seconds(), cpu_now = clock_cpu_seconds();
        assert_true(wall_now >= wall && cpu_now >= cpu);
        wall = wall_now;
        cpu = cpu_now;
    }
}

static void the_peak_counts_touched_bytes(void **state)
{
    (void)state;
    enum { BYTES = 64 << 20 };
    char *memory = malloc(BYTES);
    assert_non_null(memory);
    for (size_t i = 0; i < BYTES; i += 1024)
        ((volatile char *)memory)[i] = 1;
    free(memory);
    assert_true(clock_peak_resident_bytes() >= BYTES);
    assert_true(clock_peak_resident_bytes() < 100.0 * BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_written_in_their_two_largest_units),
        cmocka_unit_test(the_date_is_now_in_universal_time),
        cmocka_unit_test(the_clocks_do_not_go_backwards),
        cmocka_unit_test(the_peak_counts_touched_bytes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
