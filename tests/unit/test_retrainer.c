#include <omp.h>

#include "base/die.h"
#include "base/stop.h"
#include "net/retrained.h"
#include "net/retrainer.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "retrain", .config = "", .seed = 3, .threads = 1};

/* 18 training images in batches of 5: the epochs end with steps 3 (18/5), 7 (36/5) and
 * 10 (54/5). */
enum { TRAIN = 18, VALIDATION = 16, BATCH = 5, EPOCHS = 3, STEPS = 10 };
static const char text[] = "k5e6s k3e3 id k3e3";

static struct config config_of_run(bool rmsprop)
{
    struct config c = {.seed = 3, .space = tiny_config("k3e3 k5e6s id")};
    c.dataset.augment.pad_crop = 1;
    c.dataset.augment.flip = true;
    c.retrain = (struct retrain_config){.network = "found",
                                        .images = "train",
                                        .epochs = EPOCHS,
                                        .batch = BATCH,
                                        .optimizer = rmsprop ? "rmsprop" : "sgd",
                                        .learning_rate = 0.04,
                                        .learning_rate_batch = 10,
                                        .schedule = rmsprop ? "steps" : "cosine",
                                        .steps = {0.5, 1},
                                        .momentum = 0.9,
                                        .rmsprop = {0.9, 1e-3},
                                        .weight_decay = 1e-4,
                                        .label_smoothing = 0.1,
                                        .dropout = rmsprop ? 0.2 : 0,
                                        .ema = rmsprop ? 0.9 : 0,
                                        .bn_momentum = 0.1};
    return c;
}

static int setup(void **state)
{
    if (scratch_setup(state))
        return -1;
    struct config config = config_of_run(false);
    write_dataset(scratch_path("data.h5"), &config.space, TRAIN, VALIDATION);
    return 0;
}

/* A retrainer and what it stands on, as a new process would have them. */
struct run {
    struct config config;
    struct dataset *dataset;
    struct retrainer *retrainer;
};

static struct run *run_of(const struct config *config)
{
    struct run *run = memory_zeroed(1, sizeof(*run));
    struct space space;
    struct path path;
    char why[100];
    run->config = *config;
    space_init(&space, &config->space);
    if (!path_parse(&path, &space, text, why, sizeof(why)))
        fail_msg("%s", why);
    run->dataset = dataset_open(scratch_path("data.h5"), &run->config.space);
    run->retrainer = retrainer_create(&run->config, &path, run->dataset);
    return run;
}

static struct run *new_run(bool rmsprop, int threads)
{
    struct config config = config_of_run(rmsprop);
    omp_set_num_threads(threads);
    return run_of(&config);
}

static void run_free(struct run *run)
{
    retrainer_free(run->retrainer);
    dataset_close(run->dataset);
    free(run);
}

/* As the stage goes on; until: steps, and all that follows the last of them. */
static void go(struct run *run, long until)
{
    struct retrainer *r = run->retrainer;
    while (!retrainer_done(r) && (r->step < until || retrainer_epoch_ended(r)))
        if (retrainer_epoch_ended(r))
            assert_true(retrainer_end_epoch(r));
        else
            retrainer_step(r);
}

static void save(struct run *run, const char *file, bool whole)
{
    struct artifact *artifact = artifact_create(scratch_path(file), &origin);
    retrainer_save_run(run->retrainer, artifact);
    if (whole)
        retrainer_save_result(run->retrainer, artifact);
    else
        retrainer_save_state(run->retrainer, artifact);
    artifact_commit(artifact);
}

static void digest_of(const char *file, char digest[ARTIFACT_DIGEST_SIZE])
{
    struct artifact *artifact = artifact_open(scratch_path(file), "retrain");
    artifact_digest(artifact, digest);
    artifact_close(artifact);
}

static void epochs_end_where_their_images_do(void **state)
{
    (void)state;
    struct run *run = new_run(false, 1);
    struct retrainer *r = run->retrainer;
    long end[EPOCHS], n = 0;
    assert_int_equal(r->steps, STEPS);
    while (!retrainer_done(r)) {
        if (retrainer_epoch_ended(r)) {
            end[n++] = r->step;
            retrainer_end_epoch(r);
        } else {
            retrainer_step(r);
        }
    }
    assert_int_equal(n, 3);
    assert_int_equal(end[0], 3);
    assert_int_equal(end[1], 7);
    assert_int_equal(end[2], 10);
    run_free(run);
}

