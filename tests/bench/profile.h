/*
 * profile.h - where the time of a network goes, by operation and shape.
 *
 * The linker (--wrap, see stages/build.mk) puts these functions around the operations
 * of tensor/; the library itself knows nothing of it. For bench_network.c alone.
 */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "bench/limits.h"
#include "tensor/activate.h"
#include "tensor/batchnorm.h"
#include "tensor/classifier.h"
#include "tensor/depthwise.h"
#include "tensor/expand_depthwise.h"
#include "tensor/global_pool.h"
#include "tensor/gram.h"
#include "tensor/pointwise.h"
#include "tensor/squeeze_excite.h"
#include "tensor/stem.h"

enum { PROFILE_ROWS = 256, PROFILE_RUNS_MOST = 100 };

/* One operation of one shape; what it took in each run, all its calls together. */
static struct profile_row {
    const char *kind;
    char shape[64];
    double seconds[PROFILE_RUNS_MOST];
    double median, low, high;
    double flops, bytes; /* of one run; bytes: each operand read or written once */
} profile_row[PROFILE_ROWS];
static int profile_rows, profile_run = -1;

/* The calls from here on belong to the next run. */
static void profile_next_run(void)
{
    BUG_IF(++profile_run == PROFILE_RUNS_MOST);
}

/* flops: two a multiply-add; 0 where they are not the point. */
static void profile_add(const char *kind, const char *shape, double flops, double bytes,
                        double since)
{
    const double seconds = clock_seconds() - since;
    if (profile_run < 0)
        return;
    int i = 0;
    while (i < profile_rows && (strcmp(profile_row[i].kind, kind) != 0 ||
                                strcmp(profile_row[i].shape, shape) != 0))
        i++;
    if (i == profile_rows) {
        BUG_IF(profile_rows == PROFILE_ROWS);
        profile_row[profile_rows++] = (struct profile_row){.kind = kind};
        snprintf(profile_row[i].shape, sizeof(profile_row[i].shape), "%s", shape);
    }
    profile_row[i].seconds[profile_run] += seconds;
    if (profile_run == 0) {
        profile_row[i].flops += flops;
        profile_row[i].bytes += bytes;
    }
}

static int profile_by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* By the median: a run that something else on the machine held up does not count. */
static int profile_by_seconds(const void *a, const void *b)
{
    const struct profile_row *x = a, *y = b;
    return (x->median < y->median) - (x->median > y->median);
}

/* How fast a row was, and the share of what whatever binds it would allow. */
struct profile_rate {
    double flops, bytes, share;
    const char *bound;
};

static struct profile_rate profile_rate(const struct profile_row *row,
                                        const struct limits *limits)
{
    const double compute = row->flops / limits->flops,
                 memory = row->bytes / limits->bytes;
    return (struct profile_rate){row->flops / row->median, row->bytes / row->median,
                                 (compute > memory ? compute : memory) / row->median,
                                 compute > memory ? "arithmetic" : "memory"};
}

static void profile_print_row(const struct profile_row *row, double all,
                              const struct limits *limits)
{
    const struct profile_rate r = profile_rate(row, limits);
    printf("%8.2f ms %5.1f %%  %-20s %-30s %6.1f GFLOP/s %6.1f GB/s  %3.0f %% of %s\n",
           1e3 * row->median, 100 * row->median / all, row->kind, row->shape,
           r.flops / 1e9, r.bytes / 1e9, 100 * r.share, r.bound);
}

/* Medians of the runs; returns their sum. */
static double profile_sum_up(void)
{
    const int runs = profile_run + 1;
    double all = 0;
    for (int i = 0; i < profile_rows; i++) {
        struct profile_row *row = &profile_row[i];
        qsort(row->seconds, (size_t)runs, sizeof(*row->seconds), profile_by_value);
        row->median = row->seconds[runs / 2];
        row->low = row->seconds[0];
        row->high = row->seconds[runs - 1];
        all += row->median;
    }
    qsort(profile_row, (size_t)profile_rows, sizeof(*profile_row), profile_by_seconds);
    return all;
}

