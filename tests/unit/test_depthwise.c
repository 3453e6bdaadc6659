#include <omp.h>
#include <signal.h>

#include "ref/depthwise_ref.h"
#include "ref/gradient.h"
#include "tensor/depthwise.h"
#include "unit/child.h"
#include "unit/tensors.h"

/* As an activation: the source is a plain tensor. */
#define PLAIN ACT_COUNT

/* What an example has: a gradient to add, sums of a plain source, a centre. */
enum { ADD = 1, SUMS = 2, CENTRE = 4 };

struct example {
    struct shape in;
    int r, stride;
    enum activation act;
    int with;
};

/* Every kernel and activation; images smaller than the kernel; more images than chunks,
 * fewer images than chunks; more rows than a group, more blocks than fit at a time. */
static const struct example examples[] = {
    {{1, 1, 1, 1}, 7, 1, PLAIN, SUMS},
    {{1, 1, 1, 17}, 3, 2, ACT_RELU, CENTRE},
    {{2, 1, 1, 40}, 5, 1, ACT_SWISH, 0},
    {{3, 2, 2, 40}, 7, 2, ACT_RELU6, CENTRE},
    {{3, 4, 4, 20}, 7, 1, ACT_HSWISH, CENTRE},
    {{1, 4, 4, 300}, 5, 2, ACT_NONE, CENTRE},
    {{5, 7, 7, 72}, 7, 1, ACT_RELU6, CENTRE},
    {{17, 7, 7, 20}, 3, 1, ACT_RELU, 0},
    {{33, 3, 5, 8}, 5, 1, ACT_SWISH, CENTRE},
    {{4, 14, 14, 40}, 5, 1, ACT_RELU, CENTRE},
    {{2, 14, 13, 33}, 7, 2, ACT_HSWISH, 0},
    {{2, 28, 28, 16}, 3, 1, PLAIN, ADD | SUMS | CENTRE},
    {{2, 28, 28, 96}, 5, 1, ACT_RELU, 0},
    {{2, 29, 27, 17}, 3, 2, PLAIN, ADD},
    {{1, 27, 30, 24}, 5, 2, PLAIN, SUMS},
    {{1, 32, 19, 48}, 7, 1, PLAIN, 0},
    {{1, 57, 56, 120}, 7, 1, ACT_RELU6, 0},
    {{1, 40, 112, 96}, 3, 2, ACT_RELU, 0},
    {{20, 1, 9, 30}, 3, 1, ACT_HSWISH, 0},
    {{2, 40, 1, 30}, 7, 2, ACT_RELU, CENTRE},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

static struct shape shape_out(const struct example *e)
{
    return (struct shape){e->in.n, conv_out(e->in.h, e->r, e->stride),
                          conv_out(e->in.w, e->r, e->stride), e->in.c};
}

static size_t weights(const struct example *e)
{
    return (size_t)(e->r * e->r) * channels_padded(e->in.c);
}

static enum activation source_act(const struct example *e)
{
    return e->act == PLAIN ? ACT_NONE : e->act;
}

static bool has_sums(const struct example *e)
{
    return e->act != PLAIN || (e->with & SUMS);
}

/* Every operand; those that an example does without are NULL. */
struct operands {
    float *x, *scale, *shift, *w, *centre;
    float *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    float *add, *sink_z, *mean;
};

/* The same in double, as the references take them. */
struct doubles {
    double *x, *scale, *shift, *w, *centre;
    double *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    double *add, *sink_z, *mean;
};

/* A float u and a double u may fall on two sides of a kink. */
static void keep_off_kinks(const struct example *e, const struct operands *o)
{
    const size_t padded = channels_padded(e->in.c);
    for (size_t i = 0; i < shape_pixels(e->in); i++)
        for (size_t c = 0; c < (size_t)e->in.c; c++)
            for (int kink = -3; kink <= 6; kink += 3) {
                float *z = &o->x[i * padded + c];
                const double u = (double)o->scale[c] * (double)*z + (double)o->shift[c];
                if (fabs(u - kink) < 2e-3)
                    *z += 0.01f;
            }
}

static struct operands draw_operands(const struct example *e)
{
    const int c = e->in.c;
    const size_t in_pixels = shape_pixels(e->in),
                 out_pixels = shape_pixels(shape_out(e));
    struct operands o = {
        .x = drawn_rows(in_pixels, c, -5, 5),
        .w = drawn_rows((size_t)(e->r * e->r), c, -1, 1),
        .dz_g = drawn_rows(out_pixels, c, -1, 1),
        .dz_z = drawn_rows(out_pixels, c, -2, 2),
        .ca = drawn_rows(1, c, 0.5, 1.5),
        .cb = drawn_rows(1, c, -0.1, 0.1),
        .cc = drawn_rows(1, c, -0.1, 0.1),
        .dz_mean = drawn_rows(1, c, -1, 1),
        .mean = drawn_rows(1, c, -1, 1),
    };
    if (e->act != PLAIN) {
        o.scale = drawn_rows(1, c, 0.5, 1.5);
        o.shift = drawn_rows(1, c, -1, 1);
        keep_off_kinks(e, &o);
    }
    if (e->with & CENTRE)
        o.centre = drawn_rows(1, c, -1, 1);
    if (e->with & ADD)
        o.add = drawn_rows(in_pixels, c, -1, 1);
    if (e->act == PLAIN && (e->with & SUMS))
        o.sink_z = drawn_rows(in_pixels, c, -2, 2);
    return o;
}

static struct doubles in_double(const struct example *e, const struct operands *o)
{
    const size_t c = channels_padded(e->in.c), in = shape_floats(e->in),
                 out = shape_floats(shape_out(e));
    return (struct doubles){ref_doubles(o->x, in),      ref_doubles(o->scale, c),
                            ref_doubles(o->shift, c),   ref_doubles(o->w, weights(e)),
                            ref_doubles(o->centre, c),  ref_doubles(o->dz_g, out),
                            ref_doubles(o->dz_z, out),  ref_doubles(o->ca, c),
                            ref_doubles(o->cb, c),      ref_doubles(o->cc, c),
                            ref_doubles(o->dz_mean, c), ref_doubles(o->add, in),
                            ref_doubles(o->sink_z, in), ref_doubles(o->mean, c)};
}

/* A struct of nothing but pointers to free. */
static void free_all(void *pointers, size_t size)
{
    void **all = pointers;
    for (size_t i = 0; i < size / sizeof(*all); i++)
        free(all[i]);
}

/* --- the kernel's side -------------------------------------------------------------
 */

struct results {
    float *z, *dw, *g;
    double *sum, *square, *sum_g, *sum_gz;
};

static struct results new_results(const struct example *e)
{
    const size_t c = channels_padded(e->in.c);
    return (struct results){nan_floats(shape_floats(shape_out(e))),
                            nan_floats(weights(e)),
                            nan_floats(shape_floats(e->in)),
                            nan_doubles(c),
                            nan_doubles(c),
                            nan_doubles(c),
                            nan_doubles(c)};
}

/* An arena that stands anywhere, full of NaN. */
static struct arena *dirty_arena(size_t bytes)
{
    struct arena *arena = arena_create(bytes + (1 << 20));
    const size_t mark = arena_mark(arena), floats = (bytes + (1 << 19)) / sizeof(float);
    float *x = arena_floats(arena, floats);
    for (size_t i = 0; i < floats; i++)
        x[i] = NAN;
    arena_release(arena, mark);
    arena_take(arena, (size_t)drawn(1, 10000));
    return arena;
}

static struct source source_of(const struct example *e, const struct operands *o)
{
    return (struct source){o->x, o->scale, o->shift, NULL, source_act(e)};
}

static struct sink sink_of(const struct example *e, const struct operands *o,
                           const struct results *r)
{
    return (struct sink){.g = r->g,
                         .add = o->add,
                         .z = o->sink_z,
                         .mean = o->mean,
                         .sum_g = has_sums(e) ? r->sum_g : NULL,
                         .sum_gz = has_sums(e) ? r->sum_gz : NULL};
}

static struct results run(const struct example *e, const struct operands *o,
                          int threads)
{
    omp_set_num_threads(threads);
    struct results r = new_results(e);
    struct arena *scratch = dirty_arena(depthwise_scratch(e->in, e->r, e->stride));
    const size_t mark = arena_mark(scratch);
    const struct source x = source_of(e, o);
    const struct moments moments = {o->centre, r.sum, r.square};
    const struct gradient dz = {o->dz_g, o->dz_z, o->ca, o->cb, o->cc, o->dz_mean};
    const struct sink dx = sink_of(e, o, &r);
    depthwise_forward(e->in, e->r, e->stride, &x, o->w, r.z, &moments, scratch);
    depthwise_backward(e->in, e->r, e->stride, &dz, &x, o->w, r.dw, &dx, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    arena_free(scratch);
    return r;
}

/* --- the reference's side ----------------------------------------------------------
 */

struct expected {
    double *z, *dw, *g, *sum, *square, *sum_g, *sum_gz;
};

static struct expected new_expected(const struct example *e)
{
    const size_t c = channels_padded(e->in.c);
    return (struct expected){memory_zeroed(shape_floats(shape_out(e)), sizeof(double)),
                             memory_zeroed(weights(e), sizeof(double)),
                             memory_zeroed(shape_floats(e->in), sizeof(double)),
                             memory_zeroed(c, sizeof(double)),
                             memory_zeroed(c, sizeof(double)),
                             memory_zeroed(c, sizeof(double)),
                             memory_zeroed(c, sizeof(double))};
}

static struct source_ref source_ref_of(const struct example *e, const struct doubles *d)
{
    return (struct source_ref){d->x, d->scale, d->shift, NULL, source_act(e)};
}

static void reference(const struct example *e, const struct doubles *d,
                      const struct expected *to)
{
    const struct source_ref x = source_ref_of(e, d);
    const struct moments_ref moments = {d->centre, to->sum, to->square};
    const struct gradient_ref dz = {d->dz_g, d->dz_z, d->ca, d->cb, d->cc, d->dz_mean};
    const struct sink_ref dx = {.g = to->g,
                                .add = d->add,
                                .z = d->sink_z,
                                .mean = d->mean,
                                .sum_g = has_sums(e) ? to->sum_g : NULL,
                                .sum_gz = has_sums(e) ? to->sum_gz : NULL};
    depthwise_ref_forward(e->in, e->r, e->stride, &x, d->w, to->z, &moments);
    depthwise_ref_backward(e->in, e->r, e->stride, &dz, &x, d->w, to->dw, &dx);
}

/* |a| <= |scale z| + |shift|, and |dz| <= the sum of its three terms' magnitudes. */
static double *source_magnitudes(const struct example *e, const struct doubles *d)
{
    double *a = memory_zeroed(shape_floats(e->in), sizeof(*a));
    for (size_t i = 0; i < shape_floats(e->in); i++) {
        const size_t c = i % channels_padded(e->in.c);
        a[i] =
            d->scale ? fabs(d->scale[c] * d->x[i]) + fabs(d->shift[c]) : fabs(d->x[i]);
    }
    return a;
}

static double *gradient_magnitudes(const struct example *e, const struct doubles *d)
{
    const size_t floats = shape_floats(shape_out(e));
    double *dz = memory_zeroed(floats, sizeof(*dz));
    for (size_t i = 0; i < floats; i++) {
        const size_t c = i % channels_padded(e->in.c);
        dz[i] = fabs(d->ca[c] * d->dz_g[i]) +
                fabs(d->cb[c]) * (fabs(d->dz_z[i]) + fabs(d->dz_mean[c])) +
                fabs(d->cc[c]);
    }
    return dz;
}

/* The same products and sums of the operands' magnitudes. */
static void multiply_magnitudes(const struct example *e, const struct doubles *d,
                                const struct expected *to)
{
    const size_t padded = channels_padded(e->in.c);
    double *w = memory_zeroed(weights(e), sizeof(*w));
    double *one = memory_zeroed(padded, sizeof(*one)),
           *zero = memory_zeroed(padded, sizeof(*zero));
    double *a = source_magnitudes(e, d), *g = gradient_magnitudes(e, d);
    for (size_t i = 0; i < weights(e); i++)
        w[i] = fabs(d->w[i]);
    for (size_t c = 0; c < padded; c++)
        one[c] = 1;
    const struct source_ref x = {.z = a, .act = ACT_NONE};
    const struct gradient_ref dz = {g, g, one, zero, zero, zero};
    const struct sink_ref da = {.g = to->g};
    depthwise_ref_forward(e->in, e->r, e->stride, &x, w, to->z, NULL);
    depthwise_ref_backward(e->in, e->r, e->stride, &dz, &x, w, to->dw, &da);
    double *all[] = {w, one, zero, a, g};
    free_all(all, sizeof(all));
}

/* How large the terms are that make each number. The slopes of the activations are at
 * most 1.2, and off by no more than the error of their argument. */
static void magnitudes(const struct example *e, const struct doubles *d,
                       const struct expected *to)
{
    multiply_magnitudes(e, d, to);
    const size_t padded = channels_padded(e->in.c);
    for (size_t i = 0; i < shape_floats(shape_out(e)); i++) {
        const double z = to->z[i] + (d->centre ? fabs(d->centre[i % padded]) : 0);
        to->sum[i % padded] += z;
        to->square[i % padded] += 2 * z * z;
    }
    double *a = source_magnitudes(e, d);
    const double *z = e->act == PLAIN ? d->sink_z : d->x;
    for (size_t i = 0; i < shape_floats(e->in); i++) {
        if (e->act != PLAIN)
            to->g[i] *= 1.2 + a[i];
        if (d->add)
            to->g[i] += fabs(d->add[i]);
        to->sum_g[i % padded] += to->g[i];
        if (has_sums(e))
            to->sum_gz[i % padded] +=
                to->g[i] * (fabs(z[i]) + fabs(d->mean[i % padded]));
    }
    free(a);
}

/* --- the claims --------------------------------------------------------------------
 */

/* Rounding is 6e-8 a step, and of a hundred steps not all go the same way. */
static const double tolerance = 2e-6;

static void compare(const struct example *e, const struct results *r,
                    const struct expected *right, const struct expected *size)
{
    const size_t c = channels_padded(e->in.c);
    assert_near_all("z", r->z, right->z, size->z, tolerance,
                    shape_floats(shape_out(e)));
    assert_near_all("sum", r->sum, right->sum, size->sum, tolerance, c);
    assert_near_all("square", r->square, right->square, size->square, tolerance, c);
    assert_near_all("dw", r->dw, right->dw, size->dw, tolerance, weights(e));
    assert_near_all("g", r->g, right->g, size->g, tolerance, shape_floats(e->in));
    if (!has_sums(e))
        return;
    assert_near_all("sum_g", r->sum_g, right->sum_g, size->sum_g, tolerance, c);
    assert_near_all("sum_gz", r->sum_gz, right->sum_gz, size->sum_gz, tolerance, c);
}

static void assert_same_bits(const struct example *e, const struct results *a,
                             const struct results *b)
{
    const size_t sums = channels_padded(e->in.c) * sizeof(double);
    assert_memory_equal(a->z, b->z, shape_floats(shape_out(e)) * sizeof(float));
    assert_memory_equal(a->dw, b->dw, weights(e) * sizeof(float));
    assert_memory_equal(a->g, b->g, shape_floats(e->in) * sizeof(float));
    assert_memory_equal(a->sum, b->sum, sums);
    assert_memory_equal(a->square, b->square, sums);
    assert_memory_equal(a->sum_g, b->sum_g, sums);
    assert_memory_equal(a->sum_gz, b->sum_gz, sums);
}

static void check_at_other_thread_counts(const struct example *e,
                                         const struct operands *o,
                                         const struct results *two)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        struct results other = run(e, o, threads);
        assert_same_bits(e, two, &other);
        free_all(&other, sizeof(other));
    }
}

