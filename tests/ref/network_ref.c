#include "ref/network_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ref/act_ref.h"
#include "ref/batchnorm_ref.h"
#include "ref/classifier_ref.h"
#include "ref/depthwise_ref.h"
#include "ref/global_pool_ref.h"
#include "ref/pointwise_ref.h"
#include "ref/squeeze_excite_ref.h"
#include "ref/stem_ref.h"

/* Padded NHWC, plain. Whoever has it last frees x. */
struct tensor {
    struct shape shape;
    double *x;
};

static struct tensor new_tensor(int n, int h, int w, int c)
{
    const struct shape shape = {n, h, w, c};
    return (struct tensor){shape, memory_zeroed(shape_floats(shape), sizeof(double))};
}

static void activate(const struct tensor *t, enum activation act)
{
    const size_t padded = channels_padded(t->shape.c);
    for (size_t i = 0; i < shape_pixels(t->shape); i++)
        for (size_t c = 0; c < (size_t)t->shape.c; c++)
            t->x[i * padded + c] = act_ref(act, t->x[i * padded + c]);
}

static void normalise_given(const struct tensor *t, const double *gamma,
                            const double *beta, const double *mean,
                            const double *variance)
{
    const size_t padded = channels_padded(t->shape.c);
    for (size_t i = 0; i < shape_pixels(t->shape); i++)
        for (size_t c = 0; c < (size_t)t->shape.c; c++) {
            double *x = &t->x[i * padded + c];
            *x = gamma[c] * (*x - mean[c]) / sqrt(variance[c] + 1e-5) + beta[c];
        }
}

/* BN and activation, in place. */
static void normalise(const struct network_ref *run, const struct conv_bn *conv,
                      const struct tensor *t, enum activation act)
{
    const double *gamma = run->weights + conv->gamma, *beta = run->weights + conv->beta;
    for (size_t c = 0; run->pixels && c < (size_t)t->shape.c; c++)
        run->pixels[conv->mean + c] = run->pixels[conv->variance + c] =
            (double)shape_pixels(t->shape);
    if (run->given)
        normalise_given(t, gamma, beta, run->given + conv->mean,
                        run->given + conv->variance);
    else
        batchnorm_ref_forward(t->shape, t->x, gamma, beta,
                              run->statistics ? run->statistics + conv->mean : NULL,
                              run->statistics ? run->statistics + conv->variance : NULL,
                              t->x);
    activate(t, act);
}

static struct tensor pointwise(const struct network_ref *run,
                               const struct conv_bn *conv, const struct tensor *in,
                               int k, int stride, enum activation act)
{
    const struct shape s = in->shape;
    struct tensor out =
        new_tensor(s.n, (s.h + stride - 1) / stride, (s.w + stride - 1) / stride, k);
    const struct source_ref x = {.z = in->x};
    pointwise_ref_forward(s, k, stride, &x, run->weights + conv->w, out.x, NULL);
    normalise(run, conv, &out, act);
    return out;
}

static struct tensor depthwise(const struct network_ref *run,
                               const struct conv_bn *conv, int r, int stride,
                               const struct tensor *in, enum activation act)
{
    const struct shape s = in->shape;
    struct tensor out =
        new_tensor(s.n, (s.h + stride - 1) / stride, (s.w + stride - 1) / stride, s.c);
    const struct source_ref x = {.z = in->x};
    depthwise_ref_forward(s, r, stride, &x, run->weights + conv->w, out.x, NULL);
    normalise(run, conv, &out, act);
    return out;
}

/* Multiplies by the gate, in place. */
static void squeeze_excite(const struct network_ref *run, const struct block *b,
                           const struct tensor *t)
{
    const struct shape s = t->shape;
    const size_t padded = channels_padded(s.c);
    double *gate = memory_zeroed((size_t)s.n * padded, sizeof(*gate));
    const struct squeeze_excite_ref se = {
        space_se_channels(&run->net->space, &b->op, b->place.c),
        b->se_act,
        b->se_gate,
        run->weights + b->se_w1,
        run->weights + b->se_b1,
        run->weights + b->se_w2,
        run->weights + b->se_b2,
    };
    const struct source_ref x = {.z = t->x};
    squeeze_excite_ref_forward(s, &x, &se, gate);
    for (int n = 0; n < s.n; n++)
        for (int h = 0; h < s.h; h++)
            for (int w = 0; w < s.w; w++)
                for (int c = 0; c < s.c; c++)
                    t->x[ref_at(s, n, h, w, c)] *= gate[(size_t)n * padded + (size_t)c];
    free(gate);
}

