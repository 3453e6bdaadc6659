#include <omp.h>

#include "base/rng.h"
#include "net/score.h"
#include "net/train.h"
#include "unit/nets.h"

enum { N = 50, C = 200, ROW = 208 };

static void ones(float *x)
{
    for (int i = 0; i < N * ROW; i++)
        x[i] = i % ROW < C ? 1 : 0;
}

static void forward_and_backward_drop_the_same_features(void **state)
{
    (void)state;
    float x[N * ROW], dx[N * ROW];
    const struct dropout dropout = {0.4, 7, 11};
    ones(x), ones(dx);
    dropout_apply(&dropout, N, C, x);
    dropout_apply(&dropout, N, C, dx);
    assert_memory_equal(x, dx, sizeof(x));
}

/* Each is 0 or 1 / (1 - rate); 10,000 draws of rate 0.4 lie within 5 deviations
 * (0.0245) of it; the padding stays zero. */
static void features_are_dropped_at_the_rate_and_the_others_grow(void **state)
{
    (void)state;
    static float x[N * ROW];
    const struct dropout dropout = {0.4, 7, 11};
    int dropped = 0;
    ones(x);
    dropout_apply(&dropout, N, C, x);
    for (int i = 0; i < N * ROW; i++)
        if (i % ROW >= C)
            assert_true(x[i] == 0);
        else if (x[i] != 0)
            assert_near((double)x[i], 1 / 0.6, 1e-6);
        else
            dropped++;
    assert_near((double)dropped / (N * C), 0.4, 0.0245);
}

/* Over 400 steps each feature's mean is its value: 5 deviations of 1/sqrt(400) *
 * sqrt(0.2 / 0.8) = 0.025. */
static void nothing_changes_on_average(void **state)
{
    (void)state;
    double sum[C] = {0};
    float x[ROW] = {0};
    for (uint32_t step = 0; step < 400; step++) {
        for (int k = 0; k < C; k++)
            x[k] = (float)k;
        dropout_apply(&(struct dropout){0.2, 3, step}, 1, C, x);
        for (int k = 0; k < C; k++)
            sum[k] += (double)x[k] / 400;
    }
    for (int k = 0; k < C; k++)
        assert_near(sum[k], k, 0.125 * k);
}

/* The stream that its header names, walked by hand. */
static void each_image_has_its_stream_of_seed_and_step(void **state)
{
    (void)state;
    static float x[N * ROW], other[N * ROW];
    const struct dropout dropout = {0.5, 21, 5};
    ones(x);
    dropout_apply(&dropout, N, C, x);
    for (int i = 0; i < N; i++) {
        struct rng rng = rng_stream(21, RNG_DROPOUT, 5, (uint64_t)i);
        for (int k = 0; k < C; k++)
            assert_true((x[i * ROW + k] != 0) == (rng_u32(&rng) >= 1u << 31));
    }
    const struct dropout others[] = {{0.5, 22, 5}, {0.5, 21, 6}};
    for (int i = 0; i < 2; i++) {
        ones(other);
        dropout_apply(&others[i], N, C, other);
        assert_memory_not_equal(x, other, sizeof(x));
    }
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    static float x[N * ROW], other[N * ROW];
    const struct dropout dropout = {0.3, 1, 2};
    int threads = omp_get_max_threads();
    ones(x), ones(other);
    omp_set_num_threads(1);
    dropout_apply(&dropout, N, C, x);
    omp_set_num_threads(3);
    dropout_apply(&dropout, N, C, other);
    omp_set_num_threads(threads);
    assert_memory_equal(x, other, sizeof(x));
}

/* A network and a batch, with dropout in its training step. */
enum { IMAGES = 4 };
struct subject {
    struct space_config config;
    struct supernet *net;
    struct workspace *workspace;
    struct batch batch;
    struct path path;
};

static struct subject new_subject(void)
{
    struct subject s = {.config = tiny_config("k3e3 id")};
    s.net = drawn_net(&s.config);
    s.workspace = workspace_create(s.net, IMAGES, IMAGES);
    s.batch = drawn_batch(&s.config, IMAGES);
    s.path = path_of(s.net, "k3e3 k3e3 id id");
    return s;
}

static void subject_release(struct subject *s)
{
    workspace_free(s->workspace);
    supernet_free(s->net);
    batch_release(&s->batch);
}

static double loss_of(struct subject *s, const struct dropout *dropout)
{
    const struct train_step step = {.bn_momentum = 0, .dropout = *dropout};
    return train_gradients(s->net, &s->path, &step, IMAGES, s->batch.images,
                           s->batch.labels, s->workspace)
        .loss;
}

/* The gradient of the loss with this very mask: central differences in double would
 * need a double network; single steps of 2^-7 agree to a few per mille. The head's
 * gamma lies before the dropped features, the classifier's weights after them. */
static void the_gradients_are_those_of_the_loss_with_the_same_mask(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const struct dropout dropout = {0.5, 5, 9};
    const float step = 0.0078125f;
    loss_of(&s, &dropout);
    float *g = memory_zeroed(s.net->shared_end, sizeof(*g));
    memcpy(g, s.workspace->gradients, s.net->shared_end * sizeof(*g));
    const size_t at[] = {s.net->head.gamma, s.net->head.gamma + 7, s.net->head.beta + 2,
                         s.net->fc_w,       s.net->fc_w + 5,       s.net->fc_b};
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        float before = s.net->weights[at[i]];
        s.net->weights[at[i]] = before + step;
        double up = loss_of(&s, &dropout);
        s.net->weights[at[i]] = before - step;
        double down = loss_of(&s, &dropout);
        s.net->weights[at[i]] = before;
        assert_near((double)g[at[i]], (up - down) / (2 * (double)step), 2e-3);
    }
    free(g);
    subject_release(&s);
}

/* Dropping makes another loss; and a pass that only judges is none the wiser, for its
 * tensors are taken without dropout. */
static void only_the_training_pass_drops(void **state)
{
    (void)state;
    struct subject s = new_subject();
    struct network_tensors t;
    const struct dropout none = {0}, some = {0.5, 5, 9};
    double without = loss_of(&s, &none), with = loss_of(&s, &some);
    assert_true(fabs(with - without) > 1e-3);
    network_take(s.net, &s.path, IMAGES, s.workspace->tensors, &t);
    assert_true(t.head.dropout.rate == 0);
    network_forward(s.net, IMAGES, s.batch.images, s.batch.labels, 0, &t,
                    s.workspace->scratch);
    double judged = 0;
    for (int i = 0; i < IMAGES; i++)
        judged += t.head.loss[i] / IMAGES;
    assert_near(judged, without, 1e-12);
    subject_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_and_backward_drop_the_same_features),
        cmocka_unit_test(features_are_dropped_at_the_rate_and_the_others_grow),
        cmocka_unit_test(nothing_changes_on_average),
        cmocka_unit_test(each_image_has_its_stream_of_seed_and_step),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(the_gradients_are_those_of_the_loss_with_the_same_mask),
        cmocka_unit_test(only_the_training_pass_drops),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