static const char *const isas[] = {"avx512", "avx2", "baseline"};

/* With all kernels that this processor can run. */
static void check(const struct example *e, bool thread_counts)
{
    struct operands o = draw_operands(e);
    struct doubles d = in_double(e, &o);
    struct expected right = new_expected(e), size = new_expected(e);
    reference(e, &d, &right);
    magnitudes(e, &d, &size);
    for (int i = 0; i < 3; i++) {
        if (!tensor_select_isa(isas[i]))
            continue;
        print_message("# %dx%dx%dx%d, kernel %d, stride %d: %s\n", e->in.n, e->in.h,
                      e->in.w, e->in.c, e->r, e->stride, isas[i]);
        struct results two = run(e, &o, 2);
        compare(e, &two, &right, &size);
        if (thread_counts)
            check_at_other_thread_counts(e, &o, &two);
        free_all(&two, sizeof(two));
    }
    free_all(&right, sizeof(right));
    free_all(&size, sizeof(size));
    free_all(&d, sizeof(d));
    free_all(&o, sizeof(o));
}

static void it_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    for (int i = 0; i < EXAMPLES; i++)
        check(&examples[i], true);
}

/* Tiles of each width, whole and in part; the height turns with it. */
static void every_width_from_1_to_20_agrees(void **state)
{
    (void)state;
    for (int w = 1; w <= 20; w++)
        for (int r = 3; r <= 7; r += 2)
            for (int stride = 1; stride <= 2; stride++) {
                const struct example e = {
                    {1, 21 - w, w, 17}, r, stride, ACT_RELU, CENTRE};
                check(&e, false);
            }
}

