/* network.c - see network.h. */
#include "net/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "tensor/activate.h"
#include "tensor/classifier.h"
#include "tensor/global_pool.h"
#include "tensor/pointwise.h"
#include "tensor/stem.h"

/* Shapes. */

static struct shape shape_image(const struct supernet *net, int n)
{
    return (struct shape){n, net->space.h, net->space.w, net->space.c};
}

static struct shape shape_stem(const struct supernet *net, int n)
{
    const struct block_place *at = &net->space.stem;
    return (struct shape){n, at->p, at->q, at->k};
}

static struct shape shape_head_in(const struct supernet *net, int n)
{
    const struct space *s = &net->space;
    return (struct shape){n, s->head_h, s->head_w, s->head_c};
}

/* What is pooled: the head convolution's output, or the last block's. */
static struct shape shape_pooled(const struct supernet *net, int n)
{
    struct shape in = shape_head_in(net, n);
    if (net->space.head_channels)
        in.c = net->space.head_channels;
    return in;
}

/* Stem. */

void stem_take(const struct supernet *net, int n, struct arena *arena,
               struct stem_tensors *t)
{
    *t = (struct stem_tensors){0};
    bn_pass_take(net->stem.k, arena, &t->bn);
    t->z = arena_floats(arena, shape_floats(shape_stem(net, n)));
    if (net->stem_stored)
        t->y = arena_floats(arena, shape_floats(shape_stem(net, n)));
}

static struct source stem_activated(const struct supernet *net,
                                    const struct stem_tensors *t)
{
    return (struct source){.z = t->z,
                           .scale = t->bn.bn.scale,
                           .shift = t->bn.bn.shift,
                           .act = net->stem_act};
}

static struct source stem_source(const struct supernet *net,
                                 const struct stem_tensors *t)
{
    return net->stem_stored ? (struct source){.z = t->y} : stem_activated(net, t);
}

struct source stem_pass(const struct supernet *net, int n, const float *images,
                        enum bn_mode mode, struct stem_tensors *t,
                        struct arena *scratch)
{
    struct net_values values = supernet_values(net);
    size_t mark = arena_mark(scratch);
    struct moments moments = {0};
    if (mode == BN_BATCH)
        moments = conv_bn_moments(&net->stem, &values, scratch);
    stem_forward(shape_image(net, n), net->stem.k, net->space.stem_kernel,
                 net->space.stem.stride, images, net->weights + net->stem.w, t->z,
                 &moments, scratch);
    if (mode == BN_BATCH)
        conv_bn_finish(&net->stem, &values, shape_pixels(shape_stem(net, n)), &moments,
                       &t->bn);
    arena_release(scratch, mark);
    if (net->stem_stored) {
        struct source x = stem_activated(net, t);
        activate_forward(shape_stem(net, n), &x, t->y);
    }
    return stem_source(net, t);
}

/* Head. */

void head_take(const struct supernet *net, int n, struct arena *arena,
               struct head_tensors *t)
{
    *t = (struct head_tensors){0};
    if (net->space.head_channels) {
        bn_pass_take(net->head.k, arena, &t->bn);
        t->z = arena_floats(arena, shape_floats(shape_pooled(net, n)));
    }
    struct shape pooled = shape_pooled(net, n);
    t->pooled = arena_floats(arena, (size_t)n * channels_padded(pooled.c));
    t->logits = arena_floats(arena, (size_t)n * channels_padded(net->space.classes));
    t->loss = arena_doubles(arena, (size_t)n);
    t->hit = arena_take(arena, (size_t)n);
}

/* How pooling reads its input: the head convolution's output, or the last block's. */
static struct source pooled_source(const struct supernet *net, const struct source *x,
                                   const struct head_tensors *t)
{
    if (!net->space.head_channels)
        return *x;
    return (struct source){.z = t->z,
                           .scale = t->bn.bn.scale,
                           .shift = t->bn.bn.shift,
                           .act = net->head_act};
}

void head_convolve(const struct supernet *net, int n, const struct source *x,
                   enum bn_mode mode, struct head_tensors *t, struct arena *scratch)
{
    if (!net->space.head_channels)
        return;
    struct net_values values = supernet_values(net);
    struct moments moments = {0};
    size_t mark = arena_mark(scratch);
    if (mode == BN_BATCH)
        moments = conv_bn_moments(&net->head, &values, scratch);
    pointwise_forward(shape_head_in(net, n), net->head.k, 1, x,
                      net->weights + net->head.w, t->z, &moments, scratch);
    if (mode == BN_BATCH)
        conv_bn_finish(&net->head, &values, shape_pixels(shape_pooled(net, n)),
                       &moments, &t->bn);
    arena_release(scratch, mark);
}

