/* Which ops and which shapes a space has, from its config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/spaces.h"

static void assert_place(const struct block_place *place, int h, int c, int p, int k,
                         int stride)
{
    assert_int_equal(place->h, h);
    assert_int_equal(place->w, h);
    assert_int_equal(place->c, c);
    assert_int_equal(place->p, p);
    assert_int_equal(place->q, p);
    assert_int_equal(place->k, k);
    assert_int_equal(place->stride, stride);
}

/* The rows of the paper's Table 5. */
static void table_5_has_the_shapes_the_paper_prints(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(plain_choices));
    assert_place(&space.stem, 224, 3, 112, 32, 2);
    assert_int_equal(space.n_fixed, 1);
    assert_place(&space.fixed[0].place, 112, 32, 112, 16, 1);
    assert_int_equal(space.n_layers, 21);
    static const struct {
        int layer, h, c, p, k, stride, stage;
    } first[] = {
        {0, 112, 16, 56, 32, 2, 0}, {4, 56, 32, 28, 40, 2, 1},
        {8, 28, 40, 14, 80, 2, 2},  {12, 14, 80, 14, 96, 1, 3},
        {16, 14, 96, 7, 192, 2, 4}, {20, 7, 192, 7, 320, 1, 5},
    };
    for (int i = 0; i < 6; i++) {
        assert_place(&space.layer[first[i].layer], first[i].h, first[i].c, first[i].p,
                     first[i].k, first[i].stride);
        assert_int_equal(space.layer_stage[first[i].layer], first[i].stage);
        if (first[i].layer == 20)
            continue;
        for (int r = 1; r < 4; r++) {
            int l = first[i].layer + r;
            assert_place(&space.layer[l], first[i].p, first[i].k, first[i].p,
                         first[i].k, 1);
            assert_true(block_keeps_shape(&space.layer[l]));
            assert_int_equal(space.layer_stage[l], first[i].stage);
        }
    }
    assert_int_equal(space.head_h, 7);
    assert_int_equal(space.head_w, 7);
    assert_int_equal(space.head_c, 320);
    assert_int_equal(space.head_channels, 1280);
}

static void the_same_stride_with_other_channels_changes_the_shape(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(plain_choices));
    assert_int_equal(space.layer[12].stride, 1);
    assert_false(block_keeps_shape(&space.layer[12])); /* 80 to 96 channels */
    struct space_config config = mobile_config(plain_choices);
    config.stages[0] = (struct space_stage_config){16, 1, 2};
    space = space_from(config);
    assert_false(block_keeps_shape(&space.layer[0])); /* 16 to 16, but stride 2 */
}

/* Windows of the kernel counted one by one over the padded row. */
static int count_windows(int h, int kernel, int stride)
{
    int windows = 0;
    for (int start = -(kernel / 2); start + kernel <= h + kernel / 2; start += stride)
        windows++;
    return windows;
}

static void odd_sizes_round_as_a_padded_convolution_does(void **state)
{
    (void)state;
    static const int kernels[] = {3, 5, 7};
    for (int h = 3; h <= 40; h++) {
        for (int stride = 1; stride <= 3; stride++) {
            struct space_config config = mobile_config("k3e3 id");
            config.input[0] = h;
            config.input[1] = h + 1;
            config.stem.stride = 1;
            config.n_stages = 1;
            config.stages[0] = (struct space_stage_config){24, 2, stride};
            struct space space = space_from(config);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(space.layer[0].p,
                                 count_windows(h, kernels[i], stride));
                assert_int_equal(space.layer[0].q,
                                 count_windows(h + 1, kernels[i], stride));
            }
            assert_int_equal(space.layer[1].p, space.layer[0].p);
        }
    }
}

static void a_stem_of_any_odd_kernel_has_its_padded_size(void **state)
{
    (void)state;
    for (int kernel = 1; kernel <= 7; kernel += 2) {
        struct space_config config = mobile_config("k3e3");
        config.input[0] = 29;
        config.input[1] = 32;
        config.stem.kernel = kernel;
        struct space space = space_from(config);
        assert_int_equal(space.stem_kernel, kernel);
        assert_int_equal(space.stem.p, count_windows(29, kernel, 2));
        assert_int_equal(space.stem.q, count_windows(32, kernel, 2));
    }
}

static void fixed_blocks_repeat_with_the_stride_on_the_first(void **state)
{
    (void)state;
    struct space_config config = mobile_config(plain_choices);
    config.n_fixed = 2;
    config.fixed[0] = (struct fixed_config){"k5e3s", 20, 2, 2, ""};
    config.fixed[1] = (struct fixed_config){"k3e1", 24, 1, 1, ""};
    struct space space = space_from(config);
    assert_int_equal(space.n_fixed, 3);
    assert_place(&space.fixed[0].place, 112, 32, 56, 20, 2);
    assert_place(&space.fixed[1].place, 56, 20, 56, 20, 1);
    assert_place(&space.fixed[2].place, 56, 20, 56, 24, 1);
    assert_string_equal(space.fixed[1].op.token, "k5e3s");
    assert_place(&space.layer[0], 56, 24, 28, 32, 2);
}

