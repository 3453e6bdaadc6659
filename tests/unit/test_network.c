#include <omp.h>
#include <stdio.h>

#include "ref/network_ref.h"
#include "ref/operands_ref.h"
#include "unit/dump.h"
#include "unit/nets.h"

enum { IMAGES = 3 };

/* A space and one path through it. */
struct example {
    const char *name;
    struct space_config (*config)(void);
    const char *path;
    double smoothing;
};

static struct space_config plain(void)
{
    return tiny_config("k3e3 k5e6 k7e3 id");
}

static struct space_config se_of_expanded(void)
{
    struct space_config c = tiny_config("k3e3s k5e3s k3e6 id");
    c.activation = "hswish";
    c.stem.activation = c.head.activation = "relu";
    return c;
}

/* MnasNet's squeeze-and-excitation, EfficientNet's activation. */
static struct space_config se_of_input(void)
{
    struct space_config c = tiny_config("k3e3s k5e3s k3e6 id");
    c.activation = c.squeeze_excite.activation = "swish";
    c.squeeze_excite.of = "input";
    c.squeeze_excite.gate = "sigmoid";
    c.squeeze_excite.ratio = 0.5;
    return c;
}

static struct space_config se_relu(void)
{
    struct space_config c = se_of_input();
    c.activation = "relu6";
    c.squeeze_excite.activation = "relu";
    return c;
}

/* One input channel, ReLU6, a fixed block without expansion, no head. */
static struct space_config grey_without_head(void)
{
    struct space_config c = tiny_config("k3e3 k5e6 id");
    c.input[2] = 1;
    c.activation = "relu6";
    c.n_fixed = 1;
    c.fixed[0] = (struct fixed_config){"k3e1", 9, 1, 1, ""};
    c.head.channels = 0;
    return c;
}

/* As NAS-Bench-Macro, but that the first layer keeps the shape: the stem's output is
 * passed on and added to. */
static struct space_config stem_kept(void)
{
    struct space_config c = tiny_config("id k3e3 k5e6");
    c.input[0] = 7, c.input[1] = 6;
    c.stem.channels = 8;
    c.stem.stride = 1;
    c.stages[0] = (struct space_stage_config){8, 2, 1};
    c.stages[1] = (struct space_stage_config){18, 2, 2};
    return c;
}

static struct space_config stem_kept_hswish(void)
{
    struct space_config c = stem_kept();
    c.stem.activation = "hswish";
    return c;
}

static struct space_config all_kept_without_head(void)
{
    struct space_config c = stem_kept();
    c.n_stages = 1;
    c.head.channels = 0;
    return c;
}

/* Fixed blocks that keep the stem's shape, the first one without expansion. */
static struct space_config fixed_kept(void)
{
    struct space_config c = tiny_config("k3e3 k5e3 id");
    c.n_fixed = 2;
    c.fixed[0] = (struct fixed_config){"k3e1", 6, 2, 1, ""};
    c.fixed[1] = (struct fixed_config){"k5e3s", 7, 1, 2, ""};
    return c;
}

/* Wider than one block of 16 channels, by one channel; a single class more than that.
 */
static struct space_config wide(void)
{
    struct space_config c = tiny_config("k3e3 k7e6 id");
    c.stem.channels = 17;
    c.stages[0] = (struct space_stage_config){17, 1, 2};
    c.stages[1] = (struct space_stage_config){17, 1, 1};
    c.head.channels = 33;
    c.classes = 17;
    return c;
}

/* Images so large that the expanded tensor is not stored (block.c). */
static struct space_config large(void)
{
    struct space_config c = tiny_config("k3e3 id");
    c.input[0] = 28, c.input[1] = 29, c.input[2] = 1;
    c.activation = "swish";
    c.stem.channels = 3;
    c.stem.stride = 1;
    c.n_stages = 1;
    c.stages[0] = (struct space_stage_config){3, 1, 1};
    c.head.channels = 0;
    return c;
}

/* ShuffleNetV2's blocks, one of them on the stem, no bias behind them. */
static struct space_config shuffles(void)
{
    struct space_config c = tiny_config("shuffle3 shuffle5 shuffle7 xception id k3e3");
    c.head.bias = false;
    return c;
}

/* A cell between MBConvs, and after a fixed one; pooled as it is. */
static struct space_config shuffle_among_others(void)
{
    struct space_config c = shuffles();
    c.n_fixed = 1;
    c.fixed[0] = (struct fixed_config){"shuffle5", 8, 1, 1, "swish"};
    c.head.channels = 0;
    c.head.bias = true;
    return c;
}

