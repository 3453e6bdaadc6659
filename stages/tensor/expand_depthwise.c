#include "tensor/expand_depthwise.h"

#include <omp.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/depthwise_plan.h"
#include "tensor/elementwise.h"
#include "tensor/product_kernels.h"

/* Pixels of x that forward widens at a time, or one row if that is more: enough for
 * whole steps of the product's kernels. */
enum { FILL_PIXELS = 256 };

/* Both plans, and the widening's own numbers. */
struct widening {
    const struct expand_depthwise *e;
    struct depthwise_plan plan;
    size_t padded_c;  /* of x */
    int fill_rows;    /* of x, widened at a time */
    size_t tile_rows; /* there is room for, of x's tile */
    bool backward, keeps_u;
};

/* Where the slope may be asked of act(u) in place of u. */
static bool slope_of_output(enum activation act)
{
    return act == ACT_NONE || act == ACT_RELU || act == ACT_RELU6;
}

static struct widening widening_of(const struct expand_depthwise *e, bool backward)
{
    const struct shape wide = {e->in.n, e->in.h, e->in.w, e->expanded};
    struct widening w = {.e = e,
                         .padded_c = channels_padded(e->in.c),
                         .backward = backward,
                         .keeps_u = backward && !slope_of_output(e->act)};
    w.plan = backward ? depthwise_plan_backward(wide, e->r, e->stride, true)
                      : depthwise_plan_forward(wide, e->r, e->stride, true);
    w.fill_rows = backward ? w.plan.group : FILL_PIXELS / e->in.w;
    if (w.fill_rows < 1)
        w.fill_rows = 1;
    w.fill_rows = smaller(w.fill_rows, e->in.h);
    w.tile_rows = (size_t)(w.fill_rows * e->in.w + PRODUCT_STEP) | 1;
    return w;
}

/* A thread's own memory. */
struct thread_part {
    float *ring, *a, *u, *g; /* u: a's memory if the slope may be asked of a */
    struct tile x;
    size_t *in_at, *to_at;
};

/* What all threads share. */
struct shared {
    float *w2; /* [block][r][r][16] */
    float *w1, *w1_back,
        *w1_scaled; /* packed by groups of blocks; scaled: not packed */
    float *threads; /* [thread][thread_floats()] */
    size_t *at;     /* [thread][2][pixels of a tile] */
    double *sums;   /* [images][2][padded] */
    float *dw2;     /* [images][block][r][r][16] */
    float *gx;      /* [images][padded][padded c] */
};

static size_t tile_pixels(const struct widening *w)
{
    return (size_t)w->fill_rows * (size_t)w->e->in.w;
}

/* Of each of the four: ring, a, u, g; behind g what the product's kernels read too
 * much.
 */
static size_t part_floats(const struct widening *w, int part)
{
    const struct depthwise_plan *plan = &w->plan;
    const size_t blocks = plan->group_blocks;
    if (part == 0)
        return plan->ring.block * blocks;
    if (!w->backward || (part == 2 && !w->keeps_u))
        return 0;
    return part < 3 ? plan->a.block * blocks
                    : plan->da.block * blocks + PRODUCT_STEP * CHANNEL_BLOCK;
}

static size_t thread_floats(const struct widening *w)
{
    return part_floats(w, 0) + part_floats(w, 1) + part_floats(w, 2) +
           part_floats(w, 3) + w->tile_rows * w->padded_c;
}

static struct shared take_shared(const struct widening *w, struct arena *scratch)
{
    const struct depthwise_plan *plan = &w->plan;
    const size_t threads = (size_t)omp_get_max_threads(),
                 products = plan->padded * w->padded_c,
                 weights = plan->taps * plan->padded;
    struct shared s = {
        .w2 = arena_floats(scratch, weights),
        .w1 = arena_floats(scratch, products),
        .threads = arena_floats(scratch, threads * thread_floats(w)),
        .at = arena_take(scratch, threads * 2 * tile_pixels(w) * sizeof(size_t)),
        .sums = arena_doubles(scratch, plan->images * 2 * plan->padded)};
    if (w->backward) {
        s.w1_back = arena_floats(scratch, products);
        s.w1_scaled = arena_floats(scratch, products);
        s.dw2 = arena_floats(scratch, plan->images * weights);
        s.gx = arena_floats(scratch, plan->images * products);
    }
    return s;
}

