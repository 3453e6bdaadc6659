#include <omp.h>

#include "ref/global_pool_ref.h"
#include "ref/gradient.h"
#include "tensor/global_pool.h"
#include "unit/tensors.h"

/* As an activation: the source is a plain tensor. */
#define PLAIN ACT_COUNT

struct example {
    struct shape in;
    enum activation act;
    bool add, sums;
};

/* More channels than are summed at a time; one image, and more images than chunks. */
static const struct example examples[] = {
    {{1, 1, 1, 1}, PLAIN, false, false},      {{1, 7, 7, 300}, ACT_RELU, false, true},
    {{3, 5, 9, 17}, ACT_RELU6, false, true},  {{17, 4, 4, 40}, ACT_HSWISH, false, true},
    {{40, 2, 3, 16}, ACT_SWISH, false, true}, {{2, 14, 13, 64}, ACT_NONE, false, true},
    {{2, 14, 13, 65}, PLAIN, true, true},     {{5, 3, 3, 33}, PLAIN, true, false},
    {{5, 3, 3, 80}, PLAIN, false, true},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };
static const char *const isas[] = {"avx512", "avx2", "baseline"};

/* A struct of nothing but pointers to free. */
static void free_all(void *pointers, size_t size)
{
    void **all = pointers;
    for (size_t i = 0; i < size / sizeof(*all); i++)
        free(all[i]);
}

struct operands {
    float *x, *scale, *shift, *dy, *add, *sink_z, *mean;
};

static struct operands draw_operands(const struct example *e)
{
    const size_t pixels = shape_pixels(e->in), padded = channels_padded(e->in.c);
    const int c = e->in.c;
    struct operands o = {.x = drawn_rows(pixels, c, -5, 5),
                         .dy = drawn_rows((size_t)e->in.n, c, -1, 1),
                         .mean = drawn_rows(1, c, -1, 1)};
    if (e->add)
        o.add = drawn_rows(pixels, c, -1, 1);
    if (e->act == PLAIN) {
        o.sink_z = drawn_rows(pixels, c, -1, 1);
        return o;
    }
    o.scale = drawn_rows(1, c, 0.5, 1.5);
    o.shift = drawn_rows(1, c, -1, 1);
    /* A float u and a double u may fall on two sides of a kink. */
    for (size_t i = 0; i < shape_floats(e->in); i++)
        for (int kink = -3; i % padded < (size_t)c && kink <= 6; kink += 3)
            if (fabs((double)o.scale[i % padded] * (double)o.x[i] +
                     (double)o.shift[i % padded] - kink) < 2e-3)
                o.x[i] += 0.01f;
    return o;
}

struct doubles {
    double *x, *scale, *shift, *dy, *add, *sink_z, *mean;
};

static struct doubles in_double(const struct example *e, const struct operands *o)
{
    const size_t in = shape_floats(e->in), c = channels_padded(e->in.c);
    return (struct doubles){
        ref_doubles(o->x, in),    ref_doubles(o->scale, c),
        ref_doubles(o->shift, c), ref_doubles(o->dy, (size_t)e->in.n * c),
        ref_doubles(o->add, in),  ref_doubles(o->sink_z, in),
        ref_doubles(o->mean, c)};
}

static enum activation source_act(const struct example *e)
{
    return e->act == PLAIN ? ACT_NONE : e->act;
}

struct results {
    float *y, *g;
    double *sum_g, *sum_gz;
};

static struct results run(const struct example *e, const struct operands *o,
                          int threads)
{
    const size_t c = channels_padded(e->in.c);
    struct results r = {nan_floats((size_t)e->in.n * c),
                        nan_floats(shape_floats(e->in)), nan_doubles(c),
                        nan_doubles(c)};
    omp_set_num_threads(threads);
    const struct source x = {o->x, o->scale, o->shift, NULL, source_act(e)};
    const struct sink dx = {.g = r.g,
                            .add = o->add,
                            .z = o->sink_z,
                            .mean = o->mean,
                            .sum_g = e->sums ? r.sum_g : NULL,
                            .sum_gz = e->sums ? r.sum_gz : NULL};
    struct arena *scratch = arena_create(global_pool_scratch(e->in) + 16384);
    arena_take(scratch, (size_t)drawn(1, 10000));
    const size_t mark = arena_mark(scratch), before = arena_peak(scratch);
    global_pool_forward(e->in, &x, r.y);
    global_pool_backward(e->in, o->dy, &x, &dx, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    assert_true(arena_peak(scratch) - before <= global_pool_scratch(e->in));
    arena_free(scratch);
    return r;
}

struct expected {
    double *y, *g, *sum_g, *sum_gz;
};

static struct expected reference(const struct example *e, const struct doubles *d)
{
    const size_t c = channels_padded(e->in.c);
    struct expected to = {memory_zeroed((size_t)e->in.n * c, sizeof(double)),
                          memory_zeroed(shape_floats(e->in), sizeof(double)),
                          memory_zeroed(c, sizeof(double)),
                          memory_zeroed(c, sizeof(double))};
    const struct source_ref x = {d->x, d->scale, d->shift, NULL, source_act(e)};
    const struct sink_ref dx = {.g = to.g,
                                .add = d->add,
                                .z = d->sink_z,
                                .mean = d->mean,
                                .sum_g = e->sums ? to.sum_g : NULL,
                                .sum_gz = e->sums ? to.sum_gz : NULL};
    global_pool_ref_forward(e->in, &x, to.y);
    global_pool_ref_backward(e->in, d->dy, &x, &dx);
    return to;
}

#define assert_all_within(found, expected, within, count)                              \
    for (size_t at_ = 0; at_ < (count); at_++)                                         \
    assert_true(fabs((double)(found)[at_] - (double)(expected)[at_]) <= (within))

/* a is at most 8.5, dy and add at most 1, slopes at most 1.2, |z - mean| at most 6. */
static void compare(const struct example *e, const struct results *r,
                    const struct expected *right)
{
    const size_t c = channels_padded(e->in.c);
    const double each = 1e-6, all = each * (double)shape_pixels(e->in);
    assert_all_within(r->y, right->y, 8.5 * each, (size_t)e->in.n * c);
    assert_all_within(r->g, right->g, 2.2 * each, shape_floats(e->in));
    if (e->sums) {
        assert_all_within(r->sum_g, right->sum_g, 2.2 * all, c);
        assert_all_within(r->sum_gz, right->sum_gz, 13 * all, c);
    }
}

static void assert_same_bits(const struct example *e, const struct results *a,
                             const struct results *b)
{
    const size_t c = channels_padded(e->in.c);
    assert_memory_equal(a->y, b->y, (size_t)e->in.n * c * sizeof(float));
    assert_memory_equal(a->g, b->g, shape_floats(e->in) * sizeof(float));
    assert_memory_equal(a->sum_g, b->sum_g, c * sizeof(double));
    assert_memory_equal(a->sum_gz, b->sum_gz, c * sizeof(double));
}

static void check(const struct example *e)
{
    struct operands o = draw_operands(e);
    struct doubles d = in_double(e, &o);
    struct expected right = reference(e, &d);
    for (int isa = 0; isa < 3; isa++) {
        if (!tensor_select_isa(isas[isa]))
            continue;
        struct results first = run(e, &o, 1);
        compare(e, &first, &right);
        for (int threads = 2; threads <= 3; threads++) {
            struct results other = run(e, &o, threads);
            assert_same_bits(e, &first, &other);
            free_all(&other, sizeof(other));
        }
        free_all(&first, sizeof(first));
    }
    free_all(&o, sizeof(o));
    free_all(&d, sizeof(d));
    free_all(&right, sizeof(right));
}

static void it_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    for (int i = 0; i < EXAMPLES; i++) {
        print_message("# example %d\n", i);
        check(&examples[i]);
    }
}

