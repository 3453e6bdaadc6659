#include "nas/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "nas/graph.h"

static struct cost cost_sum(struct cost a, struct cost b)
{
    return (struct cost){a.flops + b.flops, a.params + b.params,
                         a.latency_ms + b.latency_ms};
}

/* A convolution without bias and its BN: every output channel sees `fan_in` channels.
 */
static struct cost conv_bn(int64_t pixels, int64_t fan_in, int64_t kernel, int64_t k)
{
    int64_t weights = fan_in * kernel * kernel * k;
    return (struct cost){.flops = pixels * weights, .params = weights + 2 * k};
}

static struct cost linear(int64_t c, int64_t k, bool bias)
{
    return (struct cost){.flops = c * k, .params = c * k + (bias ? k : 0)};
}

static struct cost cost_of_mbconv(const struct space *space, const struct op *op,
                                  const struct block_place *place)
{
    int64_t before = (int64_t)place->h * place->w, after = (int64_t)place->p * place->q;
    int expanded = op_expanded_channels(op, place->c);
    struct cost cost = {0};
    if (op->expansion > 1)
        cost = cost_sum(cost, conv_bn(before, place->c, 1, expanded));
    cost = cost_sum(cost, conv_bn(after, 1, op->kernel, expanded));
    if (op->squeeze_excite) {
        int squeezed = space_se_channels(space, op, place->c);
        cost = cost_sum(cost, linear(expanded, squeezed, true));
        cost = cost_sum(cost, linear(squeezed, expanded, true));
    }
    return cost_sum(cost, conv_bn(after, expanded, 1, place->k));
}

static struct cost cost_of_graph(const struct op *op, const struct block_place *place)
{
    struct graph graph;
    struct cost cost = {0};
    graph_init(&graph, op, place);
    for (int i = 1; i < graph.n; i++) {
        const struct node *node = &graph.node[i];
        int64_t pixels = (int64_t)node->h * node->w;
        int fan_in = graph.node[node->input[0].node].c;
        if (node->kind == NODE_POINTWISE)
            cost = cost_sum(cost, conv_bn(pixels, fan_in, 1, node->c));
        else if (node->kind == NODE_DEPTHWISE)
            cost = cost_sum(cost, conv_bn(pixels, 1, node->kernel, node->c));
    }
    return cost;
}

struct cost cost_of_block(const struct space *space, const struct op *op,
                          const struct block_place *place)
{
    switch (op->kind) {
    case OP_IDENTITY:
        if (block_keeps_shape(place))
            return (struct cost){0};
        return conv_bn((int64_t)place->p * place->q, place->c, 1, place->k);
    case OP_MBCONV:
        return cost_of_mbconv(space, op, place);
    case OP_SHUFFLE:
    case OP_XCEPTION:
        return cost_of_graph(op, place);
    }
    BUG("op kind %d", (int)op->kind);
}

static struct cost cost_of_shared(const struct space *space)
{
    const struct block_place *stem = &space->stem;
    struct cost cost =
        conv_bn((int64_t)stem->p * stem->q, stem->c, space->stem_kernel, stem->k);
    for (int i = 0; i < space->n_fixed; i++) {
        const struct fixed_block *fixed = &space->fixed[i];
        cost = cost_sum(cost, cost_of_block(space, &fixed->op, &fixed->place));
    }
    int64_t pixels = (int64_t)space->head_h * space->head_w;
    int pooled = space->head_c;
    if (space->head_channels) {
        pooled = space->head_channels;
        cost = cost_sum(cost, conv_bn(pixels, space->head_c, 1, pooled));
    }
    return cost_sum(cost, linear(pooled, space->classes, space->classifier_bias));
}

const char *const cost_figure_names[COST_FIGURES] = {
    [COST_FLOPS] = "flops", [COST_PARAMS] = "params", [COST_LATENCY] = "latency_ms"};

