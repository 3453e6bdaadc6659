/* What a dead process left is removed, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/temporary.h"
#include "unit/scratch.h"

/* Larger than any process number. */
#define DEAD "999999999"

/* A file that is called as if `path` were being written, by whom `writer` says. */
static const char *left_behind(const char *path, const char *writer)
{
    char name[2 * SCRATCH_PATH_SIZE];
    snprintf(name, sizeof(name), "%s.tmp.%s", path, writer);
    const char *left = scratch_path(name);
    scratch_write(left, "", 0);
    return left;
}

/* "HOST.NUMBER" */
static const char *on_this_host(const char *prefix, const char *number)
{
    static char writer[512];
    snprintf(writer, sizeof(writer), "%s%s.%s", prefix, temporary_host(), number);
    return writer;
}

static void a_name_says_who_writes(void **state)
{
    (void)state;
    char expected[512];
    unsetenv("SLURM_JOB_ID");
    char *path = temporary_path("r/a.h5");
    snprintf(expected, sizeof(expected), "r/a.h5.tmp.%s.%ld", temporary_host(),
             (long)getpid());
    assert_string_equal(path, expected);
    free(path);
    setenv("SLURM_JOB_ID", "77", 1);
    path = temporary_path("r/a.h5");
    snprintf(expected, sizeof(expected), "r/a.h5.tmp.job77.%s.%ld", temporary_host(),
             (long)getpid());
    assert_string_equal(path, expected);
    free(path);
    unsetenv("SLURM_JOB_ID");
}

static void what_the_dead_left_is_removed(void **state)
{
    (void)state;
    const char *plain = left_behind("a.h5", on_this_host("", DEAD));
    const char *job = left_behind("a.h5", on_this_host("job77.", DEAD));
    temporary_remove_stale(scratch_path("a.h5"));
    assert_false(scratch_exists(plain));
    assert_false(scratch_exists(job));
}

static void what_the_living_and_others_write_stays(void **state)
{
    (void)state;
    char parent[32];
    snprintf(parent, sizeof(parent), "%ld", (long)getppid());
    const char *const stay[] = {
        left_behind("b.h5", on_this_host("", parent)),
        left_behind("b.h5", on_this_host("not-", DEAD)),
        left_behind("b.h5", on_this_host("", "12x")),
        left_behind("b.h5", on_this_host("", "")),
        left_behind("b.h5", on_this_host("", "-5")),
        left_behind("b.h5", DEAD),
        left_behind("other.h5", on_this_host("", DEAD)),
    };
    temporary_remove_stale(scratch_path("b.h5"));
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
        assert_true(scratch_exists(stay[i]));
}

/* As from another container: its number is not known here, but its lock is. */
static void a_locked_file_stays_whoever_writes_it(void **state)
{
    (void)state;
    const char *left = left_behind("c.h5", on_this_host("", DEAD));
    int descriptor = temporary_lock(left);
    assert_true(descriptor >= 0);
    temporary_remove_stale(scratch_path("c.h5"));
    assert_true(scratch_exists(left));
    close(descriptor);
    temporary_remove_stale(scratch_path("c.h5"));
    assert_false(scratch_exists(left));
}

static void a_folder_is_flushed_if_there_is_one(void **state)
{
    (void)state;
    assert_true(temporary_sync_folder(scratch_path("a.h5")));
    assert_true(temporary_sync_folder("name-alone"));
    assert_false(temporary_sync_folder(scratch_path("lost/a.h5")));
    temporary_remove_stale(scratch_path("lost/a.h5")); /* nothing to do is no trouble */
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_says_who_writes),
        cmocka_unit_test(what_the_dead_left_is_removed),
        cmocka_unit_test(what_the_living_and_others_write_stays),
        cmocka_unit_test(a_locked_file_stays_whoever_writes_it),
        cmocka_unit_test(a_folder_is_flushed_if_there_is_one),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