/* Wherever the arena stands, and with more threads than this machine may have. */
static void scratch_is_never_more_than_was_said(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads += 3)
        for (int i = 0; i < EXAMPLES; i++) {
            const struct example *e = &examples[i];
            omp_set_num_threads(threads);
            const size_t said = depthwise_scratch(e->in, e->r, e->stride);
            struct operands o = draw_operands(e);
            struct results r = new_results(e);
            struct arena *scratch = arena_create(said + (1 << 16));
            arena_take(scratch, (size_t)drawn(1, 10000));
            const size_t before = arena_peak(scratch);
            const struct source x = source_of(e, &o);
            const struct moments moments = {o.centre, r.sum, r.square};
            const struct gradient dz = {o.dz_g, o.dz_z, o.ca, o.cb, o.cc, o.dz_mean};
            const struct sink dx = sink_of(e, &o, &r);
            depthwise_forward(e->in, e->r, e->stride, &x, o.w, r.z, &moments, scratch);
            depthwise_backward(e->in, e->r, e->stride, &dz, &x, o.w, r.dw, &dx,
                               scratch);
            assert_true(arena_peak(scratch) - before <= said);
            arena_free(scratch);
            free_all(&o, sizeof(o));
            free_all(&r, sizeof(r));
        }
}

/* Worked by hand: 3x3 on a 2x2 image of 1, 2 / 3, 4 with w = 1 ... 9. The first output
 * meets w 5, 6 / 8, 9: 5 + 12 + 24 + 36 = 77, and so on. */
