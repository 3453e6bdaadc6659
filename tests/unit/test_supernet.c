#include <omp.h>
#include <signal.h>

#include "base/die.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "warmup", .config = "", .seed = 1, .threads = 1};

static struct space_config config_of_subject(void)
{
    struct space_config c = tiny_config("k3e3 k5e6s k3e1 id");
    c.n_fixed = 1;
    c.fixed[0] = (struct fixed_config){"k3e1", 8, 2, 1, ""};
    return c;
}

/* Two items, the first of two blocks. */
static void a_fixed_block_may_have_an_activation_of_its_own(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    config.n_fixed = 2;
    config.fixed[0].activation = "relu6";
    config.fixed[1] = (struct fixed_config){"k3e3s", 8, 1, 1, ""};
    config.activation = "hswish";
    struct supernet *net = drawn_net(&config);
    assert_int_equal(net->space.n_fixed, 3);
    assert_int_equal(net->fixed[0].act, ACT_RELU6);
    assert_int_equal(net->fixed[1].act, ACT_RELU6);
    assert_int_equal(net->fixed[2].act, ACT_HSWISH);
    assert_int_equal(supernet_block(net, 0, 0)->act, ACT_HSWISH);
    supernet_free(net);
}

static struct supernet *other_net(const struct space_config *config)
{
    return supernet_create(config, 99);
}

/* Every array is written element by element where it belongs, so the logical sizes of
 * the arrays add up to the parameters that nas/cost.h counts. */
static void arrays_add_up_to_the_parameters_of_the_cost_table(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config);
    int64_t total = 0;
    for (int i = 0; i < net->weight_layout.n; i++)
        total += (int64_t)layout_dense_floats(&net->weight_layout.array[i]);
    assert_int_equal(total, cost_supernet_params(&net->cost));
    supernet_free(net);
}

static int64_t dense_between(const struct supernet *net, size_t begin, size_t end)
{
    int64_t total = 0;
    for (int i = 0; i < net->weight_layout.n; i++) {
        const struct layout_array *a = &net->weight_layout.array[i];
        if (a->offset >= begin && a->offset < end)
            total += (int64_t)layout_dense_floats(a);
    }
    return total;
}

static void the_ranges_of_a_path_hold_its_parameters_and_no_others(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config);
    struct path path = path_of(net, "k5e6s id k3e1 k3e3");
    struct path_range range[SPACE_LAYERS_MAX + 1];
    size_t floats, at = 0;
    int n = supernet_path_ranges(net, &path, range, &floats);
    int64_t params = 0;
    assert_int_equal(n, 5);
    for (int i = 0; i < n; i++) {
        params += dense_between(net, range[i].begin, range[i].end);
        assert_int_equal(range[i].gradient, at);
        at += range[i].end - range[i].begin;
    }
    assert_int_equal(at, floats);
    assert_int_equal(params, cost_of_path(&net->cost, &path).params);
    supernet_free(net);
}

static void a_path_by_itself_has_its_own_weights_and_no_others(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *whole = supernet_create(&config, 3);
    struct path path = path_of(whole, "k5e6s id k3e1 k3e3");
    struct supernet *net = supernet_create_path(&config, &path, 3);
    int64_t total = 0;
    size_t floats;
    for (int i = 0; i < net->weight_layout.n; i++) {
        const struct layout_array *a = &net->weight_layout.array[i];
        total += (int64_t)layout_dense_floats(a);
        int in_whole = 0;
        for (int j = 0; j < whole->weight_layout.n; j++)
            in_whole += strcmp(whole->weight_layout.array[j].name, a->name) == 0;
        assert_int_equal(in_whole, 1);
    }
    assert_int_equal(total, cost_of_path(&whole->cost, &path).params);
    supernet_path_ranges(net, &path, (struct path_range[SPACE_LAYERS_MAX + 1]){{0}},
                         &floats);
    assert_int_equal(floats, net->weight_layout.floats);
    assert_int_equal(supernet_gradient_floats(net), floats);
    supernet_free(whole);
    supernet_free(net);
}

static int ask_for_another_path(const void *argument)
{
    (void)argument;
    omp_set_num_threads(1); /* a forked child has no other threads */
    struct space_config config = config_of_subject();
    struct path path = {.n = 4, .op = {0, 1, 2, 3}}, other = {.n = 4, .op = {0, 1, 1}};
    struct supernet *net = supernet_create_path(&config, &path, 3);
    struct chain chain;
    supernet_chain(net, &path, &chain);
    puts("its own");
    fflush(stdout);
    supernet_chain(net, &other, &chain);
    return 0;
}

static void a_path_by_itself_answers_for_no_other(void **state)
{
    (void)state;
    struct child child = child_run(ask_for_another_path, NULL);
    assert_string_equal(child.out, "its own\n");
    assert_int_equal(child.signal, SIGABRT);
}

