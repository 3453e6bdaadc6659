#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/die.h"
#include "nas/latency.h"
#include "unit/child.h"
#include "unit/scratch.h"
#include "unit/spaces.h"

static const struct artifact_origin origin = {
    .stage = "latency", .config = "", .seed = 1, .threads = 1};

/* One layer that may keep 4 x 4 x 8 or not, after a stem; small enough for sums by
 * hand.
 */
static struct space small_space(void)
{
    struct space_config config = mobile_config("k3e6 k5e3s id");
    config.input[0] = config.input[1] = 8;
    config.classes = 7;
    config.stem.channels = 8;
    config.fixed[0].channels = 8;
    config.n_stages = 2;
    config.stages[0] = (struct space_stage_config){8, 1, 1};
    config.stages[1] = (struct space_stage_config){12, 2, 2};
    config.head.channels = 16;
    return space_from(config);
}

/* The first two keys are in the public table of ProxylessNAS, whose first stage is 24
 * wide. */
static void keys_are_those_of_the_public_table(void **state)
{
    (void)state;
    char key[LATENCY_KEY_SIZE];
    struct op op;
    assert_true(op_parse("k3e3", &op));
    latency_key_of_block(&op, &(struct block_place){112, 112, 16, 56, 56, 24, 2}, key);
    assert_string_equal(key, "expanded_conv-input:112x112x16-output:56x56x24-expand:3-"
                             "kernel:3-stride:2-idskip:0");
    assert_true(op_parse("k7e6", &op));
    latency_key_of_block(&op, &(struct block_place){14, 14, 80, 14, 14, 80, 1}, key);
    assert_string_equal(key, "expanded_conv-input:14x14x80-output:14x14x80-expand:6-"
                             "kernel:7-stride:1-idskip:1");
    struct space space = space_from(mobile_config(plain_choices));
    latency_key_of_stem(&space, key);
    assert_string_equal(key, "Conv-input:224x224x3-output:112x112x32");
    latency_key_of_head(&space, key);
    assert_string_equal(key, "Conv_1-input:7x7x320-output:7x7x1280");
    latency_key_of_classifier(&space, key);
    assert_string_equal(key, "Logits-input:7x7x1280-output:1000");
}

static void what_the_public_table_lacks_has_a_key_of_its_own(void **state)
{
    (void)state;
    char key[LATENCY_KEY_SIZE];
    struct op op;
    assert_true(op_parse("k5e3s", &op));
    latency_key_of_block(&op, &(struct block_place){7, 7, 96, 7, 7, 96, 1}, key);
    assert_string_equal(key,
                        "expanded_conv-input:7x7x96-output:7x7x96-expand:3-kernel:5-"
                        "stride:1-idskip:1-se:1");
    assert_true(op_parse("id", &op));
    latency_key_of_block(&op, &(struct block_place){56, 56, 32, 28, 28, 40, 2}, key);
    assert_string_equal(key, "identity-input:56x56x32-output:28x28x40-stride:2");
    assert_true(op_parse("shuffle5", &op));
    latency_key_of_block(&op, &(struct block_place){56, 56, 32, 28, 28, 80, 2}, key);
    assert_string_equal(key, "shuffle5-input:56x56x32-output:28x28x80-stride:2");
    assert_true(op_parse("id", &op));
    latency_key_of_block(&op, &(struct block_place){28, 28, 40, 28, 28, 40, 1}, key);
    assert_string_equal(key, "");
}

/* stem, fixed, 3 + 3 + 3 ops less two identities that keep the shape, head, classifier.
 * No part occurs twice: the layers' shapes differ. */
static void a_space_lists_each_of_its_parts_once(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table;
    latency_table_init(&table);
    latency_table_list(&table, &space);
    assert_int_equal(table.n, 2 + 9 - 2 + 2);
    int n = table.n;
    latency_table_list(&table, &space);
    assert_int_equal(table.n, n);
    for (int i = 0; i < n; i++)
        assert_true(isnan(table.entry[i].ms));
    latency_table_release(&table);
}

/* Part i takes 2^i ms, so a sum tells which parts are in it. */
static void time_by_powers(struct latency_table *table, const struct space *space)
{
    latency_table_init(table);
    latency_table_list(table, space);
    for (int i = 0; i < table->n; i++)
        table->entry[i].ms = ldexp(1, i);
}

/* Order of the parts: stem 1, fixed 2, layer 0: k3e6 4, k5e3s 8; layer 1: 16, 32, id
 * 64; layer 2: 128, 256; head 512, classifier 1024. */
