#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "io/series.h"
#include "unit/child.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "warmup", .config = "", .seed = 1, .threads = 1};

static const struct series_column columns[] = {
    {"loss", "nats", "training loss", false},
    {"seconds", "s", "wall time", true},
    {0},
};

static struct series *rows_of(long n)
{
    struct series *s = series_create("steps", columns);
    for (long i = 0; i < n; i++)
        series_append(s, (double[]){1.0 / (double)(i + 3), -(double)i});
    return s;
}

static void save(const struct series *s, const char *file)
{
    struct artifact *artifact = artifact_create(scratch_path(file), &origin);
    series_save(s, artifact);
    artifact_commit(artifact);
}

static void rows_are_kept_in_order_however_many(void **state)
{
    (void)state;
    struct series *s = rows_of(5000);
    assert_int_equal(series_length(s), 5000);
    for (long i = 0; i < 5000; i++) {
        assert_true(series_at(s, 0, i) == 1.0 / (double)(i + 3));
        assert_true(series_at(s, 1, i) == -(double)i);
    }
    series_free(s);
}

static void measured_columns_lie_where_the_digest_does_not_look(void **state)
{
    (void)state;
    struct series *s = rows_of(3);
    save(s, "three.h5");
    struct artifact *artifact = artifact_open(scratch_path("three.h5"), NULL);
    size_t shape[ARTIFACT_RANK_MAX];
    assert_int_equal(artifact_shape(artifact, "steps/loss", shape), 1);
    assert_int_equal(shape[0], 3);
    assert_int_equal(artifact_shape(artifact, "measured/steps/seconds", shape), 1);
    assert_false(artifact_has(artifact, "steps/seconds"));
    artifact_close(artifact);
    series_free(s);
}

static void loading_replaces_the_rows_and_appending_goes_on(void **state)
{
    (void)state;
    static const long lengths[] = {0, 1, 2, 100};
    for (int i = 0; i < 4; i++) {
        struct series *s = rows_of(lengths[i]), *again = rows_of(7);
        save(s, "some.h5");
        struct artifact *artifact = artifact_open(scratch_path("some.h5"), NULL);
        series_load(again, artifact);
        artifact_close(artifact);
        assert_int_equal(series_length(again), lengths[i]);
        for (long row = 0; row < lengths[i]; row++)
            for (int c = 0; c < 2; c++)
                assert_true(series_at(again, c, row) == series_at(s, c, row));
        series_append(again, (double[]){42, 43});
        assert_int_equal(series_length(again), lengths[i] + 1);
        assert_true(series_at(again, 0, lengths[i]) == 42);
        assert_true(series_at(again, 1, lengths[i]) == 43);
        series_free(s), series_free(again);
    }
    series_free(NULL);
}

/* Columns of unequal length, or one of them missing. */
static int load_bad(const void *argument)
{
    const bool *unequal = argument;
    const char *file = scratch_path("bad.h5");
    double values[3] = {1, 2, 3};
    struct artifact *artifact = artifact_create(file, &origin);
    artifact_write_vector(artifact, "steps/loss", ARRAY_F64, 3, values, "nats", "loss");
    if (*unequal)
        artifact_write_vector(artifact, "measured/steps/seconds", ARRAY_F64, 2, values,
                              "s", "time");
    artifact_commit(artifact);
    struct series *s = series_create("steps", columns);
    series_load(s, artifact_open(file, NULL));
    return 0;
}

static void columns_that_are_missing_or_of_unequal_length_are_named(void **state)
{
    (void)state;
    struct child child = child_run(load_bad, &(bool){true});
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(
        strstr(child.err, "'measured/steps/seconds' has 2 rows, expected 3"));
    child = child_run(load_bad, &(bool){false});
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(strstr(child.err, "no vector 'measured/steps/seconds'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_kept_in_order_however_many),
        cmocka_unit_test(measured_columns_lie_where_the_digest_does_not_look),
        cmocka_unit_test(loading_replaces_the_rows_and_appending_goes_on),
        cmocka_unit_test(columns_that_are_missing_or_of_unequal_length_are_named),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
