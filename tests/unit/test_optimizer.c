#include <stdio.h>

#include "net/optimizer.h"
#include "unit/nets.h"

/* By hand, from the formula of the cosine's quarter points. */
static void the_rate_rises_linearly_and_falls_by_a_cosine(void **state)
{
    (void)state;
    const struct supernet_config c = {
        .learning_rate = 0.4, .steps = 110, .lr_ramp = 10};
    assert_near(learning_rate_at(&c, 0), 0.04, 1e-12);
    assert_near(learning_rate_at(&c, 4), 0.2, 1e-12);
    assert_near(learning_rate_at(&c, 9), 0.4, 1e-12);
    assert_near(learning_rate_at(&c, 10), 0.4, 1e-12);
    assert_near(learning_rate_at(&c, 35), 0.2 * (1 + sqrt(0.5)), 1e-12);
    assert_near(learning_rate_at(&c, 60), 0.2, 1e-12);
    assert_near(learning_rate_at(&c, 85), 0.2 * (1 - sqrt(0.5)), 1e-12);
    assert_near(learning_rate_at(&c, 110), 0, 1e-12);
    assert_true(learning_rate_at(&c, 109) > 0);
}

static void without_a_ramp_the_first_step_has_the_full_rate(void **state)
{
    (void)state;
    const struct supernet_config c = {.learning_rate = 0.12, .steps = 40};
    assert_near(learning_rate_at(&c, 0), 0.12, 1e-12);
    assert_near(learning_rate_at(&c, 20), 0.06, 1e-12);
}

static void a_ramp_over_all_steps_ends_at_the_full_rate(void **state)
{
    (void)state;
    const struct supernet_config c = {.learning_rate = 0.5, .steps = 5, .lr_ramp = 5};
    assert_near(learning_rate_at(&c, 4), 0.5, 1e-12);
    assert_near(learning_rate_at(&c, 5), 0, 1e-12);
}

/* 0.064 after a rise of 5 steps; 3 % less every 2.5 steps from there: after 2.5, 5 and
 * 7.5 of them, which is before steps 8, 10 and 13. */
static void the_rate_goes_down_in_steps_from_the_end_of_the_ramp(void **state)
{
    (void)state;
    const struct rate_schedule s = {
        .rate = 0.064, .ramp = 5, .steps = 100, .factor = 0.97, .every = 2.5};
    const double at[] = {1, 2, 3, 4, 5, 5, 5, 5};
    for (int i = 0; i < 8; i++)
        assert_near(rate_at(&s, i), 0.064 * at[i] / 5, 1e-12);
    assert_near(rate_at(&s, 8), 0.06208, 1e-12);
    assert_near(rate_at(&s, 9), 0.06208, 1e-12);
    assert_near(rate_at(&s, 10), 0.0602176, 1e-12);
    assert_near(rate_at(&s, 12), 0.0602176, 1e-12);
    assert_near(rate_at(&s, 13), 0.058411072, 1e-12);
    /* Nothing ends it: 16 steps of 2.5 after the ramp. */
    assert_near(rate_at(&s, 45), 0.064 * pow(0.97, 16), 1e-12);
}

static bool on_path(const struct supernet *net, const struct path *path,
                    const struct layout_array *a)
{
    char begins[LAYOUT_NAME_SIZE];
    if (strncmp(a->name, "shared/", 7) == 0)
        return true;
    for (int l = 0; l < path->n; l++) {
        snprintf(begins, sizeof(begins), "layer%02d/%s/", l,
                 net->space.op[path->op[l]].token);
        if (strncmp(a->name, begins, strlen(begins)) == 0)
            return true;
    }
    return false;
}

static void fill(const struct layout *layout, float *values, float value)
{
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        for (size_t r = 0; r < a->rows; r++)
            for (size_t c = 0; c < a->cols; c++)
                values[a->offset + r * a->stride + c] = value;
    }
}

