#include <cblas.h>
#include <omp.h>

#include "ref/gradient.h"
#include "ref/squeeze_excite_ref.h"
#include "tensor/squeeze_excite.h"
#include "unit/tensors.h"

struct example {
    struct shape in;
    int reduced;
    enum activation x_act, act, gate_act;
};

/* One of everything; more images than chunks; wide and narrow; every activation. */
static const struct example examples[] = {
    {{1, 1, 1, 1}, 1, ACT_RELU, ACT_RELU, ACT_HSIGMOID},
    {{1, 7, 7, 300}, 75, ACT_HSWISH, ACT_HSWISH, ACT_HSIGMOID},
    {{3, 5, 6, 40}, 10, ACT_SWISH, ACT_SWISH, ACT_SIGMOID},
    {{17, 4, 4, 17}, 4, ACT_RELU6, ACT_RELU, ACT_SIGMOID},
    {{40, 3, 2, 33}, 17, ACT_NONE, ACT_HSWISH, ACT_HSIGMOID},
    {{5, 14, 14, 96}, 24, ACT_HSWISH, ACT_HSWISH, ACT_HSIGMOID},
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
    float *x, *scale, *shift, *w1, *b1, *w2, *b2, *da, *mean;
};

struct doubles {
    double *x, *scale, *shift, *w1, *b1, *w2, *b2, *da, *mean;
};

static struct operands draw_operands(const struct example *e)
{
    const size_t pixels = shape_pixels(e->in), padded = channels_padded(e->in.c);
    const int c = e->in.c, r = e->reduced;
    const double w1 = 1 / sqrt(c), w2 = 1 / sqrt(r);
    struct operands o = {.x = drawn_rows(pixels, c, -4, 5),
                         .scale = drawn_rows(1, c, 0.5, 1.5),
                         .shift = drawn_rows(1, c, -1, 1),
                         .w1 = drawn_rows((size_t)r, c, -w1, w1),
                         .b1 = drawn_rows(1, r, -1, 1),
                         .w2 = drawn_rows((size_t)c, r, -w2, w2),
                         .b2 = drawn_rows(1, c, -1, 1),
                         .da = drawn_rows(pixels, c, -1, 1),
                         .mean = drawn_rows(1, c, -1, 1)};
    /* A float u and a double u may fall on two sides of a kink. */
    for (size_t i = 0; i < shape_floats(e->in); i++)
        for (int kink = -3; i % padded < (size_t)c && kink <= 6; kink += 3)
            if (fabs((double)o.scale[i % padded] * (double)o.x[i] +
                     (double)o.shift[i % padded] - kink) < 2e-3)
                o.x[i] += 0.01f;
    return o;
}

static struct doubles in_double(const struct example *e, const struct operands *o)
{
    const size_t in = shape_floats(e->in), c = channels_padded(e->in.c),
                 r = channels_padded(e->reduced);
    return (struct doubles){
        ref_doubles(o->x, in),    ref_doubles(o->scale, c),
        ref_doubles(o->shift, c), ref_doubles(o->w1, (size_t)e->reduced * c),
        ref_doubles(o->b1, r),    ref_doubles(o->w2, (size_t)e->in.c * r),
        ref_doubles(o->b2, c),    ref_doubles(o->da, in),
        ref_doubles(o->mean, c)};
}

/* --- the kernel's side -------------------------------------------------------------
 */

struct results {
    float *pooled, *hidden_pre, *gate_pre, *gate;
    float *dw1, *db1, *dw2, *db2, *g;
    float *gate_sum;
    double *sum_g, *sum_gz;
};

static struct results new_results(const struct example *e)
{
    const size_t n = (size_t)e->in.n, c = channels_padded(e->in.c),
                 r = channels_padded(e->reduced);
    return (struct results){nan_floats(n * c),
                            nan_floats(n * r),
                            nan_floats(n * c),
                            nan_floats(n * c),
                            nan_floats((size_t)e->reduced * c),
                            nan_floats(r),
                            nan_floats((size_t)e->in.c * r),
                            nan_floats(c),
                            nan_floats(shape_floats(e->in)),
                            memory_zeroed(n * c, sizeof(float)),
                            nan_doubles(c),
                            nan_doubles(c)};
}

