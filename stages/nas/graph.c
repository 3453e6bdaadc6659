#include "nas/graph.h"

#include "base/die.h"

bool op_has_graph(const struct op *op)
{
    return op->kind == OP_SHUFFLE || op->kind == OP_XCEPTION;
}

bool node_has_weights(const struct node *node)
{
    return node->kind == NODE_POINTWISE || node->kind == NODE_DEPTHWISE;
}

/* --- Nodes ------------------------------------------------------------------------ */

/* Adds a node that reads one other; it has its shape, until told otherwise. */
static struct node *add(struct graph *graph, enum node_kind kind, struct edge input)
{
    BUG_IF(graph->n == GRAPH_NODES_MAX || input.node >= graph->n);
    struct node *node = &graph->node[graph->n++];
    const struct node *read = &graph->node[input.node];
    *node = (struct node){.kind = kind,
                          .n_inputs = 1,
                          .input = {input},
                          .h = read->h,
                          .w = read->w,
                          .c = read->c,
                          .stride = 1};
    return node;
}

/* How the latest node is read. */
static struct edge latest(const struct graph *graph, bool activated)
{
    return (struct edge){graph->n - 1, activated};
}

static struct edge pointwise(struct graph *graph, const char *name, struct edge input,
                             int k)
{
    struct node *node = add(graph, NODE_POINTWISE, input);
    node->name = name;
    node->c = k;
    return latest(graph, true);
}

/* No activation follows it in these blocks. */
static struct edge depthwise(struct graph *graph, const char *name, struct edge input,
                             int kernel, int stride)
{
    struct node *node = add(graph, NODE_DEPTHWISE, input);
    node->name = name;
    node->kernel = kernel;
    node->stride = stride;
    node->h = (node->h - 1) / stride + 1;
    node->w = (node->w - 1) / stride + 1;
    return latest(graph, false);
}

static struct edge pick(struct graph *graph, struct edge input, int first)
{
    struct node *node = add(graph, NODE_PICK, input);
    node->first = first;
    node->c /= 2;
    return latest(graph, false);
}

static void concatenate(struct graph *graph, struct edge a, struct edge b)
{
    struct node *node = add(graph, NODE_CONCAT, a);
    node->n_inputs = 2;
    node->input[1] = b;
    node->c += graph->node[b.node].c;
}

/* --- Ops -------------------------------------------------------------------------- */

/* The lower branch: from c_in channels to `made`, `inner` wide. */
static struct edge shuffle_branch(struct graph *graph, struct edge x, int kernel,
                                  int stride, int inner, int made)
{
    x = pointwise(graph, "expand", x, inner);
    x = depthwise(graph, "depthwise", x, kernel, stride);
    return pointwise(graph, "project", x, made);
}

static struct edge xception_branch(struct graph *graph, struct edge x, int stride,
                                   int inner, int made)
{
    x = depthwise(graph, "depthwise1", x, 3, stride);
    x = pointwise(graph, "pointwise1", x, inner);
    x = depthwise(graph, "depthwise2", x, 3, 1);
    x = pointwise(graph, "pointwise2", x, inner);
    x = depthwise(graph, "depthwise3", x, 3, 1);
    return pointwise(graph, "pointwise3", x, made);
}

static void two_branches(struct graph *graph, const struct op *op,
                         const struct block_place *place)
{
    struct edge kept = latest(graph, false), x = kept;
    if (place->stride == 1) {
        BUG_IF(place->c % 2 != 0);
        kept = pick(graph, x, 0);
        x = pick(graph, x, 1);
    } else {
        kept = depthwise(graph, "side_depthwise", x, op->kernel, place->stride);
        kept = pointwise(graph, "side_project", kept, place->c);
    }
    int made = place->k - graph->node[kept.node].c, inner = place->k / 2;
    BUG_IF(made < 1 || inner < 1);
    struct edge y =
        op->kind == OP_XCEPTION
            ? xception_branch(graph, x, place->stride, inner, made)
            : shuffle_branch(graph, x, op->kernel, place->stride, inner, made);
    concatenate(graph, kept, y);
}

void graph_init(struct graph *graph, const struct op *op,
                const struct block_place *place)
{
    *graph = (struct graph){.n = 1};
    graph->node[0] =
        (struct node){.kind = NODE_INPUT, .h = place->h, .w = place->w, .c = place->c};
    BUG_IF(!op_has_graph(op));
    two_branches(graph, op, place);
}
