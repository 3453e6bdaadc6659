/* What the scores of an agreement say: by hand, on ten paths of a small space; and the
 * scores' way into a file and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "nas/rank.h"
#include "net/correlations.h"
#include "net/paths_file.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

enum { PATHS = 10, FEW = 2 };
static const int few[FEW] = {4, 6};
static const struct artifact_origin origin = {
    .stage = "rankcorr", .config = "", .threads = 1};
static struct space space;

/* Ten paths that differ in their first two layers; the first three are feasible. */
static struct agreement new_agreement(void)
{
    static struct space_config config;
    struct agreement a = {.space = &space, .n_paths = PATHS, .n_few = FEW, .few = few};
    config = tiny_config("k3e3 id k5e6s k3e6");
    space_init(&space, &config);
    a.path = memory_zeroed(PATHS, sizeof(*a.path));
    a.cost = memory_zeroed(PATHS, sizeof(*a.cost));
    a.feasible = memory_zeroed(PATHS, 1);
    a.n_images = 7;
    a.image = memory_zeroed(7, sizeof(int));
    a.image_origin = memory_text_copy("sha256:images");
    for (int i = 0; i < PATHS; i++) {
        a.path[i] =
            (struct path){.n = 4, .op = {(uint8_t)(i / 4), (uint8_t)(i % 4), 0, 0}};
        a.cost[i] = (struct cost){.flops = 100 + i, .params = 10 + i};
        a.feasible[i] = i < 3;
    }
    for (int i = 0; i < a.n_images; i++)
        a.image[i] = 3 * i;
    return a;
}

static struct score *score_at(struct agreement *a, int supernet, int path, int k)
{
    return &a->supernet[supernet].score[path * (FEW + 1) + k];
}

/* Full accuracy rises with the path, but for the last two, which tie. On four images
 * the loss falls as accuracy rises, so that both orders are one; on six, the loss rises
 * and all paths have the same accuracy. */
static void add_scores(struct agreement *a, const char *name)
{
    agreement_add(a, name, "sha256:weights", 7);
    int s = a->n_supernets - 1;
    for (int i = 0; i < PATHS; i++) {
        double full = i < 8 ? i / 10.0 : 0.8;
        *score_at(a, s, i, 0) = (struct score){-full, i / 4 / 4.0};
        *score_at(a, s, i, 1) = (struct score){1 + i, 0.5};
        *score_at(a, s, i, 2) = (struct score){0.1 * i, full};
    }
}

static void strata_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    const double value[] = {5, 9, 7, 9, 1, 9, 2, 3, 4, 6};
    const unsigned char feasible[] = {0, 0, 1, 0, 1, 0, 0, 0, 0, 0};
    int member[PATHS];
    assert_int_equal(stratum_members(STRATUM_ALL, value, feasible, PATHS, member),
                     PATHS);
    assert_true(member[0] == 0 && member[9] == 9);
    /* The second best has 9, as two others. */
    assert_int_equal(stratum_members(STRATUM_TOP20, value, feasible, PATHS, member), 3);
    assert_true(member[0] == 1 && member[1] == 3 && member[2] == 5);
    assert_int_equal(stratum_members(STRATUM_FEASIBLE, value, feasible, PATHS, member),
                     2);
    assert_true(member[0] == 2 && member[1] == 4);
    /* A fifth of six, rounded up, is two; of none, none. */
    assert_int_equal(stratum_members(STRATUM_TOP20, (double[]){1, 2, 3, 4, 5, 6},
                                     feasible, 6, member),
                     2);
    assert_int_equal(stratum_members(STRATUM_TOP20, NULL, feasible, 0, member), 0);
}

static const struct correlation *cell(const struct correlation_table *table,
                                      enum measure measure, enum stratum stratum, int k)
{
    return &table->cell[measure][(int)stratum * table->n + k];
}

