#include <omp.h>

#include "ref/batchnorm_ref.h"
#include "ref/gradient.h"
#include "tensor/batchnorm.h"
#include "unit/tensors.h"

static const struct shape shapes[] = {{1, 1, 1, 1},   {1, 1, 3, 17},  {2, 5, 7, 40},
                                      {3, 9, 11, 65}, {17, 4, 3, 16}, {40, 2, 2, 100}};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };
static const char *const isas[] = {"avx512", "avx2", "baseline"};

#define assert_near(found, expected, within)                                           \
    assert_true(fabs((double)(found) - (double)(expected)) <= (within))

/* Every number of one BN, freshly NaN. */
struct numbers {
    float *mean, *rstd, *scale, *shift, *variance;
    float *ca, *cb, *cc, *dgamma, *dbeta;
    double *sum_g, *sum_gz;
};

static struct numbers new_numbers(int c)
{
    const size_t padded = channels_padded(c);
    struct numbers b;
    float **floats[] = {&b.mean, &b.rstd, &b.scale, &b.shift,  &b.variance,
                        &b.ca,   &b.cb,   &b.cc,    &b.dgamma, &b.dbeta};
    for (size_t i = 0; i < sizeof(floats) / sizeof(*floats); i++)
        *floats[i] = nan_floats(padded);
    b.sum_g = nan_doubles(padded);
    b.sum_gz = nan_doubles(padded);
    return b;
}

/* A struct or array of nothing but pointers to free. */
static void free_all(void *pointers, size_t size)
{
    void **all = pointers;
    for (size_t i = 0; i < size / sizeof(*all); i++)
        free(all[i]);
}

static struct batchnorm bn_of(const struct numbers *b)
{
    return (struct batchnorm){b->mean, b->rstd, b->scale, b->shift};
}

/* The sums that a convolution would have taken. */
static void from_tensor(struct shape s, const float *z, const float *centre,
                        const float *gamma, const float *beta, const struct numbers *b)
{
    const size_t padded = channels_padded(s.c);
    double *z_double = ref_doubles(z, shape_floats(s)),
           *centre_double = ref_doubles(centre, padded);
    double *sum = nan_doubles(padded), *square = nan_doubles(padded);
    const struct moments_ref take = {centre_double, sum, square};
    const struct moments moments = {centre, sum, square};
    const struct batchnorm bn = bn_of(b);
    moments_ref_take(s, z_double, &take);
    batchnorm_from_moments(s.c, shape_pixels(s), &moments, gamma, beta, &bn,
                           b->variance);
    void *all[] = {z_double, centre_double, sum, square};
    free_all(all, sizeof(all));
}

static void check_forward(struct shape s)
{
    const size_t floats = shape_floats(s), padded = channels_padded(s.c);
    float *z = drawn_rows(shape_pixels(s), s.c, 3, 6),
          *gamma = drawn_rows(1, s.c, 0.5, 2), *beta = drawn_rows(1, s.c, -1, 1),
          *centre = drawn_rows(1, s.c, 4, 5), *y = nan_floats(floats);
    double *zd = ref_doubles(z, floats), *gd = ref_doubles(gamma, padded),
           *bd = ref_doubles(beta, padded), *mean = nan_doubles(padded),
           *variance = nan_doubles(padded),
           *right = memory_zeroed(floats, sizeof(double));
    struct numbers b = new_numbers(s.c);
    from_tensor(s, z, centre, gamma, beta, &b);
    batchnorm_apply(s, z, b.scale, b.shift, NULL, y);
    batchnorm_ref_forward(s, zd, gd, bd, mean, variance, right);
    for (size_t c = 0; c < padded; c++) {
        const bool real = c < (size_t)s.c;
        assert_true(fabs((double)b.mean[c] - (real ? mean[c] : 0)) <= 1e-6);
        assert_true(fabs((double)b.variance[c] - (real ? variance[c] : 0)) <= 1e-6);
    }
    /* scale*z and shift nearly cancel: each is as large as mean / deviation. */
    for (size_t i = 0; i < floats; i++) {
        const size_t c = i % padded;
        const double size = fabs((double)b.scale[c] * zd[i]) + fabs((double)b.shift[c]);
        assert_true(fabs((double)y[i] - right[i]) <= 4e-7 * size);
    }
    void *all[] = {z, gamma, beta, centre, y, zd, gd, bd, mean, variance, right};
    free_all(all, sizeof(all));
    free_all(&b, sizeof(b));
}

