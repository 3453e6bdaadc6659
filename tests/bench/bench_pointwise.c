/*
 * bench_pointwise - how fast the 1x1 convolution and the stem are, in GFLOP/s.
 *
 *   bench_pointwise [RUNS]
 *
 * The shapes are those of MobileNet-like networks at 32 images of 224x224 and 128
 * images of 32x32. Each figure is the median of RUNS runs (9). One multiply-add counts
 * as two operations; backward does two products in one pass. Reads and writes are as in
 * training: BN and ReLU6 on loading, moments or the sink's sums on storing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"
#include "tensor/pointwise.h"
#include "tensor/stem.h"

static const struct {
    struct shape in;
    int k;
} layers[] = {
    {{32, 112, 112, 16}, 96}, {{32, 56, 56, 32}, 192}, {{32, 56, 56, 192}, 32},
    {{32, 14, 14, 80}, 480},  {{32, 14, 14, 576}, 96}, {{32, 7, 7, 192}, 1152},
    {{32, 7, 7, 1152}, 192},  {{128, 8, 8, 128}, 768}, {{128, 4, 4, 256}, 1536},
};

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static float *filled(struct arena *arena, size_t count, float value)
{
    float *x = arena_floats(arena, count);
    for (size_t i = 0; i < count; i++)
        x[i] = value * (float)(1 + i % 7);
    return x;
}

struct layer {
    struct shape in;
    int k;
    struct source x;
    struct gradient dz;
    struct moments moments;
    struct sink dx;
    const float *w;
    float *z, *dw;
    struct arena *arena;
};

static struct layer layer_fill(struct shape in, int k, struct arena *arena)
{
    const struct shape out = {in.n, in.h, in.w, k};
    const size_t c = channels_padded(in.c), padded_k = channels_padded(k);
    struct layer l = {.in = in, .k = k, .arena = arena};
    l.x = (struct source){filled(arena, shape_floats(in), 0.1f), filled(arena, c, 0.5f),
                          filled(arena, c, 0.1f), NULL, ACT_RELU6};
    l.w = filled(arena, (size_t)k * c, 0.01f);
    l.z = filled(arena, shape_floats(out), 0.1f);
    l.moments =
        (struct moments){filled(arena, padded_k, 0.1f), arena_doubles(arena, padded_k),
                         arena_doubles(arena, padded_k)};
    l.dz = (struct gradient){
        filled(arena, shape_floats(out), 0.1f), l.z,
        filled(arena, padded_k, 0.1f),          filled(arena, padded_k, 0.1f),
        filled(arena, padded_k, 0.1f),          filled(arena, padded_k, 0.1f)};
    l.dw = arena_floats(arena, (size_t)k * c);
    l.dx = (struct sink){.g = filled(arena, shape_floats(in), 0),
                         .mean = filled(arena, c, 0.1f),
                         .sum_g = arena_doubles(arena, c),
                         .sum_gz = arena_doubles(arena, c)};
    return l;
}

static void forward(struct layer *l)
{
    pointwise_forward(l->in, l->k, 1, &l->x, l->w, l->z, &l->moments, l->arena);
}

static void backward(struct layer *l)
{
    pointwise_backward(l->in, l->k, 1, &l->dz, &l->x, l->w, l->dw, &l->dx, l->arena);
}

static void stem_3x3_forward(struct layer *l)
{
    stem_forward(l->in, l->k, 3, 2, l->x.z, l->w, l->z, &l->moments, l->arena);
}

static void stem_3x3_backward(struct layer *l)
{
    stem_backward(l->in, l->k, 3, 2, &l->dz, l->x.z, l->dw, l->arena);
}

static double median_seconds(void (*run)(struct layer *), struct layer *l, int runs)
{
    double *seconds = memory_zeroed((size_t)runs, sizeof(*seconds));
    run(l);
    for (int i = 0; i < runs; i++) {
        const double start = clock_seconds();
        run(l);
        seconds[i] = clock_seconds() - start;
    }
    qsort(seconds, (size_t)runs, sizeof(*seconds), by_value);
    const double median = seconds[runs / 2];
    free(seconds);
    return median;
}

static void bench(struct shape in, int k, int runs, struct arena *arena)
{
    const size_t mark = arena_mark(arena);
    struct layer l = layer_fill(in, k, arena);
    const double gflop = 2e-9 * (double)shape_pixels(in) * in.c * k;
    const double there = median_seconds(forward, &l, runs),
                 back = median_seconds(backward, &l, runs);
    printf("%3d x %3d x %3d, %4d -> %4d  %8.2f ms %6.0f %8.2f ms %6.0f\n", in.n, in.h,
           in.w, in.c, k, there * 1e3, gflop / there, back * 1e3, 2 * gflop / back);
    arena_release(arena, mark);
}

static void bench_stem(int runs, struct arena *arena)
{
    const size_t mark = arena_mark(arena);
    /* The operands of a larger 1x1 convolution serve. */
    struct layer l = layer_fill((struct shape){32, 112, 112, 32}, 32, arena);
    l.in = (struct shape){32, 224, 224, 3};
    const double gflop = 2e-9 * 32 * 112 * 112 * 27 * 32;
    const double there = median_seconds(stem_3x3_forward, &l, runs),
                 back = median_seconds(stem_3x3_backward, &l, runs);
    printf("stem 32 x 224 x 224, 3 -> 32  %8.2f ms %6.0f %8.2f ms %6.0f\n", there * 1e3,
           gflop / there, back * 1e3, gflop / back);
    arena_release(arena, mark);
}

int main(int argc, char **argv)
{
    const int runs = argc > 1 ? atoi(argv[1]) : 9;
    if (runs < 1) {
        fprintf(stderr, "bench_pointwise: '%s' runs, expected a number from 1 up\n",
                argv[1]);
        return 2;
    }
    printf("%s, %d threads, %s\n", threads_cpu_name(), threads_start(0), tensor_isa());
    printf("images, channels                   forward GFLOP/s    backward GFLOP/s\n");
    struct arena *arena = arena_create((size_t)1 << 30);
    for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++)
        bench(layers[i].in, layers[i].k, runs, arena);
    bench_stem(runs, arena);
    arena_free(arena);
    return 0;
}
