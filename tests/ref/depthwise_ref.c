#include "ref/depthwise_ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One output value and one tap of the kernel that meets a pixel of the input. */
struct meeting {
    int n, p, q, c, h, w;
    size_t tap; /* where w[i][j][c] lies */
};

typedef void meet(const struct meeting *at, void *context);

static void for_each_meeting(struct shape in, int r, int stride, meet *visit,
                             void *context)
{
    const int rows = conv_out(in.h, r, stride), columns = conv_out(in.w, r, stride);
    for (int n = 0; n < in.n; n++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++)
                for (int c = 0; c < in.c; c++)
                    for (int i = 0; i < r; i++)
                        for (int j = 0; j < r; j++) {
                            const int h = p * stride - r / 2 + i,
                                      w = q * stride - r / 2 + j;
                            const struct meeting at = {
                                n,
                                p,
                                q,
                                c,
                                h,
                                w,
                                (size_t)(i * r + j) * channels_padded(in.c) + (size_t)c};
                            if (h >= 0 && h < in.h && w >= 0 && w < in.w)
                                visit(&at, context);
                        }
}

static struct shape shape_out(struct shape in, int r, int stride)
{
    return (struct shape){in.n, conv_out(in.h, r, stride), conv_out(in.w, r, stride),
                          in.c};
}

struct call {
    struct shape in, out;
    const struct source_ref *x;
    const double *w;
    double *z;
    const struct gradient_ref *dz;
    double *dw, *da;
};

static void multiply(const struct meeting *at, void *context)
{
    const struct call *call = context;
    call->z[ref_at(call->out, at->n, at->p, at->q, at->c)] +=
        source_ref_value(call->in, call->x, at->n, at->h, at->w, at->c) *
        call->w[at->tap];
}

void depthwise_ref_forward(struct shape in, int r, int stride,
                           const struct source_ref *x, const double *w, double *z,
                           const struct moments_ref *moments)
{
    struct call call = {
        .in = in, .out = shape_out(in, r, stride), .x = x, .w = w, .z = z};
    memset(z, 0, shape_floats(call.out) * sizeof(*z));
    for_each_meeting(in, r, stride, multiply, &call);
    moments_ref_take(call.out, z, moments);
}

static void multiply_back(const struct meeting *at, void *context)
{
    const struct call *call = context;
    const double d =
        gradient_ref_value(call->out, call->dz, at->n, at->p, at->q, at->c);
    call->dw[at->tap] +=
        d * source_ref_value(call->in, call->x, at->n, at->h, at->w, at->c);
    call->da[ref_at(call->in, at->n, at->h, at->w, at->c)] += d * call->w[at->tap];
}

void depthwise_ref_backward(struct shape in, int r, int stride,
                            const struct gradient_ref *dz, const struct source_ref *x,
                            const double *w, double *dw, const struct sink_ref *dx)
{
    struct call call = {.in = in,
                        .out = shape_out(in, r, stride),
                        .x = x,
                        .w = w,
                        .dz = dz,
                        .dw = dw,
                        .da = memory_zeroed(shape_floats(in), sizeof(double))};
    memset(dw, 0, (size_t)(r * r) * channels_padded(in.c) * sizeof(*dw));
    for_each_meeting(in, r, stride, multiply_back, &call);
    sink_ref_put(in, x, call.da, dx);
    free(call.da);
}
