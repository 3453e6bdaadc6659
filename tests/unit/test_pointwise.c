#include <omp.h>

#include "ref/act_ref.h"
#include "ref/gradient.h"
#include "ref/pointwise_ref.h"
#include "tensor/pointwise.h"
#include "unit/tensors.h"

#define PLAIN ACT_COUNT /* as an activation: the source is a plain tensor */

/* What an example has. SUMS matters for a plain source only. */
enum { GATE = 1, ADD = 2, SUMS = 4, CENTRE = 8 };

struct example {
    struct shape in;
    int k, stride;
    enum activation act;
    int with;
};

/* One pixel; one channel; odd sizes; several chunks, tiles and panels of each width; a
 * tile that spans images (7x7) and images that span tiles (28x28). */
static const struct example examples[] = {
    {{1, 1, 1, 1}, 1, 1, PLAIN, SUMS},
    {{1, 1, 1, 40}, 17, 1, ACT_RELU6, CENTRE},
    {{3, 1, 1, 65}, 40, 1, ACT_RELU, CENTRE},
    {{5, 7, 7, 40}, 24, 1, ACT_RELU, 0},
    {{5, 7, 7, 96}, 16, 1, ACT_RELU6, CENTRE},
    {{9, 7, 7, 33}, 24, 1, ACT_HSWISH, GATE},
    {{7, 9, 8, 18}, 80, 1, ACT_SWISH, GATE | CENTRE},
    {{2, 28, 28, 17}, 65, 1, ACT_RELU, GATE},
    {{3, 12, 11, 24}, 20, 1, ACT_RELU6, GATE},
    {{4, 14, 14, 24}, 20, 1, ACT_NONE, GATE},
    {{3, 17, 13, 72}, 24, 1, ACT_SWISH, CENTRE},
    {{2, 15, 16, 100}, 35, 1, ACT_HSWISH, 0},
    {{2, 15, 16, 30}, 5, 1, ACT_NONE, CENTRE},
    {{5, 28, 28, 16}, 16, 1, PLAIN, SUMS},
    {{5, 28, 28, 17}, 17, 1, PLAIN, ADD | SUMS | CENTRE},
    {{2, 28, 28, 24}, 144, 1, PLAIN, ADD},
    {{1, 20, 20, 24}, 130, 1, PLAIN, 0},
    {{4, 10, 10, 1200}, 24, 1, ACT_RELU, 0},
    {{2, 9, 7, 24}, 40, 2, PLAIN, ADD | SUMS},
    {{3, 28, 28, 16}, 33, 2, PLAIN, SUMS | CENTRE},
    {{3, 5, 8, 20}, 17, 2, PLAIN, 0},
    {{1, 1, 1, 16}, 16, 2, PLAIN, ADD | SUMS},
    {{2, 1, 6, 12}, 18, 2, PLAIN, ADD},
    {{2, 6, 1, 12}, 18, 2, ACT_RELU, 0},
    {{2, 8, 9, 12}, 18, 2, ACT_HSWISH, GATE},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

static struct shape shape_out(const struct example *e)
{
    return (struct shape){e->in.n, (e->in.h - 1) / e->stride + 1,
                          (e->in.w - 1) / e->stride + 1, e->k};
}

/* Every operand; those an example does without are NULL. */
struct operands {
    float *x, *scale, *shift, *gate, *w, *centre;
    float *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    float *add, *sink_z, *mean;
};

/* A float sum and a double sum may fall on two sides of a kink. */
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
    const struct shape out = shape_out(e);
    const size_t in_pixels = shape_pixels(e->in), out_pixels = shape_pixels(out);
    struct operands o = {
        .x = drawn_rows(in_pixels, e->in.c, -5, 5),
        .w = drawn_rows((size_t)e->k, e->in.c, -1, 1),
        .dz_g = drawn_rows(out_pixels, e->k, -1, 1),
        .dz_z = drawn_rows(out_pixels, e->k, -2, 2),
        .ca = drawn_rows(1, e->k, 0.5, 1.5),
        .cb = drawn_rows(1, e->k, -0.1, 0.1),
        .cc = drawn_rows(1, e->k, -0.1, 0.1),
        .dz_mean = drawn_rows(1, e->k, -1, 1),
        .mean = drawn_rows(1, e->in.c, -1, 1),
    };
    if (e->act != PLAIN) {
        o.scale = drawn_rows(1, e->in.c, 0.5, 1.5);
        o.shift = drawn_rows(1, e->in.c, -1, 1);
        keep_off_kinks(e, &o);
    }
    if (e->with & GATE)
        o.gate = drawn_rows((size_t)e->in.n, e->in.c, 0, 1);
    if (e->with & CENTRE)
        o.centre = drawn_rows(1, e->k, -1, 1);
    if (e->with & ADD)
        o.add = drawn_rows(in_pixels, e->in.c, -1, 1);
    if (e->act == PLAIN && (e->with & SUMS))
        o.sink_z = drawn_rows(in_pixels, e->in.c, -2, 2);
    return o;
}

