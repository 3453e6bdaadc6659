/*
 * depthwise_plan.h - how a depthwise convolution goes through an image, for the modules
 * of this folder that do one: depthwise.c and expand_depthwise.c.
 *
 * A thread takes some channel blocks of one image at a time and goes down the image:
 * the activated rows of the input enter a ring of rows (for backward: the rows of dz),
 * and each group of rows is computed block by block, so that what a block's rows share
 * is read from the first-level cache. The rings of all blocks together take about
 * RING_BYTES, which leaves room in a second-level cache of 512 KiB.
 */
#ifndef TENSOR_DEPTHWISE_PLAN_H
#define TENSOR_DEPTHWISE_PLAN_H

#include "tensor/depthwise_kernels.h"

/* Those for this processor. */
const struct depthwise_kernels *depthwise_kernels(void);

static inline int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* The rows that a thread holds of one tensor, for some channel blocks. */
struct block_rows {
    size_t rows;       /* per block */
    size_t left;       /* columns of zeros before column 0 */
    size_t width;      /* columns of the tensor */
    size_t columns;    /* in all */
    size_t row, block; /* floats from one row, one block to the next */
};

/* How one call divides its work; everything follows from the shape. */
struct depthwise_plan {
    struct shape in;
    int r, stride, p, q;            /* p, q: the output's height and width */
    size_t n, padded, blocks, taps; /* taps: r * r */
    size_t images, parts; /* chunks of images; parts of the channel blocks in each */
    int tile;
    int group;                     /* rows computed at a time */
    size_t group_blocks;           /* channel blocks taken at a time */
    struct block_rows ring, a, da; /* a, da: backward only */
};

/* Some blocks of one image: the unit of work, and the part of the rings it needs. */
struct depthwise_piece {
    size_t image, chunk, block, blocks;
};

/* made: the input is made as it is needed, and its gradient used up as it comes, so
 * that all blocks of an image have to be one thread's (parts is 1). */
struct depthwise_plan depthwise_plan_forward(struct shape in, int r, int stride,
                                             bool made);
struct depthwise_plan depthwise_plan_backward(struct shape in, int r, int stride,
                                              bool made);

/* The blocks from `block` on that are taken together, at most until `end`. */
struct depthwise_piece depthwise_piece_of(const struct depthwise_plan *plan,
                                          size_t image, size_t chunk, size_t block,
                                          size_t end);

/* Zeros before and behind the columns of each row. */
void depthwise_zero_around(const struct block_rows *layout, size_t blocks, float *rows);
/* Block b of w [r][r][padded] -> [block][r][r][16]. */
void depthwise_pack_block(const struct depthwise_plan *plan, const float *w, size_t b,
                          float *packed);
/* The first channel of the piece in row `row` of a tensor of this height and width. */
size_t depthwise_row_start(const struct depthwise_plan *plan,
                           const struct depthwise_piece *piece, int height, int width,
                           int row);
/* How `columns` pixels come to lie in this slot of the rows. */
struct depthwise_fill depthwise_fill_to(const struct depthwise_plan *plan,
                                        const struct depthwise_piece *piece,
                                        const struct block_rows *layout, float *rows,
                                        size_t slot, int columns);
/* Row `row` of dz into its slot of the ring. */
void depthwise_fill_gradient(const struct depthwise_plan *plan,
                             const struct depthwise_piece *piece,
                             const struct gradient *dz, int row, float *ring);

/* Rows h to h + rows of the input, as the kernel takes them: row[rows] is filled; the
 * pointers, which are each block's own, are still to be set. */
struct depthwise_backward_run depthwise_run_backward(const struct depthwise_plan *plan,
                                                     int h, int rows,
                                                     struct depthwise_row *row);

/* z of `rows` rows from p on, from the ring, which has their inputs. w: packed. sums:
 * the chunk's [2][padded], added to as `moments` (may be NULL) asks. */
void depthwise_forward_rows(const struct depthwise_plan *plan,
                            const struct depthwise_piece *piece, const float *ring,
                            const float *w, int p, int rows, float *z,
                            const struct moments *moments, double *sums);
/* dw [r][r][padded] = the chunks' sums, in their order. */
void depthwise_combine_weights(const struct depthwise_plan *plan, const float *partial,
                               float *dw);

#endif
