#include "tensor/squeeze_excite.h"

#include <cblas.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/elementwise.h"
#include "tensor/global_pool.h"

/* The matrices' sizes: n rows of c or r values, padded ones as float counts. */
struct sizes {
    size_t n, c, r, padded_c, padded_r;
};

static struct sizes sizes_of(struct shape in, int reduced)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1 || reduced < 1);
    return (struct sizes){.n = (size_t)in.n,
                          .c = (size_t)in.c,
                          .r = (size_t)reduced,
                          .padded_c = channels_padded(in.c),
                          .padded_r = channels_padded(reduced)};
}

/* a, or a transposed: what cblas wants to know of a row-major matrix. */
struct matrix {
    const float *a;
    size_t stride;
    bool transposed;
};

/* c[rows][columns] = alpha * a b + beta * c. One OpenBLAS thread; the caller's loop is
 * the parallel one. */
static void multiply(size_t rows, size_t columns, size_t depth, float alpha,
                     struct matrix a, struct matrix b, float beta, float *c,
                     size_t stride)
{
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (blasint)rows,
                (blasint)columns, (blasint)depth, alpha, a.a, (blasint)a.stride, b.a,
                (blasint)b.stride, beta, c, (blasint)stride);
}

/* Rows of b, padding zero: what a product with bias starts from. */
static void fill_rows(size_t rows, size_t length, size_t stride, const float *b,
                      float *to)
{
    for (size_t i = 0; i < rows; i++) {
        memcpy(to + i * stride, b, length * sizeof(*b));
        memset(to + i * stride + length, 0, (stride - length) * sizeof(*b));
    }
}

/* Images [begin, end) of the two layers and their activations. */
static void gate_images(const struct sizes *size, size_t begin, size_t end,
                        const struct squeeze_excite *se,
                        const struct squeeze_excite_saved *saved, float *hidden)
{
    const size_t rows = end - begin, at_c = begin * size->padded_c,
                 at_r = begin * size->padded_r;
    fill_rows(rows, size->r, size->padded_r, se->b1, saved->hidden_pre + at_r);
    multiply(rows, size->r, size->c, 1,
             (struct matrix){saved->pooled + at_c, size->padded_c, false},
             (struct matrix){se->w1, size->padded_c, true}, 1, saved->hidden_pre + at_r,
             size->padded_r);
    elementwise()->activate(se->act, rows * size->padded_r, saved->hidden_pre + at_r,
                            hidden + at_r);
    fill_rows(rows, size->c, size->padded_c, se->b2, saved->gate_pre + at_c);
    multiply(rows, size->c, size->r, 1,
             (struct matrix){hidden + at_r, size->padded_r, false},
             (struct matrix){se->w2, size->padded_r, true}, 1, saved->gate_pre + at_c,
             size->padded_c);
    elementwise()->activate(se->gate_act, rows * size->padded_c, saved->gate_pre + at_c,
                            saved->gate + at_c);
    /* Not what the gate of a zero would be. */
    for (size_t n = begin; n < end; n++)
        memset(saved->gate + n * size->padded_c + size->c, 0,
               (size->padded_c - size->c) * sizeof(float));
}

static void check_activations(const struct squeeze_excite *se)
{
    BUG_IF(!activation_keeps_zero(se->act));
    BUG_IF(se->gate_act != ACT_HSIGMOID && se->gate_act != ACT_SIGMOID);
}

void squeeze_excite_forward(struct shape in, const struct source *x,
                            const struct squeeze_excite *se,
                            const struct squeeze_excite_saved *saved,
                            struct arena *scratch)
{
    check_activations(se);
    const struct sizes size = sizes_of(in, se->reduced);
    struct source ungated = *x;
    ungated.gate = NULL;
    global_pool_forward(in, &ungated, saved->pooled);
    const size_t mark = arena_mark(scratch), chunks = chunk_count(size.n);
    float *hidden = arena_floats(scratch, size.n * size.padded_r);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < chunks; i++)
        gate_images(&size, chunk_begin(size.n, chunks, i),
                    chunk_begin(size.n, chunks, i + 1), se, saved, hidden);
    arena_release(scratch, mark);
}

/* Gradients on the way back, rows padded. */
struct way_back {
    float *dgate_pre, *hidden, *dhidden_pre, *dpooled;
};

