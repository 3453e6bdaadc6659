/*
 * channels.h - moving channels between tensors: what splits, shuffles and joins of
 * branches are made of.
 */
#ifndef TENSOR_CHANNELS_H
#define TENSOR_CHANNELS_H

#include "tensor/tensor.h"

/* Some channels of a tensor with c of them: first, first + step, ... */
struct channels {
    int c, first, step;
};

/* to's channels = from's, `count` of them; the others of `to` are left alone, so that
 * a tensor can be put together. */
void channels_copy(size_t pixels, int count, const float *from,
                   const struct channels *of, float *to, const struct channels *into);

#endif
