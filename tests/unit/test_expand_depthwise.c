#include <omp.h>

#include "ref/batchnorm_ref.h"
#include "ref/depthwise_ref.h"
#include "ref/pointwise_ref.h"
#include "tensor/expand_depthwise.h"
#include "tensor/gram.h"
#include "unit/tensors.h"

/* What an example has: x activated (the stem's output), a gradient to add, sums of a
 * plain source. */
enum { ACTIVATED = 1, ADD = 2, SUMS = 4 };

struct example {
    struct shape in;
    int k, r, stride;
    enum activation act;
    int with;
};

/* Every activation; images smaller than the kernel; channels of no whole vector; more
 * images than chunks; more rows, blocks and columns than are taken at a time. */
static const struct example examples[] = {
    {{3, 1, 2, 5}, 7, 3, 1, ACT_RELU6, SUMS},
    {{2, 4, 4, 10}, 30, 7, 1, ACT_SWISH, ADD | SUMS},
    {{2, 7, 5, 18}, 72, 5, 2, ACT_HSWISH, SUMS},
    {{19, 5, 6, 8}, 24, 3, 1, ACT_RELU, ADD | SUMS},
    {{2, 13, 14, 32}, 96, 3, 2, ACT_RELU6, ACTIVATED},
    {{1, 29, 27, 12}, 36, 5, 1, ACT_SWISH, 0},
    {{1, 30, 56, 16}, 136, 7, 1, ACT_RELU6, ADD | SUMS},
    {{1, 6, 300, 20}, 40, 3, 1, ACT_NONE, ACTIVATED},
    {{1, 14, 14, 40}, 180, 7, 2, ACT_RELU6, SUMS},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

static struct shape wide(const struct example *e)
{
    return (struct shape){e->in.n, e->in.h, e->in.w, e->k};
}

static struct shape out(const struct example *e)
{
    return (struct shape){e->in.n, conv_out(e->in.h, e->r, e->stride),
                          conv_out(e->in.w, e->r, e->stride), e->k};
}

/* Floats of w1, of w2. */
static size_t products(const struct example *e)
{
    return channels_padded(e->k) * channels_padded(e->in.c);
}

static size_t taps(const struct example *e)
{
    return (size_t)(e->r * e->r) * channels_padded(e->k);
}

/* All that goes in. */
struct operands {
    float *x, *scale, *shift, *w1, *gamma, *beta, *w2;
    float *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    float *add, *sink_z, *sink_mean;
};

/* No u of a kinked activation comes near a kink, where float and double could fall on
 * two sides: BN's outputs are within gamma times a few of beta. */
static float far_from_kinks(enum activation act, int c)
{
    static const float relu[] = {10, -10, 4}, relu6[] = {3, -20, 30, 2.5f};
    if (act == ACT_RELU)
        return relu[c % 3];
    return act == ACT_RELU6 ? relu6[c % 4] : act == ACT_HSWISH ? 0.3f : (float)(c % 3);
}

static struct operands draw_operands(const struct example *e)
{
    const int c = e->in.c, k = e->k;
    const size_t in_pixels = shape_pixels(e->in), out_pixels = shape_pixels(out(e));
    struct operands o = {.x = drawn_rows(in_pixels, c, 0.5, 3),
                         .w1 = drawn_rows(channels_padded(k), c, -1, 1),
                         .gamma = drawn_rows(1, k, 0.15, 0.3),
                         .beta = drawn_rows(1, k, 0, 0),
                         .w2 = drawn_rows((size_t)(e->r * e->r), k, -1, 1),
                         .dz_g = drawn_rows(out_pixels, k, -1, 1),
                         .dz_z = drawn_rows(out_pixels, k, -2, 2),
                         .ca = drawn_rows(1, k, 0.5, 1.5),
                         .cb = drawn_rows(1, k, -0.1, 0.1),
                         .cc = drawn_rows(1, k, -0.1, 0.1),
                         .dz_mean = drawn_rows(1, k, -1, 1),
                         .sink_mean = drawn_rows(1, c, -1, 1)};
    for (size_t i = (size_t)k * channels_padded(c); i < products(e); i++)
        o.w1[i] = 0;
    for (int i = 0; i < k; i++)
        o.beta[i] = far_from_kinks(e->act, i);
    if (e->with & ACTIVATED) {
        o.scale = drawn_rows(1, c, 0.5, 1.5);
        o.shift = drawn_rows(1, c, 0.1, 1);
    }
    if (e->with & ADD)
        o.add = drawn_rows(in_pixels, c, -1, 1);
    if (e->with & SUMS)
        o.sink_z = drawn_rows(in_pixels, c, -2, 2);
    return o;
}

static void free_all(void *pointers, size_t size)
{
    void **all = pointers;
    for (size_t i = 0; i < size / sizeof(*all); i++)
        free(all[i]);
}

/* All that comes out. */
struct results {
    float *mean, *variance, *z, *dw2, *dw1, *dgamma, *dbeta, *g;
    double *sum, *square, *sum_g, *sum_gz;
};

static struct results new_results(const struct example *e)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k);
    return (struct results){nan_floats(k),
                            nan_floats(k),
                            nan_floats(shape_floats(out(e))),
                            nan_floats(taps(e)),
                            nan_floats(products(e)),
                            nan_floats(k),
                            nan_floats(k),
                            nan_floats(shape_floats(e->in)),
                            nan_doubles(k),
                            nan_doubles(k),
                            nan_doubles(c),
                            nan_doubles(c)};
}