/* relu of -1, 2, 3, 8: the mean is 13/4; with a gate of 2, 13/2. */
static void four_pixels_come_out_as_by_hand(void **state)
{
    (void)state;
    const float values[] = {-1, 2, 3, 8};
    float x[4 * CHANNEL_BLOCK] = {0}, one[CHANNEL_BLOCK] = {1},
                two[CHANNEL_BLOCK] = {2}, zero[CHANNEL_BLOCK] = {0}, y[CHANNEL_BLOCK];
    for (int i = 0; i < 4; i++)
        x[i * CHANNEL_BLOCK] = values[i];
    struct source source = {x, one, zero, NULL, ACT_RELU};
    global_pool_forward((struct shape){1, 2, 2, 1}, &source, y);
    assert_true(y[0] == 3.25f && y[1] == 0);
    source.gate = two;
    global_pool_forward((struct shape){1, 2, 2, 1}, &source, y);
    assert_true(y[0] == 6.5f && y[1] == 0);
}

static void nan_and_infinity_reach_the_output(void **state)
{
    (void)state;
    const struct shape in = {2, 3, 3, 20};
    static const enum activation acts[] = {ACT_NONE, ACT_RELU, ACT_RELU6, ACT_HSWISH,
                                           ACT_SWISH};
    for (int isa = 0; isa < 3; isa++)
        for (int a = 0; tensor_select_isa(isas[isa]) && a < 5; a++) {
            float *x = drawn_rows(18, 20, -1, 1), *one = drawn_rows(1, 20, 1, 2),
                  y[2 * 32];
            const struct source source = {x, one, one, NULL, acts[a]};
            x[10 * 32 + 18] = NAN;
            x[11 * 32 + 3] = INFINITY;
            global_pool_forward(in, &source, y);
            assert_true(isnan(y[32 + 18]) && isfinite(y[18]) && isfinite(y[32 + 17]));
            if (acts[a] != ACT_RELU6) /* which makes 6 of it */
                assert_true(isinf(y[32 + 3]));
            free(x);
            free(one);
        }
}

/* --- the reference itself ----------------------------------------------------------
 */

struct differentiated {
    const struct example *e;
    const struct doubles *d;
};

static void y_of_doubles(const double *variables, double *y, void *context)
{
    (void)variables; /* x of `d` */
    const struct differentiated *f = context;
    const struct source_ref x = {f->d->x, f->d->scale, f->d->shift, NULL,
                                 source_act(f->e)};
    global_pool_ref_forward(f->e->in, &x, y);
}

static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    for (enum activation act = 0; act <= ACT_COUNT; act++) {
        const struct example e = {{2, 2, 3, 2}, act, false, act != PLAIN};
        struct operands o = draw_operands(&e);
        for (int c = 0; o.scale && c < 2; c++)
            o.scale[c] = 1, o.shift[c] = 0.25f;
        for (size_t i = 0; i < shape_floats(e.in); i++)
            o.x[i] = roundf(o.x[i]); /* a quarter from every kink */
        struct doubles d = in_double(&e, &o);
        struct expected found = reference(&e, &d);
        struct differentiated f = {&e, &d};
        assert_true(gradient_error(y_of_doubles, &f, shape_floats(e.in), d.x,
                                   2 * channels_padded(2), d.dy, found.g) < 1e-7);
        free_all(&o, sizeof(o));
        free_all(&d, sizeof(d));
        free_all(&found, sizeof(found));
    }
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(four_pixels_come_out_as_by_hand),
        cmocka_unit_test(it_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(nan_and_infinity_reach_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