static void the_largest_path_has_the_room_that_is_promised(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config);
    size_t floats, most = 0;
    for (int i = 0; i < 4 * 4 * 4 * 4; i++) {
        struct path path = {.n = 4,
                            .op = {(uint8_t)(i % 4), (uint8_t)(i / 4 % 4),
                                   (uint8_t)(i / 16 % 4), (uint8_t)(i / 64)}};
        struct path_range range[SPACE_LAYERS_MAX + 1];
        supernet_path_ranges(net, &path, range, &floats);
        most = floats > most ? floats : most;
    }
    assert_int_equal(supernet_gradient_floats(net), most);
    supernet_free(net);
}

/* N(0, sqrt(2 / (k*k*Cout))) for convolutions, as method.md has it. */
static void convolutions_start_with_the_spread_of_their_fan_out(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = supernet_create(&config, 1);
    static const struct {
        const char *name;
        double fan_out;
    } expected[] = {
        {"shared/stem/weight", 3 * 3 * 6},
        {"layer00/k5e6s/expand/weight", 6 * 8},
        {"layer00/k5e6s/depthwise/weight", 5 * 5 * 48},
        {"layer00/k5e6s/project/weight", 10},
        {"layer02/id/project/weight", 18},
        {"shared/head/weight", 20},
    };
    int found = 0;
    for (int i = 0; i < net->weight_layout.n; i++)
        for (size_t e = 0; e < sizeof(expected) / sizeof(*expected); e++)
            if (!strcmp(net->weight_layout.array[i].name, expected[e].name)) {
                assert_near((double)net->weight_layout.array[i].spread,
                            sqrt(2 / expected[e].fan_out), 1e-6);
                assert_int_equal(net->weight_layout.array[i].init, INIT_NORMAL);
                found++;
            }
    assert_int_equal(found, 6);
    supernet_free(net);
}

static void assert_same_net(const struct supernet *a, const struct supernet *b)
{
    size_t weights = a->weight_layout.floats * sizeof(float);
    assert_memory_equal(a->weights, b->weights, weights);
    assert_memory_equal(a->momentum, b->momentum, weights);
    assert_memory_equal(a->statistics, b->statistics,
                        a->statistic_layout.floats * sizeof(float));
}

static void what_is_saved_by_name_comes_back_bit_for_bit(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config), *again = other_net(&config);
    struct artifact *file = artifact_create(scratch_path("named.h5"), &origin);
    supernet_save(net, file, true);
    artifact_commit(file);
    file = artifact_open(scratch_path("named.h5"), "warmup");
    supernet_load(again, file, true);
    artifact_close(file);
    assert_same_net(net, again);
    supernet_free(net), supernet_free(again);
}

static void momenta_are_left_alone_unless_asked_for(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config), *again = other_net(&config);
    struct artifact *file = artifact_create(scratch_path("bare.h5"), &origin);
    supernet_save(net, file, false);
    artifact_commit(file);
    file = artifact_open(scratch_path("bare.h5"), "warmup");
    assert_false(artifact_has(file, "momentum"));
    supernet_load(again, file, false);
    artifact_close(file);
    for (size_t i = 0; i < again->weight_layout.floats; i++)
        assert_true(again->momentum[i] == 0);
    assert_memory_equal(net->weights, again->weights,
                        net->weight_layout.floats * sizeof(float));
    supernet_free(net), supernet_free(again);
}

/* Two states, saved with the last one: each comes back, and the last one as well. */
static void earlier_states_are_kept_beside_the_last_one(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *early = drawn_net(&config), *late = other_net(&config),
                    *last = drawn_net(&config), *again = other_net(&config);
    const struct snapshot snapshot[] = {{40, early->weights, early->statistics},
                                        {1200, late->weights, late->statistics}};
    last->weights[0] += 1;
    struct artifact *file = artifact_create(scratch_path("snapshots.h5"), &origin);
    supernet_save(last, file, false);
    supernet_save_snapshots(last, file, snapshot, 2);
    artifact_commit(file);
    file = artifact_open(scratch_path("snapshots.h5"), "warmup");
    int64_t *step;
    assert_int_equal(supernet_snapshot_steps(file, &step), 2);
    assert_true(step[0] == 40 && step[1] == 1200);
    const struct supernet *expected[] = {early, late, last};
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            supernet_load_snapshot(again, file, step[i]);
        else
            supernet_load(again, file, false);
        assert_memory_equal(again->weights, expected[i]->weights,
                            last->weight_layout.floats * sizeof(float));
        assert_memory_equal(again->statistics, expected[i]->statistics,
                            last->statistic_layout.floats * sizeof(float));
    }
    artifact_close(file);
    free(step);
    file = artifact_open(scratch_path("named.h5"), "warmup");
    assert_int_equal(supernet_snapshot_steps(file, &step), 0);
    artifact_close(file);
    free(step);
    supernet_free(early), supernet_free(late), supernet_free(last),
        supernet_free(again);
}