/* --- ours --------------------------------------------------------------------------
 */

static struct batchnorm bn_take(int c, struct arena *arena)
{
    const size_t padded = channels_padded(c);
    float *p = arena_floats(arena, 4 * padded);
    return (struct batchnorm){p, p + padded, p + 2 * padded, p + 3 * padded};
}

static void run_backward(const struct example *e, const struct operands *o,
                         const struct expand_depthwise *both, const struct source *x,
                         const struct gram *gram, const struct batchnorm *bn,
                         const struct results *r, struct arena *scratch)
{
    const size_t padded_k = channels_padded(e->k);
    const struct gradient dz = {o->dz_g, o->dz_z, o->ca, o->cb, o->cc, o->dz_mean};
    double *sum_g = nan_doubles(padded_k);
    float *gx = nan_floats(products(e));
    const struct expand_gradient to = {r->dw2, sum_g, gx, r->g, o->add};
    expand_depthwise_backward(both, &dz, &to, scratch);
    const struct gram_gradient rest = {sum_g, gx, r->dw1, r->dgamma, r->dbeta};
    const bool sums = e->with & (SUMS | ACTIVATED);
    const struct sink dx = {.g = r->g,
                            .z = o->sink_z,
                            .mean = o->sink_mean,
                            .sum_g = sums ? r->sum_g : NULL,
                            .sum_gz = sums ? r->sum_gz : NULL};
    gram_backward(e->in, e->k, x, gram, o->w1, o->gamma, bn, &rest, &dx, scratch);
    free(sum_g), free(gx);
}