static void a_path_takes_the_sum_of_its_parts(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table;
    struct cost_table cost;
    time_by_powers(&table, &space);
    cost_table_init(&cost, &space);
    cost_table_set_latency(&cost, &space, &table);
    const int shared = 1 + 2 + 512 + 1024;
    struct path none = {3, {2, 2, 2}}, mixed = {3, {1, 0, 1}};
    struct cost of_none = cost_of_path(&cost, &none);
    struct cost of_mixed = cost_of_path(&cost, &mixed);
    assert_float_equal(of_none.latency_ms, shared + 64, 0);
    assert_float_equal(of_mixed.latency_ms, shared + 8 + 16 + 256, 0);
    struct cost least, most;
    cost_range(&cost, &least, &most);
    assert_float_equal(least.latency_ms, shared + 0 + 16 + 0, 0);
    assert_float_equal(most.latency_ms, shared + 8 + 64 + 256, 0);
    latency_table_release(&table);
}

static void a_limit_on_latency_is_kept_to_and_explained(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table;
    struct cost_table cost;
    time_by_powers(&table, &space);
    cost_table_init(&cost, &space);
    cost_table_set_latency(&cost, &space, &table);
    struct constraint_config limit = {0, 0, 1539 + 64};
    struct path none = {3, {2, 2, 2}}, mixed = {3, {1, 0, 1}};
    struct cost of_none = cost_of_path(&cost, &none);
    struct cost of_mixed = cost_of_path(&cost, &mixed);
    assert_true(cost_feasible(&of_none, &limit));
    assert_false(cost_feasible(&of_mixed, &limit));
    assert_null(cost_infeasible(&cost, &limit));
    limit.latency_ms = 1500;
    char *why = cost_infeasible(&cost, &limit);
    assert_string_equal(why, "no path takes at most 1500 ms: paths of this space take "
                             "1555 to 1867");
    free(why);
    latency_table_release(&table);
}

/* Fast paths have k3e6 in layer 1 (16 ms, not 64), where the identity has fewer FLOPs:
 * a limit that the cheapest meets in each figure, and no path in both. */
static void limits_on_flops_and_latency_can_exclude_each_other(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table;
    struct cost_table cost;
    struct cost least, most;
    time_by_powers(&table, &space);
    cost_table_init(&cost, &space);
    cost_table_set_latency(&cost, &space, &table);
    cost_range(&cost, &least, &most);
    struct constraint_config limit = {(double)least.flops, 0, least.latency_ms};
    char *why = cost_infeasible(&cost, &limit);
    assert_non_null(why);
    assert_non_null(strstr(why, "no path keeps to all limits at once"));
    assert_non_null(strstr(why, "1555 ms (least: 1555)"));
    free(why);
    limit.latency_ms = least.latency_ms + 48;
    assert_null(cost_infeasible(&cost, &limit));
    latency_table_release(&table);
}

static const char yaml[] = "Conv-input:8x8x3-output:4x4x8:\n"
                           "  count: 982\n"
                           "  mean: 4.25\n"
                           "  var: 0.0625\n"
                           "other: {mean: 0.5}\n";

static void the_public_form_is_read_and_written(void **state)
{
    (void)state;
    struct latency_table table, again;
    const char *path = scratch_path("table.yaml"), *copy = scratch_path("copy.yaml");
    scratch_write(path, yaml, strlen(yaml));
    latency_table_init(&table);
    latency_table_read_yaml(&table, path, NULL);
    assert_int_equal(table.n, 2);
    const struct latency_entry *stem =
        latency_table_find(&table, "Conv-input:8x8x3-output:4x4x8");
    assert_non_null(stem);
    assert_float_equal(stem->ms, 4.25, 0);
    assert_float_equal(stem->deviation_ms, 0.25, 0);
    assert_int_equal(stem->count, 982);
    FILE *out = fopen(copy, "w");
    latency_table_write_yaml(&table, out);
    fclose(out);
    latency_table_init(&again);
    latency_table_read_yaml(&again, copy, NULL);
    assert_int_equal(again.n, 2);
    assert_float_equal(latency_table_find(&again, "other")->ms, 0.5, 0);
    latency_table_release(&table);
    latency_table_release(&again);
}

static int read_yaml(const void *path)
{
    struct latency_table table;
    latency_table_init(&table);
    latency_table_read_yaml(&table, path, NULL);
    return 0;
}

