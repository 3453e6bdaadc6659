/*
 * chunks.h - how work is divided, by the shape alone, so that sums come out the same at
 * any thread count.
 *
 * A chunk is what one thread does in one go; sums are kept per chunk and combined in
 * chunk order. Few images are cut into parts, so that there is something to share.
 */
#ifndef TENSOR_CHUNKS_H
#define TENSOR_CHUNKS_H

#include <stddef.h>

/* More would balance better on many processors and cost more memory for the sums. */
enum { CHUNKS_MAX = 16 };

/* What arena_take() may need on top of the bytes asked for: up to a small page to reach
 * its place, and the rounding up. A scratch bound counts it once a block. */
enum { ARENA_BLOCK_EXTRA = 4096 + 512 };

static inline size_t chunk_count(size_t items)
{
    return items < CHUNKS_MAX ? items : CHUNKS_MAX;
}

/* Chunk i of `chunks` holds the items from chunk_begin(i) to before chunk_begin(i+1).
 */
static inline size_t chunk_begin(size_t items, size_t chunks, size_t i)
{
    return items * i / chunks;
}

/* Into how many parts each of n images (or chunks of them) is cut, `most` at most. */
static inline size_t parts_of_image(size_t n, size_t most)
{
    const size_t wanted = n ? (CHUNKS_MAX + n - 1) / n : 1;
    return wanted < most ? wanted : most;
}

/* out[i] = sum over chunks of partial[chunk][i], in chunk order; the chunks' rows are
 * `distance` doubles apart. count: a multiple of 16. */
static inline void combine_chunks(size_t chunks, size_t distance, size_t count,
                                  const double *partial, double *out)
{
    for (size_t i = 0; i < count; i += 16) {
        double total[16] = {0}; /* a fixed number, so that the compiler makes vectors */
        for (size_t chunk = 0; chunk < chunks; chunk++)
            for (size_t j = 0; j < 16; j++)
                total[j] += partial[chunk * distance + i + j];
        for (size_t j = 0; j < 16; j++)
            out[i + j] = total[j];
    }
}

#endif
