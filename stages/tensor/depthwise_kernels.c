#include "tensor/depthwise_kernels.h"

#include "tensor/vector.h"

/*
 * Each kernel computes a tile of T columns in registers. With 32 vector registers the
 * inputs that a row of the kernel meets, T + r - 1 columns, are held in registers as
 * well. With 16 they are read from the first-level cache for each weight anew, which
 * asks for one load per multiply-add and no more; the forward kernel of 3 columns is
 * faster so with 32, too (5 to 10 %).
 */
enum {
    WINDOW_IN_REGISTERS = KERNEL_WIDTH == 16,
    TILE_MAX = 8,
    WINDOW_MAX = (TILE_MAX - 1) * 2 + DEPTHWISE_MAX
};

/* The compiler must not see that two addresses are the same, or it would keep what it
 * read, and spill it. */
#define HIDE(pointer) __asm__("" : "+r"(pointer))

/* acc[t] += sum over j of x[t*step + j] * w[j], 16 floats from one column to the next.
 */
ALWAYS_INLINE void correlate(const int r, const int step, const int T, const float *x,
                             const float *w, vf *acc)
{
    const bool window_in_registers = WINDOW_IN_REGISTERS && r > 3;
    vf window[WINDOW_MAX];
    if (window_in_registers) {
        UNROLLED
        for (int k = 0; k < (T - 1) * step + r; k++)
            window[k] = v_load(x + k * CHANNEL_BLOCK);
    }
    UNROLLED
    for (int j = 0; j < r; j++) {
        const vf weight = v_load(w + j * CHANNEL_BLOCK);
        if (!window_in_registers)
            HIDE(x);
        UNROLLED
        for (int t = 0; t < T; t++)
            acc[t] += weight * (window_in_registers
                                    ? window[t * step + j]
                                    : v_load(x + (t * step + j) * CHANNEL_BLOCK));
    }
}

struct moment_sums {
    vf centre, sum, square;
};

/* Writes `count` columns and takes their moments. A tile's sums by themselves first:
 * otherwise each addition would wait for the one before. */
ALWAYS_INLINE void put_columns(const int count, const vf *acc, float *z,
                               size_t z_column, struct moment_sums *moments)
{
    vf sum = {0}, square = {0};
    UNROLLED
    for (int t = 0; t < count; t++) {
        const vf d = acc[t] - moments->centre;
        v_store(z + (size_t)t * z_column, acc[t]);
        sum += d;
        square += d * d;
    }
    moments->sum += sum;
    moments->square += square;
}

ALWAYS_INLINE void forward_row(const int r, const int stride, const int T,
                               const struct depthwise_forward_run *run, int y, int lane,
                               struct moment_sums *moments)
{
    const struct depthwise_row *row = &run->row[y];
    float *z = run->z + (size_t)y * run->z_row + lane;
    for (int q = 0; q < run->columns; q += T) {
        const float *a = run->a + lane + (size_t)q * (size_t)stride * CHANNEL_BLOCK;
        const float *w = run->w + lane + row->first * r * CHANNEL_BLOCK;
        vf acc[TILE_MAX] = {0};
        ROLLED
        for (int i = 0; i < row->taps; i++) {
            correlate(r, stride, T, a + row->from[i], w, acc);
            w += row->step * r * CHANNEL_BLOCK;
        }
        float *to = z + (size_t)q * run->z_column;
        if (run->columns - q >= T) {
            put_columns(T, acc, to, run->z_column, moments);
            continue;
        }
        UNROLLED
        for (int t = 0; t < T - 1; t++)
            if (t < run->columns - q)
                put_columns(1, &acc[t], to + (size_t)t * run->z_column, run->z_column,
                            moments);
    }
}

ALWAYS_INLINE void forward_rows(const int r, const int stride, const int T,
                                const struct depthwise_forward_run *run)
{
    for (int lane = 0; lane < CHANNEL_BLOCK; lane += KERNEL_WIDTH) {
        struct moment_sums moments = {.centre = {0}};
        if (run->centre)
            moments.centre = v_load(run->centre + lane);
        for (int y = 0; y < run->rows; y++)
            forward_row(r, stride, T, run, y, lane, &moments);
        if (run->sum) {
            v_add_to_doubles(run->sum + lane, moments.sum);
            v_add_to_doubles(run->square + lane, moments.square);
        }
    }
}

/*
 * The columns of the input fall into `stride` phases: column m * stride + phase meets
 * the kernel's columns `first`, `first + stride`, ... (`taps` of them) at the output's
 * columns m + `shift`, m + `shift` - 1, ...
 */
struct phase {
    int first, taps, shift;
};

