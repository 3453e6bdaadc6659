#include <omp.h>

#include "net/block.h"
#include "unit/dump.h"
#include "unit/nets.h"

enum { IMAGES = 3 };

/* A block by itself: its op and where it stands. */
struct example {
    const char *token;
    struct block_place place;
    const char *se_of;
    struct block_style style;
};

static const struct example examples[] = {
    {"k3e3", {7, 6, 10, 7, 6, 10, 1}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"k5e6s",
     {7, 6, 10, 7, 6, 10, 1},
     "expanded",
     {ACT_HSWISH, ACT_HSWISH, ACT_HSIGMOID}},
    {"k5e3s", {7, 6, 10, 4, 3, 18, 2}, "input", {ACT_SWISH, ACT_SWISH, ACT_SIGMOID}},
    {"k7e6s", {6, 5, 18, 6, 5, 18, 1}, "expanded", {ACT_RELU6, ACT_RELU, ACT_HSIGMOID}},
    {"k7e6", {5, 9, 6, 3, 5, 12, 2}, "expanded", {ACT_RELU6, ACT_NONE, ACT_NONE}},
    {"k3e1", {5, 4, 18, 5, 4, 18, 1}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"id", {7, 5, 10, 4, 3, 18, 2}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"id", {7, 5, 10, 7, 5, 18, 1}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"k3e3", {28, 29, 10, 28, 29, 10, 1}, "expanded", {ACT_SWISH, ACT_NONE, ACT_NONE}},
    {"k5e6s",
     {31, 28, 6, 16, 14, 10, 2},
     "expanded",
     {ACT_RELU6, ACT_RELU, ACT_HSIGMOID}},
    {"shuffle3", {7, 6, 10, 7, 6, 10, 1}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"shuffle7", {7, 5, 36, 7, 5, 20, 1}, "expanded", {ACT_SWISH, ACT_NONE, ACT_NONE}},
    {"shuffle5", {7, 6, 9, 4, 3, 27, 2}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
    {"xception", {5, 6, 10, 5, 6, 38, 1}, "expanded", {ACT_RELU6, ACT_NONE, ACT_NONE}},
    {"xception", {5, 6, 17, 3, 3, 20, 2}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}},
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples) };

/* The block with drawn numbers, input and output's gradient. */
struct subject {
    struct block block;
    struct layout weights, statistics;
    float *w, *s, *x, *dy;
    struct shape in, out;
};

static void draw_layout(const struct layout *layout, float *values)
{
    for (int i = 0; i < layout->n; i++) {
        const struct layout_array *a = &layout->array[i];
        bool one = a->init == INIT_ONE;
        draw_array(a, values, one ? 0.6 : -0.5, one ? 1.4 : 0.5);
    }
}

static void subject_init(struct subject *s, const struct example *e)
{
    struct op op;
    struct space space = {.se_ratio = 0.25,
                          .se_of_input = strcmp(e->se_of, "input") == 0};
    *s = (struct subject){0};
    assert_true(op_parse(e->token, &op));
    block_init(&s->block, "block", &space, &op, &e->place, &e->style, &s->weights,
               &s->statistics);
    s->w = memory_zeroed(s->weights.floats + 1, sizeof(float));
    s->s = memory_zeroed(s->statistics.floats + 1, sizeof(float));
    draw_layout(&s->weights, s->w);
    draw_layout(&s->statistics, s->s);
    s->in = (struct shape){IMAGES, e->place.h, e->place.w, e->place.c};
    s->out = (struct shape){IMAGES, e->place.p, e->place.q, e->place.k};
    s->x = drawn_rows(shape_pixels(s->in), s->in.c, -1, 1);
    s->dy = drawn_rows(shape_pixels(s->out), s->out.c, -1, 1);
}

static void subject_release(struct subject *s)
{
    block_release(&s->block);
    layout_release(&s->weights), layout_release(&s->statistics);
    free(s->w), free(s->s), free(s->x), free(s->dy);
}

struct results {
    float *y, *dx, *gradients;
};

static void fill_with_nan(struct arena *arena)
{
    size_t mark = arena_mark(arena), floats = arena_capacity(arena) / sizeof(float) / 2;
    float *all = arena_floats(arena, floats);
    for (size_t i = 0; i < floats; i++)
        all[i] = NAN;
    arena_release(arena, mark);
}

static size_t planned_tensors(const struct block *b)
{
    struct arena *plan = arena_create_planning();
    struct block_tensors t = {0};
    block_take_output(b, IMAGES, plan, &t);
    block_take_bn(b, plan, &t);
    block_take_inner(b, IMAGES, plan, &t);
    block_plan_backward(b, IMAGES, plan);
    size_t bytes = arena_peak(plan);
    arena_free(plan);
    return bytes;
}

