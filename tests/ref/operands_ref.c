#include "ref/operands_ref.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "ref/act_ref.h"

#define FOR_EACH(s, n, h, w, c)                                                        \
    for (int n = 0; n < (s).n; n++)                                                    \
        for (int h = 0; h < (s).h; h++)                                                \
            for (int w = 0; w < (s).w; w++)                                            \
                for (int c = 0; c < (s).c; c++)

size_t ref_at(struct shape s, int n, int h, int w, int c)
{
    return (((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) *
               channels_padded(s.c) +
           (size_t)c;
}

double *ref_doubles(const float *x, size_t count)
{
    if (!x)
        return NULL;
    double *copy = memory_zeroed(count, sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = (double)x[i];
    return copy;
}

static double pre_activation(const struct source_ref *x, size_t at, int c)
{
    return x->scale ? x->scale[c] * x->z[at] + x->shift[c] : x->z[at];
}

static double ungated(const struct source_ref *x, size_t at, int c)
{
    const double u = pre_activation(x, at, c);
    return x->scale ? act_ref(x->act, u) : u;
}

static double gate_ref_value(struct shape s, const struct source_ref *x, int n, int c)
{
    return x->gate ? x->gate[(size_t)n * channels_padded(s.c) + (size_t)c] : 1;
}

double source_ref_value(struct shape s, const struct source_ref *x, int n, int h, int w,
                        int c)
{
    return ungated(x, ref_at(s, n, h, w, c), c) * gate_ref_value(s, x, n, c);
}

double gradient_ref_value(struct shape s, const struct gradient_ref *dz, int n, int h,
                          int w, int c)
{
    const size_t at = ref_at(s, n, h, w, c);
    return dz->ca[c] * dz->g[at] + dz->cb[c] * (dz->z[at] - dz->mean[c]) + dz->cc[c];
}

double source_ref_magnitude(struct shape s, const struct source_ref *x, int n, int h,
                            int w, int c)
{
    const double z = fabs(x->z[ref_at(s, n, h, w, c)]);
    return (x->scale ? fabs(x->scale[c]) * z + fabs(x->shift[c]) : z) *
           fabs(gate_ref_value(s, x, n, c));
}

double gradient_ref_magnitude(struct shape s, const struct gradient_ref *dz, int n,
                              int h, int w, int c)
{
    const size_t at = ref_at(s, n, h, w, c);
    return fabs(dz->ca[c] * dz->g[at]) +
           fabs(dz->cb[c]) * (fabs(dz->z[at]) + fabs(dz->mean[c])) + fabs(dz->cc[c]);
}

void moments_ref_take(struct shape s, const double *z, const struct moments_ref *to)
{
    if (!to || !to->sum)
        return;
    memset(to->sum, 0, channels_padded(s.c) * sizeof(double));
    memset(to->square, 0, channels_padded(s.c) * sizeof(double));
    FOR_EACH(s, n, h, w, c)
    {
        const double d = z[ref_at(s, n, h, w, c)] - (to->centre ? to->centre[c] : 0);
        to->sum[c] += d;
        to->square[c] += d * d;
    }
}

static void gated_put(struct shape s, const struct source_ref *x, const double *da,
                      const struct sink_ref *to)
{
    const size_t padded = channels_padded(s.c);
    memset(to->gate_sum, 0, (size_t)s.n * padded * sizeof(double));
    FOR_EACH(s, n, h, w, c)
    {
        const size_t at = ref_at(s, n, h, w, c);
        to->g[at] = da[at];
        to->gate_sum[(size_t)n * padded + (size_t)c] += da[at] * ungated(x, at, c);
    }
}

void sink_ref_put(struct shape s, const struct source_ref *x, const double *da,
                  const struct sink_ref *to)
{
    if (to->gate_sum) {
        gated_put(s, x, da, to);
        return;
    }
    const double *z = x->scale ? x->z : to->z;
    if (to->sum_g) {
        memset(to->sum_g, 0, channels_padded(s.c) * sizeof(double));
        memset(to->sum_gz, 0, channels_padded(s.c) * sizeof(double));
    }
    FOR_EACH(s, n, h, w, c)
    {
        const size_t at = ref_at(s, n, h, w, c);
        const double slope =
            x->scale ? act_ref_gradient(x->act, pre_activation(x, at, c)) : 1;
        to->g[at] = da[at] * slope + (!x->scale && to->add ? to->add[at] : 0);
        if (to->sum_g) {
            to->sum_g[c] += to->g[at];
            to->sum_gz[c] += to->g[at] * (z[at] - to->mean[c]);
        }
    }
}