void head_classify(const struct supernet *net, int n, const struct source *x,
                   const int *labels, double smoothing, struct head_tensors *t)
{
    struct shape pooled = shape_pooled(net, n);
    struct source read = pooled_source(net, x, t);
    global_pool_forward(pooled, &read, t->pooled);
    dropout_apply(&t->dropout, n, pooled.c, t->pooled);
    linear_forward(n, pooled.c, net->space.classes, t->pooled, net->weights + net->fc_w,
                   net->space.classifier_bias ? net->weights + net->fc_b : NULL,
                   t->logits);
    if (labels)
        cross_entropy(n, net->space.classes, t->logits, labels, smoothing, t->loss,
                      t->hit, NULL);
}

void head_pass(const struct supernet *net, int n, const struct source *x,
               const int *labels, double smoothing, enum bn_mode mode,
               struct head_tensors *t, struct arena *scratch)
{
    head_convolve(net, n, x, mode, t, scratch);
    head_classify(net, n, x, labels, smoothing, t);
}

/* A whole path. */

/* The input of block i: the nearest output before it. producer: index of the block
 * whose output that is, -1 for the stem. */
static struct source chain_source(const struct supernet *net,
                                  const struct network_tensors *t, int i, int *producer)
{
    for (i--; i >= 0; i--)
        if (!t->chain.block[i]->passes)
            break;
    if (producer)
        *producer = i;
    return i < 0 ? stem_source(net, &t->stem) : (struct source){.z = t->block[i].y};
}

void network_take(const struct supernet *net, const struct path *path, int n,
                  struct arena *arena, struct network_tensors *t)
{
    supernet_chain(net, path, &t->chain);
    stem_take(net, n, arena, &t->stem);
    for (int i = 0; i < t->chain.n; i++) {
        t->block[i] = (struct block_tensors){0};
        block_take_output(t->chain.block[i], n, arena, &t->block[i]);
        block_take_bn(t->chain.block[i], arena, &t->block[i]);
        block_take_inner(t->chain.block[i], n, arena, &t->block[i]);
    }
    head_take(net, n, arena, &t->head);
}

void network_forward(const struct supernet *net, int n, const float *images,
                     const int *labels, double smoothing, struct network_tensors *t,
                     struct arena *scratch)
{
    struct net_values values = supernet_values(net);
    stem_pass(net, n, images, BN_BATCH, &t->stem, scratch);
    for (int i = 0; i < t->chain.n; i++) {
        if (t->chain.block[i]->passes)
            continue;
        struct source x = chain_source(net, t, i, NULL);
        block_forward(t->chain.block[i], &values, n, &x, BN_BATCH, &t->block[i],
                      scratch);
    }
    struct source last = chain_source(net, t, t->chain.n, NULL);
    head_pass(net, n, &last, labels, smoothing, BN_BATCH, &t->head, scratch);
}

/* Backward. The gradient of a block's input is the gradient of its producer's output,
 * and is summed over the producer's raw output as it is written; so two buffers and two
 * sets of sums are enough, used in turn. */
struct relay {
    float *g[2];
    struct bn_sums sums[2];
    int now; /* the one that holds the latest gradient */
};

static size_t widest_output(const struct supernet *net, int n)
{
    const struct space *s = &net->space;
    size_t most = shape_floats(shape_stem(net, n));
    for (int i = 0; i < s->n_fixed + s->n_layers; i++) {
        const struct block_place *at =
            i < s->n_fixed ? &s->fixed[i].place : &s->layer[i - s->n_fixed];
        size_t floats = shape_floats((struct shape){n, at->p, at->q, at->k});
        most = floats > most ? floats : most;
    }
    return most;
}

static int most_channels(const struct supernet *net)
{
    const struct space *s = &net->space;
    int most = s->stem.k > s->head_channels ? s->stem.k : s->head_channels;
    for (int i = 0; i < s->n_fixed; i++)
        most = s->fixed[i].place.k > most ? s->fixed[i].place.k : most;
    for (int i = 0; i < s->n_layers; i++)
        most = s->layer[i].k > most ? s->layer[i].k : most;
    return most;
}

