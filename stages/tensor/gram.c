#include "tensor/gram.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/elementwise.h"
#include "tensor/product.h"
#include "tensor/product_kernels.h"

/* Pixels of a tile: the sums of one are floats, those of all doubles. */
enum { TILE_PIXELS = 192, TILE_ROWS = TILE_PIXELS + 1 };

void gram_take(int c, struct arena *arena, struct gram *gram)
{
    const size_t padded = channels_padded(c);
    gram->centre = arena_floats(arena, 3 * padded);
    gram->minus_centre = gram->centre + padded;
    gram->ones = gram->minus_centre + padded;
    gram->sum = arena_doubles(arena, padded * (padded + 1));
    gram->product = gram->sum + padded;
}

struct source gram_source(const struct source *x, const struct gram *gram)
{
    if (x->scale)
        return *x;
    return (struct source){
        .z = x->z, .scale = gram->ones, .shift = gram->minus_centre, .act = ACT_NONE};
}

/* The mean of the first few pixels will do. */
static void find_centre(size_t pixels, size_t padded, const struct source *x,
                        const struct gram *gram)
{
    const size_t some = pixels < TILE_PIXELS ? pixels : TILE_PIXELS;
    memset(gram->sum, 0, padded * sizeof(*gram->sum));
    if (!x->scale)
        elementwise()->activated_sum(some, padded, padded, x, gram->sum);
    for (size_t c = 0; c < padded; c++) {
        gram->centre[c] = (float)(gram->sum[c] / (double)some);
        gram->minus_centre[c] = -gram->centre[c];
        gram->ones[c] = 1;
    }
}

struct memory {
    size_t chunks, sums;     /* sums: doubles of a chunk */
    float *tile, *tile_sums; /* [thread] */
    size_t *at;              /* [thread][TILE_PIXELS] */
    double *chunk_sums;      /* [chunk][padded][padded + 1]: as gram->sum */
};

static struct memory take_memory(size_t pixels, size_t padded, struct arena *scratch)
{
    const size_t threads = (size_t)omp_get_max_threads();
    struct memory m = {.chunks = chunk_count((pixels + TILE_PIXELS - 1) / TILE_PIXELS),
                       .sums = padded * (padded + 1)};
    m.tile = arena_floats(scratch, threads * TILE_ROWS * padded);
    m.tile_sums = arena_floats(scratch, threads * padded * padded);
    m.at = arena_take(scratch, threads * TILE_PIXELS * sizeof(*m.at));
    m.chunk_sums = arena_doubles(scratch, m.chunks * m.sums);
    return m;
}

static void sum_chunk(int c, size_t begin, size_t end, const struct source *x,
                      const struct memory *m, double *sum)
{
    const size_t padded = channels_padded(c), t = (size_t)omp_get_thread_num();
    float *sums = m->tile_sums + t * padded * padded;
    size_t *at = m->at + t * TILE_PIXELS;
    struct tile tile = {m->tile + t * TILE_ROWS * padded, TILE_ROWS * CHANNEL_BLOCK, 0};
    memset(sum, 0, m->sums * sizeof(*sum));
    for (size_t first = begin; first < end; first += TILE_PIXELS) {
        tile.rows = (int)(end - first < TILE_PIXELS ? end - first : TILE_PIXELS);
        for (int i = 0; i < tile.rows; i++)
            at[i] = (first + (size_t)i) * padded;
        product_kernels()->load_source(x, padded, at, NULL, &tile);
        memset(sums, 0, padded * padded * sizeof(*sums));
        product_kernels()->weight_gradient(&tile, &tile, c, padded, sums);
        for (size_t i = 0; i < padded * padded; i++)
            sum[padded + i] += (double)sums[i];
        struct source from = *x;
        from.z += first * padded;
        elementwise()->activated_sum((size_t)tile.rows, padded, padded, &from, sum);
    }
}

