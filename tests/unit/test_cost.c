/* FLOPs and parameters: by hand, and the figures known of published spaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/rng.h"
#include "nas/cost.h"
#include "unit/spaces.h"

static void assert_cost(struct cost cost, int64_t flops, int64_t params)
{
    assert_int_equal(cost.flops, flops);
    assert_int_equal(cost.params, params);
}

/* Does `value` print as `text` when it is given in millions with that many decimals? */
static void assert_millions(int64_t value, const char *text)
{
    char printed[32];
    const char *point = strchr(text, '.');
    int decimals = point == NULL ? 0 : (int)strlen(point + 1);
    snprintf(printed, sizeof printed, "%.*f", decimals, (double)value / 1e6);
    assert_string_equal(printed, text);
}

static struct cost cost_of_text(const struct space *space, const char *text)
{
    struct cost_table table;
    struct path path;
    char why[200];
    cost_table_init(&table, space);
    if (!path_parse(&path, space, text, why, sizeof why))
        fail_msg("%s", why);
    return cost_of_path(&table, &path);
}

static struct cost cost_of_one_op(const struct space *space, const char *token)
{
    struct cost_table table;
    cost_table_init(&table, space);
    struct path path = path_of_one_op(space, op_index(space, token));
    return cost_of_path(&table, &path);
}

/* 4 x 4 x 2 in, stride 2, 3 channels out. Expand 2 to 6: 16 * 12 = 192 MACs, 12 + 12
 * parameters. Depthwise 5 x 5: 4 * 25 * 6 = 600, 150 + 12. Project 6 to 3: 4 * 18 = 72,
 * 18 + 6. */
static void a_block_costs_its_three_convolutions_and_their_bn(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    const struct block_place place = {4, 4, 2, 2, 2, 3, 2};
    struct op op;
    assert_true(op_parse("k5e3", &op));
    assert_cost(cost_of_block(&space, &op, &place), 192 + 600 + 72, 24 + 162 + 24);
}

/* As above, and SE from 6 to int(0.25 * 6) = 1 and back: 12 MACs, 12 weights, 1 + 6
 * biases. */
static void se_adds_two_small_convolutions_with_biases(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    const struct block_place place = {4, 4, 2, 2, 2, 3, 2};
    struct op op;
    assert_true(op_parse("k5e3s", &op));
    assert_cost(cost_of_block(&space, &op, &place), 864 + 12, 210 + 12 + 7);
}

/* 6 x 5 x 4, kept: depthwise 30 * 9 * 4 = 1080, project 30 * 16 = 480. */
static void expansion_1_has_no_expand_convolution(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    const struct block_place place = {6, 5, 4, 6, 5, 4, 1};
    struct op op;
    assert_true(op_parse("k3e1", &op));
    assert_cost(cost_of_block(&space, &op, &place), 1080 + 480, 36 + 8 + 16 + 8);
}

/* 4 to 6 channels at 3 x 3 outputs: 9 * 24 MACs, 24 weights, 12 of BN. */
static void identity_is_free_unless_the_shape_changes(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    struct op op;
    assert_true(op_parse("id", &op));
    const struct block_place kept = {5, 5, 4, 5, 5, 4, 1},
                             changed = {5, 5, 4, 3, 3, 6, 2};
    assert_cost(cost_of_block(&space, &op, &kept), 0, 0);
    assert_cost(cost_of_block(&space, &op, &changed), 9 * 24, 24 + 12);
}

static void all_of_one_op_costs_what_is_known_of_the_mobile_space(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    static const struct {
        const char *token, *flops, *params;
    } known[] = {
        {"id", "50.879", "1.789"},
        {"k3e3", "291.084", "3.204"},
        {"k7e6", "693.483", "5.135"},
        {"k7e6s", "697.455", "9.120"},
    };
    for (int i = 0; i < 4; i++) {
        struct cost cost = cost_of_one_op(&space, known[i].token);
        assert_millions(cost.flops, known[i].flops);
        assert_millions(cost.params, known[i].params);
    }
}

static void the_whole_supernet_has_the_known_number_of_weights(void **state)
{
    (void)state;
    struct cost_table table;
    struct space space = space_from(mobile_config(plain_choices));
    cost_table_init(&table, &space);
    assert_millions(table.shared.params, "1.695");
    assert_millions(cost_supernet_params(&table) - table.shared.params, "14.558");
    space = space_from(mobile_config(se_choices));
    cost_table_init(&table, &space);
    assert_millions(table.shared.params, "1.695");
    assert_millions(cost_supernet_params(&table) - table.shared.params, "43.977");
}