static void what_is_no_table_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"a: {mean: fast}\n", ":1:11: mean: 'fast' is no time, expected a number"},
        {"a: {mean: -1}\n", ":1:11: mean: '-1' is no time"},
        {"a: {mean: nan}\n", ":1:11: mean: 'nan' is no time"},
        {"a: {count: 3}\n", ":1:1: 'a' has no mean"},
        {"a: 3\n", ":1:1: 'a' is no entry, expected KEY: {mean: ...}"},
        {"a: {mean: 1}\na: {mean: 2}\n", ":2:1: 'a' is there twice"},
        {"- 1\n", "is no latency table, expected KEY: {count, mean, var}"},
        {"", "is no latency table"},
        {"a: [\n", ".yaml:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = scratch_path("bad.yaml");
        scratch_write(path, bad[i].text, strlen(bad[i].text));
        struct child child = child_run(read_yaml, path);
        assert_int_equal(child.code, EXIT_FAILED);
        if (!strstr(child.err, bad[i].message))
            fail_msg("'%s' gave: %s", bad[i].text, child.err);
    }
    struct child child = child_run(read_yaml, scratch_path("nowhere.yaml"));
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(strstr(child.err, "cannot read"));
}

static void missing_parts_are_named(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table, part;
    latency_table_init(&table);
    char *missing = latency_missing(&table, &space);
    assert_non_null(
        strstr(missing, "11 parts of this space have no entry:\nConv-input:"));
    free(missing);
    time_by_powers(&table, &space);
    assert_null(latency_missing(&table, &space));
    latency_table_init(&part);
    for (int i = 0; i < table.n; i++)
        if (!strstr(table.entry[i].key, "identity"))
            latency_table_at(&part, table.entry[i].key)->ms = 1;
    missing = latency_missing(&part, &space);
    assert_string_equal(missing, "1 part of this space has no entry:\n"
                                 "identity-input:4x4x8-output:2x2x12-stride:2");
    free(missing);
    latency_table_release(&table);
    latency_table_release(&part);
}

static void a_table_comes_back_from_its_artifact(void **state)
{
    (void)state;
    struct space space = small_space();
    struct latency_table table, again;
    time_by_powers(&table, &space);
    table.entry[3].deviation_ms = 0.5;
    table.entry[3].count = 17;
    struct artifact *file = artifact_create(scratch_path("latency.h5"), &origin);
    latency_table_save(&table, file);
    artifact_commit(file);
    latency_table_init(&again);
    file = artifact_open(scratch_path("latency.h5"), "latency");
    latency_table_load(&again, file);
    artifact_close(file);
    assert_int_equal(again.n, table.n);
    for (int i = 0; i < table.n; i++) {
        assert_string_equal(again.entry[i].key, table.entry[i].key);
        assert_float_equal(again.entry[i].ms, table.entry[i].ms, 0);
    }
    assert_float_equal(again.entry[3].deviation_ms, 0.5, 0);
    assert_int_equal(again.entry[3].count, 17);
    latency_table_release(&table);
    latency_table_release(&again);
}

/* Keys that differ in their last digits, added in two orders. */
static void each_of_many_keys_is_found(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    struct latency_table table;
    char key[LATENCY_KEY_SIZE];
    latency_table_init(&table);
    assert_null(latency_table_find(&table, "part 0"));
    for (int twice = 0; twice < 2; twice++)
        for (int i = 0; i < KEYS; i++) {
            int number = twice ? KEYS - 1 - i : i;
            snprintf(key, sizeof key, "part %d", number);
            struct latency_entry *entry = latency_table_at(&table, key);
            assert_string_equal(entry->key, key);
            assert_int_equal(entry - table.entry, number);
        }
    assert_int_equal(table.n, KEYS);
    assert_null(latency_table_find(&table, "part 3000"));
    assert_null(latency_table_find(&table, ""));
    latency_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_keys_is_found),
        cmocka_unit_test(keys_are_those_of_the_public_table),
        cmocka_unit_test(what_the_public_table_lacks_has_a_key_of_its_own),
        cmocka_unit_test(a_space_lists_each_of_its_parts_once),
        cmocka_unit_test(a_path_takes_the_sum_of_its_parts),
        cmocka_unit_test(a_limit_on_latency_is_kept_to_and_explained),
        cmocka_unit_test(limits_on_flops_and_latency_can_exclude_each_other),
        cmocka_unit_test(the_public_form_is_read_and_written),
        cmocka_unit_test(what_is_no_table_is_refused_with_its_place),
        cmocka_unit_test(missing_parts_are_named),
        cmocka_unit_test(a_table_comes_back_from_its_artifact),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("latency", tests, scratch_setup,
                                       scratch_teardown);
}
