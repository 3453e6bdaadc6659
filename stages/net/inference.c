#include "net/inference.h"

#include <stdlib.h>

#include "base/die.h"

struct inference {
    const struct supernet *net;
    struct workspace *workspace;
    struct arena *numbers; /* BN's of every convolution */
    struct chain chain;
    int batch;
    struct bn_pass stem, head, (*block)[3];
    /* The tensors of the last run; blocks share their inner ones. */
    struct stem_tensors stem_tensors;
    struct block_tensors *tensors;
    struct head_tensors result;
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
    struct arena *arena = inference->numbers;
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

struct inference *inference_create(const struct supernet *net, const struct path *path,
                                   int batch)
{
    BUG_IF(batch < 1);
    struct inference *inference = memory_zeroed(1, sizeof *inference);
    inference->net = net;
    inference->batch = batch;
    supernet_chain(net, path, &inference->chain);
    size_t n = (size_t)inference->chain.n + 1;
    inference->block = memory_zeroed(n, sizeof *inference->block);
    inference->tensors = memory_zeroed(n, sizeof *inference->tensors);
    inference->workspace = workspace_create(net, 0, batch);
    inference->numbers = arena_create(numbers_bytes(net, &inference->chain));
    numbers_take(inference);
    inference_refresh(inference);
    return inference;
}

void inference_free(struct inference *inference)
{
    if (!inference)
        return;
    workspace_free(inference->workspace);
    arena_free(inference->numbers);
    free(inference->block);
    free(inference->tensors);
    free(inference);
}

/* --- The parts -------------------------------------------------------------------- */

static struct source run_stem(struct inference *inference, int n, const float *images)
{
    struct stem_tensors *stem = &inference->stem_tensors;
    stem_take(inference->net, n, inference->workspace->tensors, stem);
    stem->bn = inference->stem;
    return stem_pass(inference->net, n, images, BN_GIVEN, stem,
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
    struct block_tensors *t = &inference->tensors[i];
    struct net_values values = supernet_values(inference->net);
    *t = (struct block_tensors){.bn1 = inference->block[i][0],
                                .bn2 = inference->block[i][1],
                                .bn3 = inference->block[i][2]};
    block_take_output(b, n, arena, t);
    size_t mark = arena_mark(arena);
    block_take_inner(b, n, arena, t);
    block_forward(b, &values, n, x, BN_GIVEN, t, inference->workspace->scratch);
    arena_release(arena, mark);
    return (struct source){.z = t->y};
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

/* What the last run left is free again. */
static void begin(struct inference *inference, int n)
{
    BUG_IF(n < 1 || n > inference->batch);
    arena_release(inference->workspace->tensors, 0);
}

const struct head_tensors *inference_run(struct inference *inference, int n,
                                         const float *images, const int *labels)
{
    begin(inference, n);
    struct source x = run_stem(inference, n, images);
    for (int i = 0; i < inference->chain.n; i++)
        x = run_block(inference, i, n, &x);
    run_head(inference, n, &x, labels);
    return &inference->result;
}

int inference_blocks(const struct inference *inference)
{
    return inference->chain.n;
}

/* An input of that shape, whatever is in it. */
static struct source any_input(struct inference *inference, int n, int h, int w, int c)
{
    struct shape shape = {n, h, w, c};
    return (struct source){
        .z = arena_floats(inference->workspace->tensors, shape_floats(shape))};
}

void inference_run_stem(struct inference *inference, int n, const float *images)
{
    begin(inference, n);
    run_stem(inference, n, images);
}

void inference_run_block(struct inference *inference, int block, int n)
{
    BUG_IF(block < 0 || block >= inference->chain.n);
    const struct block_place *at = &inference->chain.block[block]->place;
    begin(inference, n);
    struct source x = any_input(inference, n, at->h, at->w, at->c);
    run_block(inference, block, n, &x);
}

void inference_run_head(struct inference *inference, int n)
{
    const struct space *space = &inference->net->space;
    begin(inference, n);
    struct source x =
        any_input(inference, n, space->head_h, space->head_w, space->head_c);
    run_head(inference, n, &x, NULL);
}
