/* supernet.c - see supernet.h. */
#include "net/supernet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "nas/graph.h"
#include "tensor/stem.h"

/* Building. */

static enum activation activation_or(const char *name, enum activation otherwise)
{
    return *name ? activation_from_name(name) : otherwise;
}

static struct block_style style_of(const struct space_config *config)
{
    return (struct block_style){
        activation_from_name(config->activation),
        activation_from_name(config->squeeze_excite.activation),
        activation_from_name(config->squeeze_excite.gate),
    };
}

static void stem_init(struct supernet *net)
{
    const struct space *s = &net->space;
    size_t k = (size_t)s->stem.k, r = (size_t)s->stem_kernel, c = (size_t)s->c;
    conv_bn_init(&net->stem, "shared", "stem", s->stem.k, 4, (size_t[]){k, r, r, c}, 3,
                 (double)(r * r * k), &net->weight_layout, &net->statistic_layout);
}

static void classifier_init(struct supernet *net)
{
    const struct space *s = &net->space;
    size_t classes = (size_t)s->classes;
    size_t c = (size_t)(s->head_channels ? s->head_channels : s->head_c);
    if (s->head_channels) {
        size_t k = (size_t)s->head_channels;
        conv_bn_init(&net->head, "shared", "head", s->head_channels, 2,
                     (size_t[]){k, (size_t)s->head_c}, 1, (double)k,
                     &net->weight_layout, &net->statistic_layout);
    }
    float spread = (float)(1 / sqrt((double)c));
    struct layout_array *w =
        layout_add(&net->weight_layout, "shared/classifier", "weight",
                   "linear layer weight", 2, (size_t[]){classes, c}, 1);
    w->init = INIT_UNIFORM, w->spread = spread, w->decay = true;
    net->fc_w = w->offset;
    if (!s->classifier_bias)
        return;
    struct layout_array *b = layout_add(&net->weight_layout, "shared/classifier",
                                        "bias", "linear layer bias", 1, &classes, 1);
    b->init = INIT_UNIFORM, b->spread = spread;
    net->fc_b = b->offset;
}

/* only: the path whose blocks are built; NULL: all of them. */
static void blocks_init(struct supernet *net, const struct space_config *config,
                        const struct path *only)
{
    const struct space *s = &net->space;
    struct block_style style = style_of(config);
    net->layer =
        memory_zeroed((size_t)s->n_layers * (size_t)s->n_ops, sizeof(net->layer[0]));
    for (int l = 0; l < s->n_layers; l++)
        for (int o = 0; o < s->n_ops; o++) {
            char name[LAYOUT_NAME_SIZE];
            if (only && only->op[l] != o)
                continue;
            snprintf(name, sizeof(name), "layer%02d/%s", l, s->op[o].token);
            block_init(&net->layer[l * s->n_ops + o], name, s, &s->op[o], &s->layer[l],
                       &style, &net->weight_layout, &net->statistic_layout);
        }
}

/* The item of the config that fixed block i comes from. */
static const struct fixed_config *fixed_item(const struct space_config *config, int i)
{
    const struct fixed_config *item = config->fixed;
    for (; i >= item->repeat; item++)
        i -= item->repeat;
    return item;
}

static void shared_init(struct supernet *net, const struct space_config *config)
{
    struct block_style style = style_of(config);
    enum activation act = style.act;
    stem_init(net);
    for (int i = 0; i < net->space.n_fixed; i++) {
        char name[LAYOUT_NAME_SIZE];
        snprintf(name, sizeof(name), "shared/fixed%02d", i);
        style.act = activation_or(fixed_item(config, i)->activation, act);
        block_init(&net->fixed[i], name, &net->space, &net->space.fixed[i].op,
                   &net->space.fixed[i].place, &style, &net->weight_layout,
                   &net->statistic_layout);
    }
    classifier_init(net);
    net->shared_end = net->weight_layout.floats;
}

static bool may_begin_with_cell(const struct space *s)
{
    bool cell = s->n_fixed && op_has_graph(&s->fixed[0].op);
    for (int o = 0; !s->n_fixed && o < s->n_ops; o++)
        cell |= op_has_graph(&s->op[o]);
    return cell;
}

