#include "tensor/product_kernels.h"

#include <stdbool.h>

#include "tensor/vector.h"

enum {
    W = KERNEL_WIDTH,
    /* Vectors of a panel: 4 x 6 accumulators fill the 32 registers of AVX-512, 2 x 6
     * the 16 of the others. */
    PANEL = W == 16 ? 4 : 2,
    STEP_MOST = PRODUCT_STEP,
};
#define AS_IS ACT_COUNT

/* Where channel c of the tile's first row lies. */
ALWAYS_INLINE float *tile_at(const struct tile *tile, size_t c)
{
    return tile->at + c / CHANNEL_BLOCK * tile->stride + c % CHANNEL_BLOCK;
}

/* --- loading ----------------------------------------------------- */

/* A row at a time and so in the order of memory, with a prefetch: what comes from DRAM
 * (most of it does) comes at 21 to 27 GB/s on one Zen 5 core; several rows together,
 * which would share what belongs to the channel, at 12 to 15. */
ALWAYS_INLINE void load_activated(const enum activation act, const bool gated,
                                  const struct source *x, size_t padded,
                                  const size_t *at, const size_t *gate_at,
                                  const struct tile *to)
{
    for (int row = 0; row < to->rows; row++) {
        const float *z = x->z + at[row], *gate = gated ? x->gate + gate_at[row] : NULL;
        for (size_t c = 0; c < padded; c += W) {
            v_prefetch(z + c);
            vf a = v_load(z + c);
            if (act != AS_IS)
                a = v_act(act, a * v_load(x->scale + c) + v_load(x->shift + c));
            if (gated)
                a = a * v_load(gate + c);
            v_store(tile_at(to, c) + row * CHANNEL_BLOCK, a);
        }
    }
}

#define LOAD_CASE(act)                                                                 \
    case act:                                                                          \
        if (x->gate)                                                                   \
            load_activated(act, true, x, padded, at, gate_at, to);                     \
        else                                                                           \
            load_activated(act, false, x, padded, at, gate_at, to);                    \
        break

static void load_source(const struct source *x, size_t padded, const size_t *at,
                        const size_t *gate_at, const struct tile *to)
{
    switch (x->scale ? x->act : AS_IS) {
        LOAD_CASE(ACT_NONE);
        LOAD_CASE(ACT_RELU);
        LOAD_CASE(ACT_RELU6);
        LOAD_CASE(ACT_HSWISH);
        LOAD_CASE(ACT_SWISH);
        LOAD_CASE(AS_IS);
    default: /* refused at the door */
        __builtin_unreachable();
    }
}

static void load_gradient(const struct gradient *dz, size_t padded, size_t first,
                          const struct tile *to)
{
    for (int row = 0; row < to->rows; row++) {
        const size_t here = (first + (size_t)row) * padded;
        for (size_t c = 0; c < padded; c += W) {
            v_prefetch(dz->g + here + c);
            v_prefetch(dz->z + here + c);
            const vf centred = v_load(dz->z + here + c) - v_load(dz->mean + c);
            v_store(tile_at(to, c) + row * CHANNEL_BLOCK,
                    v_load(dz->ca + c) * v_load(dz->g + here + c) +
                        (v_load(dz->cb + c) * centred + v_load(dz->cc + c)));
        }
    }
}

/* --- packing ----------------------------------------------------- */

/* Vectors of the next panel when so many are left: never a narrow one if it can be
 * helped (5 = 3 + 2, 6 = 3 + 3, 9 = 3 + 3 + 3). */
ALWAYS_INLINE size_t panel_vectors(size_t left)
{
    if (left <= PANEL)
        return left;
    return left % PANEL && PANEL > 2 ? PANEL - 1 : PANEL;
}

static void pack_forward(int k, int c, const float *w, int part, int parts,
                         float *packed)
{
    const size_t padded_c = channels_padded(c), columns = channels_padded(k);
    int panel = 0;
    for (size_t first = 0, width; first < columns; first += width, panel++) {
        width = W * panel_vectors((columns - first) / W);
        if (panel % parts != part)
            continue;
        float *to = packed + first * (size_t)c;
        for (size_t j = 0; j < width; j++)
            for (int i = 0; i < c; i++)
                to[(size_t)i * width + j] =
                    first + j < (size_t)k ? w[(first + j) * padded_c + (size_t)i] : 0;
    }
}

static void pack_backward(int k, int c, const float *w, int part, int parts,
                          float *packed)
{
    const size_t columns = channels_padded(c);
    int panel = 0;
    for (size_t first = 0, width; first < columns; first += width, panel++) {
        width = W * panel_vectors((columns - first) / W);
        if (panel % parts != part)
            continue;
        float *to = packed + first * (size_t)k;
        for (int i = 0; i < k; i++)
            for (size_t j = 0; j < width; j += W)
                v_store(to + (size_t)i * width + j,
                        v_load(w + (size_t)i * columns + first + j));
    }
}

