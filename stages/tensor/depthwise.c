#include "tensor/depthwise.h"

#include <omp.h>
#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"
#include "tensor/depthwise_kernels.h"
#include "tensor/elementwise.h"

/*
 * A thread takes some channel blocks of one image at a time and goes down the image:
 * the activated rows of the input enter a ring of rows (for backward: the rows of dz),
 * and each group of rows is computed block by block, so that what a block's rows share
 * is read from the first-level cache. The rings of all blocks together take about
 * RING_BYTES, which leaves room in a second-level cache of 512 KiB.
 */
enum { RING_BYTES = 400 * 1024 };

static const struct depthwise_kernels *kernels(void)
{
    static const struct depthwise_kernels *const tables[ISA_COUNT] = {
        [ISA_AVX512] = &depthwise_kernels_avx512,
        [ISA_AVX2] = &depthwise_kernels_avx2,
        [ISA_BASELINE] = &depthwise_kernels_baseline,
    };
    return tables[tensor_isa_index()];
}

/* The rows that a thread holds of one tensor, for some channel blocks. */
struct rows {
    size_t rows;       /* per block */
    size_t left;       /* columns of zeros before column 0 */
    size_t width;      /* columns of the tensor */
    size_t columns;    /* in all */
    size_t row, block; /* floats from one row, one block to the next */
};

/* How one call divides its work; everything follows from the shape. */
struct plan {
    struct shape in;
    int r, stride, p, q;            /* p, q: the output's height and width */
    size_t n, padded, blocks, taps; /* taps: r * r */
    size_t images, parts; /* chunks of images; parts of the channel blocks in each */
    int tile;
    int group;               /* rows computed at a time */
    size_t group_blocks;     /* channel blocks taken at a time */
    struct rows ring, a, da; /* a, da: backward only */
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int rounded_up(int x, int unit)
{
    return (x + unit - 1) / unit * unit;
}

/* The tile that wastes least of the last one; a short one has more overhead. */
static int tile_for(int columns)
{
    const int eights = rounded_up(columns, 8), sevens = rounded_up(columns, 7),
              fours = rounded_up(columns, 4);
    if (eights <= sevens && eights <= fours + 1)
        return 8;
    return sevens <= fours + 1 ? 7 : 4;
}

static struct rows rows_of(size_t rows, size_t left, int width, size_t columns)
{
    struct rows layout = {
        .rows = rows, .left = left, .width = (size_t)width, .columns = columns};
    layout.row = columns * CHANNEL_BLOCK;
    /* An odd number of cache lines, so that blocks do not fight for the same sets. */
    layout.block = (rows * columns | 1) * CHANNEL_BLOCK;
    return layout;
}

/* As many rows of as many channel blocks at a time as the rings have room for: all rows
 * of a small image or 4 of a larger one, then all blocks, then more rows. */
static void plan_groups(struct plan *plan, int rows, size_t columns,
                        int ring_rows(const struct plan *plan, int group))
{
    const size_t bytes = columns * CHANNEL_BLOCK * sizeof(float);
    int group = rows <= DEPTHWISE_ROWS ? rows : 4;
    const size_t part_blocks = (plan->blocks + plan->parts - 1) / plan->parts;
    size_t blocks = RING_BYTES / ((size_t)ring_rows(plan, group) * bytes);
    blocks = blocks < 1 ? 1 : blocks < part_blocks ? blocks : part_blocks;
    while (group < smaller(rows, DEPTHWISE_ROWS) &&
           (size_t)ring_rows(plan, group + 1) * blocks * bytes <= RING_BYTES)
        group++;
    const int groups = (rows + group - 1) / group;
    plan->group = (rows + groups - 1) / groups;
    plan->group_blocks = blocks;
}

/* Each chunk of images keeps a dw of its own, r * r pixels large, so there are fewer
 * chunks when all the images together have few times as many; the channel blocks are
 * parted then. */
static size_t image_chunks(const struct plan *plan)
{
    const size_t most = shape_pixels(plan->in) / (4 * plan->taps),
                 chunks = chunk_count(plan->n);
    return most < 1 ? 1 : most < chunks ? most : chunks;
}

static struct plan plan_common(struct shape in, int r, int stride)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1);
    BUG_IF(r != 3 && r != 5 && r != 7);
    BUG_IF(stride != 1 && stride != 2);
    struct plan plan = {.in = in, .r = r, .stride = stride, .n = (size_t)in.n};
    plan.p = conv_out(in.h, r, stride);
    plan.q = conv_out(in.w, r, stride);
    plan.padded = channels_padded(in.c);
    plan.blocks = plan.padded / CHANNEL_BLOCK;
    plan.taps = (size_t)(r * r);
    plan.images = image_chunks(&plan);
    plan.parts = parts_of_image(plan.images, plan.blocks);
    plan.tile = tile_for(plan.q);
    return plan;
}