/* The three corners are published; the mixed path was counted from the list of its
 * layers by a separate program. */
static void nas_bench_macro_costs_to_the_last_multiply(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    assert_cost(cost_of_one_op(&space, "id"), 7713280, 387882);
    assert_cost(cost_of_one_op(&space, "k3e3"), 53246464, 1588874);
    assert_cost(cost_of_one_op(&space, "k5e6"), 105660928, 2932586);
    assert_cost(cost_of_text(&space, "id k3e3 k5e6 id id k5e6 k3e3 k3e3"), 45998592,
                1583594);
}

/* 3 x 3 stem from 3 to 8 channels at 16 x 16, one pass-through layer, linear 8 to 10.
 */
static void without_a_head_the_last_layer_feeds_the_classifier(void **state)
{
    (void)state;
    struct space_config config = macro_config();
    config.input[0] = config.input[1] = 16;
    config.stem.channels = 8;
    config.n_stages = 1;
    config.stages[0] = (struct space_stage_config){8, 1, 1};
    config.head.channels = 0;
    struct space space = space_from(config);
    assert_cost(cost_of_one_op(&space, "id"), 256 * 27 * 8 + 80, 27 * 8 + 16 + 80 + 10);
}

/* The mean over all 7^21 paths: each layer's ops weigh the same. */
static void the_average_path_of_the_mobile_space_has_409_5_million_flops(void **state)
{
    (void)state;
    struct cost_table table;
    struct space space = space_from(mobile_config(plain_choices));
    cost_table_init(&table, &space);
    double mean = (double)table.shared.flops;
    for (int l = 0; l < table.n_layers; l++)
        for (int o = 0; o < table.n_ops; o++)
            mean += (double)table.op[l][o].flops / table.n_ops;
    assert_millions((int64_t)mean, "409.5");
}

/* Every path of a small space whose ops trade FLOPs for parameters. */
static struct space trading_space(void)
{
    struct space_config config = macro_config();
    choose(&config, "k7e3 k3e6 k3e3s id k5e1s");
    config.input[0] = config.input[1] = 12;
    config.stem.channels = 8;
    config.n_stages = 2;
    config.stages[0] = (struct space_stage_config){12, 2, 2};
    config.stages[1] = (struct space_stage_config){16, 3, 1};
    return space_from(config);
}

enum { TRADING_PATHS = 3125 };

static struct path trading_path(int number)
{
    struct path path = {.n = 5};
    for (int l = 0; l < 5; l++, number /= 5)
        path.op[l] = (uint8_t)(number % 5);
    return path;
}

static void the_range_is_that_of_all_paths(void **state)
{
    (void)state;
    struct space space = trading_space();
    struct cost_table table;
    cost_table_init(&table, &space);
    struct cost least = {INT64_MAX, INT64_MAX, 0}, most = {0}, low, high;
    for (int i = 0; i < TRADING_PATHS; i++) {
        struct path path = trading_path(i);
        struct cost cost = cost_of_path(&table, &path);
        least.flops = cost.flops < least.flops ? cost.flops : least.flops;
        least.params = cost.params < least.params ? cost.params : least.params;
        most.flops = cost.flops > most.flops ? cost.flops : most.flops;
        most.params = cost.params > most.params ? cost.params : most.params;
    }
    cost_range(&table, &low, &high);
    assert_cost(low, least.flops, least.params);
    assert_cost(high, most.flops, most.params);
}

