#include "ref/batchnorm_ref.h"

#include <math.h>

#include "tensor/batchnorm.h"

/* Where the i-th pixel's channel c lies. */
static size_t at(struct shape shape, size_t i, int c)
{
    return i * channels_padded(shape.c) + (size_t)c;
}

static double mean_of(struct shape shape, const double *z, int c)
{
    const size_t pixels = shape_pixels(shape);
    double mean = 0;
    for (size_t i = 0; i < pixels; i++)
        mean += z[at(shape, i, c)] / (double)pixels;
    return mean;
}

static double variance_of(struct shape shape, const double *z, int c)
{
    const size_t pixels = shape_pixels(shape);
    const double mean = mean_of(shape, z, c);
    double variance = 0;
    for (size_t i = 0; i < pixels; i++)
        variance += pow(z[at(shape, i, c)] - mean, 2) / (double)pixels;
    return variance;
}

void batchnorm_ref_forward(struct shape shape, const double *z, const double *gamma,
                           const double *beta, double *mean, double *variance,
                           double *y)
{
    for (int c = 0; c < shape.c; c++) {
        const double m = mean_of(shape, z, c), v = variance_of(shape, z, c);
        if (mean)
            mean[c] = m;
        if (variance)
            variance[c] = v;
        for (size_t i = 0; y && i < shape_pixels(shape); i++)
            y[at(shape, i, c)] =
                gamma[c] * (z[at(shape, i, c)] - m) / sqrt(v + BATCHNORM_EPSILON) +
                beta[c];
    }
}

/* Through the normalised value, the variance and the mean, one after the other. */
void batchnorm_ref_backward(struct shape shape, const double *dy, const double *z,
                            const double *gamma, double *dz, double *dgamma,
                            double *dbeta)
{
    const size_t pixels = shape_pixels(shape);
    for (int c = 0; c < shape.c; c++) {
        const double m = mean_of(shape, z, c), v = variance_of(shape, z, c),
                     deviation = sqrt(v + BATCHNORM_EPSILON);
        double dvariance = 0, dmean = 0;
        dgamma[c] = dbeta[c] = 0;
        for (size_t i = 0; i < pixels; i++) {
            const double d = dy[at(shape, i, c)], off = z[at(shape, i, c)] - m;
            dgamma[c] += d * off / deviation;
            dbeta[c] += d;
            dvariance += d * gamma[c] * off * -0.5 * pow(deviation, -3);
            dmean -= d * gamma[c] / deviation;
        }
        for (size_t i = 0; i < pixels; i++)
            dz[at(shape, i, c)] =
                dy[at(shape, i, c)] * gamma[c] / deviation +
                (dvariance * 2 * (z[at(shape, i, c)] - m) + dmean) / (double)pixels;
    }
}
