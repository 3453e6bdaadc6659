#include <omp.h>

#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/probe.h"
#include "net/trainer.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "warmup", .config = "", .seed = 3, .threads = 1};

enum { BATCH = 5, STEPS = 6 };

static struct config config_of_run(void)
{
    struct config c = {.seed = 3, .space = tiny_config("k3e3 k5e6s id")};
    c.dataset.augment.pad_crop = 1;
    c.dataset.augment.flip = true;
    c.supernet.batch = BATCH;
    c.supernet.steps = 10;
    c.supernet.learning_rate = 0.1;
    c.supernet.momentum = 0.9;
    c.supernet.weight_decay = 1e-4;
    c.supernet.label_smoothing = 0.1;
    c.supernet.lr_ramp = 2;
    c.supernet.bn_momentum = 0.1;
    return c;
}

static int setup(void **state)
{
    if (scratch_setup(state))
        return -1;
    struct config config = config_of_run();
    /* 18 images: the run passes the end of an epoch within a batch. */
    write_dataset(scratch_path("data.h5"), &config.space, 18, 16);
    return 0;
}

/* A trainer and what it stands on, as a new process would have them. */
struct run {
    struct config config;
    struct dataset *dataset;
    struct trainer *trainer;
};

static struct run *new_run(int threads)
{
    omp_set_num_threads(threads);
    struct run *run = memory_zeroed(1, sizeof(*run));
    run->config = config_of_run();
    run->dataset = dataset_open(scratch_path("data.h5"), &run->config.space);
    run->trainer = trainer_create(&run->config, run->dataset, 8);
    return run;
}

static void run_free(struct run *run)
{
    trainer_free(run->trainer);
    dataset_close(run->dataset);
    free(run);
}

/* Steps up to `until`, each on the path that its number gives; paths are scored on the
 * way, as greedy does. */
static void go(struct run *run, long until)
{
    static const int index[] = {1, 5, 2, 9, 12, 15, 0, 3};
    struct trainer *t = run->trainer;
    while (t->step < until) {
        struct path path = {.n = 4};
        struct score score;
        for (int l = 0; l < 4; l++)
            path.op[l] = (uint8_t)((t->step + l * l) % 3);
        trainer_score(t, &path, 1, index, 8, &score);
        trainer_step(t, &path);
    }
}

static void save(const struct run *run, const char *file)
{
    struct artifact *artifact = artifact_create(scratch_path(file), &origin);
    supernet_save_state(run->trainer->net, artifact);
    trainer_save_run(run->trainer, artifact);
    artifact_commit(artifact);
}

static void load(struct run *run, const char *file)
{
    struct artifact *artifact = artifact_open(scratch_path(file), NULL);
    supernet_load_state(run->trainer->net, artifact);
    trainer_load_run(run->trainer, artifact);
    artifact_close(artifact);
}

static void assert_same_net(const struct supernet *a, const struct supernet *b)
{
    size_t weights = a->weight_layout.floats * sizeof(float);
    assert_memory_equal(a->weights, b->weights, weights);
    assert_memory_equal(a->momentum, b->momentum, weights);
    assert_memory_equal(a->statistics, b->statistics,
                        a->statistic_layout.floats * sizeof(float));
}

/* All but times. */
static void assert_same_run(const struct run *a, const struct run *b)
{
    const struct trainer *x = a->trainer, *y = b->trainer;
    assert_same_net(x->net, y->net);
    assert_int_equal(x->step, y->step);
    assert_int_equal(x->optimizations, y->optimizations);
    assert_memory_equal(x->trained, y->trained, 4 * 3 * sizeof(*x->trained));
    struct score_counters c = scorer_counters(x->scorer),
                          d = scorer_counters(y->scorer);
    assert_memory_equal(&c, &d, sizeof(c));
    assert_int_equal(series_length(x->steps), series_length(y->steps));
    for (long row = 0; row < series_length(x->steps); row++)
        for (int column = 0; column < 3; column++)
            assert_true(series_at(x->steps, column, row) ==
                        series_at(y->steps, column, row));
}

static void six_steps_are_three_saved_loaded_and_three_more(void **state)
{
    (void)state;
    struct run *whole = new_run(2), *first = new_run(2), *second = new_run(2);
    go(whole, STEPS);
    go(first, STEPS / 2);
    save(first, "half.h5");
    run_free(first);
    load(second, "half.h5");
    assert_int_equal(second->trainer->step, STEPS / 2);
    go(second, STEPS);
    assert_same_run(whole, second);
    run_free(whole), run_free(second);
}

static void one_two_and_three_threads_give_the_same_bits(void **state)
{
    (void)state;
    struct run *one = new_run(1);
    go(one, STEPS);
    for (int threads = 2; threads <= 3; threads++) {
        struct run *other = new_run(threads);
        go(other, STEPS);
        assert_same_run(one, other);
        run_free(other);
    }
    run_free(one);
}

/* Six steps of five images; layer l of step s has op (s + l * l) % 3, so each op twice;
 * scored: the paths' blocks that are not passed through, worked out one by one:
 *   s = 0, 3: ops 0 1 1 0: four blocks; s = 1, 4: 1 2 2 1: three (the identity of layer
 *   1 passes, that of layer 2 changes the shape); s = 2, 5: 2 0 0 2: three (layer 3's
 *   passes). */
