#include <omp.h>

#include "net/cell.h"
#include "unit/nets.h"

/* What a cell computes is tested where blocks and networks are; here is what it says of
 * itself. */

struct subject {
    struct cell *cell;
    struct layout weights, statistics;
};

/* 10 channels at 7 x 6 to 27 at 4 x 3: BNs of 10, 10, 13, 13 and 17 channels. */
static struct subject new_subject(void)
{
    struct op op;
    struct subject s = {0};
    assert_true(op_parse("shuffle3", &op));
    s.cell = cell_create(&op, &(struct block_place){7, 6, 10, 4, 3, 27, 2}, ACT_RELU,
                         "cell", &s.weights, &s.statistics);
    return s;
}

static void subject_release(struct subject *s)
{
    cell_free(s->cell);
    layout_release(&s->weights), layout_release(&s->statistics);
}

static void its_bns_lie_one_after_the_other(void **state)
{
    (void)state;
    struct subject s = new_subject();
    assert_int_equal(cell_bn_channels(s.cell), 16 + 16 + 16 + 16 + 32);
    subject_release(&s);
}

static void the_first_bn_that_is_not_finite_is_named(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const int channels = cell_bn_channels(s.cell);
    struct arena *arena = arena_create(1 << 16);
    struct bn_pass bn;
    bn_pass_take(channels, arena, &bn);
    memset(bn.bn.mean, 0, 5 * (size_t)channels * sizeof(float));
    assert_null(cell_first_not_finite(s.cell, &bn));
    bn.bn.scale[64 + 16] = INFINITY; /* the last channel of the last one */
    assert_string_equal(cell_first_not_finite(s.cell, &bn), "project");
    bn.bn.mean[16] = NAN; /* of the second one */
    assert_string_equal(cell_first_not_finite(s.cell, &bn), "side_project");
    arena_free(arena);
    subject_release(&s);
}

/* The inner tensors: at the side 4 x 3 x 10 twice; 7 x 6 x 13, 4 x 3 x 13, 4 x 3 x 17.
 */
static void its_inner_tensors_are_all_but_input_and_output(void **state)
{
    (void)state;
    struct subject s = new_subject();
    assert_int_equal(cell_floats(s.cell, 2),
                     2 * (2 * 12 * 16 + 42 * 16 + 12 * 16 + 12 * 32));
    subject_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_bns_lie_one_after_the_other),
        cmocka_unit_test(the_first_bn_that_is_not_finite_is_named),
        cmocka_unit_test(its_inner_tensors_are_all_but_input_and_output),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