/* From dgate to dpooled / (h*w), for images [begin, end). */
static void images_backward(const struct sizes *size, size_t begin, size_t end,
                            float share, const float *dgate,
                            const struct squeeze_excite *se,
                            const struct squeeze_excite_saved *saved,
                            const struct way_back *way)
{
    const size_t rows = end - begin, at_c = begin * size->padded_c,
                 at_r = begin * size->padded_r;
    elementwise()->activate_backward(se->gate_act, rows * size->padded_c,
                                     saved->gate_pre + at_c, dgate + at_c,
                                     way->dgate_pre + at_c);
    elementwise()->activate(se->act, rows * size->padded_r, saved->hidden_pre + at_r,
                            way->hidden + at_r);
    multiply(rows, size->padded_r, size->c, 1,
             (struct matrix){way->dgate_pre + at_c, size->padded_c, false},
             (struct matrix){se->w2, size->padded_r, false}, 0, way->dhidden_pre + at_r,
             size->padded_r);
    elementwise()->activate_backward(se->act, rows * size->padded_r,
                                     saved->hidden_pre + at_r, way->dhidden_pre + at_r,
                                     way->dhidden_pre + at_r);
    multiply(rows, size->padded_c, size->r, share,
             (struct matrix){way->dhidden_pre + at_r, size->padded_r, false},
             (struct matrix){se->w1, size->padded_c, false}, 0, way->dpooled + at_c,
             size->padded_c);
}

/* Rows [begin, end) of dw[outputs][stride_in] = dout^T in and of db, over n images. */
static void weights_backward(size_t n, size_t begin, size_t end, const float *dout,
                             size_t stride_out, const float *in, size_t stride_in,
                             float *dw, float *db)
{
    multiply(
        end - begin, stride_in, n, 1, (struct matrix){dout + begin, stride_out, true},
        (struct matrix){in, stride_in, false}, 0, dw + begin * stride_in, stride_in);
    for (size_t i = begin; i < end; i++) {
        double sum = 0;
        for (size_t image = 0; image < n; image++)
            sum += (double)dout[image * stride_out + i];
        db[i] = (float)sum;
    }
}

static void layers_backward(const struct sizes *size, float share, const float *dgate,
                            const struct squeeze_excite *se,
                            const struct squeeze_excite_saved *saved,
                            const struct squeeze_excite_gradient *gradient,
                            const struct way_back *way)
{
    const size_t images = chunk_count(size->n), rows_1 = chunk_count(size->r),
                 rows_2 = chunk_count(size->c);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < images; i++)
            images_backward(size, chunk_begin(size->n, images, i),
                            chunk_begin(size->n, images, i + 1), share, dgate, se,
                            saved, way);
#pragma omp for schedule(static) nowait
        for (size_t i = 0; i < rows_2; i++)
            weights_backward(size->n, chunk_begin(size->c, rows_2, i),
                             chunk_begin(size->c, rows_2, i + 1), way->dgate_pre,
                             size->padded_c, way->hidden, size->padded_r, gradient->dw2,
                             gradient->db2);
#pragma omp for schedule(static)
        for (size_t i = 0; i < rows_1; i++)
            weights_backward(size->n, chunk_begin(size->r, rows_1, i),
                             chunk_begin(size->r, rows_1, i + 1), way->dhidden_pre,
                             size->padded_r, saved->pooled, size->padded_c,
                             gradient->dw1, gradient->db1);
    }
    memset(gradient->db1 + size->r, 0, (size->padded_r - size->r) * sizeof(float));
    memset(gradient->db2 + size->c, 0, (size->padded_c - size->c) * sizeof(float));
}

void squeeze_excite_backward(struct shape in, const struct source *x,
                             const struct squeeze_excite *se,
                             const struct squeeze_excite_saved *saved,
                             const struct squeeze_excite_gradient *gradient,
                             const struct sink *dx, struct arena *scratch)
{
    check_activations(se);
    BUG_IF(!dx->gate_sum);
    const struct sizes size = sizes_of(in, se->reduced);
    const size_t mark = arena_mark(scratch), like_c = size.n * size.padded_c,
                 like_r = size.n * size.padded_r;
    const struct way_back way = {.dgate_pre = arena_floats(scratch, like_c),
                                 .dpooled = arena_floats(scratch, like_c),
                                 .hidden = arena_floats(scratch, like_r),
                                 .dhidden_pre = arena_floats(scratch, like_r)};
    layers_backward(&size, 1.0f / (float)(in.h * in.w), dx->gate_sum, se, saved,
                    gradient, &way);
    const struct pooled_gradient da = {
        .from = dx->g, .gate = saved->gate, .offset = way.dpooled};
    struct source ungated = *x;
    ungated.gate = NULL;
    struct sink finished = *dx;
    finished.gate_sum = NULL;
    sink_pooled(in, &da, &ungated, &finished, scratch);
    arena_release(scratch, mark);
}

size_t squeeze_excite_scratch(struct shape in, int reduced)
{
    const struct sizes size = sizes_of(in, reduced);
    return 2 * size.n * (size.padded_c + size.padded_r) * sizeof(float) +
           4 * ARENA_BLOCK_EXTRA + sink_pooled_scratch(in);
}