/* Two steps with gradients 0.5 and -0.2, weights 1, rate 0.1, momentum 0.9, decay 0.01:
 *   d = 0.51, v = 0.51, w = 1 - 0.1 * (0.51 + 0.459) = 0.9031;
 *   d = -0.2 + 0.009031, v = 0.459 + d = 0.268031, w -= 0.1 * (d + 0.2412279).
 * Without decay: w = 0.905; v = 0.25, w = 0.905 - 0.1 * (-0.2 + 0.225). */
static void two_steps_give_the_values_worked_out_by_hand(void **state)
{
    (void)state;
    struct space_config config = tiny_config("k3e3s k5e6 id");
    struct supernet *net = supernet_create(&config, 1);
    struct path path = path_of(net, "k3e3s id k5e6 id");
    const struct layout *layout = &net->weight_layout;
    size_t floats = supernet_gradient_floats(net);
    float *g = memory_zeroed(floats, sizeof(*g));
    fill(layout, net->weights, 1);
    for (int step = 0; step < 2; step++) {
        for (size_t i = 0; i < floats; i++)
            g[i] = step ? -0.2f : 0.5f;
        sgd_step(net, &path, g, 0.1, 0.9, 0.01);
    }
    int decayed = 0, exempt = 0, elsewhere = 0;
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        bool weight =
            strlen(a->name) > 6 && strcmp(a->name + strlen(a->name) - 6, "weight") == 0;
        double w = 1, v = 0;
        if (!on_path(net, &path, a))
            elsewhere++;
        else if (weight)
            w = 0.89807411, v = 0.268031, decayed++;
        else
            w = 0.9025, v = 0.25, exempt++;
        for (size_t r = 0; r < a->rows; r++)
            for (size_t c = 0; c < a->cols; c++) {
                size_t at = a->offset + r * a->stride + c;
                if (!(fabs((double)net->weights[at] - w) < 2e-7 &&
                      fabs((double)net->momentum[at] - v) < 2e-7))
                    fail_msg("'%s': weight %.8f, momentum %.8f, expected %.8f, %.8f",
                             a->name, (double)net->weights[at],
                             (double)net->momentum[at], w, v);
            }
    }
    /* Counted by hand: convolutions, SE and classifier; two of each BN, biases; what is
     * not on the path. k3e3s has 3 BN and SE, k5e6 3 BN, an identity that changes the
     * shape 1 BN, stem and head 1 each. The identities: layer 1 passes, layer 3 too. */
    assert_int_equal(decayed, 2 + 1 + 5 + 3);
    assert_int_equal(exempt, 2 * 2 + 1 + (2 * 3 + 2) + 2 * 3);
    /* Layer 0: k5e6, id (stride 2); 1: k3e3s, k5e6; 2: k3e3s, id (10 to 18); 3: both.
     */
    assert_int_equal(elsewhere, (9 + 3) + (13 + 9) + (13 + 3) + (13 + 9));
    free(g);
    supernet_free(net);
}

/* A network of one path, all of whose weights begin at 1 (mean squares, too) and get
 * the same gradients; and the first weight with decay and the first without. */
struct alike {
    struct space_config config;
    struct supernet *net;
    struct path path;
    float *s, *g;
    size_t n_gradients, with_decay, without;
};

static struct alike alike_create(void)
{
    struct alike a = {.config = tiny_config("k3e3s id")};
    a.net = supernet_create(&a.config, 1);
    a.path = path_of(a.net, "k3e3s k3e3s id id");
    const struct layout *layout = &a.net->weight_layout;
    a.n_gradients = supernet_gradient_floats(a.net);
    a.g = memory_zeroed(a.n_gradients, sizeof(*a.g));
    a.s = memory_zeroed(layout->floats, sizeof(*a.s));
    fill(layout, a.net->weights, 1);
    fill(layout, a.s, 1);
    for (int i = 0; i < layout->n; i++) {
        if (strcmp(layout->array[i].name, "layer01/k3e3s/project/weight") == 0)
            a.with_decay = layout->array[i].offset;
        if (strcmp(layout->array[i].name, "layer01/k3e3s/project/gamma") == 0)
            a.without = layout->array[i].offset;
    }
    return a;
}