/* Of 45 pairs, one ties in accuracy. */
static void tau_is_that_worked_out_by_hand_in_each_stratum(void **state)
{
    (void)state;
    struct agreement a = new_agreement();
    struct correlations c;
    add_scores(&a, "one");
    assert_true(correlations_compute(&c, &a, 20, 1, NULL));
    const struct correlation_table *loss = &c.with_full[0][BY_LOSS];
    assert_int_equal(loss->n, FEW);
    assert_int_equal(loss->size[STRATUM_ALL], PATHS);
    assert_int_equal(loss->size[STRATUM_TOP20], 2);
    assert_int_equal(loss->size[STRATUM_FEASIBLE], 3);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 0)->value, 1, 1e-12);
    assert_near(cell(loss, MEASURE_SPEARMAN, STRATUM_ALL, 0)->value, 1, 1e-12);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 1)->value,
                -44 / sqrt(44.0 * 45), 1e-12);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_FEASIBLE, 1)->value, -1, 1e-12);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 0)->low, 1, 1e-12);
    /* The two best tie in what they are compared with. */
    assert_true(isnan(cell(loss, MEASURE_KENDALL, STRATUM_TOP20, 1)->value));
    assert_true(isnan(cell(loss, MEASURE_KENDALL, STRATUM_TOP20, 1)->low));
    /* By accuracy on four images the groups of 4, 4 and 2 tie: 45 - 6 - 6 - 1 pairs are
     * in order, and one of these ties in the other, too, which the last group has. */
    const struct correlation_table *accuracy = &c.with_full[0][BY_ACCURACY];
    assert_near(cell(accuracy, MEASURE_KENDALL, STRATUM_ALL, 0)->value,
                32 / sqrt(32.0 * 44), 1e-12);
    assert_true(isnan(cell(accuracy, MEASURE_KENDALL, STRATUM_ALL, 1)->value));
    assert_null(c.with_truth);
    correlations_release(&c);
    agreement_release(&a);
}

/* Two runs of the truth that agree but for the first two paths; their mean is the order
 * of the paths, so that the loss on four images is right and that on six is wrong. */
static void the_truth_has_a_column_more_and_a_ceiling(void **state)
{
    (void)state;
    struct agreement a = new_agreement();
    struct correlations c;
    double run[2 * PATHS], mean[PATHS];
    for (int i = 0; i < PATHS; i++) {
        run[2 * i] = i;
        run[2 * i + 1] = i < 2 ? 1.5 - i : i;
        mean[i] = i;
    }
    const struct truth truth = {.file = (char[]){"known.csv"},
                                .n = PATHS,
                                .n_runs = 2,
                                .path = a.path,
                                .run = run,
                                .accuracy = mean};
    add_scores(&a, "one");
    a.truth = &truth;
    assert_true(correlations_compute(&c, &a, 20, 1, NULL));
    const struct correlation_table *loss = &c.with_truth[0][BY_LOSS];
    assert_int_equal(loss->n, FEW + 1);
    /* On four images the last two tie in the loss. */
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 0)->value,
                44 / sqrt(44.0 * 45), 1e-12);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 1)->value, -1, 1e-12);
    assert_near(cell(loss, MEASURE_KENDALL, STRATUM_ALL, 2)->value, -1, 1e-12);
    assert_int_equal(c.among_runs.n, 1);
    assert_near(cell(&c.among_runs, MEASURE_KENDALL, STRATUM_ALL, 0)->value, 43.0 / 45,
                1e-12);
    correlations_release(&c);
    agreement_release(&a);
}

static bool at_once(void)
{
    return true;
}

static void told_to_stop_it_gives_up(void **state)
{
    (void)state;
    struct agreement a = new_agreement();
    struct correlations c;
    add_scores(&a, "one");
    add_scores(&a, "two");
    assert_false(correlations_compute(&c, &a, 20, 1, at_once));
    correlations_release(&c);
    agreement_release(&a);
}

static const char *saved(const struct agreement *a, const struct shard *shard,
                         const char *name)
{
    const char *file = scratch_path(name);
    struct artifact *artifact = artifact_create(file, &origin);
    agreement_save(a, shard, artifact);
    artifact_commit(artifact);
    return file;
}

/* Two shards of a list, read into an agreement that knows no scores. */
static void scores_of_shards_come_back_to_their_paths(void **state)
{
    (void)state;
    struct agreement a = new_agreement(), b = new_agreement();
    const struct shard part[] = {{1, 2, 0, 4}, {2, 2, 4, PATHS}};
    add_scores(&a, "one");
    add_scores(&a, "two@30");
    score_at(&a, 1, 3, 0)->loss = 77;
    for (int i = 0; i < 2; i++) {
        struct artifact *artifact =
            artifact_open(saved(&a, &part[i], "shard.h5"), "rankcorr");
        struct shard shard = agreement_load_shard(&b, artifact);
        assert_memory_equal(&shard, &part[i], sizeof(shard));
        if (i == 0)
            agreement_load_supernets(&b, artifact);
        assert_true(isnan(score_at(&b, 1, 9, 2)->accuracy));
        agreement_load_scores(&b, &shard, artifact);
        artifact_close(artifact);
    }
    assert_int_equal(b.n_supernets, 2);
    assert_string_equal(b.supernet[1].name, "two@30");
    for (int s = 0; s < 2; s++)
        assert_memory_equal(a.supernet[s].score, b.supernet[s].score,
                            PATHS * (FEW + 1) * sizeof(struct score));
    agreement_release(&a);
    agreement_release(&b);
}

