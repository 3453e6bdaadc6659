#include "tensor/product.h"

#include <omp.h>
#include <string.h>

#include "tensor/chunks.h"
#include "tensor/product_kernels.h"

enum {
    CHUNK_LEAST = 192,        /* pixels: fewer, and adding up dw begins to cost */
    TILE_MOST = 216,          /* rows; a multiple of PRODUCT_STEP */
    TILE_FLOATS = 100 * 1024, /* of a and dz together: 400 KiB of the L2 cache */
};

const struct product_kernels *product_kernels(void)
{
    static const struct product_kernels *const kernels[ISA_COUNT] = {
        [ISA_AVX512] = &product_kernels_avx512,
        [ISA_AVX2] = &product_kernels_avx2,
        [ISA_BASELINE] = &product_kernels_baseline,
    };
    return kernels[tensor_isa_index()];
}

/* --- the split --------------------------------------------------- */

/* One operation under way: its sizes, and its memory, by thread (t) or chunk. */
struct run {
    const struct product *p;
    const struct product_kernels *kernels;
    struct shape out;
    size_t padded_c, padded_k;
    size_t unit, units; /* pixels that no chunk may divide, and how often they occur */
    int chunks, tile_most;
    size_t tile_rows; /* that there is room for */
    float *packed;
    float *a, *dz, *gathered; /* [t] tiles */
    float *sums;              /* [t][2][padded] of a tile */
    size_t *at;               /* [t][3][TILE_MOST]: see locate() */
    double *chunk_sums;       /* [chunk][2][padded] */
    float *dw;                /* [chunk][padded k][padded c] */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct run run_plan(const struct product *p, bool by_image, bool two_tiles)
{
    struct run r = {.p = p,
                    .out = {p->in.n, (p->in.h - 1) / p->stride + 1,
                            (p->in.w - 1) / p->stride + 1, p->k},
                    .padded_c = channels_padded(p->in.c),
                    .padded_k = channels_padded(p->k),
                    .chunks = CHUNKS_MAX};
    r.unit = by_image        ? (size_t)r.out.h * (size_t)r.out.w
             : p->stride > 1 ? (size_t)r.out.w
                             : 1;
    const size_t pixels = shape_pixels(r.out);
    r.units = pixels / r.unit;
    while (r.chunks > 1 &&
           (r.units < (size_t)r.chunks || pixels / (size_t)r.chunks < CHUNK_LEAST))
        r.chunks /= 2;
    const size_t floats = r.padded_c + (two_tiles ? r.padded_k : 0);
    const size_t rows = TILE_FLOATS / floats / PRODUCT_STEP * PRODUCT_STEP;
    r.tile_most = rows < PRODUCT_STEP ? PRODUCT_STEP
                  : rows > TILE_MOST  ? TILE_MOST
                                      : (int)rows;
    r.tile_rows = (size_t)(r.tile_most + PRODUCT_STEP) | 1;
    return r;
}

static void run_take(struct run *r, bool backward, struct arena *scratch)
{
    const size_t threads = (size_t)omp_get_max_threads();
    const size_t padded = larger(r->padded_c, r->padded_k);
    r->packed = arena_floats(scratch, r->padded_c * r->padded_k);
    r->a = arena_floats(scratch, threads * r->tile_rows * r->padded_c);
    r->sums = arena_floats(scratch, threads * 2 * padded);
    r->at = arena_take(scratch, threads * 3 * TILE_MOST * sizeof(*r->at));
    r->chunk_sums = arena_doubles(scratch, (size_t)r->chunks * 2 * padded);
    r->gathered =
        r->p->gather ? arena_floats(scratch, threads * TILE_MOST * r->padded_c) : NULL;
    if (!backward)
        return;
    r->dz = arena_floats(scratch, threads * r->tile_rows * r->padded_k);
    r->dw = arena_floats(scratch, (size_t)r->chunks * r->padded_k * r->padded_c);
}

/* One thread's part of the memory, and where it is in its chunk. */
struct work {
    struct tile a, dz;
    float *gathered, *sums;
    size_t *in_at, *image_at, *out_at;
    size_t first; /* pixel of the tile */
    double *chunk_sums;
    float *dw;
};

static struct work work_of(const struct run *r, int chunk)
{
    const size_t t = (size_t)omp_get_thread_num();
    const size_t padded = larger(r->padded_c, r->padded_k);
    const size_t stride = r->tile_rows * CHANNEL_BLOCK;
    struct work w = {
        .a = {r->a + t * r->tile_rows * r->padded_c, stride, 0},
        .sums = r->sums + t * 2 * padded,
        .in_at = r->at + t * 3 * TILE_MOST,
        .chunk_sums = r->chunk_sums + (size_t)chunk * 2 * padded,
    };
    w.image_at = w.in_at + TILE_MOST;
    w.out_at = w.image_at + TILE_MOST;
    if (r->gathered)
        w.gathered = r->gathered + t * TILE_MOST * r->padded_c;
    if (r->dz)
        w.dz = (struct tile){r->dz + t * r->tile_rows * r->padded_k, stride, 0};
    if (r->dw)
        w.dw = r->dw + (size_t)chunk * r->padded_k * r->padded_c;
    memset(w.chunk_sums, 0, 2 * padded * sizeof(*w.chunk_sums));
    return w;
}

static size_t first_pixel(const struct run *r, int chunk)
{
    return r->units * (size_t)chunk / (size_t)r->chunks * r->unit;
}

/* Tiles of a chunk are of about one size, in whole steps of the widest kernels. */
static int tile_size(const struct run *r, size_t pixels)
{
    const size_t most = (size_t)r->tile_most;
    const size_t tiles = (pixels + most - 1) / most;
    const size_t even = (pixels + tiles - 1) / tiles;
    return (int)((even + 11) / 12 * 12);
}

/* Where the tile's pixels lie, in floats: in the input, in an array [n][padded c], in
 * the output. */
static void locate(const struct run *r, struct work *w)
{
    const size_t columns = (size_t)r->out.w, rows = (size_t)r->out.h;
    const size_t stride = (size_t)r->p->stride;
    size_t q = w->first % columns, p = w->first / columns % rows,
           n = w->first / columns / rows;
    for (int i = 0; i < w->a.rows; i++) {
        w->out_at[i] = (w->first + (size_t)i) * r->padded_k;
        w->image_at[i] = n * r->padded_c;
        w->in_at[i] =
            ((n * (size_t)r->p->in.h + p * stride) * (size_t)r->p->in.w + q * stride) *
            r->padded_c;
        if (++q == columns) {
            q = 0;
            if (++p == rows) {
                p = 0;
                n++;
            }
        }
    }
}

/* The tile from w->first on: `rows` pixels, or what is left until `end`. */
static void place_tile(const struct run *r, struct work *w, int rows, size_t end)
{
    const size_t left = end - w->first;
    w->a.rows = left < (size_t)rows ? (int)left : rows;
    locate(r, w);
}

static void load_left(const struct run *r, struct work *w)
{
    const struct product *p = r->p;
    if (!p->gather) {
        r->kernels->load_source(p->x, r->padded_c, w->in_at, w->image_at, &w->a);
        return;
    }
    p->gather(p->gather_from, w->first, w->a.rows, w->gathered);
    const struct source plain = {.z = w->gathered};
    for (int i = 0; i < w->a.rows; i++)
        w->in_at[i] = (size_t)i * r->padded_c;
    r->kernels->load_source(&plain, r->padded_c, w->in_at, NULL, &w->a);
}

/* Adds a tile's sums to the chunk's. */
static void flush_sums(struct work *w, size_t padded)
{
    for (size_t i = 0; i < 2 * padded; i++)
        w->chunk_sums[i] += (double)w->sums[i];
}

/* Inside a parallel region: first and second sums over all chunks, in their order. */
static void add_chunks(const struct run *r, size_t padded, double *first,
                       double *second)
{
    const size_t distance = 2 * larger(r->padded_c, r->padded_k);
#pragma omp for schedule(static)
    for (size_t i = 0; i < 2 * padded; i++) {
        double sum = 0;
        for (size_t chunk = 0; chunk < (size_t)r->chunks; chunk++)
            sum += r->chunk_sums[chunk * distance + i];
        *(i < padded ? first + i : second + (i - padded)) = sum;
    }
}

/* --- forward ----------------------------------------------------- */

static void forward_chunk(const struct run *r, int chunk, float *z,
                          const struct moments *moments)
{
    struct work w = work_of(r, chunk);
    const size_t end_of_chunk = first_pixel(r, chunk + 1);
    w.first = first_pixel(r, chunk);
    const int rows = tile_size(r, end_of_chunk - w.first);
    struct product_end end = {.kind = END_STORE, .at = w.out_at, .out = z};
    if (moments) {
        end.kind = END_MOMENTS;
        end.centre = moments->centre;
        end.sum = w.sums;
        end.square = w.sums + r->padded_k;
    }
    for (; w.first < end_of_chunk; w.first += (size_t)w.a.rows) {
        place_tile(r, &w, rows, end_of_chunk);
        load_left(r, &w);
        memset(w.sums, 0, 2 * r->padded_k * sizeof(*w.sums));
        r->kernels->multiply(&w.a, 0, w.a.rows, r->p->in.c, r->packed, r->padded_k,
                             &end);
        if (moments)
            flush_sums(&w, r->padded_k);
    }
}

void product_forward(const struct product *p, const float *w, float *z,
                     const struct moments *moments, struct arena *scratch)
{
    const size_t mark = arena_mark(scratch);
    struct run r = run_plan(p, false, false);
    r.kernels = product_kernels();
    run_take(&r, false, scratch);
    if (moments && !moments->sum)
        moments = NULL;
#pragma omp parallel
    {
        r.kernels->pack_forward(p->k, p->in.c, w, omp_get_thread_num(),
                                omp_get_num_threads(), r.packed);
#pragma omp barrier
#pragma omp for schedule(static)
        for (int chunk = 0; chunk < r.chunks; chunk++)
            forward_chunk(&r, chunk, z, moments);
        if (moments)
            add_chunks(&r, r.padded_k, moments->sum, moments->square);
    }
    arena_release(scratch, mark);
}

/* --- backward ---------------------------------------------------- */

/* What the sink makes of products, but for a gate's sums. */
static struct product_end sink_end(const struct run *r, const struct work *w,
                                   const struct source *x, const struct sink *dx)
{
    struct product_end end = {.kind = END_STORE, .at = w->in_at, .out = dx->g};
    if (dx->gate_sum)
        return end;
    if (x->scale) {
        end.kind = END_SLOPE;
        end.act = x->act;
        end.scale = x->scale;
        end.shift = x->shift;
    } else {
        end.add = dx->add;
    }
    if (x->scale || dx->sum_g) {
        end.z = x->scale ? x->z : dx->z;
        end.centre = dx->mean;
        end.sum = w->sums;
        end.square = w->sums + r->padded_c;
    }
    return end;
}

/* da of `rows` rows to the sink; depth 0: da is zero. */
static void put_rows(const struct run *r, struct work *w, int rows, int depth,
                     const struct sink *dx)
{
    const struct product_end end = sink_end(r, w, r->p->x, dx);
    memset(w->sums, 0, 2 * r->padded_c * sizeof(*w->sums));
    r->kernels->multiply(&w->dz, 0, rows, depth, r->packed, r->padded_c, &end);
    if (end.sum)
        flush_sums(w, r->padded_c);
}

/* The same with a gate: image by image, for its sums. A chunk is whole images. */
static void put_gated(const struct run *r, struct work *w, const struct sink *dx)
{
    const struct source *x = r->p->x;
    const size_t image_pixels = (size_t)r->out.h * (size_t)r->out.w;
    for (int first = 0, rows; first < w->a.rows; first += rows) {
        const size_t pixel = w->first + (size_t)first;
        const size_t left = image_pixels - pixel % image_pixels;
        rows = w->a.rows - first;
        rows = left < (size_t)rows ? (int)left : rows;
        memset(w->sums, 0, r->padded_c * sizeof(*w->sums));
        const struct product_end end = {.kind = END_GATE,
                                        .act = x->scale ? x->act : ACT_COUNT,
                                        .at = w->in_at + first,
                                        .out = dx->g,
                                        .z = x->z,
                                        .scale = x->scale,
                                        .shift = x->shift,
                                        .sum = w->sums};
        r->kernels->multiply(&w->dz, first, rows, r->p->k, r->packed, r->padded_c,
                             &end);
        float *sum = dx->gate_sum + w->image_at[first];
        const bool begins = pixel % image_pixels == 0;
        for (size_t c = 0; c < r->padded_c; c++)
            sum[c] = (begins ? 0 : sum[c]) + w->sums[c];
    }
}

/* Stride 2: the input pixels in reach of output pixels [begin, end), whole rows of
 * them, that no output looks at. */
static void put_unseen(const struct run *r, struct work *w, size_t begin, size_t end,
                       const struct sink *dx)
{
    const size_t stride = (size_t)r->p->stride, columns = (size_t)r->out.w;
    const size_t height = (size_t)r->p->in.h, width = (size_t)r->p->in.w;
    int rows = 0;
    for (size_t line = begin / columns; line < end / columns; line++) {
        const size_t n = line / (size_t)r->out.h,
                     top = line % (size_t)r->out.h * stride;
        for (size_t h = top; h < height && h < top + stride; h++)
            for (size_t c = 0; c < width; c++) {
                if (h == top && c % stride == 0)
                    continue;
                w->in_at[rows++] = ((n * height + h) * width + c) * r->padded_c;
                if (rows == r->tile_most) {
                    put_rows(r, w, rows, 0, dx);
                    rows = 0;
                }
            }
    }
    if (rows)
        put_rows(r, w, rows, 0, dx);
}

static void backward_chunk(const struct run *r, int chunk, const struct gradient *dz,
                           const float *dw, const struct sink *dx)
{
    struct work w = work_of(r, chunk);
    const size_t begin = first_pixel(r, chunk), end = first_pixel(r, chunk + 1);
    const int rows = tile_size(r, end - begin);
    if (dw)
        memset(w.dw, 0, r->padded_k * r->padded_c * sizeof(*w.dw));
    for (w.first = begin; w.first < end; w.first += (size_t)w.a.rows) {
        place_tile(r, &w, rows, end);
        w.dz.rows = w.a.rows;
        r->kernels->load_gradient(dz, r->padded_k, w.first, &w.dz);
        if (dw) {
            load_left(r, &w);
            r->kernels->weight_gradient(&w.dz, &w.a, r->p->k, r->padded_c, w.dw);
        }
        if (dx && dx->gate_sum)
            put_gated(r, &w, dx);
        else if (dx)
            put_rows(r, &w, w.a.rows, r->p->k, dx);
    }
    if (dx && r->p->stride > 1)
        put_unseen(r, &w, begin, end, dx);
}

/* Inside a parallel region: adds the chunks' dw. */
static void add_gradients(const struct run *r, float *dw)
{
#pragma omp for schedule(static)
    for (int k = 0; k < r->p->k; k++)
        r->kernels->sum_parts(r->dw + (size_t)k * r->padded_c, r->chunks,
                              r->padded_k * r->padded_c, r->padded_c,
                              dw + (size_t)k * r->padded_c);
}

void product_backward(const struct product *p, const struct gradient *dz,
                      const float *w, float *dw, const struct sink *dx,
                      struct arena *scratch)
{
    const size_t mark = arena_mark(scratch);
    struct run r = run_plan(p, dx && dx->gate_sum, true);
    r.kernels = product_kernels();
    run_take(&r, true, scratch);
#pragma omp parallel
    {
        if (dx)
            r.kernels->pack_backward(p->k, p->in.c, w, omp_get_thread_num(),
                                     omp_get_num_threads(), r.packed);
#pragma omp barrier
#pragma omp for schedule(static)
        for (int chunk = 0; chunk < r.chunks; chunk++)
            backward_chunk(&r, chunk, dz, dw, dx);
        if (dw)
            add_gradients(&r, dw);
        if (dx && dx->sum_g && !dx->gate_sum)
            add_chunks(&r, r.padded_c, dx->sum_g, dx->sum_gz);
    }
    arena_release(scratch, mark);
}

/* --- completing -------------------------------------------------- */

static void complete_chunk(const struct run *r, int chunk, const float *bias,
                           const struct source *of, const struct sink *sink)
{
    struct work w = work_of(r, chunk);
    const size_t end_of_chunk = first_pixel(r, chunk + 1);
    w.first = first_pixel(r, chunk);
    const int rows = tile_size(r, end_of_chunk - w.first);
    for (; w.first < end_of_chunk; w.first += (size_t)w.a.rows) {
        place_tile(r, &w, rows, end_of_chunk);
        load_left(r, &w);
        struct product_end end = sink_end(r, &w, of, sink);
        end.add = sink->g;
        end.bias = bias;
        memset(w.sums, 0, 2 * r->padded_c * sizeof(*w.sums));
        r->kernels->multiply(&w.a, 0, w.a.rows, r->p->in.c, r->packed, r->padded_c,
                             &end);
        if (end.sum)
            flush_sums(&w, r->padded_c);
    }
}

void product_complete(const struct product *p, const float *w, const float *bias,
                      const struct source *of, const struct sink *sink,
                      struct arena *scratch)
{
    const size_t mark = arena_mark(scratch);
    struct run r = run_plan(p, false, false);
    r.kernels = product_kernels();
    run_take(&r, false, scratch);
#pragma omp parallel
    {
        r.kernels->pack_forward(p->k, p->in.c, w, omp_get_thread_num(),
                                omp_get_num_threads(), r.packed);
#pragma omp barrier
#pragma omp for schedule(static)
        for (int chunk = 0; chunk < r.chunks; chunk++)
            complete_chunk(&r, chunk, bias, of, sink);
        if (sink->sum_g)
            add_chunks(&r, r.padded_c, sink->sum_g, sink->sum_gz);
    }
    arena_release(scratch, mark);
}

/* --- scratch ----------------------------------------------------- */

size_t product_scratch(const struct product *p)
{
    size_t most = 0;
    for (int variant = 0; variant < 3; variant++) {
        struct arena *planning = arena_create_planning();
        struct run r = run_plan(p, variant == 2, variant > 0);
        run_take(&r, variant > 0, planning);
        most = larger(most, arena_peak(planning));
        arena_free(planning);
    }
    /* Blocks start at certain places within small pages; how far the first has to move
     * depends on what was taken before, the others follow it. */
    return most + 4096;
}
