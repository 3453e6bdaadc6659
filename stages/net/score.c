/* score.c - see score.h. */
#include "net/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "tensor/classifier.h"

struct scorer {
    const struct supernet *net;
    struct workspace *workspace;
    const struct dataset *dataset;
    int batch, capacity;
    float *images;
    int *labels;
    struct score_counters counters;
    bool (*stop)(void); /* NULL: never */
};

struct scorer *scorer_create(const struct supernet *net, struct workspace *workspace,
                             const struct dataset *dataset, int batch, int capacity)
{
    BUG_IF(batch < 1 || batch > capacity);
    struct scorer *s = memory_zeroed(1, sizeof(*s));
    *s = (struct scorer){.net = net,
                         .workspace = workspace,
                         .dataset = dataset,
                         .batch = batch,
                         .capacity = capacity};
    size_t image = (size_t)net->space.h * (size_t)net->space.w * (size_t)net->space.c;
    s->images = memory_zeroed((size_t)capacity * image, sizeof(float));
    s->labels = memory_zeroed((size_t)capacity, sizeof(int));
    return s;
}

void scorer_free(struct scorer *scorer)
{
    if (!scorer)
        return;
    free(scorer->images);
    free(scorer->labels);
    free(scorer);
}

const struct dataset *scorer_dataset(const struct scorer *scorer)
{
    return scorer->dataset;
}

void scorer_set_stop(struct scorer *scorer, bool (*stop)(void))
{
    scorer->stop = stop;
}

int score_group_size(int64_t images)
{
    int64_t n = 100000 / images;
    return n < 4 ? 4 : n > 64 ? 64 : (int)n;
}

struct score_counters scorer_counters(const struct scorer *scorer)
{
    return scorer->counters;
}

void scorer_set_counters(struct scorer *scorer, const struct score_counters *counters)
{
    scorer->counters = *counters;
}

/*
 * The paths as a tree. order: the paths sorted; shared[i]: how many leading layers path
 * order[i] has in common with the one before. A node is a (path, depth) that is
 * computed; node[i * n_layers + l] numbers the node that path order[i] passes at layer
 * l.
 */
struct tree {
    int n, n_layers, n_nodes;
    const struct path *path;
    int *order, *shared, *node;
};

static int compare_places(const void *a, const void *b, void *context)
{
    const struct path *path = context;
    int i = *(const int *)a, j = *(const int *)b;
    int order = path_compare(&path[i], &path[j]);
    return order ? order : (i > j) - (i < j);
}

static int common_prefix(const struct path *a, const struct path *b)
{
    int l = 0;
    while (l < a->n && a->op[l] == b->op[l])
        l++;
    return l;
}

static void tree_init(struct tree *tree, const struct path *path, int n)
{
    *tree = (struct tree){.n = n, .n_layers = path[0].n, .path = path};
    tree->order = memory_zeroed((size_t)n, sizeof(int));
    tree->shared = memory_zeroed((size_t)n, sizeof(int));
    tree->node = memory_zeroed((size_t)n * (size_t)tree->n_layers + 1, sizeof(int));
    for (int i = 0; i < n; i++)
        tree->order[i] = i;
    qsort_r(tree->order, (size_t)n, sizeof(int), compare_places, (void *)path);
    for (int i = 0; i < n; i++) {
        if (i > 0)
            tree->shared[i] =
                common_prefix(&path[tree->order[i - 1]], &path[tree->order[i]]);
        int *node = tree->node + i * tree->n_layers;
        for (int l = 0; l < tree->n_layers; l++)
            node[l] = l < tree->shared[i] ? node[l - tree->n_layers] : tree->n_nodes++;
    }
}

static void tree_release(struct tree *tree)
{
    free(tree->order);
    free(tree->shared);
    free(tree->node);
}

/*
 * BN statistics of every node of a tree, averaged over calibration batches: first the
 * sums of mean and variance, then (given_finish) the numbers to apply. One run of
 * floats per node; stem and fixed blocks are the node -1 - i, head statistics belong to
 * a path.
 */