static struct supernet *create(const struct space_config *config,
                               const struct path *only, uint64_t seed)
{
    struct supernet *net = memory_zeroed(1, sizeof(*net));
    space_init(&net->space, config);
    BUG_IF(only && only->n != net->space.n_layers);
    cost_table_init(&net->cost, &net->space);
    enum activation act = activation_from_name(config->activation);
    net->stem_act = activation_or(config->stem.activation, act);
    net->head_act = activation_or(config->head.activation, act);
    const struct space *s = &net->space;
    net->stem_stored =
        block_keeps_shape(s->n_fixed ? &s->fixed[0].place : &s->layer[0]) ||
        may_begin_with_cell(s);
    shared_init(net, config);
    blocks_init(net, config, only);
    size_t weights = net->weight_layout.floats,
           statistics = net->statistic_layout.floats;
    net->arena =
        arena_create((2 * weights + statistics) * sizeof(float) + (size_t)64 * 1024);
    net->weights = arena_floats(net->arena, weights);
    net->momentum = arena_floats(net->arena, weights);
    net->statistics = arena_floats(net->arena, statistics);
    layout_initialise(&net->weight_layout, seed, net->weights);
    layout_initialise(&net->statistic_layout, seed, net->statistics);
    memset(net->momentum, 0, weights * sizeof(float));
    return net;
}

struct supernet *supernet_create(const struct space_config *config, uint64_t seed)
{
    return create(config, NULL, seed);
}

struct supernet *supernet_create_path(const struct space_config *config,
                                      const struct path *path, uint64_t seed)
{
    return create(config, path, seed);
}

void supernet_free(struct supernet *net)
{
    if (!net)
        return;
    layout_release(&net->weight_layout);
    layout_release(&net->statistic_layout);
    arena_free(net->arena);
    for (int i = 0; i < net->space.n_fixed; i++)
        block_release(&net->fixed[i]);
    for (int i = 0; i < net->space.n_layers * net->space.n_ops; i++)
        block_release(&net->layer[i]);
    free(net->layer);
    free(net);
}

/* Paths. */

const struct block *supernet_block(const struct supernet *net, int layer, int op)
{
    return &net->layer[layer * net->space.n_ops + op];
}

static const struct block *path_block(const struct supernet *net,
                                      const struct path *path, int layer)
{
    const struct block *b = supernet_block(net, layer, path->op[layer]);
    BUG_IF(!block_is_built(b));
    return b;
}

struct net_values supernet_values(const struct supernet *net)
{
    return (struct net_values){net->weights, net->statistics};
}

void supernet_chain(const struct supernet *net, const struct path *path,
                    struct chain *chain)
{
    BUG_IF(path->n != net->space.n_layers);
    chain->n = 0;
    for (int i = 0; i < net->space.n_fixed; i++)
        chain->block[chain->n++] = &net->fixed[i];
    for (int l = 0; l < path->n; l++)
        chain->block[chain->n++] = path_block(net, path, l);
}

int supernet_path_ranges(const struct supernet *net, const struct path *path,
                         struct path_range *ranges, size_t *floats)
{
    int n = 0;
    ranges[n++] = (struct path_range){0, net->shared_end, 0};
    size_t at = net->shared_end;
    for (int l = 0; l < path->n; l++) {
        const struct block *b = path_block(net, path, l);
        ranges[n++] = (struct path_range){b->begin, b->end, at};
        at += b->end - b->begin;
    }
    if (floats)
        *floats = at;
    return n;
}

size_t supernet_gradient_floats(const struct supernet *net)
{
    size_t total = net->shared_end;
    for (int l = 0; l < net->space.n_layers; l++) {
        size_t most = 0;
        for (int o = 0; o < net->space.n_ops; o++) {
            const struct block *b = supernet_block(net, l, o);
            if (b->end - b->begin > most)
                most = b->end - b->begin;
        }
        total += most;
    }
    return total;
}

/* Files. */

static size_t largest_array(const struct layout *layout)
{
    size_t most = 0;
    for (int i = 0; i < layout->n; i++)
        if (layout_dense_floats(&layout->array[i]) > most)
            most = layout_dense_floats(&layout->array[i]);
    return most;
}

static void save_layout(const struct layout *layout, const float *values,
                        struct artifact *artifact, const char *group)
{
    float *dense = memory_zeroed(largest_array(layout), sizeof(float));
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        char name[2 * LAYOUT_NAME_SIZE];
        snprintf(name, sizeof(name), "%s/%s", group, a->name);
        layout_gather(a, values, dense);
        artifact_write(artifact, name, ARRAY_F32, a->rank, a->shape, dense, "1",
                       a->description);
    }
    free(dense);
}

static void load_layout(const struct layout *layout, float *values,
                        struct artifact *artifact, const char *group)
{
    float *dense = memory_zeroed(largest_array(layout), sizeof(float));
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        char name[2 * LAYOUT_NAME_SIZE];
        snprintf(name, sizeof(name), "%s/%s", group, a->name);
        artifact_read(artifact, name, ARRAY_F32, a->rank, a->shape, dense);
        layout_scatter(a, dense, values);
    }
    free(dense);
}

