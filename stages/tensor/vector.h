/*
 * vector.h - the vector type of the kernels, for KERNEL_WIDTH floats (16, 8 or 4).
 *
 * Included by the *_kernels.c files only, which are compiled once per instruction set.
 * Arithmetic is written with the compiler's vector operators (a*b + c becomes an FMA);
 * what these cannot say well is here. NaN goes through every function: a blown-up run
 * has to show, not to be clipped to something harmless.
 */
#ifndef TENSOR_VECTOR_H
#define TENSOR_VECTOR_H

#include <immintrin.h>
#include <stddef.h>

#include "tensor/tensor.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define KERNEL_PASTE_(a, b) a##_##b
#define KERNEL_PASTE(a, b) KERNEL_PASTE_(a, b)
/* The name of a kernel table for this instruction set: KERNEL_NAME(depthwise_kernels)
 */
#define KERNEL_NAME(name) KERNEL_PASTE(name, KERNEL_ISA)

/* Before a loop with a constant count: unroll it wholly, so that the vectors it indexes
 * are registers; or leave it a loop. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#define ROLLED _Pragma("GCC unroll 1")
#endif

typedef float vf __attribute__((vector_size(KERNEL_WIDTH * 4)));
typedef int vi __attribute__((vector_size(KERNEL_WIDTH * 4)));
typedef float vf_unaligned
    __attribute__((vector_size(KERNEL_WIDTH * 4), aligned(4), may_alias));

ALWAYS_INLINE vf v_load(const float *p)
{
    return *(const vf_unaligned *)p;
}

ALWAYS_INLINE void v_store(float *p, vf a)
{
    *(vf_unaligned *)p = a;
}

/* For a loop that goes through memory in order: what it will read in a while. */
enum { PREFETCH_AHEAD = 1024 /* floats */ };
ALWAYS_INLINE void v_prefetch(const float *p)
{
    __builtin_prefetch(p + PREFETCH_AHEAD);
}

/* x - zero folds into one broadcast; zero + x would add an instruction. */
ALWAYS_INLINE vf v_set(float x)
{
    return x - (vf){0};
}

/* sum[i] += a[i], in double. */
ALWAYS_INLINE void v_add_to_doubles(double *sum, vf a)
{
#if KERNEL_WIDTH == 16
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256((__m512)a)),
                  high = _mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)a, 1));
    _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), low));
    _mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), high));
#elif KERNEL_WIDTH == 8
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a)),
                  high = _mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1));
    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), low));
    _mm256_storeu_pd(sum + 4, _mm256_add_pd(_mm256_loadu_pd(sum + 4), high));
#else
    const __m128d low = _mm_cvtps_pd((__m128)a),
                  high = _mm_cvtps_pd(_mm_movehl_ps((__m128)a, (__m128)a));
    _mm_storeu_pd(sum, _mm_add_pd(_mm_loadu_pd(sum), low));
    _mm_storeu_pd(sum + 2, _mm_add_pd(_mm_loadu_pd(sum + 2), high));
#endif
}

/* max(a, b) and min(a, b) where b's NaN wins. */
ALWAYS_INLINE vf v_max(vf a, vf b)
{
#if KERNEL_WIDTH == 16
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif KERNEL_WIDTH == 8
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return (vf)_mm_max_ps((__m128)a, (__m128)b);
#endif
}

ALWAYS_INLINE vf v_min(vf a, vf b)
{
#if KERNEL_WIDTH == 16
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif KERNEL_WIDTH == 8
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return (vf)_mm_min_ps((__m128)a, (__m128)b);
#endif
}

/* g where low < u < high, else 0. */
ALWAYS_INLINE vf v_between(vf u, vf low, vf high, vf g)
{
#if KERNEL_WIDTH == 16
    __mmask16 m = _mm512_cmp_ps_mask((__m512)u, (__m512)low, _CMP_GT_OQ) &
                  _mm512_cmp_ps_mask((__m512)u, (__m512)high, _CMP_LT_OQ);
    return (vf)_mm512_maskz_mov_ps(m, (__m512)g);
#else
    vi m = (vi)(u > low) & (vi)(u < high);
    return (vf)(m & (vi)g);
#endif
}

/* g where u > low, else 0. */
ALWAYS_INLINE vf v_above(vf u, vf low, vf g)
{
#if KERNEL_WIDTH == 16
    return (vf)_mm512_maskz_mov_ps(
        _mm512_cmp_ps_mask((__m512)u, (__m512)low, _CMP_GT_OQ), (__m512)g);
#else
    return (vf)((vi)(u > low) & (vi)g);
#endif
}

/* e^x: Cephes' reduction and degree-5 polynomial, relative error below 2e-7. */
ALWAYS_INLINE vf v_exp(vf x)
{
    x = v_min(v_set(88.3f), v_max(v_set(-87.3f), x));
    vf shifted = x * 1.44269504088896341f + 12582912.0f; /* 1.5 * 2^23: rounds */
    vf k = shifted - 12582912.0f;
    vf r = x - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    vf y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    vi exponent = ((vi)shifted << 23) + (127 << 23);
    return y * (vf)exponent;
}

ALWAYS_INLINE vf v_sigmoid(vf u)
{
    return 1.0f / (1.0f + v_exp(-u));
}

/* act(u). With a constant `act` (always-inlined callers) the switch costs nothing. */
ALWAYS_INLINE vf v_act(enum activation act, vf u)
{
    const vf zero = {0};
    switch (act) {
    case ACT_RELU:
        return v_max(zero, u);
    case ACT_RELU6:
        return v_min(v_set(6.0f), v_max(zero, u));
    case ACT_HSWISH:
        return u * v_min(v_set(6.0f), v_max(zero, u + 3.0f)) * (1.0f / 6);
    case ACT_HSIGMOID:
        return v_min(v_set(6.0f), v_max(zero, u + 3.0f)) * (1.0f / 6);
    case ACT_SIGMOID:
        return v_sigmoid(u);
    case ACT_SWISH:
        return u * v_sigmoid(u);
    default:
        return u;
    }
}

/* g * act'(u). */
ALWAYS_INLINE vf v_act_gradient(enum activation act, vf u, vf g)
{
    const vf zero = {0};
    switch (act) {
    case ACT_RELU:
        return v_above(u, zero, g);
    case ACT_RELU6:
        return v_between(u, zero, v_set(6.0f), g);
    case ACT_HSWISH: /* 0 below -3, (2u+3)/6 between, 1 above 3 */
        return v_between(u, v_set(-3.0f), v_set(3.0f),
                         g * (u * 2.0f + 3.0f) * (1.0f / 6)) +
               (g - v_above(v_set(3.0f), u, g));
    case ACT_HSIGMOID:
        return v_between(u, v_set(-3.0f), v_set(3.0f), g * (1.0f / 6));
    case ACT_SIGMOID: {
        vf s = v_sigmoid(u);
        return g * s * (1.0f - s);
    }
    case ACT_SWISH: {
        vf s = v_sigmoid(u);
        return g * (s + u * s * (1.0f - s));
    }
    default:
        return g;
    }
}

#endif