static const struct example examples[] = {
    {"plain", plain, "k3e3 k5e6 id k7e3", 0},
    {"plain, smoothed", plain, "k7e3 id k5e6 id", 0.1},
    {"identities at both ends", plain, "id id k5e6 id", 0.1},
    {"identities alone", plain, "id id id id", 0},
    {"se of expanded", se_of_expanded, "k3e3s k5e3s id k3e6", 0.1},
    {"se of input, swish", se_of_input, "k5e3s k3e3s k3e6 k5e3s", 0},
    {"se of input, relu", se_relu, "k5e3s id k3e3s k5e3s", 0.1},
    {"one channel, no head", grey_without_head, "k5e6 k3e3 id k3e3", 0.1},
    {"no head, identity last", grey_without_head, "k5e6 k3e3 k3e3 id", 0},
    {"residual on the stem", stem_kept, "k3e3 k5e6 id k3e3", 0.1},
    {"stem passed through", stem_kept, "id id k5e6 id", 0},
    {"stem passed, then residual", stem_kept_hswish, "id k3e3 id id", 0.1},
    {"stem pooled as it is", all_kept_without_head, "id id", 0},
    {"last residual pooled", all_kept_without_head, "id k5e6", 0.1},
    {"fixed blocks keep the shape", fixed_kept, "k3e3 id k5e3 k3e3", 0.1},
    {"wide", wide, "k7e6 k3e3", 0.1},
    {"wide, residual identity", wide, "k3e3 id", 0},
    {"large images", large, "k3e3", 0.1},
    {"shuffles", shuffles, "shuffle5 shuffle3 shuffle7 xception", 0.1},
    {"shuffles, a cell first", shuffles, "xception xception id shuffle3", 0},
    {"shuffle among others", shuffle_among_others, "k3e3 shuffle3 k3e3 xception", 0.1},
    {"a fixed shuffle", shuffle_among_others, "shuffle7 id k3e3 k3e3", 0},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

struct subject {
    const struct example *example;
    struct space_config config;
    struct supernet *net;
    struct path path;
    struct batch batch;
    double *weights, *images; /* the same, in double */
};

static void subject_init(struct subject *s, const struct example *e)
{
    *s = (struct subject){.example = e, .config = e->config()};
    s->net = drawn_net(&s->config);
    s->path = path_of(s->net, e->path);
    s->batch = drawn_batch(&s->config, IMAGES);
    s->weights = ref_doubles(s->net->weights, s->net->weight_layout.floats);
    s->images = ref_doubles(s->batch.images, IMAGES * image_floats(&s->config));
}

static void subject_release(struct subject *s)
{
    supernet_free(s->net);
    batch_release(&s->batch);
    free(s->weights);
    free(s->images);
}

static struct network_ref reference_of(const struct subject *s)
{
    return (struct network_ref){.net = s->net,
                                .path = &s->path,
                                .weights = s->weights,
                                .n = IMAGES,
                                .images = s->images,
                                .labels = s->batch.labels,
                                .smoothing = s->example->smoothing};
}

/* What one pass, forward and backward, leaves. */
struct pass {
    const char *isa;
    size_t logit_floats, gradient_floats, statistic_floats;
    float *logits, *gradients, *statistics;
    double loss[IMAGES];
};

static struct pass run(const struct subject *s, int threads)
{
    omp_set_num_threads(threads);
    struct supernet *net = s->net;
    struct workspace *w = workspace_create(net, IMAGES, 0);
    struct path_range range[SPACE_LAYERS_MAX + 1];
    struct pass pass = {.isa = tensor_isa(),
                        .logit_floats = IMAGES * channels_padded(s->config.classes),
                        .statistic_floats = net->statistic_layout.floats};
    supernet_path_ranges(net, &s->path, range, &pass.gradient_floats);
    assert_true(pass.gradient_floats <= supernet_gradient_floats(net));
    for (size_t i = 0; i < pass.gradient_floats; i++)
        w->gradients[i] = NAN;
    pass.statistics = memory_zeroed(pass.statistic_floats, sizeof(float));
    memcpy(pass.statistics, net->statistics, pass.statistic_floats * sizeof(float));
    size_t mark = arena_mark(w->tensors);
    struct network_tensors t;
    network_take(net, &s->path, IMAGES, w->tensors, &t);
    network_forward(net, IMAGES, s->batch.images, s->batch.labels,
                    s->example->smoothing, &t, w->scratch);
    network_backward(net, &s->path, IMAGES, s->batch.images, s->batch.labels,
                     s->example->smoothing, &t, w);
    network_update_statistics(net, IMAGES, 1, &t);
    pass.logits = memory_zeroed(pass.logit_floats, sizeof(float));
    memcpy(pass.logits, t.head.logits, pass.logit_floats * sizeof(float));
    pass.gradients = memory_zeroed(pass.gradient_floats, sizeof(float));
    memcpy(pass.gradients, w->gradients, pass.gradient_floats * sizeof(float));
    memcpy(pass.loss, t.head.loss, sizeof(pass.loss));
    arena_release(w->tensors, mark);
    assert_int_equal(arena_mark(w->scratch), 0);
    workspace_free(w);
    /* The net as it was; the pass's statistics to the pass. */
    for (size_t i = 0; i < pass.statistic_floats; i++) {
        float before = pass.statistics[i];
        pass.statistics[i] = net->statistics[i];
        net->statistics[i] = before;
    }
    return pass;
}

static void pass_release(struct pass *pass)
{
    free(pass->logits);
    free(pass->gradients);
    free(pass->statistics);
}

static const char *const isas[ISA_COUNT] = {"avx512", "avx2", "baseline"};

/* Claims, each for every example and every set of kernels. */

typedef void claim(const struct subject *s);

static void for_every_example_and_isa(claim *check)
{
    const int before = omp_get_max_threads();
    for (int e = 0; e < EXAMPLES; e++) {
        struct subject s;
        subject_init(&s, &examples[e]);
        for (int i = 0; i < ISA_COUNT; i++)
            if (tensor_select_isa(isas[i]))
                check(&s);
        subject_release(&s);
    }
    omp_set_num_threads(before);
}

static void check_outputs(const struct subject *s)
{
    double logits[IMAGES * 32], loss[IMAGES], scale = 1;
    struct network_ref right = reference_of(s);
    right.logits = logits;
    right.loss = loss;
    network_ref_loss(&right);
    struct pass pass = run(s, 2);
    for (size_t i = 0; i < pass.logit_floats; i++)
        scale = fmax(scale, fabs(logits[i]));
    for (size_t i = 0; i < pass.logit_floats; i++)
        if (!(fabs((double)pass.logits[i] - logits[i]) <= 2e-5 * scale))
            fail_msg("%s, %s: logit %zu is %.9g, expected %.9g", s->example->name,
                     tensor_isa(), i, (double)pass.logits[i], logits[i]);
    for (int i = 0; i < IMAGES; i++)
        if (!(fabs(pass.loss[i] - loss[i]) <= 4e-5 * scale))
            fail_msg("%s, %s: loss %d is %.9g, expected %.9g", s->example->name,
                     tensor_isa(), i, pass.loss[i], loss[i]);
    pass_release(&pass);
}

static void logits_and_losses_are_those_of_plain_loops(void **state)
{
    (void)state;
    for_every_example_and_isa(check_outputs);
}

static void check_threads(const struct subject *s)
{
    struct pass one = run(s, 1);
    for (int threads = 2; threads <= 3; threads++) {
        struct pass other = run(s, threads);
        assert_memory_equal(other.logits, one.logits, one.logit_floats * sizeof(float));
        assert_memory_equal(other.loss, one.loss, sizeof(one.loss));
        assert_memory_equal(other.gradients, one.gradients,
                            one.gradient_floats * sizeof(float));
        assert_memory_equal(other.statistics, one.statistics,
                            one.statistic_floats * sizeof(float));
        pass_release(&other);
    }
    pass_release(&one);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    for_every_example_and_isa(check_threads);
}

/* By how many floats an array's place among a path's gradients differs from its place
 * among the weights; false: the array is not on the path. */
static bool gradient_place(const struct subject *s, const struct layout_array *a,
                           size_t *place)
{
    struct path_range range[SPACE_LAYERS_MAX + 1];
    int n = supernet_path_ranges(s->net, &s->path, range, NULL);
    for (int i = 0; i < n; i++)
        if (a->offset >= range[i].begin && a->offset < range[i].end) {
            *place = range[i].gradient + (a->offset - range[i].begin);
            return true;
        }
    return false;
}

/* dL/dt of the weights plus t * direction, by central differences. The step is
 * small, for kinks of activations, and the loss in double has digits to spare. */
static double slope(const struct subject *s, const struct layout_array *a,
                    const double *direction)
{
    const double step = 1e-8;
    const struct network_ref reference = reference_of(s);
    double loss[2];
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < a->rows * a->stride; i++)
            s->weights[a->offset + i] = (double)s->net->weights[a->offset + i] +
                                        (side ? step : -step) * direction[i];
        loss[side] = network_ref_loss(&reference);
    }
    for (size_t i = 0; i < a->rows * a->stride; i++)
        s->weights[a->offset + i] = (double)s->net->weights[a->offset + i];
    return (loss[1] - loss[0]) / (2 * step);
}