/* Half the batch that the rate is meant for: 0.02. A cosine over 10 steps; or half as
 * much after each epoch of 3.6 steps, the ramp of one epoch (4 steps) before. */
static void the_rate_is_scaled_by_the_batch_and_falls_by_epochs(void **state)
{
    (void)state;
    struct run *run = new_run(false, 1);
    assert_near(rate_at(&run->retrainer->schedule, 0), 0.02, 1e-12);
    assert_near(rate_at(&run->retrainer->schedule, 5), 0.01, 1e-12);
    go(run, STEPS);
    assert_near(series_at(run->retrainer->epochs, 2, 1), 0.01 * (1 + cos(M_PI * 0.6)),
                1e-12);
    run_free(run);
    struct config config = config_of_run(true);
    config.retrain.lr_ramp = 1;
    run = run_of(&config);
    const double expected[] = {0.005, 0.01, 0.015, 0.02, 0.02, 0.02,
                               0.02,  0.02, 0.01,  0.01, 0.01, 0.01};
    for (int step = 0; step < 12; step++)
        assert_near(rate_at(&run->retrainer->schedule, step), expected[step], 1e-12);
    run_free(run);
}

/* Stopped after every single step and at every epoch's end, by one thread and by two in
 * turn; and without a break. */
static void a_run_in_pieces_leaves_the_bits_of_one_in_a_piece(void **state)
{
    (void)state;
    for (int rmsprop = 0; rmsprop < 2; rmsprop++) {
        char whole[ARTIFACT_DIGEST_SIZE], pieces[ARTIFACT_DIGEST_SIZE];
        struct run *run = new_run(rmsprop, 1);
        go(run, STEPS);
        save(run, "whole.h5", true);
        run_free(run);
        run = new_run(rmsprop, 2);
        for (int i = 0; !retrainer_done(run->retrainer); i++) {
            if (retrainer_epoch_ended(run->retrainer))
                retrainer_end_epoch(run->retrainer);
            else
                retrainer_step(run->retrainer);
            save(run, "half.h5", false);
            run_free(run);
            run = new_run(rmsprop, 1 + i % 2);
            struct artifact *half = artifact_open(scratch_path("half.h5"), "retrain");
            retrainer_load(run->retrainer, half);
            artifact_close(half);
        }
        save(run, "pieces.h5", true);
        run_free(run);
        digest_of("whole.h5", whole);
        digest_of("pieces.h5", pieces);
        assert_string_equal(whole, pieces);
    }
}

/* The average by its definition, in double, over the weights of every step. */
static void the_average_is_that_of_the_weights_after_each_step(void **state)
{
    (void)state;
    struct run *run = new_run(true, 1);
    struct retrainer *r = run->retrainer;
    size_t n = r->net->weight_layout.floats, m = r->net->statistic_layout.floats;
    double *average = memory_zeroed(n + m, sizeof(*average));
    for (size_t i = 0; i < n + m; i++)
        average[i] = (double)(i < n ? r->net->weights[i] : r->net->statistics[i - n]);
    for (int step = 1; step <= STEPS; step++) {
        if (retrainer_epoch_ended(r))
            retrainer_end_epoch(r);
        retrainer_step(r);
        double decay = fmin(0.9, (1.0 + step) / (10.0 + step));
        for (size_t i = 0; i < n + m; i++)
            average[i] = decay * average[i] +
                         (1 - decay) * (double)(i < n ? r->net->weights[i]
                                                      : r->net->statistics[i - n]);
    }
    shadow_exchange(r->average, r->net);
    for (size_t i = 0; i < n + m; i++)
        assert_near((double)(i < n ? r->net->weights[i] : r->net->statistics[i - n]),
                    average[i], 1e-5);
    shadow_exchange(r->average, r->net);
    free(average);
    run_free(run);
}