static void free_operands(struct operands *o)
{
    float **all = (float **)o;
    for (size_t i = 0; i < sizeof(*o) / sizeof(*all); i++)
        free(all[i]);
}

static enum activation source_act(const struct example *e)
{
    return e->act == PLAIN ? ACT_NONE : e->act;
}

static bool has_sums(const struct example *e)
{
    return !(e->with & GATE) && (e->act != PLAIN || (e->with & SUMS));
}

/* --- the kernel's side ------------------------------------------- */

struct results {
    size_t z_floats, dw_floats, g_floats, gate_floats, padded_c, padded_k;
    float *z, *dw, *g, *gate_sum;
    double *sum, *square, *sum_g, *sum_gz;
};

static struct results new_results(const struct example *e)
{
    struct results r = {.padded_c = channels_padded(e->in.c),
                        .padded_k = channels_padded(e->k)};
    r.z_floats = shape_floats(shape_out(e));
    r.dw_floats = (size_t)e->k * r.padded_c;
    r.g_floats = shape_floats(e->in);
    r.gate_floats = (size_t)e->in.n * r.padded_c;
    r.z = nan_floats(r.z_floats);
    r.dw = nan_floats(r.dw_floats);
    r.g = nan_floats(r.g_floats);
    r.gate_sum = nan_floats(r.gate_floats);
    r.sum = nan_doubles(r.padded_k);
    r.square = nan_doubles(r.padded_k);
    r.sum_g = nan_doubles(r.padded_c);
    r.sum_gz = nan_doubles(r.padded_c);
    return r;
}

static void free_results(struct results *r)
{
    float *floats[] = {r->z, r->dw, r->g, r->gate_sum};
    double *doubles[] = {r->sum, r->square, r->sum_g, r->sum_gz};
    for (int i = 0; i < 4; i++) {
        free(floats[i]);
        free(doubles[i]);
    }
}

static struct source source_of(const struct example *e, const struct operands *o)
{
    return (struct source){o->x, o->scale, o->shift, o->gate, source_act(e)};
}

