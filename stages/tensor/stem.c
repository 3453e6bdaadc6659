#include "tensor/stem.h"

#include <string.h>

#include "base/die.h"
#include "tensor/product.h"

struct window {
    struct shape in, out;
    int r, stride;
    const float *x;
};

/* The values under the window of one output pixel, in the order i, j, c. Outside the
 * image they are 0. */
static void gather_pixel(const struct window *v, size_t pixel, float *a)
{
    const int q = (int)(pixel % (size_t)v->out.w) * v->stride - v->r / 2;
    const int p =
        (int)(pixel / (size_t)v->out.w % (size_t)v->out.h) * v->stride - v->r / 2;
    const size_t n = pixel / (size_t)v->out.w / (size_t)v->out.h;
    const int from = q < 0 ? -q : 0;
    const int to = q + v->r > v->in.w ? v->in.w - q : v->r;
    const size_t c = (size_t)v->in.c;
    for (int i = 0; i < v->r; i++, a += (size_t)v->r * c) {
        if (p + i < 0 || p + i >= v->in.h)
            continue;
        const float *line =
            v->x + (n * (size_t)v->in.h + (size_t)(p + i)) * (size_t)v->in.w * c;
        memcpy(a + (size_t)from * c, line + (size_t)(q + from) * c,
               (size_t)(to - from) * c * sizeof(*a));
    }
}

static void gather(const void *from, size_t first, int rows, float *a)
{
    const struct window *v = from;
    const size_t floats = stem_row(v->r, v->in.c);
    memset(a, 0, (size_t)rows * floats * sizeof(*a));
    for (int i = 0; i < rows; i++)
        gather_pixel(v, first + (size_t)i, a + (size_t)i * floats);
}

static struct window window_of(struct shape in, int k, int r, int stride,
                               const float *x)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1 || k < 1);
    BUG_IF(r < 1 || r % 2 == 0 || (stride != 1 && stride != 2));
    return (struct window){
        .in = in,
        .out = {in.n, conv_out(in.h, r, stride), conv_out(in.w, r, stride), k},
        .r = r,
        .stride = stride,
        .x = x};
}

static struct product product_of(const struct window *v)
{
    return (struct product){.in = {v->out.n, v->out.h, v->out.w, v->r * v->r * v->in.c},
                            .k = v->out.c,
                            .stride = 1,
                            .gather = gather,
                            .gather_from = v};
}

void stem_forward(struct shape in, int k, int r, int stride, const float *x,
                  const float *w, float *z, const struct moments *moments,
                  struct arena *scratch)
{
    const struct window window = window_of(in, k, r, stride, x);
    const struct product p = product_of(&window);
    product_forward(&p, w, z, moments, scratch);
}

void stem_backward(struct shape in, int k, int r, int stride, const struct gradient *dz,
                   const float *x, float *dw, struct arena *scratch)
{
    const struct window window = window_of(in, k, r, stride, x);
    const struct product p = product_of(&window);
    product_backward(&p, dz, NULL, dw, NULL, scratch);
}

size_t stem_scratch(struct shape in, int k, int r, int stride)
{
    const struct window window = window_of(in, k, r, stride, NULL);
    const struct product p = product_of(&window);
    return product_scratch(&p);
}