/* Rows of the input for `group` rows of the output. */
static int forward_ring_rows(const struct plan *plan, int group)
{
    return (group - 1) * plan->stride + plan->r;
}

/* Rows of dz for `group` rows of the input. */
static int backward_ring_rows(const struct plan *plan, int group)
{
    return (group + plan->r - 2) / plan->stride + 1;
}

static struct plan plan_forward(struct shape in, int r, int stride)
{
    struct plan plan = plan_common(in, r, stride);
    const int last = rounded_up(plan.q, plan.tile) - 1;
    const size_t left = (size_t)(r / 2);
    size_t columns = (size_t)(last * stride + r);
    if (columns < left + (size_t)in.w)
        columns = left + (size_t)in.w;
    plan_groups(&plan, plan.p, columns, forward_ring_rows);
    plan.ring =
        rows_of((size_t)forward_ring_rows(&plan, plan.group), left, in.w, columns);
    return plan;
}

static struct plan plan_backward(struct shape in, int r, int stride)
{
    struct plan plan = plan_common(in, r, stride);
    const int computed = rounded_up(plan.q, plan.tile);
    const size_t left = (size_t)depthwise_dz_left(r, stride),
                 columns = left + (size_t)(computed + depthwise_dz_right(r, stride));
    /* a's rows count, too. */
    plan_groups(&plan, in.h, columns + (size_t)(computed * stride), backward_ring_rows);
    plan.ring =
        rows_of((size_t)backward_ring_rows(&plan, plan.group), left, plan.q, columns);
    plan.a = rows_of((size_t)plan.group, 0, in.w, (size_t)(computed * stride));
    plan.da = rows_of((size_t)plan.group, 0, in.w, (size_t)in.w);
    /* What the last tile writes past the last row. */
    plan.da.block += (size_t)(computed * stride) * CHANNEL_BLOCK;
    return plan;
}

/* A thread's own memory. */
struct thread_rows {
    float *ring, *a, *da;
};

static size_t ring_floats(const struct plan *plan)
{
    return plan->ring.block * plan->group_blocks;
}

static size_t a_floats(const struct plan *plan)
{
    return plan->a.block * plan->group_blocks;
}

static size_t thread_floats(const struct plan *plan)
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

static struct shared take_shared(const struct plan *plan, struct arena *scratch,
                                 bool backward)
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

static size_t shared_bytes(const struct plan *plan, bool backward)
{
    const size_t weights = plan->taps * plan->padded,
                 floats = weights * (backward ? 1 + plan->images : 1) +
                          thread_floats(plan) * threads_most();
    return floats * sizeof(float) + plan->images * 2 * plan->padded * sizeof(double) +
           4 * ARENA_BLOCK_EXTRA;
}

size_t depthwise_scratch(struct shape in, int r, int stride)
{
    const struct plan forward = plan_forward(in, r, stride),
                      backward = plan_backward(in, r, stride);
    const size_t a = shared_bytes(&forward, false), b = shared_bytes(&backward, true);
    return a > b ? a : b;
}

