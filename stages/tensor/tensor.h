/*
 * tensor.h - the shapes, layouts and words that all kernels share.
 *
 * Activations are float NHWC; the distance between two pixels is the channel count
 * padded to a multiple of 16 (one AVX-512 register), whatever the processor, and the
 * padding lanes are zero and stay zero: every operation writes them. Network input
 * alone is packed, without padding.
 *
 * Dataflow. A convolution writes its raw output z and, on the way, what batch
 * normalisation needs of it (struct moments). Nobody stores the normalised, activated
 * tensor: the next operation applies scale, shift and activation as it reads (struct
 * source). Backward likewise: what is stored is g, the gradient with respect to BN's
 * *output*; the gradient of z is made from g and z as it is read (struct gradient), and
 * whoever writes a g also sums what BN's own backward needs (struct sink).
 *
 * Same bits at any thread count: work is split into chunks whose number depends on the
 * shape alone, sums are kept per chunk and combined in chunk order.
 *
 * Arguments come in the order shape, inputs, outputs, scratch. Scratch is an arena;
 * each operation takes at most X_scratch(shape...) bytes and gives all of them back.
 * Nothing here allocates, does I/O or fails, but for BUG_IF at the door.
 */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

enum { CHANNEL_BLOCK = 16 };

enum activation {
    ACT_NONE,
    ACT_RELU,
    ACT_RELU6,
    ACT_HSWISH,   /* u * relu6(u + 3) / 6 */
    ACT_HSIGMOID, /* relu6(u + 3) / 6 */
    ACT_SIGMOID,
    ACT_SWISH, /* u * sigmoid(u) */
    ACT_COUNT
};

/* The names of the config: "relu", ...; ACT_COUNT if there is none of that name. */
enum activation activation_from_name(const char *name);
const char *activation_name(enum activation act);

struct shape {
    int n, h, w, c;
};

static inline size_t channels_padded(int c)
{
    return ((size_t)c + CHANNEL_BLOCK - 1) / CHANNEL_BLOCK * CHANNEL_BLOCK;
}

/* Floats of an activation tensor, padding included; and pixels, n * h * w. */
static inline size_t shape_floats(struct shape s)
{
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * channels_padded(s.c);
}

static inline size_t shape_pixels(struct shape s)
{
    return (size_t)s.n * (size_t)s.h * (size_t)s.w;
}

/* Output height or width of a convolution with padding kernel / 2. */
static inline int conv_out(int in, int kernel, int stride)
{
    return (in + 2 * (kernel / 2) - kernel) / stride + 1;
}

/*
 * How an operation reads its input: a = act(scale[c] * z + shift[c]) * gate[n][c].
 * scale NULL: a = z, a plain tensor (act is ACT_NONE then, shift NULL). gate NULL: 1.
 * scale, shift [padded c]; gate [n][padded c].
 */
struct source {
    const float *z;
    const float *scale, *shift;
    const float *gate;
    enum activation act;
};

/*
 * What BN needs of a raw output: per channel the sums of (z - centre) and of its
 * square, over all pixels. centre NULL: 0; close to the mean it saves digits (the
 * running mean serves). sum, square [padded c] are overwritten.
 */
struct moments {
    const float *centre;
    double *sum, *square;
};

/*
 * The gradient of a raw output, made as it is read: dz = ca*g + cb*(z - mean) + cc.
 * g, z like the output tensor; the rest [padded c], from batchnorm_backward().
 */
struct gradient {
    const float *g, *z;
    const float *ca, *cb, *cc, *mean;
};

/*
 * Where the gradient of an input goes, and in which form.
 *  - The source is activated: g = da * act'(scale*z + shift), the gradient with respect
 *    to that BN's output, plus the sums over all pixels sum_g = sum g and
 *    sum_gz = sum g * (z - mean), which its batchnorm_backward() wants.
 *  - The source is plain (a block's input): g = da + add (add NULL: nothing; it may be
 *    the same memory as g); the sums are taken with the `z` given here, the raw output
 *    of the linear BN that made this input; sum_g NULL: no sums.
 *  - gate_sum is given (the source has a gate): g = da as it is, with respect to the
 *    *gated* input, and gate_sum[n][c] = sum over pixels of da * act(scale*z + shift);
 *    squeeze_excite_backward() finishes the work. No sums then.
 * All outputs are overwritten.
 */
struct sink {
    float *g;
    const float *add;
    const float *z, *mean;
    double *sum_g, *sum_gz; /* [padded c] */
    float *gate_sum;        /* [n][padded c] */
};

/* Which kernels run: "avx512", "avx2", "baseline". The best this processor has, unless
 * the environment variable GREEDYNAS_ISA names another (for tests); naming one that the
 * processor lacks dies. */
const char *tensor_isa(void);
/* The same as an index, for tables of kernels. */
enum isa { ISA_AVX512, ISA_AVX2, ISA_BASELINE, ISA_COUNT };
enum isa tensor_isa_index(void);
/* For tests: other kernels from now on, while none is running. false: there are none of
 * this name, or the processor lacks what they need; nothing has changed then. */
bool tensor_select_isa(const char *name);

#endif