enum cost_figure cost_figure_find(const char *name)
{
    enum cost_figure figure = 0;
    while (figure < COST_FIGURES && strcmp(name, cost_figure_names[figure]) != 0)
        figure++;
    return figure;
}

double cost_figure(const struct cost *cost, enum cost_figure figure)
{
    switch (figure) {
    case COST_FLOPS:
        return (double)cost->flops;
    case COST_PARAMS:
        return (double)cost->params;
    default:
        return cost->latency_ms;
    }
}

void cost_table_init(struct cost_table *table, const struct space *space)
{
    *table = (struct cost_table){
        .n_layers = space->n_layers,
        .n_ops = space->n_ops,
        .shared = cost_of_shared(space),
    };
    for (int l = 0; l < space->n_layers; l++)
        for (int o = 0; o < space->n_ops; o++)
            table->op[l][o] = cost_of_block(space, &space->op[o], &space->layer[l]);
}

struct cost cost_of_path(const struct cost_table *table, const struct path *path)
{
    BUG_IF(path->n != table->n_layers);
    struct cost cost = table->shared;
    for (int l = 0; l < path->n; l++)
        cost = cost_sum(cost, table->op[l][path->op[l]]);
    return cost;
}

static void widen(int64_t value, int64_t *least, int64_t *most)
{
    if (value < *least)
        *least = value;
    if (value > *most)
        *most = value;
}

void cost_range(const struct cost_table *table, struct cost *least, struct cost *most)
{
    *least = *most = table->shared;
    for (int l = 0; l < table->n_layers; l++) {
        struct cost low = table->op[l][0], high = low;
        for (int o = 1; o < table->n_ops; o++) {
            widen(table->op[l][o].flops, &low.flops, &high.flops);
            widen(table->op[l][o].params, &low.params, &high.params);
            low.latency_ms = fmin(low.latency_ms, table->op[l][o].latency_ms);
            high.latency_ms = fmax(high.latency_ms, table->op[l][o].latency_ms);
        }
        *least = cost_sum(*least, low);
        *most = cost_sum(*most, high);
    }
}

void cost_extreme_path(const struct cost_table *table, bool most, struct path *path)
{
    *path = (struct path){.n = (uint8_t)table->n_layers};
    for (int l = 0; l < table->n_layers; l++)
        for (int o = 1; o < table->n_ops; o++) {
            int64_t now = table->op[l][path->op[l]].flops,
                    other = table->op[l][o].flops;
            if (most ? other > now : other < now)
                path->op[l] = (uint8_t)o;
        }
}

int64_t cost_supernet_params(const struct cost_table *table)
{
    int64_t params = table->shared.params;
    for (int l = 0; l < table->n_layers; l++)
        for (int o = 0; o < table->n_ops; o++)
            params += table->op[l][o].params;
    return params;
}

/* No limit is written as 0. */
static bool within(double value, double limit)
{
    return limit == 0.0 || value <= limit;
}

bool cost_feasible(const struct cost *cost, const struct constraint_config *limit)
{
    return within((double)cost->flops, limit->flops) &&
           within((double)cost->params, limit->params) &&
           within(cost->latency_ms, limit->latency_ms);
}

/* How much of its limits a cost takes, each limit with its weight. */
static double weighted(const struct cost *cost, const struct constraint_config *weight)
{
    return (double)cost->flops * weight->flops + (double)cost->params * weight->params +
           cost->latency_ms * weight->latency_ms;
}

/* The path with the least weighted cost. */
static struct cost cheapest(const struct cost_table *table,
                            const struct constraint_config *weight)
{
    struct cost total = table->shared;
    for (int l = 0; l < table->n_layers; l++) {
        const struct cost *best = &table->op[l][0];
        for (int o = 1; o < table->n_ops; o++)
            if (weighted(&table->op[l][o], weight) < weighted(best, weight))
                best = &table->op[l][o];
        total = cost_sum(total, *best);
    }
    return total;
}

static double share_of_limit(double share, double limit)
{
    return limit == 0.0 ? 0 : share / limit;
}

