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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_rises_linearly_and_falls_by_a_cosine),
        cmocka_unit_test(without_a_ramp_the_first_step_has_the_full_rate),
        cmocka_unit_test(a_ramp_over_all_steps_ends_at_the_full_rate),
        cmocka_unit_test(two_steps_give_the_values_worked_out_by_hand),
        cmocka_unit_test(each_weight_gets_its_own_gradient),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