struct given {
    struct bn_pass stem, fixed[SPACE_LAYERS_MAX][BLOCK_BNS];
    struct bn_pass (*node)[BLOCK_BNS]; /* [n_nodes] */
    struct bn_pass *head;              /* [n] by position in the order */
    struct arena *arena;
};

static size_t bn_floats(int c)
{
    return 5 * channels_padded(c) + 4096;
}

static size_t block_bn_floats(const struct block *b)
{
    int channels[BLOCK_BNS];
    size_t floats = 0;
    block_bn_channels(b, channels);
    for (int i = 0; i < BLOCK_BNS; i++)
        floats += channels[i] ? bn_floats(channels[i]) : 0;
    return floats;
}

static void take_zeroed(int c, struct arena *arena, struct bn_pass *bn)
{
    bn_pass_take(c, arena, bn);
    size_t bytes = channels_padded(c) * sizeof(float);
    memset(bn->bn.mean, 0, bytes);
    memset(bn->variance, 0, bytes);
}

static void take_block(const struct block *b, struct arena *arena,
                       struct bn_pass bn[BLOCK_BNS])
{
    int channels[BLOCK_BNS];
    block_bn_channels(b, channels);
    for (int i = 0; i < BLOCK_BNS; i++)
        if (channels[i])
            take_zeroed(channels[i], arena, &bn[i]);
}

static const struct block *node_block(const struct supernet *net,
                                      const struct tree *tree, int i, int l)
{
    return supernet_block(net, l, tree->path[tree->order[i]].op[l]);
}

static size_t given_floats(const struct supernet *net, const struct tree *tree)
{
    size_t floats = bn_floats(net->stem.k);
    for (int i = 0; i < net->space.n_fixed; i++)
        floats += block_bn_floats(&net->fixed[i]);
    for (int i = 0; i < tree->n; i++) {
        for (int l = tree->shared[i]; l < tree->n_layers; l++)
            floats += block_bn_floats(node_block(net, tree, i, l));
        if (net->space.head_channels)
            floats += bn_floats(net->head.k);
    }
    return floats;
}

static void given_init(struct given *given, const struct supernet *net,
                       const struct tree *tree)
{
    memset(given, 0, sizeof(*given));
    given->arena = arena_create(given_floats(net, tree) * sizeof(float) + 65536);
    given->node = memory_zeroed((size_t)tree->n_nodes + 1, sizeof(given->node[0]));
    given->head = memory_zeroed((size_t)tree->n, sizeof(given->head[0]));
    take_zeroed(net->stem.k, given->arena, &given->stem);
    for (int i = 0; i < net->space.n_fixed; i++)
        take_block(&net->fixed[i], given->arena, given->fixed[i]);
    for (int i = 0; i < tree->n; i++) {
        for (int l = tree->shared[i]; l < tree->n_layers; l++)
            take_block(node_block(net, tree, i, l), given->arena,
                       given->node[tree->node[i * tree->n_layers + l]]);
        if (net->space.head_channels)
            take_zeroed(net->head.k, given->arena, &given->head[i]);
    }
}

static void given_release(struct given *given)
{
    arena_free(given->arena);
    free(given->node);
    free(given->head);
}

static void add_share(int c, double share, const struct bn_pass *batch,
                      struct bn_pass *mean)
{
    for (int i = 0; i < c; i++) {
        mean->bn.mean[i] += (float)(share * (double)batch->bn.mean[i]);
        mean->variance[i] += (float)(share * (double)batch->variance[i]);
    }
}

static void given_finish(struct given *given, const struct supernet *net,
                         const struct tree *tree)
{
    struct net_values values = supernet_values(net);
    conv_bn_given(&net->stem, &values, &given->stem);
    for (int i = 0; i < net->space.n_fixed; i++)
        block_bn_given(&net->fixed[i], &values, given->fixed[i]);
    for (int i = 0; i < tree->n; i++) {
        for (int l = tree->shared[i]; l < tree->n_layers; l++)
            block_bn_given(node_block(net, tree, i, l), &values,
                           given->node[tree->node[i * tree->n_layers + l]]);
        if (net->space.head_channels)
            conv_bn_given(&net->head, &values, &given->head[i]);
    }
}