/*
 * Each limit can be met; can all at once? A path within all has a weighted sum of at
 * most 1 whatever the weights, so a weighting whose cheapest path exceeds 1 is a proof
 * that there is none. A cheapest path within all is a proof of the opposite. Between
 * the two (rare: it takes ops that trade FLOPs for parameters) the answer is "maybe".
 */
static bool limits_exclude_each_other(const struct cost_table *table,
                                      const struct constraint_config *limit)
{
    enum { PARTS = 32 }; /* the weights are multiples of 1 / PARTS, and sum to 1 */
    bool excluded = false;
    for (int i = 0; i <= PARTS; i++)
        for (int j = 0; i + j <= PARTS; j++) {
            const struct constraint_config weight = {
                share_of_limit((double)i / PARTS, limit->flops),
                share_of_limit((double)j / PARTS, limit->params),
                share_of_limit((double)(PARTS - i - j) / PARTS, limit->latency_ms)};
            struct cost cost = cheapest(table, &weight);
            if (cost_feasible(&cost, limit))
                return false;
            excluded = excluded || weighted(&cost, &weight) > 1 + 1e-9;
        }
    return excluded;
}

static char *excluded_message(const struct cost *least,
                              const struct constraint_config *limit)
{
    char flops[64] = "", params[64] = "", latency[64] = "";
    if (limit->flops != 0.0)
        snprintf(flops, sizeof flops, ", %.0f FLOPs (least: %lld)", limit->flops,
                 (long long)least->flops);
    if (limit->params != 0.0)
        snprintf(params, sizeof params, ", %.0f parameters (least: %lld)",
                 limit->params, (long long)least->params);
    if (limit->latency_ms != 0.0)
        snprintf(latency, sizeof latency, ", %g ms (least: %g)", limit->latency_ms,
                 least->latency_ms);
    return memory_format("no path keeps to all limits at once, though each can be kept "
                         "to by itself%s%s%s",
                         flops, params, latency);
}

char *cost_infeasible(const struct cost_table *table,
                      const struct constraint_config *limit)
{
    struct cost least, most;
    int limits =
        (limit->flops != 0.0) + (limit->params != 0.0) + (limit->latency_ms != 0.0);
    cost_range(table, &least, &most);
    if (!within((double)least.flops, limit->flops))
        return memory_format("no path has at most %.0f FLOPs: paths of this space have "
                             "%lld to %lld",
                             limit->flops, (long long)least.flops,
                             (long long)most.flops);
    if (!within((double)least.params, limit->params))
        return memory_format("no path has at most %.0f parameters: paths of this space "
                             "have %lld to %lld",
                             limit->params, (long long)least.params,
                             (long long)most.params);
    if (!within(least.latency_ms, limit->latency_ms))
        return memory_format("no path takes at most %g ms: paths of this space take %g "
                             "to %g",
                             limit->latency_ms, least.latency_ms, most.latency_ms);
    if (limits > 1 && limits_exclude_each_other(table, limit))
        return excluded_message(&least, limit);
    return NULL;
}

const char *cost_limit_name(const struct constraint_config *limit)
{
    enum cost_figure first = limit->flops != 0.0    ? COST_FLOPS
                             : limit->params != 0.0 ? COST_PARAMS
                                                    : COST_LATENCY;
    return cost_figure_names[first];
}

void cost_check(const struct cost_table *table, const struct constraint_config *limit,
                const char *file, const char *setting)
{
    char *problem = cost_infeasible(table, limit);
    if (problem)
        die_asked_wrong("%s: %s: %s", file, setting, problem);
}

void constraint_check(const struct space_config *config,
                      const struct constraint_config *limit, const char *file,
                      const char *setting)
{
    struct space *space = memory_zeroed(1, sizeof *space);
    struct cost_table *cost = memory_zeroed(1, sizeof *cost);
    space_init(space, config);
    cost_table_init(cost, space);
    cost_check(cost, limit, file, setting);
    free(cost);
    free(space);
}
