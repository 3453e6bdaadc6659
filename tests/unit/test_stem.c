#include <omp.h>

#include "ref/gradient.h"
#include "ref/stem_ref.h"
#include "tensor/stem.h"
#include "unit/tensors.h"

struct example {
    struct shape in;
    int k, r, stride;
};

/* One pixel; windows wider than the image; odd sizes; several chunks. */
static const struct example examples[] = {
    {{1, 1, 1, 1}, 1, 3, 1},    {{2, 1, 1, 3}, 17, 3, 2},   {{1, 2, 2, 1}, 16, 7, 1},
    {{3, 28, 28, 1}, 16, 3, 1}, {{2, 33, 31, 3}, 32, 3, 2}, {{2, 32, 32, 3}, 32, 3, 2},
    {{2, 9, 12, 3}, 20, 5, 1},  {{3, 11, 10, 4}, 40, 7, 2}, {{5, 28, 28, 1}, 24, 3, 2},
    {{1, 9, 9, 7}, 8, 3, 1},    {{2, 5, 1, 3}, 8, 3, 1},    {{2, 1, 5, 3}, 8, 5, 2},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

static struct shape shape_out(const struct example *e)
{
    return (struct shape){e->in.n, conv_out(e->in.h, e->r, e->stride),
                          conv_out(e->in.w, e->r, e->stride), e->k};
}

struct operands {
    size_t x_floats, w_floats, z_floats, padded_k;
    float *x, *w, *centre, *g, *z, *ca, *cb, *cc, *mean;
};

static struct operands draw_operands(const struct example *e)
{
    const size_t pixels = shape_pixels(shape_out(e));
    struct operands o = {
        .x_floats = shape_pixels(e->in) * (size_t)e->in.c,
        .w_floats = (size_t)e->k * stem_row(e->r, e->in.c),
        .z_floats = shape_floats(shape_out(e)),
        .padded_k = channels_padded(e->k),
        .w = drawn_rows((size_t)e->k, e->r * e->r * e->in.c, -1, 1),
        .centre = drawn_rows(1, e->k, -1, 1),
        .g = drawn_rows(pixels, e->k, -1, 1),
        .z = drawn_rows(pixels, e->k, -2, 2),
        .ca = drawn_rows(1, e->k, 0.5, 1.5),
        .cb = drawn_rows(1, e->k, -0.1, 0.1),
        .cc = drawn_rows(1, e->k, -0.1, 0.1),
        .mean = drawn_rows(1, e->k, -1, 1),
    };
    o.x = memory_zeroed(o.x_floats, sizeof(*o.x));
    for (size_t i = 0; i < o.x_floats; i++)
        o.x[i] = (float)drawn(-2, 2);
    return o;
}

static void free_operands(struct operands *o)
{
    float *all[] = {o->x, o->w, o->centre, o->g, o->z, o->ca, o->cb, o->cc, o->mean};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        free(all[i]);
}

struct results {
    float *z, *dw;
    double *sum, *square;
};

static struct results run(const struct example *e, const struct operands *o,
                          int threads)
{
    omp_set_num_threads(threads);
    struct results r = {nan_floats(o->z_floats), nan_floats(o->w_floats),
                        nan_doubles(o->padded_k), nan_doubles(o->padded_k)};
    const size_t promised = stem_scratch(e->in, e->k, e->r, e->stride);
    struct arena *scratch = arena_create(promised + (1 << 20));
    arena_take(scratch, (size_t)drawn(1, 10000)); /* wherever it happens to stand */
    const size_t before = arena_peak(scratch), mark = arena_mark(scratch);
    const struct moments moments = {o->centre, r.sum, r.square};
    const struct gradient dz = {o->g, o->z, o->ca, o->cb, o->cc, o->mean};
    stem_forward(e->in, e->k, e->r, e->stride, o->x, o->w, r.z, &moments, scratch);
    stem_backward(e->in, e->k, e->r, e->stride, &dz, o->x, r.dw, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    assert_true(arena_peak(scratch) - before <= promised);
    arena_free(scratch);
    return r;
}

static void free_results(struct results *r)
{
    free(r->z);
    free(r->dw);
    free(r->sum);
    free(r->square);
}

struct reference {
    double *x, *w, *centre, *g, *z, *ca, *cb, *cc, *mean; /* operands */
    double *out, *dw, *sum, *square;
};

static void run_reference(const struct example *e, const struct reference *d)
{
    const struct moments_ref moments = {d->centre, d->sum, d->square};
    const struct gradient_ref dz = {d->g, d->z, d->ca, d->cb, d->cc, d->mean};
    stem_ref_forward(e->in, e->k, e->r, e->stride, d->x, d->w, d->out, &moments);
    stem_ref_backward(e->in, e->k, e->r, e->stride, &dz, d->x, d->dw);
}

static struct reference new_reference(const struct operands *o)
{
    return (struct reference){ref_doubles(o->x, o->x_floats),
                              ref_doubles(o->w, o->w_floats),
                              ref_doubles(o->centre, o->padded_k),
                              ref_doubles(o->g, o->z_floats),
                              ref_doubles(o->z, o->z_floats),
                              ref_doubles(o->ca, o->padded_k),
                              ref_doubles(o->cb, o->padded_k),
                              ref_doubles(o->cc, o->padded_k),
                              ref_doubles(o->mean, o->padded_k),
                              memory_zeroed(o->z_floats, sizeof(double)),
                              memory_zeroed(o->w_floats, sizeof(double)),
                              memory_zeroed(o->padded_k, sizeof(double)),
                              memory_zeroed(o->padded_k, sizeof(double))};
}

static void free_reference(struct reference *d)
{
    double **all = (double **)d;
    for (size_t i = 0; i < sizeof(*d) / sizeof(*all); i++)
        free(all[i]);
}

static void make_absolute(double *x, size_t count, double sign)
{
    for (size_t i = 0; i < count; i++)
        x[i] = sign * fabs(x[i]);
}

/* The same operation on the magnitudes of its operands: how large the terms are. */
static struct reference magnitudes(const struct example *e, const struct operands *o)
{
    struct reference d = new_reference(o);
    make_absolute(d.x, o->x_floats, 1);
    make_absolute(d.w, o->w_floats, 1);
    make_absolute(d.g, o->z_floats, 1);
    make_absolute(d.z, o->z_floats, 1);
    make_absolute(d.ca, o->padded_k, 1);
    make_absolute(d.cb, o->padded_k, 1);
    make_absolute(d.cc, o->padded_k, 1);
    make_absolute(d.centre, o->padded_k, -1); /* they are subtracted */
    make_absolute(d.mean, o->padded_k, -1);
    run_reference(e, &d);
    return d;
}

static const double tolerance = 5e-6;

static void check(const struct example *e)
{
    struct operands o = draw_operands(e);
    struct reference right = new_reference(&o), size = magnitudes(e, &o);
    run_reference(e, &right);
    struct results two = run(e, &o, 2);
    assert_near_all("z", two.z, right.out, size.out, tolerance, o.z_floats);
    assert_near_all("dw", two.dw, right.dw, size.dw, tolerance, o.w_floats);
    assert_near_all("sum", two.sum, right.sum, size.sum, tolerance, o.padded_k);
    assert_near_all("square", two.square, right.square, size.square, 2 * tolerance,
                    o.padded_k);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct results other = run(e, &o, threads);
        assert_memory_equal(other.z, two.z, o.z_floats * sizeof(float));
        assert_memory_equal(other.dw, two.dw, o.w_floats * sizeof(float));
        assert_memory_equal(other.sum, two.sum, o.padded_k * sizeof(double));
        assert_memory_equal(other.square, two.square, o.padded_k * sizeof(double));
        free_results(&other);
    }
    free_results(&two);
    free_reference(&right);
    free_reference(&size);
    free_operands(&o);
}

static void check_all(const char *isa)
{
    if (!tensor_select_isa(isa)) {
        print_message("# this processor has no %s\n", isa);
        skip();
    }
    for (int i = 0; i < EXAMPLES; i++)
        check(&examples[i]);
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

struct differentiated {
    const struct example *e;
    const struct reference *d;
};

static void z_of_weights(const double *w, double *z, void *context)
{
    const struct differentiated *f = context;
    stem_ref_forward(f->e->in, f->e->k, f->e->r, f->e->stride, f->d->x, w, z, NULL);
}

/* With ca = 1, cb = cc = 0, dz is g. */
static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    for (int stride = 1; stride <= 2; stride++) {
        const struct example e = {{2, 4, 3, 2}, 3, 3, stride};
        struct operands o = draw_operands(&e);
        for (int k = 0; k < e.k; k++) {
            o.ca[k] = 1;
            o.cb[k] = o.cc[k] = 0;
        }
        struct reference d = new_reference(&o);
        run_reference(&e, &d);
        struct differentiated f = {&e, &d};
        assert_true(gradient_error(z_of_weights, &f, o.w_floats, d.w, o.z_floats, d.g,
                                   d.dw) < 1e-8);
        free_reference(&d);
        free_operands(&o);
    }
}

/* By hand: a 2x2 image under a 3x3 window whose places weigh 1, 8, 64, .... The
 * output at (0, 0) sees the image at places 4, 5, 7, 8; at (1, 1) at 0, 1, 3, 4. */
static void a_window_reads_rows_first_and_zero_outside(void **state)
{
    (void)state;
    const struct shape in = {1, 2, 2, 1};
    const float x[] = {1, 2, 3, 4};
    float w[CHANNEL_BLOCK] = {0}, z[4 * CHANNEL_BLOCK];
    for (int i = 0; i < 9; i++)
        w[i] = (float)(1 << (3 * i));
    const struct moments none = {0};
    struct arena *scratch = arena_create(stem_scratch(in, 1, 3, 1));
    stem_forward(in, 1, 3, 1, x, w, z, &none, scratch);
    assert_true(z[0] == (float)(1 << 12) + 2 * (float)(1 << 15) + 3 * (float)(1 << 21) +
                            4 * (float)(1 << 24));
    assert_true(z[3 * CHANNEL_BLOCK] == 1 + 2 * 8 + 3 * 512 + 4 * 4096);
    arena_free(scratch);
}

static void a_nan_pixel_reaches_the_outputs_that_see_it(void **state)
{
    (void)state;
    const struct shape in = {1, 1, 5, 1};
    const float x[] = {1, 1, 1, 1, NAN};
    float *w = drawn_rows(1, 9, 1, 2), z[5 * CHANNEL_BLOCK];
    const struct moments none = {0};
    struct arena *scratch = arena_create(stem_scratch(in, 1, 3, 1));
    stem_forward(in, 1, 3, 1, x, w, z, &none, scratch);
    assert_true(isnan(z[4 * CHANNEL_BLOCK]) && isnan(z[3 * CHANNEL_BLOCK]));
    assert_true(isfinite(z[2 * CHANNEL_BLOCK]));
    arena_free(scratch);
    free(w);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(a_window_reads_rows_first_and_zero_outside),
        cmocka_unit_test(avx512_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(avx2_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(baseline_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(a_nan_pixel_reaches_the_outputs_that_see_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