/* --- ends -------------------------------------------------------- */

/* Sums of one panel's columns; they live over all row steps of a tile. */
struct sums {
    vf sum[4], square[4];
};

/*
 * All put_...(): what becomes of `steps` rows of products, `steps` a constant. at:
 * where these rows start; column: the panel's first.
 */
ALWAYS_INLINE void put_store(const int vectors, const int steps, const bool add,
                             const bool summed, vf (*acc)[4], const size_t *at,
                             size_t column, const struct product_end *end,
                             struct sums *s)
{
    UNROLLED
    for (int r = 0; r < steps; r++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) {
            const size_t here = at[r] + column + (size_t)(v * W);
            vf g = acc[r][v];
            if (add)
                g = g + v_load(end->add + here);
            if (end->bias)
                g = g + v_load(end->bias + column + v * W);
            v_store(end->out + here, g);
            if (summed) {
                s->sum[v] += g;
                s->square[v] +=
                    g * (v_load(end->z + here) - v_load(end->centre + column + v * W));
            }
        }
    }
}

ALWAYS_INLINE void put_moments(const int vectors, const int steps, vf (*acc)[4],
                               const size_t *at, size_t column,
                               const struct product_end *end, struct sums *s)
{
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        const vf centre = end->centre ? v_load(end->centre + column + v * W) : (vf){0};
        UNROLLED
        for (int r = 0; r < steps; r++) {
            v_store(end->out + at[r] + column + v * W, acc[r][v]);
            const vf d = acc[r][v] - centre;
            s->sum[v] += d;
            s->square[v] += d * d;
        }
    }
}

ALWAYS_INLINE void put_slope(const int vectors, const int steps,
                             const enum activation act, vf (*acc)[4], const size_t *at,
                             size_t column, const struct product_end *end,
                             struct sums *s)
{
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        const vf scale = v_load(end->scale + column + v * W),
                 shift = v_load(end->shift + column + v * W),
                 centre = v_load(end->centre + column + v * W);
        UNROLLED
        for (int r = 0; r < steps; r++) {
            const size_t here = at[r] + column + (size_t)(v * W);
            const vf z = v_load(end->z + here);
            vf g = acc[r][v];
            if (end->add)
                g = g + (v_load(end->add + here) + v_load(end->bias + column + v * W));
            g = v_act_gradient(act, z * scale + shift, g);
            v_store(end->out + here, g);
            s->sum[v] += g;
            s->square[v] += g * (z - centre);
        }
    }
}

ALWAYS_INLINE void put_gate(const int vectors, const int steps,
                            const enum activation act, vf (*acc)[4], const size_t *at,
                            size_t column, const struct product_end *end,
                            struct sums *s)
{
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        UNROLLED
        for (int r = 0; r < steps; r++) {
            const size_t here = at[r] + column + (size_t)(v * W);
            vf a = v_load(end->z + here);
            if (act != AS_IS)
                a = v_act(act, a * v_load(end->scale + column + v * W) +
                                   v_load(end->shift + column + v * W));
            v_store(end->out + here, acc[r][v]);
            s->sum[v] += acc[r][v] * a;
        }
    }
}

ALWAYS_INLINE void put_activated(const int vectors, const int steps,
                                 const enum activation act, vf (*acc)[4],
                                 const size_t *at, size_t column,
                                 const struct product_end *end)
{
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        const size_t c = column + (size_t)(v * W);
        const vf scale = v_load(end->scale + c), shift = v_load(end->shift + c);
        float *out = end->out + c / CHANNEL_BLOCK * end->block + c % CHANNEL_BLOCK;
        UNROLLED
        for (int r = 0; r < steps; r++)
            v_store(out + at[r], v_act(act, acc[r][v] * scale + shift));
    }
}

/* The ends that are quick. true: done. */
ALWAYS_INLINE bool put_quick(const int vectors, const int steps, vf (*acc)[4],
                             const size_t *at, size_t column,
                             const struct product_end *end, struct sums *s)
{
    if (end->kind == END_MOMENTS)
        put_moments(vectors, steps, acc, at, column, end, s);
    else if (end->kind == END_STORE && end->add && end->sum)
        put_store(vectors, steps, true, true, acc, at, column, end, s);
    else if (end->kind == END_STORE && end->add)
        put_store(vectors, steps, true, false, acc, at, column, end, s);
    else if (end->kind == END_STORE && end->sum)
        put_store(vectors, steps, false, true, acc, at, column, end, s);
    else if (end->kind == END_STORE)
        put_store(vectors, steps, false, false, acc, at, column, end, s);
    else if (end->kind == END_SLOPE && end->act == ACT_RELU)
        put_slope(vectors, steps, ACT_RELU, acc, at, column, end, s);
    else if (end->kind == END_SLOPE && end->act == ACT_RELU6)
        put_slope(vectors, steps, ACT_RELU6, acc, at, column, end, s);
    else if (end->kind == END_ACTIVATED && end->act == ACT_NONE)
        put_activated(vectors, steps, ACT_NONE, acc, at, column, end);
    else if (end->kind == END_ACTIVATED && end->act == ACT_RELU)
        put_activated(vectors, steps, ACT_RELU, acc, at, column, end);
    else if (end->kind == END_ACTIVATED && end->act == ACT_RELU6)
        put_activated(vectors, steps, ACT_RELU6, acc, at, column, end);
    else
        return false;
    return true;
}