static void two_by_two_pixels_come_out_as_by_hand(void **state)
{
    (void)state;
    const struct shape in = {1, 2, 2, 1};
    float x[4 * CHANNEL_BLOCK] = {0}, w[9 * CHANNEL_BLOCK] = {0}, z[4 * CHANNEL_BLOCK];
    for (int i = 0; i < 4; i++)
        x[i * CHANNEL_BLOCK] = (float)(i + 1);
    for (int i = 0; i < 9; i++)
        w[i * CHANNEL_BLOCK] = (float)(i + 1);
    struct arena *scratch = arena_create(depthwise_scratch(in, 3, 1));
    const struct source source = {.z = x};
    depthwise_forward(in, 3, 1, &source, w, z, NULL, scratch);
    const float expected[] = {77, 67, 47, 37};
    for (int i = 0; i < 4; i++)
        assert_true(z[i * CHANNEL_BLOCK] == expected[i]);
    arena_free(scratch);
}

/* Mean 1000, deviation 1: of a float square's seven digits none would be left. */
static void moments_about_a_centre_keep_their_digits(void **state)
{
    (void)state;
    const struct shape in = {4, 20, 20, 1};
    float *x = drawn_rows(shape_pixels(in), 1, 998, 1002);
    float *z = nan_floats(shape_floats(in));
    float w[9 * CHANNEL_BLOCK] = {0}, centre[CHANNEL_BLOCK] = {999};
    double sum[CHANNEL_BLOCK], square[CHANNEL_BLOCK], right_sum = 0, right_square = 0;
    w[4 * CHANNEL_BLOCK] = 1; /* the middle alone */
    for (size_t i = 0; i < shape_pixels(in); i++) {
        const double d = (double)x[i * CHANNEL_BLOCK] - 999;
        right_sum += d;
        right_square += d * d;
    }
    struct arena *scratch = arena_create(depthwise_scratch(in, 3, 1));
    const struct source source = {.z = x};
    const struct moments moments = {centre, sum, square};
    depthwise_forward(in, 3, 1, &source, w, z, &moments, scratch);
    assert_true(fabs(sum[0] / right_sum - 1) < 1e-6);
    assert_true(fabs(square[0] / right_square - 1) < 1e-6);
    arena_free(scratch);
    free(x);
    free(z);
}

