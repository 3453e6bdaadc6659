#include "base/die.h"
#include "net/paths_file.h"
#include "net/pool_file.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "greedy", .config = "", .seed = 1, .threads = 1};

static struct space tiny_space(const char *choices)
{
    return space_from(tiny_config(choices));
}

static void paths_come_back_as_they_were(void **state)
{
    (void)state;
    struct space space = tiny_space("k3e3 k5e6 id");
    struct path path[3] = {{4, {0, 1, 2, 0}}, {4, {2, 2, 2, 2}}, {4, {0, 0, 0, 0}}},
                *again;
    struct artifact *file = artifact_create(scratch_path("paths.h5"), &origin);
    space_save(file, &space);
    paths_save(file, "some/paths", path, 3, "paths");
    artifact_commit(file);
    file = artifact_open(scratch_path("paths.h5"), NULL);
    space_check(file, &space);
    assert_int_equal(paths_load(file, "some/paths", &again), 3);
    artifact_close(file);
    for (int i = 0; i < 3; i++)
        assert_true(path_equal(&path[i], &again[i]));
    free(again);
}

static void no_paths_are_a_list_too(void **state)
{
    (void)state;
    struct path *again;
    struct artifact *file = artifact_create(scratch_path("none.h5"), &origin);
    paths_save(file, "paths", NULL, 0, "paths");
    artifact_commit(file);
    file = artifact_open(scratch_path("none.h5"), NULL);
    assert_int_equal(paths_load(file, "paths", &again), 0);
    artifact_close(file);
    free(again);
}

/* A file's space and what is asked of it. */
struct bad_space {
    struct space_config (*saved)(void);
    const char *message;
};

static struct space_config usual(void)
{
    return tiny_config("k3e3 k5e6 id");
}

static struct space_config one_choice_less(void)
{
    return tiny_config("k3e3 id");
}

static struct space_config another_choice(void)
{
    return tiny_config("k3e3 k7e6 id");
}

static struct space_config another_order(void)
{
    return tiny_config("k5e6 k3e3 id");
}

static struct space_config one_layer_more(void)
{
    struct space_config c = usual();
    c.stages[1].repeat = 3;
    return c;
}

static struct space_config other_channels(void)
{
    struct space_config c = usual();
    c.stages[1].channels = 20;
    return c;
}

static struct space_config other_stride(void)
{
    struct space_config c = usual();
    c.stages[1].stride = 2;
    return c;
}

static const struct bad_space bad_spaces[] = {
    {one_choice_less, "its space has 2 choices a layer, expected 3"},
    {another_choice, "choice 1 of its space is 'k7e6', expected 'k5e6'"},
    {another_order, "choice 0 of its space is 'k5e6', expected 'k3e3'"},
    {one_layer_more, "its space has 5 layers, expected 4"},
    {other_channels, "layer 2 of its space has 20 channels and stride 1, expected 18 "
                     "and 1"},
    {other_stride, "layer 2 of its space has 18 channels and stride 2, expected 18 and "
                   "1"},
};

static int check_bad_space(const void *argument)
{
    const struct bad_space *bad = argument;
    struct space saved = space_from(bad->saved()), space = space_from(usual());
    const char *name = scratch_path("space.h5");
    struct artifact *file = artifact_create(name, &origin);
    space_save(file, &saved);
    artifact_commit(file);
    space_check(artifact_open(name, NULL), &space);
    return 0;
}

static void assert_dies(int (*body)(const void *), const void *argument,
                        const char *message)
{
    struct child child = child_run(body, argument);
    if (child.code != EXIT_FAILED || !strstr(child.err, message))
        fail_msg("exit code %d, expected 1; '%s', expected '%s' in it", child.code,
                 child.err, message);
}

static void another_space_is_refused_with_what_differs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_spaces) / sizeof(*bad_spaces); i++)
        assert_dies(check_bad_space, &bad_spaces[i], bad_spaces[i].message);
}

/* Two paths under the usual space (3 choices, 4 layers). */
struct bad_paths {
    bool with_space;
    struct path path[2];
    const char *message;
};

static const struct bad_paths bad_paths[] = {
    {true,
     {{4, {0, 1, 2, 0}}, {4, {0, 1, 3, 0}}},
     "path 1 of 'pool/paths' has choice 3 in layer 2, expected 0 to 2"},
    {true,
     {{3, {0, 1, 2}}, {3, {0, 1, 2}}},
     "'pool/paths' has paths of 3 layers, expected 4"},
    {false, {{4, {0}}, {4, {0}}}, "no vector 'space/ops', expected one"},
};