static struct results run(const struct example *e, const struct operands *o,
                          int threads)
{
    omp_set_num_threads(threads);
    struct results r = new_results(e);
    const size_t promised = pointwise_scratch(e->in, e->k, e->stride);
    struct arena *scratch = arena_create(promised + (1 << 20));
    /* Wherever the arena happens to stand. */
    arena_take(scratch, (size_t)drawn(1, 10000));
    const size_t before = arena_peak(scratch), mark = arena_mark(scratch);
    const struct source x = source_of(e, o);
    const struct moments moments = {o->centre, r.sum, r.square};
    pointwise_forward(e->in, e->k, e->stride, &x, o->w, r.z, &moments, scratch);
    const struct gradient dz = {o->dz_g, o->dz_z, o->ca, o->cb, o->cc, o->dz_mean};
    const struct sink dx = {.g = r.g,
                            .add = o->add,
                            .z = o->sink_z,
                            .mean = o->mean,
                            .sum_g = has_sums(e) ? r.sum_g : NULL,
                            .sum_gz = has_sums(e) ? r.sum_gz : NULL,
                            .gate_sum = (e->with & GATE) ? r.gate_sum : NULL};
    pointwise_backward(e->in, e->k, e->stride, &dz, &x, o->w, r.dw, &dx, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    assert_true(arena_peak(scratch) - before <= promised);
    arena_free(scratch);
    return r;
}

/* --- the reference's side ---------------------------------------- */

struct expected {
    double *z, *dw, *g, *gate_sum, *sum, *square, *sum_g, *sum_gz;
};

static struct expected new_expected(const struct results *like)
{
    return (struct expected){memory_zeroed(like->z_floats, sizeof(double)),
                             memory_zeroed(like->dw_floats, sizeof(double)),
                             memory_zeroed(like->g_floats, sizeof(double)),
                             memory_zeroed(like->gate_floats, sizeof(double)),
                             memory_zeroed(like->padded_k, sizeof(double)),
                             memory_zeroed(like->padded_k, sizeof(double)),
                             memory_zeroed(like->padded_c, sizeof(double)),
                             memory_zeroed(like->padded_c, sizeof(double))};
}

/* Every field of a struct that has only such pointers. */
static void free_doubles(void *pointers, size_t size)
{
    double **all = pointers;
    for (size_t i = 0; i < size / sizeof(*all); i++)
        free(all[i]);
}

/* The operands in double, as the references take them. */
struct doubles {
    double *x, *scale, *shift, *gate, *w, *centre;
    double *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    double *add, *sink_z, *mean;
};

static struct doubles in_double(const struct example *e, const struct operands *o)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k);
    const size_t in = shape_floats(e->in), out = shape_floats(shape_out(e));
    return (struct doubles){ref_doubles(o->x, in),
                            ref_doubles(o->scale, c),
                            ref_doubles(o->shift, c),
                            ref_doubles(o->gate, (size_t)e->in.n * c),
                            ref_doubles(o->w, (size_t)e->k * c),
                            ref_doubles(o->centre, k),
                            ref_doubles(o->dz_g, out),
                            ref_doubles(o->dz_z, out),
                            ref_doubles(o->ca, k),
                            ref_doubles(o->cb, k),
                            ref_doubles(o->cc, k),
                            ref_doubles(o->dz_mean, k),
                            ref_doubles(o->add, in),
                            ref_doubles(o->sink_z, in),
                            ref_doubles(o->mean, c)};
}

static struct source_ref source_ref_of(const struct example *e, const struct doubles *d)
{
    return (struct source_ref){d->x, d->scale, d->shift, d->gate, source_act(e)};
}

static struct gradient_ref gradient_ref_of(const struct doubles *d)
{
    return (struct gradient_ref){d->dz_g, d->dz_z, d->ca, d->cb, d->cc, d->dz_mean};
}

static struct sink_ref sink_ref_of(const struct example *e, const struct doubles *d,
                                   const struct expected *to)
{
    return (struct sink_ref){.g = to->g,
                             .add = d->add,
                             .z = d->sink_z,
                             .mean = d->mean,
                             .sum_g = has_sums(e) ? to->sum_g : NULL,
                             .sum_gz = has_sums(e) ? to->sum_gz : NULL,
                             .gate_sum = (e->with & GATE) ? to->gate_sum : NULL};
}

static void reference(const struct example *e, const struct doubles *d,
                      const struct expected *to)
{
    const struct source_ref x = source_ref_of(e, d);
    const struct moments_ref moments = {d->centre, to->sum, to->square};
    pointwise_ref_forward(e->in, e->k, e->stride, &x, d->w, to->z, &moments);
    const struct gradient_ref dz = gradient_ref_of(d);
    const struct sink_ref dx = sink_ref_of(e, d, to);
    pointwise_ref_backward(e->in, e->k, e->stride, &dz, &x, d->w, to->dw, &dx);
}

