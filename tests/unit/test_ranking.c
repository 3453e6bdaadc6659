#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "paper/counts.h"
#include "paper/evaluation.h"
#include "paper/ranking.h"
#include "unit/scratch.h"

/* Artifacts made by hand, with the arrays that the stages write. */

static struct artifact *begin(const char *name)
{
    const struct artifact_origin origin = {
        .stage = "made by hand", .config = "", .seed = 5, .threads = 1};
    return artifact_create(scratch_path(name), &origin);
}

/* Each value tells where it is: supernet, stratum, image. */
static void write_correlations(struct artifact *file, const char *supernet,
                               double first)
{
    static const char *const which[] = {"", "_low", "_high"};
    const size_t shape[] = {3, 2};
    char name[96];
    for (int w = 0; w < 3; w++) {
        double value[3][2];
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < 2; i++)
                value[s][i] = first + 0.1 * s + 0.01 * i + 0.001 * w;
        snprintf(name, sizeof(name), "supernets/%s/kendall/by_loss%s", supernet,
                 which[w]);
        artifact_write(file, name, ARRAY_F64, 2, shape, value, "1", "test");
    }
    snprintf(name, sizeof(name), "supernets/%s/images", supernet);
    artifact_write_vector(file, name, ARRAY_I32, 2, (int[]){50, 100}, "images", "test");
}

/* Known accuracies of three runs: pairs 0-1, 0-2, 1-2. */
static void write_truth(struct artifact *file)
{
    const double run[2][3] = {{1, 2, 3}, {4, 5, 6}};
    const double tau[3][3] = {{0.1, 0.2, 0.3}, {0.4, 0.5, 0.6}, {0.7, 0.8, 0.9}};
    const double with[3][3] = {{11, 12, 13}, {21, 22, 23}, {31, 32, 33}};
    artifact_write(file, "truth/runs", ARRAY_F64, 2, (size_t[]){2, 3}, run, "1",
                   "test");
    artifact_write(file, "truth/kendall", ARRAY_F64, 2, (size_t[]){3, 3}, tau, "1",
                   "test");
    artifact_write(file, "supernets/greedy/truth/kendall/by_loss", ARRAY_F64, 2,
                   (size_t[]){3, 3}, with, "1", "test");
}

static int make_artifacts(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    struct artifact *file = begin("rankcorr.h5");
    artifact_write_vector(file, "supernet_names", ARRAY_TEXT, 2,
                          (const char *[]){"uniform@300", "greedy"}, "1", "test");
    artifact_write_vector(file, "strata", ARRAY_TEXT, 3,
                          (const char *[]){"all", "top20", "feasible"}, "1", "test");
    write_correlations(file, "greedy", 0.5);
    write_correlations(file, "uniform@300", 0.2);
    artifact_commit(file);

    if (mkdir(scratch_path("course"), 0700) != 0)
        return -1;
    file = begin("course/rankcorr.h5");
    static const char *const names[] = {"uniform",   "fairnas@5", "uniform@40",
                                        "uniform@9", "uniform_e", "greedy"};
    artifact_write_vector(file, "supernet_names", ARRAY_TEXT, 6, names, "1", "test");
    artifact_write_vector(file, "strata", ARRAY_TEXT, 3,
                          (const char *[]){"all", "top20", "feasible"}, "1", "test");
    for (size_t i = 0; i < 6; i++)
        write_correlations(file, names[i], 0.1 * (double)i);
    artifact_write_i64(file, "supernets/uniform/step", 70, "steps", "test");
    artifact_write_i64(file, "supernets/uniform@40/step", 40, "steps", "test");
    artifact_write_i64(file, "supernets/uniform_e/step", 50, "steps", "test");
    write_truth(file);
    artifact_commit(file);

    static const struct {
        const char *name;
        int64_t optimization, evaluation;
        double train, score;
        int64_t first_step, step;
    } trained[] = {{"greedy.h5", 4000, 9000, 20, 15, 10, 50},
                   {"uniform.h5", 7000, 0, 21, 0, -1, 70}};
    for (size_t i = 0; i < sizeof(trained) / sizeof(trained[0]); i++) {
        file = begin(trained[i].name);
        artifact_write_i64(file, "counters/optimization", trained[i].optimization,
                           "images", "test");
        artifact_write_i64(file, "counters/evaluation", trained[i].evaluation, "images",
                           "test");
        artifact_write_i64(file, "counters/step", trained[i].step, "steps", "test");
        artifact_write_f64(file, "measured/train_seconds", trained[i].train, "s",
                           "test");
        artifact_write_f64(file, "measured/score_seconds", trained[i].score, "s",
                           "test");
        if (trained[i].first_step >= 0)
            artifact_write_i64(file, "counters/first_step", trained[i].first_step,
                               "steps", "test");
        artifact_commit(file);
    }
    return 0;
}