static int load_bad_paths(const void *argument)
{
    const struct bad_paths *bad = argument;
    struct space space = space_from(usual());
    const char *name = scratch_path("bad.h5");
    struct path *path;
    struct artifact *file = artifact_create(name, &origin);
    if (bad->with_space)
        space_save(file, &space);
    paths_save(file, "pool/paths", bad->path, 2, "paths");
    artifact_commit(file);
    paths_load(artifact_open(name, NULL), "pool/paths", &path);
    return 0;
}

static void paths_of_another_space_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_paths) / sizeof(*bad_paths); i++)
        assert_dies(load_bad_paths, &bad_paths[i], bad_paths[i].message);
}

/* pool_file.h */

static struct pool *pool_of(const struct space *space, int n, int capacity)
{
    struct pool *pool = pool_create(capacity);
    for (int i = 0; i < n; i++) {
        struct path path = {.n = (uint8_t)space->n_layers,
                            .op = {(uint8_t)(i % 3), (uint8_t)(i / 3 % 3)}};
        pool_offer(pool, &path, (i * 5 % 9) / 10.0);
    }
    return pool;
}

static struct artifact *saved_pool(const struct pool *pool, const struct space *space)
{
    const char *name = scratch_path("pool.h5");
    struct artifact *file = artifact_create(name, &origin);
    space_save(file, space);
    pool_save(pool, file);
    pool_save_history(pool, file);
    artifact_commit(file);
    return artifact_open(name, NULL);
}

static void a_pool_and_its_history_come_back_as_they_were(void **state)
{
    (void)state;
    struct space space = space_from(usual());
    for (int n = 0; n <= 9; n += 3) {
        struct pool *pool = pool_of(&space, n, 6), *again = pool_create(6);
        pool_remember(pool, 10, 5);
        struct path late = {4, {2, 2, 2, 2}};
        pool_offer(pool, &late, 0.05);
        pool_remember(pool, 20, 5);
        struct artifact *file = saved_pool(pool, &space);
        pool_load(again, file);
        pool_load_history(again, file);
        artifact_close(file);
        assert_int_equal(pool_size(again), pool_size(pool));
        for (int i = 0; i < pool_size(pool); i++) {
            double loss, loss_again;
            const struct path *path = pool_at(pool, i, &loss);
            assert_true(path_equal(path, pool_at(again, i, &loss_again)));
            assert_true(loss == loss_again);
        }
        /* At step 16 the pool of step 10 counts, at step 26 that of step 20. */
        assert_true(pool_turnover(again, 16, 5) == pool_turnover(pool, 16, 5));
        assert_true(pool_turnover(again, 26, 5) == pool_turnover(pool, 26, 5));
        pool_free(pool), pool_free(again);
    }
}

/* One of six is new since step 10: what the history is for. */
static void the_turnover_after_loading_is_that_of_the_saved_history(void **state)
{
    (void)state;
    struct space space = space_from(usual());
    struct pool *pool = pool_of(&space, 9, 6), *again = pool_create(6);
    pool_remember(pool, 10, 5);
    struct path late = {4, {2, 2, 2, 2}};
    pool_offer(pool, &late, 0.05);
    struct artifact *file = saved_pool(pool, &space);
    pool_load(again, file);
    pool_load_history(again, file);
    artifact_close(file);
    assert_near(pool_turnover(again, 16, 5), 1.0 / 6, 1e-12);
    pool_free(pool), pool_free(again);
}

/* Sizes of the remembered pools that do not add up to the one path that is there. */
static int load_bad_history(const void *argument)
{
    const int *size = argument;
    struct space space = space_from(usual());
    const char *name = scratch_path("history.h5");
    struct path path = {4, {0}};
    struct artifact *file = artifact_create(name, &origin);
    space_save(file, &space);
    artifact_write_vector(file, "pool/history/step", ARRAY_I64, 2, (int64_t[]){1, 2},
                          "1", "steps");
    artifact_write_vector(file, "pool/history/size", ARRAY_I32, 2, size, "1", "sizes");
    paths_save(file, "pool/history/paths", &path, 1, "paths");
    artifact_commit(file);
    pool_load_history(pool_create(2), artifact_open(name, NULL));
    return 0;
}

static void a_history_that_does_not_add_up_is_refused(void **state)
{
    (void)state;
    assert_dies(load_bad_history, (int[]){1, 1},
                "'pool/history/paths' has 1 paths, expected 2");
    assert_dies(load_bad_history, (int[]){2, -1}, "'pool/history/size' has -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_come_back_as_they_were),
        cmocka_unit_test(no_paths_are_a_list_too),
        cmocka_unit_test(another_space_is_refused_with_what_differs),
        cmocka_unit_test(paths_of_another_space_are_refused),
        cmocka_unit_test(a_pool_and_its_history_come_back_as_they_were),
        cmocka_unit_test(the_turnover_after_loading_is_that_of_the_saved_history),
        cmocka_unit_test(a_history_that_does_not_add_up_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