/*
 * One walk over the tree with one batch. What it does with BN: BN_BATCH takes the
 * batch's own; if `given` is there it also adds `share` of them to it. BN_GIVEN applies
 * `given`.
 */
struct walk {
    struct scorer *scorer;
    const struct tree *tree;
    enum bn_mode mode;
    struct given *given;
    double share;
    int batch;  /* images of a batch at most */
    int n;      /* images of this batch */
    int before; /* images of the list in earlier batches */
    bool (*stop)(void);
    bool stopped;
    bool judge; /* head and loss wanted (and always in BN_BATCH with given: head BN) */
    double *loss; /* [paths], sums; by index into tree->path */
    int64_t *hits;
    /* The scores wanted: path i's for the first after[k] images at score[i * stride +
     * k]. */
    const int *after;
    int n_after, stride;
    struct score *score;
    struct net_values values;
};

static void share_block(const struct block *b, double share,
                        const struct block_tensors *t, struct bn_pass bn[BLOCK_BNS])
{
    int channels[BLOCK_BNS];
    block_bn_channels(b, channels);
    for (int i = 0; i < BLOCK_BNS; i++)
        add_share(channels[i], share, &t->bn[i], &bn[i]);
}

/* Computes one block for x and returns how its output is read; the output stays in the
 * arena, the inner tensors do not. */
static struct source walk_block(struct walk *walk, const struct block *b,
                                const struct source *x, struct bn_pass given[BLOCK_BNS])
{
    if (b->passes)
        return *x;
    struct arena *arena = walk->scorer->workspace->tensors;
    struct block_tensors t = {0};
    block_take_output(b, walk->n, arena, &t);
    size_t mark = arena_mark(arena);
    if (walk->mode == BN_GIVEN)
        memcpy(t.bn, given, sizeof(t.bn));
    else
        block_take_bn(b, arena, &t);
    block_take_inner(b, walk->n, arena, &t);
    block_forward(b, &walk->values, walk->n, x, walk->mode, &t,
                  walk->scorer->workspace->scratch);
    if (walk->mode == BN_BATCH && given)
        share_block(b, walk->share, &t, given);
    arena_release(arena, mark);
    walk->scorer->counters.blocks_computed++;
    return (struct source){.z = t.y};
}

/* Adds an image to the sums of path p; afterwards it was judged on `images` of them. */
static void add_image(struct walk *walk, int p, int images, double loss, int hit)
{
    walk->loss[p] += loss;
    walk->hits[p] += hit;
    for (int k = 0; k < walk->n_after; k++)
        if (walk->after[k] == images)
            walk->score[(size_t)p * (size_t)walk->stride + (size_t)k] =
                (struct score){walk->loss[p] / images, (double)walk->hits[p] / images};
}

static void walk_head(struct walk *walk, int i, const struct source *x)
{
    const struct supernet *net = walk->scorer->net;
    struct arena *arena = walk->scorer->workspace->tensors;
    size_t mark = arena_mark(arena);
    struct head_tensors t;
    head_take(net, walk->n, arena, &t);
    if (walk->mode == BN_GIVEN && net->space.head_channels)
        t.bn = walk->given->head[i];
    head_pass(net, walk->n, x, walk->judge ? walk->scorer->labels : NULL, 0, walk->mode,
              &t, walk->scorer->workspace->scratch);
    if (walk->mode == BN_BATCH && walk->given && net->space.head_channels)
        add_share(net->head.k, walk->share, &t.bn, &walk->given->head[i]);
    int p = walk->tree->order[i];
    for (int j = 0; walk->judge && j < walk->n; j++)
        add_image(walk, p, walk->before + j + 1, t.loss[j], t.hit[j]);
    arena_release(arena, mark);
}

