#include "tensor/stem.h"

#include <string.h>

#include "base/die.h"
#include "tensor/product.h"

struct window {
    struct shape in, out;
    int r, stride;
    const float *x;
};

/* The values under the window whose corner is at (n, h, w), in the order i, j, c.
 * Outside the image they are 0. */
static void gather_window(const struct window *v, size_t n, int h, int w, float *a)
{
    const size_t c = (size_t)v->in.c;
    const int from = w < 0 ? -w : 0;
    const int to = w + v->r > v->in.w ? v->in.w - w : v->r;
    memset(a, 0, stem_row(v->r, v->in.c) * sizeof(*a));
    for (int i = 0; i < v->r; i++, a += (size_t)v->r * c) {
        if (h + i < 0 || h + i >= v->in.h)
            continue;
        const size_t line = (n * (size_t)v->in.h + (size_t)(h + i)) * (size_t)v->in.w;
        memcpy(a + (size_t)from * c, v->x + (line + (size_t)(w + from)) * c,
               (size_t)(to - from) * c * sizeof(*a));
    }
}

enum { QUAD = 4 };

/* The same well inside the image, four floats at a time: what is copied too much lies
 * where the next row of the window, or the padding, comes to lie. rows of `row` floats,
 * in the image `line` apart; all of them numbers of their own, for what v points to
 * would be read again after each copy. */
static inline void gather_inside(int rows, int row, int line, int floats,
                                 const float *corner, float *a)
{
#pragma GCC unroll 3
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < row; j += QUAD)
            memcpy(a + i * row + j, corner + i * line + j, QUAD * sizeof(*a));
    for (int i = rows * row; i < floats; i++)
        a[i] = 0;
}

/* Whether what gather_inside() copies too much stays in bounds: of a's row, and (from
 * within the image) of the next line. */
static bool by_quads(const struct window *v)
{
    const int row = v->r * v->in.c;
    const int copied = (v->r - 1) * row + (row + QUAD - 1) / QUAD * QUAD;
    return (size_t)copied <= stem_row(v->r, v->in.c) && v->in.w * v->in.c >= QUAD - 1;
}

/* A line of output pixels at a time. */
static void gather(const void *from, size_t first, int rows, float *a)
{
    const struct window *v = from;
    const size_t floats = stem_row(v->r, v->in.c), columns = (size_t)v->out.w;
    const bool quads = by_quads(v);
    const int r = v->r, c = v->in.c, width = v->in.w, stride = v->stride;
    /* Not the last line of the images: gather_inside() reads a little past a window. */
    const size_t lines = (size_t)v->in.n * (size_t)v->in.h - 1;
    for (size_t left = (size_t)rows; left;) {
        const size_t n = first / columns / (size_t)v->out.h;
        const int h = (int)(first / columns % (size_t)v->out.h) * v->stride - v->r / 2;
        const size_t line = n * (size_t)v->in.h + (size_t)h;
        const bool inside =
            quads && h >= 0 && h + v->r <= v->in.h && line + (size_t)v->r <= lines;
        /* Of column 0; above the image it is not followed. */
        const float *corner = inside ? v->x + line * (size_t)width * (size_t)c : v->x;
        for (size_t q = first % columns; q < columns && left; q++, first++, left--) {
            const int w = (int)q * stride - r / 2;
            if (!inside || w < 0 || w + r > width)
                gather_window(v, n, h, w, a);
            else if (r == 3 && c == 3)
                gather_inside(3, 9, width * 3, 32, corner + w * 3, a);
            else
                gather_inside(r, r * c, width * c, (int)floats, corner + w * c, a);
            a += floats;
        }
    }
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