/* 1 and -1 at random over the whole array (one: at one random weight alone); 0 in the
 * padding. */
static void draw_direction(const struct layout_array *a, bool one, double *direction)
{
    memset(direction, 0, a->rows * a->stride * sizeof(*direction));
    if (one) {
        size_t row = (size_t)drawn(0, (double)a->rows);
        direction[row * a->stride + (size_t)drawn(0, (double)a->cols)] = 1;
        return;
    }
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->cols; c++)
            direction[r * a->stride + c] = drawn(-1, 1) < 0 ? -1 : 1;
}

/* The padding's gradient is 0: the optimizer walks over it. */
static void check_padding(const struct subject *s, const struct layout_array *a,
                          const struct pass *pass, size_t place)
{
    const float *g = pass->gradients + place;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = a->cols; c < a->stride; c++)
            if (!(g[r * a->stride + c] == 0))
                fail_msg("%s, %s: gradient of '%s' has %g in its padding",
                         s->example->name, pass->isa, a->name,
                         (double)g[r * a->stride + c]);
}

/* For one array: the slopes in one direction along all of its weights and (of a
 * matrix) along one weight, by central differences, and what each set of kernels makes
 * of them. */
static void check_array(const struct subject *s, const struct layout_array *a,
                        const struct pass *pass, int passes, size_t place)
{
    size_t floats = a->rows * a->stride;
    double *direction = memory_zeroed(floats, sizeof(*direction));
    for (int one = 0; one < (a->rows > 1 ? 2 : 1); one++) {
        draw_direction(a, one, direction);
        double expected = slope(s, a, direction);
        for (int p = 0; p < passes; p++) {
            const float *g = pass[p].gradients + place;
            double found = 0, norm = 0;
            for (size_t i = 0; i < floats; i++) {
                found += direction[i] * (double)g[i];
                norm += (double)g[i] * (double)g[i];
            }
            if (!(fabs(found - expected) <= 1e-3 * sqrt(norm) + 1e-5))
                fail_msg("%s, %s: gradient of '%s' along %s is %.9g, expected %.9g",
                         s->example->name, pass[p].isa, a->name,
                         one ? "one weight" : "a direction", found, expected);
        }
    }
    free(direction);
}