static struct source walk_shared(struct walk *walk)
{
    struct scorer *s = walk->scorer;
    const struct supernet *net = s->net;
    struct given *given = walk->given;
    struct stem_tensors stem;
    stem_take(net, walk->n, s->workspace->tensors, &stem);
    if (walk->mode == BN_GIVEN)
        stem.bn = given->stem;
    struct source x =
        stem_pass(net, walk->n, s->images, walk->mode, &stem, s->workspace->scratch);
    if (walk->mode == BN_BATCH && given)
        add_share(net->stem.k, walk->share, &stem.bn, &given->stem);
    for (int i = 0; i < net->space.n_fixed; i++)
        x = walk_block(walk, &net->fixed[i], &x, given ? given->fixed[i] : NULL);
    return x;
}

static void walk_tree(struct walk *walk)
{
    struct scorer *s = walk->scorer;
    const struct tree *tree = walk->tree;
    struct arena *arena = s->workspace->tensors;
    size_t start = arena_mark(arena);
    struct source input[SPACE_LAYERS_MAX + 1]; /* of layer l on the current branch */
    size_t mark[SPACE_LAYERS_MAX + 1];
    input[0] = walk_shared(walk);
    mark[0] = arena_mark(arena);
    for (int i = 0; i < tree->n; i++) {
        if (walk->stop && walk->stop()) {
            walk->stopped = true;
            break;
        }
        arena_release(arena, mark[tree->shared[i]]);
        for (int l = tree->shared[i]; l < tree->n_layers; l++) {
            int node = tree->node[i * tree->n_layers + l];
            input[l + 1] = walk_block(walk, node_block(s->net, tree, i, l), &input[l],
                                      walk->given ? walk->given->node[node] : NULL);
            mark[l + 1] = arena_mark(arena);
        }
        if (walk->judge || walk->given)
            walk_head(walk, i, &input[tree->n_layers]);
    }
    arena_release(arena, start);
}

static int batches_of(int n_index, int batch)
{
    return (n_index + batch - 1) / batch;
}

/* Batches of (nearly) equal size: BN of a small last batch would be worse. */
static int batch_start(int n_index, int batches, int b)
{
    return (int)((int64_t)n_index * b / batches);
}

/* Every batch of an index list, one walk each. */
static void walk_images(struct walk *walk, enum split split, const int *index,
                        int n_index)
{
    struct scorer *s = walk->scorer;
    int batches = batches_of(n_index, walk->batch);
    walk->share = 1.0 / batches;
    for (int b = 0; b < batches && !walk->stopped; b++) {
        walk->before = batch_start(n_index, batches, b);
        walk->n = batch_start(n_index, batches, b + 1) - walk->before;
        dataset_batch(s->dataset, split, index + walk->before, walk->n, s->images,
                      s->labels);
        walk_tree(walk);
    }
}

static void count(const struct walk *walk, int n_index)
{
    struct scorer *s = walk->scorer;
    const struct tree *tree = walk->tree;
    s->counters.evaluations += (int64_t)tree->n * n_index;
    int64_t blocks = 0;
    for (int i = 0; i < tree->n; i++) {
        for (int l = 0; l < tree->n_layers; l++)
            blocks += !node_block(s->net, tree, i, l)->passes;
        for (int f = 0; f < s->net->space.n_fixed; f++)
            blocks += !s->net->fixed[f].passes;
    }
    s->counters.blocks_asked += blocks * batches_of(n_index, walk->batch);
}

/* Judges on the first after[n_after - 1] images, the largest number: every path's score
 * for the first after[k] goes to score[path * stride + k]. */
static void judge(struct walk *walk, enum split split, const int *index,
                  const int *after, int n_after, struct score *score, int stride)
{
    size_t n = (size_t)walk->tree->n;
    walk->judge = true;
    walk->after = after;
    walk->n_after = n_after;
    walk->score = score;
    walk->stride = stride;
    walk->loss = memory_zeroed(n, sizeof(double));
    walk->hits = memory_zeroed(n, sizeof(int64_t));
    walk_images(walk, split, index, after[n_after - 1]);
    count(walk, after[n_after - 1]);
    free(walk->loss);
    free(walk->hits);
}

/* Whether the batches of the first `few` images are the first ones of all n's. */
static bool begins_alike(int few, int n, int batch)
{
    int batches = batches_of(few, batch), all = batches_of(n, batch);
    for (int b = 1; b <= batches; b++)
        if (batch_start(few, batches, b) != batch_start(n, all, b))
            return false;
    return true;
}

