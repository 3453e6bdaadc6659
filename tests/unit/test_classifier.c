#include <omp.h>

#include "base/threads.h"
#include "ref/classifier_ref.h"
#include "ref/gradient.h"
#include "ref/operands_ref.h"
#include "tensor/classifier.h"
#include "unit/tensors.h"

/* Images, channels, classes: one of each, odd ones, several blocks each way. */
static const int sizes[][3] = {
    {1, 1, 1}, {1, 17, 10}, {3, 40, 17}, {65, 33, 10}, {130, 20, 3}, {70, 300, 140},
};
enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

struct layer {
    int n, c, classes;
    size_t x_floats, w_floats, padded, logits_floats;
    float *x, *w, *b, *dlogits;
};

static struct layer draw_layer(const int size[3])
{
    struct layer l = {.n = size[0], .c = size[1], .classes = size[2]};
    l.x_floats = (size_t)l.n * channels_padded(l.c);
    l.w_floats = (size_t)l.classes * channels_padded(l.c);
    l.padded = channels_padded(l.classes);
    l.logits_floats = (size_t)l.n * l.padded;
    l.x = drawn_rows((size_t)l.n, l.c, -1, 1);
    l.w = drawn_rows((size_t)l.classes, l.c, -1, 1);
    l.b = drawn_rows(1, l.classes, -1, 1);
    l.dlogits = drawn_rows((size_t)l.n, l.classes, -1, 1);
    return l;
}

static void free_layer(struct layer *l)
{
    free(l->x);
    free(l->w);
    free(l->b);
    free(l->dlogits);
}

struct results {
    float *logits, *dw, *db, *dx;
};

static struct results run(const struct layer *l, int threads)
{
    omp_set_num_threads(threads);
    struct results r = {nan_floats(l->logits_floats), nan_floats(l->w_floats),
                        nan_floats(l->padded), nan_floats(l->x_floats)};
    struct arena *scratch = arena_create(linear_scratch(l->n, l->c, l->classes));
    linear_forward(l->n, l->c, l->classes, l->x, l->w, l->b, r.logits);
    linear_backward(l->n, l->c, l->classes, l->dlogits, l->x, l->w, r.dw, r.db, r.dx,
                    scratch);
    assert_true(arena_peak(scratch) <= linear_scratch(l->n, l->c, l->classes));
    arena_free(scratch);
    return r;
}

static void free_results(struct results *r)
{
    free(r->logits);
    free(r->dw);
    free(r->db);
    free(r->dx);
}

struct reference {
    double *x, *w, *b, *dlogits; /* operands */
    double *logits, *dw, *db, *dx;
};

static struct reference new_reference(const struct layer *l)
{
    return (struct reference){ref_doubles(l->x, l->x_floats),
                              ref_doubles(l->w, l->w_floats),
                              ref_doubles(l->b, l->padded),
                              ref_doubles(l->dlogits, l->logits_floats),
                              memory_zeroed(l->logits_floats, sizeof(double)),
                              memory_zeroed(l->w_floats, sizeof(double)),
                              memory_zeroed(l->padded, sizeof(double)),
                              memory_zeroed(l->x_floats, sizeof(double))};
}

static void run_reference(const struct layer *l, const struct reference *d)
{
    linear_ref_forward(l->n, l->c, l->classes, d->x, d->w, d->b, d->logits);
    linear_ref_backward(l->n, l->c, l->classes, d->dlogits, d->x, d->w, d->dw, d->db,
                        d->dx);
}

static void free_reference(struct reference *d)
{
    double **all = (double **)d;
    for (size_t i = 0; i < sizeof(*d) / sizeof(*all); i++)
        free(all[i]);
}

static void make_absolute(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = fabs(x[i]);
}

/* The same on the magnitudes of the operands: how large the terms are. */
static struct reference magnitudes(const struct layer *l)
{
    struct reference d = new_reference(l);
    make_absolute(d.x, l->x_floats);
    make_absolute(d.w, l->w_floats);
    make_absolute(d.b, l->padded);
    make_absolute(d.dlogits, l->logits_floats);
    run_reference(l, &d);
    return d;
}

static const double tolerance = 5e-6;