ALWAYS_INLINE struct phase phase_of(const int r, const int stride, const int number)
{
    const int first = (number + r / 2) % stride;
    return (struct phase){.first = first,
                          .taps = (r - first + stride - 1) / stride,
                          .shift = (number + r / 2 - first) / stride};
}

/* One row of dz against T columns of one phase: acc[t] += dz * w, dw += dz * a. */
ALWAYS_INLINE void correlate_both(const int stride, const int taps, const int T,
                                  const float *dz, const vf *a, const float *w,
                                  float *dw, vf *acc)
{
    vf window[WINDOW_MAX];
    if (WINDOW_IN_REGISTERS) {
        UNROLLED
        for (int k = 0; k < T + taps - 1; k++)
            window[k] = v_load(dz + k * CHANNEL_BLOCK);
    }
    UNROLLED
    for (int j = 0; j < taps; j++) {
        const vf weight = v_load(w + j * stride * CHANNEL_BLOCK);
        vf gradient = v_load(dw + j * stride * CHANNEL_BLOCK);
        if (!WINDOW_IN_REGISTERS)
            HIDE(dz);
        UNROLLED
        for (int t = 0; t < T; t++) {
            const int k = t + taps - 1 - j;
            const vf d =
                WINDOW_IN_REGISTERS ? window[k] : v_load(dz + k * CHANNEL_BLOCK);
            acc[t] += d * weight;
            gradient += d * a[t];
        }
        v_store(dw + j * stride * CHANNEL_BLOCK, gradient);
    }
}

ALWAYS_INLINE void backward_tile(const int r, const int stride, const int T,
                                 const int number,
                                 const struct depthwise_backward_run *run, int y,
                                 int lane, int m, float *dw)
{
    const struct phase phase = phase_of(r, stride, number);
    const struct depthwise_row *row = &run->row[y];
    const int left = depthwise_dz_left(r, stride) + phase.shift - (phase.taps - 1);
    const int kernel_row = r * CHANNEL_BLOCK;
    const size_t column = (size_t)(m * stride + number) * CHANNEL_BLOCK + (size_t)lane;
    const float *dz = run->dz + (size_t)(m + left) * CHANNEL_BLOCK + lane;
    const float *from = run->a + (size_t)y * run->a_row + column;
    float *to = run->da + (size_t)y * run->da_row + column;
    int at = row->first * kernel_row + phase.first * CHANNEL_BLOCK + lane;
    vf acc[TILE_MAX] = {0}, a[TILE_MAX];
    UNROLLED
    for (int t = 0; t < T; t++)
        a[t] = v_load(from + t * stride * CHANNEL_BLOCK);
    ROLLED
    for (int i = 0; i < row->taps; i++) {
        correlate_both(stride, phase.taps, T, dz + row->from[i], a, run->w + at,
                       dw + at, acc);
        at += row->step * kernel_row;
    }
    UNROLLED
    for (int t = 0; t < T; t++)
        v_store(to + t * stride * CHANNEL_BLOCK, acc[t]);
}

/* These rows' sum for dw by itself first: the rounding error of a float sum grows with
 * its length. */
ALWAYS_INLINE void backward_rows(const int r, const int stride, const int T,
                                 const struct depthwise_backward_run *run)
{
    const int columns = (run->columns + stride - 1) / stride;
    float dw[DEPTHWISE_MAX * DEPTHWISE_MAX * CHANNEL_BLOCK]
        __attribute__((aligned(sizeof(vf))));
    for (int i = 0; i < r * r * CHANNEL_BLOCK; i += KERNEL_WIDTH)
        v_store(dw + i, (vf){0});
    for (int lane = 0; lane < CHANNEL_BLOCK; lane += KERNEL_WIDTH)
        for (int y = 0; y < run->rows; y++)
            for (int m = 0; m < columns; m += T) {
                backward_tile(r, stride, T, 0, run, y, lane, m, dw);
                if (stride == 2)
                    backward_tile(r, stride, T, 1, run, y, lane, m, dw);
            }
    for (int i = 0; i < r * r * CHANNEL_BLOCK; i += KERNEL_WIDTH)
        v_store(run->dw + i, v_load(run->dw + i) + v_load(dw + i));
}

/* Literal sizes: with variable ones the compiler would keep the registers' arrays in
 * memory. */
#define INSTANCE(r, stride)                                                            \
    static void forward_##r##_##stride(const struct depthwise_forward_run *run)        \
    {                                                                                  \
        if (run->tile == 8)                                                            \
            forward_rows(r, stride, 8, run);                                           \
        else if (run->tile == 7)                                                       \
            forward_rows(r, stride, 7, run);                                           \
        else                                                                           \
            forward_rows(r, stride, 4, run);                                           \
    }                                                                                  \
    static void backward_##r##_##stride(const struct depthwise_backward_run *run)      \
    {                                                                                  \
        if (run->tile == 8)                                                            \
            backward_rows(r, stride, 8, run);                                          \
        else if (run->tile == 7)                                                       \
            backward_rows(r, stride, 7, run);                                          \
        else                                                                           \
            backward_rows(r, stride, 4, run);                                          \
    }