/* Forward and backward, in memory full of NaNs. */
static struct results run(const struct subject *s, int threads)
{
    const struct block *b = &s->block;
    omp_set_num_threads(threads);
    struct results r = {memory_zeroed(shape_floats(s->out), sizeof(float)),
                        nan_floats(shape_floats(s->in)), nan_floats(s->weights.floats)};
    size_t promised = block_scratch(b, IMAGES);
    struct arena *arena = arena_create(2 * planned_tensors(b) + (1 << 21)),
                 *scratch = arena_create(2 * promised + (1 << 21));
    fill_with_nan(arena), fill_with_nan(scratch);
    const struct net_values net = {s->w, s->s};
    const struct source x = {.z = s->x};
    struct block_tensors t = {0};
    block_take_output(b, IMAGES, arena, &t);
    block_take_bn(b, arena, &t);
    block_take_inner(b, IMAGES, arena, &t);
    block_forward(b, &net, IMAGES, &x, BN_BATCH, &t, scratch);
    memcpy(r.y, t.y, shape_floats(s->out) * sizeof(float));
    double *sums = memory_zeroed(2 * channels_padded(s->out.c), sizeof(double));
    const struct bn_sums dy = {sums, sums + channels_padded(s->out.c)};
    struct arena *other = arena_create(batchnorm_scratch(s->out) + (1 << 16));
    if (!b->cell)
        batchnorm_gradient_sums(s->out, s->dy, t.z3, t.bn[2].bn.mean, dy.g, dy.gz,
                                other);
    arena_free(other);
    const struct sink dx = {.g = r.dx};
    block_backward(b, &net, IMAGES, &x, &t, s->dy, &dy, r.gradients, &dx, arena,
                   scratch);
    assert_int_equal(arena_mark(scratch), 0);
    arena_free(arena), arena_free(scratch);
    free(sums);
    return r;
}

static void results_free(struct results *r)
{
    free(r->y), free(r->dx), free(r->gradients);
}

static void every_output_is_written_and_its_padding_is_zero(void **state)
{
    (void)state;
    for (int e = 0; e < EXAMPLES; e++) {
        struct subject s;
        subject_init(&s, &examples[e]);
        struct results r = run(&s, 2);
        for (size_t i = 0; i < shape_floats(s.out); i++)
            assert_true(i % channels_padded(s.out.c) < (size_t)s.out.c
                            ? isfinite(r.y[i]) && (s.block.cell || r.y[i] != 0)
                            : r.y[i] == 0); /* a cell's may be activated: 0 */
        for (size_t i = 0; i < shape_floats(s.in); i++)
            assert_true(i % channels_padded(s.in.c) < (size_t)s.in.c ? isfinite(r.dx[i])
                                                                     : r.dx[i] == 0);
        for (size_t i = 0; i < s.weights.floats; i++)
            assert_true(isfinite(r.gradients[i]));
        results_free(&r);
        subject_release(&s);
    }
}

static void the_same_bits_at_any_thread_count_and_from_any_memory(void **state)
{
    (void)state;
    for (int e = 0; e < EXAMPLES; e++) {
        struct subject s;
        subject_init(&s, &examples[e]);
        struct results one = run(&s, 1);
        for (int threads = 1; threads <= 3; threads++) {
            struct results other = run(&s, threads);
            assert_memory_equal(one.y, other.y, shape_floats(s.out) * sizeof(float));
            assert_memory_equal(one.dx, other.dx, shape_floats(s.in) * sizeof(float));
            assert_memory_equal(one.gradients, other.gradients,
                                s.weights.floats * sizeof(float));
            results_free(&other);
        }
        results_free(&one);
        subject_release(&s);
    }
}

/* A block's gradients lie as its range of the weights does, wherever that begins. */
static void a_block_further_on_in_the_weights_has_the_same_gradients(void **state)
{
    (void)state;
    struct subject s;
    subject_init(&s, &examples[1]);
    struct results near = run(&s, 1);
    struct subject far = s;
    size_t ahead = 160, floats = s.weights.floats;
    size_t *place[] = {
        &far.block.expand.w,    &far.block.expand.gamma,    &far.block.expand.beta,
        &far.block.depthwise.w, &far.block.depthwise.gamma, &far.block.depthwise.beta,
        &far.block.project.w,   &far.block.project.gamma,   &far.block.project.beta,
        &far.block.se_w1,       &far.block.se_b1,           &far.block.se_w2,
        &far.block.se_b2,       &far.block.begin,           &far.block.end};
    for (size_t i = 0; i < sizeof(place) / sizeof(*place); i++)
        *place[i] += ahead;
    far.w = nan_floats(ahead + floats);
    memcpy(far.w + ahead, s.w, floats * sizeof(float));
    struct results moved = run(&far, 1);
    assert_memory_equal(near.gradients, moved.gradients, floats * sizeof(float));
    assert_memory_equal(near.y, moved.y, shape_floats(s.out) * sizeof(float));
    free(far.w);
    results_free(&near), results_free(&moved);
    subject_release(&s);
}

static void names_of(const struct layout *layout, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < layout->n; i++)
        snprintf(text + strlen(text), size - strlen(text), "%s ",
                 layout->array[i].name + strlen("block/"));
}

