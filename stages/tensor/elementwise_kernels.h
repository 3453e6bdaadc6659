/*
 * elementwise_kernels.h - passes over an activation tensor that multiply no matrices.
 *
 * One table per instruction set. Pointers are to the first pixel; the next one is
 * `padded` floats on. Sums are added to, in double.
 */
#ifndef TENSOR_ELEMENTWISE_KERNELS_H
#define TENSOR_ELEMENTWISE_KERNELS_H

#include "tensor/tensor.h"

/*
 * What a sink does with one stretch of pixels, for `lanes` channels (a multiple of 16):
 * da = from[pixel * from_stride] * gate + offset (gate NULL: `from` as it is), and then
 * as struct sink says. scale NULL: the source is plain. g may be `from` or `add`.
 * sum_g NULL: no sums, and mean is not read; nor is z then, of a plain source.
 */
struct sink_run {
    size_t pixels, padded, lanes;
    enum activation act;
    const float *from;
    size_t from_stride;
    const float *gate, *offset;
    const float *z, *scale, *shift, *mean;
    const float *add;
    float *g;
    double *sum_g, *sum_gz;
};

struct elementwise_kernels {
    /* y = scale*z + shift (+ residual unless NULL) */
    void (*apply)(size_t pixels, size_t padded, const float *z, const float *scale,
                  const float *shift, const float *residual, float *y);
    /* sum[c] += a, without the gate, for `lanes` channels from the one x points to */
    void (*activated_sum)(size_t pixels, size_t padded, size_t lanes,
                          const struct source *x, double *sum);
    void (*gradient_sums)(size_t pixels, size_t padded, const float *g, const float *z,
                          const float *mean, double *sum_g, double *sum_gz);
    void (*sink)(const struct sink_run *run);
    /* a = act(u); du = da * act'(u); floats: a multiple of 16 */
    void (*activate)(enum activation act, size_t floats, const float *u, float *a);
    void (*activate_backward)(enum activation act, size_t floats, const float *u,
                              const float *da, float *du);
};

extern const struct elementwise_kernels elementwise_kernels_avx512,
    elementwise_kernels_avx2, elementwise_kernels_baseline;

#endif
