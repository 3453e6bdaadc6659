/* cell.c - see cell.h. */
#include "net/cell.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "tensor/activate.h"
#include "tensor/channels.h"
#include "tensor/chunks.h"
#include "tensor/depthwise.h"
#include "tensor/pointwise.h"

struct cell {
    struct graph graph;
    enum activation act;
    struct conv_bn conv[GRAPH_NODES_MAX];
    size_t
        tensor[GRAPH_NODES_MAX]; /* where it begins among the inner ones, per image */
    int bn[GRAPH_NODES_MAX];     /* where its BN's channels begin */
    size_t floats;               /* of all inner tensors, per image */
    int channels;                /* of all BNs */
};

/* --- Building --------------------------------------------------------------------- */

static int channels_in(const struct graph *graph, const struct node *node)
{
    return graph->node[node->input[0].node].c;
}

static void node_init(struct cell *cell, int i, const char *name,
                      struct layout *weights, struct layout *statistics)
{
    const struct node *node = &cell->graph.node[i];
    if (node->kind == NODE_POINTWISE)
        pointwise_init(&cell->conv[i], name, node->name,
                       channels_in(&cell->graph, node), node->c, weights, statistics);
    if (node->kind == NODE_DEPTHWISE)
        depthwise_init(&cell->conv[i], name, node->name, node->kernel, node->c, weights,
                       statistics);
}

static struct shape shape_of(const struct cell *cell, int i, int n)
{
    const struct node *node = &cell->graph.node[i];
    return (struct shape){n, node->h, node->w, node->c};
}

struct cell *cell_create(const struct op *op, const struct block_place *place,
                         enum activation act, const char *name, struct layout *weights,
                         struct layout *statistics)
{
    struct cell *cell = memory_zeroed(1, sizeof(*cell));
    graph_init(&cell->graph, op, place);
    cell->act = act;
    for (int i = 1; i < cell->graph.n; i++) {
        node_init(cell, i, name, weights, statistics);
        cell->bn[i] = cell->channels;
        cell->tensor[i] = cell->floats;
        if (node_has_weights(&cell->graph.node[i]))
            cell->channels += (int)channels_padded(cell->graph.node[i].c);
        if (i < cell->graph.n - 1)
            cell->floats += shape_floats(shape_of(cell, i, 1));
    }
    return cell;
}

void cell_free(struct cell *cell)
{
    free(cell);
}

/* --- BN's numbers ----------------------------------------------------------------- */

int cell_bn_channels(const struct cell *cell)
{
    return cell->channels;
}

/* Node i's part of them. */
static struct bn_pass bn_of(const struct cell *cell, int i, const struct bn_pass *all)
{
    const int at = cell->bn[i];
    return (struct bn_pass){
        {all->bn.mean + at, all->bn.rstd + at, all->bn.scale + at, all->bn.shift + at},
        all->variance + at};
}

void cell_bn_each(const struct cell *cell, const struct net_values *net,
                  const struct bn_pass *bn, bn_step *step)
{
    for (int i = 1; i < cell->graph.n; i++) {
        if (!node_has_weights(&cell->graph.node[i]))
            continue;
        const struct bn_pass part = bn_of(cell, i, bn);
        step(&cell->conv[i], net, &part);
    }
}

void cell_update_statistics(const struct cell *cell, int n, double momentum,
                            const struct bn_pass *bn, float *statistics)
{
    for (int i = 1; i < cell->graph.n; i++) {
        if (!node_has_weights(&cell->graph.node[i]))
            continue;
        const struct bn_pass part = bn_of(cell, i, bn);
        conv_bn_update_statistics(&cell->conv[i], shape_pixels(shape_of(cell, i, n)),
                                  momentum, &part, statistics);
    }
}

