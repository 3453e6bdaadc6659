/*
 * gradient.h - is this the gradient? Asked by central differences, in double.
 *
 * The plain-loop references of the kernels are checked with it, and the kernels against
 * the references: so each backward rests on its own forward and on nothing else.
 */
#ifndef REF_GRADIENT_H
#define REF_GRADIENT_H

#include <stddef.h>

/* Computes out[outputs] from the variables; the rest it needs comes by `context`. */
typedef void gradient_function(const double *variables, double *out, void *context);

/*
 * L(x) = sum over i of weight[i] * out[i](x). Returns how far `given` is from dL/dx:
 * the largest difference of any entry, over the largest entry of dL/dx (over 1 if that
 * is smaller). NaN if anything is. About 1e-9 where the function is smooth; keep the
 * variables further than 1e-4 from its kinks. x is changed on the way and put back.
 */
double gradient_error(gradient_function *function, void *context, size_t variables,
                      double *x, size_t outputs, const double *weight,
                      const double *given);

#endif