void gram_of(struct shape in, const struct source *x, const struct gram *gram,
             struct arena *scratch)
{
    BUG_IF(x->gate);
    const size_t pixels = shape_pixels(in), padded = channels_padded(in.c),
                 mark = arena_mark(scratch);
    find_centre(pixels, padded, x, gram);
    const struct source read = gram_source(x, gram);
    const struct memory m = take_memory(pixels, padded, scratch);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < m.chunks; i++)
        sum_chunk(in.c, chunk_begin(pixels, m.chunks, i),
                  chunk_begin(pixels, m.chunks, i + 1), &read, &m,
                  m.chunk_sums + i * m.sums);
    combine_chunks(m.chunks, m.sums, m.sums, m.chunk_sums, gram->sum);
    arena_release(scratch, mark);
}

/* In double, for BLAS. */
static double *doubles_of(size_t count, const float *x, struct arena *scratch)
{
    double *d = arena_doubles(scratch, count);
    for (size_t i = 0; i < count; i++)
        d[i] = (double)x[i];
    return d;
}

static double dot(size_t c, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < c; i++)
        sum += a[i] * b[i];
    return sum;
}

/* w times gram->product. */
static double *times_product(int k, size_t padded, const double *w,
                             const struct gram *gram, struct arena *scratch)
{
    double *out = arena_doubles(scratch, (size_t)k * padded);
    const int c = (int)padded;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, c, c, 1, w, c,
                gram->product, c, 0, out, c);
    return out;
}

void gram_statistics(struct shape in, int k, const struct gram *gram, const float *w,
                     float *mean, float *variance, struct arena *scratch)
{
    const size_t padded = channels_padded(in.c), mark = arena_mark(scratch);
    const double pixels = (double)shape_pixels(in);
    const double *wd = doubles_of((size_t)k * padded, w, scratch),
                 *centre = doubles_of(padded, gram->centre, scratch),
                 *wg = times_product(k, padded, wd, gram, scratch);
    memset(mean, 0, channels_padded(k) * sizeof(*mean));
    memset(variance, 0, channels_padded(k) * sizeof(*variance));
    for (int i = 0; i < k; i++) {
        const double *row = wd + (size_t)i * padded;
        const double off = dot(padded, row, gram->sum) / pixels;
        const double spread =
            dot(padded, row, wg + (size_t)i * padded) / pixels - off * off;
        mean[i] = (float)(dot(padded, row, centre) + off);
        variance[i] = spread < 0 ? 0 : (float)spread; /* rounding; a NaN stays */
    }
    arena_release(scratch, mark);
}

void gram_shift(int c, int k, const struct gram *gram, const float *w,
                const float *scale, const float *shift, float *shifted)
{
    const size_t padded = channels_padded(c);
    memset(shifted, 0, channels_padded(k) * sizeof(*shifted));
    for (int i = 0; i < k; i++) {
        double centre = 0;
        for (size_t j = 0; j < padded; j++)
            centre += (double)w[(size_t)i * padded + j] * (double)gram->centre[j];
        shifted[i] = (float)((double)shift[i] + (double)scale[i] * centre);
    }
}

/* dz = ca g + cb (w x - m) + cc, x less centre and m the mean of what is left. */
struct coefficients {
    float *ca, *cb, *cc;
    double *m;
};

/* BN's backward; sum g (w x - m) comes from gx. */
static struct coefficients bn_backward(struct shape in, int k, const struct gram *gram,
                                       const double *w, const float *gamma,
                                       const struct batchnorm *bn,
                                       const struct gram_gradient *to,
                                       struct arena *scratch)
{
    const size_t padded = channels_padded(in.c), padded_k = channels_padded(k);
    float *floats = arena_floats(scratch, 3 * padded_k);
    double *m = arena_doubles(scratch, 2 * padded_k), *sum_gz = m + padded_k;
    const struct coefficients co = {floats, floats + padded_k, floats + 2 * padded_k,
                                    m};
    memset(m, 0, 2 * padded_k * sizeof(*m));
    for (int i = 0; i < k; i++) {
        const double *row = w + (size_t)i * padded;
        m[i] = dot(padded, row, gram->sum) / (double)shape_pixels(in);
        for (size_t j = 0; j < padded; j++)
            sum_gz[i] += row[j] * (double)to->gx[(size_t)i * padded + j];
        sum_gz[i] -= m[i] * to->sum_g[i];
    }
    batchnorm_backward(k, shape_pixels(in), gamma, bn, to->sum_g, sum_gz, co.ca, co.cb,
                       co.cc, to->dgamma, to->dbeta);
    return co;
}