/* One bad number in the middle of 5x5 pixels: the 3x3 around it is bad, the rest not.
 */
static void assert_spreads(enum activation act, float bad)
{
    const struct shape in = {1, 5, 5, 3};
    float *x = drawn_rows(25, 3, -1, 1), *w = drawn_rows(9, 3, 0.5, 1);
    float *scale = drawn_rows(1, 3, 1, 2), *shift = drawn_rows(1, 3, 1, 2);
    float *z = nan_floats(shape_floats(in));
    double sum[CHANNEL_BLOCK], square[CHANNEL_BLOCK];
    x[12 * CHANNEL_BLOCK + 1] = bad;
    struct arena *scratch = arena_create(depthwise_scratch(in, 3, 1));
    const struct source source = {x, scale, shift, NULL, act};
    const struct moments moments = {NULL, sum, square};
    depthwise_forward(in, 3, 1, &source, w, z, &moments, scratch);
    for (int i = 0; i < 25; i++)
        for (int c = 0; c < 3; c++) {
            const bool near = abs(i / 5 - 2) <= 1 && abs(i % 5 - 2) <= 1 && c == 1;
            assert_int_equal(!isfinite(z[i * CHANNEL_BLOCK + c]), near);
        }
    assert_false(isfinite(sum[1]));
    assert_true(isfinite(sum[0]) && isfinite(sum[2]));
    arena_free(scratch);
    void *all[] = {x, w, scale, shift, z};
    free_all(all, sizeof(all));
}