/* What pointwise_backward() leaves: da in g, and gate_sum = sum of da * a. */
static void leave_gated_gradient(const struct example *e, const struct doubles *d,
                                 const struct results *r)
{
    const struct source_ref x = {d->x, d->scale, d->shift, NULL, e->x_act};
    const size_t n = (size_t)e->in.n, c = channels_padded(e->in.c);
    double *g = memory_zeroed(shape_floats(e->in), sizeof(double)),
           *gate_sum = memory_zeroed(n * c, sizeof(double));
    const struct sink_ref to = {.g = g, .gate_sum = gate_sum};
    sink_ref_put(e->in, &x, d->da, &to);
    for (size_t i = 0; i < shape_floats(e->in); i++)
        r->g[i] = (float)g[i];
    for (size_t i = 0; i < n * c; i++)
        r->gate_sum[i] = (float)gate_sum[i];
    free(g);
    free(gate_sum);
}

static struct results run(const struct example *e, const struct operands *o,
                          const struct doubles *d, int threads)
{
    omp_set_num_threads(threads);
    struct results r = new_results(e);
    /* The gate of the source is for others to read. */
    const struct source x = {o->x, o->scale, o->shift, r.gate, e->x_act};
    const struct squeeze_excite se = {e->reduced, e->act, e->gate_act, o->w1,
                                      o->b1,      o->w2,  o->b2};
    const struct squeeze_excite_saved saved = {r.pooled, r.hidden_pre, r.gate_pre,
                                               r.gate};
    const struct squeeze_excite_gradient gradient = {r.dw1, r.db1, r.dw2, r.db2};
    const struct sink dx = {.g = r.g,
                            .mean = o->mean,
                            .sum_g = r.sum_g,
                            .sum_gz = r.sum_gz,
                            .gate_sum = r.gate_sum};
    const size_t said = squeeze_excite_scratch(e->in, e->reduced);
    struct arena *scratch = arena_create(said + 16384);
    arena_take(scratch, (size_t)drawn(1, 10000));
    const size_t mark = arena_mark(scratch), before = arena_peak(scratch);
    squeeze_excite_forward(e->in, &x, &se, &saved, scratch);
    leave_gated_gradient(e, d, &r);
    squeeze_excite_backward(e->in, &x, &se, &saved, &gradient, &dx, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    assert_true(arena_peak(scratch) - before <= said);
    arena_free(scratch);
    return r;
}

/* --- the reference's side ----------------------------------------------------------
 */

struct expected {
    double *gate, *dw1, *db1, *dw2, *db2, *g, *sum_g, *sum_gz;
};

static struct squeeze_excite_ref se_ref(const struct example *e,
                                        const struct doubles *d)
{
    return (struct squeeze_excite_ref){e->reduced, e->act, e->gate_act, d->w1,
                                       d->b1,      d->w2,  d->b2};
}

static struct expected reference(const struct example *e, const struct doubles *d)
{
    const size_t n = (size_t)e->in.n, c = channels_padded(e->in.c),
                 r = channels_padded(e->reduced);
    struct expected to = {memory_zeroed(n * c, sizeof(double)),
                          memory_zeroed((size_t)e->reduced * c, sizeof(double)),
                          memory_zeroed(r, sizeof(double)),
                          memory_zeroed((size_t)e->in.c * r, sizeof(double)),
                          memory_zeroed(c, sizeof(double)),
                          memory_zeroed(shape_floats(e->in), sizeof(double)),
                          memory_zeroed(c, sizeof(double)),
                          memory_zeroed(c, sizeof(double))};
    const struct source_ref x = {d->x, d->scale, d->shift, NULL, e->x_act};
    const struct squeeze_excite_ref se = se_ref(e, d);
    const struct squeeze_excite_ref_gradient gradient = {to.dw1, to.db1, to.dw2,
                                                         to.db2};
    const struct sink_ref dx = {
        .g = to.g, .mean = d->mean, .sum_g = to.sum_g, .sum_gz = to.sum_gz};
    squeeze_excite_ref_forward(e->in, &x, &se, to.gate);
    squeeze_excite_ref_backward(e->in, d->da, &x, &se, &gradient, &dx);
    return to;
}

/* --- the claims --------------------------------------------------------------------
 */

static void assert_within(const char *name, const float *found, const double *expected,
                          double within, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) <= within))
            fail_msg("%s[%zu] is %.9g, expected %.9g within %.2g", name, i,
                     (double)found[i], expected[i], within);
}

