#include "net/shadow.h"
#include "unit/nets.h"
#include "unit/scratch.h"

struct subject {
    struct space_config config;
    struct supernet *net;
    size_t weights, statistics;
};

static struct subject new_subject(void)
{
    struct subject s = {.config = tiny_config("k3e3s id")};
    s.net = drawn_net(&s.config);
    s.weights = s.net->weight_layout.floats;
    s.statistics = s.net->statistic_layout.floats;
    return s;
}

static void set_all(const struct subject *s, float weight, float statistic)
{
    for (size_t i = 0; i < s->weights; i++)
        s->net->weights[i] = weight;
    for (size_t i = 0; i < s->statistics; i++)
        s->net->statistics[i] = statistic;
}

/* min(d, 2/11), min(d, 3/12), ... and (1 + n) / (10 + n) > 0.999 from n = 8990 on. */
static void the_decay_rises_to_its_setting(void **state)
{
    (void)state;
    assert_near(shadow_decay_at(0.999, 1), 2.0 / 11, 1e-15);
    assert_near(shadow_decay_at(0.999, 2), 3.0 / 12, 1e-15);
    assert_near(shadow_decay_at(0.999, 8989), 8990.0 / 8999, 1e-15);
    assert_near(shadow_decay_at(0.999, 8991), 0.999, 1e-15);
    assert_near(shadow_decay_at(0.5, 8), 0.5, 1e-15);
    assert_near(shadow_decay_at(0.5, 7), 8.0 / 17, 1e-15);
}

/*
 * The network jumps from 1 to 3 (its statistics from 5 to -2) and stays. What is left
 * of the beginning after ten steps is the product of the decays, 2/11 * 3/12 * ... *
 * 11/20 = 11! 10! / 20! = 1/16796, a Catalan number.
 */
static void ten_steps_leave_a_16796th_of_the_beginning(void **state)
{
    (void)state;
    struct subject s = new_subject();
    set_all(&s, 1, 5);
    struct shadow *shadow = shadow_create(s.net);
    set_all(&s, 3, -2);
    for (int n = 1; n <= 10; n++)
        shadow_average(shadow, s.net, shadow_decay_at(0.999, n));
    shadow_exchange(shadow, s.net);
    for (size_t i = 0; i < s.weights; i++)
        assert_near((double)s.net->weights[i], 3 - 2.0 / 16796, 1e-6);
    for (size_t i = 0; i < s.statistics; i++)
        assert_near((double)s.net->statistics[i], -2 + 7.0 / 16796, 1e-6);
    shadow_free(shadow);
    supernet_free(s.net);
}

/* Weights n^2 in step n, decay 1/2: s = s/2 + n^2/2, from 0: 1/2, 9/4, 45/8, 173/16,
 * 573/32, 1725/64, 4861/128, 13053/256, 33789/512, 84989/1024. */
static void ten_steps_of_an_average_are_those_worked_by_hand(void **state)
{
    (void)state;
    static const double expected[] = {
        0.5,         9.0 / 4,      45.0 / 8,      173.0 / 16,    573.0 / 32,
        1725.0 / 64, 4861.0 / 128, 13053.0 / 256, 33789.0 / 512, 84989.0 / 1024};
    struct subject s = new_subject();
    set_all(&s, 0, 0);
    struct shadow *shadow = shadow_create(s.net);
    for (int n = 1; n <= 10; n++) {
        set_all(&s, (float)(n * n), (float)(-n * n));
        shadow_average(shadow, s.net, 0.5);
        shadow_exchange(shadow, s.net);
        assert_near((double)s.net->weights[s.weights - 1], expected[n - 1], 1e-5);
        assert_near((double)s.net->statistics[0], -expected[n - 1], 1e-5);
        shadow_exchange(shadow, s.net);
        assert_true(s.net->weights[0] == (float)(n * n));
    }
    shadow_free(shadow);
    supernet_free(s.net);
}

/* For tests/cli/optimizer_torch.bats: decay, the weight after each step (the first is
 * the beginning), and its average. */
static int write_cases(const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return 1;
    for (int i = 0; i < 10; i++) {
        struct subject s = new_subject();
        struct shadow *shadow = shadow_create(s.net);
        double decay = drawn(0.1, 0.999);
        float average[11];
        fprintf(out, "%.17g : %.9g", decay, (double)(average[0] = s.net->weights[0]));
        for (int t = 1; t <= 10; t++) {
            s.net->weights[0] = (float)drawn(-3, 3);
            shadow_average(shadow, s.net, decay);
            fprintf(out, " %.9g", (double)s.net->weights[0]);
            shadow_exchange(shadow, s.net);
            average[t] = s.net->weights[0];
            shadow_exchange(shadow, s.net);
        }
        fputs(" :", out);
        for (int t = 0; t <= 10; t++)
            fprintf(out, " %.9g", (double)average[t]);
        fputc('\n', out);
        shadow_free(shadow);
        supernet_free(s.net);
    }
    return fclose(out) != 0;
}

static void a_copy_stays_while_the_network_moves_on(void **state)
{
    (void)state;
    struct subject s = new_subject();
    struct shadow *shadow = shadow_create(s.net);
    set_all(&s, 7, 8);
    shadow_copy(shadow, s.net);
    set_all(&s, 1, 2);
    shadow_exchange(shadow, s.net);
    assert_true(s.net->weights[3] == 7 && s.net->statistics[3] == 8);
    shadow_exchange(shadow, s.net);
    assert_true(s.net->weights[3] == 1 && s.net->statistics[3] == 2);
    shadow_free(shadow);
    supernet_free(s.net);
}

static void what_is_saved_comes_back_bit_for_bit(void **state)
{
    (void)state;
    const char *path = scratch_path("shadow.h5");
    struct artifact_origin origin = {.stage = "retrain", .config = "", .threads = 1};
    struct subject s = new_subject();
    struct shadow *shadow = shadow_create(s.net);
    float *weights = memory_zeroed(s.weights, sizeof(*weights)),
          *statistics = memory_zeroed(s.statistics, sizeof(*statistics));
    memcpy(weights, s.net->weights, s.weights * sizeof(*weights));
    memcpy(statistics, s.net->statistics, s.statistics * sizeof(*statistics));
    struct artifact *artifact = artifact_create(path, &origin);
    shadow_save_state(shadow, artifact, "average");
    artifact_commit(artifact);
    set_all(&s, 1, 2);
    shadow_copy(shadow, s.net);
    artifact = artifact_open(path, "retrain");
    shadow_load_state(shadow, artifact, "average");
    artifact_close(artifact);
    shadow_exchange(shadow, s.net);
    assert_memory_equal(s.net->weights, weights, s.weights * sizeof(*weights));
    assert_memory_equal(s.net->statistics, statistics,
                        s.statistics * sizeof(*statistics));
    free(weights), free(statistics);
    shadow_free(shadow);
    supernet_free(s.net);
}

int main(void)
{
    const char *cases = getenv("SHADOW_CASES");
    if (cases)
        return write_cases(cases);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_decay_rises_to_its_setting),
        cmocka_unit_test(ten_steps_leave_a_16796th_of_the_beginning),
        cmocka_unit_test(ten_steps_of_an_average_are_those_worked_by_hand),
        cmocka_unit_test(a_copy_stays_while_the_network_moves_on),
        cmocka_unit_test(what_is_saved_comes_back_bit_for_bit),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