static void the_layer_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        struct layer l = draw_layer(sizes[i]);
        struct reference right = new_reference(&l), size = magnitudes(&l);
        run_reference(&l, &right);
        struct results two = run(&l, 2);
        assert_near_all("logits", two.logits, right.logits, size.logits, tolerance,
                        l.logits_floats);
        assert_near_all("dw", two.dw, right.dw, size.dw, tolerance, l.w_floats);
        assert_near_all("db", two.db, right.db, size.db, tolerance, l.padded);
        assert_near_all("dx", two.dx, right.dx, size.dx, tolerance, l.x_floats);
        for (int threads = 1; threads <= 3; threads += 2) {
            struct results other = run(&l, threads);
            assert_memory_equal(other.logits, two.logits,
                                l.logits_floats * sizeof(float));
            assert_memory_equal(other.dw, two.dw, l.w_floats * sizeof(float));
            assert_memory_equal(other.dx, two.dx, l.x_floats * sizeof(float));
            free_results(&other);
        }
        free_results(&two);
        free_reference(&right);
        free_reference(&size);
        free_layer(&l);
    }
}

static void dx_may_be_unwanted(void **state)
{
    (void)state;
    struct layer l = draw_layer(sizes[2]);
    struct results all = run(&l, 1);
    float *dw = nan_floats(l.w_floats), *db = nan_floats(l.padded);
    struct arena *scratch = arena_create(linear_scratch(l.n, l.c, l.classes));
    linear_backward(l.n, l.c, l.classes, l.dlogits, l.x, l.w, dw, db, NULL, scratch);
    assert_memory_equal(dw, all.dw, l.w_floats * sizeof(float));
    assert_memory_equal(db, all.db, l.padded * sizeof(float));
    arena_free(scratch);
    free(dw);
    free(db);
    free_results(&all);
    free_layer(&l);
}

static void an_image_with_a_nan_has_nan_logits_and_no_other_has(void **state)
{
    (void)state;
    struct layer l = draw_layer(sizes[2]);
    l.x[channels_padded(l.c) + 5] = NAN;
    struct results r = run(&l, 1);
    for (int k = 0; k < l.classes; k++) {
        assert_true(isfinite(r.logits[k]));
        assert_true(isnan(r.logits[l.padded + (size_t)k]));
    }
    free_results(&r);
    free_layer(&l);
}

/* --- the loss ---------------------------------------------------- */

/* Worked by hand. Logits ln 1, ln 2, ln 5 make probabilities 1/8, 2/8, 5/8. */
static void the_loss_of_known_probabilities(void **state)
{
    (void)state;
    const float logits[CHANNEL_BLOCK] = {0, 0.69314718f, 1.60943791f};
    const int label = 2;
    double loss;
    unsigned char hit;
    float gradient[CHANNEL_BLOCK];
    cross_entropy(1, 3, logits, &label, 0, &loss, &hit, gradient);
    assert_true(fabs(loss - log(8.0 / 5)) < 1e-7);
    assert_int_equal(hit, 1);
    assert_true(fabsf(gradient[0] - 1.0f / 8) < 1e-6f);
    assert_true(fabsf(gradient[1] - 2.0f / 8) < 1e-6f);
    assert_true(fabsf(gradient[2] + 3.0f / 8) < 1e-6f);
    /* smoothing 0.3: targets 0.1, 0.1, 0.8 */
    cross_entropy(1, 3, logits, &label, 0.3, &loss, &hit, gradient);
    const double right = 0.1 * log(8) + 0.1 * log(4) + 0.8 * log(8.0 / 5);
    assert_true(fabs(loss - right) < 1e-7);
    assert_true(fabsf(gradient[0] - 0.025f) < 1e-6f);
    assert_true(fabsf(gradient[2] - (0.625f - 0.8f)) < 1e-6f);
}

static void the_loss_agrees_with_the_plain_loops_at_any_thread_count(void **state)
{
    (void)state;
    enum { N = 23, CLASSES = 19, ROW = 32 };
    float *logits = drawn_rows(N, CLASSES, -4, 4), *gradient = nan_floats(N * ROW);
    double *in_double = ref_doubles(logits, N * ROW);
    double loss[N], right[N], right_gradient[N * ROW], one[N * ROW], ones[N];
    int labels[N];
    for (int i = 0; i < N; i++)
        labels[i] = i % CLASSES, ones[i] = 1;
    for (int i = 0; i < N * ROW; i++)
        one[i] = i % ROW < CLASSES; /* the padding is exactly zero */
    cross_entropy_ref(N, CLASSES, in_double, labels, 0.1, right, right_gradient);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        cross_entropy(N, CLASSES, logits, labels, 0.1, loss, NULL, gradient);
        assert_near_all("loss", loss, right, ones, 1e-12, (size_t)N);
        assert_near_all("gradient", gradient, right_gradient, one, 1e-8,
                        (size_t)(N * ROW));
    }
    free(logits);
    free(gradient);
    free(in_double);
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float logits[CHANNEL_BLOCK] = {3e4f, -3e4f, 3e4f};
    const int label = 0;
    double loss;
    float gradient[CHANNEL_BLOCK];
    cross_entropy(1, 3, logits, &label, 0, &loss, NULL, gradient);
    assert_true(fabs(loss - log(2)) < 1e-12);
    assert_true(gradient[0] == -0.5f && gradient[1] == 0 && gradient[2] == 0.5f);
}

