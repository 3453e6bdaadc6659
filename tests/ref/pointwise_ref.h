/* pointwise_ref.h - 1x1 convolution as obvious loops in double (pointwise.h). */
#ifndef REF_POINTWISE_REF_H
#define REF_POINTWISE_REF_H

#include "ref/operands_ref.h"

void pointwise_ref_forward(struct shape in, int k, int stride,
                           const struct source_ref *x, const double *w, double *z,
                           const struct moments_ref *moments);
void pointwise_ref_backward(struct shape in, int k, int stride,
                            const struct gradient_ref *dz, const struct source_ref *x,
                            const double *w, double *dw, const struct sink_ref *dx);

#endif
