/*
 * elementwise.h - whole tensors through the elementwise kernels, in fixed chunks.
 *
 * For the modules of this folder; tensor.h has the words.
 */
#ifndef TENSOR_ELEMENTWISE_H
#define TENSOR_ELEMENTWISE_H

#include "tensor/elementwise_kernels.h"

/* act(0) = 0, so that padding lanes stay zero: what a source's activation must do. */
static inline bool activation_keeps_zero(enum activation act)
{
    return act != ACT_SIGMOID && act != ACT_HSIGMOID;
}

/* Those for this processor. */
const struct elementwise_kernels *elementwise(void);

/*
 * A tensor's pixels as pieces, each a part of one image, and the pieces in chunks.
 * Chunk i has the pieces from split_chunk(i) to before split_chunk(i + 1).
 */
struct pixel_split {
    size_t chunks, pieces, parts, pixels_per_image;
};
struct pixel_piece {
    size_t image;
    size_t first, pixels; /* first: within the whole tensor */
};

struct pixel_split split_pixels(struct shape shape);
size_t split_chunk(const struct pixel_split *split, size_t chunk);
struct pixel_piece split_piece(const struct pixel_split *split, size_t piece);

/* The gradient da = from * gate + offset of a source, still to be made.
 * gate, offset [n][padded c], both NULL: da = from. from like the tensor, or NULL:
 * da = offset. */
struct pooled_gradient {
    const float *from, *gate, *offset;
};

/* Hands that gradient to the sink (which has no gate_sum). */
void sink_pooled(struct shape shape, const struct pooled_gradient *da,
                 const struct source *x, const struct sink *sink,
                 struct arena *scratch);
size_t sink_pooled_scratch(struct shape shape);

#endif