static void nan_and_infinity_reach_the_output(void **state)
{
    (void)state;
    static const enum activation acts[] = {ACT_NONE, ACT_RELU, ACT_RELU6, ACT_HSWISH,
                                           ACT_SWISH};
    for (int i = 0; i < 3; i++)
        for (int a = 0; tensor_select_isa(isas[i]) && a < 5; a++) {
            assert_spreads(acts[a], NAN);
            if (acts[a] != ACT_RELU6) /* which makes 6 of it */
                assert_spreads(acts[a], INFINITY);
        }
}

static void nan_in_the_gradient_reaches_both_gradients(void **state)
{
    (void)state;
    const struct example e = {{1, 5, 5, 3}, 3, 1, ACT_NONE, 0};
    for (int i = 0; i < 3; i++) {
        if (!tensor_select_isa(isas[i]))
            continue;
        struct operands o = draw_operands(&e);
        o.dz_g[12 * CHANNEL_BLOCK + 1] = NAN;
        struct results r = run(&e, &o, 2);
        assert_true(isnan(r.dw[4 * CHANNEL_BLOCK + 1]));
        assert_true(isnan(r.g[12 * CHANNEL_BLOCK + 1]));
        assert_true(isnan(r.sum_g[1]) && isnan(r.sum_gz[1]));
        assert_true(isfinite(r.dw[4 * CHANNEL_BLOCK]));
        assert_true(isfinite(r.g[0]));
        free_all(&o, sizeof(o));
        free_all(&r, sizeof(r));
    }
}

/* The residual's gradient is added in place. */
static void the_added_gradient_may_lie_where_the_sum_goes(void **state)
{
    (void)state;
    const struct example *e = &examples[11];
    assert_true(e->with == (ADD | SUMS | CENTRE));
    struct operands o = draw_operands(e);
    struct results apart = run(e, &o, 2), in_place = new_results(e);
    struct arena *scratch = arena_create(depthwise_scratch(e->in, e->r, e->stride));
    const struct source x = source_of(e, &o);
    const struct gradient dz = {o.dz_g, o.dz_z, o.ca, o.cb, o.cc, o.dz_mean};
    struct sink dx = sink_of(e, &o, &in_place);
    dx.g = o.add;
    depthwise_backward(e->in, e->r, e->stride, &dz, &x, o.w, in_place.dw, &dx, scratch);
    assert_memory_equal(o.add, apart.g, shape_floats(e->in) * sizeof(float));
    assert_memory_equal(in_place.sum_gz, apart.sum_gz,
                        channels_padded(e->in.c) * sizeof(double));
    arena_free(scratch);
    free_all(&apart, sizeof(apart));
    free_all(&in_place, sizeof(in_place));
    free_all(&o, sizeof(o));
}

