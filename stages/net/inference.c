#include "net/inference.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/threads.h"

struct inference {
    const struct supernet *net;
    struct workspace *workspace, *early; /* early: for EARLY images a thread */
    struct arena *numbers;               /* BN's of every convolution */
    struct chain chain;
    int batch;
    struct bn_pass stem, head, block[CHAIN_MAX][BLOCK_BNS];
    struct head_tensors result; /* of the last run */
};

/*
 * The tensors of the first blocks, whose images are large, are many times what a cache
 * holds. So a few images at a time go through all of these blocks, and what one block
 * writes the next one finds in a cache. Later blocks have large weights, which a whole
 * batch should share.
 */
enum { EARLY_PIXELS = 28 * 28, EARLY_IMAGES = 2 /* a thread */ };

/* --- BN's numbers ----------------------------------------------------------------- */

static size_t numbers_bytes(const struct supernet *net, const struct chain *chain)
{
    struct arena *plan = arena_create_planning();
    struct bn_pass bn;
    struct block_tensors tensors;
    bn_pass_take(net->stem.k, plan, &bn);
    for (int i = 0; i < chain->n; i++)
        block_take_bn(chain->block[i], plan, &tensors);
    if (net->space.head_channels)
        bn_pass_take(net->head.k, plan, &bn);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes;
}

static void numbers_take(struct inference *inference)
{
    const struct supernet *net = inference->net;
    size_t bytes = numbers_bytes(net, &inference->chain);
    if (inference->numbers && arena_capacity(inference->numbers) < bytes) {
        arena_free(inference->numbers);
        inference->numbers = NULL;
    }
    if (!inference->numbers)
        inference->numbers = arena_create(bytes);
    struct arena *arena = inference->numbers;
    arena_release(arena, 0);
    bn_pass_take(net->stem.k, arena, &inference->stem);
    for (int i = 0; i < inference->chain.n; i++) {
        struct block_tensors t = {0};
        block_take_bn(inference->chain.block[i], arena, &t);
        memcpy(inference->block[i], t.bn, sizeof t.bn);
    }
    if (net->space.head_channels)
        bn_pass_take(net->head.k, arena, &inference->head);
}

void inference_refresh(struct inference *inference)
{
    const struct supernet *net = inference->net;
    struct net_values values = supernet_values(net);
    conv_bn_running(&net->stem, &values, &inference->stem);
    for (int i = 0; i < inference->chain.n; i++)
        block_bn_running(inference->chain.block[i], &values, inference->block[i]);
    if (net->space.head_channels)
        conv_bn_running(&net->head, &values, &inference->head);
}

void inference_choose(struct inference *inference, const struct path *path)
{
    supernet_chain(inference->net, path, &inference->chain);
    numbers_take(inference);
    inference_refresh(inference);
}

static int early_images(const struct inference *inference)
{
    const int some = EARLY_IMAGES * threads_count();
    return some < inference->batch ? some : inference->batch;
}

struct inference *inference_create(const struct supernet *net, const struct path *path,
                                   int batch)
{
    BUG_IF(batch < 1);
    struct inference *inference = memory_zeroed(1, sizeof *inference);
    inference->net = net;
    inference->batch = batch;
    inference->workspace = workspace_create(net, 0, batch);
    inference->early = workspace_create(net, 0, early_images(inference));
    inference_choose(inference, path);
    return inference;
}

void inference_free(struct inference *inference)
{
    if (!inference)
        return;
    workspace_free(inference->workspace);
    workspace_free(inference->early);
    arena_free(inference->numbers);
    free(inference);
}

/* --- The parts -------------------------------------------------------------------- */

static struct source run_stem(struct inference *inference, int n, const float *images,
                              struct workspace *workspace)
{
    struct stem_tensors stem;
    stem_take(inference->net, n, workspace->tensors, &stem);
    stem.bn = inference->stem;
    return stem_pass(inference->net, n, images, BN_GIVEN, &stem, workspace->scratch);
}

