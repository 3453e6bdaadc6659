#include "net/conv_bn.h"
#include "unit/nets.h"

/* What a convolution computes with its BN is tested where blocks are; here is where its
 * arrays lie and what is made of given statistics. */

struct subject {
    struct layout weights, statistics;
    struct conv_bn conv;
    float w[400], s[100];
};

static struct subject new_subject(void)
{
    struct subject s = {.conv = {0}};
    depthwise_init(&s.conv, "place", "name", 3, 18, &s.weights, &s.statistics);
    return s;
}

static void subject_release(struct subject *s)
{
    layout_release(&s->weights), layout_release(&s->statistics);
}

/* 3 x 3 x 18: rows of 18 padded to 32. Deviation sqrt(2 / (3 * 3 * 18)) = 1 / 9. */
static void its_arrays_have_names_shapes_and_initial_values(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const struct layout_array *w = s.weights.array;
    assert_int_equal(s.weights.n, 3);
    assert_string_equal(w[0].name, "place/name/weight");
    assert_string_equal(w[2].name, "place/name/beta");
    assert_int_equal(s.conv.w, 0);
    assert_int_equal(s.conv.gamma, 9 * 32);
    assert_int_equal(s.conv.beta, 9 * 32 + 32);
    assert_near((double)w[0].spread, 1.0 / 9, 1e-7);
    assert_true(w[0].decay && !w[1].decay && !w[2].decay);
    assert_true(w[1].init == INIT_ONE && w[2].init == INIT_ZERO);
    assert_string_equal(s.statistics.array[1].name, "place/name/variance");
    assert_int_equal(s.conv.variance, 32);
    subject_release(&s);
}

/* y = gamma (z - mean) / sqrt(variance + 1e-5) + beta, for one channel by hand. */
static void given_and_running_statistics_make_scale_and_shift(void **state)
{
    (void)state;
    struct subject s = new_subject();
    struct arena *arena = arena_create(1 << 14);
    const struct net_values net = {s.w, s.s};
    struct bn_pass bn;
    bn_pass_take(18, arena, &bn);
    for (int c = 0; c < 32; c++)
        bn.bn.mean[c] = bn.variance[c] = 1;
    s.w[s.conv.gamma + 17] = 3, s.w[s.conv.beta + 17] = 0.5f;
    bn.bn.mean[17] = 2, bn.variance[17] = 4 - 1e-5f;
    conv_bn_given(&s.conv, &net, &bn);
    assert_near((double)bn.bn.scale[17], 1.5, 1e-6);
    assert_near((double)bn.bn.shift[17], 0.5 - 3, 1e-6);
    s.s[s.conv.mean + 17] = -1, s.s[s.conv.variance + 17] = 9 - 1e-5f;
    conv_bn_running(&s.conv, &net, &bn);
    assert_near((double)bn.bn.scale[17], 1, 1e-6);
    assert_near((double)bn.bn.shift[17], 0.5 + 1, 1e-6);
    arena_free(arena);
    subject_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_arrays_have_names_shapes_and_initial_values),
        cmocka_unit_test(given_and_running_statistics_make_scale_and_shift),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