static struct sources open_sources(void)
{
    struct sources sources;
    sources_init(&sources, run_open(scratch_folder));
    return sources;
}

static void close_sources(struct sources *sources)
{
    sources_release(sources);
    run_close(sources->run);
}

static void a_correlation_is_read_from_its_place(void **state)
{
    (void)state;
    struct sources sources = open_sources();
    struct ranking *ranking = ranking_read(&sources);
    assert_non_null(ranking);
    assert_int_equal(ranking->n_supernets, 2);
    int greedy = ranking_supernet(ranking, "greedy");
    assert_int_equal(ranking->images[greedy][1], 100);
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < 2; i++) {
            struct correlation c =
                ranking_correlation(ranking, greedy, "kendall/by_loss", s, i);
            assert_true(fabs(c.value - (0.5 + 0.1 * s + 0.01 * i)) < 1e-12);
            assert_true(fabs(c.low - c.value - 0.001) < 1e-12);
            assert_true(fabs(c.high - c.value - 0.002) < 1e-12);
        }
    /* Nobody recorded this one. */
    assert_true(
        isnan(ranking_correlation(ranking, greedy, "spearman/by_loss", 0, 0).value));
    ranking_free(ranking);
    close_sources(&sources);
}

static void names_are_found_and_snapshots_are_told(void **state)
{
    (void)state;
    struct sources sources = open_sources();
    struct ranking *ranking = ranking_read(&sources);
    assert_int_equal(ranking_stratum(ranking, "feasible"), 2);
    assert_int_equal(ranking_stratum(ranking, "worst"), -1);
    assert_int_equal(ranking_supernet(ranking, "fairnas"), -1);
    assert_true(ranking_is_snapshot("uniform@300"));
    assert_false(ranking_is_snapshot("greedy"));
    ranking_free(ranking);
    close_sources(&sources);
}

static void the_course_of_uniform_training_ends_with_its_last_weights(void **state)
{
    (void)state;
    int order[6];
    struct sources sources;
    sources_init(&sources, run_open(scratch_path("course")));
    struct ranking *ranking = ranking_read(&sources);
    assert_int_equal(ranking_uniform_course(ranking, order), 3);
    /* The step of "uniform@9" is known by its name alone. */
    static const char *const expected[] = {"uniform@9", "uniform@40", "uniform"};
    static const long step[] = {9, 40, 70};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(ranking->supernet[order[i]], expected[i]);
        assert_int_equal(ranking->step[order[i]], step[i]);
    }
    assert_int_equal(ranking->step[ranking_supernet(ranking, "greedy")], -1);
    ranking_free(ranking);
    close_sources(&sources);
}