static void a_block_has_the_arrays_of_its_op(void **state)
{
    (void)state;
    static const struct {
        int example;
        const char *weights, *statistics;
    } expected[] = {
        {0,
         "expand/weight expand/gamma expand/beta depthwise/weight depthwise/gamma "
         "depthwise/beta project/weight project/gamma project/beta ",
         "expand/mean expand/variance depthwise/mean depthwise/variance project/mean "
         "project/variance "},
        {1,
         "expand/weight expand/gamma expand/beta depthwise/weight depthwise/gamma "
         "depthwise/beta se/reduce_weight se/reduce_bias se/expand_weight "
         "se/expand_bias project/weight project/gamma project/beta ",
         "expand/mean expand/variance depthwise/mean depthwise/variance project/mean "
         "project/variance "},
        {5,
         "depthwise/weight depthwise/gamma depthwise/beta project/weight "
         "project/gamma project/beta ",
         "depthwise/mean depthwise/variance project/mean project/variance "},
        {6, "project/weight project/gamma project/beta ",
         "project/mean project/variance "},
        {10,
         "expand/weight expand/gamma expand/beta depthwise/weight depthwise/gamma "
         "depthwise/beta project/weight project/gamma project/beta ",
         "expand/mean expand/variance depthwise/mean depthwise/variance project/mean "
         "project/variance "},
        {12,
         "side_depthwise/weight side_depthwise/gamma side_depthwise/beta "
         "side_project/weight side_project/gamma side_project/beta expand/weight "
         "expand/gamma expand/beta depthwise/weight depthwise/gamma depthwise/beta "
         "project/weight project/gamma project/beta ",
         "side_depthwise/mean side_depthwise/variance side_project/mean "
         "side_project/variance expand/mean expand/variance depthwise/mean "
         "depthwise/variance project/mean project/variance "},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        struct subject s;
        char text[512];
        subject_init(&s, &examples[expected[i].example]);
        names_of(&s.weights, text, sizeof(text));
        assert_string_equal(text, expected[i].weights);
        names_of(&s.statistics, text, sizeof(text));
        assert_string_equal(text, expected[i].statistics);
        assert_int_equal(s.block.begin, 0);
        assert_int_equal(s.block.end, s.weights.floats);
        subject_release(&s);
    }
}

static void an_identity_that_keeps_the_shape_has_nothing(void **state)
{
    (void)state;
    const struct example passing = {
        "id", {7, 5, 10, 7, 5, 10, 1}, "expanded", {ACT_RELU, ACT_NONE, ACT_NONE}};
    struct subject s;
    subject_init(&s, &passing);
    assert_true(s.block.passes);
    assert_int_equal(s.weights.n, 0);
    assert_int_equal(s.statistics.n, 0);
    assert_int_equal(s.block.begin, s.block.end);
    assert_int_equal(block_scratch(&s.block, IMAGES), 0);
    struct arena *plan = arena_create_planning();
    struct block_tensors t = {0};
    block_take_output(&s.block, IMAGES, plan, &t);
    block_take_bn(&s.block, plan, &t);
    block_take_inner(&s.block, IMAGES, plan, &t);
    block_plan_backward(&s.block, IMAGES, plan);
    assert_int_equal(arena_peak(plan), 0);
    arena_free(plan);
    assert_null(block_first_not_finite(&s.block, &t));
    subject_release(&s);
}

/* For tests/cli/block_torch.bats: one file a block, what went in and what came out. */
static void dump(const char *folder, int e)
{
    char name[512];
    struct subject s;
    snprintf(name, sizeof(name), "%s/block%d.txt", folder, e);
    FILE *out = fopen(name, "w");
    if (!out)
        abort();
    subject_init(&s, &examples[e]);
    struct results r = run(&s, 2);
    dump_block(out, &s.block);
    for (int i = 0; i < s.weights.n; i++) {
        dump_array(out, "weight", &s.weights.array[i], s.w, 0);
        dump_array(out, "gradient", &s.weights.array[i], r.gradients, 0);
    }
    dump_tensor(out, "x", s.in, s.x);
    dump_tensor(out, "dy", s.out, s.dy);
    dump_tensor(out, "y", s.out, r.y);
    dump_tensor(out, "dx", s.in, r.dx);
    if (fclose(out) != 0)
        abort();
    results_free(&r);
    subject_release(&s);
}

int main(void)
{
    const char *folder = getenv("TORCH_CASES");
    for (int e = 0; folder && e < EXAMPLES; e++)
        dump(folder, e);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_is_written_and_its_padding_is_zero),
        cmocka_unit_test(the_same_bits_at_any_thread_count_and_from_any_memory),
        cmocka_unit_test(a_block_further_on_in_the_weights_has_the_same_gradients),
        cmocka_unit_test(a_block_has_the_arrays_of_its_op),
        cmocka_unit_test(an_identity_that_keeps_the_shape_has_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return folder ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
