/*
 * batchnorm_ref.h - batch normalisation of a whole tensor in double: from z to y and
 * from dy to dz, by the textbook's formulas, with nothing taken apart as batchnorm.h
 * takes it. Arrays [padded c], tensors in padded NHWC; the padding is left alone.
 */
#ifndef REF_BATCHNORM_REF_H
#define REF_BATCHNORM_REF_H

#include "ref/operands_ref.h"

/* mean, variance (biased) and y, each unless NULL. */
void batchnorm_ref_forward(struct shape shape, const double *z, const double *gamma,
                           const double *beta, double *mean, double *variance,
                           double *y);
void batchnorm_ref_backward(struct shape shape, const double *dy, const double *z,
                            const double *gamma, double *dz, double *dgamma,
                            double *dbeta);

#endif