static struct results run(const struct example *e, const struct operands *o,
                          int threads)
{
    omp_set_num_threads(threads);
    struct results r = new_results(e);
    const size_t one = expand_depthwise_scratch(e->in, e->k, e->r, e->stride),
                 other = gram_scratch(e->in, e->k);
    struct arena *arena = arena_create(1 << 21),
                 *scratch = arena_create(one > other ? one : other);
    const struct source x = {o->x, o->scale, o->shift, NULL,
                             o->scale ? ACT_RELU6 : ACT_NONE};
    struct gram gram;
    gram_take(e->in.c, arena, &gram);
    gram_of(e->in, &x, &gram, scratch);
    gram_statistics(e->in, e->k, &gram, o->w1, r.mean, r.variance, scratch);
    const struct batchnorm bn = bn_take(e->k, arena);
    batchnorm_from_statistics(e->k, r.mean, r.variance, o->gamma, o->beta, &bn);
    float *shifted = arena_floats(arena, channels_padded(e->k));
    gram_shift(e->in.c, e->k, &gram, o->w1, bn.scale, bn.shift, shifted);
    const struct expand_depthwise both = {.in = e->in,
                                          .expanded = e->k,
                                          .r = e->r,
                                          .stride = e->stride,
                                          .x = gram_source(&x, &gram),
                                          .act = e->act,
                                          .w1 = o->w1,
                                          .scale = bn.scale,
                                          .shift = shifted,
                                          .w2 = o->w2};
    const struct moments moments = {.sum = r.sum, .square = r.square};
    expand_depthwise_forward(&both, r.z, &moments, scratch);
    run_backward(e, o, &both, &x, &gram, &bn, &r, scratch);
    assert_int_equal(arena_mark(scratch), 0);
    arena_free(arena), arena_free(scratch);
    return r;
}

/* --- the plain loops, one operation after the other --------------------------------
 */

struct doubles {
    double *x, *scale, *shift, *w1, *gamma, *beta, *w2;
    double *dz_g, *dz_z, *ca, *cb, *cc, *dz_mean;
    double *add, *sink_z, *sink_mean;
};

static struct doubles in_double(const struct example *e, const struct operands *o)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k),
                 in = shape_floats(e->in), z = shape_floats(out(e));
    return (struct doubles){
        ref_doubles(o->x, in),       ref_doubles(o->scale, c),
        ref_doubles(o->shift, c),    ref_doubles(o->w1, products(e)),
        ref_doubles(o->gamma, k),    ref_doubles(o->beta, k),
        ref_doubles(o->w2, taps(e)), ref_doubles(o->dz_g, z),
        ref_doubles(o->dz_z, z),     ref_doubles(o->ca, k),
        ref_doubles(o->cb, k),       ref_doubles(o->cc, k),
        ref_doubles(o->dz_mean, k),  ref_doubles(o->add, in),
        ref_doubles(o->sink_z, in),  ref_doubles(o->sink_mean, c)};
}

struct expected {
    double *mean, *variance, *z, *dw2, *dw1, *dgamma, *dbeta, *g;
    double *sum, *square, *sum_g, *sum_gz;
};

static double *zeros(size_t count)
{
    return memory_zeroed(count, sizeof(double));
}

static struct expected new_expected(const struct example *e)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k);
    return (struct expected){zeros(k),
                             zeros(k),
                             zeros(shape_floats(out(e))),
                             zeros(taps(e)),
                             zeros(products(e)),
                             zeros(k),
                             zeros(k),
                             zeros(shape_floats(e->in)),
                             zeros(k),
                             zeros(k),
                             zeros(c),
                             zeros(c)};
}

/* BN of z1 by its textbook formulas. */
static void normalise(const struct example *e, const struct doubles *d,
                      const struct expected *to, double *scale, double *shift)
{
    for (int i = 0; i < e->k; i++) {
        const double pixels = (double)shape_pixels(e->in);
        to->mean[i] /= pixels;
        to->variance[i] = to->variance[i] / pixels - to->mean[i] * to->mean[i];
        scale[i] = d->gamma[i] / sqrt(to->variance[i] + BATCHNORM_EPSILON);
        shift[i] = d->beta[i] - scale[i] * to->mean[i];
    }
}