static void alike_step(struct alike *a, double gradient, const struct rmsprop *settings)
{
    for (size_t i = 0; i < a->n_gradients; i++)
        a->g[i] = (float)gradient;
    rmsprop_step(a->net, &a->path, a->s, a->g, settings);
}

static void alike_release(struct alike *a)
{
    supernet_free(a->net);
    free(a->s), free(a->g);
}

/* Gradient 1: the mean square stays 1, and sqrt(1 + 0.5625) = 1.25. So each step adds
 * 0.1 / 1.25 = 0.08 to half the momentum: v = 0.16 (1 - 2^-n), and their sum is
 * 0.16 (n - 1 + 2^-n). With epsilon outside the root it would be 0.1 / 1.5625. */
static void ten_steps_of_rmsprop_have_their_closed_form(void **state)
{
    (void)state;
    struct alike a = alike_create();
    struct rmsprop settings = {
        .rate = 0.1, .decay = 0.9, .momentum = 0.5, .epsilon = 0.5625};
    for (int n = 1; n <= 10; n++) {
        alike_step(&a, 1, &settings);
        assert_near((double)a.s[a.without], 1, 1e-6);
        assert_near((double)a.net->momentum[a.without], 0.16 * (1 - pow(2, -n)), 1e-6);
        assert_near((double)a.net->weights[a.without], 1 - 0.16 * (n - 1 + pow(2, -n)),
                    1e-6);
    }
    /* Another rate, and no gradient: the momentum that is there only halves. */
    settings.rate = 0.001;
    double before = (double)a.net->momentum[a.without];
    alike_step(&a, 0, &settings);
    assert_near((double)a.net->momentum[a.without], before / 2, 1e-7);
    assert_near((double)a.s[a.without], 0.9, 1e-6);
    alike_release(&a);
}

/* t-th gradient: (t mod 4 - 1) t / 8, that is 0, 1/4, 3/4, -1/2, 0, 3/4, 7/4, -1, 0,
 * 5/4; worked out with 30 decimal digits, the weight decay in the gradient. */
static void ten_steps_of_rmsprop_with_weight_decay_are_those_worked_out(void **state)
{
    (void)state;
    static const double w[] = {0.999473249, 0.984676470, 0.930197527, 0.915162168,
                               0.902572703, 0.845647518, 0.707418406, 0.648921159,
                               0.601764566, 0.497613892};
    struct alike a = alike_create();
    const struct rmsprop settings = {.rate = 0.05,
                                     .decay = 0.9,
                                     .momentum = 0.8,
                                     .epsilon = 0.001,
                                     .weight_decay = 0.01};
    for (int t = 1; t <= 10; t++) {
        alike_step(&a, (t % 4 - 1) * t / 8.0, &settings);
        assert_near((double)a.net->weights[a.with_decay], w[t - 1], 1e-6);
    }
    assert_near((double)a.s[a.with_decay], 0.892846896, 1e-6);
    /* BN's scale has none: its weight does not move by the first, zero, gradient. */
    struct alike b = alike_create();
    alike_step(&b, 0, &settings);
    assert_true(b.net->weights[b.without] == 1);
    assert_true(b.net->weights[b.with_decay] < 1);
    alike_release(&a), alike_release(&b);
}

/* Twenty recipes of ten steps each, for a second opinion
 * (tests/cli/optimizer_torch.bats), a line each: its settings, the gradients, and the
 * weight after each step. */
