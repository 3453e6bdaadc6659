#include "tensor/global_pool.h"

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/elementwise.h"

/* Channels that are averaged together: their sums lie on the stack. */
enum { SLAB = 256 };

static void pool_slab(size_t pixels, size_t padded, size_t lanes,
                      const struct source *x, const float *gate, float *y)
{
    double sum[SLAB] = {0};
    elementwise()->activated_sum(pixels, padded, lanes, x, sum);
    for (size_t c = 0; c < lanes; c++)
        y[c] = (float)(sum[c] / (double)pixels * (gate ? (double)gate[c] : 1));
}

void global_pool_forward(struct shape in, const struct source *x, float *y)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1);
    BUG_IF(x->scale && !activation_keeps_zero(x->act));
    const size_t padded = channels_padded(in.c), pixels = (size_t)in.h * (size_t)in.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (size_t n = 0; n < (size_t)in.n; n++)
        for (size_t c = 0; c < padded; c += SLAB) {
            struct source slab = *x;
            slab.z = x->z + n * pixels * padded + c;
            if (x->scale) {
                slab.scale = x->scale + c;
                slab.shift = x->shift + c;
            }
            pool_slab(pixels, padded, padded - c < SLAB ? padded - c : SLAB, &slab,
                      x->gate ? x->gate + n * padded + c : NULL, y + n * padded + c);
        }
}

void global_pool_backward(struct shape in, const float *dy, const struct source *x,
                          const struct sink *dx, struct arena *scratch)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1 || x->gate);
    const size_t mark = arena_mark(scratch),
                 floats = (size_t)in.n * channels_padded(in.c);
    const float share = 1.0f / (float)(in.h * in.w);
    float *da = arena_floats(scratch, floats);
    for (size_t i = 0; i < floats; i++)
        da[i] = dy[i] * share;
    const struct pooled_gradient from = {.offset = da};
    sink_pooled(in, &from, x, dx, scratch);
    arena_release(scratch, mark);
}

size_t global_pool_scratch(struct shape in)
{
    return (size_t)in.n * channels_padded(in.c) * sizeof(float) + ARENA_BLOCK_EXTRA +
           sink_pooled_scratch(in);
}