const char *cell_first_not_finite(const struct cell *cell, const struct bn_pass *bn)
{
    for (int i = 1; i < cell->graph.n; i++) {
        const struct bn_pass part = bn_of(cell, i, bn);
        if (node_has_weights(&cell->graph.node[i]) &&
            !bn_pass_finite(cell->graph.node[i].c, &part))
            return cell->graph.node[i].name;
    }
    return NULL;
}

/* --- Memory ----------------------------------------------------------------------- */

size_t cell_floats(const struct cell *cell, int n)
{
    return (size_t)n * cell->floats;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t node_scratch(const struct cell *cell, int i, int n)
{
    const struct node *node = &cell->graph.node[i];
    const struct shape out = shape_of(cell, i, n),
                       in = shape_of(cell, node->input[0].node, n);
    size_t bytes = larger(activate_scratch(in), batchnorm_scratch(in));
    bytes = larger(bytes, larger(activate_scratch(out), batchnorm_scratch(out)));
    if (node->kind == NODE_POINTWISE)
        bytes = larger(bytes, pointwise_scratch(in, node->c, node->stride));
    if (node->kind == NODE_DEPTHWISE)
        bytes = larger(bytes, depthwise_scratch(in, node->kernel, node->stride));
    return bytes;
}

/* What forward and backward take beside the kernels': a tensor of any node; every
 * BN's sums, coefficients and moments. */
size_t cell_scratch(const struct cell *cell, int n)
{
    size_t bytes = 0, tensor = 0;
    int widest = 1;
    for (int i = 0; i < cell->graph.n; i++) {
        const struct node *node = &cell->graph.node[i];
        tensor = larger(tensor, shape_floats(shape_of(cell, i, n)) * sizeof(float));
        widest = node->c > widest ? node->c : widest;
        if (i > 0)
            bytes = larger(bytes, node_scratch(cell, i, n));
    }
    const size_t channels = (size_t)cell->channels + channels_padded(widest);
    return bytes + tensor + ARENA_BLOCK_EXTRA +
           channels * (2 * sizeof(double) + 3 * sizeof(float)) +
           2 * conv_bn_scratch(widest);
}

/* --- Forward ---------------------------------------------------------------------- */

/* What both directions read. */
struct values {
    const struct cell *cell;
    int n;
    const float *x, *inner;
    const struct bn_pass *bn;
};

static const float *tensor_of(const struct values *v, int i)
{
    return i == 0 ? v->x : v->inner + (size_t)v->n * v->cell->tensor[i];
}

static struct source source_of(const struct values *v, const struct edge *edge)
{
    const float *z = tensor_of(v, edge->node);
    if (!node_has_weights(&v->cell->graph.node[edge->node]))
        return (struct source){.z = z};
    const struct bn_pass bn = bn_of(v->cell, edge->node, v->bn);
    return bn_source(z, &bn, edge->activated ? v->cell->act : ACT_NONE);
}

static struct channels all_of(const struct node *node)
{
    return (struct channels){node->c, 0, 1};
}

static void concat_forward(const struct values *v, const struct node *node, float *y,
                           struct arena *scratch)
{
    struct channels into = all_of(node);
    memset(y, 0,
           shape_floats((struct shape){v->n, node->h, node->w, node->c}) *
               sizeof(float)); /* for the padding */
    for (int e = 0; e < node->n_inputs; e++) {
        const struct edge *edge = &node->input[e];
        const struct node *read = &v->cell->graph.node[edge->node];
        const struct shape shape = shape_of(v->cell, edge->node, v->n);
        const size_t mark = arena_mark(scratch);
        const struct source x = source_of(v, edge);
        const float *plain = x.z;
        if (x.scale) {
            float *made = arena_floats(scratch, shape_floats(shape));
            activate_forward(shape, &x, made);
            plain = made;
        }
        const struct channels of = all_of(read);
        channels_copy(shape_pixels(shape), read->c, plain, &of, y, &into);
        into.first += read->c;
        arena_release(scratch, mark);
    }
}

static struct channels picked(const struct cell *cell, const struct node *node)
{
    return (struct channels){channels_in(&cell->graph, node), node->first, 2};
}

static void pick_forward(const struct values *v, const struct node *node, float *y)
{
    const struct shape shape = {v->n, node->h, node->w, node->c};
    const struct channels of = picked(v->cell, node), into = all_of(node);
    memset(y, 0, shape_floats(shape) * sizeof(float));
    channels_copy(shape_pixels(shape), node->c, tensor_of(v, node->input[0].node), &of,
                  y, &into);
}

void cell_forward(const struct cell *cell, const struct net_values *net, int n,
                  const float *x, enum bn_mode mode, float *inner,
                  const struct bn_pass *bn, float *y, struct arena *scratch)
{
    const struct values v = {cell, n, x, inner, bn};
    for (int i = 1; i < cell->graph.n; i++) {
        const struct node *node = &cell->graph.node[i];
        float *z = i == cell->graph.n - 1 ? y : inner + (size_t)n * cell->tensor[i];
        const struct shape in = shape_of(cell, node->input[0].node, n);
        const struct source read = source_of(&v, &node->input[0]);
        const struct bn_pass part = bn_of(cell, i, bn);
        switch (node->kind) {
        case NODE_POINTWISE:
            pointwise_bn(&cell->conv[i], net, in, node->stride, &read, mode, z, &part,
                         scratch);
            break;
        case NODE_DEPTHWISE:
            depthwise_bn(&cell->conv[i], net, in, node->kernel, node->stride, &read,
                         mode, z, &part, scratch);
            break;
        case NODE_PICK:
            pick_forward(&v, node, z);
            break;
        case NODE_CONCAT:
            concat_forward(&v, node, z, scratch);
            break;
        case NODE_INPUT:
            BUG("an input as node %d", i);
        }
    }
}

/* --- Backward ---------------------------------------------------------------------
 *
 * From the last node to the first. A node's gradient is complete when its turn comes:
 * whoever reads it has handed down a part, the first one by writing, others by adding.
 * A convolution is read once, so its gradient comes with the sums that BN wants.
 */

struct backward {
    struct values v;
    const struct cell_pass *pass;
    const struct net_values *net;
    float *dx;
    size_t begin;
    float *gradients;
    struct bn_sums sums;           /* of all BNs */
    bool written[GRAPH_NODES_MAX]; /* a part has been handed down */
    struct arena *scratch;
};

static float *gradient_of(const struct backward *b, int i)
{
    return i == 0 ? b->dx
                  : b->pass->inner_gradients + (size_t)b->v.n * b->v.cell->tensor[i];
}

static struct bn_sums sums_of(const struct backward *b, int i)
{
    const int at = b->v.cell->bn[i];
    return (struct bn_sums){b->sums.g + at, b->sums.gz + at};
}

/* Where a reader of node i puts its part. */
static struct sink sink_to(struct backward *b, int i)
{
    float *g = gradient_of(b, i);
    const bool first = !b->written[i];
    b->written[i] = true;
    if (!node_has_weights(&b->v.cell->graph.node[i]))
        return (struct sink){.g = g, .add = first ? NULL : g};
    BUG_IF(!first);
    const struct bn_sums sums = sums_of(b, i);
    const struct bn_pass bn = bn_of(b->v.cell, i, b->v.bn);
    return (struct sink){.g = g,
                         .z = tensor_of(&b->v, i),
                         .mean = bn.bn.mean,
                         .sum_g = sums.g,
                         .sum_gz = sums.gz};
}

/* The gradient da of what `edge` reads goes through activation and BN. */
static void hand_down(struct backward *b, const struct edge *edge, const float *da)
{
    const struct source x = source_of(&b->v, edge);
    const struct sink sink = sink_to(b, edge->node);
    activate_backward(shape_of(b->v.cell, edge->node, b->v.n), da, &x, &sink,
                      b->scratch);
}

/* Moves channels of g into a tensor of their own, zero elsewhere, and hands it down. */
static void hand_down_channels(struct backward *b, const struct edge *edge, int count,
                               const float *g, const struct channels *of,
                               const struct channels *into)
{
    const size_t mark = arena_mark(b->scratch);
    const struct shape shape = shape_of(b->v.cell, edge->node, b->v.n);
    float *da = arena_floats(b->scratch, shape_floats(shape));
    memset(da, 0, shape_floats(shape) * sizeof(float));
    channels_copy(shape_pixels(shape), count, g, of, da, into);
    hand_down(b, edge, da);
    arena_release(b->scratch, mark);
}

static void concat_backward(struct backward *b, const struct node *node, const float *g)
{
    struct channels of = all_of(node);
    for (int e = 0; e < node->n_inputs; e++) {
        const struct node *read = &b->v.cell->graph.node[node->input[e].node];
        const struct channels into = all_of(read);
        hand_down_channels(b, &node->input[e], read->c, g, &of, &into);
        of.first += read->c;
    }
}

static void pick_backward(struct backward *b, const struct node *node, const float *g)
{
    const struct channels of = all_of(node), into = picked(b->v.cell, node);
    hand_down_channels(b, &node->input[0], node->c, g, &of, &into);
}

static void conv_backward(struct backward *b, int i, const float *g)
{
    const struct cell *cell = b->v.cell;
    const struct node *node = &cell->graph.node[i];
    const struct edge *edge = &node->input[0];
    const struct shape in = shape_of(cell, edge->node, b->v.n),
                       out = shape_of(cell, i, b->v.n);
    const struct conv_bn *conv = &cell->conv[i];
    const struct bn_pass bn = bn_of(cell, i, b->v.bn);
    const struct bn_sums sums = sums_of(b, i);
    const float *z = tensor_of(&b->v, i), *w = b->net->weights + conv->w;
    const size_t mark = arena_mark(b->scratch);
    const struct coefficients c = coefficients_take(node->c, b->scratch);
    const struct gradient dz = conv_bn_backward(
        conv, b->begin, b->net, shape_pixels(out), g, z, &bn, &sums, &c, b->gradients);
    const struct source x = source_of(&b->v, edge);
    const struct sink sink = sink_to(b, edge->node);
    float *dw = b->gradients + (conv->w - b->begin);
    if (node->kind == NODE_POINTWISE)
        pointwise_backward(in, node->c, node->stride, &dz, &x, w, dw, &sink,
                           b->scratch);
    else
        depthwise_backward(in, node->kernel, node->stride, &dz, &x, w, dw, &sink,
                           b->scratch);
    arena_release(b->scratch, mark);
}

void cell_backward(const struct cell *cell, const struct net_values *net,
                   const struct cell_pass *pass, size_t begin, float *gradients,
                   const struct sink *dx, struct arena *scratch)
{
    const size_t mark = arena_mark(scratch);
    struct backward b = {.v = {cell, pass->n, pass->x, pass->inner, pass->bn},
                         .pass = pass,
                         .net = net,
                         .dx = dx->g,
                         .begin = begin,
                         .gradients = gradients,
                         .sums = bn_sums_take(cell->channels, scratch),
                         .scratch = scratch};
    BUG_IF(dx->add);
    for (int i = cell->graph.n - 1; i > 0; i--) {
        const struct node *node = &cell->graph.node[i];
        const float *g = i == cell->graph.n - 1 ? pass->dy : gradient_of(&b, i);
        if (node->kind == NODE_CONCAT)
            concat_backward(&b, node, g);
        else if (node->kind == NODE_PICK)
            pick_backward(&b, node, g);
        else
            conv_backward(&b, i, g);
    }
    arena_release(scratch, mark);
    if (dx->sum_g)
        batchnorm_gradient_sums(shape_of(cell, 0, pass->n), dx->g, dx->z, dx->mean,
                                dx->sum_g, dx->sum_gz, scratch);
}
