#include "ref/gradient.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static double weighted_sum(gradient_function *function, void *context, const double *x,
                           size_t outputs, const double *weight, double *out)
{
    function(x, out, context);
    double sum = 0;
    for (size_t i = 0; i < outputs; i++)
        sum += weight[i] * out[i];
    return sum;
}

double gradient_error(gradient_function *function, void *context, size_t variables,
                      double *x, size_t outputs, const double *weight,
                      const double *given)
{
    const double step = 1e-5; /* error step^2 + 1e-16/step: both near 1e-10 */
    double *out = memory_zeroed(outputs, sizeof(*out));
    double largest = 1, worst = 0;
    for (size_t i = 0; i < variables; i++) {
        const double at = x[i];
        x[i] = at + step;
        const double above = weighted_sum(function, context, x, outputs, weight, out);
        x[i] = at - step;
        const double below = weighted_sum(function, context, x, outputs, weight, out);
        x[i] = at;
        const double slope = (above - below) / (2 * step);
        const double difference = fabs(given[i] - slope);
        largest = fmax(largest, fabs(slope));
        if (!(difference <= worst)) /* so that a NaN stays */
            worst = isnan(worst) ? worst : difference;
    }
    free(out);
    return worst / largest;
}