/* What is changed in the reader, by number. */
static int load_into_another(const void *argument)
{
    int change = *(const int *)argument;
    const struct shard all = {0, 0, 0, PATHS};
    struct agreement b = new_agreement();
    agreement_add(&b, change == 0 ? "other" : "one",
                  change == 1 ? "sha256:other" : "sha256:weights", 7);
    if (change == 2)
        agreement_add(&b, "two", "sha256:weights", 7);
    if (change == 3)
        b.path[5].op[3] = 1;
    if (change == 4)
        b.n_paths = 9;
    if (change == 5)
        b.image_origin[7] = 'I';
    struct artifact *artifact = artifact_open(scratch_path("all.h5"), "rankcorr");
    if (change == 6)
        agreement_load_shard(&b, artifact);
    agreement_load_scores(&b, &all, artifact);
    artifact_close(artifact);
    agreement_release(&b);
    return 0;
}

static void scores_of_something_else_are_refused(void **state)
{
    (void)state;
    static const char *const message[] = {
        "its supernet 0 is 'one' (sha256:weights), expected 'other' (sha256:weights)",
        "its supernet 0 is 'one' (sha256:weights), expected 'one' (sha256:other)",
        "has scores by 1 supernets, expected 2",
        "is about other paths, from number 5 on",
        "is about 10 paths, expected 9",
        "was judged on images of sha256:images, expected sha256:Images",
        "is not a shard, expected one that was made with --shard"};
    struct agreement a = new_agreement();
    add_scores(&a, "one");
    saved(&a, &(struct shard){0, 0, 0, PATHS}, "all.h5");
    agreement_release(&a);
    for (int i = 0; i < 7; i++) {
        struct child child = child_run(load_into_another, &i);
        if (child.code != EXIT_FAILED || !strstr(child.err, message[i]))
            fail_msg("expected '%s', found exit code %d: %s", message[i], child.code,
                     child.err);
    }
    int nothing = -1;
    assert_int_equal(child_run(load_into_another, &nothing).code, 0);
}

static void the_report_shows_what_was_saved(void **state)
{
    (void)state;
    struct agreement a = new_agreement();
    struct correlations c;
    add_scores(&a, "one");
    correlations_compute(&c, &a, 20, 1, NULL);
    struct artifact *artifact = artifact_create(scratch_path("report.h5"), &origin);
    agreement_save(&a, &(struct shard){0, 0, 0, PATHS}, artifact);
    correlations_save(&c, &a, artifact);
    artifact_commit(artifact);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    artifact = artifact_open(scratch_path("report.h5"), "rankcorr");
    correlations_print(artifact, out);
    artifact_close(artifact);
    fclose(out);
    assert_non_null(strstr(text, "10 random paths: "));
    assert_non_null(strstr(text, "images                     4       6\n"));
    assert_non_null(strstr(text, "Kendall's tau by loss\n"
                                 "  images                     4       6\n"
                                 "  one                    1.000  -0.989\n"));
    assert_non_null(strstr(text, "  one                    0.853       -\n"));
    /* 0 + 0.1 + ... + 0.7 + 2 * 0.8 of ten. */
    assert_non_null(strstr(text, "  one                   44.00 %  80.00 %\n"));
    free(text);
    correlations_release(&c);
    agreement_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strata_are_those_worked_out_by_hand),
        cmocka_unit_test(tau_is_that_worked_out_by_hand_in_each_stratum),
        cmocka_unit_test(the_truth_has_a_column_more_and_a_ceiling),
        cmocka_unit_test(told_to_stop_it_gives_up),
        cmocka_unit_test(scores_of_shards_come_back_to_their_paths),
        cmocka_unit_test(scores_of_something_else_are_refused),
        cmocka_unit_test(the_report_shows_what_was_saved),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