void supernet_save(const struct supernet *net, struct artifact *artifact,
                   bool with_momentum)
{
    save_layout(&net->weight_layout, net->weights, artifact, "weights");
    save_layout(&net->statistic_layout, net->statistics, artifact, "statistics");
    artifact_describe(artifact, "weights",
                      "trained weights: shared/..., then layerNN/OP/CONVOLUTION/ARRAY; "
                      "convolution weights are [out, in], depthwise [row, column, "
                      "channel], the stem's [out, row, column, in]");
    artifact_describe(artifact, "statistics",
                      "running mean and variance of every batch normalisation");
    if (with_momentum) {
        save_layout(&net->weight_layout, net->momentum, artifact, "momentum");
        artifact_describe(artifact, "momentum",
                          "the optimizer's momentum of every weight, same names");
    }
}

void supernet_load(struct supernet *net, struct artifact *artifact, bool with_momentum)
{
    load_layout(&net->weight_layout, net->weights, artifact, "weights");
    load_layout(&net->statistic_layout, net->statistics, artifact, "statistics");
    if (with_momentum)
        load_layout(&net->weight_layout, net->momentum, artifact, "momentum");
}

static void snapshot_group(int64_t step, const char *part, char name[64])
{
    snprintf(name, 64, "snapshots/%08lld/%s", (long long)step, part);
}

void supernet_save_snapshots(const struct supernet *net, struct artifact *artifact,
                             const struct snapshot *snapshot, int n)
{
    char group[64];
    int64_t *step = memory_zeroed((size_t)n + 1, sizeof(*step));
    for (int i = 0; i < n; i++) {
        step[i] = snapshot[i].step;
        snapshot_group(step[i], "weights", group);
        save_layout(&net->weight_layout, snapshot[i].weights, artifact, group);
        snapshot_group(step[i], "statistics", group);
        save_layout(&net->statistic_layout, snapshot[i].statistics, artifact, group);
    }
    artifact_write_vector(artifact, "snapshots/step", ARRAY_I64, (size_t)n, step,
                          "steps", "steps that had been done at each snapshot");
    artifact_describe(artifact, "snapshots",
                      "earlier weights and statistics of the same training, by step");
    free(step);
}

size_t supernet_snapshot_steps(struct artifact *artifact, int64_t **step)
{
    size_t shape[ARTIFACT_RANK_MAX] = {0};
    int rank = artifact_shape(artifact, "snapshots/step", shape);
    if (rank != 1)
        shape[0] = 0;
    *step = memory_zeroed(shape[0] + 1, sizeof(**step));
    if (shape[0])
        artifact_read(artifact, "snapshots/step", ARRAY_I64, 1, shape, *step);
    return shape[0];
}

void supernet_load_snapshot(struct supernet *net, struct artifact *artifact,
                            int64_t step)
{
    char group[64];
    snapshot_group(step, "weights", group);
    load_layout(&net->weight_layout, net->weights, artifact, group);
    snapshot_group(step, "statistics", group);
    load_layout(&net->statistic_layout, net->statistics, artifact, group);
}

void supernet_save_under(const struct supernet *net, struct artifact *artifact,
                         const char *group, const char *description)
{
    char *weights = memory_format("%s/weights", group);
    char *statistics = memory_format("%s/statistics", group);
    save_layout(&net->weight_layout, net->weights, artifact, weights);
    save_layout(&net->statistic_layout, net->statistics, artifact, statistics);
    artifact_describe(artifact, group, description);
    free(weights);
    free(statistics);
}

void supernet_load_under(struct supernet *net, struct artifact *artifact,
                         const char *group)
{
    char *weights = memory_format("%s/weights", group);
    char *statistics = memory_format("%s/statistics", group);
    load_layout(&net->weight_layout, net->weights, artifact, weights);
    load_layout(&net->statistic_layout, net->statistics, artifact, statistics);
    free(weights);
    free(statistics);
}

void supernet_save_state(const struct supernet *net, struct artifact *artifact)
{
    artifact_write_vector(artifact, "state/weights", ARRAY_F32,
                          net->weight_layout.floats, net->weights, "1",
                          "all weights as they lie in memory");
    artifact_write_vector(artifact, "state/momentum", ARRAY_F32,
                          net->weight_layout.floats, net->momentum, "1",
                          "all momenta as they lie in memory");
    artifact_write_vector(artifact, "state/statistics", ARRAY_F32,
                          net->statistic_layout.floats, net->statistics, "1",
                          "all running statistics as they lie in memory");
}

void supernet_load_state(struct supernet *net, struct artifact *artifact)
{
    size_t weights = net->weight_layout.floats,
           statistics = net->statistic_layout.floats;
    artifact_read(artifact, "state/weights", ARRAY_F32, 1, &weights, net->weights);
    artifact_read(artifact, "state/momentum", ARRAY_F32, 1, &weights, net->momentum);
    artifact_read(artifact, "state/statistics", ARRAY_F32, 1, &statistics,
                  net->statistics);
}