static void relay_take(const struct supernet *net, int n, struct arena *arena,
                       struct relay *relay)
{
    for (int i = 0; i < 2; i++) {
        relay->g[i] = arena_floats(arena, widest_output(net, n));
        relay->sums[i] = bn_sums_take(most_channels(net), arena);
    }
    relay->now = 0;
}

/* Where the gradient of the input of block i goes. */
static struct sink relay_sink(const struct supernet *net, const struct relay *relay,
                              const struct network_tensors *t, int i)
{
    int producer, next = !relay->now;
    chain_source(net, t, i, &producer);
    struct sink sink = {.g = relay->g[next]};
    /* No BN made this input, or several. */
    if (producer < 0 ? net->stem_stored : t->chain.block[producer]->cell != NULL)
        return sink;
    sink.sum_g = relay->sums[next].g;
    sink.sum_gz = relay->sums[next].gz;
    sink.z = producer < 0 ? t->stem.z : t->block[producer].z3;
    sink.mean = producer < 0 ? t->stem.bn.bn.mean : t->block[producer].bn[2].bn.mean;
    return sink;
}

/* From the loss to the gradient of the last block's output. */
static void head_backward(const struct supernet *net, int n, const int *labels,
                          double smoothing, const struct network_tensors *t,
                          struct relay *relay, struct workspace *workspace)
{
    struct arena *arena = workspace->tensors, *scratch = workspace->scratch;
    size_t mark = arena_mark(arena);
    struct net_values values = supernet_values(net);
    struct shape pooled = shape_pooled(net, n);
    int classes = net->space.classes;
    float *gradients = workspace->gradients;
    float *dlogits = arena_floats(arena, (size_t)n * channels_padded(classes));
    float *dpooled = arena_floats(arena, (size_t)n * channels_padded(pooled.c));
    cross_entropy(n, classes, t->head.logits, labels, smoothing, NULL, NULL, dlogits);
    linear_backward(n, pooled.c, classes, dlogits, t->head.pooled,
                    net->weights + net->fc_w, gradients + net->fc_w,
                    net->space.classifier_bias ? gradients + net->fc_b : NULL, dpooled,
                    scratch);
    dropout_apply(&t->head.dropout, n, pooled.c, dpooled);
    struct source x = chain_source(net, t, t->chain.n, NULL);
    struct source read = pooled_source(net, &x, &t->head);
    struct sink to_last = relay_sink(net, relay, t, t->chain.n);
    if (!net->space.head_channels) {
        global_pool_backward(pooled, dpooled, &read, &to_last, scratch);
    } else {
        struct bn_sums s = bn_sums_take(pooled.c, arena);
        float *g = arena_floats(arena, shape_floats(pooled));
        struct sink to_head = {.g = g,
                               .z = t->head.z,
                               .mean = t->head.bn.bn.mean,
                               .sum_g = s.g,
                               .sum_gz = s.gz};
        global_pool_backward(pooled, dpooled, &read, &to_head, scratch);
        struct coefficients c = coefficients_take(pooled.c, arena);
        struct gradient dz =
            conv_bn_backward(&net->head, 0, &values, shape_pixels(pooled), g, t->head.z,
                             &t->head.bn, &s, &c, gradients);
        pointwise_backward(shape_head_in(net, n), net->head.k, 1, &dz, &x,
                           net->weights + net->head.w, gradients + net->head.w,
                           &to_last, scratch);
    }
    relay->now = !relay->now;
    arena_release(arena, mark);
}

static void stem_pass_backward(const struct supernet *net, int n, const float *images,
                               const struct network_tensors *t, struct relay *relay,
                               struct workspace *workspace)
{
    struct arena *arena = workspace->tensors, *scratch = workspace->scratch;
    size_t mark = arena_mark(arena);
    if (net->stem_stored) {
        int next = !relay->now;
        struct source x = stem_activated(net, &t->stem);
        struct sink to_z = {.g = relay->g[next],
                            .z = t->stem.z,
                            .mean = t->stem.bn.bn.mean,
                            .sum_g = relay->sums[next].g,
                            .sum_gz = relay->sums[next].gz};
        activate_backward(shape_stem(net, n), relay->g[relay->now], &x, &to_z, scratch);
        relay->now = next;
    }
    struct net_values values = supernet_values(net);
    struct coefficients c = coefficients_take(net->stem.k, arena);
    struct gradient dz = conv_bn_backward(
        &net->stem, 0, &values, shape_pixels(shape_stem(net, n)), relay->g[relay->now],
        t->stem.z, &t->stem.bn, &relay->sums[relay->now], &c, workspace->gradients);
    stem_backward(shape_image(net, n), net->stem.k, net->space.stem_kernel,
                  net->space.stem.stride, &dz, images,
                  workspace->gradients + net->stem.w, scratch);
    arena_release(arena, mark);
}

