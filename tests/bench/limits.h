/*
 * limits.h - what this machine can do at most: multiply-adds a second from the
 * registers, and bytes a second from memory, with the threads and the instruction set
 * that are in use. For the programs of this folder.
 */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "base/clock.h"
#include "base/threads.h"
#include "tensor/tensor.h"

struct limits {
    double flops, bytes; /* a second; a multiply-add is two flops */
};

/* Results go here, so that the compiler does not drop the work. */
static volatile float limits_sink;

enum {
    LIMITS_TURNS = 5, /* the best one counts */
    LIMITS_SUMS = 12, /* more than latency times units of any processor so far */
    LIMITS_STEPS = 4000000,
};

/* Chains of multiply-adds that do not wait for each other. x and y as such are of no
 * use, but the compiler must not know them. */
#define LIMITS_PEAK(name, isa, vector, set, multiply_add)                              \
    __attribute__((target(isa), noinline)) static float name(float x, float y)         \
    {                                                                                  \
        vector sum[LIMITS_SUMS], a = set(x), b = set(y);                               \
        _Pragma("GCC unroll 12") for (int i = 0; i < LIMITS_SUMS; i++) sum[i] =        \
            set((float)i);                                                             \
        for (int step = 0; step < LIMITS_STEPS; step++) {                              \
            _Pragma("GCC unroll 12") for (int i = 0; i < LIMITS_SUMS; i++) sum[i] =    \
                multiply_add(sum[i], a, b);                                            \
        }                                                                              \
        _Pragma("GCC unroll 12") for (int i = 1; i < LIMITS_SUMS; i++) sum[0] =        \
            multiply_add(sum[0], a, sum[i]);                                           \
        return ((const float *)&sum[0])[0];                                            \
    }

#define LIMITS_SSE(sum, a, b) _mm_add_ps(_mm_mul_ps(sum, a), b)
LIMITS_PEAK(limits_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps)
LIMITS_PEAK(limits_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps)
LIMITS_PEAK(limits_baseline, "sse2", __m128, _mm_set1_ps, LIMITS_SSE)

static double limits_flops(int threads)
{
    static float (*const peak[ISA_COUNT])(float, float) = {limits_avx512, limits_avx2,
                                                           limits_baseline};
    const double width[ISA_COUNT] = {16, 8, 4};
    const enum isa isa = tensor_isa_index();
    volatile float from = 0.5f;
    const double start = clock_seconds();
#pragma omp parallel num_threads(threads)
    {
        const float result = peak[isa](from, from);
#pragma omp critical
        limits_sink = result;
    }
    return 2.0 * width[isa] * LIMITS_SUMS * LIMITS_STEPS * threads /
           (clock_seconds() - start);
}

/* Reads the first half, or copies it to the second. */
static double limits_bytes(int threads, float *memory, size_t half, bool copies)
{
    const size_t piece = half / (size_t)threads / 64 * 64;
    const double start = clock_seconds();
#pragma omp parallel num_threads(threads)
    {
        float *from = memory + piece * (size_t)omp_get_thread_num();
        if (copies) {
            memcpy(from + half, from, piece * sizeof(*from));
        } else {
            __m128 sum[8] = {0};
            for (size_t i = 0; i < piece; i += 32)
                _Pragma("GCC unroll 8") for (size_t j = 0; j < 8; j++) sum[j] =
                    _mm_add_ps(sum[j], _mm_load_ps(from + i + 4 * j));
            for (int j = 1; j < 8; j++)
                sum[0] = _mm_add_ps(sum[0], sum[j]);
#pragma omp critical
            limits_sink = _mm_cvtss_f32(sum[0]);
        }
    }
    return (double)(piece * (size_t)threads * sizeof(float)) * (copies ? 2 : 1) /
           (clock_seconds() - start);
}

/* Takes about a second. */
static struct limits limits_measure(void)
{
    const size_t half = (size_t)64 << 20; /* floats; no cache holds them */
    struct arena *arena = arena_create(2 * half * sizeof(float) + 4096);
    float *memory = arena_floats(arena, 2 * half);
    memset(memory, 0, 2 * half * sizeof(float));
    struct limits limits = {0};
    for (int turn = 0; turn < LIMITS_TURNS; turn++) {
        const double flops = limits_flops(threads_count());
        limits.flops = flops > limits.flops ? flops : limits.flops;
        for (int copies = 0; copies < 2; copies++) {
            const double bytes =
                limits_bytes(threads_count(), memory, half, copies != 0);
            limits.bytes = bytes > limits.bytes ? bytes : limits.bytes;
        }
    }
    arena_free(arena);
    return limits;
}

#endif
