#include "nas/rare.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/memory.h"

enum { STEPS = 4096, TRIES_MAX = 10000 };

/* One limit's costs in steps, and how many paths are within it. */
struct counted {
    /* Above the layer's cheapest op; more than STEPS: never. */
    int step[SPACE_LAYERS_MAX][SPACE_OPS_MAX];
    double *paths; /* [layers + 1][STEPS + 1]: of the layers from l on within s steps */
};

struct rare {
    const struct cost_table *cost;
    struct constraint_config limit;
    struct counted *counted;
    double share;
};

static double limit_of(const struct constraint_config *limit, enum cost_figure figure)
{
    switch (figure) {
    case COST_FLOPS:
        return limit->flops;
    case COST_PARAMS:
        return limit->params;
    default:
        return limit->latency_ms;
    }
}

static double cheapest_op(const struct cost_table *cost, int layer,
                          enum cost_figure figure)
{
    double least = cost_figure(&cost->op[layer][0], figure);
    for (int o = 1; o < cost->n_ops; o++)
        least = fmin(least, cost_figure(&cost->op[layer][o], figure));
    return least;
}

/* A cost above the cheapest in steps, rounded up. */
static int steps_of(double above, double slack)
{
    if (above <= 0)
        return 0;
    double steps = slack > 0 ? ceil(above * STEPS / slack) : STEPS + 1;
    return steps <= STEPS ? (int)steps : STEPS + 1;
}

static void count_paths(const struct cost_table *cost, struct counted *counted)
{
    double *after = counted->paths + (size_t)cost->n_layers * (STEPS + 1);
    for (int s = 0; s <= STEPS; s++)
        after[s] = 1;
    for (int l = cost->n_layers - 1; l >= 0; l--) {
        double *here = counted->paths + (size_t)l * (STEPS + 1);
        after = here + STEPS + 1;
        for (int o = 0; o < cost->n_ops; o++)
            for (int s = counted->step[l][o]; s <= STEPS; s++)
                here[s] += after[s - counted->step[l][o]];
    }
}

static void counted_free(struct counted *counted)
{
    if (counted)
        free(counted->paths);
    free(counted);
}

/* NULL if no path is within the limit. */
static struct counted *counted_create(const struct cost_table *cost,
                                      enum cost_figure figure, double limit)
{
    double slack = limit - cost_figure(&cost->shared, figure);
    for (int l = 0; l < cost->n_layers; l++)
        slack -= cheapest_op(cost, l, figure);
    if (slack < 0)
        return NULL;
    struct counted *counted = memory_zeroed(1, sizeof *counted);
    counted->paths = memory_zeroed(((size_t)cost->n_layers + 1) * (STEPS + 1),
                                   sizeof *counted->paths);
    for (int l = 0; l < cost->n_layers; l++) {
        double least = cheapest_op(cost, l, figure);
        for (int o = 0; o < cost->n_ops; o++)
            counted->step[l][o] =
                steps_of(cost_figure(&cost->op[l][o], figure) - least, slack);
    }
    count_paths(cost, counted);
    return counted;
}

struct rare *rare_create(const struct cost_table *cost,
                         const struct constraint_config *limit)
{
    struct rare rare = {.cost = cost, .limit = *limit};
    double all = pow(cost->n_ops, cost->n_layers);
    for (int f = 0; f < COST_FIGURES; f++) {
        double most = limit_of(limit, (enum cost_figure)f);
        if (most == 0.0)
            continue;
        struct counted *counted = counted_create(cost, (enum cost_figure)f, most);
        double share = counted ? counted->paths[STEPS] / all : 0;
        if (rare.counted && counted && share >= rare.share) {
            counted_free(counted);
            continue;
        }
        counted_free(rare.counted);
        rare.counted = counted;
        rare.share = share;
        if (!counted)
            return NULL;
    }
    if (!rare.counted)
        return NULL;
    struct rare *created = memory_zeroed(1, sizeof *created);
    *created = rare;
    return created;
}

void rare_free(struct rare *rare)
{
    if (rare)
        counted_free(rare->counted);
    free(rare);
}

double rare_share(const struct rare *rare)
{
    return rare->share;
}

/* Every choice in proportion to the paths that it leaves. */
static void draw_counted(const struct rare *f, struct rng *rng, struct path *path)
{
    const struct counted *counted = f->counted;
    int left = STEPS;
    *path = (struct path){.n = (uint8_t)f->cost->n_layers};
    for (int l = 0; l < path->n; l++) {
        const double *here = counted->paths + (size_t)l * (STEPS + 1);
        const double *after = here + STEPS + 1;
        double at = rng_uniform(rng) * here[left];
        int chosen = -1;
        for (int o = 0; o < f->cost->n_ops && (chosen < 0 || at >= 0); o++) {
            if (counted->step[l][o] > left)
                continue;
            chosen = o;
            at -= after[left - counted->step[l][o]];
        }
        BUG_IF(chosen < 0); /* the cheapest op takes no step */
        path->op[l] = (uint8_t)chosen;
        left -= counted->step[l][chosen];
    }
}

bool rare_draw(const struct rare *rare, struct rng *rng, struct path *path)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        draw_counted(rare, rng, path);
        struct cost cost = cost_of_path(rare->cost, path);
        if (cost_feasible(&cost, &rare->limit))
            return true;
    }
    return false;
}