INSTANCE(3, 1)
INSTANCE(3, 2)
INSTANCE(5, 1)
INSTANCE(5, 2)
INSTANCE(7, 1)
INSTANCE(7, 2)

/* The fills go through memory in its order, with a prefetch as far ahead as
 * PREFETCH_AHEAD floats of these channels reach. */
ALWAYS_INLINE size_t fill_ahead(const struct depthwise_fill *fill)
{
    return (PREFETCH_AHEAD / fill->lanes + 1) * fill->padded;
}

ALWAYS_INLINE void activate_row(const enum activation act, const bool scaled,
                                const struct depthwise_fill *fill,
                                const struct source *x)
{
    const size_t ahead = fill_ahead(fill);
    for (int q = 0; q < fill->columns; q++) {
        const float *from = x->z + (size_t)q * fill->padded;
        float *to = fill->to + q * CHANNEL_BLOCK;
        for (size_t c = 0; c < fill->lanes; c += CHANNEL_BLOCK, to += fill->block) {
            __builtin_prefetch(from + ahead + c);
            UNROLLED
            for (int lane = 0; lane < CHANNEL_BLOCK; lane += KERNEL_WIDTH) {
                const size_t at = c + (size_t)lane;
                const vf z = v_load(from + at);
                v_store(to + lane, scaled ? v_act(act, v_load(x->scale + at) * z +
                                                           v_load(x->shift + at))
                                          : z);
            }
        }
    }
}

static void fill_activated(const struct depthwise_fill *fill, const struct source *x)
{
    if (!x->scale) {
        activate_row(ACT_NONE, false, fill, x);
        return;
    }
    switch (x->act) {
    case ACT_NONE:
        activate_row(ACT_NONE, true, fill, x);
        break;
    case ACT_RELU:
        activate_row(ACT_RELU, true, fill, x);
        break;
    case ACT_RELU6:
        activate_row(ACT_RELU6, true, fill, x);
        break;
    case ACT_HSWISH:
        activate_row(ACT_HSWISH, true, fill, x);
        break;
    case ACT_SWISH:
        activate_row(ACT_SWISH, true, fill, x);
        break;
    default: /* the others do not keep zero; refused at the door */
        break;
    }
}

static void fill_gradient(const struct depthwise_fill *fill, const struct gradient *dz)
{
    const size_t ahead = fill_ahead(fill);
    for (int q = 0; q < fill->columns; q++) {
        const float *g = dz->g + (size_t)q * fill->padded,
                    *z = dz->z + (size_t)q * fill->padded;
        float *to = fill->to + q * CHANNEL_BLOCK;
        for (size_t c = 0; c < fill->lanes; c += CHANNEL_BLOCK, to += fill->block) {
            __builtin_prefetch(g + ahead + c);
            __builtin_prefetch(z + ahead + c);
            UNROLLED
            for (int lane = 0; lane < CHANNEL_BLOCK; lane += KERNEL_WIDTH) {
                const size_t at = c + (size_t)lane;
                const vf centred = v_load(z + at) - v_load(dz->mean + at);
                v_store(to + lane,
                        v_load(dz->ca + at) * v_load(g + at) +
                            (v_load(dz->cb + at) * centred + v_load(dz->cc + at)));
            }
        }
    }
}

static void combine(size_t chunks, size_t distance, int taps, size_t padded,
                    const float *partial, float *dw)
{
    for (int tap = 0; tap < taps; tap++)
        for (int lane = 0; lane < CHANNEL_BLOCK; lane += KERNEL_WIDTH) {
            const float *from = partial + tap * CHANNEL_BLOCK + lane;
            vf total = {0};
            for (size_t chunk = 0; chunk < chunks; chunk++)
                total += v_load(from + chunk * distance);
            v_store(dw + (size_t)tap * padded + lane, total);
        }
}

const struct depthwise_kernels KERNEL_NAME(depthwise_kernels) = {
    .forward = {{forward_3_1, forward_3_2},
                {forward_5_1, forward_5_2},
                {forward_7_1, forward_7_2}},
    .backward = {{backward_3_1, backward_3_2},
                 {backward_5_1, backward_5_2},
                 {backward_7_1, backward_7_2}},
    .fill_activated = fill_activated,
    .fill_gradient = fill_gradient,
    .combine = combine,
};