static void what_is_saved_as_it_lies_comes_back_bit_for_bit(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config), *again = other_net(&config);
    struct artifact *file = artifact_create(scratch_path("state.h5"), &origin);
    supernet_save_state(net, file);
    artifact_commit(file);
    file = artifact_open(scratch_path("state.h5"), "warmup");
    supernet_load_state(again, file);
    artifact_close(file);
    assert_same_net(net, again);
    supernet_free(net), supernet_free(again);
}

/* One weight of each kind, at its logical index. */
static void arrays_in_a_file_have_their_logical_shape_and_order(void **state)
{
    (void)state;
    struct space_config config = config_of_subject();
    struct supernet *net = drawn_net(&config);
    struct artifact *file = artifact_create(scratch_path("shapes.h5"), &origin);
    supernet_save(net, file, false);
    artifact_commit(file);
    file = artifact_open(scratch_path("shapes.h5"), NULL);
    size_t shape[ARTIFACT_RANK_MAX];
    assert_int_equal(artifact_shape(file, "weights/shared/stem/weight", shape), 4);
    assert_true(shape[0] == 6 && shape[1] == 3 && shape[2] == 3 && shape[3] == 3);
    assert_int_equal(
        artifact_shape(file, "weights/layer00/k5e6s/depthwise/weight", shape), 3);
    assert_true(shape[0] == 5 && shape[1] == 5 && shape[2] == 48);
    static float stem[6][3][3][3], depthwise[5][5][48];
    artifact_read(file, "weights/shared/stem/weight", ARRAY_F32, 4,
                  (size_t[]){6, 3, 3, 3}, stem);
    artifact_read(file, "weights/layer00/k5e6s/depthwise/weight", ARRAY_F32, 3, shape,
                  depthwise);
    artifact_close(file);
    /* [out][row][column][in], rows of 27 padded to 32; [row][column][channel], 48. */
    assert_true(stem[5][1][2][0] == net->weights[net->stem.w + 5 * 32 + 9 + 6]);
    assert_true(
        depthwise[4][3][7] ==
        net->weights[supernet_block(net, 0, 1)->depthwise.w + (4 * 5 + 3) * 48 + 7]);
    supernet_free(net);
}

/* Loading into another space: what the message says. */
struct mismatch {
    struct space_config (*config)(void);
    const char *message[3];
};

static struct space_config more_choices(void)
{
    struct space_config c = config_of_subject();
    choose(&c, "k3e3 k5e6s k3e1 k7e3 id");
    return c;
}

static struct space_config wider_head(void)
{
    struct space_config c = config_of_subject();
    c.head.channels = 24;
    return c;
}

static const struct mismatch mismatches[] = {
    {more_choices, {"named.h5", "weights/layer00/k7e3/expand/weight", ""}},
    {wider_head, {"named.h5", "weights/shared/head/weight", "24"}},
};

static int load_mismatch(const void *argument)
{
    const struct mismatch *m = argument;
    struct space_config config = m->config();
    omp_set_num_threads(1);
    struct supernet *net = other_net(&config);
    supernet_load(net, artifact_open(scratch_path("named.h5"), NULL), true);
    return 0;
}

static void a_missing_or_misshapen_array_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct child child = child_run(load_mismatch, &mismatches[i]);
        assert_int_equal(child.code, EXIT_FAILED);
        for (int j = 0; j < 3; j++)
            if (!strstr(child.err, mismatches[i].message[j]))
                fail_msg("'%s', expected '%s' in it", child.err,
                         mismatches[i].message[j]);
    }
}

int main(void)
{
    omp_set_num_threads(1); /* children are forked */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixed_block_may_have_an_activation_of_its_own),
        cmocka_unit_test(arrays_add_up_to_the_parameters_of_the_cost_table),
        cmocka_unit_test(the_ranges_of_a_path_hold_its_parameters_and_no_others),
        cmocka_unit_test(a_path_by_itself_has_its_own_weights_and_no_others),
        cmocka_unit_test(the_largest_path_has_the_room_that_is_promised),
        cmocka_unit_test(convolutions_start_with_the_spread_of_their_fan_out),
        cmocka_unit_test(what_is_saved_by_name_comes_back_bit_for_bit),
        cmocka_unit_test(momenta_are_left_alone_unless_asked_for),
        cmocka_unit_test(earlier_states_are_kept_beside_the_last_one),
        cmocka_unit_test(what_is_saved_as_it_lies_comes_back_bit_for_bit),
        cmocka_unit_test(arrays_in_a_file_have_their_logical_shape_and_order),
        cmocka_unit_test(a_missing_or_misshapen_array_is_named),
        cmocka_unit_test(a_path_by_itself_answers_for_no_other),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