/* One step by hand: gradients with that very dropout and smoothing, then the update. */
static void a_step_is_gradients_and_the_optimizer_of_the_recipe(void **state)
{
    (void)state;
    for (int rmsprop = 0; rmsprop < 2; rmsprop++) {
        struct run *run = new_run(rmsprop, 1), *twin = new_run(rmsprop, 1);
        struct retrainer *r = run->retrainer, *t = twin->retrainer;
        size_t n = r->net->weight_layout.floats;
        float *images =
            memory_zeroed(BATCH * image_floats(&run->config.space), sizeof(*images));
        int labels[BATCH];
        for (int i = 0; i < 4; i++) {
            dataset_training_batch(twin->dataset, &twin->config.dataset.augment, 3,
                                   i * BATCH, BATCH, images, labels);
            const struct train_step step = {
                .label_smoothing = 0.1,
                .bn_momentum = 0.1,
                .dropout = {rmsprop ? 0.2 : 0, 3, (uint32_t)i}};
            struct train_result expected = train_gradients(
                t->net, &t->path, &step, BATCH, images, labels, t->workspace);
            double rate = rate_at(&t->schedule, i);
            const struct rmsprop settings = {rate, 0.9, 0.9, 1e-3, 1e-4};
            if (rmsprop)
                rmsprop_step(t->net, &t->path, t->mean_square, t->workspace->gradients,
                             &settings);
            else
                sgd_step(t->net, &t->path, t->workspace->gradients, rate, 0.9, 1e-4);
            struct train_result found = retrainer_step(r);
            assert_true(found.loss == expected.loss);
            assert_memory_equal(r->net->weights, t->net->weights, n * sizeof(float));
        }
        free(images);
        run_free(run), run_free(twin);
    }
}

static double judged_loss(struct run *run, struct judgement *judgement)
{
    struct judge *judge =
        judge_create(run->retrainer->net, &run->retrainer->path, run->dataset, 16);
    judge_advance(judge, SPLIT_VALIDATION, judgement);
    judge_free(judge);
    return judgement_loss(judgement);
}

/* The best weights of the artifact give the best row of the series, which no other row
 * beats; with an average, its weights are the judged ones. */
static void the_best_weights_are_those_of_the_best_epoch(void **state)
{
    (void)state;
    enum { LOSS = 3, ACCURACY = 4 };
    for (int rmsprop = 0; rmsprop < 2; rmsprop++) {
        struct run *run = new_run(rmsprop, 1);
        struct retrainer *r = run->retrainer;
        go(run, STEPS);
        save(run, "best.h5", true);
        long best = r->found.epoch - 1;
        for (long e = 0; e < EPOCHS; e++) {
            double accuracy = series_at(r->epochs, ACCURACY, e);
            assert_true(accuracy <= series_at(r->epochs, ACCURACY, best));
            if (accuracy == series_at(r->epochs, ACCURACY, best))
                assert_true(series_at(r->epochs, LOSS, e) >=
                            series_at(r->epochs, LOSS, best));
        }
        struct artifact *artifact = artifact_open(scratch_path("best.h5"), "retrain");
        struct judgement judgement = {0}, last = {0};
        assert_true(artifact_has(artifact, "average/weights") == (rmsprop == 1));
        retrained_load(r->net, &r->path, run->dataset, false, artifact);
        assert_near(judged_loss(run, &judgement), series_at(r->epochs, LOSS, best),
                    1e-12);
        assert_near(judgement_top1(&judgement), series_at(r->epochs, ACCURACY, best),
                    1e-12);
        retrained_load(r->net, &r->path, run->dataset, true, artifact);
        assert_near(judged_loss(run, &last), series_at(r->epochs, LOSS, EPOCHS - 1),
                    1e-12);
        artifact_close(artifact);
        run_free(run);
    }
}

/* 34 images: the epochs end with steps 6, 13 and 20; nothing judges them, and the last
 * weights are the best. */
static void trained_on_all_images_the_last_weights_count(void **state)
{
    (void)state;
    struct config config = config_of_run(false);
    config.retrain.images = "train+validation";
    struct run *run = run_of(&config);
    struct retrainer *r = run->retrainer;
    assert_int_equal(r->steps, 20);
    go(run, 20);
    assert_true(retrainer_done(r));
    assert_int_equal(r->found.epoch, EPOCHS);
    assert_true(isnan(r->found.accuracy));
    assert_int_equal(r->evaluations, 0);
    for (long e = 0; e < EPOCHS; e++)
        assert_true(isnan(series_at(r->epochs, 4, e)));
    size_t n = r->net->weight_layout.floats;
    float *last = memory_zeroed(n, sizeof(*last));
    memcpy(last, r->net->weights, n * sizeof(*last));
    shadow_exchange(r->best, r->net);
    assert_memory_equal(r->net->weights, last, n * sizeof(*last));
    free(last);
    run_free(run);
}