static void check_gradients(const struct subject *s, const struct pass *pass,
                            int passes)
{
    int checked = 0;
    for (int i = 0; i < s->net->weight_layout.n; i++) {
        const struct layout_array *a = &s->net->weight_layout.array[i];
        size_t place;
        if (!gradient_place(s, a, &place))
            continue;
        for (int p = 0; p < passes; p++)
            check_padding(s, a, &pass[p], place);
        check_array(s, a, pass, passes, place);
        checked++;
    }
    assert_true(checked >= 5);
}

static void every_gradient_is_that_of_central_differences(void **state)
{
    (void)state;
    for (int e = 0; e < EXAMPLES; e++) {
        struct subject s;
        struct pass pass[ISA_COUNT];
        int passes = 0;
        subject_init(&s, &examples[e]);
        for (int i = 0; i < ISA_COUNT; i++)
            if (tensor_select_isa(isas[i]))
                pass[passes++] = run(&s, 2);
        check_gradients(&s, pass, passes);
        while (passes > 0)
            pass_release(&pass[--passes]);
        subject_release(&s);
    }
}

/* Taken over whole (momentum 1): the batch's mean, and its unbiased variance. */
static void check_statistics(const struct subject *s)
{
    size_t floats = s->net->statistic_layout.floats;
    struct pass pass = run(s, 2);
    double *batch = memory_zeroed(floats, sizeof(*batch));
    double *pixels = memory_zeroed(floats, sizeof(*pixels));
    struct network_ref reference = reference_of(s);
    reference.statistics = batch;
    reference.pixels = pixels;
    network_ref_loss(&reference);
    for (int i = 0; i < s->net->statistic_layout.n; i++) {
        const struct layout_array *a = &s->net->statistic_layout.array[i];
        bool variance = a->init == INIT_ONE;
        for (size_t at = a->offset; at < a->offset + a->cols; at++) {
            double right = (double)s->net->statistics[at]; /* not on the path */
            if (pixels[at] > 0)
                right = batch[at] * (variance ? pixels[at] / (pixels[at] - 1) : 1);
            if (!(fabs((double)pass.statistics[at] - right) <=
                  3e-5 * (1 + fabs(right))))
                fail_msg("%s, %s: '%s' is %.9g, expected %.9g", s->example->name,
                         tensor_isa(), a->name, (double)pass.statistics[at], right);
        }
    }
    free(batch);
    free(pixels);
    pass_release(&pass);
}