/* Zeros before and behind the columns of each row. */
static void zero_around(const struct rows *layout, size_t blocks, float *rows)
{
    const size_t before = layout->left * CHANNEL_BLOCK,
                 behind = before + layout->width * CHANNEL_BLOCK;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < layout->rows; i++) {
            float *row = rows + b * layout->block + i * layout->row;
            memset(row, 0, before * sizeof(*row));
            memset(row + behind, 0, (layout->row - behind) * sizeof(*row));
        }
}

/* The kernels never write around the rows, so zeros there last for all images. */
static struct thread_rows thread_rows_of(const struct plan *plan,
                                         const struct shared *shared)
{
    struct thread_rows mine = {.ring = shared->threads + (size_t)omp_get_thread_num() *
                                                             thread_floats(plan)};
    mine.a = mine.ring + ring_floats(plan);
    mine.da = mine.a + a_floats(plan);
    zero_around(&plan->ring, plan->group_blocks, mine.ring);
    zero_around(&plan->a, plan->group_blocks, mine.a);
    return mine;
}

/* One block of w [r][r][padded] -> [block][r][r][16]. */
static void pack_block(const struct plan *plan, const float *w, size_t b, float *packed)
{
    for (size_t i = 0; i < plan->taps; i++)
        memcpy(packed + (b * plan->taps + i) * CHANNEL_BLOCK,
               w + i * plan->padded + b * CHANNEL_BLOCK, CHANNEL_BLOCK * sizeof(*w));
}

/* Some blocks of one image: the unit of work, and the part of the rings it needs. */
struct piece {
    size_t image, chunk, block, blocks;
};

static struct depthwise_fill fill_to(const struct plan *plan, const struct piece *piece,
                                     const struct rows *layout, float *rows,
                                     size_t slot, int columns)
{
    return (struct depthwise_fill){.columns = columns,
                                   .padded = plan->padded,
                                   .lanes = piece->blocks * CHANNEL_BLOCK,
                                   .to = rows + slot * layout->row +
                                         layout->left * CHANNEL_BLOCK,
                                   .block = layout->block};
}

/* The first channel of the piece in row `row` of a tensor of this height and width. */
static size_t row_start(const struct plan *plan, const struct piece *piece, int height,
                        int width, int row)
{
    return (piece->image * (size_t)height + (size_t)row) * (size_t)width *
               plan->padded +
           piece->block * CHANNEL_BLOCK;
}

static void fill_input_row(const struct plan *plan, const struct piece *piece,
                           const struct source *x, int row, const struct rows *layout,
                           float *rows, size_t slot)
{
    const size_t c = piece->block * CHANNEL_BLOCK;
    const struct depthwise_fill fill =
        fill_to(plan, piece, layout, rows, slot, plan->in.w);
    const struct source from = {
        .z = x->z + row_start(plan, piece, plan->in.h, plan->in.w, row),
        .scale = x->scale ? x->scale + c : NULL,
        .shift = x->scale ? x->shift + c : NULL,
        .act = x->act};
    kernels()->fill_activated(&fill, &from);
}

static void fill_gradient_row(const struct plan *plan, const struct piece *piece,
                              const struct gradient *dz, int row, float *ring)
{
    const size_t c = piece->block * CHANNEL_BLOCK,
                 at = row_start(plan, piece, plan->p, plan->q, row);
    const struct depthwise_fill fill =
        fill_to(plan, piece, &plan->ring, ring, (size_t)row % plan->ring.rows, plan->q);
    const struct gradient from = {.g = dz->g + at,
                                  .z = dz->z + at,
                                  .ca = dz->ca + c,
                                  .cb = dz->cb + c,
                                  .cc = dz->cc + c,
                                  .mean = dz->mean + c};
    kernels()->fill_gradient(&fill, &from);
}

/* Output row p meets the input's rows p*stride - r/2 + i that exist. */
static struct depthwise_row forward_row(const struct plan *plan, int p)
{
    const int top = p * plan->stride - plan->r / 2;
    struct depthwise_row row = {.first = top < 0 ? -top : 0, .step = 1};
    for (int i = row.first; i < plan->r && top + i < plan->in.h; i++)
        row.from[row.taps++] = (size_t)(top + i) % plan->ring.rows * plan->ring.row;
    return row;
}