/*
 * How large the terms are that make each number: the same operation on the magnitudes
 * of its operands. Slopes of the activations are at most 1.2, and off by no more than
 * the error of their argument.
 */
static void magnitudes(const struct example *e, const struct doubles *d,
                       const struct expected *to)
{
    const struct shape in = e->in, out = shape_out(e);
    double *a = memory_zeroed(shape_floats(in), sizeof(*a));
    double *dz_g = memory_zeroed(shape_floats(out), sizeof(*dz_g));
    double *w = memory_zeroed((size_t)e->k * channels_padded(in.c), sizeof(*w));
    double *one = memory_zeroed(channels_padded(e->k), sizeof(*one));
    double *zero = memory_zeroed(channels_padded(e->k), sizeof(*zero));
    const struct source_ref x = source_ref_of(e, d);
    const struct gradient_ref dz = gradient_ref_of(d);
    for (size_t i = 0; i < (size_t)e->k * channels_padded(in.c); i++)
        w[i] = fabs(d->w[i]);
    for (int k = 0; k < e->k; k++)
        one[k] = 1;
    for (int n = 0; n < in.n; n++)
        for (int y = 0; y < in.h; y++)
            for (int c = 0; c < in.w * in.c; c++)
                a[ref_at(in, n, y, c / in.c, c % in.c)] =
                    source_ref_magnitude(in, &x, n, y, c / in.c, c % in.c);
    for (int n = 0; n < out.n; n++)
        for (int y = 0; y < out.h; y++)
            for (int c = 0; c < out.w * out.c; c++)
                dz_g[ref_at(out, n, y, c / out.c, c % out.c)] =
                    gradient_ref_magnitude(out, &dz, n, y, c / out.c, c % out.c);
    const struct source_ref plain = {.z = a, .act = ACT_NONE};
    const struct gradient_ref plain_dz = {dz_g, dz_g, one, zero, zero, zero};
    const struct sink_ref da = {.g = to->g};
    pointwise_ref_forward(in, e->k, e->stride, &plain, w, to->z, NULL);
    pointwise_ref_backward(in, e->k, e->stride, &plain_dz, &plain, w, to->dw, &da);

    for (size_t i = 0; i < shape_floats(out); i++) {
        const size_t k = i % channels_padded(e->k);
        const double z = to->z[i] + (d->centre ? fabs(d->centre[k]) : 0);
        to->sum[k] += z;
        to->square[k] += 2 * z * z;
    }
    const size_t padded = channels_padded(in.c);
    for (size_t i = 0; i < shape_floats(in); i++) {
        const size_t c = i % padded, n = i / padded / (size_t)(in.h * in.w);
        if (e->with & GATE)
            to->gate_sum[n * padded + c] +=
                to->g[i] * (fabs(d->scale[c] * d->x[i]) + fabs(d->shift[c]));
        else if (e->act != PLAIN)
            to->g[i] *= 1.2 + a[i];
        if (d->add)
            to->g[i] += fabs(d->add[i]);
        const double *z = e->act == PLAIN ? d->sink_z : d->x;
        if (has_sums(e)) {
            to->sum_g[c] += to->g[i];
            to->sum_gz[c] += to->g[i] * (fabs(z[i]) + fabs(d->mean[c]));
        }
    }
    free(a);
    free(dz_g);
    free(w);
    free(one);
    free(zero);
}

/* --- the claims -------------------------------------------------- */

/* Rounding is 6e-8 a step; sums of a thousand terms lose a few times ten of these. */
static const double tolerance = 5e-6;

