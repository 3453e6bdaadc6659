#include "tensor/batchnorm.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/elementwise.h"

/* The affine map that this channel's normalisation amounts to. */
static void set_channel(const struct batchnorm *bn, int c, double mean, double variance,
                        double gamma, double beta)
{
    const double rstd = 1 / sqrt(variance + BATCHNORM_EPSILON);
    bn->mean[c] = (float)mean;
    bn->rstd[c] = (float)rstd;
    bn->scale[c] = (float)(gamma * rstd);
    bn->shift[c] = (float)(beta - mean * gamma * rstd);
}

static void zero_padding(int c, float *x)
{
    memset(x + c, 0, (channels_padded(c) - (size_t)c) * sizeof(*x));
}

static void zero_padding_of(const struct batchnorm *bn, int c)
{
    zero_padding(c, bn->mean);
    zero_padding(c, bn->rstd);
    zero_padding(c, bn->scale);
    zero_padding(c, bn->shift);
}

void batchnorm_from_moments(int c, size_t pixels, const struct moments *moments,
                            const float *gamma, const float *beta,
                            const struct batchnorm *bn, float *variance)
{
    BUG_IF(c < 1 || pixels < 1);
    for (int i = 0; i < c; i++) {
        const double centre = moments->centre ? (double)moments->centre[i] : 0;
        const double off = moments->sum[i] / (double)pixels;
        double spread = moments->square[i] / (double)pixels - off * off;
        if (spread < 0) /* rounding; a NaN stays */
            spread = 0;
        set_channel(bn, i, centre + off, spread, (double)gamma[i], (double)beta[i]);
        if (variance)
            variance[i] = (float)spread;
    }
    zero_padding_of(bn, c);
    if (variance)
        zero_padding(c, variance);
}

void batchnorm_from_statistics(int c, const float *mean, const float *variance,
                               const float *gamma, const float *beta,
                               const struct batchnorm *bn)
{
    BUG_IF(c < 1);
    for (int i = 0; i < c; i++)
        set_channel(bn, i, (double)mean[i], (double)variance[i], (double)gamma[i],
                    (double)beta[i]);
    zero_padding_of(bn, c);
}

void batchnorm_update_running(int c, size_t pixels, double momentum, const float *mean,
                              const float *variance, float *running_mean,
                              float *running_variance)
{
    BUG_IF(c < 1 || pixels < 1);
    const double unbiased = pixels > 1 ? (double)pixels / (double)(pixels - 1) : 1;
    for (int i = 0; i < c; i++) {
        running_mean[i] = (float)((1 - momentum) * (double)running_mean[i] +
                                  momentum * (double)mean[i]);
        running_variance[i] = (float)((1 - momentum) * (double)running_variance[i] +
                                      momentum * unbiased * (double)variance[i]);
    }
}

void batchnorm_backward(int c, size_t pixels, const float *gamma,
                        const struct batchnorm *bn, const double *sum_g,
                        const double *sum_gz, float *ca, float *cb, float *cc,
                        float *dgamma, float *dbeta)
{
    BUG_IF(c < 1 || pixels < 1);
    for (int i = 0; i < c; i++) {
        const double rstd = (double)bn->rstd[i], slope = (double)gamma[i] * rstd;
        dgamma[i] = (float)(rstd * sum_gz[i]);
        dbeta[i] = (float)sum_g[i];
        ca[i] = (float)slope;
        cb[i] = (float)(-slope * rstd * rstd * sum_gz[i] / (double)pixels);
        cc[i] = (float)(-slope * sum_g[i] / (double)pixels);
    }
    zero_padding(c, ca);
    zero_padding(c, cb);
    zero_padding(c, cc);
    zero_padding(c, dgamma);
    zero_padding(c, dbeta);
}

void batchnorm_apply(struct shape shape, const float *z, const float *scale,
                     const float *shift, const float *residual, float *y)
{
    const struct pixel_split split = split_pixels(shape);
    const size_t padded = channels_padded(shape.c);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < split.pieces; i++) {
        const struct pixel_piece piece = split_piece(&split, i);
        const size_t at = piece.first * padded;
        elementwise()->apply(piece.pixels, padded, z + at, scale, shift,
                             residual ? residual + at : NULL, y + at);
    }
}

void batchnorm_gradient_sums(struct shape shape, const float *g, const float *z,
                             const float *mean, double *sum_g, double *sum_gz,
                             struct arena *scratch)
{
    const struct pixel_split split = split_pixels(shape);
    const size_t mark = arena_mark(scratch), padded = channels_padded(shape.c);
    double *sums = arena_doubles(scratch, split.chunks * 2 * padded);
    memset(sums, 0, split.chunks * 2 * padded * sizeof(*sums));
#pragma omp parallel for schedule(static)
    for (size_t chunk = 0; chunk < split.chunks; chunk++) {
        double *mine = sums + chunk * 2 * padded;
        for (size_t i = split_chunk(&split, chunk); i < split_chunk(&split, chunk + 1);
             i++) {
            const struct pixel_piece piece = split_piece(&split, i);
            const size_t at = piece.first * padded;
            elementwise()->gradient_sums(piece.pixels, padded, g + at, z + at, mean,
                                         mine, mine + padded);
        }
    }
    combine_chunks(split.chunks, 2 * padded, padded, sums, sum_g);
    combine_chunks(split.chunks, 2 * padded, padded, sums + padded, sum_gz);
    arena_release(scratch, mark);
}

size_t batchnorm_scratch(struct shape shape)
{
    return split_pixels(shape).chunks * 2 * channels_padded(shape.c) * sizeof(double) +
           ARENA_BLOCK_EXTRA;
}
