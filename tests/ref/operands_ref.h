/*
 * operands_ref.h - tensor.h's sources, gradients and sinks in double, by formula.
 *
 * The same fields and the same padded NHWC layout as the float ones, so that a test
 * converts element by element (ref_doubles()).
 */
#ifndef REF_OPERANDS_REF_H
#define REF_OPERANDS_REF_H

#include "tensor/tensor.h"

struct source_ref {
    const double *z;
    const double *scale, *shift;
    const double *gate;
    enum activation act;
};

struct moments_ref {
    const double *centre;
    double *sum, *square;
};

struct gradient_ref {
    const double *g, *z;
    const double *ca, *cb, *cc, *mean;
};

struct sink_ref {
    double *g;
    const double *add;
    const double *z, *mean;
    double *sum_g, *sum_gz;
    double *gate_sum;
};

/* Where [n,h,w,c] lies. */
size_t ref_at(struct shape s, int n, int h, int w, int c);
/* A copy in double, of the caller (free()); NULL gives NULL. */
double *ref_doubles(const float *x, size_t count);

/* The values that an operation works with. */
double source_ref_value(struct shape s, const struct source_ref *x, int n, int h, int w,
                        int c);
double gradient_ref_value(struct shape s, const struct gradient_ref *dz, int n, int h,
                          int w, int c);
/* The sum of the absolute values of the terms that make such a value: in float it is
 * off by a few 1e-7 of this, however much they cancel. */
double source_ref_magnitude(struct shape s, const struct source_ref *x, int n, int h,
                            int w, int c);
double gradient_ref_magnitude(struct shape s, const struct gradient_ref *dz, int n,
                              int h, int w, int c);
/* All of z is there: take its moments. moments->sum NULL: none. */
void moments_ref_take(struct shape s, const double *z, const struct moments_ref *to);
/* All of da (like z) is there: do with it what struct sink says, for this source. */
void sink_ref_put(struct shape s, const struct source_ref *x, const double *da,
                  const struct sink_ref *to);

#endif