static void compare(const struct example *e, const struct results *r,
                    const struct expected *right, const struct expected *size)
{
    assert_near_all("z", r->z, right->z, size->z, tolerance, r->z_floats);
    assert_near_all("sum", r->sum, right->sum, size->sum, tolerance, r->padded_k);
    assert_near_all("square", r->square, right->square, size->square, tolerance,
                    r->padded_k);
    assert_near_all("dw", r->dw, right->dw, size->dw, tolerance, r->dw_floats);
    assert_near_all("g", r->g, right->g, size->g, tolerance, r->g_floats);
    if (e->with & GATE)
        assert_near_all("gate_sum", r->gate_sum, right->gate_sum, size->gate_sum,
                        tolerance, r->gate_floats);
    if (has_sums(e)) {
        assert_near_all("sum_g", r->sum_g, right->sum_g, size->sum_g, tolerance,
                        r->padded_c);
        assert_near_all("sum_gz", r->sum_gz, right->sum_gz, size->sum_gz, tolerance,
                        r->padded_c);
    }
}

static void assert_same_bits(const struct results *a, const struct results *b)
{
    assert_memory_equal(a->z, b->z, a->z_floats * sizeof(float));
    assert_memory_equal(a->dw, b->dw, a->dw_floats * sizeof(float));
    assert_memory_equal(a->g, b->g, a->g_floats * sizeof(float));
    assert_memory_equal(a->gate_sum, b->gate_sum, a->gate_floats * sizeof(float));
    assert_memory_equal(a->sum, b->sum, a->padded_k * sizeof(double));
    assert_memory_equal(a->square, b->square, a->padded_k * sizeof(double));
    assert_memory_equal(a->sum_g, b->sum_g, a->padded_c * sizeof(double));
    assert_memory_equal(a->sum_gz, b->sum_gz, a->padded_c * sizeof(double));
}

static void check(const struct example *e)
{
    struct operands o = draw_operands(e);
    struct doubles d = in_double(e, &o);
    struct results two = run(e, &o, 2);
    struct expected right = new_expected(&two), size = new_expected(&two);
    reference(e, &d, &right);
    magnitudes(e, &d, &size);
    compare(e, &two, &right, &size);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct results other = run(e, &o, threads);
        assert_same_bits(&two, &other);
        free_results(&other);
    }
    free_results(&two);
    free_doubles(&right, sizeof(right));
    free_doubles(&size, sizeof(size));
    free_doubles(&d, sizeof(d));
    free_operands(&o);
}

static void check_all(const char *isa)
{
    if (!tensor_select_isa(isa)) {
        print_message("# this processor has no %s\n", isa);
        skip();
    }
    for (int i = 0; i < EXAMPLES; i++) {
        print_message("# %s, example %d\n", isa, i);
        check(&examples[i]);
    }
}

static void avx512_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    check_all("avx512");
}

static void avx2_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    check_all("avx2");
}

static void baseline_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    check_all("baseline");
}

/* Mean 1000, deviation 1: of a float square's seven digits none would be left. */
static void moments_about_a_centre_keep_their_digits(void **state)
{
    (void)state;
    const struct shape in = {4, 20, 20, 1};
    float *x = drawn_rows(shape_pixels(in), 1, 998, 1002);
    float *z = nan_floats(shape_floats(in));
    float w[CHANNEL_BLOCK] = {1}, centre[CHANNEL_BLOCK] = {999};
    double sum[CHANNEL_BLOCK], square[CHANNEL_BLOCK], right_sum = 0, right_square = 0;
    for (size_t i = 0; i < shape_pixels(in); i++) {
        const double d = (double)x[i * CHANNEL_BLOCK] - 999;
        right_sum += d;
        right_square += d * d;
    }
    struct arena *scratch = arena_create(pointwise_scratch(in, 1, 1));
    const struct source source = {.z = x};
    const struct moments moments = {centre, sum, square};
    pointwise_forward(in, 1, 1, &source, w, z, &moments, scratch);
    assert_true(fabs(sum[0] / right_sum - 1) < 1e-6);
    assert_true(fabs(square[0] / right_square - 1) < 1e-6);
    arena_free(scratch);
    free(x);
    free(z);
}