static void a_limit_is_met_up_to_and_including_its_value(void **state)
{
    (void)state;
    const struct cost cost = {1000, 50, 0};
    static const struct {
        double flops, params;
        bool feasible;
    } cases[] = {
        {0, 0, true},     {1000, 0, true},   {999, 0, false},  {999.5, 0, false},
        {0, 50, true},    {0, 49, false},    {1000, 50, true}, {1000, 49, false},
        {999, 50, false}, {1e300, 50, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct constraint_config limit = {cases[i].flops, cases[i].params, 0};
        assert_int_equal(cost_feasible(&cost, &limit), cases[i].feasible);
    }
}

static void an_impossible_limit_is_explained_with_the_range(void **state)
{
    (void)state;
    struct cost_table table;
    struct space space = space_from(macro_config());
    cost_table_init(&table, &space);
    char *why = cost_infeasible(&table, &(struct constraint_config){7713279, 0, 0});
    assert_non_null(why);
    assert_string_equal(why,
                        "no path has at most 7713279 FLOPs: paths of this space have "
                        "7713280 to 105660928");
    free(why);
    why = cost_infeasible(&table, &(struct constraint_config){0, 1000, 0});
    assert_non_null(why);
    assert_string_equal(why, "no path has at most 1000 parameters: paths of this space "
                             "have 387882 to 2932586");
    free(why);
    assert_null(
        cost_infeasible(&table, &(struct constraint_config){7713280, 387882, 0}));
    assert_null(cost_infeasible(&table, &(struct constraint_config){0, 0, 0}));
}

/* Against all paths of the space, for limits in the region where both matter. */
static void two_limits_at_once_are_never_refused_wrongly(void **state)
{
    (void)state;
    struct space_config config = macro_config();
    choose(&config, "k7e3 k3e6 k3e3s"); /* no op is cheapest in both figures */
    config.input[0] = config.input[1] = 12;
    config.stem.channels = 8;
    config.n_stages = 2;
    config.stages[0] = (struct space_stage_config){12, 2, 2};
    config.stages[1] = (struct space_stage_config){16, 3, 1};
    config.squeeze_excite.ratio = 1;
    struct space space = space_from(config);
    struct cost_table table;
    struct cost least, most;
    cost_table_init(&table, &space);
    cost_range(&table, &least, &most);
    int proven = 0, possible = 0, undecided = 0;
    for (int f = 0; f <= 30; f++) {
        for (int p = 0; p <= 30; p++) {
            const struct constraint_config limit = {
                (double)least.flops + f * (double)(most.flops - least.flops) / 30,
                (double)least.params + p * (double)(most.params - least.params) / 30,
                0};
            bool exists = false;
            for (int i = 0; i < 243 && !exists; i++) {
                struct path path = {.n = 5};
                for (int l = 0, rest = i; l < 5; l++, rest /= 3)
                    path.op[l] = (uint8_t)(rest % 3);
                struct cost cost = cost_of_path(&table, &path);
                exists = cost_feasible(&cost, &limit);
            }
            char *why = cost_infeasible(&table, &limit);
            assert_false(exists && why != NULL);
            proven += why != NULL;
            possible += exists;
            undecided += why == NULL && !exists;
            free(why);
        }
    }
    assert_int_equal(proven + possible + undecided, 31 * 31);
    assert_true(possible > 100);
    assert_true(proven > 4 * undecided);
    assert_true(proven > 20);
}

/* Every layer of the mobile space: expansion 6 and kernel 7 with SE cost the most, an
 * identity the least; of equal ones the first. */
static void the_extreme_paths_take_the_dearest_and_the_cheapest_op(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    struct cost_table table;
    struct path path;
    cost_table_init(&table, &space);
    cost_extreme_path(&table, true, &path);
    for (int l = 0; l < path.n; l++)
        assert_string_equal(space.op[path.op[l]].token, "k7e6s");
    assert_int_equal(path.n, 21);
    cost_extreme_path(&table, false, &path);
    for (int l = 0; l < path.n; l++)
        assert_string_equal(space.op[path.op[l]].token, "id");
    struct cost least, most;
    cost_range(&table, &least, &most);
    assert_int_equal(cost_of_path(&table, &path).flops, least.flops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_costs_its_three_convolutions_and_their_bn),
        cmocka_unit_test(se_adds_two_small_convolutions_with_biases),
        cmocka_unit_test(expansion_1_has_no_expand_convolution),
        cmocka_unit_test(identity_is_free_unless_the_shape_changes),
        cmocka_unit_test(all_of_one_op_costs_what_is_known_of_the_mobile_space),
        cmocka_unit_test(the_whole_supernet_has_the_known_number_of_weights),
        cmocka_unit_test(nas_bench_macro_costs_to_the_last_multiply),
        cmocka_unit_test(without_a_head_the_last_layer_feeds_the_classifier),
        cmocka_unit_test(the_average_path_of_the_mobile_space_has_409_5_million_flops),
        cmocka_unit_test(the_range_is_that_of_all_paths),
        cmocka_unit_test(the_extreme_paths_take_the_dearest_and_the_cheapest_op),
        cmocka_unit_test(a_limit_is_met_up_to_and_including_its_value),
        cmocka_unit_test(an_impossible_limit_is_explained_with_the_range),
        cmocka_unit_test(two_limits_at_once_are_never_refused_wrongly),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