static void weights_backward(int k, size_t padded, const struct gram *gram,
                             const double *w, const struct coefficients *co,
                             const struct gram_gradient *to, struct arena *scratch)
{
    const size_t mark = arena_mark(scratch);
    const double *wg = times_product(k, padded, w, gram, scratch);
    for (size_t i = 0; i < (size_t)k; i++) {
        const double ca = (double)co->ca[i], cb = (double)co->cb[i],
                     constant = (double)co->cc[i] - cb * co->m[i];
        for (size_t j = 0; j < padded; j++) {
            const size_t at = i * padded + j;
            to->dw[at] = (float)(ca * (double)to->gx[at] + cb * wg[at] +
                                 constant * gram->sum[j]);
        }
    }
    arena_release(scratch, mark);
}

/* dx = y + w' (cb (w x - m) + cc) */
static void input_backward(struct shape in, int k, const struct source *x,
                           const struct gram *gram, const double *w,
                           const struct coefficients *co, const struct sink *dx,
                           struct arena *scratch)
{
    const size_t padded = channels_padded(in.c);
    const int c = (int)padded;
    double *scaled = arena_doubles(scratch, (size_t)k * padded),
           *square = arena_doubles(scratch, padded * padded),
           *constant = arena_doubles(scratch, padded);
    float *q = arena_floats(scratch, padded * padded),
          *bias = arena_floats(scratch, padded);
    memset(constant, 0, padded * sizeof(*constant));
    for (size_t i = 0; i < (size_t)k; i++) {
        const double cb = (double)co->cb[i], off = (double)co->cc[i] - cb * co->m[i];
        for (size_t j = 0; j < padded; j++) {
            scaled[i * padded + j] = cb * w[i * padded + j];
            constant[j] += off * w[i * padded + j];
        }
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c, c, k, 1, scaled, c, w, c, 0,
                square, c);
    for (size_t i = 0; i < padded * padded; i++)
        q[i] = (float)square[i];
    for (size_t j = 0; j < padded; j++)
        bias[j] = (float)constant[j];
    const struct source read = gram_source(x, gram);
    const struct product p = {.in = in, .k = in.c, .stride = 1, .x = &read};
    product_complete(&p, q, bias, x, dx, scratch);
}

void gram_backward(struct shape in, int k, const struct source *x,
                   const struct gram *gram, const float *w, const float *gamma,
                   const struct batchnorm *bn, const struct gram_gradient *to,
                   const struct sink *dx, struct arena *scratch)
{
    BUG_IF(x->gate || dx->gate_sum);
    const size_t padded = channels_padded(in.c), mark = arena_mark(scratch);
    const double *wd = doubles_of((size_t)k * padded, w, scratch);
    const struct coefficients co = bn_backward(in, k, gram, wd, gamma, bn, to, scratch);
    weights_backward(k, padded, gram, wd, &co, to, scratch);
    input_backward(in, k, x, gram, wd, &co, dx, scratch);
    arena_release(scratch, mark);
}

size_t gram_scratch(struct shape in, int k)
{
    const size_t padded = channels_padded(in.c), padded_k = channels_padded(k);
    struct arena *planning = arena_create_planning();
    take_memory(shape_pixels(in), padded, planning);
    const size_t sums = arena_peak(planning);
    arena_free(planning);
    const struct product p = {.in = in, .k = in.c, .stride = 1};
    const size_t backward = sizeof(double) * (2 * padded_k * padded + padded * padded +
                                              padded + 2 * padded_k) +
                            sizeof(float) * (3 * padded_k + padded * (padded + 1)) +
                            8 * ARENA_BLOCK_EXTRA + product_scratch(&p);
    return sums > backward ? sums : backward;
}