static struct tensor mbconv(const struct network_ref *run, const struct block *b,
                            const struct tensor *in)
{
    struct tensor wide = *in;
    if (b->op.expansion > 1)
        wide = pointwise(run, &b->expand, in, b->op.expansion * b->place.c, 1, b->act);
    struct tensor filtered =
        depthwise(run, &b->depthwise, b->op.kernel, b->place.stride, &wide, b->act);
    if (b->op.squeeze_excite)
        squeeze_excite(run, b, &filtered);
    struct tensor out = pointwise(run, &b->project, &filtered, b->place.k, 1, ACT_NONE);
    if (b->place.stride == 1 && b->place.c == b->place.k)
        for (size_t i = 0; i < shape_floats(out.shape); i++)
            out.x[i] += in->x[i];
    if (wide.x != in->x)
        free(wide.x);
    free(filtered.x);
    return out;
}

/* Where the numbers of a convolution of this name lie. */
static struct conv_bn conv_named(const struct network_ref *run, const struct block *b,
                                 const char *conv)
{
    struct conv_bn found = {0};
    size_t *const place[] = {&found.w, &found.gamma, &found.beta, &found.mean,
                             &found.variance};
    static const char *const array[] = {"weight", "gamma", "beta", "mean", "variance"};
    for (int a = 0; a < 5; a++) {
        const struct layout *layout =
            a < 3 ? &run->net->weight_layout : &run->net->statistic_layout;
        char name[2 * LAYOUT_NAME_SIZE];
        snprintf(name, sizeof(name), "%s/%s/%s", b->name, conv, array[a]);
        for (int i = 0; i < layout->n; i++)
            if (strcmp(layout->array[i].name, name) == 0)
                *place[a] = layout->array[i].offset;
    }
    return found;
}

/* The channels first, first + step, ... of t. */
static struct tensor channels_of(const struct tensor *t, int first, int step)
{
    const struct shape s = t->shape;
    struct tensor out = new_tensor(s.n, s.h, s.w, (s.c - first + step - 1) / step);
    for (int n = 0; n < s.n; n++)
        for (int h = 0; h < s.h; h++)
            for (int w = 0; w < s.w; w++)
                for (int c = 0; c < out.shape.c; c++)
                    out.x[ref_at(out.shape, n, h, w, c)] =
                        t->x[ref_at(s, n, h, w, first + c * step)];
    return out;
}

static struct tensor concatenated(const struct tensor *a, const struct tensor *b)
{
    const struct shape s = a->shape;
    struct tensor out = new_tensor(s.n, s.h, s.w, s.c + b->shape.c);
    for (int n = 0; n < s.n; n++)
        for (int h = 0; h < s.h; h++)
            for (int w = 0; w < s.w; w++)
                for (int c = 0; c < out.shape.c; c++)
                    out.x[ref_at(out.shape, n, h, w, c)] =
                        c < s.c ? a->x[ref_at(s, n, h, w, c)]
                                : b->x[ref_at(b->shape, n, h, w, c - s.c)];
    return out;
}

/* A step of a branch: replaces *t. to: its channels, 0: depthwise. */
static void branch_step(const struct network_ref *run, const struct block *b,
                        const char *name, int to, int stride, struct tensor *t)
{
    const struct conv_bn conv = conv_named(run, b, name);
    struct tensor out = to ? pointwise(run, &conv, t, to, stride, b->act)
                           : depthwise(run, &conv, b->op.kernel, stride, t, ACT_NONE);
    free(t->x);
    *t = out;
}