static void without_fixed_blocks_or_a_head_the_layers_stand_alone(void **state)
{
    (void)state;
    struct space_config config = macro_config();
    config.head.channels = 0;
    struct space space = space_from(config);
    assert_int_equal(space.n_fixed, 0);
    assert_place(&space.layer[0], 32, 32, 16, 64, 2);
    assert_int_equal(space.head_channels, 0);
    assert_int_equal(space.head_c, 256);
    assert_int_equal(space.head_h, 4);
}

static void choices_keep_the_order_of_the_config(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    assert_int_equal(space.n_ops, 3);
    assert_int_equal(space.op[0].kind, OP_IDENTITY);
    assert_int_equal(space.op[1].kind, OP_MBCONV);
    assert_int_equal(space.op[1].kernel, 3);
    assert_int_equal(space.op[1].expansion, 3);
    assert_int_equal(space.op[2].kernel, 5);
    assert_int_equal(space.op[2].expansion, 6);
    assert_false(space.op[2].squeeze_excite);
}

static void a_token_says_kernel_expansion_and_se(void **state)
{
    (void)state;
    static const int kernels[] = {3, 5, 7}, expansions[] = {1, 2, 3, 4, 6, 8, 12};
    for (int k = 0; k < 3; k++)
        for (int e = 0; e < 7; e++)
            for (int se = 0; se < 2; se++) {
                char token[OP_TOKEN_SIZE];
                snprintf(token, sizeof token, "k%de%d%s", kernels[k], expansions[e],
                         se ? "s" : "");
                struct op op;
                assert_true(op_parse(token, &op));
                assert_int_equal(op.kind, OP_MBCONV);
                assert_int_equal(op.kernel, kernels[k]);
                assert_int_equal(op.expansion, expansions[e]);
                assert_int_equal(op.squeeze_excite, se);
                assert_string_equal(op.token, token);
            }
    struct op identity;
    assert_true(op_parse("id", &identity));
    assert_int_equal(identity.kind, OP_IDENTITY);
    assert_string_equal(identity.token, "id");
}

static void what_is_not_exactly_a_token_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "k",
        "k3",
        "k3e",
        "e3",
        "k3e0",
        "k4e3",
        "k1e3",
        "k9e3",
        "k3e3x",
        "k3e3ss",
        " k3e3",
        "k3e3 ",
        "k03e3",
        "k3e03",
        "K3e3",
        "k3 e3",
        "k-3e3",
        "k3e-3",
        "k3e+3",
        "ids",
        "Id",
        "i",
        "identity",
        "k3e3S",
        "3e3",
        "k3e3.5",
        "k33e3",
        "k3e99999999999999999999",
        "k3e333333333333333",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct op op;
        if (op_parse(wrong[i], &op))
            fail_msg("'%s' was taken for an op", wrong[i]);
    }
}

/* MnasNet-A1 squeezes to a quarter of the block's input (24 to 6), GreedyNAS to a
 * quarter of the expanded width (16 * 3 = 48 to 12). */
static void the_se_ratio_is_of_the_expanded_or_of_the_input_width(void **state)
{
    (void)state;
    struct op op, no_se;
    assert_true(op_parse("k5e3s", &op));
    assert_true(op_parse("k5e3", &no_se));
    struct space_config config = mobile_config(se_choices);
    struct space expanded = space_from(config);
    assert_int_equal(op_expanded_channels(&op, 16), 48);
    assert_int_equal(space_se_channels(&expanded, &op, 16), 12);
    config.squeeze_excite.of = "input";
    struct space input = space_from(config);
    assert_int_equal(space_se_channels(&input, &op, 24), 6);
    assert_int_equal(space_se_channels(&input, &op, 30),
                     7); /* 7.5 is cut, not rounded */
    assert_int_equal(space_se_channels(&input, &op, 3), 1); /* never none */
    assert_int_equal(space_se_channels(&input, &no_se, 24), 0);
}

static void the_size_is_choices_to_the_power_of_layers(void **state)
{
    (void)state;
    struct space macro = space_from(macro_config());
    assert_true(space_size(&macro) == 6561.0);
    struct space mobile = space_from(mobile_config(plain_choices));
    double size = 1;
    for (int l = 0; l < 21; l++)
        size *= 7;
    assert_true(space_size(&mobile) > size * (1 - 1e-12));
    assert_true(space_size(&mobile) < size * (1 + 1e-12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_5_has_the_shapes_the_paper_prints),
        cmocka_unit_test(the_same_stride_with_other_channels_changes_the_shape),
        cmocka_unit_test(odd_sizes_round_as_a_padded_convolution_does),
        cmocka_unit_test(a_stem_of_any_odd_kernel_has_its_padded_size),
        cmocka_unit_test(fixed_blocks_repeat_with_the_stride_on_the_first),
        cmocka_unit_test(without_fixed_blocks_or_a_head_the_layers_stand_alone),
        cmocka_unit_test(choices_keep_the_order_of_the_config),
        cmocka_unit_test(a_token_says_kernel_expansion_and_se),
        cmocka_unit_test(what_is_not_exactly_a_token_is_refused),
        cmocka_unit_test(the_se_ratio_is_of_the_expanded_or_of_the_input_width),
        cmocka_unit_test(the_size_is_choices_to_the_power_of_layers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