/* The share is of the machine's arithmetic or memory, whichever would take longer. */
static void profile_print(const struct limits *limits)
{
    static struct profile_row kind[PROFILE_ROWS];
    int kinds = 0;
    const double all = profile_sum_up();
    for (int i = 0; i < profile_rows; i++) {
        const struct profile_row *row = &profile_row[i];
        int k = 0;
        while (k < kinds && strcmp(kind[k].kind, row->kind) != 0)
            k++;
        if (k == kinds)
            kind[kinds++] = (struct profile_row){.kind = row->kind};
        kind[k].median += row->median;
        kind[k].flops += row->flops;
        kind[k].bytes += row->bytes;
    }
    qsort(kind, (size_t)kinds, sizeof(*kind), profile_by_seconds);
    for (int k = 0; k < kinds; k++)
        profile_print_row(&kind[k], all, limits);
    printf("\n");
    for (int i = 0; i < profile_rows; i++)
        profile_print_row(&profile_row[i], all, limits);
}

#define PROFILED(result, name, parameters, arguments, kind, flops, bytes, ...)         \
    result __real_##name parameters;                                                   \
    result __wrap_##name parameters;                                                   \
    result __wrap_##name parameters                                                    \
    {                                                                                  \
        char text[64];                                                                 \
        snprintf(text, sizeof(text), __VA_ARGS__);                                     \
        const double start = clock_seconds();                                          \
        __real_##name arguments;                                                       \
        profile_add(kind, text, flops, bytes, start);                                  \
    }

static double profile_conv(struct shape in, int k, int stride, double taps)
{
    return 2.0 * in.n * ((in.h - 1) / stride + 1) * ((in.w - 1) / stride + 1) * k *
           taps;
}

/* Bytes of a tensor: of a shape, and of a convolution's output. */
static double profile_bytes(struct shape shape)
{
    return (double)shape_floats(shape) * sizeof(float);
}

static double profile_out(struct shape in, int k, int stride)
{
    return profile_bytes(
        (struct shape){in.n, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1, k});
}

PROFILED(void, pointwise_forward,
         (struct shape in, int k, int stride, const struct source *x, const float *w,
          float *z, const struct moments *moments, struct arena *scratch),
         (in, k, stride, x, w, z, moments, scratch), "1x1 forward",
         profile_conv(in, k, stride, in.c),
         profile_bytes(in) + profile_out(in, k, stride), "%d -> %d at %d x %d", in.c, k,
         in.h, in.w)
PROFILED(void, pointwise_backward,
         (struct shape in, int k, int stride, const struct gradient *dz,
          const struct source *x, const float *w, float *dw, const struct sink *dx,
          struct arena *scratch),
         (in, k, stride, dz, x, w, dw, dx, scratch), "1x1 backward",
         2 * profile_conv(in, k, stride, in.c),
         2 * profile_bytes(in) + 2 * profile_out(in, k, stride) +
             (dx->add ? profile_bytes(in) : 0),
         "%d -> %d at %d x %d", in.c, k, in.h, in.w)
PROFILED(void, depthwise_forward,
         (struct shape in, int r, int stride, const struct source *x, const float *w,
          float *z, const struct moments *moments, struct arena *scratch),
         (in, r, stride, x, w, z, moments, scratch), "depthwise forward",
         profile_conv(in, in.c, stride, r *r),
         profile_bytes(in) + profile_out(in, in.c, stride), "%d k%d/%d at %d x %d",
         in.c, r, stride, in.h, in.w)
PROFILED(void, depthwise_backward,
         (struct shape in, int r, int stride, const struct gradient *dz,
          const struct source *x, const float *w, float *dw, const struct sink *dx,
          struct arena *scratch),
         (in, r, stride, dz, x, w, dw, dx, scratch), "depthwise backward",
         2 * profile_conv(in, in.c, stride, r *r),
         2 * profile_bytes(in) + 2 * profile_out(in, in.c, stride),
         "%d k%d/%d at %d x %d", in.c, r, stride, in.h, in.w)
PROFILED(void, stem_forward,
         (struct shape in, int k, int r, int stride, const float *x, const float *w,
          float *z, const struct moments *moments, struct arena *scratch),
         (in, k, r, stride, x, w, z, moments, scratch), "stem forward",
         profile_conv(in, k, stride, r *r *in.c),
         4.0 * in.n * in.h * in.w * in.c + profile_out(in, k, stride), "%d -> %d", in.c,
         k)
PROFILED(void, stem_backward,
         (struct shape in, int k, int r, int stride, const struct gradient *dz,
          const float *x, float *dw, struct arena *scratch),
         (in, k, r, stride, dz, x, dw, scratch), "stem backward",
         profile_conv(in, k, stride, r *r *in.c),
         4.0 * in.n * in.h * in.w * in.c + 2 * profile_out(in, k, stride), "%d -> %d",
         in.c, k)
