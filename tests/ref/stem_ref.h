/* stem_ref.h - the dense first convolution as obvious loops in double (stem.h). */
#ifndef REF_STEM_REF_H
#define REF_STEM_REF_H

#include "ref/operands_ref.h"

void stem_ref_forward(struct shape in, int k, int r, int stride, const double *x,
                      const double *w, double *z, const struct moments_ref *moments);
void stem_ref_backward(struct shape in, int k, int r, int stride,
                       const struct gradient_ref *dz, const double *x, double *dw);

#endif