static struct thread_part thread_part_of(const struct widening *w,
                                         const struct shared *s)
{
    const size_t t = (size_t)omp_get_thread_num(), blocks = w->plan.group_blocks;
    struct thread_part mine = {.ring = s->threads + t * thread_floats(w)};
    mine.a = mine.ring + part_floats(w, 0);
    mine.u = w->keeps_u ? mine.a + part_floats(w, 1) : mine.a;
    mine.g = mine.a + part_floats(w, 1) + part_floats(w, 2);
    mine.x = (struct tile){mine.g + part_floats(w, 3), w->tile_rows * CHANNEL_BLOCK, 0};
    mine.in_at = s->at + t * 2 * tile_pixels(w);
    mine.to_at = mine.in_at + tile_pixels(w);
    depthwise_zero_around(&w->plan.ring, blocks, mine.ring);
    if (w->backward)
        depthwise_zero_around(&w->plan.a, blocks, mine.a);
    return mine;
}

/* The channels of a group of blocks, padding not counted. */
static int channels_of(const struct widening *w, size_t block, size_t blocks)
{
    return smaller((int)(blocks * CHANNEL_BLOCK),
                   w->e->expanded - (int)(block * CHANNEL_BLOCK));
}

/* Inside a parallel region: each group's weights by themselves, as the products are
 * made. */
static void pack_weights(const struct widening *w, const struct shared *s)
{
    const struct depthwise_plan *plan = &w->plan;
    const struct expand_depthwise *e = w->e;
    const struct product_kernels *kernels = product_kernels();
    const int part = omp_get_thread_num(), parts = omp_get_num_threads();
#pragma omp for schedule(static)
    for (size_t b = 0; b < plan->blocks; b++)
        depthwise_pack_block(plan, e->w2, b, s->w2);
    if (w->backward) {
#pragma omp for schedule(static)
        for (int k = 0; k < e->expanded; k++)
            for (size_t c = 0; c < w->padded_c; c++) {
                const size_t at = (size_t)k * w->padded_c + c;
                s->w1_scaled[at] = e->scale[k] * e->w1[at];
            }
    }
    for (size_t b = 0; b < plan->blocks; b += plan->group_blocks) {
        const size_t first = b * CHANNEL_BLOCK, left = plan->blocks - b;
        const int k =
            channels_of(w, b, left < plan->group_blocks ? left : plan->group_blocks);
        kernels->pack_forward(k, e->in.c, e->w1 + first * w->padded_c, part, parts,
                              s->w1 + first * (size_t)e->in.c);
        if (w->backward)
            kernels->pack_backward(k, e->in.c, s->w1_scaled + first * w->padded_c, part,
                                   parts, s->w1_back + first * w->padded_c);
    }
#pragma omp barrier
}

/* Widens rows [first, first + rows) of an image into blocks: row i goes to slot
 * (first + i) modulo the layout's rows. Leaves x's tile, and in in_at where its pixels
 * are. */
static void widen(const struct widening *w, const struct shared *s,
                  const struct depthwise_piece *piece, struct thread_part *mine,
                  int first, int rows, enum activation act,
                  const struct block_rows *layout, float *to)
{
    const struct expand_depthwise *e = w->e;
    const size_t columns = (size_t)e->in.w, c = piece->block * CHANNEL_BLOCK;
    const size_t pixel = (piece->image * (size_t)e->in.h + (size_t)first) * columns;
    mine->x.rows = rows * e->in.w;
    for (size_t i = 0; i < (size_t)mine->x.rows; i++) {
        const size_t slot = ((size_t)first + i / columns) % layout->rows;
        mine->in_at[i] = (pixel + i) * w->padded_c;
        mine->to_at[i] =
            slot * layout->row + (layout->left + i % columns) * CHANNEL_BLOCK;
    }
    product_kernels()->load_source(&e->x, w->padded_c, mine->in_at, NULL, &mine->x);
    const struct product_end end = {.kind = END_ACTIVATED,
                                    .act = act,
                                    .at = mine->to_at,
                                    .out = to,
                                    .block = layout->block,
                                    .scale = e->scale + c,
                                    .shift = e->shift + c};
    product_kernels()->multiply(&mine->x, 0, mine->x.rows, e->in.c,
                                s->w1 + c * (size_t)e->in.c,
                                piece->blocks * CHANNEL_BLOCK, &end);
}

/* One call under way. */
struct task {
    const struct widening *w;
    const struct shared *s;
    float *z;
    const struct moments *moments;
    const struct gradient *dz;
    const struct expand_gradient *to;
};

