#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>

#include "net/inference.h"
#include "ref/network_ref.h"
#include "ref/operands_ref.h"
#include "unit/nets.h"

enum { IMAGES = 5 };

/* With a fixed block, SE and an identity of either kind; `bare`: no head, and a stem
 * that the first block passes on. */
static struct space_config config_of(bool bare)
{
    struct space_config c = tiny_config("k3e3 k5e6s id shuffle3");
    c.n_fixed = 1;
    c.fixed[0] = (struct fixed_config){"k3e1", bare ? 6 : 8, 1, 1, ""};
    if (bare)
        c.head.channels = 0;
    return c;
}

static const char *const texts[] = {"k3e3 k5e6s k3e3 id", "id id id k5e6s",
                                    "k5e6s id k3e3 k3e3", "shuffle3 k3e3 shuffle3 id"};
enum { PATHS = sizeof(texts) / sizeof(*texts) };

static void for_each_path(void (*check)(struct supernet *net, const struct path *path,
                                        const struct batch *batch))
{
    for (int bare = 0; bare < 2; bare++) {
        struct space_config config = config_of(bare);
        struct supernet *net = drawn_net(&config);
        struct batch batch = drawn_batch(&config, IMAGES);
        for (int i = 0; i < PATHS; i++) {
            struct path path = path_of(net, texts[i]);
            check(net, &path, &batch);
        }
        batch_release(&batch);
        supernet_free(net);
    }
}

static void check_reference(struct supernet *net, const struct path *path,
                            const struct batch *batch)
{
    size_t floats = (size_t)net->space.h * (size_t)net->space.w * (size_t)net->space.c,
           row = channels_padded(net->space.classes);
    double loss[IMAGES], *logits = memory_zeroed(IMAGES * row, sizeof(*logits));
    double *images = ref_doubles(batch->images, IMAGES * floats);
    double *weights = ref_doubles(net->weights, net->weight_layout.floats);
    double *statistics = ref_doubles(net->statistics, net->statistic_layout.floats);
    network_ref_loss(&(struct network_ref){.net = net,
                                           .path = path,
                                           .weights = weights,
                                           .n = IMAGES,
                                           .images = images,
                                           .labels = batch->labels,
                                           .given = statistics,
                                           .logits = logits,
                                           .loss = loss});
    struct inference *inference = inference_create(net, path, IMAGES);
    const struct head_tensors *found =
        inference_run(inference, IMAGES, batch->images, batch->labels);
    for (int i = 0; i < IMAGES; i++) {
        int best = 0;
        for (int k = 0; k < net->space.classes; k++) {
            size_t at = (size_t)i * row + (size_t)k;
            assert_near((double)found->logits[at], logits[at], 2e-5);
            if (logits[at] > logits[(size_t)i * row + (size_t)best])
                best = k;
        }
        assert_near(found->loss[i], loss[i], 2e-5);
        assert_int_equal(found->hit[i], best == batch->labels[i]);
    }
    inference_free(inference);
    free(logits), free(images), free(weights), free(statistics);
}

static void results_are_those_of_plain_loops(void **state)
{
    (void)state;
    for_each_path(check_reference);
}

static void check_alone(struct supernet *net, const struct path *path,
                        const struct batch *batch)
{
    size_t floats = (size_t)net->space.h * (size_t)net->space.w * (size_t)net->space.c,
           row = channels_padded(net->space.classes);
    struct inference *all = inference_create(net, path, IMAGES);
    struct inference *one = inference_create(net, path, 1);
    const struct head_tensors *together =
        inference_run(all, IMAGES, batch->images, batch->labels);
    for (int i = 0; i < IMAGES; i++) {
        const struct head_tensors *alone = inference_run(
            one, 1, batch->images + (size_t)i * floats, batch->labels + i);
        for (int k = 0; k < net->space.classes; k++)
            assert_near((double)together->logits[(size_t)i * row + (size_t)k],
                        (double)alone->logits[k], 1e-6);
        assert_int_equal(together->hit[i], alone->hit[0]);
    }
    inference_free(all);
    inference_free(one);
}

static void an_image_does_not_depend_on_the_others_of_its_batch(void **state)
{
    (void)state;
    for_each_path(check_alone);
}