/* Input row h is met by row i of the kernel at output row (h + r/2 - i) / stride. */
static struct depthwise_row backward_row(const struct plan *plan, int h)
{
    const int top = h + plan->r / 2;
    struct depthwise_row row = {.first = top % plan->stride, .step = plan->stride};
    while ((top - row.first) / plan->stride >= plan->p)
        row.first += plan->stride;
    for (int i = row.first; i < plan->r && i <= top; i += plan->stride)
        row.from[row.taps++] =
            (size_t)((top - i) / plan->stride) % plan->ring.rows * plan->ring.row;
    return row;
}

/* The sums of a chunk of images, for blocks [begin, end), start from zero. */
static void zero_sums(const struct plan *plan, const struct shared *shared,
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
    const struct plan *plan;
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
                           void work(const struct task *task, const struct piece *piece,
                                     const struct thread_rows *mine))
{
    const struct plan *plan = task->plan;
#pragma omp parallel
    {
        const struct thread_rows mine = thread_rows_of(plan, task->shared);
#pragma omp for schedule(static)
        for (size_t b = 0; b < plan->blocks; b++)
            pack_block(plan, task->w, b, task->shared->w);
#pragma omp for schedule(static)
        for (size_t i = 0; i < plan->images * plan->parts; i++) {
            const size_t chunk = i / plan->parts, part = i % plan->parts,
                         end = chunk_begin(plan->n, plan->images, chunk + 1),
                         first = chunk_begin(plan->blocks, plan->parts, part),
                         last = chunk_begin(plan->blocks, plan->parts, part + 1);
            zero_sums(plan, task->shared, chunk, first, last);
            for (size_t n = chunk_begin(plan->n, plan->images, chunk); n < end; n++)
                for (size_t b = first; b < last; b += plan->group_blocks) {
                    const size_t left = last - b;
                    const struct piece piece = {.image = n,
                                                .chunk = chunk,
                                                .block = b,
                                                .blocks = left < plan->group_blocks
                                                              ? left
                                                              : plan->group_blocks};
                    work(task, &piece, &mine);
                }
        }
    }
}

static void forward_group(const struct task *task, const struct piece *piece,
                          const float *ring, int p, int rows)
{
    const struct plan *plan = task->plan;
    struct depthwise_row row[DEPTHWISE_ROWS];
    for (int i = 0; i < rows; i++)
        row[i] = forward_row(plan, p + i);
    double *sum = task->shared->sums + piece->chunk * 2 * plan->padded;
    const struct moments *moments = task->moments;
    struct depthwise_forward_run run = {.rows = rows,
                                        .columns = plan->q,
                                        .tile = plan->tile,
                                        .row = row,
                                        .z_row = (size_t)plan->q * plan->padded,
                                        .z_column = plan->padded};
    for (size_t b = 0; b < piece->blocks; b++) {
        const size_t block = piece->block + b, c = block * CHANNEL_BLOCK;
        run.a = ring + b * plan->ring.block;
        run.w = task->shared->w + block * plan->taps * CHANNEL_BLOCK;
        run.z =
            task->z + row_start(plan, piece, plan->p, plan->q, p) + b * CHANNEL_BLOCK;
        if (moments && moments->sum) {
            run.centre = moments->centre ? moments->centre + c : NULL;
            run.sum = sum + c;
            run.square = sum + plan->padded + c;
        }
        kernels()->forward[plan->r / 2 - 1][plan->stride - 1](&run);
    }
}

