#include "tensor/elementwise_kernels.h"

#include "tensor/vector.h"

/* Float sums go over at most so many pixels, then into double; and these pixels, read
 * a few columns at a time, stay in the cache. */
enum { PIXELS_PER_RUN = 32 };
/* Vectors that are handled together: their sums and coefficients fit the registers,
 * and memory is read in longer pieces than one cache line. */
enum { COLUMNS = 4 };

static void apply(size_t pixels, size_t padded, const float *z, const float *scale,
                  const float *shift, const float *residual, float *y)
{
    for (size_t p = 0; p < pixels; p++) {
        const size_t at = p * padded;
        for (size_t c = 0; c < padded; c += KERNEL_WIDTH) {
            vf value = v_load(scale + c) * v_load(z + at + c) + v_load(shift + c);
            if (residual)
                value += v_load(residual + at + c);
            v_store(y + at + c, value);
        }
    }
}

ALWAYS_INLINE void sum_columns(int columns, enum activation act, size_t pixels,
                               size_t padded, const struct source *x, size_t c,
                               double *sum)
{
    vf total[COLUMNS] = {0}, scale[COLUMNS], shift[COLUMNS];
    UNROLLED
    for (int i = 0; i < columns; i++) {
        const size_t at = c + (size_t)i * KERNEL_WIDTH;
        scale[i] = x->scale ? v_load(x->scale + at) : v_set(1);
        shift[i] = x->scale ? v_load(x->shift + at) : v_set(0);
    }
    for (size_t p = 0; p < pixels; p++) {
        UNROLLED
        for (int i = 0; i < columns; i++) {
            const vf z = v_load(x->z + p * padded + c + (size_t)i * KERNEL_WIDTH);
            total[i] += v_act(act, scale[i] * z + shift[i]);
        }
    }
    UNROLLED
    for (int i = 0; i < columns; i++)
        v_add_to_doubles(sum + c + (size_t)i * KERNEL_WIDTH, total[i]);
}

ALWAYS_INLINE void sum_run(enum activation act, size_t pixels, size_t padded,
                           size_t lanes, const struct source *x, double *sum)
{
    size_t c = 0;
    for (; c + COLUMNS * KERNEL_WIDTH <= lanes; c += COLUMNS * KERNEL_WIDTH)
        sum_columns(COLUMNS, act, pixels, padded, x, c, sum);
    for (; c < lanes; c += KERNEL_WIDTH)
        sum_columns(1, act, pixels, padded, x, c, sum);
}

#define FOR_EACH_ACT(CASE)                                                             \
    CASE(ACT_NONE)                                                                     \
    CASE(ACT_RELU)                                                                     \
    CASE(ACT_RELU6)                                                                    \
    CASE(ACT_HSWISH) CASE(ACT_HSIGMOID) CASE(ACT_SIGMOID) CASE(ACT_SWISH)

static void activated_sum(size_t pixels, size_t padded, size_t lanes,
                          const struct source *x, double *sum)
{
    for (size_t p = 0; p < pixels; p += PIXELS_PER_RUN) {
        const size_t left = pixels - p,
                     run = left < PIXELS_PER_RUN ? left : PIXELS_PER_RUN;
        struct source from = *x;
        from.z = x->z + p * padded;
        switch (x->scale ? x->act : ACT_NONE) {
#define SUM_CASE(act)                                                                  \
    case act:                                                                          \
        sum_run(act, run, padded, lanes, &from, sum);                                  \
        break;
            FOR_EACH_ACT(SUM_CASE)
        default:
            break;
        }
    }
}

ALWAYS_INLINE void gradient_columns(int columns, size_t pixels, size_t padded,
                                    const float *g, const float *z, const float *mean,
                                    double *sum_g, double *sum_gz)
{
    vf total_g[COLUMNS] = {0}, total_gz[COLUMNS] = {0}, centre[COLUMNS];
    UNROLLED
    for (int i = 0; i < columns; i++)
        centre[i] = v_load(mean + i * KERNEL_WIDTH);
    for (size_t p = 0; p < pixels; p++) {
        UNROLLED
        for (int i = 0; i < columns; i++) {
            const size_t at = p * padded + (size_t)i * KERNEL_WIDTH;
            const vf value = v_load(g + at);
            total_g[i] += value;
            total_gz[i] += value * (v_load(z + at) - centre[i]);
        }
    }
    UNROLLED
    for (int i = 0; i < columns; i++) {
        v_add_to_doubles(sum_g + i * KERNEL_WIDTH, total_g[i]);
        v_add_to_doubles(sum_gz + i * KERNEL_WIDTH, total_gz[i]);
    }
}

static void gradient_sums(size_t pixels, size_t padded, const float *g, const float *z,
                          const float *mean, double *sum_g, double *sum_gz)
{
    for (size_t p = 0; p < pixels; p += PIXELS_PER_RUN) {
        const size_t left = pixels - p,
                     run = left < PIXELS_PER_RUN ? left : PIXELS_PER_RUN;
        const size_t at = p * padded;
        size_t c = 0;
        for (; c + COLUMNS * KERNEL_WIDTH <= padded; c += COLUMNS * KERNEL_WIDTH)
            gradient_columns(COLUMNS, run, padded, g + at + c, z + at + c, mean + c,
                             sum_g + c, sum_gz + c);
        for (; c < padded; c += KERNEL_WIDTH)
            gradient_columns(1, run, padded, g + at + c, z + at + c, mean + c,
                             sum_g + c, sum_gz + c);
    }
}

