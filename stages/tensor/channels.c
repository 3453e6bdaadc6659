/* channels.c - see channels.h. */
#include "tensor/channels.h"

#include "base/die.h"

static void check(const struct channels *channels, int count)
{
    BUG_IF(channels->first < 0 || channels->step < 1);
    BUG_IF(channels->first + (count - 1) * channels->step >= channels->c);
}

void channels_copy(size_t pixels, int count, const float *from,
                   const struct channels *of, float *to, const struct channels *into)
{
    BUG_IF(count < 1);
    check(of, count);
    check(into, count);
    const size_t from_padded = channels_padded(of->c),
                 to_padded = channels_padded(into->c);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < pixels; i++) {
        const float *x = from + i * from_padded + of->first;
        float *y = to + i * to_padded + into->first;
        for (int c = 0; c < count; c++)
            y[c * into->step] = x[c * of->step];
    }
}
