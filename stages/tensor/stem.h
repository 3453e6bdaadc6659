/*
 * stem.h - the dense first convolution: few input channels (1 or 3), packed input.
 *
 * x [n,h,w,c] without padding; w [k][r*r*c] in the order i, j, c, each row padded to a
 * multiple of 16 floats (stem_row(r, c)). The image needs no gradient.
 */
#ifndef TENSOR_STEM_H
#define TENSOR_STEM_H

#include "tensor/tensor.h"

static inline size_t stem_row(int r, int c)
{
    return channels_padded(r * r * c);
}

/* z[n,p,q,k] = sum over i,j,c of x[n, p*stride - r/2 + i, q*stride - r/2 + j, c] * w */
void stem_forward(struct shape in, int k, int r, int stride, const float *x,
                  const float *w, float *z, const struct moments *moments,
                  struct arena *scratch);
/* dw is overwritten. */
void stem_backward(struct shape in, int k, int r, int stride, const struct gradient *dz,
                   const float *x, float *dw, struct arena *scratch);
size_t stem_scratch(struct shape in, int k, int r, int stride);

#endif
