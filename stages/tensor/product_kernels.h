/*
 * product_kernels.h - the inner loops of z = a w', da = dz w and dw = dz' a, one table
 * per instruction set. For product.c only.
 *
 * Operands pass through tiles that fit the second-level cache, in blocks of 16 channels
 * (whatever the processor): [channel / 16][row][16], blocks `stride` floats apart. The
 * weights are packed into panels of a few vectors of columns, [panel][depth][columns of
 * the panel].
 */
#ifndef TENSOR_PRODUCT_KERNELS_H
#define TENSOR_PRODUCT_KERNELS_H

#include "tensor/tensor.h"

/* Rows that one step of multiply() takes at most, and a multiple of what it ever takes:
 * it reads up to so many rows behind the last one and drops what it made of them. */
enum { PRODUCT_STEP = 24 };

struct tile {
    float *at;
    size_t stride; /* an odd number of rows: else all blocks fight for the same sets */
    int rows;
};

/* What becomes of a row of products, by kind. */
enum product_end_kind {
    END_STORE,     /* out = v, with sums, if sum is not NULL */
    END_MOMENTS,   /* out = v; sum += v - centre, square += (v - centre)^2 */
    END_SLOPE,     /* out = v * act'(scale*z + shift), with sums */
    END_GATE,      /* out = v; sum += v * act(scale*z + shift) */
    END_ACTIVATED, /* out = act(scale*v + shift), in blocks of 16 channels */
};
/* END_STORE and END_SLOPE add to v first: add (if not NULL), bias (if not NULL;
 * END_SLOPE: both or none). */
/* With sums: sum += out, square += out * (z - centre). */

struct product_end {
    enum product_end_kind kind;
    enum activation act; /* ACT_COUNT for END_GATE: sum += v * z */
    const size_t *at;    /* [row]: where it starts in out, add and z */
    float *out;
    size_t block; /* END_ACTIVATED: how far apart out's blocks are */
    const float *add, *z, *bias;
    const float *scale, *shift, *centre; /* [columns]; centre NULL: 0 */
    float *sum, *square;                 /* [columns] */
};

struct product_kernels {
    /* Tile of act(scale*z + shift) * gate; row i starts at z + at[i], its gate at
     * gate + gate_at[i]. */
    void (*load_source)(const struct source *x, size_t padded, const size_t *at,
                        const size_t *gate_at, const struct tile *to);
    /* Tile of dz; row i is row first + i of g and z. */
    void (*load_gradient)(const struct gradient *dz, size_t padded, size_t first,
                          const struct tile *to);
    /* Packs w [k][padded c] for a w' (depth c, columns k) or for dz w (depth k, columns
     * c): those panels whose number is `part` modulo `parts`. */
    void (*pack_forward)(int k, int c, const float *w, int part, int parts,
                         float *packed);
    void (*pack_backward)(int k, int c, const float *w, int part, int parts,
                          float *packed);
    /* Rows [first, first + rows) of the tile times the packed weights; row i of the
     * product is at[i]'s. Depth 0: products are 0. */
    void (*multiply)(const struct tile *a, int first, int rows, int depth,
                     const float *packed, size_t columns,
                     const struct product_end *end);
    /* dw [padded k][padded c] += dz' a over the tiles' rows. */
    void (*weight_gradient)(const struct tile *dz, const struct tile *a, int k,
                            size_t padded_c, float *dw);
    /* out[i] = sum over parts, in order, of part[i]; parts are `distance` apart. */
    void (*sum_parts)(const float *part, int parts, size_t distance, size_t count,
                      float *out);
};

/* Those for this processor. */
const struct product_kernels *product_kernels(void);

extern const struct product_kernels product_kernels_avx512, product_kernels_avx2,
    product_kernels_baseline;

#endif
