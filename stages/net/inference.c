#include "net/inference.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/die.h"

struct inference {
    const struct supernet *net;
    struct workspace *workspace;
    struct arena *numbers; /* BN's of every convolution */
    struct chain chain;
    int batch;
    struct bn_pass stem, head, block[CHAIN_MAX][3];
    struct head_tensors result; /* of the last run */
};

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
        inference->block[i][0] = t.bn1;
        inference->block[i][1] = t.bn2;
        inference->block[i][2] = t.bn3;
    }
    if (net->space.head_channels)
        bn_pass_take(net->head.k, arena, &inference->head);
}

static void apply_running(const struct supernet *net, const struct conv_bn *conv,
                          struct bn_pass *bn)
{
    batchnorm_from_statistics(
        conv->k, net->statistics + conv->mean, net->statistics + conv->variance,
        net->weights + conv->gamma, net->weights + conv->beta, &bn->bn);
}

void inference_refresh(struct inference *inference)
{
    const struct supernet *net = inference->net;
    apply_running(net, &net->stem, &inference->stem);
    for (int i = 0; i < inference->chain.n; i++) {
        const struct block *b = inference->chain.block[i];
        if (b->has_expand)
            apply_running(net, &b->expand, &inference->block[i][0]);
        if (b->op.kind == OP_MBCONV)
            apply_running(net, &b->depthwise, &inference->block[i][1]);
        if (!b->passes)
            apply_running(net, &b->project, &inference->block[i][2]);
    }
    if (net->space.head_channels)
        apply_running(net, &net->head, &inference->head);
}

void inference_choose(struct inference *inference, const struct path *path)
{
    supernet_chain(inference->net, path, &inference->chain);
    numbers_take(inference);
    inference_refresh(inference);
}

struct inference *inference_create(const struct supernet *net, const struct path *path,
                                   int batch)
{
    BUG_IF(batch < 1);
    struct inference *inference = memory_zeroed(1, sizeof *inference);
    inference->net = net;
    inference->batch = batch;
    inference->workspace = workspace_create(net, 0, batch);
    inference_choose(inference, path);
    return inference;
}

void inference_free(struct inference *inference)
{
    if (!inference)
        return;
    workspace_free(inference->workspace);
    arena_free(inference->numbers);
    free(inference);
}

/* --- The parts -------------------------------------------------------------------- */

static struct source run_stem(struct inference *inference, int n, const float *images)
{
    struct stem_tensors stem;
    stem_take(inference->net, n, inference->workspace->tensors, &stem);
    stem.bn = inference->stem;
    return stem_pass(inference->net, n, images, BN_GIVEN, &stem,
                     inference->workspace->scratch);
}

/* Its output stays in the arena, its inner tensors do not. */
static struct source run_block(struct inference *inference, int i, int n,
                               const struct source *x)
{
    const struct block *b = inference->chain.block[i];
    if (b->passes)
        return *x;
    struct arena *arena = inference->workspace->tensors;
    struct net_values values = supernet_values(inference->net);
    struct block_tensors t = {.bn1 = inference->block[i][0],
                              .bn2 = inference->block[i][1],
                              .bn3 = inference->block[i][2]};
    block_take_output(b, n, arena, &t);
    size_t mark = arena_mark(arena);
    block_take_inner(b, n, arena, &t);
    block_forward(b, &values, n, x, BN_GIVEN, &t, inference->workspace->scratch);
    arena_release(arena, mark);
    return (struct source){.z = t.y};
}

static void run_head(struct inference *inference, int n, const struct source *x,
                     const int *labels)
{
    struct head_tensors *head = &inference->result;
    head_take(inference->net, n, inference->workspace->tensors, head);
    if (inference->net->space.head_channels)
        head->bn = inference->head;
    head_pass(inference->net, n, x, labels, 0, BN_GIVEN, head,
              inference->workspace->scratch);
}

/* The time since the last call, unless nobody asks. */
static void stop_watch(double *seconds, int part, double *last)
{
    if (!seconds)
        return;
    double now = clock_seconds();
    seconds[part] = now - *last;
    *last = now;
}

static const struct head_tensors *run(struct inference *inference, int n,
                                      const float *images, const int *labels,
                                      double *seconds)
{
    BUG_IF(n < 1 || n > inference->batch);
    arena_release(inference->workspace->tensors, 0); /* what the last run left */
    double last = seconds ? clock_seconds() : 0;
    struct source x = run_stem(inference, n, images);
    stop_watch(seconds, 0, &last);
    for (int i = 0; i < inference->chain.n; i++) {
        x = run_block(inference, i, n, &x);
        stop_watch(seconds, 1 + i, &last);
    }
    run_head(inference, n, &x, labels);
    stop_watch(seconds, 1 + inference->chain.n, &last);
    return &inference->result;
}

const struct head_tensors *inference_run(struct inference *inference, int n,
                                         const float *images, const int *labels)
{
    return run(inference, n, images, labels, NULL);
}

int inference_parts(const struct inference *inference)
{
    return inference->chain.n + 2;
}

const struct head_tensors *inference_run_timed(struct inference *inference, int n,
                                               const float *images, double *seconds)
{
    return run(inference, n, images, NULL, seconds);
}