static void forward_piece(const struct task *task, const struct depthwise_piece *piece,
                          struct thread_part *mine)
{
    const struct widening *w = task->w;
    const struct depthwise_plan *plan = &w->plan;
    int filled = 0;
    for (int p = 0; p < plan->p; p += plan->group) {
        const int rows = smaller(plan->group, plan->p - p);
        const int bottom =
            smaller((p + rows - 1) * plan->stride - plan->r / 2 + plan->r, plan->in.h);
        for (int more; filled < bottom; filled += more) {
            more = smaller(w->fill_rows, bottom - filled);
            widen(w, task->s, piece, mine, filled, more, w->e->act, &plan->ring,
                  mine->ring);
        }
        depthwise_forward_rows(plan, piece, mine->ring, task->s->w2, p, rows, task->z,
                               task->moments,
                               task->s->sums + piece->chunk * 2 * plan->padded);
    }
}

/* From da in g's tile to the gradient of BN's output, and its sum. */
static void put_slope(const struct task *task, const struct depthwise_piece *piece,
                      const struct thread_part *mine, size_t b, int rows)
{
    const struct depthwise_plan *plan = &task->w->plan;
    static const float ones[CHANNEL_BLOCK] = {1, 1, 1, 1, 1, 1, 1, 1,
                                              1, 1, 1, 1, 1, 1, 1, 1};
    static const float zeros[CHANNEL_BLOCK];
    double unused[CHANNEL_BLOCK] = {0};
    float *g = mine->g + b * plan->da.block;
    const float *u = mine->u + b * plan->a.block;
    for (int i = 0; i < rows; i++) {
        const struct sink_run run = {.pixels = (size_t)plan->in.w,
                                     .padded = CHANNEL_BLOCK,
                                     .lanes = CHANNEL_BLOCK,
                                     .act = task->w->e->act,
                                     .from = g + (size_t)i * plan->da.row,
                                     .from_stride = CHANNEL_BLOCK,
                                     .z = u + (size_t)i * plan->a.row,
                                     .scale = ones,
                                     .shift = zeros,
                                     .mean = zeros,
                                     .g = g + (size_t)i * plan->da.row,
                                     .sum_g = task->s->sums +
                                              piece->chunk * 2 * plan->padded +
                                              (piece->block + b) * CHANNEL_BLOCK,
                                     .sum_gz = unused};
        elementwise()->sink(&run);
    }
}

/* g of these rows is in its tile, x in its own: what they add to gx and y. */
static void use_gradient(const struct task *task, const struct depthwise_piece *piece,
                         const struct thread_part *mine)
{
    const struct widening *w = task->w;
    const size_t c = piece->block * CHANNEL_BLOCK;
    const struct tile g = {mine->g, w->plan.da.block, mine->x.rows};
    const int k = channels_of(w, piece->block, piece->blocks);
    product_kernels()->weight_gradient(
        &g, &mine->x, k, w->padded_c,
        task->s->gx + (piece->chunk * w->plan.padded + c) * w->padded_c);
    const struct product_end end = {.kind = END_STORE,
                                    .at = mine->in_at,
                                    .out = task->to->y,
                                    .add = piece->block ? task->to->y : task->to->add};
    product_kernels()->multiply(&g, 0, g.rows, k, task->s->w1_back + c * w->padded_c,
                                w->padded_c, &end);
}

static void backward_rows(const struct task *task, const struct depthwise_piece *piece,
                          struct thread_part *mine, int h, int rows)
{
    const struct widening *w = task->w;
    const struct depthwise_plan *plan = &w->plan;
    const size_t weights = plan->taps * CHANNEL_BLOCK;
    /* h is a multiple of the group, whose rows are all of u's: slots count from 0. */
    widen(w, task->s, piece, mine, h, rows, w->keeps_u ? ACT_NONE : w->e->act, &plan->a,
          mine->u);
    struct depthwise_row row[DEPTHWISE_ROWS];
    struct depthwise_backward_run run = depthwise_run_backward(plan, h, rows, row);
    for (size_t b = 0; b < piece->blocks; b++) {
        const size_t block = piece->block + b;
        run.dz = mine->ring + b * plan->ring.block;
        run.a = mine->a + b * plan->a.block;
        run.da = mine->g + b * plan->da.block;
        run.w = task->s->w2 + block * weights;
        run.dw = task->s->dw2 + (piece->chunk * plan->blocks + block) * weights;
        if (w->keeps_u)
            for (int i = 0; i < rows; i++)
                elementwise()->activate(
                    w->e->act, (size_t)plan->in.w * CHANNEL_BLOCK,
                    mine->u + b * plan->a.block + (size_t)i * plan->a.row,
                    mine->a + b * plan->a.block + (size_t)i * plan->a.row);
        depthwise_kernels()->backward[plan->r / 2 - 1][plan->stride - 1](&run);
        put_slope(task, piece, mine, b, rows);
    }
    use_gradient(task, piece, mine);
}

