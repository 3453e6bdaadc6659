#include "tensor/depthwise.h"

#include <omp.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/depthwise_plan.h"
#include "tensor/elementwise.h"

/* A thread's own memory. */
struct thread_rows {
    float *ring, *a, *da;
};

static size_t ring_floats(const struct depthwise_plan *plan)
{
    return plan->ring.block * plan->group_blocks;
}

static size_t a_floats(const struct depthwise_plan *plan)
{
    return plan->a.block * plan->group_blocks;
}

static size_t thread_floats(const struct depthwise_plan *plan)
{
    return ring_floats(plan) + a_floats(plan) + plan->da.block;
}

static size_t threads_most(void)
{
    return (size_t)omp_get_max_threads();
}

/* What all threads share. */
struct shared {
    float *w;       /* [block][r][r][16] */
    float *threads; /* [thread][thread_floats] */
    double *sums;   /* [images][2][padded]; forward: moments, backward: sum_g, sum_gz */
    float *dw;      /* [images][block][r][r][16] */
};

static struct shared take_shared(const struct depthwise_plan *plan,
                                 struct arena *scratch, bool backward)
{
    const size_t weights = plan->taps * plan->padded,
                 sums = plan->images * 2 * plan->padded;
    struct shared shared = {
        .w = arena_floats(scratch, weights),
        .threads = arena_floats(scratch, thread_floats(plan) * threads_most()),
        .sums = arena_doubles(scratch, sums)};
    if (backward)
        shared.dw = arena_floats(scratch, plan->images * weights);
    return shared;
}

static size_t shared_bytes(const struct depthwise_plan *plan, bool backward)
{
    const size_t weights = plan->taps * plan->padded,
                 floats = weights * (backward ? 1 + plan->images : 1) +
                          thread_floats(plan) * threads_most();
    return floats * sizeof(float) + plan->images * 2 * plan->padded * sizeof(double) +
           4 * ARENA_BLOCK_EXTRA;
}

size_t depthwise_scratch(struct shape in, int r, int stride)
{
    const struct depthwise_plan forward = depthwise_plan_forward(in, r, stride, false),
                                backward =
                                    depthwise_plan_backward(in, r, stride, false);
    const size_t a = shared_bytes(&forward, false), b = shared_bytes(&backward, true);
    return a > b ? a : b;
}

/* The kernels never write around the rows, so zeros there last for all images. */
static struct thread_rows thread_rows_of(const struct depthwise_plan *plan,
                                         const struct shared *shared)
{
    struct thread_rows mine = {.ring = shared->threads + (size_t)omp_get_thread_num() *
                                                             thread_floats(plan)};
    mine.a = mine.ring + ring_floats(plan);
    mine.da = mine.a + a_floats(plan);
    depthwise_zero_around(&plan->ring, plan->group_blocks, mine.ring);
    depthwise_zero_around(&plan->a, plan->group_blocks, mine.a);
    return mine;
}

static void fill_input_row(const struct depthwise_plan *plan,
                           const struct depthwise_piece *piece, const struct source *x,
                           int row, const struct block_rows *layout, float *rows,
                           size_t slot)
{
    const size_t c = piece->block * CHANNEL_BLOCK;
    const struct depthwise_fill fill =
        depthwise_fill_to(plan, piece, layout, rows, slot, plan->in.w);
    const struct source from = {
        .z = x->z + depthwise_row_start(plan, piece, plan->in.h, plan->in.w, row),
        .scale = x->scale ? x->scale + c : NULL,
        .shift = x->scale ? x->shift + c : NULL,
        .act = x->act};
    depthwise_kernels()->fill_activated(&fill, &from);
}