/* Its check is of 34 images, of which 18 are what another process takes for all. */
static void
what_was_trained_on_all_images_is_loaded_by_who_has_not_joined_them(void **state)
{
    (void)state;
    struct config config = config_of_run(false);
    config.retrain.images = "train+validation";
    struct run *run = run_of(&config), *fresh = new_run(false, 1);
    go(run, 20);
    save(run, "joined.h5", true);
    struct artifact *artifact = artifact_open(scratch_path("joined.h5"), "retrain");
    assert_int_equal(artifact_read_i64(artifact, "check/images"), TRAIN + VALIDATION);
    assert_int_equal(dataset_size(fresh->dataset, SPLIT_TRAIN), TRAIN);
    struct retrainer *r = fresh->retrainer;
    retrained_load(r->net, &r->path, fresh->dataset, false, artifact);
    assert_memory_equal(r->net->weights, run->retrainer->net->weights,
                        r->net->weight_layout.floats * sizeof(float));
    artifact_close(artifact);
    run_free(run), run_free(fresh);
}

/* In a process of its own, for a request to stop stays. */
static int stop_while_judging(const void *argument)
{
    (void)argument;
    struct run *run = new_run(true, 1);
    while (!retrainer_epoch_ended(run->retrainer))
        retrainer_step(run->retrainer);
    stop_request("a test");
    bool judged = retrainer_end_epoch(run->retrainer);
    save(run, "stopped.h5", false);
    run_free(run);
    return judged;
}

static void an_epoch_that_was_not_judged_to_its_end_is_judged_again(void **state)
{
    (void)state;
    struct child child = child_run(stop_while_judging, NULL);
    assert_int_equal(child.code, 0);
    struct run *run = new_run(true, 1), *calm = new_run(true, 1);
    struct artifact *half = artifact_open(scratch_path("stopped.h5"), "retrain");
    retrainer_load(run->retrainer, half);
    artifact_close(half);
    assert_int_equal(series_length(run->retrainer->epochs), 0);
    assert_true(retrainer_epoch_ended(run->retrainer));
    go(run, STEPS);
    go(calm, STEPS);
    for (int column = 0; column < 5; column++)
        assert_true(series_at(run->retrainer->epochs, column, 0) ==
                    series_at(calm->retrainer->epochs, column, 0));
    run_free(run), run_free(calm);
}

static int load_half_of(const void *argument)
{
    struct config config = config_of_run(false);
    const char *const *words = argument;
    omp_set_num_threads(1);
    config.space = tiny_config(words[0]);
    struct run *run = run_of(&config);
    if (words[1])
        run->retrainer->path.op[2] = 0;
    struct artifact *half = artifact_open(scratch_path("stopped.h5"), "retrain");
    retrainer_load(run->retrainer, half);
    return 0;
}

static void another_network_s_state_is_refused(void **state)
{
    (void)state;
    const char *const other_path[] = {"k3e3 k5e6s id", "another"},
                      *const other_space[] = {"k3e3 k5e6s k7e3 id", NULL};
    struct child child = child_run(load_half_of, other_path);
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(strstr(child.err, "stopped.h5' trains another network; remove it"));
    child = child_run(load_half_of, other_space);
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(strstr(child.err, "its space has 3 choices a layer, expected 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: children are forked while there is one thread. */
        cmocka_unit_test(an_epoch_that_was_not_judged_to_its_end_is_judged_again),
        cmocka_unit_test(another_network_s_state_is_refused),
        cmocka_unit_test(epochs_end_where_their_images_do),
        cmocka_unit_test(the_rate_is_scaled_by_the_batch_and_falls_by_epochs),
        cmocka_unit_test(a_run_in_pieces_leaves_the_bits_of_one_in_a_piece),
        cmocka_unit_test(the_average_is_that_of_the_weights_after_each_step),
        cmocka_unit_test(a_step_is_gradients_and_the_optimizer_of_the_recipe),
        cmocka_unit_test(the_best_weights_are_those_of_the_best_epoch),
        cmocka_unit_test(trained_on_all_images_the_last_weights_count),
        cmocka_unit_test(
            what_was_trained_on_all_images_is_loaded_by_who_has_not_joined_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
