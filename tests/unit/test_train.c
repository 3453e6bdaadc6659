#include <omp.h>

#include "base/die.h"
#include "nas/sampler.h"
#include "net/optimizer.h"
#include "net/train.h"
#include "ref/network_ref.h"
#include "ref/operands_ref.h"
#include "unit/child.h"
#include "unit/nets.h"

enum { IMAGES = 4 };

static const struct train_step usual = {.step = 12,
                                        .rate = 0.05,
                                        .momentum = 0.9,
                                        .weight_decay = 1e-3,
                                        .label_smoothing = 0.1,
                                        .bn_momentum = 0.25,
                                        .section = "retrain"};

struct subject {
    struct space_config config;
    struct supernet *net;
    struct workspace *workspace;
    struct batch batch;
    struct path path;
};

static struct subject new_subject(void)
{
    struct subject s = {.config = tiny_config("k3e3 k5e6s id")};
    s.net = drawn_net(&s.config);
    s.workspace = workspace_create(s.net, IMAGES, 0);
    s.batch = drawn_batch(&s.config, IMAGES);
    s.path = path_of(s.net, "k5e6s k3e3 id k5e6s");
    return s;
}

static void subject_release(struct subject *s)
{
    workspace_free(s->workspace);
    supernet_free(s->net);
    batch_release(&s->batch);
}

static struct train_result train(struct subject *s, const struct train_step *step)
{
    return train_path(s->net, &s->path, step, IMAGES, s->batch.images, s->batch.labels,
                      s->workspace);
}

static float *copy(const float *values, size_t floats)
{
    float *to = memory_zeroed(floats, sizeof(*to));
    memcpy(to, values, floats * sizeof(*to));
    return to;
}

static void a_step_reports_loss_and_accuracy_from_before_its_update(void **state)
{
    (void)state;
    struct subject s = new_subject();
    double *w = ref_doubles(s.net->weights, s.net->weight_layout.floats);
    double *x = ref_doubles(s.batch.images, IMAGES * image_floats(&s.config));
    double logits[IMAGES * 16], hits = 0;
    const struct network_ref right = {.net = s.net,
                                      .path = &s.path,
                                      .weights = w,
                                      .n = IMAGES,
                                      .images = x,
                                      .labels = s.batch.labels,
                                      .smoothing = 0.1,
                                      .logits = logits};
    double loss = network_ref_loss(&right);
    for (int i = 0; i < IMAGES; i++) {
        int best = 0;
        for (int k = 1; k < s.config.classes; k++)
            if (logits[16 * i + k] > logits[16 * i + best])
                best = k;
        hits += best == s.batch.labels[i];
    }
    struct train_result result = train(&s, &usual);
    assert_near(result.loss, loss, 1e-5);
    assert_near(result.accuracy, hits / IMAGES, 1e-12);
    free(w), free(x);
    subject_release(&s);
}

