#include "tensor/elementwise.h"

#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"

const struct elementwise_kernels *elementwise(void)
{
    static const struct elementwise_kernels *const tables[ISA_COUNT] = {
        [ISA_AVX512] = &elementwise_kernels_avx512,
        [ISA_AVX2] = &elementwise_kernels_avx2,
        [ISA_BASELINE] = &elementwise_kernels_baseline,
    };
    return tables[tensor_isa_index()];
}

struct pixel_split split_pixels(struct shape shape)
{
    BUG_IF(shape.n < 1 || shape.h < 1 || shape.w < 1 || shape.c < 1);
    const size_t n = (size_t)shape.n, pixels = (size_t)shape.h * (size_t)shape.w;
    struct pixel_split split = {.pixels_per_image = pixels};
    split.parts = parts_of_image(n, pixels);
    split.pieces = n * split.parts;
    split.chunks = chunk_count(split.pieces);
    return split;
}

size_t split_chunk(const struct pixel_split *split, size_t chunk)
{
    return chunk_begin(split->pieces, split->chunks, chunk);
}

struct pixel_piece split_piece(const struct pixel_split *split, size_t piece)
{
    const size_t image = piece / split->parts, part = piece % split->parts,
                 pixels = split->pixels_per_image,
                 begin = chunk_begin(pixels, split->parts, part),
                 end = chunk_begin(pixels, split->parts, part + 1);
    return (struct pixel_piece){
        .image = image, .first = image * pixels + begin, .pixels = end - begin};
}

static void sink_chunk(const struct pixel_split *split, size_t chunk,
                       const struct pooled_gradient *da, const float *zeros,
                       const struct source *x, const struct sink *sink,
                       struct sink_run run)
{
    for (size_t i = split_chunk(split, chunk); i < split_chunk(split, chunk + 1); i++) {
        const struct pixel_piece piece = split_piece(split, i);
        const size_t at = piece.first * run.padded, row = piece.image * run.padded;
        const float *z = x->scale ? x->z : sink->z;
        run.pixels = piece.pixels;
        run.from = da->from ? da->from + at : zeros;
        run.from_stride = da->from ? run.padded : 0;
        run.gate = !da->from ? zeros : da->gate ? da->gate + row : NULL;
        run.offset = da->offset ? da->offset + row : NULL;
        run.z = z ? z + at : NULL;
        run.add = sink->add ? sink->add + at : NULL;
        run.g = sink->g + at;
        elementwise()->sink(&run);
    }
}

void sink_pooled(struct shape shape, const struct pooled_gradient *da,
                 const struct source *x, const struct sink *sink, struct arena *scratch)
{
    BUG_IF(sink->gate_sum || (x->scale && !sink->sum_g));
    BUG_IF(x->scale && !activation_keeps_zero(x->act));
    const struct pixel_split split = split_pixels(shape);
    const size_t mark = arena_mark(scratch), padded = channels_padded(shape.c);
    float *zeros = arena_floats(scratch, padded);
    double *sums = arena_doubles(scratch, split.chunks * 2 * padded);
    memset(zeros, 0, padded * sizeof(*zeros));
    memset(sums, 0, split.chunks * 2 * padded * sizeof(*sums));
    const struct sink_run run = {.padded = padded,
                                 .lanes = padded,
                                 .act = x->act,
                                 .scale = x->scale,
                                 .shift = x->shift,
                                 .mean = sink->mean};
#pragma omp parallel for schedule(static)
    for (size_t chunk = 0; chunk < split.chunks; chunk++) {
        struct sink_run mine = run;
        if (sink->sum_g) {
            mine.sum_g = sums + chunk * 2 * padded;
            mine.sum_gz = mine.sum_g + padded;
        }
        sink_chunk(&split, chunk, da, zeros, x, sink, mine);
    }
    if (sink->sum_g) {
        combine_chunks(split.chunks, 2 * padded, padded, sums, sink->sum_g);
        combine_chunks(split.chunks, 2 * padded, padded, sums + padded, sink->sum_gz);
    }
    arena_release(scratch, mark);
}

size_t sink_pooled_scratch(struct shape shape)
{
    const size_t padded = channels_padded(shape.c);
    return padded * sizeof(float) +
           split_pixels(shape).chunks * 2 * padded * sizeof(double) +
           2 * ARENA_BLOCK_EXTRA;
}
