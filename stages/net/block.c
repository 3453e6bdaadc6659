/* block.c - see block.h. */
#include "net/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "net/cell.h"
#include "tensor/depthwise.h"
#include "tensor/expand_depthwise.h"
#include "tensor/pointwise.h"

/* Building. */

static void se_init(struct block *block, struct layout *weights)
{
    char place[LAYOUT_NAME_SIZE];
    BUG_IF(snprintf(place, sizeof(place), "%s/se", block->name) >= (int)sizeof(place));
    size_t c = (size_t)block->expanded, r = (size_t)block->se_reduced;
    block->se_w1 = layout_add_weight(weights, place, "reduce_weight",
                                     "squeeze-and-excitation, to the"
                                     " narrow width",
                                     2, (size_t[]){r, c}, 1, (double)r);
    block->se_b1 = layout_add_vector(weights, place, "reduce_bias", "its bias",
                                     block->se_reduced, INIT_ZERO);
    block->se_w2 = layout_add_weight(weights, place, "expand_weight",
                                     "squeeze-and-excitation, back to the"
                                     " full width",
                                     2, (size_t[]){c, r}, 1, (double)c);
    block->se_b2 = layout_add_vector(weights, place, "expand_bias", "its bias",
                                     block->expanded, INIT_ZERO);
}

static void mbconv_init(struct block *block, const struct space *space,
                        struct layout *weights, struct layout *statistics)
{
    const struct op *op = &block->op;
    const struct block_place *at = &block->place;
    block->has_expand = op->expansion > 1;
    block->residual = block_keeps_shape(at);
    if (block->has_expand)
        pointwise_init(&block->expand, block->name, "expand", at->c, block->expanded,
                       weights, statistics);
    depthwise_init(&block->depthwise, block->name, "depthwise", op->kernel,
                   block->expanded, weights, statistics);
    if (op->squeeze_excite) {
        block->se_reduced = space_se_channels(space, op, at->c);
        se_init(block, weights);
    }
    pointwise_init(&block->project, block->name, "project", block->expanded, at->k,
                   weights, statistics);
}

void block_init(struct block *block, const char *name, const struct space *space,
                const struct op *op, const struct block_place *place,
                const struct block_style *style, struct layout *weights,
                struct layout *statistics)
{
    *block = (struct block){.op = *op,
                            .place = *place,
                            .act = style->act,
                            .se_act = style->se_act,
                            .se_gate = style->se_gate,
                            .begin = weights->floats};
    BUG_IF(snprintf(block->name, sizeof(block->name), "%s", name) >=
           (int)sizeof(block->name));
    if (op_has_graph(op)) {
        block->cell = cell_create(op, place, style->act, name, weights, statistics);
    } else if (op->kind == OP_MBCONV) {
        block->expanded = op_expanded_channels(op, place->c);
        mbconv_init(block, space, weights, statistics);
    } else if (block_keeps_shape(place)) {
        block->passes = true;
    } else {
        pointwise_init(&block->project, name, "project", place->c, place->k, weights,
                       statistics);
    }
    block->end = weights->floats;
}

void block_release(struct block *block)
{
    cell_free(block->cell);
    block->cell = NULL;
}

bool block_is_built(const struct block *block)
{
    return *block->name;
}

/* Shapes. */

static struct shape shape_in(const struct block *b, int n)
{
    return (struct shape){n, b->place.h, b->place.w, b->place.c};
}

static struct shape shape_expanded(const struct block *b, int n)
{
    return (struct shape){n, b->place.h, b->place.w, b->expanded};
}

static struct shape shape_depthwise(const struct block *b, int n)
{
    return (struct shape){n, b->place.p, b->place.q, b->expanded};
}

static struct shape shape_out(const struct block *b, int n)
{
    return (struct shape){n, b->place.p, b->place.q, b->place.k};
}

/* Whether the expanded tensor is never made as a whole. It is then made twice, for
 * backward once more, which pays where it would not stay in a cache: from 28 x 28
 * pixels on (stages/tensor/README.md). */
static bool fused(const struct block *b)
{
    return b->has_expand && b->place.h * b->place.w >= 28 * 28;
}

/* Memory. */

void block_take_output(const struct block *b, int n, struct arena *arena,
                       struct block_tensors *t)
{
    if (!b->passes)
        t->y = arena_floats(arena, shape_floats(shape_out(b, n)));
}