/* The path's own arrays: their names begin like this. */
static bool on_path(const char *name)
{
    static const char *const begins[] = {"shared/", "layer00/k5e6s/", "layer01/k3e3/",
                                         "layer02/id/", "layer03/k5e6s/"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Every element of the path's arrays differs, no other does; the padding is zero. */
static void check_touched(const struct layout *layout, const float *before,
                          const float *after)
{
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        size_t differ = 0;
        for (size_t r = 0; r < a->rows; r++)
            for (size_t c = 0; c < a->stride; c++) {
                size_t at = a->offset + r * a->stride + c;
                differ += before[at] != after[at];
                if (c >= a->cols)
                    assert_true(after[at] == 0);
            }
        /* A unit that is zero for all images has no gradient: a few may stay. */
        if (on_path(a->name) ? 10 * differ < 9 * a->rows * a->cols : differ > 0)
            fail_msg("%zu of the %zu elements of '%s' changed", differ,
                     a->rows * a->cols, a->name);
    }
}

static void a_step_touches_the_path_and_nothing_else(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const struct layout *weights = &s.net->weight_layout,
                        *statistics = &s.net->statistic_layout;
    float *w = copy(s.net->weights, weights->floats),
          *v = copy(s.net->momentum, weights->floats),
          *m = copy(s.net->statistics, statistics->floats);
    train(&s, &usual);
    check_touched(weights, w, s.net->weights);
    check_touched(weights, v, s.net->momentum);
    check_touched(statistics, m, s.net->statistics);
    free(w), free(v), free(m);
    subject_release(&s);
}

/* Without momentum and decay the step is rate * gradient, to first order: the loss
 * falls by rate * |g|^2, and |g|^2 is what the weights moved by, over rate squared. */
static void a_small_step_lowers_the_loss_by_rate_times_gradient_squared(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const struct train_step step = {.rate = 1e-3, .label_smoothing = 0.1};
    size_t floats = s.net->weight_layout.floats;
    float *before = copy(s.net->weights, floats);
    double loss = train(&s, &step).loss, moved = 0;
    for (size_t i = 0; i < floats; i++)
        moved += pow((double)s.net->weights[i] - (double)before[i], 2);
    double expected = moved / step.rate;
    double fall = loss - train(&s, &(struct train_step){.label_smoothing = 0.1}).loss;
    assert_true(expected > 1e-4);
    assert_near(fall, expected, 0.1 * expected);
    free(before);
    subject_release(&s);
}

/* running = 0.75 * running + 0.25 * batch, seen by two batch values of the same net. */
static void running_statistics_move_by_their_own_momentum(void **state)
{
    (void)state;
    struct subject s = new_subject();
    size_t floats = s.net->statistic_layout.floats;
    float *start = copy(s.net->statistics, floats);
    struct train_step still = usual;
    still.rate = 0;
    still.bn_momentum = 1;
    train(&s, &still);
    float *batch = copy(s.net->statistics, floats);
    memcpy(s.net->statistics, start, floats * sizeof(float));
    still.bn_momentum = 0.25;
    train(&s, &still);
    for (size_t i = 0; i < floats; i++)
        assert_near((double)s.net->statistics[i],
                    0.75 * (double)start[i] + 0.25 * (double)batch[i], 1e-6);
    free(start), free(batch);
    subject_release(&s);
}

static void a_step_takes_its_settings_from_the_schedule(void **state)
{
    (void)state;
    const struct supernet_config c = {.steps = 100,
                                      .learning_rate = 0.2,
                                      .momentum = 0.8,
                                      .weight_decay = 0.01,
                                      .label_smoothing = 0.05,
                                      .bn_momentum = 0.3};
    struct train_step step = train_step_at(&c, 50);
    assert_int_equal(step.step, 50);
    assert_near(step.rate, 0.1, 1e-12);
    assert_near(step.momentum, 0.8, 0);
    assert_near(step.weight_decay, 0.01, 0);
    assert_near(step.label_smoothing, 0.05, 0);
    assert_near(step.bn_momentum, 0.3, 0);
}

/* Which array is poisoned with a NaN, and what the message names. */
struct poison {
    const char *array, *place;
};

static const struct poison poisons[] = {
    {"shared/stem/weight", "'stem'"},
    {"shared/stem/beta", "'stem'"},
    {"layer00/k5e6s/expand/weight", "'layer00/k5e6s, expand'"},
    {"layer00/k5e6s/expand/gamma", "'layer00/k5e6s, expand'"},
    {"layer00/k5e6s/depthwise/weight", "'layer00/k5e6s, depthwise'"},
    {"layer00/k5e6s/se/reduce_weight", "'layer00/k5e6s, project'"},
    {"layer01/k3e3/project/weight", "'layer01/k3e3, project'"},
    {"layer02/id/project/beta", "'layer02/id, project'"},
    {"shared/head/weight", "'head'"},
    {"shared/classifier/bias", "'classifier'"},
};

static struct subject *poisoned;
static float *poisoned_weights, *poisoned_momentum;

/* NaN differs from itself, but not its bits. */
static void say_what_changed(const char *message)
{
    (void)message;
    size_t bytes = poisoned->net->weight_layout.floats * sizeof(float);
    if (memcmp(poisoned->net->weights, poisoned_weights, bytes) == 0 &&
        memcmp(poisoned->net->momentum, poisoned_momentum, bytes) == 0)
        printf("nothing changed\n");
    fflush(stdout);
}

static int train_poisoned(const void *argument)
{
    const struct poison *poison = argument;
    omp_set_num_threads(1); /* a forked child has no other threads */
    struct subject s = new_subject();
    const struct layout *layout = &s.net->weight_layout;
    for (int i = 0; i < layout->n; i++)
        if (strcmp(layout->array[i].name, poison->array) == 0)
            s.net->weights[layout->array[i].offset + 1] = NAN;
    poisoned = &s;
    poisoned_weights = copy(s.net->weights, layout->floats);
    poisoned_momentum = copy(s.net->momentum, layout->floats);
    die_set_hook(say_what_changed);
    train(&s, &usual);
    return 0;
}

static void a_loss_that_is_not_finite_names_step_path_and_layer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(poisons) / sizeof(*poisons); i++) {
        struct child child = child_run(train_poisoned, &poisons[i]);
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "step 12: the loss is nan, expected a finite number; first not finite "
                 "in %s; path 'k5e6s k3e3 id k5e6s'; learning rate 0.05; lower "
                 "'retrain.learning_rate' or raise 'retrain.lr_ramp'",
                 poisons[i].place);
        if (child.code != EXIT_FAILED || !strstr(child.err, expected))
            fail_msg("'%s': exit code %d, expected 1; '%s', expected '%s'",
                     poisons[i].array, child.code, child.err, expected);
        assert_string_equal(child.out, "nothing changed\n");
    }
}

