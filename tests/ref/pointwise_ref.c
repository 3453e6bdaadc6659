#include "ref/pointwise_ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct shape shape_out(struct shape in, int k, int stride)
{
    return (struct shape){in.n, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1, k};
}

void pointwise_ref_forward(struct shape in, int k, int stride,
                           const struct source_ref *x, const double *w, double *z,
                           const struct moments_ref *moments)
{
    const struct shape out = shape_out(in, k, stride);
    const size_t padded = channels_padded(in.c);
    memset(z, 0, shape_floats(out) * sizeof(*z));
    for (int n = 0; n < out.n; n++)
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++)
                for (int o = 0; o < k; o++)
                    for (int c = 0; c < in.c; c++)
                        z[ref_at(out, n, p, q, o)] +=
                            source_ref_value(in, x, n, p * stride, q * stride, c) *
                            w[(size_t)o * padded + (size_t)c];
    moments_ref_take(out, z, moments);
}

void pointwise_ref_backward(struct shape in, int k, int stride,
                            const struct gradient_ref *dz, const struct source_ref *x,
                            const double *w, double *dw, const struct sink_ref *dx)
{
    const struct shape out = shape_out(in, k, stride);
    const size_t padded = channels_padded(in.c);
    double *da = memory_zeroed(shape_floats(in), sizeof(*da));
    memset(dw, 0, (size_t)k * padded * sizeof(*dw));
    for (int n = 0; n < out.n; n++)
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++)
                for (int o = 0; o < k; o++) {
                    const double d = gradient_ref_value(out, dz, n, p, q, o);
                    for (int c = 0; c < in.c; c++) {
                        dw[(size_t)o * padded + (size_t)c] +=
                            d * source_ref_value(in, x, n, p * stride, q * stride, c);
                        da[ref_at(in, n, p * stride, q * stride, c)] +=
                            d * w[(size_t)o * padded + (size_t)c];
                    }
                }
    if (dx)
        sink_ref_put(in, x, da, dx);
    free(da);
}