/* What the inner loop of a sink has to do, as constants. */
struct sink_kind {
    bool activated, gated, added, summed;
    enum activation act;
};

ALWAYS_INLINE void sink_columns(int columns, struct sink_kind kind,
                                const struct sink_run *run, size_t first, size_t pixels,
                                size_t c)
{
    vf total_g[COLUMNS] = {0}, total_gz[COLUMNS] = {0};
    vf scale[COLUMNS] = {0}, shift[COLUMNS] = {0}, mean[COLUMNS] = {0};
    vf gate[COLUMNS] = {0}, offset[COLUMNS] = {0};
    UNROLLED
    for (int i = 0; i < columns; i++) {
        const size_t at = c + (size_t)i * KERNEL_WIDTH;
        if (kind.activated) {
            scale[i] = v_load(run->scale + at);
            shift[i] = v_load(run->shift + at);
        }
        if (kind.summed)
            mean[i] = v_load(run->mean + at);
        if (kind.gated) {
            gate[i] = v_load(run->gate + at);
            offset[i] = v_load(run->offset + at);
        }
    }
    for (size_t p = first; p < first + pixels; p++) {
        UNROLLED
        for (int i = 0; i < columns; i++) {
            const size_t lane = c + (size_t)i * KERNEL_WIDTH;
            const size_t at = p * run->padded + lane;
            vf g = v_load(run->from + p * run->from_stride + lane);
            vf z = {0};
            if (kind.activated || kind.summed)
                z = v_load(run->z + at);
            if (kind.gated)
                g = g * gate[i] + offset[i];
            if (kind.activated)
                g = v_act_gradient(kind.act, scale[i] * z + shift[i], g);
            if (kind.added)
                g += v_load(run->add + at);
            v_store(run->g + at, g);
            if (kind.summed) {
                total_g[i] += g;
                total_gz[i] += g * (z - mean[i]);
            }
        }
    }
    if (kind.summed) {
        UNROLLED
        for (int i = 0; i < columns; i++) {
            const size_t at = c + (size_t)i * KERNEL_WIDTH;
            v_add_to_doubles(run->sum_g + at, total_g[i]);
            v_add_to_doubles(run->sum_gz + at, total_gz[i]);
        }
    }
}

ALWAYS_INLINE void sink_of_kind(struct sink_kind kind, const struct sink_run *run)
{
    for (size_t p = 0; p < run->pixels; p += PIXELS_PER_RUN) {
        const size_t left = run->pixels - p,
                     pixels = left < PIXELS_PER_RUN ? left : PIXELS_PER_RUN;
        size_t c = 0;
        for (; c + COLUMNS * KERNEL_WIDTH <= run->lanes; c += COLUMNS * KERNEL_WIDTH)
            sink_columns(COLUMNS, kind, run, p, pixels, c);
        for (; c < run->lanes; c += KERNEL_WIDTH)
            sink_columns(1, kind, run, p, pixels, c);
    }
}

ALWAYS_INLINE void sink_activated(bool gated, bool summed, const struct sink_run *run)
{
    switch (run->act) {
#define SINK_CASE(name)                                                                \
    case name: {                                                                       \
        const struct sink_kind kind = {                                                \
            .activated = true, .gated = gated, .summed = summed, .act = name};         \
        sink_of_kind(kind, run);                                                       \
        break;                                                                         \
    }
        FOR_EACH_ACT(SINK_CASE)
    default:
        break;
    }
}

ALWAYS_INLINE void sink_plain(bool gated, bool summed, const struct sink_run *run)
{
    struct sink_kind kind = {.gated = gated, .summed = summed, .act = ACT_NONE};
    if (run->add) {
        kind.added = true;
        sink_of_kind(kind, run);
    } else {
        sink_of_kind(kind, run);
    }
}

ALWAYS_INLINE void sink_maybe_gated(bool gated, bool summed, const struct sink_run *run)
{
    if (run->scale)
        sink_activated(gated, summed, run);
    else
        sink_plain(gated, summed, run);
}

static void sink(const struct sink_run *run)
{
    if (run->gate && run->sum_g)
        sink_maybe_gated(true, true, run);
    else if (run->gate)
        sink_maybe_gated(true, false, run);
    else if (run->sum_g)
        sink_maybe_gated(false, true, run);
    else
        sink_maybe_gated(false, false, run);
}

static void activate(enum activation act, size_t floats, const float *u, float *a)
{
    for (size_t i = 0; i < floats; i += KERNEL_WIDTH)
        v_store(a + i, v_act(act, v_load(u + i)));
}

static void activate_backward(enum activation act, size_t floats, const float *u,
                              const float *da, float *du)
{
    for (size_t i = 0; i < floats; i += KERNEL_WIDTH)
        v_store(du + i, v_act_gradient(act, v_load(u + i), v_load(da + i)));
}

const struct elementwise_kernels KERNEL_NAME(elementwise_kernels) = {
    .apply = apply,
    .activated_sum = activated_sum,
    .gradient_sums = gradient_sums,
    .sink = sink,
    .activate = activate,
    .activate_backward = activate_backward,
};
