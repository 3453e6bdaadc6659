/* optimizer.c - see optimizer.h. */
#include "net/optimizer.h"

#include <math.h>

double learning_rate_at(const struct supernet_config *config, long step)
{
    if (step < config->lr_ramp)
        return config->learning_rate * (double)(step + 1) / config->lr_ramp;
    double done = (double)(step - config->lr_ramp);
    double all = (double)(config->steps - config->lr_ramp);
    return config->learning_rate * 0.5 * (1 + cos(M_PI * (all > 0 ? done / all : 1)));
}

static void sgd_array(size_t n, float *restrict w, float *restrict v,
                      const float *restrict g, float rate, float momentum, float decay)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        v[i] = momentum * v[i] + d;
        w[i] -= rate * (d + momentum * v[i]);
    }
}

void sgd_step(struct supernet *net, const struct path *path, const float *gradients,
              double rate, double momentum, double weight_decay)
{
    struct path_range range[SPACE_LAYERS_MAX + 1];
    int n = supernet_path_ranges(net, path, range, NULL);
    const struct layout *layout = &net->weight_layout;
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        for (int j = 0; j < n; j++) {
            if (a->offset < range[j].begin || a->offset >= range[j].end)
                continue;
            const float *g =
                gradients + range[j].gradient + (a->offset - range[j].begin);
            sgd_array(a->rows * a->stride, net->weights + a->offset,
                      net->momentum + a->offset, g, (float)rate, (float)momentum,
                      a->decay ? (float)weight_decay : 0.0f);
        }
    }
}