static bool in_one_pass(const struct scorer *scorer, int n_calibration, int few,
                        int n_index)
{
    return n_calibration > 0 || begins_alike(few, n_index, scorer->batch);
}

/* score[(n_few + 1) * paths]: what the pass over all images does not give takes passes
 * of its own. */
static void judge_subsets(struct walk *walk, int n_calibration, enum split split,
                          const int *index, int n_index,
                          const struct score_subsets *subsets, struct score *score)
{
    int n_few = subsets->n_few, stride = n_few + 1;
    int *after = memory_zeroed((size_t)stride, sizeof(int));
    for (int k = 0; k < n_few; k++) {
        int few = subsets->few[k];
        BUG_IF(few < 1 || few > n_index);
        if (in_one_pass(walk->scorer, n_calibration, few, n_index))
            after[k] = few; /* else 0: no image has that number */
        else if (!walk->stopped)
            judge(walk, split, index, &few, 1, score + k, stride);
    }
    after[n_few] = n_index;
    if (!walk->stopped)
        judge(walk, split, index, after, stride, score, stride);
    free(after);
}

bool score_paths_on_subsets(struct scorer *scorer, const struct path *path, int n,
                            const int *calibration, int n_calibration, enum split split,
                            const int *index, int n_index,
                            const struct score_subsets *subsets, struct score *score)
{
    if (n < 1)
        return true;
    struct score_counters before = scorer->counters;
    struct tree tree;
    struct given given;
    tree_init(&tree, path, n);
    struct walk walk = {.scorer = scorer,
                        .tree = &tree,
                        .mode = BN_BATCH,
                        .batch = scorer->batch,
                        .stop = scorer->stop,
                        .values = supernet_values(scorer->net)};
    if (n_calibration) {
        given_init(&given, scorer->net, &tree);
        walk.given = &given;
        walk_images(&walk, SPLIT_TRAIN, calibration, n_calibration);
        count(&walk, n_calibration);
        given_finish(&given, scorer->net, &tree);
        walk.mode = BN_GIVEN;
    }
    judge_subsets(&walk, n_calibration, split, index, n_index, subsets, score);
    if (n_calibration)
        given_release(&given);
    tree_release(&tree);
    if (walk.stopped)
        scorer->counters = before;
    return !walk.stopped;
}

int64_t score_subsets_images(const struct scorer *scorer, int n_calibration,
                             int n_index, const struct score_subsets *subsets)
{
    int64_t images = (int64_t)n_calibration + n_index;
    for (int k = 0; k < subsets->n_few; k++)
        if (!in_one_pass(scorer, n_calibration, subsets->few[k], n_index))
            images += subsets->few[k];
    return images;
}

static const struct score_subsets no_subsets = {NULL, 0};

bool score_paths(struct scorer *scorer, const struct path *path, int n,
                 enum split split, const int *index, int n_index, struct score *score)
{
    return score_paths_on_subsets(scorer, path, n, NULL, 0, split, index, n_index,
                                  &no_subsets, score);
}

bool score_paths_recalibrated(struct scorer *scorer, const struct path *path, int n,
                              const int *calibration, int n_calibration,
                              enum split split, const int *index, int n_index,
                              struct score *score)
{
    return score_paths_on_subsets(scorer, path, n, calibration, n_calibration, split,
                                  index, n_index, &no_subsets, score);
}

struct score score_one_batch(struct scorer *scorer, const struct path *path,
                             enum split split, const int *index, int n_index)
{
    BUG_IF(n_index < 1 || n_index > scorer->capacity);
    struct score_counters before = scorer->counters;
    struct score score;
    struct tree tree;
    tree_init(&tree, path, 1);
    struct walk walk = {.scorer = scorer,
                        .tree = &tree,
                        .mode = BN_BATCH,
                        .batch = n_index,
                        .values = supernet_values(scorer->net)};
    judge(&walk, split, index, &n_index, 1, &score, 1);
    tree_release(&tree);
    scorer->counters = before;
    return score;
}
