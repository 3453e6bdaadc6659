/* block.c - see block.h. */
#include "net/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "tensor/depthwise.h"
#include "tensor/expand_depthwise.h"
#include "tensor/pointwise.h"

/* Building. */

static size_t add_vector(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int c, enum array_init init)
{
    struct layout_array *a =
        layout_add(layout, prefix, name, description, 1, &(size_t){(size_t)c}, 1);
    a->init = init;
    return a->offset;
}

static size_t add_weight(struct layout *layout, const char *prefix, const char *name,
                         const char *description, int rank, const size_t *shape,
                         int inner, double fan_out)
{
    struct layout_array *a =
        layout_add(layout, prefix, name, description, rank, shape, inner);
    a->init = INIT_NORMAL;
    a->spread = (float)sqrt(2.0 / fan_out);
    a->decay = true;
    return a->offset;
}

void conv_bn_init(struct conv_bn *conv, const char *prefix, const char *name, int k,
                  int rank, const size_t *shape, int inner, double fan_out,
                  struct layout *weights, struct layout *statistics)
{
    char place[LAYOUT_NAME_SIZE];
    BUG_IF(snprintf(place, sizeof(place), "%s/%s", prefix, name) >= (int)sizeof(place));
    conv->k = k;
    conv->w = add_weight(weights, place, "weight", "convolution weight", rank, shape,
                         inner, fan_out);
    conv->gamma = add_vector(weights, place, "gamma",
                             "scale of the batch normalisation", k, INIT_ONE);
    conv->beta = add_vector(weights, place, "beta", "shift of the batch normalisation",
                            k, INIT_ZERO);
    conv->mean = add_vector(statistics, place, "mean", "running mean", k, INIT_ZERO);
    conv->variance = add_vector(statistics, place, "variance",
                                "running variance (unbiased)", k, INIT_ONE);
}

static void pointwise_init(struct conv_bn *conv, const char *prefix, const char *name,
                           int c, int k, struct layout *weights,
                           struct layout *statistics)
{
    conv_bn_init(conv, prefix, name, k, 2, (size_t[]){(size_t)k, (size_t)c}, 1, k,
                 weights, statistics);
}

static void se_init(struct block *block, struct layout *weights)
{
    char place[LAYOUT_NAME_SIZE];
    BUG_IF(snprintf(place, sizeof(place), "%s/se", block->name) >= (int)sizeof(place));
    size_t c = (size_t)block->expanded, r = (size_t)block->se_reduced;
    block->se_w1 = add_weight(weights, place, "reduce_weight",
                              "squeeze-and-excitation, to the"
                              " narrow width",
                              2, (size_t[]){r, c}, 1, (double)r);
    block->se_b1 = add_vector(weights, place, "reduce_bias", "its bias",
                              block->se_reduced, INIT_ZERO);
    block->se_w2 = add_weight(weights, place, "expand_weight",
                              "squeeze-and-excitation, back to the"
                              " full width",
                              2, (size_t[]){c, r}, 1, (double)c);
    block->se_b2 = add_vector(weights, place, "expand_bias", "its bias",
                              block->expanded, INIT_ZERO);
}