static void output_is_the_normalised_tensor(void **state)
{
    (void)state;
    for (int isa = 0; isa < 3; isa++)
        for (int i = 0; tensor_select_isa(isas[isa]) && i < SHAPES; i++)
            check_forward(shapes[i]);
}

/* 1, 3, 5, 7 and 2, 2, 2, 2: means 4 and 2, variances (9 + 1 + 1 + 9)/4 = 5 and 0. */
static void statistics_come_out_as_by_hand(void **state)
{
    (void)state;
    float z[4 * CHANNEL_BLOCK] = {0}, gamma[CHANNEL_BLOCK] = {3, 1},
                beta[CHANNEL_BLOCK] = {10, -1};
    for (int i = 0; i < 4; i++) {
        z[i * CHANNEL_BLOCK] = (float)(2 * i + 1);
        z[i * CHANNEL_BLOCK + 1] = 2;
    }
    struct numbers b = new_numbers(2);
    from_tensor((struct shape){1, 2, 2, 2}, z, NULL, gamma, beta, &b);
    assert_near(b.mean[0], 4, 1e-6);
    assert_near(b.mean[1], 2, 1e-6);
    assert_near(b.variance[0], 5, 1e-6);
    assert_near(b.variance[1], 0, 0);
    assert_near(b.rstd[0], 1 / sqrt(5 + 1e-5), 1e-7);
    assert_near(b.scale[0], 3 / sqrt(5 + 1e-5), 1e-6);
    assert_near(b.shift[0], 10 - 4 * 3 / sqrt(5 + 1e-5), 1e-6);
    assert_near(b.scale[1], 1 / sqrt(1e-5), 1e-4);
    for (int c = 2; c < CHANNEL_BLOCK; c++)
        assert_true(b.mean[c] == 0 && b.rstd[c] == 0 && b.scale[c] == 0 &&
                    b.shift[c] == 0 && b.variance[c] == 0);
    free_all(&b, sizeof(b));
}

/* square / pixels - (sum / pixels)^2 = -1e-9 here. */
static void a_variance_below_zero_is_zero_and_nan_stays(void **state)
{
    (void)state;
    const double sum[CHANNEL_BLOCK] = {2, (double)NAN, 0},
                 square[CHANNEL_BLOCK] = {2 - 2e-9, 1, (double)NAN};
    const float gamma[CHANNEL_BLOCK] = {1, 1, 1}, beta[CHANNEL_BLOCK] = {0};
    const struct moments moments = {NULL, (double *)sum, (double *)square};
    struct numbers b = new_numbers(3);
    const struct batchnorm bn = bn_of(&b);
    batchnorm_from_moments(3, 2, &moments, gamma, beta, &bn, b.variance);
    assert_true(b.variance[0] == 0);
    assert_near(b.rstd[0], 1 / sqrt(1e-5), 1e-4);
    for (int c = 1; c < 3; c++) {
        assert_true(isnan(b.variance[c]));
        assert_true(isnan(b.scale[c]));
        assert_true(isnan(b.shift[c]));
    }
    free_all(&b, sizeof(b));
}

static void given_statistics_serve_like_measured_ones(void **state)
{
    (void)state;
    const struct shape s = {3, 4, 5, 20};
    float *z = drawn_rows(shape_pixels(s), s.c, 3, 6),
          *gamma = drawn_rows(1, s.c, 0.5, 2), *beta = drawn_rows(1, s.c, -1, 1);
    struct numbers measured = new_numbers(s.c), given = new_numbers(s.c);
    const struct batchnorm bn = bn_of(&given);
    from_tensor(s, z, NULL, gamma, beta, &measured);
    batchnorm_from_statistics(s.c, measured.mean, measured.variance, gamma, beta, &bn);
    for (size_t c = 0; c < channels_padded(s.c); c++) {
        assert_near(given.mean[c], measured.mean[c], 0);
        assert_near(given.rstd[c], measured.rstd[c], 1e-6);
        assert_near(given.scale[c], measured.scale[c], 2e-6);
        assert_near(given.shift[c], measured.shift[c], 1e-5);
    }
    void *all[] = {z, gamma, beta};
    free_all(all, sizeof(all));
    free_all(&measured, sizeof(measured));
    free_all(&given, sizeof(given));
}