static void running_statistics_take_the_batch_mean_and_unbiased_variance(void **state)
{
    (void)state;
    for_every_example_and_isa(check_statistics);
}

/* Large enough that the arena's rounding to huge pages hides nothing: running out is a
 * BUG, and not half of it lies idle. */
static void the_workspace_holds_the_largest_path_and_little_more(void **state)
{
    (void)state;
    struct space_config config = macro_config();
    config.squeeze_excite.ratio = 1;
    choose(&config, "id k3e3 k5e6s");
    struct supernet *net = drawn_net(&config);
    struct batch batch = drawn_batch(&config, IMAGES);
    struct workspace *w = workspace_create(net, IMAGES, 1);
    for (int op = 0; op < 3; op++) {
        struct path path = path_of_one_op(&net->space, op);
        size_t mark = arena_mark(w->tensors);
        struct network_tensors t;
        network_take(net, &path, IMAGES, w->tensors, &t);
        network_forward(net, IMAGES, batch.images, batch.labels, 0, &t, w->scratch);
        network_backward(net, &path, IMAGES, batch.images, batch.labels, 0, &t, w);
        arena_release(w->tensors, mark);
    }
    assert_true(arena_peak(w->tensors) > arena_capacity(w->tensors) / 2);
    assert_true(workspace_bytes(w) ==
                arena_capacity(w->tensors) + arena_capacity(w->scratch));
    workspace_free(w);
    batch_release(&batch);
    supernet_free(net);
}

/* For tests/cli/block_torch.bats: one file an example, what went in and came out. */
static void dump(const char *folder, int e)
{
    char name[512];
    struct subject s;
    struct chain chain;
    snprintf(name, sizeof(name), "%s/network%d.txt", folder, e);
    FILE *out = fopen(name, "w");
    if (!out)
        abort();
    subject_init(&s, &examples[e]);
    struct pass pass = run(&s, 2);
    const struct space *space = &s.net->space;
    fprintf(out, "network %d %d %s %s %.17g\n", space->stem.stride,
            space->head_channels, activation_name(s.net->stem_act),
            activation_name(s.net->head_act), examples[e].smoothing);
    supernet_chain(s.net, &s.path, &chain);
    for (int i = 0; i < chain.n; i++)
        dump_block(out, chain.block[i]);
    for (int i = 0; i < s.net->weight_layout.n; i++) {
        const struct layout_array *a = &s.net->weight_layout.array[i];
        size_t place;
        if (!gradient_place(&s, a, &place))
            continue;
        dump_array(out, "weight", a, s.net->weights, 0);
        /* The array's first float is pass.gradients[place]. */
        dump_array(out, "gradient", a, pass.gradients + place, a->offset);
    }
    dump_floats(
        out, "images", 4,
        (size_t[]){IMAGES, (size_t)space->h, (size_t)space->w, (size_t)space->c},
        s.batch.images);
    float labels[IMAGES], loss[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        labels[i] = (float)s.batch.labels[i], loss[i] = (float)pass.loss[i];
    dump_floats(out, "labels", 1, (size_t[]){IMAGES}, labels);
    dump_floats(out, "loss", 1, (size_t[]){IMAGES}, loss);
    dump_tensor(out, "logits", (struct shape){IMAGES, 1, 1, space->classes},
                pass.logits);
    if (fclose(out) != 0)
        abort();
    pass_release(&pass);
    subject_release(&s);
}

int main(void)
{
    const char *folder = getenv("TORCH_CASES");
    for (int e = 0; folder && e < EXAMPLES; e++)
        dump(folder, e);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_and_losses_are_those_of_plain_loops),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(every_gradient_is_that_of_central_differences),
        cmocka_unit_test(running_statistics_take_the_batch_mean_and_unbiased_variance),
        cmocka_unit_test(the_workspace_holds_the_largest_path_and_little_more),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return folder ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
