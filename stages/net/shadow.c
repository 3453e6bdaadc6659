/* shadow.c - see shadow.h. */
#include "net/shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct shadow {
    struct arena *arena;
    float *weights, *statistics;
    size_t n_weights, n_statistics;
};

struct shadow *shadow_create(const struct supernet *net)
{
    struct shadow *shadow = memory_zeroed(1, sizeof(*shadow));
    shadow->n_weights = net->weight_layout.floats;
    shadow->n_statistics = net->statistic_layout.floats;
    shadow->arena = arena_create(
        (shadow->n_weights + shadow->n_statistics) * sizeof(float) + (size_t)32 * 1024);
    shadow->weights = arena_floats(shadow->arena, shadow->n_weights);
    shadow->statistics = arena_floats(shadow->arena, shadow->n_statistics);
    shadow_copy(shadow, net);
    return shadow;
}

void shadow_free(struct shadow *shadow)
{
    if (!shadow)
        return;
    arena_free(shadow->arena);
    free(shadow);
}

void shadow_copy(struct shadow *shadow, const struct supernet *net)
{
    memcpy(shadow->weights, net->weights, shadow->n_weights * sizeof(float));
    memcpy(shadow->statistics, net->statistics, shadow->n_statistics * sizeof(float));
}

static void average(size_t n, float *restrict s, const float *restrict w, float kept,
                    float added)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++)
        s[i] = kept * s[i] + added * w[i];
}

void shadow_average(struct shadow *shadow, const struct supernet *net, double decay)
{
    float kept = (float)decay, added = (float)(1 - decay);
    average(shadow->n_weights, shadow->weights, net->weights, kept, added);
    average(shadow->n_statistics, shadow->statistics, net->statistics, kept, added);
}

double shadow_decay_at(double decay, long step)
{
    double early = (1.0 + (double)step) / (10.0 + (double)step);
    return early < decay ? early : decay;
}

void shadow_exchange(struct shadow *shadow, struct supernet *net)
{
    float *weights = net->weights, *statistics = net->statistics;
    net->weights = shadow->weights;
    net->statistics = shadow->statistics;
    shadow->weights = weights;
    shadow->statistics = statistics;
}

static const char *in(const char *group, const char *name, char text[64])
{
    snprintf(text, 64, "%s/%s", group, name);
    return text;
}

void shadow_save_state(const struct shadow *shadow, struct artifact *artifact,
                       const char *group)
{
    char name[64];
    artifact_write_vector(artifact, in(group, "weights", name), ARRAY_F32,
                          shadow->n_weights, shadow->weights, "1",
                          "all weights as they lie in memory");
    artifact_write_vector(artifact, in(group, "statistics", name), ARRAY_F32,
                          shadow->n_statistics, shadow->statistics, "1",
                          "all running statistics as they lie in memory");
}

void shadow_load_state(struct shadow *shadow, struct artifact *artifact,
                       const char *group)
{
    char name[64];
    artifact_read(artifact, in(group, "weights", name), ARRAY_F32, 1,
                  &shadow->n_weights, shadow->weights);
    artifact_read(artifact, in(group, "statistics", name), ARRAY_F32, 1,
                  &shadow->n_statistics, shadow->statistics);
}
