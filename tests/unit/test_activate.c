#include <omp.h>

#include "ref/act_ref.h"
#include "ref/operands_ref.h"
#include "tensor/activate.h"
#include "unit/tensors.h"

static const struct shape shapes[] = {
    {1, 1, 1, 1}, {3, 5, 7, 8}, {2, 14, 13, 17}, {20, 3, 2, 32}};
static const enum activation acts[] = {ACT_NONE, ACT_RELU, ACT_RELU6, ACT_HSWISH,
                                       ACT_SWISH};

struct operands {
    size_t floats, padded;
    float *z, *scale, *shift, *dy, *mean;
};

static struct operands draw_operands(struct shape s)
{
    return (struct operands){
        shape_floats(s),
        channels_padded(s.c),
        drawn_rows(shape_pixels(s), s.c, -3, 3),
        drawn_rows(1, s.c, 0.5, 3),
        drawn_rows(1, s.c, -1, 1),
        drawn_rows(shape_pixels(s), s.c, -1, 1),
        drawn_rows(1, s.c, -1, 1),
    };
}

static void free_operands(struct operands *o)
{
    free(o->z), free(o->scale), free(o->shift), free(o->dy), free(o->mean);
}

struct results {
    float *y, *g;
    double *sum_g, *sum_gz;
};

static struct results run(struct shape s, enum activation act, const struct operands *o,
                          int threads)
{
    omp_set_num_threads(threads);
    struct results r = {nan_floats(o->floats), nan_floats(o->floats),
                        nan_doubles(o->padded), nan_doubles(o->padded)};
    const size_t promised = activate_scratch(s);
    struct arena *scratch = arena_create(promised + (1 << 16));
    arena_take(scratch, (size_t)drawn(1, 10000));
    const size_t before = arena_peak(scratch), mark = arena_mark(scratch);
    const struct source x = {
        .z = o->z, .scale = o->scale, .shift = o->shift, .act = act};
    const struct sink dx = {
        .g = r.g, .z = o->z, .mean = o->mean, .sum_g = r.sum_g, .sum_gz = r.sum_gz};
    activate_forward(s, &x, r.y);
    activate_backward(s, o->dy, &x, &dx, scratch);
    assert_int_equal(arena_mark(scratch), mark);
    assert_true(arena_peak(scratch) - before <= promised);
    arena_free(scratch);
    return r;
}

static void free_results(struct results *r)
{
    free(r->y), free(r->g), free(r->sum_g), free(r->sum_gz);
}

/* By formula, one element after the other. */
static void check_values(struct shape s, enum activation act, const struct operands *o,
                         const struct results *r)
{
    for (size_t c = 0; c < o->padded; c++) {
        double sum_g = 0, sum_gz = 0, size = 0;
        for (size_t i = 0; i < shape_pixels(s); i++) {
            const size_t at = i * o->padded + c;
            const double z = (double)o->z[at],
                         u = (double)o->scale[c] * z + (double)o->shift[c];
            if (c >= (size_t)s.c) {
                assert_true(r->y[at] == 0 && r->g[at] == 0);
                continue;
            }
            const double g = (double)o->dy[at] * act_ref_gradient(act, u);
            assert_true(fabs((double)r->y[at] - act_ref(act, u)) <= 1e-5);
            assert_true(fabs((double)r->g[at] - g) <= 1e-5);
            sum_g += g;
            sum_gz += g * (z - (double)o->mean[c]);
            size += 4;
        }
        assert_true(fabs(r->sum_g[c] - sum_g) <= 1e-5 * (1 + size));
        assert_true(fabs(r->sum_gz[c] - sum_gz) <= 1e-5 * (1 + size));
    }
}

static void check(struct shape s, enum activation act)
{
    struct operands o = draw_operands(s);
    struct results two = run(s, act, &o, 2);
    check_values(s, act, &o, &two);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct results other = run(s, act, &o, threads);
        assert_memory_equal(other.y, two.y, o.floats * sizeof(float));
        assert_memory_equal(other.g, two.g, o.floats * sizeof(float));
        assert_memory_equal(other.sum_g, two.sum_g, o.padded * sizeof(double));
        assert_memory_equal(other.sum_gz, two.sum_gz, o.padded * sizeof(double));
        free_results(&other);
    }
    free_results(&two);
    free_operands(&o);
}

static void output_and_gradient_follow_the_formulas_at_any_thread_count(void **state)
{
    (void)state;
    static const char *const isa[] = {"avx512", "avx2", "baseline"};
    for (size_t i = 0; i < 3; i++)
        if (tensor_select_isa(isa[i]))
            for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
                for (size_t a = 0; a < sizeof(acts) / sizeof(*acts); a++)
                    check(shapes[s], acts[a]);
}

/* A NaN must come through, or a run that blew up would go on. */
static void a_nan_comes_through_every_activation(void **state)
{
    (void)state;
    static const char *const isa[] = {"avx512", "avx2", "baseline"};
    struct shape s = {1, 2, 2, 3};
    struct operands o = draw_operands(s);
    o.z[16 + 1] = NAN;
    for (size_t i = 0; i < 3; i++)
        if (tensor_select_isa(isa[i]))
            for (size_t a = 0; a < sizeof(acts) / sizeof(*acts); a++) {
                struct results r = run(s, acts[a], &o, 1);
                assert_true(isnan(r.y[16 + 1]));
                assert_false(isnan(r.y[16 + 2]));
                free_results(&r);
            }
    free_operands(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_gradient_follow_the_formulas_at_any_thread_count),
        cmocka_unit_test(a_nan_comes_through_every_activation),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
