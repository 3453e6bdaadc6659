/* conv_bn.c - see conv_bn.h. */
#include "net/conv_bn.h"

#include <math.h>
#include <stdio.h>

#include "base/die.h"
#include "tensor/depthwise.h"
#include "tensor/pointwise.h"

/* Building. */

void conv_bn_init(struct conv_bn *conv, const char *prefix, const char *name, int k,
                  int rank, const size_t *shape, int inner, double fan_out,
                  struct layout *weights, struct layout *statistics)
{
    char place[LAYOUT_NAME_SIZE];
    BUG_IF(snprintf(place, sizeof(place), "%s/%s", prefix, name) >= (int)sizeof(place));
    conv->k = k;
    conv->w = layout_add_weight(weights, place, "weight", "convolution weight", rank,
                                shape, inner, fan_out);
    conv->gamma = layout_add_vector(weights, place, "gamma",
                                    "scale of the batch normalisation", k, INIT_ONE);
    conv->beta = layout_add_vector(weights, place, "beta",
                                   "shift of the batch normalisation", k, INIT_ZERO);
    conv->mean =
        layout_add_vector(statistics, place, "mean", "running mean", k, INIT_ZERO);
    conv->variance = layout_add_vector(statistics, place, "variance",
                                       "running variance (unbiased)", k, INIT_ONE);
}

void pointwise_init(struct conv_bn *conv, const char *prefix, const char *name, int c,
                    int k, struct layout *weights, struct layout *statistics)
{
    conv_bn_init(conv, prefix, name, k, 2, (size_t[]){(size_t)k, (size_t)c}, 1, k,
                 weights, statistics);
}

void depthwise_init(struct conv_bn *conv, const char *prefix, const char *name, int r,
                    int c, struct layout *weights, struct layout *statistics)
{
    size_t rows = (size_t)r, channels = (size_t)c;
    conv_bn_init(conv, prefix, name, c, 3, (size_t[]){rows, rows, channels}, 1,
                 (double)(rows * rows * channels), weights, statistics);
}

/* Forward. */

void bn_pass_take(int c, struct arena *arena, struct bn_pass *bn)
{
    size_t floats = channels_padded(c);
    float *p = arena_floats(arena, 5 * floats);
    bn->bn = (struct batchnorm){p, p + floats, p + 2 * floats, p + 3 * floats};
    bn->variance = p + 4 * floats;
}

bool bn_pass_finite(int c, const struct bn_pass *bn)
{
    for (int i = 0; i < c; i++)
        if (!isfinite(bn->bn.mean[i]) || !isfinite(bn->bn.rstd[i]) ||
            !isfinite(bn->bn.scale[i]) || !isfinite(bn->bn.shift[i]))
            return false;
    return true;
}

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

struct source bn_source(const float *z, const struct bn_pass *bn, enum activation act)
{
    return (struct source){
        .z = z, .scale = bn->bn.scale, .shift = bn->bn.shift, .act = act};
}

/* The output of a convolution that pads by r / 2. */
static struct shape strided(struct shape in, int stride, int k)
{
    return (struct shape){in.n, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1, k};
}

/* z = w * x, and its BN's numbers. */
void pointwise_bn(const struct conv_bn *conv, const struct net_values *net,
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
    if (mode == BN_BATCH)
        conv_bn_finish(conv, net, shape_pixels(strided(in, stride, conv->k)), &moments,
                       bn);
    arena_release(scratch, mark);
}

void depthwise_bn(const struct conv_bn *conv, const struct net_values *net,
                  struct shape in, int r, int stride, const struct source *x,
                  enum bn_mode mode, float *z, const struct bn_pass *bn,
                  struct arena *scratch)
{
    size_t mark = arena_mark(scratch);
    struct moments moments = {0};
    if (mode == BN_BATCH)
        moments = conv_bn_moments(conv, net, scratch);
    depthwise_forward(in, r, stride, x, net->weights + conv->w, z, &moments, scratch);
    if (mode == BN_BATCH)
        conv_bn_finish(conv, net, shape_pixels(strided(in, stride, conv->k)), &moments,
                       bn);
    arena_release(scratch, mark);
}

size_t conv_bn_scratch(int k)
{
    return 4 * sizeof(double) * channels_padded(k) + 16384;
}

/* Backward. */

struct coefficients coefficients_take(int c, struct arena *arena)
{
    size_t floats = channels_padded(c);
    float *p = arena_floats(arena, 3 * floats);
    return (struct coefficients){p, p + floats, p + 2 * floats};
}

struct bn_sums bn_sums_take(int c, struct arena *arena)
{
    size_t doubles = channels_padded(c);
    double *p = arena_doubles(arena, 2 * doubles);
    return (struct bn_sums){p, p + doubles};
}

struct gradient conv_bn_backward(const struct conv_bn *conv, size_t begin,
                                 const struct net_values *net, size_t pixels,
                                 const float *g, const float *z,
                                 const struct bn_pass *bn, const struct bn_sums *sums,
                                 const struct coefficients *c, float *gradients)
{
    batchnorm_backward(conv->k, pixels, net->weights + conv->gamma, &bn->bn, sums->g,
                       sums->gz, c->ca, c->cb, c->cc, gradients + (conv->gamma - begin),
                       gradients + (conv->beta - begin));
    return (struct gradient){g, z, c->ca, c->cb, c->cc, bn->bn.mean};
}

/* Statistics. */

void conv_bn_given(const struct conv_bn *conv, const struct net_values *net,
                   const struct bn_pass *bn)
{
    batchnorm_from_statistics(conv->k, bn->bn.mean, bn->variance,
                              net->weights + conv->gamma, net->weights + conv->beta,
                              &bn->bn);
}

void conv_bn_running(const struct conv_bn *conv, const struct net_values *net,
                     const struct bn_pass *bn)
{
    batchnorm_from_statistics(
        conv->k, net->statistics + conv->mean, net->statistics + conv->variance,
        net->weights + conv->gamma, net->weights + conv->beta, &bn->bn);
}

void conv_bn_update_statistics(const struct conv_bn *conv, size_t pixels,
                               double momentum, const struct bn_pass *bn,
                               float *statistics)
{
    batchnorm_update_running(conv->k, pixels, momentum, bn->bn.mean, bn->variance,
                             statistics + conv->mean, statistics + conv->variance);
}
