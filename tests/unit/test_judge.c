#include <omp.h>

#include "net/judge.h"
#include "unit/nets.h"
#include "unit/scratch.h"

enum { CLASSES = 7, ROW = 16 };

/* Rank 0 has the largest logit; ties fall to the lower class: by sorting, not counting.
 */
static int rank_by_sorting(const float *logit, int label)
{
    int order[CLASSES];
    for (int k = 0; k < CLASSES; k++)
        order[k] = k;
    for (int i = 1; i < CLASSES; i++) /* stable */
        for (int j = i; j > 0 && logit[order[j]] > logit[order[j - 1]]; j--) {
            int other = order[j];
            order[j] = order[j - 1];
            order[j - 1] = other;
        }
    for (int rank = 0; rank < CLASSES; rank++)
        if (order[rank] == label)
            return rank;
    return -1;
}

/* Few distinct values, so that ties are everywhere. */
static void hits_and_confusion_are_those_of_a_sorted_list(void **state)
{
    (void)state;
    enum { N = 500 };
    static float logits[N * ROW];
    double loss[N], sum = 0;
    int labels[N];
    int64_t confusion[CLASSES * CLASSES] = {0}, expected[CLASSES][CLASSES] = {{0}};
    int64_t top1 = 0, top5 = 0;
    struct judgement judgement = {.confusion = confusion};
    for (int i = 0; i < N; i++) {
        float *logit = logits + (size_t)i * ROW;
        int first = 0;
        for (int k = 0; k < CLASSES; k++)
            logit[k] = (float)(int)drawn(0, 4);
        labels[i] = (int)drawn(0, CLASSES);
        loss[i] = drawn(0, 2);
        sum += loss[i];
        while (rank_by_sorting(logit, first) != 0)
            first++;
        expected[labels[i]][first]++;
        top1 += rank_by_sorting(logit, labels[i]) == 0;
        top5 += rank_by_sorting(logit, labels[i]) < 5;
    }
    judgement_add(&judgement, CLASSES, 123, labels, logits, loss);
    judgement_add(&judgement, CLASSES, N - 123, labels + 123, logits + 123 * ROW,
                  loss + 123);
    assert_int_equal(judgement.images, N);
    assert_int_equal(judgement.top1, top1);
    assert_int_equal(judgement.top5, top5);
    assert_true(top1 > 0 && top1 < top5 && top5 < N);
    assert_memory_equal(confusion, expected, sizeof(confusion));
    assert_near(judgement_top1(&judgement), (double)top1 / N, 1e-15);
    assert_near(judgement_top5(&judgement), (double)top5 / N, 1e-15);
    assert_near(judgement_loss(&judgement), sum / N, 1e-12);
}

static void with_five_classes_or_fewer_every_label_is_among_five(void **state)
{
    (void)state;
    float logits[2 * ROW] = {3, 2, 1, 0, -1};
    double loss[2] = {0.1, 4};
    int labels[2] = {0, 4};
    struct judgement judgement = {0};
    judgement_add(&judgement, 5, 1, labels, logits, loss);
    judgement_add(&judgement, 5, 1, labels + 1, logits, loss + 1);
    assert_int_equal(judgement.top1, 1);
    assert_int_equal(judgement.top5, 2);
}

static void logits_that_are_no_numbers_are_no_hits(void **state)
{
    (void)state;
    float logits[ROW] = {1, NAN, 0};
    double loss = (double)NAN;
    int label = 0;
    struct judgement judgement = {0};
    judgement_add(&judgement, 3, 1, &label, logits, &loss);
    assert_int_equal(judgement.top1, 0);
    assert_int_equal(judgement.top5, 0);
    assert_true(isnan(judgement_loss(&judgement)));
}

static void no_images_have_no_accuracy(void **state)
{
    (void)state;
    struct judgement judgement = {0};
    assert_true(isnan(judgement_top1(&judgement)) &&
                isnan(judgement_top5(&judgement)) && isnan(judgement_loss(&judgement)));
}

/* Image by image through the network, and whole splits in batches that do not divide
 * them, by one thread and by three. */
static void a_split_is_judged_image_by_image_whatever_the_batch(void **state)
{
    (void)state;
    struct space_config config = tiny_config("k3e3 k5e6s id");
    write_dataset(scratch_path("data.h5"), &config, 9, 22);
    struct dataset *dataset = dataset_open(scratch_path("data.h5"), &config);
    struct supernet *net = drawn_net(&config);
    struct path path = path_of(net, "k5e6s k3e3 id k3e3");
    struct inference *single = inference_create(net, &path, 1);
    float *image = memory_zeroed(image_floats(&config), sizeof(*image));
    double loss = 0;
    int hits = 0;
    for (int i = 0; i < 22; i++) {
        int label;
        dataset_batch(dataset, SPLIT_VALIDATION, &i, 1, image, &label);
        const struct head_tensors *t = inference_run(single, 1, image, &label);
        loss += t->loss[0];
        hits += t->hit[0];
    }
    const int batches[] = {1, 7, 22, 100};
    for (int i = 0; i < 4; i++) {
        omp_set_num_threads(i % 2 ? 3 : 1);
        struct judge *judge = judge_create(net, &path, dataset, batches[i]);
        struct judgement judgement = {0};
        int calls = 0;
        while (judge_advance(judge, SPLIT_VALIDATION, &judgement))
            calls++;
        assert_int_equal(calls, (22 + batches[i] - 1) / batches[i]);
        assert_int_equal(judgement.images, 22);
        assert_int_equal(judgement.top1, hits);
        assert_true(judgement.loss == loss);
        judge_free(judge);
    }
    free(image);
    inference_free(single);
    supernet_free(net);
    dataset_close(dataset);
}

static void refreshed_it_judges_by_the_weights_and_statistics_of_now(void **state)
{
    (void)state;
    struct space_config config = tiny_config("k3e3 id");
    write_dataset(scratch_path("data.h5"), &config, 9, 22);
    struct dataset *dataset = dataset_open(scratch_path("data.h5"), &config);
    struct supernet *net = drawn_net(&config);
    struct path path = path_of(net, "k3e3 k3e3 id k3e3");
    struct judge *judge = judge_create(net, &path, dataset, 22), *anew;
    struct judgement found = {0}, expected = {0}, before = {0};
    judge_advance(judge, SPLIT_VALIDATION, &before);
    for (size_t i = 0; i < net->weight_layout.floats; i++)
        net->weights[i] *= 1.25f;
    for (size_t i = 0; i < net->statistic_layout.floats; i++)
        net->statistics[i] *= 1.5f;
    judge_refresh(judge);
    judge_advance(judge, SPLIT_VALIDATION, &found);
    anew = judge_create(net, &path, dataset, 22);
    judge_advance(anew, SPLIT_VALIDATION, &expected);
    assert_true(found.loss == expected.loss);
    assert_true(found.loss != before.loss);
    judge_free(judge), judge_free(anew);
    supernet_free(net);
    dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_and_confusion_are_those_of_a_sorted_list),
        cmocka_unit_test(with_five_classes_or_fewer_every_label_is_among_five),
        cmocka_unit_test(logits_that_are_no_numbers_are_no_hits),
        cmocka_unit_test(no_images_have_no_accuracy),
        cmocka_unit_test(a_split_is_judged_image_by_image_whatever_the_batch),
        cmocka_unit_test(refreshed_it_judges_by_the_weights_and_statistics_of_now),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