static void the_lower_index_wins_a_tie(void **state)
{
    (void)state;
    const float logits[2 * CHANNEL_BLOCK] = {1, 2, 2, [CHANNEL_BLOCK] = 1, 2, 2};
    const int labels[] = {1, 2};
    unsigned char hit[2];
    cross_entropy(2, 3, logits, labels, 0, NULL, hit, NULL);
    assert_int_equal(hit[0], 1);
    assert_int_equal(hit[1], 0);
}

/* Wherever it stands, the label's own place included. */
static void a_nan_logit_gives_a_nan_loss_and_no_hit(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        float logits[CHANNEL_BLOCK] = {1, 2, 9}, gradient[CHANNEL_BLOCK];
        const int label = 2;
        double loss;
        unsigned char hit;
        logits[at] = NAN;
        cross_entropy(1, 3, logits, &label, 0.1, &loss, &hit, gradient);
        assert_true(isnan(loss));
        assert_int_equal(hit, 0);
        for (int k = 0; k < 3; k++)
            assert_true(isnan(gradient[k]));
    }
}

/* --- the references themselves ----------------------------------- */

struct differentiated {
    const struct layer *l;
    const struct reference *d;
    const int *labels;
};

static void logits_of_doubles(const double *variables, double *logits, void *context)
{
    (void)variables; /* they lie in context: x, w or b of `d` */
    const struct differentiated *f = context;
    linear_ref_forward(f->l->n, f->l->c, f->l->classes, f->d->x, f->d->w, f->d->b,
                       logits);
}

static void losses_of_logits(const double *logits, double *loss, void *context)
{
    const struct differentiated *f = context;
    double *unused = memory_zeroed(f->l->logits_floats, sizeof(*unused));
    cross_entropy_ref(f->l->n, f->l->classes, logits, f->labels, 0.2, loss, unused);
    free(unused);
}

static void the_references_have_the_slopes_of_their_own_forward(void **state)
{
    (void)state;
    const int size[] = {3, 5, 4}, labels[] = {2, 0, 3};
    struct layer l = draw_layer(size);
    struct reference d = new_reference(&l);
    run_reference(&l, &d);
    struct differentiated f = {&l, &d, labels};
    assert_true(gradient_error(logits_of_doubles, &f, l.x_floats, d.x, l.logits_floats,
                               d.dlogits, d.dx) < 1e-8);
    assert_true(gradient_error(logits_of_doubles, &f, l.w_floats, d.w, l.logits_floats,
                               d.dlogits, d.dw) < 1e-8);
    assert_true(gradient_error(logits_of_doubles, &f, (size_t)l.classes, d.b,
                               l.logits_floats, d.dlogits, d.db) < 1e-8);
    double loss[3], mean[] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
    double *gradient = memory_zeroed(l.logits_floats, sizeof(*gradient));
    cross_entropy_ref(3, 4, d.logits, labels, 0.2, loss, gradient);
    assert_true(gradient_error(losses_of_logits, &f, l.logits_floats, d.logits, 3, mean,
                               gradient) < 1e-8);
    free(gradient);
    free_reference(&d);
    free_layer(&l);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    threads_start(2); /* holds OpenBLAS to one thread */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_references_have_the_slopes_of_their_own_forward),
        cmocka_unit_test(the_layer_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(dx_may_be_unwanted),
        cmocka_unit_test(an_image_with_a_nan_has_nan_logits_and_no_other_has),
        cmocka_unit_test(the_loss_of_known_probabilities),
        cmocka_unit_test(the_loss_agrees_with_the_plain_loops_at_any_thread_count),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(the_lower_index_wins_a_tie),
        cmocka_unit_test(a_nan_logit_gives_a_nan_loss_and_no_hit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
