/* Tables of known accuracies: both forms, and what is wrong with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/die.h"
#include "io/artifact.h"
#include "nas/truth.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

/* Four layers that choose among three. */
static struct space space_of_subject(void)
{
    static struct space_config config;
    struct space space;
    config = tiny_config("k3e3 id k5e6s");
    space_init(&space, &config);
    return space;
}

static const char *write_table(const char *text)
{
    const char *file = scratch_path("known.csv");
    scratch_write(file, text, strlen(text));
    return file;
}

static void assert_path(const struct truth *truth, int i, const char *expected)
{
    struct space space = space_of_subject();
    char text[PATH_TEXT_SIZE];
    path_to_text(&truth->path[i], &space, text);
    assert_string_equal(text, expected);
}

static void rows_are_sorted_by_path_and_runs_are_averaged(void **state)
{
    (void)state;
    struct space space = space_of_subject();
    struct truth *truth = truth_read(write_table("path, accuracy, accuracy\n"
                                                 "# measured twice\n"
                                                 "\n"
                                                 "k5e6s id id k3e3, 93, 94.5\r\n"
                                                 "  0102 ,91.0,9.1e1\n"
                                                 "k3e3 k3e3 k3e3 k3e3,-1,2"),
                                     &space);
    assert_int_equal(truth->n, 3);
    assert_int_equal(truth->n_runs, 2);
    assert_path(truth, 0, "k3e3 k3e3 k3e3 k3e3");
    assert_path(truth, 1, "k3e3 id k3e3 k5e6s");
    assert_path(truth, 2, "k5e6s id id k3e3");
    assert_near(truth->accuracy[0], 0.5, 0);
    assert_near(truth->accuracy[1], 91, 0);
    assert_near(truth->accuracy[2], 93.75, 0);
    assert_true(truth->run[4] == 93 && truth->run[5] == 94.5);
    truth_free(truth);
}

/* In doubles 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1. */
static void paths_with_the_same_runs_in_another_order_tie(void **state)
{
    (void)state;
    struct space space = space_of_subject();
    struct truth *truth = truth_read(write_table("0000,0.1,0.2,0.3\n"
                                                 "0001,0.3,0.2,0.1\n"
                                                 "0002,0.2,0.3,0.1\n"),
                                     &space);
    assert_true(truth->accuracy[0] == truth->accuracy[1]);
    assert_true(truth->accuracy[0] == truth->accuracy[2]);
    assert_near(truth->accuracy[0], 0.2, 1e-15);
    truth_free(truth);
}

static void the_digest_is_that_of_the_files_bytes(void **state)
{
    (void)state;
    struct space space = space_of_subject();
    struct truth *truth = truth_read(write_table("0102,1\n"), &space);
    /* printf '0102,1\n' | sha256sum */
    assert_string_equal(
        truth->digest,
        "sha256:"
        "5411ee6fcd029889ef531f8c3367d9095413c8cac8dc3aac61e7527d6ba897d4");
    truth_free(truth);
}

static void write_hdf5(const char *file, const void *op, enum array_type type,
                       const double *accuracy, size_t runs)
{
    struct artifact_origin origin = {.stage = "elsewhere", .config = "", .threads = 1};
    struct artifact *artifact = artifact_create(file, &origin);
    artifact_write(artifact, "paths", type, 2, (size_t[]){2, 4}, op, "1", "paths");
    if (runs)
        artifact_write(artifact, "accuracy", ARRAY_F64, 2, (size_t[]){2, runs},
                       accuracy, "1", "accuracy");
    else
        artifact_write_vector(artifact, "accuracy", ARRAY_F64, 2, accuracy, "1",
                              "accuracy");
    artifact_commit(artifact);
}

static void hdf5_says_the_same_as_csv(void **state)
{
    (void)state;
    struct space space = space_of_subject();
    const int64_t op[] = {2, 1, 1, 0, 0, 1, 0, 2};
    const unsigned char byte[] = {2, 1, 1, 0, 0, 1, 0, 2};
    const double accuracy[] = {93, 94.5, 91, 91};
    const char *file = scratch_path("known.h5");
    for (int i = 0; i < 2; i++) {
        write_hdf5(file, i ? (const void *)op : byte, i ? ARRAY_I64 : ARRAY_U8,
                   accuracy, i ? 2 : 0);
        struct truth *truth = truth_read(file, &space);
        assert_int_equal(truth->n, 2);
        assert_int_equal(truth->n_runs, i ? 2 : 1);
        assert_path(truth, 0, "k3e3 id k3e3 k5e6s");
        assert_path(truth, 1, "k5e6s id id k3e3");
        assert_near(truth->accuracy[0], i ? 91 : 94.5, 0);
        assert_near(truth->accuracy[1], i ? 93.75 : 93, 0);
        truth_free(truth);
    }
}

static int read_table(const void *file)
{
    struct space space = space_of_subject();
    truth_read(file, &space);
    return 0;
}

static void assert_refused(const char *file, const char *message)
{
    struct child child = child_run(read_table, file);
    if (child.code != EXIT_FAILED || !strstr(child.err, message))
        fail_msg("expected '%s', found exit code %d: %s", message, child.code,
                 child.err);
}