void network_backward(const struct supernet *net, const struct path *path, int n,
                      const float *images, const int *labels, double smoothing,
                      const struct network_tensors *t, struct workspace *workspace)
{
    struct arena *arena = workspace->tensors;
    struct net_values values = supernet_values(net);
    struct path_range range[SPACE_LAYERS_MAX + 1];
    supernet_path_ranges(net, path, range, NULL);
    size_t mark = arena_mark(arena);
    struct relay relay;
    relay_take(net, n, arena, &relay);
    head_backward(net, n, labels, smoothing, t, &relay, workspace);
    for (int i = t->chain.n - 1; i >= 0; i--) {
        const struct block *b = t->chain.block[i];
        if (b->passes)
            continue;
        /* A fixed block's gradients lie in the shared range, a layer's in its own. */
        int layer = i - net->space.n_fixed;
        float *gradients =
            workspace->gradients + (layer < 0 ? b->begin : range[layer + 1].gradient);
        struct source x = chain_source(net, t, i, NULL);
        struct sink dx = relay_sink(net, &relay, t, i);
        block_backward(b, &values, n, &x, &t->block[i], relay.g[relay.now],
                       &relay.sums[relay.now], gradients, &dx, arena,
                       workspace->scratch);
        relay.now = !relay.now;
    }
    stem_pass_backward(net, n, images, t, &relay, workspace);
    arena_release(arena, mark);
}

void network_update_statistics(struct supernet *net, int n, double momentum,
                               const struct network_tensors *t)
{
    conv_bn_update_statistics(&net->stem, shape_pixels(shape_stem(net, n)), momentum,
                              &t->stem.bn, net->statistics);
    for (int i = 0; i < t->chain.n; i++)
        block_update_statistics(t->chain.block[i], n, momentum, &t->block[i],
                                net->statistics);
    if (net->space.head_channels)
        conv_bn_update_statistics(&net->head, shape_pixels(shape_pooled(net, n)),
                                  momentum, &t->head.bn, net->statistics);
}

bool network_first_not_finite(const struct supernet *net,
                              const struct network_tensors *t, char *place, size_t size)
{
    if (!bn_pass_finite(net->stem.k, &t->stem.bn)) {
        snprintf(place, size, "stem");
        return true;
    }
    for (int i = 0; i < t->chain.n; i++) {
        const char *part = block_first_not_finite(t->chain.block[i], &t->block[i]);
        if (part) {
            snprintf(place, size, "%s, %s", t->chain.block[i]->name, part);
            return true;
        }
    }
    snprintf(place, size, "head");
    return net->space.head_channels && !bn_pass_finite(net->head.k, &t->head.bn);
}

/* Memory: the code that takes is run once on a planning arena, for the path whose every
 * block takes the most. */

/* Output tensors (both figures), inner tensors: of one block. */
static size_t planned(const struct block *b, int n, bool output, bool inner)
{
    struct arena *plan = arena_create_planning();
    struct block_tensors t = {0};
    if (output) {
        block_take_output(b, n, plan, &t);
        block_take_bn(b, plan, &t);
    }
    if (inner)
        block_take_inner(b, n, plan, &t);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes;
}

/* Each take may be pushed to the next alignment and skew: this much at most. */
enum { TAKE_SLACK = 16384 };

struct plan {
    size_t kept_train, kept_score, inner_most, backward_most, scratch_most;
};

static size_t backward_bytes(const struct block *b, int n)
{
    struct arena *plan = arena_create_planning();
    block_plan_backward(b, n, plan);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes;
}

static void raise_to(size_t *most, size_t bytes)
{
    if (bytes > *most)
        *most = bytes;
}