/* One bad number in pixel 5 of 8, and nowhere else. */
static void assert_spreads(enum activation act, float bad)
{
    const struct shape in = {1, 2, 4, 3};
    float *x = drawn_rows(8, 3, -1, 1), *w = drawn_rows(20, 3, 0.5, 1);
    float *scale = drawn_rows(1, 3, 1, 2), *shift = drawn_rows(1, 3, 1, 2);
    float *z = nan_floats(8 * 32);
    double sum[32], square[32];
    x[5 * CHANNEL_BLOCK + 1] = bad;
    struct arena *scratch = arena_create(pointwise_scratch(in, 20, 1));
    const struct source source = {x, scale, shift, NULL, act};
    const struct moments moments = {NULL, sum, square};
    pointwise_forward(in, 20, 1, &source, w, z, &moments, scratch);
    for (int k = 0; k < 20; k++) {
        assert_false(isfinite(z[5 * 32 + k]));
        assert_false(isfinite(sum[k]));
        assert_true(isfinite(z[4 * 32 + k]));
        assert_true(isfinite(z[6 * 32 + k]));
    }
    arena_free(scratch);
    free(x);
    free(w);
    free(scale);
    free(shift);
    free(z);
}

static void nan_and_infinity_reach_the_output(void **state)
{
    (void)state;
    const char *isa[] = {"avx512", "avx2", "baseline"};
    for (int i = 0; i < 3; i++) {
        if (!tensor_select_isa(isa[i]))
            continue;
        assert_spreads(ACT_NONE, NAN);
        assert_spreads(ACT_RELU, NAN);
        assert_spreads(ACT_RELU6, NAN);
        assert_spreads(ACT_HSWISH, NAN);
        assert_spreads(ACT_SWISH, NAN);
        assert_spreads(ACT_NONE, INFINITY);
        assert_spreads(ACT_RELU, INFINITY);
        assert_spreads(ACT_HSWISH, INFINITY);
        assert_spreads(ACT_SWISH, INFINITY);
    }
}

/* Only one of the gradients, or no moments: the others' bits do not change. */
static void what_is_not_wanted_may_be_null(void **state)
{
    (void)state;
    const struct example *e = &examples[3];
    struct operands o = draw_operands(e);
    struct results both = run(e, &o, 2), single = new_results(e);
    struct arena *scratch = arena_create(pointwise_scratch(e->in, e->k, e->stride));
    const struct source x = source_of(e, &o);
    const struct moments none = {0};
    const struct gradient dz = {o.dz_g, o.dz_z, o.ca, o.cb, o.cc, o.dz_mean};
    const struct sink dx = {
        .g = single.g, .mean = o.mean, .sum_g = single.sum_g, .sum_gz = single.sum_gz};
    pointwise_forward(e->in, e->k, e->stride, &x, o.w, single.z, &none, scratch);
    pointwise_backward(e->in, e->k, e->stride, &dz, &x, o.w, single.dw, NULL, scratch);
    pointwise_backward(e->in, e->k, e->stride, &dz, &x, o.w, NULL, &dx, scratch);
    memcpy(single.sum, both.sum, both.padded_k * sizeof(double));
    memcpy(single.square, both.square, both.padded_k * sizeof(double));
    assert_same_bits(&both, &single);
    arena_free(scratch);
    free_results(&both);
    free_results(&single);
    free_operands(&o);
}

/* The residual's gradient is added in place. */
static void the_added_gradient_may_lie_where_the_sum_goes(void **state)
{
    (void)state;
    for (int i = 14; i <= 18; i += 4) { /* stride 1 and stride 2 */
        const struct example *e = &examples[i];
        assert_true((e->with & ADD) && (e->with & SUMS));
        struct operands o = draw_operands(e);
        struct results apart = run(e, &o, 2);
        struct results in_place = new_results(e);
        struct arena *scratch = arena_create(pointwise_scratch(e->in, e->k, e->stride));
        const struct source x = source_of(e, &o);
        const struct gradient dz = {o.dz_g, o.dz_z, o.ca, o.cb, o.cc, o.dz_mean};
        const struct sink dx = {o.add,          o.add,           o.sink_z, o.mean,
                                in_place.sum_g, in_place.sum_gz, NULL};
        pointwise_backward(e->in, e->k, e->stride, &dz, &x, o.w, in_place.dw, &dx,
                           scratch);
        assert_memory_equal(o.add, apart.g, apart.g_floats * sizeof(float));
        assert_memory_equal(in_place.sum_gz, apart.sum_gz,
                            apart.padded_c * sizeof(double));
        arena_free(scratch);
        free_results(&apart);
        free_results(&in_place);
        free_operands(&o);
    }
}