void block_bn_channels(const struct block *b, int channels[BLOCK_BNS])
{
    const bool mbconv = b->op.kind == OP_MBCONV;
    channels[0] = b->has_expand ? b->expanded : 0;
    channels[1] = mbconv ? b->expanded : 0;
    channels[2] = b->cell ? cell_bn_channels(b->cell) : b->passes ? 0 : b->place.k;
}

void block_take_bn(const struct block *b, struct arena *arena, struct block_tensors *t)
{
    int channels[BLOCK_BNS];
    block_bn_channels(b, channels);
    for (int i = 0; i < BLOCK_BNS; i++)
        if (channels[i])
            bn_pass_take(channels[i], arena, &t->bn[i]);
}

void block_take_inner(const struct block *b, int n, struct arena *arena,
                      struct block_tensors *t)
{
    if (b->passes)
        return;
    if (b->cell) {
        t->z2 = arena_floats(arena, cell_floats(b->cell, n));
        return;
    }
    if (fused(b)) {
        gram_take(b->place.c, arena, &t->gram);
        t->shift1 = arena_floats(arena, channels_padded(b->expanded));
    } else if (b->has_expand) {
        t->z1 = arena_floats(arena, shape_floats(shape_expanded(b, n)));
    }
    if (b->op.kind == OP_MBCONV)
        t->z2 = arena_floats(arena, shape_floats(shape_depthwise(b, n)));
    t->z3 = arena_floats(arena, shape_floats(shape_out(b, n)));
    if (b->se_reduced) {
        size_t wide = (size_t)n * channels_padded(b->expanded);
        size_t narrow = (size_t)n * channels_padded(b->se_reduced);
        t->se.pooled = arena_floats(arena, wide);
        t->se.hidden_pre = arena_floats(arena, narrow);
        t->se.gate_pre = arena_floats(arena, wide);
        t->se.gate = arena_floats(arena, wide);
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t block_scratch(const struct block *b, int n)
{
    if (b->passes)
        return 0;
    if (b->cell)
        return cell_scratch(b->cell, n);
    if (b->op.kind == OP_IDENTITY)
        return pointwise_scratch(shape_in(b, n), b->place.k, b->place.stride) +
               conv_bn_scratch(b->place.k);
    size_t bytes =
        depthwise_scratch(shape_expanded(b, n), b->op.kernel, b->place.stride);
    bytes = larger(bytes, pointwise_scratch(shape_depthwise(b, n), b->place.k, 1));
    if (fused(b)) {
        bytes = larger(bytes, expand_depthwise_scratch(shape_in(b, n), b->expanded,
                                                       b->op.kernel, b->place.stride));
        bytes = larger(bytes, gram_scratch(shape_in(b, n), b->expanded));
    } else if (b->has_expand) {
        bytes = larger(bytes, pointwise_scratch(shape_in(b, n), b->expanded, 1));
    }
    if (b->se_reduced)
        bytes =
            larger(bytes, squeeze_excite_scratch(shape_depthwise(b, n), b->se_reduced));
    int widest = b->expanded > b->place.k ? b->expanded : b->place.k;
    return bytes + conv_bn_scratch(widest);
}

/* Forward. */

static struct squeeze_excite se_of(const struct block *b, const float *weights)
{
    return (struct squeeze_excite){
        b->se_reduced,      b->se_act,          b->se_gate,        weights + b->se_w1,
        weights + b->se_b1, weights + b->se_w2, weights + b->se_b2};
}

/* A fused block's expansion and depthwise convolution, once bn1 is known; x as gram
 * reads it, if gram was taken. */
static struct expand_depthwise expand_depthwise_of(const struct block *b,
                                                   const struct net_values *net, int n,
                                                   const struct source *x,
                                                   const struct block_tensors *t,
                                                   enum bn_mode mode)
{
    return (struct expand_depthwise){
        .in = shape_in(b, n),
        .expanded = b->expanded,
        .r = b->op.kernel,
        .stride = b->place.stride,
        .x = mode == BN_BATCH ? gram_source(x, &t->gram) : *x,
        .act = b->act,
        .w1 = net->weights + b->expand.w,
        .scale = t->bn[0].bn.scale,
        .shift = mode == BN_BATCH ? t->shift1 : t->bn[0].bn.shift,
        .w2 = net->weights + b->depthwise.w};
}

/* bn1 and bn2 too. */
static void fused_bn(const struct block *b, const struct net_values *net, int n,
                     const struct source *x, enum bn_mode mode,
                     const struct block_tensors *t, struct arena *scratch)
{
    size_t mark = arena_mark(scratch);
    const struct batchnorm *bn1 = &t->bn[0].bn;
    const float *w = net->weights + b->expand.w;
    if (mode == BN_BATCH) {
        gram_of(shape_in(b, n), x, &t->gram, scratch);
        gram_statistics(shape_in(b, n), b->expanded, &t->gram, w, bn1->mean,
                        t->bn[0].variance, scratch);
        batchnorm_from_statistics(b->expanded, bn1->mean, t->bn[0].variance,
                                  net->weights + b->expand.gamma,
                                  net->weights + b->expand.beta, bn1);
        gram_shift(b->place.c, b->expanded, &t->gram, w, bn1->scale, bn1->shift,
                   t->shift1);
    }
    struct moments moments = {0};
    if (mode == BN_BATCH)
        moments = conv_bn_moments(&b->depthwise, net, scratch);
    struct expand_depthwise e = expand_depthwise_of(b, net, n, x, t, mode);
    expand_depthwise_forward(&e, t->z2, &moments, scratch);
    if (mode == BN_BATCH)
        conv_bn_finish(&b->depthwise, net, shape_pixels(shape_depthwise(b, n)),
                       &moments, &t->bn[1]);
    arena_release(scratch, mark);
}

void block_forward(const struct block *b, const struct net_values *net, int n,
                   const struct source *x, enum bn_mode mode, struct block_tensors *t,
                   struct arena *scratch)
{
    BUG_IF(b->passes);
    if (b->cell) {
        BUG_IF(x->scale);
        cell_forward(b->cell, net, n, x->z, mode, t->z2, &t->bn[2], t->y, scratch);
        return;
    }
    if (b->op.kind == OP_IDENTITY) {
        pointwise_bn(&b->project, net, shape_in(b, n), b->place.stride, x, mode, t->z3,
                     &t->bn[2], scratch);
        batchnorm_apply(shape_out(b, n), t->z3, t->bn[2].bn.scale, t->bn[2].bn.shift,
                        NULL, t->y);
        return;
    }
    struct source a1 = *x;
    if (b->has_expand && !fused(b)) {
        pointwise_bn(&b->expand, net, shape_in(b, n), 1, x, mode, t->z1, &t->bn[0],
                     scratch);
        a1 = bn_source(t->z1, &t->bn[0], b->act);
    }
    if (fused(b))
        fused_bn(b, net, n, x, mode, t, scratch);
    else
        depthwise_bn(&b->depthwise, net, shape_expanded(b, n), b->op.kernel,
                     b->place.stride, &a1, mode, t->z2, &t->bn[1], scratch);
    struct source a2 = bn_source(t->z2, &t->bn[1], b->act);
    if (b->se_reduced) {
        struct squeeze_excite se = se_of(b, net->weights);
        squeeze_excite_forward(shape_depthwise(b, n), &a2, &se, &t->se, scratch);
        a2.gate = t->se.gate;
    }
    pointwise_bn(&b->project, net, shape_depthwise(b, n), 1, &a2, mode, t->z3,
                 &t->bn[2], scratch);
    BUG_IF(b->residual && x->scale);
    batchnorm_apply(shape_out(b, n), t->z3, t->bn[2].bn.scale, t->bn[2].bn.shift,
                    b->residual ? x->z : NULL, t->y);
}

/* Backward. */

/* What backward takes: gradients with respect to the two inner BN outputs, SE's gate
 * sums, coefficients and sums of each convolution. */
struct backward_tensors {
    float *g1, *g2, *gate_sum;
    float *gx; /* of a fused block: see struct expand_gradient */
    struct coefficients c1, c2, c3;
    struct bn_sums s1, s2;
};

static void backward_take(const struct block *b, int n, struct arena *arena,
                          struct backward_tensors *t)
{
    *t = (struct backward_tensors){0};
    if (b->cell) {
        t->g2 = arena_floats(arena, cell_floats(b->cell, n));
        return;
    }
    t->c3 = coefficients_take(b->place.k, arena);
    if (b->op.kind == OP_IDENTITY)
        return;
    t->g2 = arena_floats(arena, shape_floats(shape_depthwise(b, n)));
    t->c2 = coefficients_take(b->expanded, arena);
    t->s2 = bn_sums_take(b->expanded, arena);
    if (b->se_reduced)
        t->gate_sum = arena_floats(arena, (size_t)n * channels_padded(b->expanded));
    if (fused(b)) {
        t->gx = arena_floats(arena, channels_padded(b->expanded) *
                                        channels_padded(b->place.c));
        t->s1 = bn_sums_take(b->expanded, arena);
    } else if (b->has_expand) {
        t->g1 = arena_floats(arena, shape_floats(shape_expanded(b, n)));
        t->c1 = coefficients_take(b->expanded, arena);
        t->s1 = bn_sums_take(b->expanded, arena);
    }
}

void block_plan_backward(const struct block *b, int n, struct arena *arena)
{
    size_t mark = arena_mark(arena);
    struct backward_tensors t;
    if (!b->passes)
        backward_take(b, n, arena, &t);
    arena_release(arena, mark);
}

static void project_backward(const struct block *b, const struct net_values *net, int n,
                             const struct block_tensors *t, const struct gradient *dz3,
                             const struct sink *dz2, float *gradients,
                             struct arena *scratch)
{
    struct source a2 = bn_source(t->z2, &t->bn[1], b->act);
    if (b->se_reduced)
        a2.gate = t->se.gate;
    pointwise_backward(shape_depthwise(b, n), b->place.k, 1, dz3, &a2,
                       net->weights + b->project.w,
                       gradients + (b->project.w - b->begin), dz2, scratch);
    if (!b->se_reduced)
        return;
    struct squeeze_excite se = se_of(b, net->weights);
    struct squeeze_excite_gradient dse = {
        gradients + (b->se_w1 - b->begin), gradients + (b->se_b1 - b->begin),
        gradients + (b->se_w2 - b->begin), gradients + (b->se_b2 - b->begin)};
    squeeze_excite_backward(shape_depthwise(b, n), &a2, &se, &t->se, &dse, dz2,
                            scratch);
}

static void fused_backward(const struct block *b, const struct net_values *net, int n,
                           const struct source *x, const struct block_tensors *t,
                           const struct gradient *dz2, float *gradients,
                           const struct sink *dx, const struct backward_tensors *back,
                           struct arena *scratch)
{
    struct expand_depthwise e = expand_depthwise_of(b, net, n, x, t, BN_BATCH);
    struct expand_gradient to = {.dw2 = gradients + (b->depthwise.w - b->begin),
                                 .sum_g = back->s1.g,
                                 .gx = back->gx,
                                 .y = dx->g,
                                 .add = dx->add};
    expand_depthwise_backward(&e, dz2, &to, scratch);
    struct gram_gradient rest = {.sum_g = back->s1.g,
                                 .gx = back->gx,
                                 .dw = gradients + (b->expand.w - b->begin),
                                 .dgamma = gradients + (b->expand.gamma - b->begin),
                                 .dbeta = gradients + (b->expand.beta - b->begin)};
    struct sink unadded = *dx;
    unadded.add = NULL;
    gram_backward(shape_in(b, n), b->expanded, x, &t->gram, e.w1,
                  net->weights + b->expand.gamma, &t->bn[0].bn, &rest, &unadded,
                  scratch);
}

static void mbconv_backward(const struct block *b, const struct net_values *net, int n,
                            const struct source *x, const struct block_tensors *t,
                            const struct gradient *dz3, float *gradients,
                            const struct sink *dx, const struct backward_tensors *back,
                            struct arena *scratch)
{
    struct sink to_z2 = {.g = back->g2,
                         .z = t->z2,
                         .mean = t->bn[1].bn.mean,
                         .sum_g = back->s2.g,
                         .sum_gz = back->s2.gz,
                         .gate_sum = back->gate_sum};
    project_backward(b, net, n, t, dz3, &to_z2, gradients, scratch);
    struct gradient dz2 = conv_bn_backward(
        &b->depthwise, b->begin, net, shape_pixels(shape_depthwise(b, n)), back->g2,
        t->z2, &t->bn[1], &back->s2, &back->c2, gradients);
    if (fused(b)) {
        fused_backward(b, net, n, x, t, &dz2, gradients, dx, back, scratch);
        return;
    }
    float *dw = gradients + (b->depthwise.w - b->begin);
    const float *w = net->weights + b->depthwise.w;
    if (!b->has_expand) {
        depthwise_backward(shape_in(b, n), b->op.kernel, b->place.stride, &dz2, x, w,
                           dw, dx, scratch);
        return;
    }
    struct source a1 = bn_source(t->z1, &t->bn[0], b->act);
    struct sink to_z1 = {.g = back->g1,
                         .z = t->z1,
                         .mean = t->bn[0].bn.mean,
                         .sum_g = back->s1.g,
                         .sum_gz = back->s1.gz};
    depthwise_backward(shape_expanded(b, n), b->op.kernel, b->place.stride, &dz2, &a1,
                       w, dw, &to_z1, scratch);
    struct gradient dz1 =
        conv_bn_backward(&b->expand, b->begin, net, shape_pixels(shape_expanded(b, n)),
                         back->g1, t->z1, &t->bn[0], &back->s1, &back->c1, gradients);
    pointwise_backward(shape_in(b, n), b->expanded, 1, &dz1, x,
                       net->weights + b->expand.w, gradients + (b->expand.w - b->begin),
                       dx, scratch);
}

void block_backward(const struct block *b, const struct net_values *net, int n,
                    const struct source *x, const struct block_tensors *t,
                    const float *dy, const struct bn_sums *sums, float *gradients,
                    const struct sink *dx, struct arena *arena, struct arena *scratch)
{
    BUG_IF(b->passes);
    size_t mark = arena_mark(arena);
    struct backward_tensors back;
    backward_take(b, n, arena, &back);
    if (b->cell) {
        const struct cell_pass pass = {n, x->z, t->z2, &t->bn[2], dy, back.g2};
        cell_backward(b->cell, net, &pass, b->begin, gradients, dx, scratch);
        arena_release(arena, mark);
        return;
    }
    struct gradient dz3 =
        conv_bn_backward(&b->project, b->begin, net, shape_pixels(shape_out(b, n)), dy,
                         t->z3, &t->bn[2], sums, &back.c3, gradients);
    struct sink to_x = *dx;
    to_x.add = b->residual ? dy : NULL;
    if (b->op.kind == OP_IDENTITY)
        pointwise_backward(shape_in(b, n), b->place.k, b->place.stride, &dz3, x,
                           net->weights + b->project.w,
                           gradients + (b->project.w - b->begin), &to_x, scratch);
    else
        mbconv_backward(b, net, n, x, t, &dz3, gradients, &to_x, &back, scratch);
    arena_release(arena, mark);
}

/* Statistics. */

/* Calls `number` for each BN of a block that is no cell. */
static void each_bn(const struct block *b, const struct net_values *net,
                    struct bn_pass bn[BLOCK_BNS], bn_step *number)
{
    const struct conv_bn *conv[BLOCK_BNS] = {&b->expand, &b->depthwise, &b->project};
    int channels[BLOCK_BNS];
    block_bn_channels(b, channels);
    for (int i = 0; i < BLOCK_BNS; i++)
        if (channels[i])
            number(conv[i], net, &bn[i]);
}

void block_bn_given(const struct block *b, const struct net_values *net,
                    struct bn_pass bn[BLOCK_BNS])
{
    if (b->cell)
        cell_bn_each(b->cell, net, &bn[2], conv_bn_given);
    else
        each_bn(b, net, bn, conv_bn_given);
}

void block_bn_running(const struct block *b, const struct net_values *net,
                      struct bn_pass bn[BLOCK_BNS])
{
    if (b->cell)
        cell_bn_each(b->cell, net, &bn[2], conv_bn_running);
    else
        each_bn(b, net, bn, conv_bn_running);
}

void block_update_statistics(const struct block *b, int n, double momentum,
                             const struct block_tensors *t, float *statistics)
{
    if (b->passes)
        return;
    if (b->cell) {
        cell_update_statistics(b->cell, n, momentum, &t->bn[2], statistics);
        return;
    }
    if (b->has_expand)
        conv_bn_update_statistics(&b->expand, shape_pixels(shape_expanded(b, n)),
                                  momentum, &t->bn[0], statistics);
    if (b->op.kind == OP_MBCONV)
        conv_bn_update_statistics(&b->depthwise, shape_pixels(shape_depthwise(b, n)),
                                  momentum, &t->bn[1], statistics);
    conv_bn_update_statistics(&b->project, shape_pixels(shape_out(b, n)), momentum,
                              &t->bn[2], statistics);
}

const char *block_first_not_finite(const struct block *b, const struct block_tensors *t)
{
    if (b->passes)
        return NULL;
    if (b->cell)
        return cell_first_not_finite(b->cell, &t->bn[2]);
    if (b->has_expand && !bn_pass_finite(b->expanded, &t->bn[0]))
        return "expand";
    if (b->op.kind == OP_MBCONV && !bn_pass_finite(b->expanded, &t->bn[1]))
        return "depthwise";
    return bn_pass_finite(b->place.k, &t->bn[2]) ? NULL : "project";
}