/* The sums of a chunk of images, for blocks [begin, end), start from zero. */
static void zero_sums(const struct depthwise_plan *plan, const struct shared *shared,
                      size_t chunk, size_t begin, size_t end)
{
    const size_t lanes = (end - begin) * CHANNEL_BLOCK;
    double *sums = shared->sums + chunk * 2 * plan->padded + begin * CHANNEL_BLOCK;
    memset(sums, 0, lanes * sizeof(*sums));
    memset(sums + plan->padded, 0, lanes * sizeof(*sums));
    if (shared->dw)
        memset(shared->dw + (chunk * plan->blocks + begin) * plan->taps * CHANNEL_BLOCK,
               0, lanes * plan->taps * sizeof(*shared->dw));
}

/* Calls `work` for each chunk of images and part of the blocks, piece by piece. */
struct task {
    const struct depthwise_plan *plan;
    const struct shared *shared;
    const struct source *x;
    const float *w;
    /* forward */
    float *z;
    const struct moments *moments;
    /* backward */
    const struct gradient *dz;
    const struct sink *dx;
};

static void for_each_piece(const struct task *task,
                           void work(const struct task *task,
                                     const struct depthwise_piece *piece,
                                     const struct thread_rows *mine))
{
    const struct depthwise_plan *plan = task->plan;
#pragma omp parallel
    {
        const struct thread_rows mine = thread_rows_of(plan, task->shared);
#pragma omp for schedule(static)
        for (size_t b = 0; b < plan->blocks; b++)
            depthwise_pack_block(plan, task->w, b, task->shared->w);
#pragma omp for schedule(static)
        for (size_t i = 0; i < plan->images * plan->parts; i++) {
            const size_t chunk = i / plan->parts, part = i % plan->parts,
                         end = chunk_begin(plan->n, plan->images, chunk + 1),
                         first = chunk_begin(plan->blocks, plan->parts, part),
                         last = chunk_begin(plan->blocks, plan->parts, part + 1);
            zero_sums(plan, task->shared, chunk, first, last);
            for (size_t n = chunk_begin(plan->n, plan->images, chunk); n < end; n++)
                for (size_t b = first; b < last; b += plan->group_blocks) {
                    const struct depthwise_piece piece =
                        depthwise_piece_of(plan, n, chunk, b, last);
                    work(task, &piece, &mine);
                }
        }
    }
}

static void forward_piece(const struct task *task, const struct depthwise_piece *piece,
                          const struct thread_rows *mine)
{
    const struct depthwise_plan *plan = task->plan;
    int filled = 0;
    for (int p = 0; p < plan->p; p += plan->group) {
        const int rows = smaller(plan->group, plan->p - p);
        const int bottom = (p + rows - 1) * plan->stride - plan->r / 2 + plan->r;
        for (; filled < smaller(bottom, plan->in.h); filled++)
            fill_input_row(plan, piece, task->x, filled, &plan->ring, mine->ring,
                           (size_t)filled % plan->ring.rows);
        depthwise_forward_rows(plan, piece, mine->ring, task->shared->w, p, rows,
                               task->z, task->moments,
                               task->shared->sums + piece->chunk * 2 * plan->padded);
    }
}

static void check_source(const struct source *x)
{
    BUG_IF(x->gate);
    BUG_IF(x->scale && !activation_keeps_zero(x->act));
}

void depthwise_forward(struct shape in, int r, int stride, const struct source *x,
                       const float *w, float *z, const struct moments *moments,
                       struct arena *scratch)
{
    check_source(x);
    const struct depthwise_plan plan = depthwise_plan_forward(in, r, stride, false);
    const size_t mark = arena_mark(scratch);
    const struct shared shared = take_shared(&plan, scratch, false);
    const struct task task = {
        .plan = &plan, .shared = &shared, .x = x, .w = w, .z = z, .moments = moments};
    for_each_piece(&task, forward_piece);
    if (moments && moments->sum) {
        combine_chunks(plan.images, 2 * plan.padded, plan.padded, shared.sums,
                       moments->sum);
        combine_chunks(plan.images, 2 * plan.padded, plan.padded,
                       shared.sums + plan.padded, moments->square);
    }
    arena_release(scratch, mark);
}