#define SLOPE_CASE(act)                                                                \
    case act:                                                                          \
        put_slope(vectors, 1, act, acc, at, column, end, s);                           \
        break
#define GATE_CASE(act)                                                                 \
    case act:                                                                          \
        put_gate(vectors, 1, act, acc, at, column, end, s);                            \
        break

/* Any end, for one row. */
ALWAYS_INLINE void put_row(const int vectors, vf (*acc)[4], const size_t *at,
                           size_t column, const struct product_end *end, struct sums *s)
{
    if (put_quick(vectors, 1, acc, at, column, end, s))
        return;
    if (end->kind == END_ACTIVATED && end->act == ACT_HSWISH)
        put_activated(vectors, 1, ACT_HSWISH, acc, at, column, end);
    else if (end->kind == END_ACTIVATED)
        put_activated(vectors, 1, ACT_SWISH, acc, at, column, end);
    else if (end->kind == END_SLOPE)
        switch (end->act) {
            SLOPE_CASE(ACT_NONE);
            SLOPE_CASE(ACT_HSWISH);
            SLOPE_CASE(ACT_SWISH);
        default:
            __builtin_unreachable();
        }
    else
        switch (end->act) {
            GATE_CASE(ACT_NONE);
            GATE_CASE(ACT_RELU);
            GATE_CASE(ACT_RELU6);
            GATE_CASE(ACT_HSWISH);
            GATE_CASE(ACT_SWISH);
            GATE_CASE(AS_IS);
        default:
            __builtin_unreachable();
        }
}

/* The choice of the end stands inside the loop over row steps, where the products are
 * still in their registers; it is the same each time, so the processor predicts it.
 * Long ends, and steps that are not full, take the products from memory, row by row. */
ALWAYS_INLINE void put(const int vectors, const int steps, int rows, vf (*acc)[4],
                       const size_t *at, size_t column, const struct product_end *end,
                       struct sums *s)
{
    if (rows >= steps && put_quick(vectors, steps, acc, at, column, end, s))
        return;
    vf kept[STEP_MOST][4];
    UNROLLED
    for (int r = 0; r < steps; r++) {
        UNROLLED
        for (int v = 0; v < vectors; v++)
            kept[r][v] = acc[r][v];
    }
    ROLLED
    for (int r = 0; r < steps && r < rows; r++)
        put_row(vectors, kept + r, at + r, column, end, s);
}

/* --- products ---------------------------------------------------- */

/* Arrays have literal sizes: one that depends on a parameter, constant or not, is kept
 * in memory by gcc, which costs a factor of three. */
ALWAYS_INLINE void panel(const int vectors, const int steps, const struct tile *tile,
                         int first, int rows, int depth, const float *packed,
                         size_t column, const struct product_end *end)
{
    struct sums s = {0};
    for (int row = 0; row < rows; row += steps) {
        vf acc[STEP_MOST][4];
        UNROLLED
        for (int r = 0; r < steps; r++) {
            UNROLLED
            for (int v = 0; v < vectors; v++)
                acc[r][v] = (vf){0};
        }
        const float *a = tile->at + (size_t)(first + row) * CHANNEL_BLOCK, *b = packed;
        for (int done = 0; done < depth; done += CHANNEL_BLOCK, a += tile->stride) {
            const int lanes =
                depth - done < CHANNEL_BLOCK ? depth - done : CHANNEL_BLOCK;
            for (int i = 0; i < lanes; i++, b += vectors * W) {
                vf column_vector[4];
                UNROLLED
                for (int v = 0; v < vectors; v++)
                    column_vector[v] = v_load(b + v * W);
                UNROLLED
                for (int r = 0; r < steps; r++) {
                    const vf left = v_set(a[r * CHANNEL_BLOCK + i]);
                    UNROLLED
                    for (int v = 0; v < vectors; v++)
                        acc[r][v] += left * column_vector[v];
                }
            }
        }
        put(vectors, steps, rows - row, acc, end->at + row, column, end, &s);
    }
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        if (end->sum)
            v_store(end->sum + column + v * W,
                    v_load(end->sum + column + v * W) + s.sum[v]);
        if (end->square)
            v_store(end->square + column + v * W,
                    v_load(end->square + column + v * W) + s.square[v]);
    }
}

