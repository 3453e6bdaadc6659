#include "ref/classifier_ref.h"

#include <math.h>
#include <string.h>

#include "tensor/tensor.h"

void linear_ref_forward(int n, int c, int classes, const double *x, const double *w,
                        const double *b, double *logits)
{
    const size_t row = channels_padded(classes), padded = channels_padded(c);
    memset(logits, 0, (size_t)n * row * sizeof(*logits));
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t k = 0; k < (size_t)classes; k++) {
            logits[i * row + k] = b[k];
            for (size_t j = 0; j < (size_t)c; j++)
                logits[i * row + k] += x[i * padded + j] * w[k * padded + j];
        }
}

void linear_ref_backward(int n, int c, int classes, const double *dlogits,
                         const double *x, const double *w, double *dw, double *db,
                         double *dx)
{
    const size_t row = channels_padded(classes), padded = channels_padded(c);
    memset(dw, 0, (size_t)classes * padded * sizeof(*dw));
    memset(db, 0, row * sizeof(*db));
    memset(dx, 0, (size_t)n * padded * sizeof(*dx));
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t k = 0; k < (size_t)classes; k++) {
            const double d = dlogits[i * row + k];
            db[k] += d;
            for (size_t j = 0; j < (size_t)c; j++) {
                dw[k * padded + j] += d * x[i * padded + j];
                dx[i * padded + j] += d * w[k * padded + j];
            }
        }
}

void cross_entropy_ref(int n, int classes, const double *logits, const int *labels,
                       double smoothing, double *loss, double *dlogits)
{
    const size_t row = channels_padded(classes);
    memset(dlogits, 0, (size_t)n * row * sizeof(*dlogits));
    for (int i = 0; i < n; i++) {
        const double *logit = logits + (size_t)i * row;
        double total = 0;
        for (int k = 0; k < classes; k++)
            total += exp(logit[k]);
        loss[i] = 0;
        for (int k = 0; k < classes; k++) {
            const double p = exp(logit[k]) / total;
            const double target =
                smoothing / classes + (k == labels[i] ? 1 - smoothing : 0);
            loss[i] -= target * log(p);
            dlogits[(size_t)i * row + (size_t)k] = (p - target) / n;
        }
    }
}
