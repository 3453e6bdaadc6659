/* depthwise_ref.h - depthwise convolution as obvious loops in double (depthwise.h). */
#ifndef REF_DEPTHWISE_REF_H
#define REF_DEPTHWISE_REF_H

#include "ref/operands_ref.h"

void depthwise_ref_forward(struct shape in, int r, int stride,
                           const struct source_ref *x, const double *w, double *z,
                           const struct moments_ref *moments);
void depthwise_ref_backward(struct shape in, int r, int stride,
                            const struct gradient_ref *dz, const struct source_ref *x,
                            const double *w, double *dw, const struct sink_ref *dx);

#endif
