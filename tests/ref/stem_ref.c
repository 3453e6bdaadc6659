#include "ref/stem_ref.h"

#include <string.h>

#include "tensor/stem.h"

/* Zero outside the image; without padding. */
static double pixel(struct shape in, const double *x, int n, int h, int w, int c)
{
    if (h < 0 || h >= in.h || w < 0 || w >= in.w)
        return 0;
    return x[((n * in.h + h) * in.w + w) * in.c + c];
}

void stem_ref_forward(struct shape in, int k, int r, int stride, const double *x,
                      const double *w, double *z, const struct moments_ref *moments)
{
    const struct shape out = {in.n, conv_out(in.h, r, stride),
                              conv_out(in.w, r, stride), k};
    memset(z, 0, shape_floats(out) * sizeof(*z));
    for (int n = 0; n < out.n; n++)
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++)
                for (int o = 0; o < k; o++)
                    for (int i = 0; i < r; i++)
                        for (int j = 0; j < r; j++)
                            for (int c = 0; c < in.c; c++)
                                z[ref_at(out, n, p, q, o)] +=
                                    pixel(in, x, n, p * stride - r / 2 + i,
                                          q * stride - r / 2 + j, c) *
                                    w[(size_t)o * stem_row(r, in.c) +
                                      (size_t)((i * r + j) * in.c + c)];
    moments_ref_take(out, z, moments);
}

void stem_ref_backward(struct shape in, int k, int r, int stride,
                       const struct gradient_ref *dz, const double *x, double *dw)
{
    const struct shape out = {in.n, conv_out(in.h, r, stride),
                              conv_out(in.w, r, stride), k};
    memset(dw, 0, (size_t)k * stem_row(r, in.c) * sizeof(*dw));
    for (int n = 0; n < out.n; n++)
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++)
                for (int o = 0; o < k; o++)
                    for (int i = 0; i < r; i++)
                        for (int j = 0; j < r; j++)
                            for (int c = 0; c < in.c; c++)
                                dw[(size_t)o * stem_row(r, in.c) +
                                   (size_t)((i * r + j) * in.c + c)] +=
                                    gradient_ref_value(out, dz, n, p, q, o) *
                                    pixel(in, x, n, p * stride - r / 2 + i,
                                          q * stride - r / 2 + j, c);
}
