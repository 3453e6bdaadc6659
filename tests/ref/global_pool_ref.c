#include "ref/global_pool_ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void global_pool_ref_forward(struct shape in, const struct source_ref *x, double *y)
{
    const size_t padded = channels_padded(in.c);
    memset(y, 0, (size_t)in.n * padded * sizeof(*y));
    for (int n = 0; n < in.n; n++)
        for (int h = 0; h < in.h; h++)
            for (int w = 0; w < in.w; w++)
                for (int c = 0; c < in.c; c++)
                    y[(size_t)n * padded + (size_t)c] +=
                        source_ref_value(in, x, n, h, w, c) / (in.h * in.w);
}

void global_pool_ref_backward(struct shape in, const double *dy,
                              const struct source_ref *x, const struct sink_ref *dx)
{
    double *da = memory_zeroed(shape_floats(in), sizeof(*da));
    for (int n = 0; n < in.n; n++)
        for (int h = 0; h < in.h; h++)
            for (int w = 0; w < in.w; w++)
                for (int c = 0; c < in.c; c++)
                    da[ref_at(in, n, h, w, c)] =
                        dy[(size_t)n * channels_padded(in.c) + (size_t)c] /
                        (in.h * in.w);
    sink_ref_put(in, x, da, dx);
    free(da);
}