static void plan_place(const struct block *choice, int n_choices, int train, int score,
                       struct plan *plan)
{
    size_t train_most = 0, score_most = 0;
    for (int i = 0; i < n_choices; i++) {
        const struct block *b = &choice[i];
        if (b->passes || !block_is_built(b))
            continue;
        if (train) {
            raise_to(&train_most, planned(b, train, true, true) + 16 * TAKE_SLACK);
            raise_to(&plan->backward_most, backward_bytes(b, train) + 16 * TAKE_SLACK);
            raise_to(&plan->scratch_most, block_scratch(b, train));
        }
        if (score) {
            raise_to(&score_most, planned(b, score, true, false) + 8 * TAKE_SLACK);
            raise_to(&plan->inner_most,
                     planned(b, score, false, true) + 8 * TAKE_SLACK);
            raise_to(&plan->scratch_most, block_scratch(b, score));
        }
    }
    plan->kept_train += train_most;
    plan->kept_score += score_most;
}

static size_t ends_bytes(const struct supernet *net, int n)
{
    struct arena *plan = arena_create_planning();
    struct stem_tensors stem;
    struct head_tensors head;
    stem_take(net, n, plan, &stem);
    head_take(net, n, plan, &head);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes + 16 * TAKE_SLACK;
}

/* What network_backward() takes besides the blocks' own. */
static size_t ends_backward_bytes(const struct supernet *net, int n)
{
    struct arena *plan = arena_create_planning();
    struct relay relay;
    struct shape pooled = shape_pooled(net, n);
    relay_take(net, n, plan, &relay);
    arena_floats(plan, (size_t)n * channels_padded(net->space.classes));
    arena_floats(plan, (size_t)n * channels_padded(pooled.c));
    arena_doubles(plan, 2 * channels_padded(pooled.c));
    arena_floats(plan, shape_floats(pooled));
    coefficients_take(pooled.c, plan);
    coefficients_take(net->stem.k, plan);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes + 16 * TAKE_SLACK;
}

static size_t ends_scratch(const struct supernet *net, int n)
{
    const struct space *s = &net->space;
    struct shape pooled = shape_pooled(net, n);
    size_t most = 0;
    raise_to(&most, stem_scratch(shape_image(net, n), s->stem.k, s->stem_kernel,
                                 s->stem.stride));
    if (s->head_channels)
        raise_to(&most, pointwise_scratch(shape_head_in(net, n), s->head_channels, 1));
    raise_to(&most, global_pool_scratch(pooled));
    raise_to(&most, linear_scratch(n, pooled.c, s->classes));
    raise_to(&most, activate_scratch(shape_stem(net, n)));
    return most + 4 * sizeof(double) * channels_padded(most_channels(net)) + TAKE_SLACK;
}

/* Bytes of the two arenas. */
struct workspace_size {
    size_t tensors, scratch;
};

static struct workspace_size workspace_size(const struct supernet *net, int train,
                                            int score)
{
    const struct space *s = &net->space;
    struct plan plan = {0};
    for (int i = 0; i < s->n_fixed; i++)
        plan_place(&net->fixed[i], 1, train, score, &plan);
    for (int l = 0; l < s->n_layers; l++)
        plan_place(supernet_block(net, l, 0), s->n_ops, train, score, &plan);
    struct workspace_size size = {0};
    if (train) {
        size.tensors = plan.kept_train + plan.backward_most + ends_bytes(net, train) +
                       ends_backward_bytes(net, train);
        raise_to(&plan.scratch_most, ends_scratch(net, train));
    }
    if (score) {
        raise_to(&size.tensors,
                 plan.kept_score + plan.inner_most + ends_bytes(net, score));
        raise_to(&plan.scratch_most, ends_scratch(net, score));
    }
    if (train)
        size.tensors += supernet_gradient_floats(net) * sizeof(float) + TAKE_SLACK;
    size.scratch = plan.scratch_most + TAKE_SLACK;
    return size;
}

size_t workspace_planned_bytes(const struct supernet *net, int train, int score)
{
    struct workspace_size size = workspace_size(net, train, score);
    return size.tensors + size.scratch;
}

struct workspace *workspace_create(const struct supernet *net, int train, int score)
{
    struct workspace_size size = workspace_size(net, train, score);
    struct workspace *w = memory_zeroed(1, sizeof(*w));
    w->tensors = arena_create(size.tensors);
    w->scratch = arena_create(size.scratch);
    if (train)
        w->gradients = arena_floats(w->tensors, supernet_gradient_floats(net));
    return w;
}

void workspace_free(struct workspace *workspace)
{
    if (!workspace)
        return;
    arena_free(workspace->tensors);
    arena_free(workspace->scratch);
    free(workspace);
}

size_t workspace_bytes(const struct workspace *workspace)
{
    return arena_capacity(workspace->tensors) + arena_capacity(workspace->scratch);
}
