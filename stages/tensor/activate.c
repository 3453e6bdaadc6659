/* activate.c - see activate.h. */
#include "tensor/activate.h"

#include "base/die.h"
#include "tensor/batchnorm.h"
#include "tensor/elementwise.h"

void activate_forward(struct shape shape, const struct source *x, float *y)
{
    BUG_IF(!x->scale || x->gate || !activation_keeps_zero(x->act));
    const struct pixel_split split = split_pixels(shape);
    const size_t padded = channels_padded(shape.c);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < split.pieces; i++) {
        const struct pixel_piece piece = split_piece(&split, i);
        const size_t at = piece.first * padded;
        elementwise()->apply(piece.pixels, padded, x->z + at, x->scale, x->shift, NULL,
                             y + at);
        elementwise()->activate(x->act, piece.pixels * padded, y + at, y + at);
    }
}

void activate_backward(struct shape shape, const float *dy, const struct source *x,
                       const struct sink *dx, struct arena *scratch)
{
    const struct pooled_gradient da = {.from = dy};
    sink_pooled(shape, &da, x, dx, scratch);
}

size_t activate_scratch(struct shape shape)
{
    return sink_pooled_scratch(shape);
}