#define DEFINE_PANEL(vectors, steps)                                                   \
    static void panel_##vectors(const struct tile *tile, int first, int rows,          \
                                int depth, const float *packed, size_t column,         \
                                const struct product_end *end)                         \
    {                                                                                  \
        panel(vectors, steps, tile, first, rows, depth, packed, column, end);          \
    }

#if KERNEL_WIDTH == 16
DEFINE_PANEL(4, 6)
DEFINE_PANEL(3, 8)
DEFINE_PANEL(2, 12)
DEFINE_PANEL(1, 24)
#else /* padded to 16 channels, so always two vectors */
DEFINE_PANEL(2, 6)
#endif

static void multiply(const struct tile *a, int first, int rows, int depth,
                     const float *packed, size_t columns, const struct product_end *end)
{
    for (size_t column = 0, vectors; column < columns; column += vectors * W) {
        vectors = panel_vectors((columns - column) / W);
        const float *b = packed + column * (size_t)depth;
        switch (vectors) {
#if KERNEL_WIDTH == 16
        case 1:
            panel_1(a, first, rows, depth, b, column, end);
            break;
        case 3:
            panel_3(a, first, rows, depth, b, column, end);
            break;
        case 4:
            panel_4(a, first, rows, depth, b, column, end);
            break;
#endif
        default:
            panel_2(a, first, rows, depth, b, column, end);
        }
    }
}

/* --- the weights' gradient --------------------------------------- */

ALWAYS_INLINE void gradient_block(const int outputs, const int vectors, int rows,
                                  const float *d, const float *a, size_t a_stride,
                                  float *dw, size_t row_floats)
{
    vf acc[16][3];
    UNROLLED
    for (int k = 0; k < outputs; k++) {
        UNROLLED
        for (int v = 0; v < vectors; v++)
            acc[k][v] = v_load(dw + (size_t)k * row_floats + v * W);
    }
    for (int row = 0; row < rows; row++, a += CHANNEL_BLOCK, d += CHANNEL_BLOCK) {
        vf right[3];
        UNROLLED
        for (int v = 0; v < vectors; v++)
            right[v] = v_load(
                a + ((size_t)v * (W < (int)CHANNEL_BLOCK ? (size_t)W : a_stride)));
        UNROLLED
        for (int k = 0; k < outputs; k++) {
            const vf left = v_set(d[k]);
            UNROLLED
            for (int v = 0; v < vectors; v++)
                acc[k][v] += left * right[v];
        }
    }
    UNROLLED
    for (int k = 0; k < outputs; k++) {
        UNROLLED
        for (int v = 0; v < vectors; v++)
            v_store(dw + (size_t)k * row_floats + v * W, acc[k][v]);
    }
}

/* One strip of `vectors` vectors of input channels against all outputs. */
ALWAYS_INLINE void gradient_strip(const int outputs, const int vectors,
                                  const struct tile *dz, const struct tile *a, int k,
                                  size_t padded_c, size_t c, float *dw)
{
    for (int first = 0; first < k; first += outputs)
        gradient_block(outputs, vectors, dz->rows, tile_at(dz, (size_t)first),
                       tile_at(a, c), a->stride, dw + (size_t)first * padded_c + c,
                       padded_c);
}

static void weight_gradient(const struct tile *dz, const struct tile *a, int k,
                            size_t padded_c, float *dw)
{
    size_t c = 0;
#if KERNEL_WIDTH == 16
    for (; c + 3 * W <= padded_c && padded_c - c != 4 * W; c += 3 * W)
        gradient_strip(8, 3, dz, a, k, padded_c, c, dw);
    for (; c + 2 * W <= padded_c; c += 2 * W)
        gradient_strip(8, 2, dz, a, k, padded_c, c, dw);
    if (c < padded_c)
        gradient_strip(16, 1, dz, a, k, padded_c, c, dw);
#else /* padded to 16 channels, so always two vectors, of one block */
    for (; c < padded_c; c += 2 * W)
        gradient_strip(4, 2, dz, a, k, padded_c, c, dw);
#endif
}

static void sum_parts(const float *part, int parts, size_t distance, size_t count,
                      float *out)
{
    for (size_t i = 0; i < count; i += W) {
        vf sum = v_load(part + i);
        for (int p = 1; p < parts; p++)
            sum += v_load(part + (size_t)p * distance + i);
        v_store(out + i, sum);
    }
}

const struct product_kernels KERNEL_NAME(product_kernels) = {
    .load_source = load_source,
    .load_gradient = load_gradient,
    .pack_forward = pack_forward,
    .pack_backward = pack_backward,
    .multiply = multiply,
    .weight_gradient = weight_gradient,
    .sum_parts = sum_parts,
};