static void mbconv_init(struct block *block, const struct space *space,
                        struct layout *weights, struct layout *statistics)
{
    const struct op *op = &block->op;
    const struct block_place *at = &block->place;
    size_t r = (size_t)op->kernel, e = (size_t)block->expanded;
    block->has_expand = op->expansion > 1;
    block->residual = block_keeps_shape(at);
    if (block->has_expand)
        pointwise_init(&block->expand, block->name, "expand", at->c, block->expanded,
                       weights, statistics);
    conv_bn_init(&block->depthwise, block->name, "depthwise", block->expanded, 3,
                 (size_t[]){r, r, e}, 1, (double)(r * r * e), weights, statistics);
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
    if (op->kind == OP_MBCONV) {
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

void bn_pass_take(int c, struct arena *arena, struct bn_pass *bn)
{
    size_t floats = channels_padded(c);
    float *p = arena_floats(arena, 5 * floats);
    bn->bn = (struct batchnorm){p, p + floats, p + 2 * floats, p + 3 * floats};
    bn->variance = p + 4 * floats;
}

void block_take_output(const struct block *b, int n, struct arena *arena,
                       struct block_tensors *t)
{
    if (!b->passes)
        t->y = arena_floats(arena, shape_floats(shape_out(b, n)));
}

void block_take_bn(const struct block *b, struct arena *arena, struct block_tensors *t)
{
    if (b->has_expand)
        bn_pass_take(b->expanded, arena, &t->bn1);
    if (b->op.kind == OP_MBCONV)
        bn_pass_take(b->expanded, arena, &t->bn2);
    if (!b->passes)
        bn_pass_take(b->place.k, arena, &t->bn3);
}

void block_take_inner(const struct block *b, int n, struct arena *arena,
                      struct block_tensors *t)
{
    if (b->passes)
        return;
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
    if (b->op.kind == OP_IDENTITY)
        return pointwise_scratch(shape_in(b, n), b->place.k, b->place.stride) +
               4 * sizeof(double) * channels_padded(b->place.k) + 16384;
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
    /* ... and the moments of one convolution, in up to two blocks of the arena. */
    size_t wide = channels_padded(b->expanded > b->place.k ? b->expanded : b->place.k);
    return bytes + 4 * sizeof(double) * wide + 16384;
}

/* Forward. */

struct moments conv_bn_moments(const struct conv_bn *conv, const struct net_values *net,
                               struct arena *scratch)
{
    double *sums = arena_doubles(scratch, 2 * channels_padded(conv->k));
    return (struct moments){net->statistics + conv->mean, sums,
                            sums + channels_padded(conv->k)};
}

void conv_bn_finish(const struct conv_bn *conv, const struct net_values *net,
                    size_t pixels, const struct moments *moments,
                    const struct bn_pass *bn)
{
    batchnorm_from_moments(conv->k, pixels, moments, net->weights + conv->gamma,
                           net->weights + conv->beta, &bn->bn, bn->variance);
}

static struct source activated(const float *z, const struct bn_pass *bn,
                               enum activation act)
{
    return (struct source){
        .z = z, .scale = bn->bn.scale, .shift = bn->bn.shift, .act = act};
}

static struct squeeze_excite se_of(const struct block *b, const float *weights)
{
    return (struct squeeze_excite){
        b->se_reduced,      b->se_act,          b->se_gate,        weights + b->se_w1,
        weights + b->se_b1, weights + b->se_w2, weights + b->se_b2};
}

/* z = w * x, and its BN's numbers. */
static void pointwise_bn(const struct conv_bn *conv, const struct net_values *net,
                         struct shape in, int stride, const struct source *x,
                         enum bn_mode mode, float *z, const struct bn_pass *bn,
                         struct arena *scratch)
{
    size_t mark = arena_mark(scratch);
    struct moments moments = {0};
    if (mode == BN_BATCH)
        moments = conv_bn_moments(conv, net, scratch);
    pointwise_forward(in, conv->k, stride, x, net->weights + conv->w, z, &moments,
                      scratch);
    struct shape out = {in.n, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1,
                        conv->k};
    if (mode == BN_BATCH)
        conv_bn_finish(conv, net, shape_pixels(out), &moments, bn);
    arena_release(scratch, mark);
}

static struct moments depthwise_moments(const struct block *b,
                                        const struct net_values *net, enum bn_mode mode,
                                        struct arena *scratch)
{
    if (mode == BN_BATCH)
        return conv_bn_moments(&b->depthwise, net, scratch);
    return (struct moments){0};
}

static void depthwise_bn_finish(const struct block *b, const struct net_values *net,
                                int n, enum bn_mode mode, const struct moments *moments,
                                const struct bn_pass *bn)
{
    if (mode == BN_BATCH)
        conv_bn_finish(&b->depthwise, net, shape_pixels(shape_depthwise(b, n)), moments,
                       bn);
}

static void depthwise_bn(const struct block *b, const struct net_values *net, int n,
                         const struct source *x, enum bn_mode mode, float *z,
                         const struct bn_pass *bn, struct arena *scratch)
{
    size_t mark = arena_mark(scratch);
    struct moments moments = depthwise_moments(b, net, mode, scratch);
    depthwise_forward(shape_expanded(b, n), b->op.kernel, b->place.stride, x,
                      net->weights + b->depthwise.w, z, &moments, scratch);
    depthwise_bn_finish(b, net, n, mode, &moments, bn);
    arena_release(scratch, mark);
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
        .scale = t->bn1.bn.scale,
        .shift = mode == BN_BATCH ? t->shift1 : t->bn1.bn.shift,
        .w2 = net->weights + b->depthwise.w};
}

/* bn1 and bn2 too. */
static void fused_bn(const struct block *b, const struct net_values *net, int n,
                     const struct source *x, enum bn_mode mode,
                     const struct block_tensors *t, struct arena *scratch)
{
    size_t mark = arena_mark(scratch);
    const struct batchnorm *bn1 = &t->bn1.bn;
    const float *w = net->weights + b->expand.w;
    if (mode == BN_BATCH) {
        gram_of(shape_in(b, n), x, &t->gram, scratch);
        gram_statistics(shape_in(b, n), b->expanded, &t->gram, w, bn1->mean,
                        t->bn1.variance, scratch);
        batchnorm_from_statistics(b->expanded, bn1->mean, t->bn1.variance,
                                  net->weights + b->expand.gamma,
                                  net->weights + b->expand.beta, bn1);
        gram_shift(b->place.c, b->expanded, &t->gram, w, bn1->scale, bn1->shift,
                   t->shift1);
    }
    struct moments moments = depthwise_moments(b, net, mode, scratch);
    struct expand_depthwise e = expand_depthwise_of(b, net, n, x, t, mode);
    expand_depthwise_forward(&e, t->z2, &moments, scratch);
    depthwise_bn_finish(b, net, n, mode, &moments, &t->bn2);
    arena_release(scratch, mark);
}

void block_forward(const struct block *b, const struct net_values *net, int n,
                   const struct source *x, enum bn_mode mode, struct block_tensors *t,
                   struct arena *scratch)
{
    BUG_IF(b->passes);
    if (b->op.kind == OP_IDENTITY) {
        pointwise_bn(&b->project, net, shape_in(b, n), b->place.stride, x, mode, t->z3,
                     &t->bn3, scratch);
        batchnorm_apply(shape_out(b, n), t->z3, t->bn3.bn.scale, t->bn3.bn.shift, NULL,
                        t->y);
        return;
    }
    struct source a1 = *x;
    if (b->has_expand && !fused(b)) {
        pointwise_bn(&b->expand, net, shape_in(b, n), 1, x, mode, t->z1, &t->bn1,
                     scratch);
        a1 = activated(t->z1, &t->bn1, b->act);
    }
    if (fused(b))
        fused_bn(b, net, n, x, mode, t, scratch);
    else
        depthwise_bn(b, net, n, &a1, mode, t->z2, &t->bn2, scratch);
    struct source a2 = activated(t->z2, &t->bn2, b->act);
    if (b->se_reduced) {
        struct squeeze_excite se = se_of(b, net->weights);
        squeeze_excite_forward(shape_depthwise(b, n), &a2, &se, &t->se, scratch);
        a2.gate = t->se.gate;
    }
    pointwise_bn(&b->project, net, shape_depthwise(b, n), 1, &a2, mode, t->z3, &t->bn3,
                 scratch);
    BUG_IF(b->residual && x->scale);
    batchnorm_apply(shape_out(b, n), t->z3, t->bn3.bn.scale, t->bn3.bn.shift,
                    b->residual ? x->z : NULL, t->y);
}

/* Backward. */

/* The coefficients of a raw output's gradient, and the gradients of its BN. */
struct coefficients {
    float *ca, *cb, *cc;
};

/* What backward takes: gradients with respect to the two inner BN outputs, SE's gate
 * sums, coefficients and sums of each convolution. */
struct backward_tensors {
    float *g1, *g2, *gate_sum;
    float *gx; /* of a fused block: see struct expand_gradient */
    struct coefficients c1, c2, c3;
    struct bn_sums s1, s2;
};

static struct coefficients coefficients_take(int c, struct arena *arena)
{
    size_t floats = channels_padded(c);
    float *p = arena_floats(arena, 3 * floats);
    return (struct coefficients){p, p + floats, p + 2 * floats};
}

static struct bn_sums sums_take(int c, struct arena *arena)
{
    size_t doubles = channels_padded(c);
    double *p = arena_doubles(arena, 2 * doubles);
    return (struct bn_sums){p, p + doubles};
}

static void backward_take(const struct block *b, int n, struct arena *arena,
                          struct backward_tensors *t)
{
    *t = (struct backward_tensors){0};
    t->c3 = coefficients_take(b->place.k, arena);
    if (b->op.kind == OP_IDENTITY)
        return;
    t->g2 = arena_floats(arena, shape_floats(shape_depthwise(b, n)));
    t->c2 = coefficients_take(b->expanded, arena);
    t->s2 = sums_take(b->expanded, arena);
    if (b->se_reduced)
        t->gate_sum = arena_floats(arena, (size_t)n * channels_padded(b->expanded));
    if (fused(b)) {
        t->gx = arena_floats(arena, channels_padded(b->expanded) *
                                        channels_padded(b->place.c));
        t->s1 = sums_take(b->expanded, arena);
    } else if (b->has_expand) {
        t->g1 = arena_floats(arena, shape_floats(shape_expanded(b, n)));
        t->c1 = coefficients_take(b->expanded, arena);
        t->s1 = sums_take(b->expanded, arena);
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

/* BN's backward of one convolution; returns how to read the gradient of its raw output.
 * `gradients` points at the block's own range, which begins at weight `begin`. */
static struct gradient conv_bn_backward(const struct conv_bn *conv, size_t begin,
                                        const struct net_values *net, size_t pixels,
                                        const float *g, const float *z,
                                        const struct bn_pass *bn,
                                        const struct bn_sums *sums,
                                        const struct coefficients *c, float *gradients)
{
    batchnorm_backward(conv->k, pixels, net->weights + conv->gamma, &bn->bn, sums->g,
                       sums->gz, c->ca, c->cb, c->cc, gradients + (conv->gamma - begin),
                       gradients + (conv->beta - begin));
    return (struct gradient){g, z, c->ca, c->cb, c->cc, bn->bn.mean};
}

static void project_backward(const struct block *b, const struct net_values *net, int n,
                             const struct block_tensors *t, const struct gradient *dz3,
                             const struct sink *dz2, float *gradients,
                             struct arena *scratch)
{
    struct source a2 = activated(t->z2, &t->bn2, b->act);
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
                  net->weights + b->expand.gamma, &t->bn1.bn, &rest, &unadded, scratch);
}

static void mbconv_backward(const struct block *b, const struct net_values *net, int n,
                            const struct source *x, const struct block_tensors *t,
                            const struct gradient *dz3, float *gradients,
                            const struct sink *dx, const struct backward_tensors *back,
                            struct arena *scratch)
{
    struct sink to_z2 = {.g = back->g2,
                         .z = t->z2,
                         .mean = t->bn2.bn.mean,
                         .sum_g = back->s2.g,
                         .sum_gz = back->s2.gz,
                         .gate_sum = back->gate_sum};
    project_backward(b, net, n, t, dz3, &to_z2, gradients, scratch);
    struct gradient dz2 = conv_bn_backward(
        &b->depthwise, b->begin, net, shape_pixels(shape_depthwise(b, n)), back->g2,
        t->z2, &t->bn2, &back->s2, &back->c2, gradients);
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
    struct source a1 = activated(t->z1, &t->bn1, b->act);
    struct sink to_z1 = {.g = back->g1,
                         .z = t->z1,
                         .mean = t->bn1.bn.mean,
                         .sum_g = back->s1.g,
                         .sum_gz = back->s1.gz};
    depthwise_backward(shape_expanded(b, n), b->op.kernel, b->place.stride, &dz2, &a1,
                       w, dw, &to_z1, scratch);
    struct gradient dz1 =
        conv_bn_backward(&b->expand, b->begin, net, shape_pixels(shape_expanded(b, n)),
                         back->g1, t->z1, &t->bn1, &back->s1, &back->c1, gradients);
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
    struct gradient dz3 =
        conv_bn_backward(&b->project, b->begin, net, shape_pixels(shape_out(b, n)), dy,
                         t->z3, &t->bn3, sums, &back.c3, gradients);
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

void conv_bn_update_statistics(const struct conv_bn *conv, size_t pixels,
                               double momentum, const struct bn_pass *bn,
                               float *statistics)
{
    batchnorm_update_running(conv->k, pixels, momentum, bn->bn.mean, bn->variance,
                             statistics + conv->mean, statistics + conv->variance);
}

void block_update_statistics(const struct block *b, int n, double momentum,
                             const struct block_tensors *t, float *statistics)
{
    if (b->passes)
        return;
    if (b->has_expand)
        conv_bn_update_statistics(&b->expand, shape_pixels(shape_expanded(b, n)),
                                  momentum, &t->bn1, statistics);
    if (b->op.kind == OP_MBCONV)
        conv_bn_update_statistics(&b->depthwise, shape_pixels(shape_depthwise(b, n)),
                                  momentum, &t->bn2, statistics);
    conv_bn_update_statistics(&b->project, shape_pixels(shape_out(b, n)), momentum,
                              &t->bn3, statistics);
}

bool bn_pass_finite(int c, const struct bn_pass *bn)
{
    for (int i = 0; i < c; i++)
        if (!isfinite(bn->bn.mean[i]) || !isfinite(bn->bn.rstd[i]) ||
            !isfinite(bn->bn.scale[i]) || !isfinite(bn->bn.shift[i]))
            return false;
    return true;
}

const char *block_first_not_finite(const struct block *b, const struct block_tensors *t)
{
    if (b->passes)
        return NULL;
    if (b->has_expand && !bn_pass_finite(b->expanded, &t->bn1))
        return "expand";
    if (b->op.kind == OP_MBCONV && !bn_pass_finite(b->expanded, &t->bn2))
        return "depthwise";
    return bn_pass_finite(b->place.k, &t->bn3) ? NULL : "project";
}