static void reference(const struct example *e, const struct doubles *d,
                      const struct expected *to)
{
    const size_t k = channels_padded(e->k);
    double *z1 = zeros(shape_floats(wide(e))), *g1 = zeros(shape_floats(wide(e)));
    double *scale = zeros(k), *shift = zeros(k), *sum_g = zeros(k), *sum_gz = zeros(k),
           *cb = zeros(k), *cc = zeros(k);
    const struct source_ref x = {d->x, d->scale, d->shift, NULL,
                                 d->scale ? ACT_RELU6 : ACT_NONE};
    const struct moments_ref of_z1 = {NULL, to->mean, to->variance};
    pointwise_ref_forward(e->in, e->k, 1, &x, d->w1, z1, &of_z1);
    normalise(e, d, to, scale, shift);
    const struct source_ref a1 = {z1, scale, shift, NULL, e->act};
    const struct moments_ref of_z = {NULL, to->sum, to->square};
    depthwise_ref_forward(wide(e), e->r, e->stride, &a1, d->w2, to->z, &of_z);
    const struct gradient_ref dz = {d->dz_g, d->dz_z, d->ca, d->cb, d->cc, d->dz_mean};
    const struct sink_ref to_z1 = {
        .g = g1, .mean = to->mean, .sum_g = sum_g, .sum_gz = sum_gz};
    depthwise_ref_backward(wide(e), e->r, e->stride, &dz, &a1, d->w2, to->dw2, &to_z1);
    for (int i = 0; i < e->k; i++) {
        const double rstd = scale[i] / d->gamma[i],
                     pixels = (double)shape_pixels(e->in);
        to->dgamma[i] = rstd * sum_gz[i];
        to->dbeta[i] = sum_g[i];
        cb[i] = -scale[i] * rstd * to->dgamma[i] / pixels;
        cc[i] = -scale[i] * sum_g[i] / pixels;
    }
    const bool sums = e->with & (SUMS | ACTIVATED);
    const struct gradient_ref dz1 = {g1, z1, scale, cb, cc, to->mean};
    const struct sink_ref dx = {.g = to->g,
                                .add = d->add,
                                .z = d->sink_z,
                                .mean = d->sink_mean,
                                .sum_g = sums ? to->sum_g : NULL,
                                .sum_gz = sums ? to->sum_gz : NULL};
    pointwise_ref_backward(e->in, e->k, 1, &dz1, &x, d->w1, to->dw1, &dx);
    double *all[] = {z1, g1, scale, shift, sum_g, sum_gz, cb, cc};
    free_all(all, sizeof(all));
}

/* --- the claims --------------------------------------------------------------------
 */

static double largest(size_t count, const double *x)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* |found - expected| <= tolerance * the largest of all that are expected (or `least`).
 * An activated x is not centred, and sums that BN takes apart again are larger. */
#define assert_close(name, count, least)                                               \
    do {                                                                               \
        const double most_ = fmax(least, largest(count, right->name));                 \
        for (size_t i_ = 0; i_ < (count); i_++)                                        \
            if (!(fabs((double)r->name[i_] - right->name[i_]) <= tolerance * most_))   \
                fail_msg(#name "[%zu] is %.9g, expected %.9g, the largest %.3g", i_,   \
                         (double)r->name[i_], right->name[i_], most_);                 \
    } while (0)

static void compare(const struct example *e, const struct results *r,
                    const struct expected *right)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k);
    const double tolerance = e->with & ACTIVATED ? 1e-4 : 2e-5;
    assert_close(mean, k, 1e-3);
    assert_close(variance, k, 1e-3);
    assert_close(z, shape_floats(out(e)), 1e-3);
    assert_close(sum, k, 1e-3);
    assert_close(square, k, 1e-3);
    assert_close(dw2, taps(e), 1e-3);
    assert_close(dgamma, (size_t)e->k, 1e-3);
    assert_close(dbeta, (size_t)e->k, 1e-3);
    assert_close(dw1, (size_t)e->k * c, 1e-3);
    assert_close(g, shape_floats(e->in), 1e-3);
    if (e->with & (SUMS | ACTIVATED)) {
        /* BN's backward makes sums of 0 of them, as far as there is nothing to add. */
        const double terms =
            0.1 * (double)shape_pixels(e->in) * largest(shape_floats(e->in), right->g);
        assert_close(sum_g, c, terms);
        assert_close(sum_gz, c, terms);
    }
}