static double largest(const double *x, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* Gates and hidden values are of the order of 1; a sum over some hundred channels or
 * images is off by a few roundings of its largest member. */
static void compare(const struct example *e, const struct results *r,
                    const struct expected *right)
{
    const size_t n = (size_t)e->in.n, c = channels_padded(e->in.c),
                 padded_r = channels_padded(e->reduced);
    const struct {
        const char *name;
        const float *found;
        const double *expected;
        size_t count;
    } all[] = {
        {"gate", r->gate, right->gate, n * c},
        {"dw1", r->dw1, right->dw1, (size_t)e->reduced * c},
        {"db1", r->db1, right->db1, padded_r},
        {"dw2", r->dw2, right->dw2, (size_t)e->in.c * padded_r},
        {"db2", r->db2, right->db2, c},
        {"g", r->g, right->g, shape_floats(e->in)},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        assert_within(all[i].name, all[i].found, all[i].expected,
                      3e-6 * (1 + largest(all[i].expected, all[i].count)),
                      all[i].count);
    const double pixels = (double)shape_pixels(e->in);
    for (size_t i = 0; i < c; i++) {
        assert_true(fabs(r->sum_g[i] - right->sum_g[i]) <= 2e-6 * pixels);
        assert_true(fabs(r->sum_gz[i] - right->sum_gz[i]) <= 1e-5 * pixels);
    }
}

static void assert_same_bits(const struct example *e, const struct results *a,
                             const struct results *b)
{
    const size_t n = (size_t)e->in.n, c = channels_padded(e->in.c),
                 r = channels_padded(e->reduced);
    assert_memory_equal(a->pooled, b->pooled, n * c * sizeof(float));
    assert_memory_equal(a->hidden_pre, b->hidden_pre, n * r * sizeof(float));
    assert_memory_equal(a->gate_pre, b->gate_pre, n * c * sizeof(float));
    assert_memory_equal(a->gate, b->gate, n * c * sizeof(float));
    assert_memory_equal(a->dw1, b->dw1, (size_t)e->reduced * c * sizeof(float));
    assert_memory_equal(a->db1, b->db1, r * sizeof(float));
    assert_memory_equal(a->dw2, b->dw2, (size_t)e->in.c * r * sizeof(float));
    assert_memory_equal(a->db2, b->db2, c * sizeof(float));
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
        struct results first = run(e, &o, &d, 1);
        compare(e, &first, &right);
        for (int threads = 2; threads <= 3; threads++) {
            struct results other = run(e, &o, &d, threads);
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

/* Two channels of one pixel, 2 and 4, reduced to relu(2 - 4 + 5) = 3; hsigmoid(3 * 1 -
 * 2) = 4/6 and hsigmoid(3 * -1) = 0. */
static void a_gate_comes_out_as_by_hand(void **state)
{
    (void)state;
    float x[CHANNEL_BLOCK] = {2, 4}, one[CHANNEL_BLOCK] = {1, 1},
          zero[CHANNEL_BLOCK] = {0}, w1[CHANNEL_BLOCK] = {1, -1},
          b1[CHANNEL_BLOCK] = {5}, w2[2 * CHANNEL_BLOCK] = {1},
          b2[CHANNEL_BLOCK] = {-2, 0};
    float pooled[CHANNEL_BLOCK], hidden_pre[CHANNEL_BLOCK], gate_pre[CHANNEL_BLOCK],
        gate[CHANNEL_BLOCK];
    w2[CHANNEL_BLOCK] = -1;
    const struct shape in = {1, 1, 1, 2};
    const struct source source = {x, one, zero, NULL, ACT_NONE};
    const struct squeeze_excite se = {1, ACT_RELU, ACT_HSIGMOID, w1, b1, w2, b2};
    const struct squeeze_excite_saved saved = {pooled, hidden_pre, gate_pre, gate};
    struct arena *scratch = arena_create(squeeze_excite_scratch(in, 1));
    squeeze_excite_forward(in, &source, &se, &saved, scratch);
    assert_true(pooled[0] == 2 && pooled[1] == 4 && hidden_pre[0] == 3);
    assert_true(gate_pre[0] == 1 && gate_pre[1] == -3);
    assert_true(fabsf(gate[0] - 4.0f / 6) < 1e-6f && gate[1] == 0);
    for (int c = 2; c < CHANNEL_BLOCK; c++)
        assert_true(gate[c] == 0);
    arena_free(scratch);
}

static void nan_and_infinity_in_one_image_reach_its_gates_alone(void **state)
{
    (void)state;
    const struct example *e = &examples[2];
    const float bad[] = {NAN, INFINITY};
    for (int isa = 0; isa < 3; isa++)
        for (int k = 0; tensor_select_isa(isas[isa]) && k < 2; k++) {
            struct operands o = draw_operands(e);
            struct doubles d = in_double(e, &o);
            const size_t c = channels_padded(e->in.c);
            o.x[shape_floats((struct shape){1, e->in.h, e->in.w, e->in.c})] = bad[k];
            struct results r = run(e, &o, &d, 2);
            for (size_t i = 0; i < (size_t)e->in.c; i++) {
                assert_true(isfinite(r.gate[i]) && isfinite(r.gate[2 * c + i]));
                assert_false(isfinite(r.gate_pre[c + i]));
            }
            assert_false(isfinite(r.pooled[c]));
            free_all(&o, sizeof(o));
            free_all(&d, sizeof(d));
            free_all(&r, sizeof(r));
        }
}

/* --- the reference itself ----------------------------------------------------------
 */

struct differentiated {
    const struct example *e;
    const struct doubles *d;
};

/* The gated tensor a * gate(a). */
static void gated_of_doubles(const double *variables, double *out, void *context)
{
    (void)variables; /* one of the arrays of `d` */
    const struct differentiated *f = context;
    const struct shape in = f->e->in;
    const struct squeeze_excite_ref se = se_ref(f->e, f->d);
    double *gate = memory_zeroed((size_t)in.n * channels_padded(in.c), sizeof(double));
    struct source_ref x = {f->d->x, f->d->scale, f->d->shift, NULL, f->e->x_act};
    squeeze_excite_ref_forward(in, &x, &se, gate);
    x.gate = gate;
    for (int n = 0; n < in.n; n++)
        for (int h = 0; h < in.h; h++)
            for (int w = 0; w < in.w; w++)
                for (int c = 0; c < in.c; c++)
                    out[ref_at(in, n, h, w, c)] = source_ref_value(in, &x, n, h, w, c);
    free(gate);
}

static void check_slopes(const struct example *e)
{
    const size_t c = channels_padded(e->in.c), r = channels_padded(e->reduced),
                 outputs = shape_floats(e->in);
    struct operands o = draw_operands(e);
    for (int i = 0; i < e->in.c; i++)
        o.scale[i] = 1, o.shift[i] = 0.25f;
    for (size_t i = 0; i < outputs; i++)
        o.x[i] = roundf(o.x[i]); /* a quarter from every kink */
    struct doubles d = in_double(e, &o);
    struct expected found = reference(e, &d);
    struct differentiated f = {e, &d};
    const struct {
        double *variables;
        const double *gradient;
        size_t count;
    } all[] = {
        {d.x, found.g, outputs},
        {d.w1, found.dw1, (size_t)e->reduced * c},
        {d.b1, found.db1, (size_t)e->reduced},
        {d.w2, found.dw2, (size_t)e->in.c * r},
        {d.b2, found.db2, (size_t)e->in.c},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        assert_true(gradient_error(gated_of_doubles, &f, all[i].count, all[i].variables,
                                   outputs, d.da, all[i].gradient) < 1e-7);
    free_all(&o, sizeof(o));
    free_all(&d, sizeof(d));
    free_all(&found, sizeof(found));
}

static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    static const struct example small[] = {
        {{2, 2, 3, 3}, 2, ACT_RELU, ACT_RELU, ACT_SIGMOID},
        {{2, 2, 2, 3}, 2, ACT_HSWISH, ACT_HSWISH, ACT_HSIGMOID},
        {{1, 3, 2, 3}, 4, ACT_SWISH, ACT_SWISH, ACT_SIGMOID},
        {{1, 2, 2, 2}, 3, ACT_RELU6, ACT_HSWISH, ACT_HSIGMOID},
    };
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++)
        check_slopes(&small[i]);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    openblas_set_num_threads(1); /* as every program here does (base/threads.h) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(a_gate_comes_out_as_by_hand),
        cmocka_unit_test(it_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(nan_and_infinity_in_one_image_reach_its_gates_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