static void check_refresh(struct supernet *net, const struct path *path,
                          const struct batch *batch)
{
    struct inference *inference = inference_create(net, path, IMAGES);
    double before =
        inference_run(inference, IMAGES, batch->images, batch->labels)->loss[0];
    for (size_t i = 0; i < net->statistic_layout.floats; i++)
        net->statistics[i] += 0.5f;
    assert_float_equal(
        inference_run(inference, IMAGES, batch->images, batch->labels)->loss[0], before,
        0);
    inference_refresh(inference);
    double after =
        inference_run(inference, IMAGES, batch->images, batch->labels)->loss[0];
    assert_true(fabs(after - before) > 1e-3);
    struct inference *anew = inference_create(net, path, IMAGES);
    assert_float_equal(
        inference_run(anew, IMAGES, batch->images, batch->labels)->loss[0], after, 0);
    for (size_t i = 0; i < net->statistic_layout.floats; i++)
        net->statistics[i] -= 0.5f; /* for the next path */
    inference_free(inference);
    inference_free(anew);
}

static void new_statistics_count_after_a_refresh(void **state)
{
    (void)state;
    for_each_path(check_refresh);
}

static void check_threads(struct supernet *net, const struct path *path,
                          const struct batch *batch)
{
    size_t bytes = IMAGES * channels_padded(net->space.classes) * sizeof(float);
    struct inference *inference = inference_create(net, path, IMAGES);
    float *first = memory_zeroed(bytes, 1);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        const struct head_tensors *found =
            inference_run(inference, IMAGES, batch->images, NULL);
        if (threads == 1)
            memcpy(first, found->logits, bytes);
        assert_memory_equal(found->logits, first, bytes);
    }
    free(first);
    inference_free(inference);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    for_each_path(check_threads);
}

static void check_timed(struct supernet *net, const struct path *path,
                        const struct batch *batch)
{
    enum { PARTS_MAX = CHAIN_MAX + 3 };
    double seconds[PARTS_MAX];
    size_t bytes = IMAGES * channels_padded(net->space.classes) * sizeof(float);
    float *logits = memory_zeroed(bytes, 1);
    struct inference *inference = inference_create(net, path, IMAGES);
    memcpy(logits, inference_run(inference, IMAGES, batch->images, NULL)->logits,
           bytes);
    int parts = inference_parts(inference);
    assert_int_equal(parts, 1 + net->space.n_fixed + net->space.n_layers +
                                (net->space.head_channels > 0) + 1);
    for (int i = 0; i < PARTS_MAX; i++)
        seconds[i] = -1;
    assert_memory_equal(
        inference_run_timed(inference, IMAGES, batch->images, seconds)->logits, logits,
        bytes);
    for (int i = 0; i < PARTS_MAX; i++)
        assert_true(i < parts ? seconds[i] >= 0 : seconds[i] < 0);
    inference_free(inference);
    free(logits);
}

static void timing_gives_a_time_to_every_part_and_the_same_result(void **state)
{
    (void)state;
    for_each_path(check_timed);
}

/* From a narrow path to wider ones, whose BN needs more room, and back. */
static void another_path_gives_what_it_gives_by_itself(void **state)
{
    (void)state;
    static const int order[] = {1, 0, 2, 1};
    struct space_config config = config_of(false);
    struct supernet *net = drawn_net(&config);
    struct batch batch = drawn_batch(&config, IMAGES);
    struct path first = path_of(net, texts[1]);
    struct inference *inference = inference_create(net, &first, IMAGES);
    for (int i = 0; i < 4; i++) {
        struct path path = path_of(net, texts[order[i]]);
        struct inference *alone = inference_create(net, &path, IMAGES);
        inference_choose(inference, &path);
        assert_float_equal(
            inference_run(inference, IMAGES, batch.images, batch.labels)->loss[1],
            inference_run(alone, IMAGES, batch.images, batch.labels)->loss[1], 0);
        inference_free(alone);
    }
    inference_free(inference);
    batch_release(&batch);
    supernet_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_plain_loops),
        cmocka_unit_test(an_image_does_not_depend_on_the_others_of_its_batch),
        cmocka_unit_test(new_statistics_count_after_a_refresh),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(timing_gives_a_time_to_every_part_and_the_same_result),
        cmocka_unit_test(another_path_gives_what_it_gives_by_itself),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("inference", tests, NULL, NULL);
}