/* ShuffleNetV2's blocks. */
static struct tensor shuffled(const struct network_ref *run, const struct block *b,
                              const struct tensor *in)
{
    const int stride = b->place.stride, inner = b->place.k / 2;
    struct tensor kept = channels_of(in, 0, stride == 1 ? 2 : 1),
                  x = channels_of(in, stride == 1, stride == 1 ? 2 : 1);
    if (stride == 2) {
        branch_step(run, b, "side_depthwise", 0, 2, &kept);
        branch_step(run, b, "side_project", b->place.c, 1, &kept);
    }
    const int made = b->place.k - kept.shape.c;
    if (b->op.kind == OP_SHUFFLE) {
        branch_step(run, b, "expand", inner, 1, &x);
        branch_step(run, b, "depthwise", 0, stride, &x);
        branch_step(run, b, "project", made, 1, &x);
    } else {
        branch_step(run, b, "depthwise1", 0, stride, &x);
        branch_step(run, b, "pointwise1", inner, 1, &x);
        branch_step(run, b, "depthwise2", 0, 1, &x);
        branch_step(run, b, "pointwise2", inner, 1, &x);
        branch_step(run, b, "depthwise3", 0, 1, &x);
        branch_step(run, b, "pointwise3", made, 1, &x);
    }
    const struct tensor out = concatenated(&kept, &x);
    free(kept.x), free(x.x);
    return out;
}

/* Replaces *t by the block's output. */
static void block(const struct network_ref *run, const struct block *b,
                  struct tensor *t)
{
    struct tensor out;
    if (b->op.kind == OP_MBCONV)
        out = mbconv(run, b, t);
    else if (b->op.kind == OP_SHUFFLE || b->op.kind == OP_XCEPTION)
        out = shuffled(run, b, t);
    else if (b->place.stride == 1 && b->place.c == b->place.k)
        return;
    else
        out = pointwise(run, &b->project, t, b->place.k, b->place.stride, ACT_NONE);
    free(t->x);
    *t = out;
}

static struct tensor stem(const struct network_ref *run)
{
    const struct space *s = &run->net->space;
    const int stride = s->stem.stride;
    const struct shape in = {run->n, s->h, s->w, s->c};
    struct tensor t = new_tensor(run->n, (s->h + stride - 1) / stride,
                                 (s->w + stride - 1) / stride, s->stem.k);
    stem_ref_forward(in, s->stem.k, s->stem_kernel, stride, run->images,
                     run->weights + run->net->stem.w, t.x, NULL);
    normalise(run, &run->net->stem, &t, run->net->stem_act);
    return t;
}

static double classify(const struct network_ref *run, const struct tensor *t)
{
    const int n = run->n, classes = run->net->space.classes;
    const size_t row = channels_padded(classes);
    double *pooled =
        memory_zeroed((size_t)n * channels_padded(t->shape.c), sizeof(*pooled));
    double *logits = memory_zeroed((size_t)n * row, sizeof(*logits));
    double *loss = memory_zeroed((size_t)n, sizeof(*loss));
    double *none = memory_zeroed(row, sizeof(*none));
    double *unused = memory_zeroed((size_t)n * row, sizeof(*unused)), mean = 0;
    const struct source_ref x = {.z = t->x};
    global_pool_ref_forward(t->shape, &x, pooled);
    linear_ref_forward(
        n, t->shape.c, classes, pooled, run->weights + run->net->fc_w,
        run->net->space.classifier_bias ? run->weights + run->net->fc_b : none, logits);
    cross_entropy_ref(n, classes, logits, run->labels, run->smoothing, loss, unused);
    for (int i = 0; i < n; i++)
        mean += loss[i] / n;
    if (run->logits)
        memcpy(run->logits, logits, (size_t)n * row * sizeof(*logits));
    if (run->loss)
        memcpy(run->loss, loss, (size_t)n * sizeof(*loss));
    free(pooled);
    free(none);
    free(logits);
    free(loss);
    free(unused);
    return mean;
}

double network_ref_loss(const struct network_ref *run)
{
    const struct supernet *net = run->net;
    struct tensor t = stem(run);
    for (int i = 0; i < net->space.n_fixed; i++)
        block(run, &net->fixed[i], &t);
    for (int l = 0; l < net->space.n_layers; l++)
        block(run, supernet_block(net, l, run->path->op[l]), &t);
    if (net->space.head_channels) {
        struct tensor head =
            pointwise(run, &net->head, &t, net->space.head_channels, 1, net->head_act);
        free(t.x);
        t = head;
    }
    const double mean = classify(run, &t);
    free(t.x);
    return mean;
}