static void counters_and_series_tell_what_was_done(void **state)
{
    (void)state;
    struct run *run = new_run(1);
    go(run, STEPS);
    const struct trainer *t = run->trainer;
    assert_int_equal(t->step, 6);
    assert_int_equal(t->optimizations, 30);
    for (int i = 0; i < 12; i++)
        assert_int_equal(t->trained[i], 2);
    struct score_counters c = scorer_counters(t->scorer);
    assert_int_equal(c.evaluations, 6 * 8);
    assert_int_equal(c.blocks_asked, 2 * (4 + 3 + 3));
    assert_int_equal(c.blocks_computed, c.blocks_asked);
    assert_int_equal(series_length(t->steps), 6);
    /* Rates: a ramp of two steps to 0.1, then a cosine over the other eight. */
    static const double cosine[] = {1, 0.92387953251, 0.70710678119, 0.38268343236};
    assert_near(series_at(t->steps, 2, 0), 0.05, 1e-12);
    assert_near(series_at(t->steps, 2, 1), 0.1, 1e-12);
    for (int i = 0; i < 4; i++)
        assert_near(series_at(t->steps, 2, 2 + i), 0.05 * (1 + cosine[i]), 1e-9);
    run_free(run);
}

/* Fair steps up to `until`, as FairNAS has them. */
static void go_fairly(struct run *run, long until)
{
    struct trainer *t = run->trainer;
    t->schedule.steps = 20;
    while (t->step < until) {
        struct path path[3];
        struct rng rng = rng_stream(3, RNG_TEST, 0, (uint64_t)t->step);
        sampler_fair(&t->net->space, &rng, path);
        trainer_step_fairly(t, path);
    }
}

static void a_fair_step_trains_every_choice_of_every_layer_once(void **state)
{
    (void)state;
    struct run *run = new_run(2);
    go_fairly(run, 1);
    for (int i = 0; i < 12; i++)
        assert_int_equal(run->trainer->trained[i], 1);
    assert_int_equal(run->trainer->optimizations, 3 * BATCH);
    assert_int_equal(run->trainer->step, 1);
    run_free(run);
}

static void fair_steps_resume_and_thread_to_the_same_bits(void **state)
{
    (void)state;
    struct run *whole = new_run(1), *first = new_run(2), *second = new_run(3);
    go_fairly(whole, 4);
    go_fairly(first, 2);
    save(first, "fair.h5");
    run_free(first);
    load(second, "fair.h5");
    go_fairly(second, 4);
    assert_same_run(whole, second);
    run_free(whole), run_free(second);
}

/* Half of the cosine's way: of 20 steps with a ramp of 2, after 2 + 9. */
static void a_schedule_of_its_own_sets_the_rate(void **state)
{
    (void)state;
    struct run *run = new_run(1);
    go_fairly(run, 12);
    assert_near(series_at(run->trainer->steps, 2, 11), 0.05, 1e-12);
    run_free(run);
}

/* Step s trains on images s * batch and following of the training order. */
static void a_step_trains_on_its_own_images_of_the_order(void **state)
{
    (void)state;
    struct run *run = new_run(1), *other = new_run(1);
    struct path path = {.n = 4};
    float *images =
        memory_zeroed(BATCH * image_floats(&run->config.space), sizeof(*images));
    int labels[BATCH];
    for (long step = 0; step < 5; step++) {
        dataset_training_batch(other->dataset, &run->config.dataset.augment, 3,
                               step * BATCH, BATCH, images, labels);
        struct train_step at = train_step_at(&run->config.supernet, step);
        struct train_result expected =
            train_path(other->trainer->net, &path, &at, BATCH, images, labels,
                       other->trainer->workspace);
        struct train_result found = trainer_step(run->trainer, &path);
        assert_true(found.loss == expected.loss);
        assert_true(found.accuracy == expected.accuracy);
    }
    assert_same_net(run->trainer->net, other->trainer->net);
    free(images);
    run_free(run), run_free(other);
}

/* As greedy goes on from warm-up: the net and the step, counters at nought. */
static void another_stage_goes_on_with_weights_momenta_and_step(void **state)
{
    (void)state;
    struct run *warmup = new_run(1), *greedy = new_run(1), *whole = new_run(1);
    struct path probe = {.n = 4};
    go(warmup, 4);
    struct artifact *artifact = artifact_create(scratch_path("warmup.h5"), &origin);
    supernet_save(warmup->trainer->net, artifact, true);
    trainer_save_run(warmup->trainer, artifact);
    probe_save(warmup->trainer->scorer, &probe, 3, artifact);
    artifact_commit(artifact);
    artifact = artifact_open(scratch_path("warmup.h5"), "warmup");
    trainer_continue(greedy->trainer, artifact);
    artifact_close(artifact);
    assert_int_equal(greedy->trainer->step, 4);
    assert_int_equal(greedy->trainer->optimizations, 0);
    assert_int_equal(series_length(greedy->trainer->steps), 0);
    assert_int_equal(scorer_counters(greedy->trainer->scorer).evaluations, 0);
    go(greedy, STEPS);
    go(whole, STEPS);
    assert_same_net(whole->trainer->net, greedy->trainer->net);
    run_free(warmup), run_free(greedy), run_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_steps_are_three_saved_loaded_and_three_more),
        cmocka_unit_test(one_two_and_three_threads_give_the_same_bits),
        cmocka_unit_test(counters_and_series_tell_what_was_done),
        cmocka_unit_test(a_fair_step_trains_every_choice_of_every_layer_once),
        cmocka_unit_test(fair_steps_resume_and_thread_to_the_same_bits),
        cmocka_unit_test(a_schedule_of_its_own_sets_the_rate),
        cmocka_unit_test(a_step_trains_on_its_own_images_of_the_order),
        cmocka_unit_test(another_stage_goes_on_with_weights_momenta_and_step),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