static void assert_same_bits(const struct example *e, const struct results *a,
                             const struct results *b)
{
    const size_t c = channels_padded(e->in.c), k = channels_padded(e->k);
    assert_memory_equal(a->variance, b->variance, k * sizeof(float));
    assert_memory_equal(a->z, b->z, shape_floats(out(e)) * sizeof(float));
    assert_memory_equal(a->square, b->square, k * sizeof(double));
    assert_memory_equal(a->dw2, b->dw2, taps(e) * sizeof(float));
    assert_memory_equal(a->dw1, b->dw1, (size_t)e->k * c * sizeof(float));
    assert_memory_equal(a->dgamma, b->dgamma, (size_t)e->k * sizeof(float));
    assert_memory_equal(a->g, b->g, shape_floats(e->in) * sizeof(float));
}

static void check(const struct example *e, const char *isa)
{
    struct operands o = draw_operands(e);
    struct doubles d = in_double(e, &o);
    struct expected right = new_expected(e);
    reference(e, &d, &right);
    struct results two = run(e, &o, 2);
    print_message("# %s, example %d\n", isa, (int)(e - examples));
    compare(e, &two, &right);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct results other = run(e, &o, threads);
        assert_same_bits(e, &two, &other);
        free_all(&other, sizeof(other));
    }
    free_all(&two, sizeof(two));
    free_all(&right, sizeof(right));
    free_all(&d, sizeof(d));
    free_all(&o, sizeof(o));
}

static void it_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    static const char *const isas[] = {"avx512", "avx2", "baseline"};
    for (int i = 0; i < 3; i++)
        for (int e = 0; tensor_select_isa(isas[i]) && e < EXAMPLES; e++)
            check(&examples[e], isas[i]);
}

/* Moments about zero would leave of this variance, 1e-4 beside a squared mean of 1e6,
 * nothing in float. */
static void a_mean_far_from_zero_costs_no_digits(void **state)
{
    (void)state;
    const struct shape in = {4, 9, 9, 3};
    struct arena *arena = arena_create(1 << 20),
                 *scratch = arena_create(gram_scratch(in, 2));
    float *x = drawn_rows(shape_pixels(in), in.c, -1, 1), mean[16], variance[16];
    const float w[2 * 16] = {1, 0, 0};
    double sum = 0, square = 0, pixels = (double)shape_pixels(in);
    for (size_t i = 0; i < shape_pixels(in); i++) {
        x[i * 16] = 1000 + (float)(int)(8 * x[i * 16]) / 512;
        sum += (double)x[i * 16] - 1000;
        square += ((double)x[i * 16] - 1000) * ((double)x[i * 16] - 1000);
    }
    const struct source source = {.z = x};
    struct gram gram;
    gram_take(in.c, arena, &gram);
    gram_of(in, &source, &gram, scratch);
    gram_statistics(in, 2, &gram, w, mean, variance, scratch);
    const double right = square / pixels - sum * sum / pixels / pixels;
    assert_true(fabs((double)variance[0] - right) < 1e-4 * right);
    assert_true(fabs((double)mean[0] - 1000 - sum / pixels) < 1e-4);
    assert_true(variance[1] == 0);
    arena_free(arena), arena_free(scratch), free(x);
}

static void a_nan_pixel_reaches_what_it_touches(void **state)
{
    (void)state;
    const struct example e = {{2, 6, 6, 5}, 20, 3, 1, ACT_RELU6, 0};
    struct operands o = draw_operands(&e);
    o.x[16] = NAN;
    struct results r = run(&e, &o, 2);
    assert_true(isnan(r.variance[0]) && isnan(r.z[0]) && isnan(r.dw1[0]));
    assert_true(isnan(r.g[0]) && isnan(r.square[0]));
    free_all(&r, sizeof(r)), free_all(&o, sizeof(o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(a_mean_far_from_zero_costs_no_digits),
        cmocka_unit_test(a_nan_pixel_reaches_what_it_touches),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("expand_depthwise", tests, NULL, NULL);
}