/* Momentum 0.1: 0.9 * 10 + 0.1 * 20 = 11; 0.9 * 4 + 0.1 * 5 * 6/5 = 4.2. */
static void running_statistics_move_by_momentum_and_unbiased(void **state)
{
    (void)state;
    const float mean[CHANNEL_BLOCK] = {20}, variance[CHANNEL_BLOCK] = {5};
    float running_mean[CHANNEL_BLOCK] = {10}, running_variance[CHANNEL_BLOCK] = {4};
    batchnorm_update_running(1, 6, 0.1, mean, variance, running_mean, running_variance);
    assert_near(running_mean[0], 11, 1e-5);
    assert_near(running_variance[0], 4.2, 1e-6);
    float one_mean[CHANNEL_BLOCK] = {10}, one_variance[CHANNEL_BLOCK] = {4};
    batchnorm_update_running(1, 1, 0.1, mean, variance, one_mean, one_variance);
    assert_near(one_variance[0], 0.9 * 4 + 0.1 * 5, 1e-6);
}

static void check_backward(struct shape s)
{
    const size_t floats = shape_floats(s), padded = channels_padded(s.c);
    float *z = drawn_rows(shape_pixels(s), s.c, -1, 3),
          *g = drawn_rows(shape_pixels(s), s.c, -1, 1),
          *gamma = drawn_rows(1, s.c, 0.5, 2), *beta = drawn_rows(1, s.c, -1, 1);
    double *zd = ref_doubles(z, floats), *gd = ref_doubles(g, floats),
           *gamma_d = ref_doubles(gamma, padded),
           *dz = memory_zeroed(floats, sizeof(*dz)),
           *dgamma = memory_zeroed(padded, sizeof(*dgamma)),
           *dbeta = memory_zeroed(padded, sizeof(*dbeta));
    struct numbers b = new_numbers(s.c);
    from_tensor(s, z, NULL, gamma, beta, &b);
    struct arena *scratch = arena_create(batchnorm_scratch(s));
    batchnorm_gradient_sums(s, g, z, b.mean, b.sum_g, b.sum_gz, scratch);
    assert_true(arena_peak(scratch) <= batchnorm_scratch(s));
    const struct batchnorm bn = bn_of(&b);
    batchnorm_backward(s.c, shape_pixels(s), gamma, &bn, b.sum_g, b.sum_gz, b.ca, b.cb,
                       b.cc, b.dgamma, b.dbeta);
    batchnorm_ref_backward(s, gd, zd, gamma_d, dz, dgamma, dbeta);
    const double pixels = (double)shape_pixels(s);
    for (size_t c = 0; c < padded; c++) {
        const double rstd = (double)b.rstd[c];
        assert_true(fabs((double)b.dgamma[c] - dgamma[c]) <= 1e-6 * pixels * 4 * rstd);
        assert_true(fabs((double)b.dbeta[c] - dbeta[c]) <= 1e-6 * pixels);
    }
    for (size_t i = 0; i < floats; i++) {
        const size_t c = i % padded;
        const double mine = (double)b.ca[c] * gd[i] +
                            (double)b.cb[c] * (zd[i] - (double)b.mean[c]) +
                            (double)b.cc[c];
        const double rstd = (double)b.rstd[c], size = 2 * rstd * (2 + 16 * rstd * rstd);
        assert_true(fabs(mine - dz[i]) <= 1e-6 * size);
    }
    arena_free(scratch);
    void *all[] = {z, g, gamma, beta, zd, gd, gamma_d, dz, dgamma, dbeta};
    free_all(all, sizeof(all));
    free_all(&b, sizeof(b));
}

