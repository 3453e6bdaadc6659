#include "tensor/depthwise_plan.h"

#include <string.h>

#include "base/die.h"
#include "tensor/chunks.h"

enum { RING_BYTES = 400 * 1024 };

const struct depthwise_kernels *depthwise_kernels(void)
{
    static const struct depthwise_kernels *const tables[ISA_COUNT] = {
        [ISA_AVX512] = &depthwise_kernels_avx512,
        [ISA_AVX2] = &depthwise_kernels_avx2,
        [ISA_BASELINE] = &depthwise_kernels_baseline,
    };
    return tables[tensor_isa_index()];
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

static struct block_rows rows_of(size_t rows, size_t left, int width, size_t columns)
{
    struct block_rows layout = {
        .rows = rows, .left = left, .width = (size_t)width, .columns = columns};
    layout.row = columns * CHANNEL_BLOCK;
    /* An odd number of cache lines, so that blocks do not fight for the same sets. */
    layout.block = (rows * columns | 1) * CHANNEL_BLOCK;
    return layout;
}

/* As many rows of as many channel blocks at a time as the rings have room for: all rows
 * of a small image or 4 of a larger one, then all blocks, then more rows. */
static void plan_groups(struct depthwise_plan *plan, int rows, size_t columns,
                        int ring_rows(const struct depthwise_plan *plan, int group))
{
    const size_t bytes = columns * CHANNEL_BLOCK * sizeof(float);
    int group = rows <= DEPTHWISE_ROWS ? rows : 4;
    const size_t part_blocks = (plan->blocks + plan->parts - 1) / plan->parts;
    size_t blocks = RING_BYTES / ((size_t)ring_rows(plan, group) * bytes);
    blocks = blocks < 1 ? 1 : blocks < part_blocks ? blocks : part_blocks;
    const size_t turns = (part_blocks + blocks - 1) / blocks;
    blocks = (part_blocks + turns - 1) / turns;
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
static size_t image_chunks(const struct depthwise_plan *plan)
{
    const size_t most = shape_pixels(plan->in) / (4 * plan->taps),
                 chunks = chunk_count(plan->n);
    return most < 1 ? 1 : most < chunks ? most : chunks;
}

static struct depthwise_plan plan_common(struct shape in, int r, int stride, bool made)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1);
    BUG_IF(r != 3 && r != 5 && r != 7);
    BUG_IF(stride != 1 && stride != 2);
    struct depthwise_plan plan = {
        .in = in, .r = r, .stride = stride, .n = (size_t)in.n};
    plan.p = conv_out(in.h, r, stride);
    plan.q = conv_out(in.w, r, stride);
    plan.padded = channels_padded(in.c);
    plan.blocks = plan.padded / CHANNEL_BLOCK;
    plan.taps = (size_t)(r * r);
    plan.images = image_chunks(&plan);
    plan.parts = made ? 1 : parts_of_image(plan.images, plan.blocks);
    plan.tile = tile_for(plan.q);
    return plan;
}

/* Rows of the input for `group` rows of the output. */
static int forward_ring_rows(const struct depthwise_plan *plan, int group)
{
    return (group - 1) * plan->stride + plan->r;
}

/* Rows of dz for `group` rows of the input. */
static int backward_ring_rows(const struct depthwise_plan *plan, int group)
{
    return (group + plan->r - 2) / plan->stride + 1;
}

