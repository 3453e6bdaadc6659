/* feasible.c - see feasible.h. */
#include "nas/feasible.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"

enum {
    UNITS_MAX = 1 << 18, /* of the grid: 21 layers of 13 ops take a tenth of a second */
    DRAWS = 200000,
};

/* The costs of a layer's ops, above the layer's least. */
struct excess {
    int n_layers, n_ops;
    int64_t op[SPACE_LAYERS_MAX][SPACE_OPS_MAX];
    int64_t budget; /* what the limit leaves above the least of all paths */
    int64_t divisor;
    int64_t most; /* the most of any path */
};

static int64_t figure(const struct cost *cost, bool of_flops)
{
    return of_flops ? cost->flops : cost->params;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void excess_init(struct excess *e, const struct cost_table *table, bool of_flops,
                        double limit)
{
    *e = (struct excess){.n_layers = table->n_layers, .n_ops = table->n_ops};
    int64_t least_of_all = figure(&table->shared, of_flops);
    for (int l = 0; l < e->n_layers; l++) {
        int64_t least = INT64_MAX, most = 0;
        for (int o = 0; o < e->n_ops; o++) {
            int64_t value = figure(&table->op[l][o], of_flops);
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        for (int o = 0; o < e->n_ops; o++) {
            e->op[l][o] = figure(&table->op[l][o], of_flops) - least;
            e->divisor = common_divisor(e->divisor, e->op[l][o]);
        }
        least_of_all += least;
        e->most += most - least;
    }
    double budget = floor(limit) - (double)least_of_all;
    e->budget = budget < 0 ? -1 : budget > (double)e->most ? e->most : (int64_t)budget;
    if (!e->divisor)
        e->divisor = 1; /* every path costs the same */
}

/* The share of paths whose sum is at most `budget`, all in units of `unit`; a cost that
 * is no whole number of units counts as the next one below or above. */
static double share_in_units(const struct excess *e, int64_t unit, bool up)
{
    if (e->budget < 0)
        return 0;
    size_t n = (size_t)(e->budget / unit) + 1, reached = 1;
    double *share = memory_zeroed(n, sizeof *share);
    double *next = memory_zeroed(n, sizeof *next);
    share[0] = 1;
    for (int l = 0; l < e->n_layers; l++) {
        size_t furthest = 0;
        for (size_t i = 0; i < n; i++)
            next[i] = 0;
        for (int o = 0; o < e->n_ops; o++) {
            size_t shift = (size_t)((e->op[l][o] + (up ? unit - 1 : 0)) / unit);
            size_t end = shift >= n ? 0 : reached < n - shift ? reached : n - shift;
            for (size_t i = 0; i < end; i++)
                next[i + shift] += share[i] / e->n_ops;
            furthest = end + shift > furthest && end ? end + shift : furthest;
        }
        reached = furthest;
        double *swap = share;
        share = next;
        next = swap;
    }
    double sum = 0;
    for (size_t i = 0; i < reached; i++)
        sum += share[i];
    free(share);
    free(next);
    return sum;
}

static struct feasible_share count(const struct cost_table *table, bool of_flops,
                                   double limit)
{
    struct excess *e = memory_zeroed(1, sizeof *e);
    struct feasible_share share = {.method = FEASIBLE_COUNTED};
    excess_init(e, table, of_flops, limit);
    if (e->budget == e->most) {
        share.low = share.high = 1;
    } else if (e->budget / e->divisor < UNITS_MAX) {
        share.low = share.high = share_in_units(e, e->divisor, false);
    } else {
        int64_t unit = e->budget / UNITS_MAX + 1;
        share.method = FEASIBLE_ENCLOSED;
        share.low = share_in_units(e, unit, true);
        share.high = share_in_units(e, unit, false);
    }
    free(e);
    return share;
}

/* Wilson's interval, which holds for shares near 0 and 1 too. */
static struct feasible_share sample(const struct cost_table *table,
                                    const struct constraint_config *limit,
                                    uint64_t seed)
{
    struct rng rng = rng_stream(seed, RNG_ESTIMATE, 0, 0);
    double hits = 0, n = DRAWS, z = 1.96;
    for (int i = 0; i < DRAWS; i++) {
        struct path path = {.n = (uint8_t)table->n_layers};
        for (int l = 0; l < table->n_layers; l++)
            path.op[l] = (uint8_t)rng_below(&rng, (uint32_t)table->n_ops);
        struct cost cost = cost_of_path(table, &path);
        hits += cost_feasible(&cost, limit);
    }
    double p = hits / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (struct feasible_share){.low = fmax(0, middle - half),
                                   .high = fmin(1, middle + half),
                                   .method = FEASIBLE_SAMPLED,
                                   .draws = DRAWS};
}

struct feasible_share feasible_share(const struct cost_table *table,
                                     const struct constraint_config *limit,
                                     uint64_t seed)
{
    bool flops = limit->flops != 0.0, params = limit->params != 0.0;
    if (limit->latency_ms != 0.0 || (flops && params))
        return sample(table, limit, seed);
    if (flops || params)
        return count(table, flops, flops ? limit->flops : limit->params);
    return (struct feasible_share){.low = 1, .high = 1, .method = FEASIBLE_COUNTED};
}