/* Adds a path's gradients to `sum` in double, weight by weight, and counts them. */
static void add_path(struct subject *s, const struct path *path, double *sum,
                     int *count)
{
    struct path_range range[SPACE_LAYERS_MAX + 1];
    train_gradients(s->net, path, &usual, IMAGES, s->batch.images, s->batch.labels,
                    s->workspace);
    int n = supernet_path_ranges(s->net, path, range, NULL);
    for (int j = 0; j < n; j++)
        for (size_t i = range[j].begin; i < range[j].end; i++) {
            sum[i] +=
                (double)s->workspace->gradients[range[j].gradient + i - range[j].begin];
            count[i]++;
        }
}

static void train_all_fairly(struct subject *s, const struct path *path)
{
    float *sums = memory_zeroed(s->net->weight_layout.floats, sizeof(*sums));
    train_fairly(s->net, path, &usual, IMAGES, s->batch.images, s->batch.labels,
                 s->workspace, sums);
    free(sums);
}

/* The expected update: the paths one after the other from the weights as they are,
 * their gradients summed in double, and Nesterov's formula once for each weight. */
static void a_fair_step_is_one_update_with_the_gradient_of_every_choice(void **state)
{
    (void)state;
    struct subject s = new_subject();
    const struct layout *layout = &s.net->weight_layout;
    struct path path[3];
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    sampler_fair(&s.net->space, &rng, path);
    double *sum = memory_zeroed(layout->floats, sizeof(*sum));
    int *count = memory_zeroed(layout->floats, sizeof(*count));
    for (int p = 0; p < 3; p++)
        add_path(&s, &path[p], sum, count);
    float *w = copy(s.net->weights, layout->floats),
          *v = copy(s.net->momentum, layout->floats);
    train_all_fairly(&s, path);
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        bool shared = strncmp(a->name, "shared/", 7) == 0;
        for (size_t r = 0; r < a->rows; r++)
            for (size_t c = 0; c < a->cols; c++) {
                size_t at = a->offset + r * a->stride + c;
                assert_int_equal(count[at], shared ? 3 : 1);
                double d =
                    sum[at] + (a->decay ? usual.weight_decay * (double)w[at] : 0);
                double moved = usual.momentum * (double)v[at] + d;
                double expected =
                    (double)w[at] - usual.rate * (d + usual.momentum * moved);
                assert_near((double)s.net->momentum[at], moved, 1e-5 * (1 + fabs(d)));
                assert_near((double)s.net->weights[at], expected, 1e-6 * (1 + fabs(d)));
            }
    }
    free(w), free(v), free(sum), free(count);
    subject_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: children are forked while there is one thread. */
        cmocka_unit_test(a_loss_that_is_not_finite_names_step_path_and_layer),
        cmocka_unit_test(a_step_reports_loss_and_accuracy_from_before_its_update),
        cmocka_unit_test(a_step_touches_the_path_and_nothing_else),
        cmocka_unit_test(a_small_step_lowers_the_loss_by_rate_times_gradient_squared),
        cmocka_unit_test(running_statistics_move_by_their_own_momentum),
        cmocka_unit_test(a_step_takes_its_settings_from_the_schedule),
        cmocka_unit_test(a_fair_step_is_one_update_with_the_gradient_of_every_choice),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