PROFILED(void, batchnorm_apply,
         (struct shape shape, const float *z, const float *scale, const float *shift,
          const float *residual, float *y),
         (shape, z, scale, shift, residual, y), "block output", 0,
         (residual ? 3 : 2) * profile_bytes(shape), "%d at %d x %d", shape.c, shape.h,
         shape.w)
PROFILED(void, activate_forward, (struct shape shape, const struct source *x, float *y),
         (shape, x, y), "stem output", 0, 2 * profile_bytes(shape), "%d at %d x %d",
         shape.c, shape.h, shape.w)
PROFILED(void, activate_backward,
         (struct shape shape, const float *dy, const struct source *x,
          const struct sink *dx, struct arena *scratch),
         (shape, dy, x, dx, scratch), "stem output", 0, 3 * profile_bytes(shape),
         "%d at %d x %d", shape.c, shape.h, shape.w)
PROFILED(void, global_pool_forward, (struct shape in, const struct source *x, float *y),
         (in, x, y), "pool", 0, profile_bytes(in), "%d at %d x %d", in.c, in.h, in.w)
PROFILED(void, global_pool_backward,
         (struct shape in, const float *dy, const struct source *x,
          const struct sink *dx, struct arena *scratch),
         (in, dy, x, dx, scratch), "pool", 0, 2 * profile_bytes(in), "%d at %d x %d",
         in.c, in.h, in.w)
PROFILED(void, linear_forward,
         (int n, int c, int classes, const float *x, const float *w, const float *b,
          float *logits),
         (n, c, classes, x, w, b, logits), "linear", 2.0 * n * c * classes,
         4.0 * (n * c + c * classes + n * classes), "%d -> %d", c, classes)
PROFILED(void, linear_backward,
         (int n, int c, int classes, const float *dlogits, const float *x,
          const float *w, float *dw, float *db, float *dx, struct arena *scratch),
         (n, c, classes, dlogits, x, w, dw, db, dx, scratch), "linear",
         4.0 * n * c * classes, 4.0 * (2 * n * c + 2 * c * classes + n * classes),
         "%d -> %d", c, classes)
PROFILED(void, expand_depthwise_forward,
         (const struct expand_depthwise *e, float *z, const struct moments *moments,
          struct arena *scratch),
         (e, z, moments, scratch), "expand+depthwise fwd",
         profile_conv(e->in, e->expanded, 1, e->in.c) +
             profile_conv(e->in, e->expanded, e->stride, e->r * e->r),
         profile_bytes(e->in) + profile_out(e->in, e->expanded, e->stride),
         "%d -> %d k%d/%d at %d x %d", e->in.c, e->expanded, e->r, e->stride, e->in.h,
         e->in.w)
PROFILED(void, expand_depthwise_backward,
         (const struct expand_depthwise *e, const struct gradient *dz,
          const struct expand_gradient *to, struct arena *scratch),
         (e, dz, to, scratch), "expand+depthwise bwd",
         3 * profile_conv(e->in, e->expanded, 1, e->in.c) +
             2 * profile_conv(e->in, e->expanded, e->stride, e->r * e->r),
         2 * profile_bytes(e->in) + 2 * profile_out(e->in, e->expanded, e->stride),
         "%d -> %d k%d/%d at %d x %d", e->in.c, e->expanded, e->r, e->stride, e->in.h,
         e->in.w)
PROFILED(void, gram_of,
         (struct shape in, const struct source *x, const struct gram *gram,
          struct arena *scratch),
         (in, x, gram, scratch), "gram", profile_conv(in, in.c, 1, in.c),
         profile_bytes(in), "%d at %d x %d", in.c, in.h, in.w)
PROFILED(void, gram_statistics,
         (struct shape in, int k, const struct gram *gram, const float *w, float *mean,
          float *variance, struct arena *scratch),
         (in, k, gram, w, mean, variance, scratch), "gram statistics", 0,
         4.0 * (in.c * in.c + in.c * k), "%d", in.c)
PROFILED(void, gram_backward,
         (struct shape in, int k, const struct source *x, const struct gram *gram,
          const float *w, const float *gamma, const struct batchnorm *bn,
          const struct gram_gradient *to, const struct sink *dx, struct arena *scratch),
         (in, k, x, gram, w, gamma, bn, to, dx, scratch), "gram backward",
         profile_conv(in, in.c, 1, in.c), (dx->add ? 4 : 3) * profile_bytes(in),
         "%d at %d x %d", in.c, in.h, in.w)

#endif