static void forward_piece(const struct task *task, const struct piece *piece,
                          const struct thread_rows *mine)
{
    const struct plan *plan = task->plan;
    int filled = 0;
    for (int p = 0; p < plan->p; p += plan->group) {
        const int rows = smaller(plan->group, plan->p - p);
        const int bottom = (p + rows - 1) * plan->stride - plan->r / 2 + plan->r;
        for (; filled < smaller(bottom, plan->in.h); filled++)
            fill_input_row(plan, piece, task->x, filled, &plan->ring, mine->ring,
                           (size_t)filled % plan->ring.rows);
        forward_group(task, piece, mine->ring, p, rows);
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
    const struct plan plan = plan_forward(in, r, stride);
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
static void sink_rows(const struct task *task, const struct piece *piece, size_t block,
                      int h, int rows, const float *da)
{
    const struct plan *plan = task->plan;
    const struct source *x = task->x;
    const struct sink *dx = task->dx;
    const size_t c = block * CHANNEL_BLOCK,
                 at = row_start(plan, piece, plan->in.h, plan->in.w, h) + c -
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

static void backward_group(const struct task *task, const struct piece *piece,
                           const struct thread_rows *mine, int h, int rows)
{
    const struct plan *plan = task->plan;
    struct depthwise_row row[DEPTHWISE_ROWS];
    for (int i = 0; i < rows; i++)
        row[i] = backward_row(plan, h + i);
    struct depthwise_backward_run run = {.rows = rows,
                                         .columns = plan->in.w,
                                         .tile = plan->tile,
                                         .row = row,
                                         .a_row = plan->a.row,
                                         .da = mine->da,
                                         .da_row = plan->da.row};
    const size_t weights = plan->taps * CHANNEL_BLOCK;
    for (size_t b = 0; b < piece->blocks; b++) {
        const size_t block = piece->block + b;
        run.dz = mine->ring + b * plan->ring.block;
        run.a = mine->a + b * plan->a.block;
        run.w = task->shared->w + block * weights;
        run.dw = task->shared->dw + (piece->chunk * plan->blocks + block) * weights;
        kernels()->backward[plan->r / 2 - 1][plan->stride - 1](&run);
        sink_rows(task, piece, block, h, rows, mine->da);
    }
}

static void backward_piece(const struct task *task, const struct piece *piece,
                           const struct thread_rows *mine)
{
    const struct plan *plan = task->plan;
    int filled = 0;
    for (int h = 0; h < plan->in.h; h += plan->group) {
        const int rows = smaller(plan->group, plan->in.h - h);
        const int bottom = (h + rows - 1 + plan->r / 2) / plan->stride + 1;
        for (; filled < smaller(bottom, plan->p); filled++)
            fill_gradient_row(plan, piece, task->dz, filled, mine->ring);
        for (int i = 0; i < rows; i++)
            fill_input_row(plan, piece, task->x, h + i, &plan->a, mine->a, (size_t)i);
        backward_group(task, piece, mine, h, rows);
    }
}

/* dw [r][r][padded] = the chunks' sums, in their order. */
static void combine_weights(const struct plan *plan, const float *partial, float *dw)
{
    const size_t weights = plan->taps * CHANNEL_BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < plan->blocks; b++)
        kernels()->combine(plan->images, plan->blocks * weights, (int)plan->taps,
                           plan->padded, partial + b * weights, dw + b * CHANNEL_BLOCK);
}

void depthwise_backward(struct shape in, int r, int stride, const struct gradient *dz,
                        const struct source *x, const float *w, float *dw,
                        const struct sink *dx, struct arena *scratch)
{
    check_source(x);
    BUG_IF(dx->gate_sum || (x->scale && !dx->sum_g));
    const struct plan plan = plan_backward(in, r, stride);
    const size_t mark = arena_mark(scratch);
    const struct shared shared = take_shared(&plan, scratch, true);
    const struct task task = {
        .plan = &plan, .shared = &shared, .x = x, .w = w, .dz = dz, .dx = dx};
    for_each_piece(&task, backward_piece);
    combine_weights(&plan, shared.dw, dw);
    if (dx->sum_g) {
        combine_chunks(plan.images, 2 * plan.padded, plan.padded, shared.sums,
                       dx->sum_g);
        combine_chunks(plan.images, 2 * plan.padded, plan.padded,
                       shared.sums + plan.padded, dx->sum_gz);
    }
    arena_release(scratch, mark);
}