/* The gradient of one block's rows leaves through the sink. */
static void sink_rows(const struct task *task, const struct depthwise_piece *piece,
                      size_t block, int h, int rows, const float *da)
{
    const struct depthwise_plan *plan = task->plan;
    const struct source *x = task->x;
    const struct sink *dx = task->dx;
    const size_t c = block * CHANNEL_BLOCK,
                 at = depthwise_row_start(plan, piece, plan->in.h, plan->in.w, h) + c -
                      piece->block * CHANNEL_BLOCK;
    const float *z = x->scale ? x->z : dx->z;
    double *sum = task->shared->sums + piece->chunk * 2 * plan->padded + c;
    struct sink_run run = {.pixels = (size_t)rows * (size_t)plan->in.w,
                           .padded = plan->padded,
                           .lanes = CHANNEL_BLOCK,
                           .act = x->act,
                           .from = da,
                           .from_stride = CHANNEL_BLOCK,
                           .z = z ? z + at : NULL,
                           .add = dx->add && !x->scale ? dx->add + at : NULL,
                           .g = dx->g + at};
    if (x->scale) {
        run.scale = x->scale + c;
        run.shift = x->shift + c;
    }
    if (dx->sum_g) {
        run.mean = dx->mean + c;
        run.sum_g = sum;
        run.sum_gz = sum + plan->padded;
    }
    elementwise()->sink(&run);
}

static void backward_group(const struct task *task, const struct depthwise_piece *piece,
                           const struct thread_rows *mine, int h, int rows)
{
    const struct depthwise_plan *plan = task->plan;
    struct depthwise_row row[DEPTHWISE_ROWS];
    struct depthwise_backward_run run = depthwise_run_backward(plan, h, rows, row);
    run.da = mine->da;
    const size_t weights = plan->taps * CHANNEL_BLOCK;
    for (size_t b = 0; b < piece->blocks; b++) {
        const size_t block = piece->block + b;
        run.dz = mine->ring + b * plan->ring.block;
        run.a = mine->a + b * plan->a.block;
        run.w = task->shared->w + block * weights;
        run.dw = task->shared->dw + (piece->chunk * plan->blocks + block) * weights;
        depthwise_kernels()->backward[plan->r / 2 - 1][plan->stride - 1](&run);
        sink_rows(task, piece, block, h, rows, mine->da);
    }
}

static void backward_piece(const struct task *task, const struct depthwise_piece *piece,
                           const struct thread_rows *mine)
{
    const struct depthwise_plan *plan = task->plan;
    int filled = 0;
    for (int h = 0; h < plan->in.h; h += plan->group) {
        const int rows = smaller(plan->group, plan->in.h - h);
        const int bottom = (h + rows - 1 + plan->r / 2) / plan->stride + 1;
        for (; filled < smaller(bottom, plan->p); filled++)
            depthwise_fill_gradient(plan, piece, task->dz, filled, mine->ring);
        for (int i = 0; i < rows; i++)
            fill_input_row(plan, piece, task->x, h + i, &plan->a, mine->a, (size_t)i);
        backward_group(task, piece, mine, h, rows);
    }
}

void depthwise_backward(struct shape in, int r, int stride, const struct gradient *dz,
                        const struct source *x, const float *w, float *dw,
                        const struct sink *dx, struct arena *scratch)
{
    check_source(x);
    BUG_IF(dx->gate_sum || (x->scale && !dx->sum_g));
    const struct depthwise_plan plan = depthwise_plan_backward(in, r, stride, false);
    const size_t mark = arena_mark(scratch);
    const struct shared shared = take_shared(&plan, scratch, true);
    const struct task task = {
        .plan = &plan, .shared = &shared, .x = x, .w = w, .dz = dz, .dx = dx};
    for_each_piece(&task, backward_piece);
    depthwise_combine_weights(&plan, shared.dw, dw);
    if (dx->sum_g) {
        combine_chunks(plan.images, 2 * plan.padded, plan.padded, shared.sums,
                       dx->sum_g);
        combine_chunks(plan.images, 2 * plan.padded, plan.padded,
                       shared.sums + plan.padded, dx->sum_gz);
    }
    arena_release(scratch, mark);
}