static void known_accuracies_are_read_by_pair_and_by_supernet(void **state)
{
    (void)state;
    struct sources sources;
    sources_init(&sources, run_open(scratch_path("course")));
    struct ranking *ranking = ranking_read(&sources);
    assert_int_equal(ranking->truth_runs, 3);
    static const int pair[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    for (int p = 0; p < 3; p++) {
        int run, other;
        ranking_pair(ranking, p, &run, &other);
        assert_int_equal(run, pair[p][0]);
        assert_int_equal(other, pair[p][1]);
    }
    assert_true(ranking_of_truth(ranking, "kendall", 2, 1).value == 0.8);
    assert_true(isnan(ranking_of_truth(ranking, "spearman", 2, 1).value));
    /* Two numbers of images, and then all. */
    int greedy = ranking_supernet(ranking, "greedy");
    assert_true(
        ranking_correlation(ranking, greedy, "truth/kendall/by_loss", 1, 2).value ==
        23);
    ranking_free(ranking);
    close_sources(&sources);
}

/* 40 steps of 4,000 / 40 images after 10 of warm-up, whose artifact is not there: 1,000
 * + 4,000 trained, 9,000 scored. Training took 20 s / 4,000 = 5 ms an image,
 * scoring 15 s / 9,000 = 5/3 ms: 3 to 1. So 5,000 + 9,000 / 3. */
static void the_corrected_cost_is_as_worked_by_hand(void **state)
{
    (void)state;
    struct sources sources = open_sources();
    struct training_cost cost;
    assert_true(training_cost(&sources, "greedy", &cost));
    assert_int_equal(cost.optimization, 5000);
    assert_int_equal(cost.evaluation, 9000);
    double ratio = training_cost_ratio(&sources);
    assert_true(fabs(ratio - 3) < 1e-12);
    assert_true(fabs(training_cost_corrected(&cost, ratio) - 8000) < 1e-9);
    /* Whoever scores nothing costs what he trains, whatever the ratio. */
    assert_true(training_cost(&sources, "uniform", &cost));
    assert_true(training_cost_corrected(&cost, (double)NAN) == 7000);
    assert_false(training_cost(&sources, "fairnas", &cost));
    close_sources(&sources);
}

static void a_caption_names_each_source_once_and_groups_what_is_missing(void **state)
{
    (void)state;
    struct sources sources = open_sources();
    assert_non_null(sources_artifact(&sources, "greedy"));
    assert_null(sources_artifact(&sources, "ablation/net2/greedy"));
    assert_null(sources_artifact(&sources, "search"));
    assert_null(sources_artifact(&sources, "ablation/net2/search"));
    assert_non_null(sources_artifact(&sources, "greedy"));
    char digest[SHORT_DIGEST_SIZE];
    short_digest(run_artifact(sources.run, "greedy"), digest);
    char expected[256], *text = sources_text(&sources);
    snprintf(expected, sizeof(expected),
             "Made from greedy.h5 (%s, seed 5). Not there: ablation/net2/greedy.h5, "
             "ablation/net2/search.h5 (make ablation); search.h5 (make search).",
             digest);
    assert_string_equal(text, expected);
    free(text);
    close_sources(&sources);
}

static void as_many_sources_are_named_as_there_are(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct sources sources = open_sources();
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "evaluate/mine%d", i);
        assert_null(sources_artifact(&sources, name));
    }
    char *text = sources_text(&sources);
    assert_non_null(strstr(text, "(make evaluate NET=mine0)"));
    assert_non_null(strstr(text, "(make evaluate NET=mine99)"));
    free(text);
    close_sources(&sources);
}

static void a_test_that_was_not_made_is_not_there(void **state)
{
    (void)state;
    struct sources sources = open_sources();
    struct evaluation evaluation;
    assert_false(evaluation_read(&sources, "found", &evaluation));
    char *text = sources_text(&sources);
    assert_string_equal(text, "Nothing that it needs is there. Not there: "
                              "evaluate/found.h5 (make evaluate NET=found).");
    free(text);
    close_sources(&sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_correlation_is_read_from_its_place),
        cmocka_unit_test(names_are_found_and_snapshots_are_told),
        cmocka_unit_test(the_course_of_uniform_training_ends_with_its_last_weights),
        cmocka_unit_test(known_accuracies_are_read_by_pair_and_by_supernet),
        cmocka_unit_test(the_corrected_cost_is_as_worked_by_hand),
        cmocka_unit_test(a_caption_names_each_source_once_and_groups_what_is_missing),
        cmocka_unit_test(as_many_sources_are_named_as_there_are),
        cmocka_unit_test(a_test_that_was_not_made_is_not_there),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ranking", tests, make_artifacts,
                                       scratch_teardown);
}
