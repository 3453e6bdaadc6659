/* dropout.c - see dropout.h. */
#include "net/dropout.h"

#include "base/rng.h"
#include "tensor/tensor.h"

void dropout_apply(const struct dropout *dropout, int n, int c, float *x)
{
    if (dropout->rate <= 0)
        return;
    size_t stride = channels_padded(c);
    float grown = (float)(1 / (1 - dropout->rate));
    uint32_t bound = (uint32_t)(dropout->rate * 4294967296.0);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        float *image = x + (size_t)i * stride;
        struct rng rng =
            rng_stream(dropout->seed, RNG_DROPOUT, dropout->step, (uint64_t)i);
        for (int k = 0; k < c; k++)
            image[k] = rng_u32(&rng) < bound ? 0 : image[k] * grown;
    }
}
