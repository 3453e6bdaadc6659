#include "nas/sampler.h"

#include "base/die.h"
#include "nas/rare.h"

enum {
    REJECTIONS_MAX = 100000,
    ATTEMPTS_FOR_A_PLACE = 1000,
    ATTEMPTS_BY_EPSILON = 500, /* then the pool seems to have no other path */
};

void sampler_init(struct sampler *sampler, const struct space *space,
                  const struct cost_table *cost,
                  const struct constraint_config *constraint)
{
    *sampler = (struct sampler){
        .space = space,
        .cost = cost,
        .constraint = *constraint,
    };
}

static bool feasible(const struct sampler *sampler, const struct path *path)
{
    struct cost cost = cost_of_path(sampler->cost, path);
    return cost_feasible(&cost, &sampler->constraint);
}

static _Noreturn void die_of_rejections(const struct sampler *sampler)
{
    struct cost least, most;
    cost_range(sampler->cost, &least, &most);
    die("none of %d paths drawn in a row respects the constraint (flops %.0f, params "
        "%.0f; 0 is no limit), expected at least one: paths of this space have %lld to "
        "%lld FLOPs and %lld to %lld parameters",
        REJECTIONS_MAX, sampler->constraint.flops, sampler->constraint.params,
        (long long)least.flops, (long long)most.flops, (long long)least.params,
        (long long)most.params);
}

/* The counts take milliseconds, less than the rejections before: nothing is kept. */
static bool draw_by_counting(const struct sampler *sampler, struct rng *rng,
                             struct path *path)
{
    struct rare *counts = rare_create(sampler->cost, &sampler->constraint);
    bool found = counts && rare_draw(counts, rng, path);
    rare_free(counts);
    return found;
}

void sampler_uniform(struct sampler *sampler, struct rng *rng, struct path *path)
{
    const struct space *space = sampler->space;
    for (int rejections = 0; rejections < REJECTIONS_MAX; rejections++) {
        *path = (struct path){.n = (uint8_t)space->n_layers};
        for (int l = 0; l < space->n_layers; l++)
            path->op[l] = (uint8_t)rng_below(rng, (uint32_t)space->n_ops);
        if (feasible(sampler, path))
            return;
        sampler->rejected++;
    }
    if (!draw_by_counting(sampler, rng, path))
        die_of_rejections(sampler);
}

void sampler_fair(const struct space *space, struct rng *rng, struct path *path)
{
    int order[SPACE_OPS_MAX];
    for (int p = 0; p < space->n_ops; p++)
        path[p] = (struct path){.n = (uint8_t)space->n_layers};
    for (int l = 0; l < space->n_layers; l++) {
        for (int o = 0; o < space->n_ops; o++)
            order[o] = o;
        rng_shuffle(rng, order, space->n_ops);
        for (int p = 0; p < space->n_ops; p++)
            path[p].op[l] = (uint8_t)order[p];
    }
}

/* Eq. 8. Returns whether the path is from the pool. */
static bool draw_mixture(struct sampler *sampler, struct rng *rng,
                         const struct pool *pool, double epsilon, struct path *path)
{
    int size = pool == NULL ? 0 : pool_size(pool);
    if (size == 0 || rng_uniform(rng) >= epsilon) {
        sampler_uniform(sampler, rng, path);
        return false;
    }
    *path = *pool_at(pool, (int)rng_below(rng, (uint32_t)size), NULL);
    if (!feasible(sampler, path))
        BUG("a path of the pool violates the constraint that all paths are drawn "
            "under");
    return true;
}

static bool is_among(const struct path *path, const struct path *list, int n)
{
    for (int i = 0; i < n; i++)
        if (path_equal(path, &list[i]))
            return true;
    return false;
}

void sampler_mixture(struct sampler *sampler, struct rng *rng, const struct pool *pool,
                     double epsilon, int n, struct path *path, bool *from_pool)
{
    for (int i = 0; i < n; i++) {
        bool pooled;
        int attempts = 0;
        do
            pooled =
                draw_mixture(sampler, rng, pool,
                             attempts < ATTEMPTS_BY_EPSILON ? epsilon : 0, &path[i]);
        while (is_among(&path[i], path, i) && ++attempts < ATTEMPTS_FOR_A_PLACE);
        if (from_pool != NULL)
            from_pool[i] = pooled;
    }
}
