/* Runs made by hand whose inputs are changed, moved or removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/digest.h"
#include "paper/provenance.h"
#include "unit/scratch.h"

/* An artifact whose one number makes its digest. */
static void write_artifact(const char *name, const char *const *in, int n_in,
                           int64_t number)
{
    const struct artifact_origin origin = {.stage = "made by hand",
                                           .config = "",
                                           .seed = 5,
                                           .threads = 1,
                                           .in = in,
                                           .n_in = n_in};
    struct artifact *file = artifact_create(scratch_path(name), &origin);
    artifact_write_i64(file, "number", number, "1", "test");
    artifact_commit(file);
}

/* As if typed: paths of the run "old", which is then moved to "run". */
static int setup(void **state)
{
    if (scratch_setup(state) || mkdir(scratch_path("old"), 0777) ||
        mkdir(scratch_path("old/ablation"), 0777) ||
        mkdir(scratch_path("old/ablation/net2"), 0777))
        return -1;
    const char *data = scratch_path("images.h5");
    const char *greedy = scratch_path("old/greedy.h5");
    const char *net2 = scratch_path("old/ablation/net2/greedy.h5");
    write_artifact("images.h5", NULL, 0, 1);
    write_artifact("old/greedy.h5", &data, 1, 2);
    write_artifact("old/ablation/net2/greedy.h5", &data, 1, 3);
    write_artifact("old/search.h5", (const char *[]){data, greedy}, 2, 4);
    write_artifact("old/ablation/net2/search.h5", (const char *[]){data, net2}, 2, 5);
    return rename(scratch_path("old"), scratch_path("run"));
}

static void assert_mismatch(const char *name, const char *expected)
{
    struct run *run = run_open(scratch_path("run"));
    char *found = provenance_mismatch(run, name);
    if (expected)
        assert_string_equal(found ? found : "nothing", expected);
    else if (found)
        fail_msg("%s", found);
    free(found);
    run_close(run);
}

static void assert_unchecked(const char *expected)
{
    struct run *run = run_open(scratch_path("run"));
    char *found = provenance_unchecked(run);
    assert_string_equal(found ? found : "", expected);
    free(found);
    run_close(run);
}

static void in_a_run_that_was_moved_what_changed_is_told(void **state)
{
    (void)state;
    const char *data = scratch_path("images.h5");
    assert_mismatch("search", NULL);
    assert_mismatch("ablation/net2/search", NULL);
    write_artifact("run/greedy.h5", &data, 1, 6);
    assert_mismatch("search", "search.h5 was made from another greedy.h5 than the one "
                              "that is there now.");
    assert_mismatch("ablation/net2/search", NULL);
    write_artifact("run/greedy.h5", &data, 1, 2);
    write_artifact("run/ablation/net2/greedy.h5", &data, 1, 7);
    assert_mismatch("search", NULL);
    assert_mismatch("ablation/net2/search",
                    "ablation/net2/search.h5 was made from another "
                    "ablation/net2/greedy.h5 than the one that is there now.");
    write_artifact("run/ablation/net2/greedy.h5", &data, 1, 3);
    assert_unchecked("");
}

static void
images_that_changed_are_told_and_those_that_went_are_listed_once(void **state)
{
    (void)state;
    char expected[3 * SCRATCH_PATH_SIZE];
    write_artifact("images.h5", NULL, 0, 8);
    snprintf(expected, sizeof(expected),
             "search.h5 was made from another %s than the one that is there now.",
             scratch_path("images.h5"));
    assert_mismatch("search", expected);
    remove(scratch_path("images.h5"));
    assert_mismatch("search", NULL);
    assert_unchecked(scratch_path("images.h5"));
    remove(scratch_path("run/ablation/net2/greedy.h5"));
    assert_mismatch("ablation/net2/search", NULL); /* greedy.h5 is another's */
    snprintf(expected, sizeof(expected), "%s, %s", scratch_path("images.h5"),
             scratch_path("old/ablation/net2/greedy.h5"));
    assert_unchecked(expected);
}

/* The table of known accuracies is an input without a digest of its own. */
static void a_table_that_is_no_artifact_is_compared_by_its_bytes(void **state)
{
    (void)state;
    char digest[DIGEST_SIZE], expected[2 * SCRATCH_PATH_SIZE];
    const char *table = scratch_path("known.csv");
    digest_of("0000,1\n", 7, digest);
    const struct artifact_origin origin = {.stage = "made by hand",
                                           .config = "",
                                           .threads = 1,
                                           .plain = table,
                                           .plain_digest = digest};
    struct artifact *file = artifact_create(scratch_path("run/rankcorr.h5"), &origin);
    artifact_write_text(file, "truth/file", table, "test");
    artifact_commit(file);
    scratch_write(table, "0000,1\n", 7);
    assert_mismatch("rankcorr", NULL);
    scratch_write(table, "0000,2\n", 7);
    snprintf(expected, sizeof(expected),
             "rankcorr.h5 was made from another %s than the one that is there now.",
             table);
    assert_mismatch("rankcorr", expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_run_that_was_moved_what_changed_is_told),
        cmocka_unit_test(
            images_that_changed_are_told_and_those_that_went_are_listed_once),
        cmocka_unit_test(a_table_that_is_no_artifact_is_compared_by_its_bytes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("provenance", tests, setup, scratch_teardown);
}