struct depthwise_plan depthwise_plan_forward(struct shape in, int r, int stride,
                                             bool made)
{
    struct depthwise_plan plan = plan_common(in, r, stride, made);
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

struct depthwise_plan depthwise_plan_backward(struct shape in, int r, int stride,
                                              bool made)
{
    struct depthwise_plan plan = plan_common(in, r, stride, made);
    const int computed = rounded_up(plan.q, plan.tile);
    const size_t left = (size_t)depthwise_dz_left(r, stride),
                 columns = left + (size_t)(computed + depthwise_dz_right(r, stride));
    /* a's rows count, too, and those of the gradient that is used up. */
    plan_groups(&plan, in.h, columns + (size_t)(computed * stride * (made ? 2 : 1)),
                backward_ring_rows);
    plan.ring =
        rows_of((size_t)backward_ring_rows(&plan, plan.group), left, plan.q, columns);
    plan.a = rows_of((size_t)plan.group, 0, in.w, (size_t)(computed * stride));
    plan.da = rows_of((size_t)plan.group, 0, in.w, (size_t)in.w);
    /* What the last tile writes past the last row; an odd number of lines again. */
    plan.da.block += (size_t)(computed * stride / 2 * 2) * CHANNEL_BLOCK;
    plan.da.block += 2 * CHANNEL_BLOCK;
    return plan;
}

struct depthwise_piece depthwise_piece_of(const struct depthwise_plan *plan,
                                          size_t image, size_t chunk, size_t block,
                                          size_t end)
{
    const size_t left = end - block;
    return (struct depthwise_piece){
        .image = image,
        .chunk = chunk,
        .block = block,
        .blocks = left < plan->group_blocks ? left : plan->group_blocks};
}

void depthwise_zero_around(const struct block_rows *layout, size_t blocks, float *rows)
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

void depthwise_pack_block(const struct depthwise_plan *plan, const float *w, size_t b,
                          float *packed)
{
    for (size_t i = 0; i < plan->taps; i++)
        memcpy(packed + (b * plan->taps + i) * CHANNEL_BLOCK,
               w + i * plan->padded + b * CHANNEL_BLOCK, CHANNEL_BLOCK * sizeof(*w));
}

struct depthwise_fill depthwise_fill_to(const struct depthwise_plan *plan,
                                        const struct depthwise_piece *piece,
                                        const struct block_rows *layout, float *rows,
                                        size_t slot, int columns)
{
    return (struct depthwise_fill){.columns = columns,
                                   .padded = plan->padded,
                                   .lanes = piece->blocks * CHANNEL_BLOCK,
                                   .to = rows + slot * layout->row +
                                         layout->left * CHANNEL_BLOCK,
                                   .block = layout->block};
}

size_t depthwise_row_start(const struct depthwise_plan *plan,
                           const struct depthwise_piece *piece, int height, int width,
                           int row)
{
    return (piece->image * (size_t)height + (size_t)row) * (size_t)width *
               plan->padded +
           piece->block * CHANNEL_BLOCK;
}

void depthwise_fill_gradient(const struct depthwise_plan *plan,
                             const struct depthwise_piece *piece,
                             const struct gradient *dz, int row, float *ring)
{
    const size_t c = piece->block * CHANNEL_BLOCK,
                 at = depthwise_row_start(plan, piece, plan->p, plan->q, row);
    const struct depthwise_fill fill = depthwise_fill_to(
        plan, piece, &plan->ring, ring, (size_t)row % plan->ring.rows, plan->q);
    const struct gradient from = {.g = dz->g + at,
                                  .z = dz->z + at,
                                  .ca = dz->ca + c,
                                  .cb = dz->cb + c,
                                  .cc = dz->cc + c,
                                  .mean = dz->mean + c};
    depthwise_kernels()->fill_gradient(&fill, &from);
}

/* Output row p meets the input's rows p*stride - r/2 + i that exist. */
static struct depthwise_row row_forward(const struct depthwise_plan *plan, int p)
{
    const int top = p * plan->stride - plan->r / 2;
    struct depthwise_row row = {.first = top < 0 ? -top : 0, .step = 1};
    for (int i = row.first; i < plan->r && top + i < plan->in.h; i++)
        row.from[row.taps++] = (size_t)(top + i) % plan->ring.rows * plan->ring.row;
    return row;
}

/* Input row h is met by row i of the kernel at output row (h + r/2 - i) / stride. */
static struct depthwise_row row_backward(const struct depthwise_plan *plan, int h)
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

struct depthwise_backward_run depthwise_run_backward(const struct depthwise_plan *plan,
                                                     int h, int rows,
                                                     struct depthwise_row *row)
{
    for (int i = 0; i < rows; i++)
        row[i] = row_backward(plan, h + i);
    return (struct depthwise_backward_run){.rows = rows,
                                           .columns = plan->in.w,
                                           .tile = plan->tile,
                                           .row = row,
                                           .a_row = plan->a.row,
                                           .da_row = plan->da.row};
}

void depthwise_forward_rows(const struct depthwise_plan *plan,
                            const struct depthwise_piece *piece, const float *ring,
                            const float *w, int p, int rows, float *z,
                            const struct moments *moments, double *sums)
{
    struct depthwise_row row[DEPTHWISE_ROWS];
    for (int i = 0; i < rows; i++)
        row[i] = row_forward(plan, p + i);
    struct depthwise_forward_run run = {.rows = rows,
                                        .columns = plan->q,
                                        .tile = plan->tile,
                                        .row = row,
                                        .z_row = (size_t)plan->q * plan->padded,
                                        .z_column = plan->padded};
    for (size_t b = 0; b < piece->blocks; b++) {
        const size_t block = piece->block + b, c = block * CHANNEL_BLOCK;
        run.a = ring + b * plan->ring.block;
        run.w = w + block * plan->taps * CHANNEL_BLOCK;
        run.z = z + depthwise_row_start(plan, piece, plan->p, plan->q, p) +
                b * CHANNEL_BLOCK;
        if (moments && moments->sum) {
            run.centre = moments->centre ? moments->centre + c : NULL;
            run.sum = sums + c;
            run.square = sums + plan->padded + c;
        }
        depthwise_kernels()->forward[plan->r / 2 - 1][plan->stride - 1](&run);
    }
}

void depthwise_combine_weights(const struct depthwise_plan *plan, const float *partial,
                               float *dw)
{
    const size_t weights = plan->taps * CHANNEL_BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < plan->blocks; b++)
        depthwise_kernels()->combine(plan->images, plan->blocks * weights,
                                     (int)plan->taps, plan->padded,
                                     partial + b * weights, dw + b * CHANNEL_BLOCK);
}