static void coefficients_make_the_textbooks_gradient(void **state)
{
    (void)state;
    for (int isa = 0; isa < 3; isa++)
        for (int i = 1; tensor_select_isa(isas[isa]) && i < SHAPES; i++)
            check_backward(shapes[i]);
}

/* One pixel: the output is beta whatever z is. */
static void a_single_pixel_has_no_gradient(void **state)
{
    (void)state;
    const struct shape s = {1, 1, 1, 1};
    const float z[CHANNEL_BLOCK] = {3}, g[CHANNEL_BLOCK] = {2},
                gamma[CHANNEL_BLOCK] = {1.5f}, beta[CHANNEL_BLOCK] = {7};
    struct numbers b = new_numbers(1);
    from_tensor(s, z, NULL, gamma, beta, &b);
    assert_near(b.scale[0] * z[0] + b.shift[0], 7, 1e-3);
    const double sum_g[CHANNEL_BLOCK] = {2}, sum_gz[CHANNEL_BLOCK] = {0};
    const struct batchnorm bn = bn_of(&b);
    batchnorm_backward(1, 1, gamma, &bn, sum_g, sum_gz, b.ca, b.cb, b.cc, b.dgamma,
                       b.dbeta);
    assert_near(b.ca[0] * g[0] + b.cb[0] * (z[0] - b.mean[0]) + b.cc[0], 0, 0);
    assert_near(b.dgamma[0], 0, 0);
    assert_near(b.dbeta[0], 2, 0);
    free_all(&b, sizeof(b));
}

static void a_residual_is_added_even_in_place(void **state)
{
    (void)state;
    for (int isa = 0; isa < 3; isa++)
        for (int k = 0; tensor_select_isa(isas[isa]) && k < SHAPES; k++) {
            const struct shape s = shapes[k];
            const size_t floats = shape_floats(s), padded = channels_padded(s.c);
            float *z = drawn_rows(shape_pixels(s), s.c, -1, 1),
                  *scale = drawn_rows(1, s.c, -1, 1),
                  *shift = drawn_rows(1, s.c, -1, 1),
                  *residual = drawn_rows(shape_pixels(s), s.c, -1, 1),
                  *y = nan_floats(floats);
            batchnorm_apply(s, z, scale, shift, residual, y);
            for (size_t i = 0; i < floats; i++) {
                const double expected = (double)scale[i % padded] * (double)z[i] +
                                        (double)shift[i % padded] + (double)residual[i];
                assert_true(fabs((double)y[i] - expected) <= 4e-7);
            }
            batchnorm_apply(s, z, scale, shift, residual, residual);
            assert_memory_equal(residual, y, floats * sizeof(*y));
            void *all[] = {z, scale, shift, residual, y};
            free_all(all, sizeof(all));
        }
}

static void sums_have_the_same_bits_at_any_thread_count(void **state)
{
    (void)state;
    for (int isa = 0; isa < 3; isa++)
        for (int k = 0; tensor_select_isa(isas[isa]) && k < SHAPES; k++) {
            const struct shape s = shapes[k];
            const size_t padded = channels_padded(s.c);
            float *z = drawn_rows(shape_pixels(s), s.c, -1, 1),
                  *g = drawn_rows(shape_pixels(s), s.c, -1, 1),
                  *mean = drawn_rows(1, s.c, -1, 1);
            double *sums = nan_doubles(2 * padded), *first = nan_doubles(2 * padded);
            struct arena *scratch = arena_create(batchnorm_scratch(s));
            for (int threads = 1; threads <= 3; threads++) {
                omp_set_num_threads(threads);
                double *to = threads == 1 ? first : sums;
                batchnorm_gradient_sums(s, g, z, mean, to, to + padded, scratch);
                assert_int_equal(arena_mark(scratch), 0);
                if (threads > 1)
                    assert_memory_equal(sums, first, 2 * padded * sizeof(*sums));
            }
            arena_free(scratch);
            void *all[] = {z, g, mean, sums, first};
            free_all(all, sizeof(all));
        }
}

