/* act_ref.h - the activations and their derivatives in double, by formula. NaN stays.
 */
#ifndef REF_ACT_REF_H
#define REF_ACT_REF_H

#include <math.h>

#include "base/die.h"
#include "tensor/tensor.h"

static inline double relu6_ref(double u)
{
    return u < 0 ? 0 : u > 6 ? 6 : u;
}

static inline double sigmoid_ref(double u)
{
    return 1 / (1 + exp(-u));
}

static inline double act_ref(enum activation act, double u)
{
    switch (act) {
    case ACT_NONE:
        return u;
    case ACT_RELU:
        return u < 0 ? 0 : u;
    case ACT_RELU6:
        return relu6_ref(u);
    case ACT_HSWISH:
        return u * relu6_ref(u + 3) / 6;
    case ACT_HSIGMOID:
        return relu6_ref(u + 3) / 6;
    case ACT_SIGMOID:
        return sigmoid_ref(u);
    case ACT_SWISH:
        return u * sigmoid_ref(u);
    case ACT_COUNT:
        break;
    }
    BUG("no activation has the number %d", (int)act);
}

/* At a kink: the derivative from the left for 0, -3, from the right for 6, 3. */
static inline double act_ref_gradient(enum activation act, double u)
{
    const double s = sigmoid_ref(u);
    switch (act) {
    case ACT_NONE:
        return 1;
    case ACT_RELU:
        return u > 0;
    case ACT_RELU6:
        return u > 0 && u < 6;
    case ACT_HSWISH:
        return u <= -3 ? 0 : u >= 3 ? 1 : (2 * u + 3) / 6;
    case ACT_HSIGMOID:
        return u > -3 && u < 3 ? 1.0 / 6 : 0;
    case ACT_SIGMOID:
        return s * (1 - s);
    case ACT_SWISH:
        return s + u * s * (1 - s);
    case ACT_COUNT:
        break;
    }
    BUG("no activation has the number %d", (int)act);
}

#endif
