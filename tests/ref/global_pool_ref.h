/* global_pool_ref.h - global average pooling in double (global_pool.h). */
#ifndef REF_GLOBAL_POOL_REF_H
#define REF_GLOBAL_POOL_REF_H

#include "ref/operands_ref.h"

void global_pool_ref_forward(struct shape in, const struct source_ref *x, double *y);
void global_pool_ref_backward(struct shape in, const double *dy,
                              const struct source_ref *x, const struct sink_ref *dx);

#endif
