#include "ref/network_ref.h"

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

static struct tensor depthwise(const struct network_ref *run, const struct block *b,
                               const struct tensor *in)
{
    const int stride = b->place.stride;
    const struct shape s = in->shape;
    struct tensor out =
        new_tensor(s.n, (s.h + stride - 1) / stride, (s.w + stride - 1) / stride, s.c);
    const struct source_ref x = {.z = in->x};
    depthwise_ref_forward(s, b->op.kernel, stride, &x, run->weights + b->depthwise.w,
                          out.x, NULL);
    normalise(run, &b->depthwise, &out, b->act);
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
    struct tensor filtered = depthwise(run, b, &wide);
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

/* Replaces *t by the block's output. */
static void block(const struct network_ref *run, const struct block *b,
                  struct tensor *t)
{
    struct tensor out;
    if (b->op.kind == OP_MBCONV)
        out = mbconv(run, b, t);
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
    double *unused = memory_zeroed((size_t)n * row, sizeof(*unused)), mean = 0;
    const struct source_ref x = {.z = t->x};
    global_pool_ref_forward(t->shape, &x, pooled);
    linear_ref_forward(n, t->shape.c, classes, pooled, run->weights + run->net->fc_w,
                       run->weights + run->net->fc_b, logits);
    cross_entropy_ref(n, classes, logits, run->labels, run->smoothing, loss, unused);
    for (int i = 0; i < n; i++)
        mean += loss[i] / n;
    if (run->logits)
        memcpy(run->logits, logits, (size_t)n * row * sizeof(*logits));
    if (run->loss)
        memcpy(run->loss, loss, (size_t)n * sizeof(*loss));
    free(pooled);
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
