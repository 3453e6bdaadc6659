/*
 * depthwise_kernels.h - the inner loops of the depthwise convolution.
 *
 * One table per instruction set. Inside, a tensor lies in blocks of 16 channels; a row
 * of a block is `columns x 16` floats, with zeros around it where the convolution pads,
 * so that the loops need not know about borders. Offsets and strides are in floats.
 */
#ifndef TENSOR_DEPTHWISE_KERNELS_H
#define TENSOR_DEPTHWISE_KERNELS_H

#include "tensor/tensor.h"

enum {
    DEPTHWISE_MAX = 7,   /* the largest kernel */
    DEPTHWISE_ROWS = 16, /* the most rows that a kernel is called for */
};

/*
 * One row to be computed: `taps` rows of the kernel reach it, from row `first` of the
 * kernel in steps of `step`; the tensor's row that the i-th of them meets starts at
 * `from[i]` of a block.
 */
struct depthwise_row {
    int taps, first, step;
    size_t from[DEPTHWISE_MAX];
};

/* z = sum of a * w for `rows` rows of one block. */
struct depthwise_forward_run {
    int rows, columns; /* of the output */
    int tile;          /* columns computed at a time: 4, 7 or 8 */
    const struct depthwise_row *row;
    const float *a; /* the block's rows; readable to the last tile's end */
    const float *w; /* [r][r][16] */
    float *z;
    size_t z_row, z_column;
    const float *centre;  /* NULL: 0 */
    double *sum, *square; /* added to; NULL: not wanted */
};

/*
 * da and dw for `rows` rows of the input of one block. All rows of the input in one
 * piece after the other; the last tile may write da past its row's end (into the next
 * row, which is computed later), and reads zeros of a there.
 */
struct depthwise_backward_run {
    int rows, columns; /* of the input */
    int tile;          /* columns (of each of the `stride` phases) at a time */
    const struct depthwise_row *row;
    const float *dz; /* the block's rows */
    const float *a;
    size_t a_row;
    const float *w; /* [r][r][16] */
    float *dw;      /* [r][r][16], added to */
    float *da;
    size_t da_row;
};

/* Rows on their way into the blocks: `columns` pixels of `lanes` channels (a multiple
 * of 16) from memory to `to`, where blocks are `block` floats apart. */
struct depthwise_fill {
    int columns;
    size_t padded, lanes;
    float *to;
    size_t block;
};

struct depthwise_kernels {
    /* [r / 2 - 1][stride - 1] */
    void (*forward[3][2])(const struct depthwise_forward_run *run);
    void (*backward[3][2])(const struct depthwise_backward_run *run);
    /* Both start at x's, dz's pointers; all of these are moved to the row's first pixel
     * and the first channel. */
    void (*fill_activated)(const struct depthwise_fill *fill, const struct source *x);
    void (*fill_gradient)(const struct depthwise_fill *fill, const struct gradient *dz);
    /* dw [taps][padded c] of one block = the sum over chunks of partial [taps][16],
     * which lie `distance` apart, in their order. */
    void (*combine)(size_t chunks, size_t distance, int taps, size_t padded,
                    const float *partial, float *dw);
};

extern const struct depthwise_kernels depthwise_kernels_avx512, depthwise_kernels_avx2,
    depthwise_kernels_baseline;

/* How far left of column 0 a row of dz begins in its block, and how far it must be
 * readable beyond the last tile, for the backward kernels. */
static inline int depthwise_dz_left(int r, int stride)
{
    return stride == 1 ? r / 2 : r / 2 / 2;
}
static inline int depthwise_dz_right(int r, int stride)
{
    return stride == 1 ? r / 2 : (r / 2 + 1) / 2;
}

#endif
