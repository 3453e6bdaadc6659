#include "tensor/classifier.h"

#include <cblas.h>
#include <math.h>

#include "base/die.h"

/* A product is cut into blocks of the result, of fixed size, one sgemm each: every
 * element is a sum that one thread makes in one order. */
enum { BLOCK_ROWS = 64, BLOCK_COLUMNS = 128 };

struct factor {
    const float *at;
    size_t row; /* floats between rows, as stored */
    bool transposed;
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* to [m][columns] = left [m][depth] right [depth][columns] + beta * to */
static void multiply(int m, int columns, int depth, struct factor left,
                     struct factor right, float beta, float *to, size_t to_row)
{
    const int across = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    const int blocks = (m + BLOCK_ROWS - 1) / BLOCK_ROWS * across;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < blocks; block++) {
        const int i = block / across * BLOCK_ROWS, j = block % across * BLOCK_COLUMNS;
        cblas_sgemm(CblasRowMajor, left.transposed ? CblasTrans : CblasNoTrans,
                    right.transposed ? CblasTrans : CblasNoTrans,
                    smaller(BLOCK_ROWS, m - i), smaller(BLOCK_COLUMNS, columns - j),
                    depth, 1, left.at + (size_t)i * (left.transposed ? 1 : left.row),
                    (int)left.row,
                    right.at + (size_t)j * (right.transposed ? right.row : 1),
                    (int)right.row, beta, to + (size_t)i * to_row + j, (int)to_row);
    }
}

static void clear_padding(int rows, int columns, float *x)
{
    const size_t padded = channels_padded(columns);
    for (int i = 0; i < rows; i++)
        for (size_t j = (size_t)columns; j < padded; j++)
            x[(size_t)i * padded + j] = 0;
}

void linear_forward(int n, int c, int classes, const float *x, const float *w,
                    const float *b, float *logits)
{
    BUG_IF(n < 1 || c < 1 || classes < 1);
    const size_t row = channels_padded(classes);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < classes; k++)
            logits[(size_t)i * row + (size_t)k] = b ? b[k] : 0;
    multiply(n, classes, c, (struct factor){x, channels_padded(c), false},
             (struct factor){w, channels_padded(c), true}, 1, logits, row);
    clear_padding(n, classes, logits);
}

static void bias_gradient(int n, int classes, const float *dlogits, float *db)
{
    const size_t row = channels_padded(classes);
    for (int k = 0; k < classes; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)dlogits[(size_t)i * row + (size_t)k];
        db[k] = (float)sum;
    }
    clear_padding(1, classes, db);
}

void linear_backward(int n, int c, int classes, const float *dlogits, const float *x,
                     const float *w, float *dw, float *db, float *dx,
                     struct arena *scratch)
{
    (void)scratch;
    BUG_IF(n < 1 || c < 1 || classes < 1);
    const size_t row = channels_padded(classes), padded_c = channels_padded(c);
    multiply(classes, c, n, (struct factor){dlogits, row, true},
             (struct factor){x, padded_c, false}, 0, dw, padded_c);
    clear_padding(classes, c, dw);
    if (db)
        bias_gradient(n, classes, dlogits, db);
    if (!dx)
        return;
    multiply(n, c, classes, (struct factor){dlogits, row, false},
             (struct factor){w, padded_c, false}, 0, dx, padded_c);
    clear_padding(n, c, dx);
}

size_t linear_scratch(int n, int c, int classes)
{
    (void)n, (void)c, (void)classes;
    return 0;
}

/* The largest logit's index, the lowest such; -1 if one is NaN. */
static int best_class(int classes, const float *logit)
{
    int best = 0;
    for (int k = 0; k < classes; k++) {
        if (isnan(logit[k]))
            return -1;
        if (logit[k] > logit[best])
            best = k;
    }
    return best;
}

/* Returns the loss; gradient (may be NULL) = d loss / d logit times `factor`. */
static double smoothed_loss(int classes, const float *logit, int label,
                            double smoothing, double factor, int best, float *gradient)
{
    const double floor = smoothing / classes;
    const double top = best < 0 ? (double)NAN : (double)logit[best];
    double total = 0, below = 0;
    for (int k = 0; k < classes; k++) {
        total += exp((double)logit[k] - top);
        below += top - (double)logit[k];
    }
    if (gradient)
        for (int k = 0; k < classes; k++) {
            const double target = floor + (k == label ? 1 - smoothing : 0);
            gradient[k] =
                (float)((exp((double)logit[k] - top) / total - target) * factor);
        }
    /* An infinite logit that has no part in the target must not make 0 * inf. */
    const double rest = smoothing > 0 ? floor * below : 0;
    return log(total) + (1 - smoothing) * (top - (double)logit[label]) + rest;
}

void cross_entropy(int n, int classes, const float *logits, const int *labels,
                   double smoothing, double *loss, unsigned char *hit, float *dlogits)
{
    BUG_IF(n < 1 || classes < 1 || !(smoothing >= 0 && smoothing < 1));
    for (int i = 0; i < n; i++)
        BUG_IF(labels[i] < 0 || labels[i] >= classes);
    const size_t row = channels_padded(classes);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const float *logit = logits + (size_t)i * row;
        const int best = best_class(classes, logit);
        const double one =
            smoothed_loss(classes, logit, labels[i], smoothing, 1.0 / n, best,
                          dlogits ? dlogits + (size_t)i * row : NULL);
        if (loss)
            loss[i] = one;
        if (hit)
            hit[i] = best == labels[i];
    }
    if (dlogits)
        clear_padding(n, classes, dlogits);
}