/* --- the reference itself ---------------------------------------- */

struct differentiated {
    const struct example *e;
    struct doubles *d;
};

static void z_of_doubles(const double *variables, double *z, void *context)
{
    (void)variables; /* they lie in context: x or w of `d` */
    const struct differentiated *f = context;
    const struct source_ref x = source_ref_of(f->e, f->d);
    pointwise_ref_forward(f->e->in, f->e->k, f->e->stride, &x, f->d->w, z, NULL);
}

/*
 * With ca = 1, cb = cc = 0, dz is g: the gradient of L = sum g * z. scale = 1, so that
 * the gradient with respect to BN's output is the one with respect to x.
 */
static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    static const struct example small[] = {
        {{2, 3, 3, 3}, 4, 1, ACT_RELU, 0},   {{2, 3, 2, 3}, 4, 1, ACT_RELU6, 0},
        {{2, 3, 2, 3}, 4, 1, ACT_HSWISH, 0}, {{1, 3, 2, 3}, 4, 1, ACT_SWISH, 0},
        {{2, 3, 4, 3}, 4, 2, PLAIN, 0},
    };
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++) {
        const struct example *e = &small[i];
        struct operands o = draw_operands(e);
        for (int c = 0; o.scale && c < e->in.c; c++)
            o.scale[c] = 1;
        if (o.scale)
            keep_off_kinks(e, &o);
        for (int k = 0; k < e->k; k++) {
            o.ca[k] = 1;
            o.cb[k] = o.cc[k] = 0;
        }
        struct doubles d = in_double(e, &o);
        struct results like = new_results(e);
        struct expected to = new_expected(&like);
        reference(e, &d, &to);
        struct differentiated f = {e, &d};
        assert_true(gradient_error(z_of_doubles, &f, like.g_floats, d.x, like.z_floats,
                                   d.dz_g, to.g) < 1e-8);
        assert_true(gradient_error(z_of_doubles, &f, like.dw_floats, d.w, like.z_floats,
                                   d.dz_g, to.dw) < 1e-8);
        free_results(&like);
        free_doubles(&to, sizeof(to));
        free_doubles(&d, sizeof(d));
        free_operands(&o);
    }
}

/* A gate multiplies what is read: the gradient with respect to the gate is gate_sum,
 * which the sink has as the sum of da * a. */
static void the_reference_has_the_slope_of_the_gate(void **state)
{
    (void)state;
    const struct example e = {{2, 3, 2, 3}, 4, 1, ACT_HSWISH, GATE};
    struct operands o = draw_operands(&e);
    for (int k = 0; k < e.k; k++) {
        o.ca[k] = 1;
        o.cb[k] = o.cc[k] = 0;
    }
    struct doubles d = in_double(&e, &o);
    struct results like = new_results(&e);
    struct expected to = new_expected(&like);
    reference(&e, &d, &to);
    struct differentiated f = {&e, &d};
    assert_true(gradient_error(z_of_doubles, &f, like.gate_floats, d.gate,
                               like.z_floats, d.dz_g, to.gate_sum) < 1e-8);
    free_results(&like);
    free_doubles(&to, sizeof(to));
    free_doubles(&d, sizeof(d));
    free_operands(&o);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(the_reference_has_the_slope_of_the_gate),
        cmocka_unit_test(avx512_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(avx2_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(baseline_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(moments_about_a_centre_keep_their_digits),
        cmocka_unit_test(nan_and_infinity_reach_the_output),
        cmocka_unit_test(what_is_not_wanted_may_be_null),
        cmocka_unit_test(the_added_gradient_may_lie_where_the_sum_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
