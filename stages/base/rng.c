#include "base/rng.h"

#include "base/die.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

/*
 * The key of (seed, purpose) is P(seed) with `purpose` xor-ed into its second word,
 * where P is one block of Philox 2x32 under a fixed key: a bijection of 64 bits. So two
 * seeds never share the key of a purpose, two purposes never share the key of a seed,
 * and seeds as alike as 1 and 2 have nothing in common when the purposes differ as
 * well. The fixed key is the golden ratio's first 32 bits.
 */
static void make_key(uint64_t seed, enum rng_purpose purpose, uint32_t key[2])
{
    philox2x32_ctr_t halves = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox2x32_key_t fixed = {{0x9e3779b9u}};
    philox2x32_ctr_t mixed = philox2x32_R(10, halves, fixed);
    key[0] = mixed.v[0];
    key[1] = mixed.v[1] ^ (uint32_t)purpose;
}

struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint32_t epoch,
                      uint64_t index)
{
    struct rng rng = {
        .counter = {0, epoch, (uint32_t)index, (uint32_t)(index >> 32)},
    };
    make_key(seed, purpose, rng.key);
    return rng;
}

static void next_block(struct rng *rng)
{
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    memcpy(counter.v, rng->counter, sizeof counter.v);
    memcpy(key.v, rng->key, sizeof key.v);
    counter = philox4x32_R(10, counter, key);
    /* The block number stays at its last value, so the same block once more means that
     * the stream has ended: going on would repeat it, unnoticed. */
    BUG_IF(memcmp(rng->block, counter.v, sizeof counter.v) == 0);
    memcpy(rng->block, counter.v, sizeof counter.v);
    rng->left = 4;
    if (rng->counter[0] < UINT32_MAX)
        rng->counter[0]++;
}

uint32_t rng_u32(struct rng *rng)
{
    if (rng->left == 0)
        next_block(rng);
    return rng->block[4 - rng->left--];
}

/*
 * The upper word of a 32 x 32 bit product is nearly uniform in [0, bound): each value
 * has either floor or ceil of 2^32 / bound products. Refusing the first 2^32 mod bound
 * lower words leaves floor(2^32 / bound) for each. Lemire, "Fast random integer
 * generation in an interval", 2019.
 */
uint32_t rng_below(struct rng *rng, uint32_t bound)
{
    BUG_IF(bound == 0);
    uint32_t refused = -bound % bound;
    uint64_t product;
    do
        product = (uint64_t)rng_u32(rng) * bound;
    while ((uint32_t)product < refused);
    return (uint32_t)(product >> 32);
}

double rng_uniform(struct rng *rng)
{
    uint64_t high = rng_u32(rng) >> 5, low = rng_u32(rng) >> 6; /* 27 and 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2 * log(1 - rng_uniform(rng))); /* 1 - [0, 1) is never 0 */
    return radius * cos(2 * M_PI * rng_uniform(rng));
}

void rng_shuffle(struct rng *rng, int *items, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int other = (int)rng_below(rng, (uint32_t)i + 1);
        int item = items[i];
        items[i] = items[other];
        items[other] = item;
    }
}
