/* optimizer.c - see optimizer.h. */
#include "net/optimizer.h"

#include <math.h>

double rate_at(const struct rate_schedule *s, long step)
{
    if (step < s->ramp)
        return s->rate * (double)(step + 1) / (double)s->ramp;
    double done = (double)(step - s->ramp), all = (double)(s->steps - s->ramp);
    if (s->every > 0)
        return s->rate * pow(s->factor, floor(done / s->every));
    return s->rate * 0.5 * (1 + cos(M_PI * (all > 0 ? done / all : 1)));
}

double learning_rate_at(const struct supernet_config *config, long step)
{
    const struct rate_schedule cosine = {
        .rate = config->learning_rate, .ramp = config->lr_ramp, .steps = config->steps};
    return rate_at(&cosine, step);
}

/* n weights of one array, their momenta, mean squares (SGD: NULL) and gradients. */
struct moved {
    size_t n;
    float *w, *v, *s;
    const float *g;
    bool decays;
};

/* Every array of the path (NULL: all there are), whole arrays in parallel. */
static void move(struct supernet *net, const struct path *path, float *mean_square,
                 const float *gradients,
                 void (*one)(const struct moved *moved, const struct rmsprop *settings),
                 const struct rmsprop *settings)
{
    struct path_range range[SPACE_LAYERS_MAX + 1] = {{0, net->weight_layout.floats, 0}};
    int n = path ? supernet_path_ranges(net, path, range, NULL) : 1;
    const struct layout *layout = &net->weight_layout;
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        for (int j = 0; j < n; j++) {
            if (a->offset < range[j].begin || a->offset >= range[j].end)
                continue;
            one(&(struct moved){a->rows * a->stride, net->weights + a->offset,
                                net->momentum + a->offset,
                                mean_square ? mean_square + a->offset : NULL,
                                gradients + range[j].gradient +
                                    (a->offset - range[j].begin),
                                a->decay},
                settings);
        }
    }
}

static void sgd_array(const struct moved *moved, const struct rmsprop *settings)
{
    float *restrict w = moved->w, *restrict v = moved->v;
    const float *restrict g = moved->g;
    float rate = (float)settings->rate, momentum = (float)settings->momentum;
    float decay = moved->decays ? (float)settings->weight_decay : 0.0f;
#pragma omp simd
    for (size_t i = 0; i < moved->n; i++) {
        float d = g[i] + decay * w[i];
        v[i] = momentum * v[i] + d;
        w[i] -= rate * (d + momentum * v[i]);
    }
}

void sgd_step(struct supernet *net, const struct path *path, const float *gradients,
              double rate, double momentum, double weight_decay)
{
    const struct rmsprop settings = {
        .rate = rate, .momentum = momentum, .weight_decay = weight_decay};
    move(net, path, NULL, gradients, sgd_array, &settings);
}

void sgd_step_all(struct supernet *net, const float *gradients, double rate,
                  double momentum, double weight_decay)
{
    sgd_step(net, NULL, gradients, rate, momentum, weight_decay);
}

static void rmsprop_array(const struct moved *moved, const struct rmsprop *settings)
{
    float *restrict w = moved->w, *restrict v = moved->v, *restrict s = moved->s;
    const float *restrict g = moved->g;
    float rate = (float)settings->rate, momentum = (float)settings->momentum;
    float kept = (float)settings->decay, added = (float)(1 - settings->decay);
    float epsilon = (float)settings->epsilon;
    float decay = moved->decays ? (float)settings->weight_decay : 0.0f;
    /* No `omp simd`: for errno's sake compilers do not vectorise sqrtf(). */
    for (size_t i = 0; i < moved->n; i++) {
        float d = g[i] + decay * w[i];
        s[i] = kept * s[i] + added * (d * d);
        v[i] = momentum * v[i] + rate * d / sqrtf(s[i] + epsilon);
        w[i] -= v[i];
    }
}

void rmsprop_step(struct supernet *net, const struct path *path, float *mean_square,
                  const float *gradients, const struct rmsprop *settings)
{
    move(net, path, mean_square, gradients, rmsprop_array, settings);
}