static int write_cases(const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return 1;
    for (int i = 0; i < 20; i++) {
        struct alike a = alike_create();
        float *w = a.net->weights + a.with_decay, g[10];
        const struct rmsprop c = {drawn(0.001, 0.1), drawn(0.5, 0.99), drawn(0, 0.95),
                                  drawn(1e-4, 0.1), drawn(0, 0.01)};
        *w = (float)drawn(-1, 1);
        fprintf(out,
                "%s %.17g %.17g %.17g %.17g %.17g %.9g :", i % 2 ? "rmsprop" : "sgd",
                c.rate, c.decay, c.momentum, c.epsilon, c.weight_decay, (double)*w);
        for (int t = 0; t < 10; t++)
            fprintf(out, " %.9g", (double)(g[t] = (float)drawn(-2, 2)));
        fputs(" :", out);
        for (int t = 0; t < 10; t++) {
            if (i % 2)
                alike_step(&a, (double)g[t], &c);
            for (size_t k = 0; i % 2 == 0 && k < a.n_gradients; k++)
                a.g[k] = g[t];
            if (i % 2 == 0)
                sgd_step(a.net, &a.path, a.g, c.rate, c.momentum, c.weight_decay);
            fprintf(out, " %.9g", (double)*w);
        }
        fputc('\n', out);
        alike_release(&a);
    }
    return fclose(out) != 0;
}

/* What is not on the path stays: weights, momenta and mean squares. */
static void rmsprop_touches_the_path_and_nothing_else(void **state)
{
    (void)state;
    struct alike a = alike_create();
    const struct layout *layout = &a.net->weight_layout;
    const struct rmsprop settings = {
        .rate = 0.1, .decay = 0.9, .momentum = 0.5, .epsilon = 0.001};
    alike_step(&a, 0.5, &settings);
    int touched = 0, left = 0;
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *array = &layout->array[i];
        bool on = on_path(a.net, &a.path, array);
        assert_true((a.net->weights[array->offset] != 1) == on);
        assert_true((a.net->momentum[array->offset] != 0) == on);
        assert_true((a.s[array->offset] != 1) == on);
        *(on ? &touched : &left) += 1;
    }
    assert_true(touched > 20 && left > 20);
    alike_release(&a);
}

/* Gradients are read where supernet_path_ranges() says they lie. */
static void each_weight_gets_its_own_gradient(void **state)
{
    (void)state;
    struct space_config config = tiny_config("k3e3 k5e6 id");
    struct supernet *net = drawn_net(&config);
    struct path path = path_of(net, "k5e6 id k3e3 k5e6");
    struct path_range range[SPACE_LAYERS_MAX + 1];
    size_t floats, n_weights = net->weight_layout.floats;
    int n = supernet_path_ranges(net, &path, range, &floats);
    float *g = memory_zeroed(floats, sizeof(*g));
    float *expected = memory_zeroed(n_weights, sizeof(*expected));
    memcpy(expected, net->weights, n_weights * sizeof(float));
    for (size_t i = 0; i < floats; i++)
        g[i] = (float)i;
    size_t at = 0;
    for (int i = 0; i < n; i++)
        for (size_t w = range[i].begin; w < range[i].end; w++)
            expected[w] -= 0.5f * (float)at++;
    assert_int_equal(at, floats);
    sgd_step(net, &path, g, 0.5, 0, 0);
    assert_memory_equal(net->weights, expected, n_weights * sizeof(float));
    free(g);
    free(expected);
    supernet_free(net);
}

int main(void)
{
    const char *cases = getenv("OPTIMIZER_CASES");
    if (cases)
        return write_cases(cases);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_rises_linearly_and_falls_by_a_cosine),
        cmocka_unit_test(without_a_ramp_the_first_step_has_the_full_rate),
        cmocka_unit_test(a_ramp_over_all_steps_ends_at_the_full_rate),
        cmocka_unit_test(the_rate_goes_down_in_steps_from_the_end_of_the_ramp),
        cmocka_unit_test(two_steps_give_the_values_worked_out_by_hand),
        cmocka_unit_test(each_weight_gets_its_own_gradient),
        cmocka_unit_test(ten_steps_of_rmsprop_have_their_closed_form),
        cmocka_unit_test(ten_steps_of_rmsprop_with_weight_decay_are_those_worked_out),
        cmocka_unit_test(rmsprop_touches_the_path_and_nothing_else),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
