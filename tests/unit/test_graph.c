#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nas/cost.h"
#include "nas/graph.h"
#include "unit/spaces.h"

static struct graph graph_of(const char *token, struct block_place place)
{
    struct op op;
    struct graph graph;
    assert_true(op_parse(token, &op));
    assert_true(op_has_graph(&op));
    graph_init(&graph, &op, &place);
    return graph;
}

/* For every token and stride: shapes that follow from one another, and the block's. */
static void
each_node_reads_nodes_before_it_and_the_last_has_the_blocks_shape(void **state)
{
    (void)state;
    static const char *const tokens[] = {"shuffle3", "shuffle5", "shuffle7",
                                         "xception"};
    for (int t = 0; t < 4; t++)
        for (int stride = 1; stride <= 2; stride++) {
            const struct block_place place = {
                9, 8, 10, 9 / stride + stride - 1, 8 / stride, 26, stride};
            const struct graph graph = graph_of(tokens[t], place);
            assert_int_equal(graph.node[0].kind, NODE_INPUT);
            for (int i = 1; i < graph.n; i++)
                for (int e = 0; e < graph.node[i].n_inputs; e++)
                    assert_in_range(graph.node[i].input[e].node, 0, i - 1);
            const struct node *last = &graph.node[graph.n - 1];
            assert_int_equal(last->h, place.p);
            assert_int_equal(last->w, place.q);
            assert_int_equal(last->c, 26);
            assert_false(node_has_weights(last));
        }
}

/* Every node but the last is read: nothing is computed in vain. */
static void every_node_is_read(void **state)
{
    (void)state;
    const struct graph graph =
        graph_of("xception", (struct block_place){8, 8, 10, 4, 4, 26, 2});
    bool read[GRAPH_NODES_MAX] = {false};
    for (int i = 1; i < graph.n; i++)
        for (int e = 0; e < graph.node[i].n_inputs; e++)
            read[graph.node[i].input[e].node] = true;
    for (int i = 0; i < graph.n - 1; i++)
        assert_true(read[i]);
}

static void costs(const char *token, struct block_place place, int64_t flops,
                  int64_t params)
{
    const struct space space = space_from(macro_config());
    struct op op;
    assert_true(op_parse(token, &op));
    const struct cost cost = cost_of_block(&space, &op, &place);
    assert_int_equal(cost.flops, flops);
    assert_int_equal(cost.params, params);
}

/* By hand. Stride 1, 10 to 10 channels, 8 x 8: 5 go through 5 -> 5, 5 x 5, 5 -> 5.
 * Stride 2, 10 to 26 channels, to 4 x 4: 3 x 3 and 10 -> 10 at the side; 10 -> 13 at
 * 8 x 8, 3 x 3, 13 -> 16. Xception: 10, 10 -> 13, 13, 13 -> 13, 13, 13 -> 16. */
static void blocks_cost_what_their_convolutions_do(void **state)
{
    (void)state;
    const struct block_place same = {8, 8, 10, 8, 8, 10, 1},
                             half = {8, 8, 10, 4, 4, 26, 2};
    costs("shuffle5", same, 64 * (25 + 125 + 25), 25 + 125 + 25 + 3 * 10);
    costs("shuffle3", half, 16 * (90 + 100) + 64 * 130 + 16 * (117 + 208),
          90 + 100 + 130 + 117 + 208 + 2 * (10 + 10 + 13 + 13 + 16));
    costs("xception", half, 16 * (90 + 100 + 90 + 130 + 117 + 169 + 117 + 208),
          90 + 100 + 90 + 130 + 117 + 169 + 117 + 208 +
              2 * (10 + 10 + 10 + 13 + 13 + 13 + 13 + 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            each_node_reads_nodes_before_it_and_the_last_has_the_blocks_shape),
        cmocka_unit_test(every_node_is_read),
        cmocka_unit_test(blocks_cost_what_their_convolutions_do),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