static void backward_piece(const struct task *task, const struct depthwise_piece *piece,
                           struct thread_part *mine)
{
    const struct depthwise_plan *plan = &task->w->plan;
    int filled = 0;
    for (int h = 0; h < plan->in.h; h += plan->group) {
        const int rows = smaller(plan->group, plan->in.h - h);
        const int bottom = (h + rows - 1 + plan->r / 2) / plan->stride + 1;
        for (; filled < smaller(bottom, plan->p); filled++)
            depthwise_fill_gradient(plan, piece, task->dz, filled, mine->ring);
        backward_rows(task, piece, mine, h, rows);
    }
}

/* A chunk's sums start from zero. */
static void zero_sums(const struct task *task, size_t chunk)
{
    const struct depthwise_plan *plan = &task->w->plan;
    const struct shared *s = task->s;
    const size_t weights = plan->taps * plan->padded,
                 products = plan->padded * task->w->padded_c;
    memset(s->sums + chunk * 2 * plan->padded, 0, 2 * plan->padded * sizeof(*s->sums));
    if (!task->w->backward)
        return;
    memset(s->dw2 + chunk * weights, 0, weights * sizeof(*s->dw2));
    memset(s->gx + chunk * products, 0, products * sizeof(*s->gx));
}

static void for_each_piece(const struct task *task,
                           void work(const struct task *task,
                                     const struct depthwise_piece *piece,
                                     struct thread_part *mine))
{
    const struct depthwise_plan *plan = &task->w->plan;
#pragma omp parallel
    {
        struct thread_part mine = thread_part_of(task->w, task->s);
        pack_weights(task->w, task->s);
#pragma omp for schedule(static)
        for (size_t chunk = 0; chunk < plan->images; chunk++) {
            zero_sums(task, chunk);
            for (size_t n = chunk_begin(plan->n, plan->images, chunk);
                 n < chunk_begin(plan->n, plan->images, chunk + 1); n++)
                for (size_t b = 0; b < plan->blocks; b += plan->group_blocks) {
                    const struct depthwise_piece piece =
                        depthwise_piece_of(plan, n, chunk, b, plan->blocks);
                    work(task, &piece, &mine);
                }
        }
    }
}

static void check(const struct expand_depthwise *e)
{
    BUG_IF(e->x.gate || e->expanded < 1);
    BUG_IF(!e->x.scale != !e->x.shift || (!e->x.scale && e->x.act != ACT_NONE));
    BUG_IF(!activation_keeps_zero(e->act));
}

void expand_depthwise_forward(const struct expand_depthwise *e, float *z,
                              const struct moments *moments, struct arena *scratch)
{
    check(e);
    const struct widening w = widening_of(e, false);
    const size_t mark = arena_mark(scratch), padded = w.plan.padded;
    const struct shared s = take_shared(&w, scratch);
    const struct task task = {.w = &w, .s = &s, .z = z, .moments = moments};
    for_each_piece(&task, forward_piece);
    if (moments && moments->sum) {
        combine_chunks(w.plan.images, 2 * padded, padded, s.sums, moments->sum);
        combine_chunks(w.plan.images, 2 * padded, padded, s.sums + padded,
                       moments->square);
    }
    arena_release(scratch, mark);
}

void expand_depthwise_backward(const struct expand_depthwise *e,
                               const struct gradient *dz,
                               const struct expand_gradient *to, struct arena *scratch)
{
    check(e);
    const struct widening w = widening_of(e, true);
    const size_t mark = arena_mark(scratch), padded = w.plan.padded,
                 products = padded * w.padded_c;
    const struct shared s = take_shared(&w, scratch);
    const struct task task = {.w = &w, .s = &s, .dz = dz, .to = to};
    for_each_piece(&task, backward_piece);
    depthwise_combine_weights(&w.plan, s.dw2, to->dw2);
    combine_chunks(w.plan.images, 2 * padded, padded, s.sums, to->sum_g);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < padded; k++)
        product_kernels()->sum_parts(s.gx + k * w.padded_c, (int)w.plan.images,
                                     products, w.padded_c, to->gx + k * w.padded_c);
    arena_release(scratch, mark);
}

size_t expand_depthwise_scratch(struct shape in, int expanded, int r, int stride)
{
    /* The activation that takes most. */
    const struct expand_depthwise e = {
        .in = in, .expanded = expanded, .r = r, .stride = stride, .act = ACT_SWISH};
    size_t most = 0;
    for (int backward = 0; backward < 2; backward++) {
        struct arena *planning = arena_create_planning();
        const struct widening w = widening_of(&e, backward);
        take_shared(&w, planning);
        if (arena_peak(planning) > most)
            most = arena_peak(planning);
        arena_free(planning);
    }
    return most + ARENA_BLOCK_EXTRA;
}