static void nan_and_infinity_reach_output_and_sums(void **state)
{
    (void)state;
    const struct shape s = {2, 3, 3, 20};
    const float bad[] = {NAN, INFINITY};
    for (int isa = 0; isa < 3; isa++)
        for (int k = 0; tensor_select_isa(isas[isa]) && k < 2; k++) {
            float *z = drawn_rows(shape_pixels(s), s.c, -1, 1),
                  *one = drawn_rows(1, s.c, 1, 2), *y = nan_floats(shape_floats(s));
            double sum_g[32], sum_gz[32];
            struct arena *scratch = arena_create(batchnorm_scratch(s));
            z[5 * 32 + 18] = bad[k];
            batchnorm_apply(s, z, one, one, NULL, y);
            assert_false(isfinite(y[5 * 32 + 18]));
            assert_true(isfinite(y[5 * 32 + 17]) && isfinite(y[6 * 32 + 18]));
            batchnorm_gradient_sums(s, z, z, one, sum_g, sum_gz, scratch);
            assert_false(isfinite(sum_g[18]) || isfinite(sum_gz[18]));
            assert_true(isfinite(sum_g[17]) && isfinite(sum_gz[17]));
            arena_free(scratch);
            void *all[] = {z, one, y};
            free_all(all, sizeof(all));
        }
}

/* --- the reference itself ----------------------------------------------------------
 */

struct differentiated {
    struct shape s;
    const double *z, *gamma, *beta;
};

static void y_of_doubles(const double *variables, double *y, void *context)
{
    (void)variables; /* z, gamma or beta */
    const struct differentiated *f = context;
    batchnorm_ref_forward(f->s, f->z, f->gamma, f->beta, NULL, NULL, y);
}

static void the_reference_has_the_slopes_of_its_own_forward(void **state)
{
    (void)state;
    const struct shape s = {2, 2, 3, 3};
    const size_t floats = shape_floats(s), padded = channels_padded(s.c);
    float *zf = drawn_rows(shape_pixels(s), s.c, -1, 3),
          *gf = drawn_rows(shape_pixels(s), s.c, -1, 1),
          *gamma_f = drawn_rows(1, s.c, 0.5, 2), *beta_f = drawn_rows(1, s.c, -1, 1);
    double *z = ref_doubles(zf, floats), *g = ref_doubles(gf, floats),
           *gamma = ref_doubles(gamma_f, padded), *beta = ref_doubles(beta_f, padded),
           *dz = memory_zeroed(floats, sizeof(*dz)),
           *dgamma = memory_zeroed(padded, sizeof(*dz)),
           *dbeta = memory_zeroed(padded, sizeof(*dz));
    struct differentiated f = {s, z, gamma, beta};
    batchnorm_ref_backward(s, g, z, gamma, dz, dgamma, dbeta);
    assert_true(gradient_error(y_of_doubles, &f, floats, z, floats, g, dz) < 1e-7);
    assert_true(gradient_error(y_of_doubles, &f, padded, gamma, floats, g, dgamma) <
                1e-7);
    assert_true(gradient_error(y_of_doubles, &f, padded, beta, floats, g, dbeta) <
                1e-7);
    void *all[] = {zf, gf, gamma_f, beta_f, z, g, gamma, beta, dz, dgamma, dbeta};
    free_all(all, sizeof(all));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_has_the_slopes_of_its_own_forward),
        cmocka_unit_test(statistics_come_out_as_by_hand),
        cmocka_unit_test(output_is_the_normalised_tensor),
        cmocka_unit_test(a_variance_below_zero_is_zero_and_nan_stays),
        cmocka_unit_test(given_statistics_serve_like_measured_ones),
        cmocka_unit_test(running_statistics_move_by_momentum_and_unbiased),
        cmocka_unit_test(coefficients_make_the_textbooks_gradient),
        cmocka_unit_test(a_single_pixel_has_no_gradient),
        cmocka_unit_test(a_residual_is_added_even_in_place),
        cmocka_unit_test(sums_have_the_same_bits_at_any_thread_count),
        cmocka_unit_test(nan_and_infinity_reach_output_and_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