static int read_from(const void *source)
{
    const struct shape in = {1, 3, 3, 1};
    float w[9 * CHANNEL_BLOCK] = {0}, z[9 * CHANNEL_BLOCK];
    struct arena *scratch = arena_create(depthwise_scratch(in, 3, 1));
    depthwise_forward(in, 3, 1, source, w, z, NULL, scratch);
    arena_free(scratch);
    return 0;
}

/* The padding would not stay zero; and who multiplies by a gate is the project
 * convolution. */
static void a_source_that_it_cannot_read_is_a_bug(void **state)
{
    (void)state;
    float x[9 * CHANNEL_BLOCK] = {0}, one[CHANNEL_BLOCK] = {1};
    const struct source readable = {x, one, one, NULL, ACT_SWISH},
                        sigmoid = {x, one, one, NULL, ACT_SIGMOID},
                        hsigmoid = {x, one, one, NULL, ACT_HSIGMOID},
                        gated = {x, one, one, one, ACT_RELU};
    omp_set_num_threads(1); /* in a forked child there are no others */
    assert_int_equal(child_run(read_from, &readable).code, 0);
    assert_int_equal(child_run(read_from, &sigmoid).signal, SIGABRT);
    assert_int_equal(child_run(read_from, &hsigmoid).signal, SIGABRT);
    assert_int_equal(child_run(read_from, &gated).signal, SIGABRT);
}

/* --- the reference itself ----------------------------------------------------------
 */

struct differentiated {
    const struct example *e;
    const struct doubles *d;
};

/* The variables lie in the context: x or w of `d`. */
static void z_of_doubles(const double *variables, double *z, void *context)
{
    (void)variables;
    const struct differentiated *f = context;
    const struct source_ref x = source_ref_of(f->e, f->d);
    depthwise_ref_forward(f->e->in, f->e->r, f->e->stride, &x, f->d->w, z, NULL);
}

/* dz is g, and scale 1: the gradients are those of L = sum g * z by x and w. */
static void check_slopes(const struct example *e)
{
    struct operands o = draw_operands(e);
    for (int c = 0; c < e->in.c; c++) {
        o.ca[c] = 1;
        o.cb[c] = o.cc[c] = 0;
        if (o.scale)
            o.scale[c] = 1;
    }
    if (o.scale)
        keep_off_kinks(e, &o);
    struct doubles d = in_double(e, &o);
    struct expected found = new_expected(e);
    struct differentiated f = {e, &d};
    const size_t outputs = shape_floats(shape_out(e));
    reference(e, &d, &found);
    assert_true(gradient_error(z_of_doubles, &f, weights(e), d.w, outputs, d.dz_g,
                               found.dw) < 1e-7);
    assert_true(gradient_error(z_of_doubles, &f, shape_floats(e->in), d.x, outputs,
                               d.dz_g, found.g) < 1e-7);
    free_all(&o, sizeof(o));
    free_all(&d, sizeof(d));
    free_all(&found, sizeof(found));
}

static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    static const struct example small[] = {
        {{2, 3, 4, 3}, 3, 1, ACT_RELU, 0},   {{1, 4, 3, 2}, 5, 1, ACT_RELU6, 0},
        {{1, 5, 4, 2}, 7, 1, ACT_HSWISH, 0}, {{2, 5, 4, 2}, 3, 2, ACT_SWISH, 0},
        {{1, 6, 5, 2}, 5, 2, ACT_NONE, 0},   {{1, 7, 6, 2}, 7, 2, PLAIN, 0},
    };
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++)
        check_slopes(&small[i]);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(two_by_two_pixels_come_out_as_by_hand),
        cmocka_unit_test(it_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(every_width_from_1_to_20_agrees),
        cmocka_unit_test(scratch_is_never_more_than_was_said),
        cmocka_unit_test(moments_about_a_centre_keep_their_digits),
        cmocka_unit_test(nan_and_infinity_reach_the_output),
        cmocka_unit_test(nan_in_the_gradient_reaches_both_gradients),
        cmocka_unit_test(a_source_that_it_cannot_read_is_a_bug),
        cmocka_unit_test(the_added_gradient_may_lie_where_the_sum_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