/* The output goes to y, or stays in the arena (y NULL); the inner tensors do not. */
static struct source run_block(struct inference *inference, int i, int n,
                               const struct source *x, float *y,
                               struct workspace *workspace)
{
    const struct block *b = inference->chain.block[i];
    if (b->passes)
        return *x;
    struct arena *arena = workspace->tensors;
    struct net_values values = supernet_values(inference->net);
    struct block_tensors t = {.y = y};
    memcpy(t.bn, inference->block[i], sizeof t.bn);
    if (!y)
        block_take_output(b, n, arena, &t);
    size_t mark = arena_mark(arena);
    block_take_inner(b, n, arena, &t);
    block_forward(b, &values, n, x, BN_GIVEN, &t, workspace->scratch);
    arena_release(arena, mark);
    return (struct source){.z = t.y};
}

/* How many blocks are early ones; the last of them has an output of its own. */
static int early_blocks(const struct inference *inference)
{
    int early = 0;
    for (int i = 0; i < inference->chain.n; i++) {
        const struct block *b = inference->chain.block[i];
        if (b->place.h * b->place.w < EARLY_PIXELS)
            break;
        if (!b->passes)
            early = i + 1;
    }
    return early;
}

/* Adds the time since the last call, unless nobody asks. */
static void stop_watch(double *seconds, int part, double *last)
{
    if (!seconds)
        return;
    double now = clock_seconds();
    seconds[part] += now - *last;
    *last = now;
}

static void run_head(struct inference *inference, int n, const struct source *x,
                     const int *labels, double *seconds, double *last)
{
    struct head_tensors *head = &inference->result;
    head_take(inference->net, n, inference->workspace->tensors, head);
    if (inference->net->space.head_channels)
        head->bn = inference->head;
    head_convolve(inference->net, n, x, BN_GIVEN, head, inference->workspace->scratch);
    if (inference->net->space.head_channels)
        stop_watch(seconds, 1 + inference->chain.n, last);
    head_classify(inference->net, n, x, labels, 0, head);
    stop_watch(seconds, inference_parts(inference) - 1, last);
}

/* Stem and early blocks of n images, output to y. */
static void run_early(struct inference *inference, int early, int n,
                      const float *images, float *y, double *seconds, double *last)
{
    arena_release(inference->early->tensors, 0);
    struct source x = run_stem(inference, n, images, inference->early);
    stop_watch(seconds, 0, last);
    for (int i = 0; i < early; i++) {
        x = run_block(inference, i, n, &x, i == early - 1 ? y : NULL, inference->early);
        stop_watch(seconds, 1 + i, last);
    }
}

/* The same for a whole batch, some images at a time. */
static struct source run_all_early(struct inference *inference, int early, int n,
                                   const float *images, double *seconds, double *last)
{
    const struct space *space = &inference->net->space;
    const struct block_place *at = &inference->chain.block[early - 1]->place;
    const size_t image = (size_t)(space->h * space->w * space->c),
                 output = shape_floats((struct shape){1, at->p, at->q, at->k});
    float *y = arena_floats(inference->workspace->tensors, (size_t)n * output);
    const int some = early_images(inference);
    for (int first = 0; first < n; first += some)
        run_early(inference, early, n - first < some ? n - first : some,
                  images + (size_t)first * image, y + (size_t)first * output, seconds,
                  last);
    return (struct source){.z = y};
}

static const struct head_tensors *run(struct inference *inference, int n,
                                      const float *images, const int *labels,
                                      double *seconds)
{
    BUG_IF(n < 1 || n > inference->batch);
    arena_release(inference->workspace->tensors, 0); /* what the last run left */
    for (int i = 0; seconds && i < inference_parts(inference); i++)
        seconds[i] = 0;
    double last = seconds ? clock_seconds() : 0;
    const int early = early_blocks(inference);
    struct source x;
    if (early)
        x = run_all_early(inference, early, n, images, seconds, &last);
    else
        x = run_stem(inference, n, images, inference->workspace);
    stop_watch(seconds, 0, &last);
    for (int i = early; i < inference->chain.n; i++) {
        x = run_block(inference, i, n, &x, NULL, inference->workspace);
        stop_watch(seconds, 1 + i, &last);
    }
    run_head(inference, n, &x, labels, seconds, &last);
    return &inference->result;
}

const struct head_tensors *inference_run(struct inference *inference, int n,
                                         const float *images, const int *labels)
{
    return run(inference, n, images, labels, NULL);
}

int inference_parts(const struct inference *inference)
{
    return inference->chain.n + (inference->net->space.head_channels ? 3 : 2);
}

const struct head_tensors *inference_run_timed(struct inference *inference, int n,
                                               const float *images, double *seconds)
{
    return run(inference, n, images, NULL, seconds);
}