static void what_is_wrong_with_a_table_is_said_line_by_line(void **state)
{
    (void)state;
    const struct {
        const char *text, *message;
    } bad[] = {
        {"0102,1\n0103,2\n", "known.csv:2:1: '0103' is no path of this space: "},
        {"0102,1\nk3e3 id k3e3,2\n",
         "known.csv:2:1: 'k3e3 id k3e3' is no path of this space: 3 ops, but this "
         "space has 4 layers"},
        {"0102,high\n", "known.csv:1:1: 'high' is no accuracy, expected a number"},
        {"0102,nan\n", "known.csv:1:1: 'nan' is no accuracy, expected a number"},
        {"0102,\n", "known.csv:1:1: '' is no accuracy, expected a number"},
        {"0102\n", "known.csv:1:1: 1 fields, expected a path and 1 to 16 accuracies"},
        {"0102,1,2\n0101,1\n",
         "known.csv:2:1: 2 fields, expected 3 as before: a path and its accuracies"},
        {"0102,1\n0101,1\n# again\nk3e3 id k3e3 k5e6s,1\n",
         "known.csv:4:1: its path is in row 1 already"},
        {"path,accuracy\n",
         "known.csv' has no paths, expected a table of their accuracies"},
        {"0102,x\n0103,1\n", "known.csv:2:1: '0103'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(write_table(bad[i].text), bad[i].message);
    assert_refused(scratch_path("nowhere.csv"), "cannot read '");
}

static void a_foreign_hdf5_file_is_refused_with_what_was_found(void **state)
{
    (void)state;
    const unsigned char op[] = {2, 1, 1, 0, 0, 1, 0, 3};
    const double accuracy[] = {93, 91};
    const char *file = scratch_path("bad.h5");
    write_hdf5(file, op, ARRAY_U8, accuracy, 0);
    assert_refused(file, "bad.h5:2:1: this row of 'paths' and 'accuracy' has a choice "
                         "that is not 0 to 2, or no finite accuracy");
    struct artifact_origin origin = {.stage = "elsewhere", .config = "", .threads = 1};
    struct artifact *artifact = artifact_create(file, &origin);
    artifact_write_vector(artifact, "paths", ARRAY_U8, 8, op, "1", "paths");
    artifact_commit(artifact);
    assert_refused(file, "bad.h5: array 'accuracy': ");
    artifact = artifact_create(file, &origin);
    artifact_write_vector(artifact, "paths", ARRAY_U8, 8, op, "1", "paths");
    artifact_write_vector(artifact, "accuracy", ARRAY_F64, 2, accuracy, "1", "a");
    artifact_commit(artifact);
    assert_refused(file, "'paths' has rank 1 and 0 layers, expected rank 2 and 4");
}

/* Of the 81 paths, 20: in order, each once, with its own accuracy; the draw is the
 * stream's. */
static void a_draw_keeps_whole_rows_in_order(void **state)
{
    (void)state;
    struct space space = space_of_subject();
    char text[81 * 16 + 1], *end = text;
    for (int i = 0; i < 81; i++)
        end += sprintf(end, "%d%d%d%d,%d\n", i / 27, i / 9 % 3, i / 3 % 3, i % 3, i);
    const char *file = write_table(text);
    struct truth *drawn_rows[3];
    for (int d = 0; d < 3; d++) {
        struct rng rng = rng_stream(d == 1 ? 2 : 1, RNG_TEST, 0, 0);
        drawn_rows[d] = truth_read(file, &space);
        truth_draw(drawn_rows[d], &rng, 20);
        assert_int_equal(drawn_rows[d]->n, 20);
        for (int i = 0; i < 20; i++) {
            const uint8_t *op = drawn_rows[d]->path[i].op;
            int number = 27 * op[0] + 9 * op[1] + 3 * op[2] + op[3];
            assert_true(drawn_rows[d]->accuracy[i] == number);
            assert_true(drawn_rows[d]->run[i] == number);
            assert_true(i == 0 || number > drawn_rows[d]->accuracy[i - 1]);
        }
    }
    assert_memory_equal(drawn_rows[0]->accuracy, drawn_rows[2]->accuracy,
                        20 * sizeof(double));
    assert_memory_not_equal(drawn_rows[0]->accuracy, drawn_rows[1]->accuracy,
                            20 * sizeof(double));
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    truth_draw(drawn_rows[0], &rng, 21);
    assert_int_equal(drawn_rows[0]->n, 20);
    for (int d = 0; d < 3; d++)
        truth_free(drawn_rows[d]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_by_path_and_runs_are_averaged),
        cmocka_unit_test(paths_with_the_same_runs_in_another_order_tie),
        cmocka_unit_test(the_digest_is_that_of_the_files_bytes),
        cmocka_unit_test(hdf5_says_the_same_as_csv),
        cmocka_unit_test(what_is_wrong_with_a_table_is_said_line_by_line),
        cmocka_unit_test(a_foreign_hdf5_file_is_refused_with_what_was_found),
        cmocka_unit_test(a_draw_keeps_whole_rows_in_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
