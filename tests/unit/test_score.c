#include <omp.h>

#include "net/score.h"
#include "ref/network_ref.h"
#include "ref/operands_ref.h"
#include "unit/nets.h"
#include "unit/scratch.h"

enum { TRAIN = 24, VALIDATION = 20, BATCH = 4, CAPACITY = 20 };

struct subject {
    struct space_config config;
    struct supernet *net;
    struct workspace *workspace;
    struct dataset *dataset;
    struct scorer *scorer;
};

static struct space_config config_of_subject(void)
{
    struct space_config c = tiny_config("k3e3 k5e6s id");
    c.n_fixed = 1;
    c.fixed[0] = (struct fixed_config){"k3e1", 8, 1, 1, ""};
    c.n_stages = 3;
    c.stages[0] = (struct space_stage_config){10, 1, 2};
    c.stages[1] = (struct space_stage_config){10, 1, 1};
    c.stages[2] = (struct space_stage_config){18, 1, 1};
    return c;
}

static struct subject new_subject(struct space_config config)
{
    struct subject s = {.config = config};
    const char *file = scratch_path("data.h5");
    if (!scratch_exists(file))
        write_dataset(file, &config, TRAIN, VALIDATION);
    s.net = drawn_net(&config);
    s.workspace = workspace_create(s.net, 0, CAPACITY);
    s.dataset = dataset_open(file, &config);
    s.scorer = scorer_create(s.net, s.workspace, s.dataset, BATCH, CAPACITY);
    return s;
}

static void subject_release(struct subject *s)
{
    scorer_free(s->scorer);
    dataset_close(s->dataset);
    workspace_free(s->workspace);
    supernet_free(s->net);
}

static const char *const texts[] = {
    "k3e3 k3e3 k3e3", "k3e3 k3e3 k5e6s", "k3e3 id k3e3",
    "k3e3 id id",     "k5e6s k3e3 k3e3", "k3e3 k3e3 k3e3",
};
enum { PATHS = sizeof(texts) / sizeof(*texts) };

static void parse_paths(const struct subject *s, struct path *path)
{
    for (int i = 0; i < PATHS; i++)
        path[i] = path_of(s->net, texts[i]);
}

/* Ten validation images: three batches. */
static const int images[] = {3, 0, 17, 5, 8, 2, 11, 19, 6, 13};
/* Seven training images: two batches. */
static const int calibration[] = {4, 9, 1, 22, 15, 7, 12};
enum { IMAGES = 10, CALIBRATION = 7 };

/* With statistics of the batches, or (recalibrated) of the calibration images. */
static void score(struct subject *s, const struct path *path, int n, bool recalibrated,
                  struct score *out)
{
    if (recalibrated)
        score_paths_recalibrated(s->scorer, path, n, calibration, CALIBRATION,
                                 SPLIT_VALIDATION, images, IMAGES, out);
    else
        score_paths(s->scorer, path, n, SPLIT_VALIDATION, images, IMAGES, out);
}

/* Both ways, for the usual space, for one whose stem is passed on as it is, and for one
 * with a cell. */
static void for_each_subject(void (*check)(struct subject *s, bool recalibrated))
{
    struct space_config kept = config_of_subject();
    kept.fixed[0].channels = kept.stem.channels;
    kept.head.channels = 0;
    struct space_config cell = config_of_subject();
    strcpy(cell.fixed[0].op, "shuffle5");
    const struct space_config config[] = {config_of_subject(), kept, cell};
    for (int i = 0; i < 6; i++) {
        struct subject s = new_subject(config[i / 2]);
        check(&s, i % 2);
        subject_release(&s);
    }
}

static void assert_same_scores(const struct score *a, const struct score *b)
{
    assert_memory_equal(&a->loss, &b->loss, sizeof(a->loss));
    assert_memory_equal(&a->accuracy, &b->accuracy, sizeof(a->accuracy));
}

static void check_alone(struct subject *s, bool recalibrated)
{
    struct path path[PATHS];
    struct score together[PATHS], alone;
    parse_paths(s, path);
    score(s, path, PATHS, recalibrated, together);
    for (int i = 0; i < PATHS; i++) {
        score(s, &path[i], 1, recalibrated, &alone);
        assert_same_scores(&together[i], &alone);
    }
    assert_same_scores(&together[0], &together[PATHS - 1]);
    assert_true(together[0].loss != together[1].loss);
}

static void paths_scored_together_have_the_bits_of_each_alone(void **state)
{
    (void)state;
    for_each_subject(check_alone);
}

/* All 27 paths, at more threads than one, against each alone at one thread. */
static void the_whole_space_scored_at_once_has_the_bits_of_each_alone(void **state)
{
    (void)state;
    struct subject s = new_subject(config_of_subject());
    struct path path[27];
    struct score together[27], alone;
    for (int i = 0; i < 27; i++) {
        int shuffled = i * 10 % 27;
        path[i] =
            (struct path){.n = 3,
                          .op = {(uint8_t)(shuffled / 9), (uint8_t)(shuffled / 3 % 3),
                                 (uint8_t)(shuffled % 3)}};
    }
    omp_set_num_threads(3);
    score(&s, path, 27, false, together);
    omp_set_num_threads(1);
    for (int i = 0; i < 27; i++) {
        score(&s, &path[i], 1, false, &alone);
        assert_same_scores(&together[i], &alone);
    }
    subject_release(&s);
}

static void check_repeated(struct subject *s, bool recalibrated)
{
    struct path a = path_of(s->net, "k3e3 id k5e6s"),
                b = path_of(s->net, "k5e6s k5e6s id");
    struct score first, other, again;
    score(s, &a, 1, recalibrated, &first);
    score(s, &b, 1, recalibrated, &other);
    score(s, &a, 1, recalibrated, &again);
    assert_same_scores(&first, &again);
    assert_true(first.loss != other.loss);
}

static void scoring_a_then_b_then_a_gives_the_same_number_twice(void **state)
{
    (void)state;
    for_each_subject(check_repeated);
}

static float *copy(const float *values, size_t floats)
{
    float *to = memory_zeroed(floats, sizeof(*to));
    memcpy(to, values, floats * sizeof(*to));
    return to;
}

static void check_untouched(struct subject *s, bool recalibrated)
{
    size_t weights = s->net->weight_layout.floats,
           statistics = s->net->statistic_layout.floats;
    float *w = copy(s->net->weights, weights), *v = copy(s->net->momentum, weights),
          *m = copy(s->net->statistics, statistics);
    size_t tensors = arena_mark(s->workspace->tensors),
           scratch = arena_mark(s->workspace->scratch);
    struct path path[PATHS];
    struct score scores[PATHS];
    parse_paths(s, path);
    score(s, path, PATHS, recalibrated, scores);
    assert_memory_equal(s->net->weights, w, weights * sizeof(float));
    assert_memory_equal(s->net->momentum, v, weights * sizeof(float));
    assert_memory_equal(s->net->statistics, m, statistics * sizeof(float));
    assert_int_equal(arena_mark(s->workspace->tensors), tensors);
    assert_int_equal(arena_mark(s->workspace->scratch), scratch);
    free(w), free(v), free(m);
}

static void scoring_changes_nothing_of_the_supernet(void **state)
{
    (void)state;
    for_each_subject(check_untouched);
}

/*
 * By hand. Prefixes that compute something, among the six paths: one layer: k3e3,
 * k5e6s; two: k3e3 k3e3, k5e6s k3e3 ("k3e3 id" passes); three: five of them (the last
 * path is there twice). With the fixed block: 10. Asked for: 3 + 3 + 2 + 2 + 3 + 3, and
 * six times the fixed block: 22.
 */
static void counters_are_those_counted_by_hand(void **state)
{
    (void)state;
    struct subject s = new_subject(config_of_subject());
    struct path path[PATHS];
    struct score scores[PATHS];
    parse_paths(&s, path);
    score(&s, path, PATHS, false, scores);
    struct score_counters c = scorer_counters(s.scorer);
    assert_int_equal(c.evaluations, PATHS * IMAGES);
    assert_int_equal(c.blocks_computed, 3 * 10);
    assert_int_equal(c.blocks_asked, 3 * 22);
    score(&s, path, PATHS, true, scores);
    c = scorer_counters(s.scorer);
    assert_int_equal(c.evaluations, PATHS * (2 * IMAGES + CALIBRATION));
    assert_int_equal(c.blocks_computed, (3 + 3 + 2) * 10);
    assert_int_equal(c.blocks_asked, (3 + 3 + 2) * 22);
    subject_release(&s);
}

static void one_batch_is_not_counted_and_counters_can_be_set(void **state)
{
    (void)state;
    struct subject s = new_subject(config_of_subject());
    const struct score_counters saved = {7, 8, 9};
    struct path path = path_of(s.net, "k3e3 id k3e3");
    scorer_set_counters(s.scorer, &saved);
    score_one_batch(s.scorer, &path, SPLIT_VALIDATION, images, IMAGES);
    struct score_counters c = scorer_counters(s.scorer);
    assert_memory_equal(&c, &saved, sizeof(c));
    score_paths(s.scorer, &path, 0, SPLIT_VALIDATION, images, IMAGES, NULL);
    c = scorer_counters(s.scorer);
    assert_memory_equal(&c, &saved, sizeof(c));
    subject_release(&s);
}

/* Ten images are batches of 3, 3 and 4. Three and six are such batches, too; four,
 * seven (3 and 4) and one are not. */
static const int few[] = {3, 4, 6, 10, 7, 1};
enum { FEW = sizeof(few) / sizeof(*few) };

static void check_subsets(struct subject *s, bool recalibrate)
{
    struct path path[PATHS];
    struct score at_once[PATHS * (FEW + 1)], alone[PATHS];
    const struct score_subsets subsets = {few, FEW};
    int n_calibration = recalibrate ? CALIBRATION : 0;
    parse_paths(s, path);
    assert_true(score_paths_on_subsets(s->scorer, path, PATHS, calibration,
                                       n_calibration, SPLIT_VALIDATION, images, IMAGES,
                                       &subsets, at_once));
    int64_t each = score_subsets_images(s->scorer, n_calibration, IMAGES, &subsets);
    assert_int_equal(each, recalibrate ? 7 + 10 : 10 + 4 + 7 + 1);
    assert_int_equal(scorer_counters(s->scorer).evaluations, PATHS * each);
    for (int k = 0; k <= FEW; k++) {
        int n = k < FEW ? few[k] : IMAGES;
        if (recalibrate)
            score_paths_recalibrated(s->scorer, path, PATHS, calibration, CALIBRATION,
                                     SPLIT_VALIDATION, images, n, alone);
        else
            score_paths(s->scorer, path, PATHS, SPLIT_VALIDATION, images, n, alone);
        for (int i = 0; i < PATHS; i++)
            assert_same_scores(&at_once[i * (FEW + 1) + k], &alone[i]);
    }
}

static void subsets_scored_at_once_have_the_bits_of_each_alone(void **state)
{
    (void)state;
    for_each_subject(check_subsets);
}

static int asked;

static bool at_the_tenth_time(void)
{
    return ++asked >= 10;
}

static bool always(void)
{
    return true;
}

static void check_stopped(struct subject *s, bool recalibrated)
{
    struct path path[PATHS];
    struct score first[PATHS], broken[PATHS], again[PATHS];
    parse_paths(s, path);
    score(s, path, PATHS, recalibrated, first);
    struct score_counters before = scorer_counters(s->scorer);
    size_t mark = arena_mark(s->workspace->tensors);
    asked = 0;
    scorer_set_stop(s->scorer, at_the_tenth_time);
    score(s, path, PATHS, recalibrated, broken);
    assert_int_equal(asked, 10);
    assert_int_equal(arena_mark(s->workspace->tensors), mark);
    struct score_counters after = scorer_counters(s->scorer);
    assert_memory_equal(&before, &after, sizeof(after));
    assert_false(score_paths(s->scorer, path, 1, SPLIT_VALIDATION, images, 1, broken));
    scorer_set_stop(s->scorer, always);
    struct score one = score_one_batch(s->scorer, path, SPLIT_VALIDATION, images, 4);
    scorer_set_stop(s->scorer, NULL);
    assert_true(score_paths(s->scorer, path, 1, SPLIT_VALIDATION, images, 4, again));
    assert_same_scores(&one, &again[0]);
    score(s, path, PATHS, recalibrated, again);
    for (int i = 0; i < PATHS; i++)
        assert_same_scores(&first[i], &again[i]);
}

/* A probe is one batch, and has to be judged whatever was asked for. */
static void a_scorer_that_was_stopped_counts_nothing_and_can_go_on(void **state)
{
    (void)state;
    for_each_subject(check_stopped);
}

static void a_group_has_four_paths_at_least_and_64_at_most(void **state)
{
    (void)state;
    assert_int_equal(score_group_size(70000), 4);
    assert_int_equal(score_group_size(5000), 20);
    assert_int_equal(score_group_size(10), 64);
}

/* One batch by plain loops; statistics and given as in network_ref.h. */
static double reference(const struct subject *s, const struct path *path,
                        enum split split, const int *index, int n, const double *given,
                        double *statistics, double *hits)
{
    size_t floats = (size_t)n * image_floats(&s->config);
    float *x = memory_zeroed(floats, sizeof(*x));
    int *labels = memory_zeroed((size_t)n, sizeof(*labels));
    double *logits = memory_zeroed((size_t)n * 16, sizeof(*logits));
    dataset_batch(s->dataset, split, index, n, x, labels);
    double *images_ref = ref_doubles(x, floats);
    double *w = ref_doubles(s->net->weights, s->net->weight_layout.floats);
    const struct network_ref run = {.net = s->net,
                                    .path = path,
                                    .weights = w,
                                    .n = n,
                                    .images = images_ref,
                                    .labels = labels,
                                    .given = given,
                                    .statistics = statistics,
                                    .logits = logits};
    double loss = network_ref_loss(&run);
    *hits = 0;
    for (int i = 0; i < n; i++) {
        int best = 0;
        for (int k = 1; k < s->config.classes; k++)
            if (logits[16 * i + k] > logits[16 * i + best])
                best = k;
        *hits += best == labels[i];
    }
    free(x), free(labels), free(logits), free(images_ref), free(w);
    return loss;
}

/* The average of the batches' biased variances and means; two batches, three images and
 * four. */
static double *recalibrated(const struct subject *s, const struct path *path)
{
    size_t floats = s->net->statistic_layout.floats;
    double *first = memory_zeroed(floats, sizeof(*first));
    double *second = memory_zeroed(floats, sizeof(*second)), hits;
    reference(s, path, SPLIT_TRAIN, calibration, 3, NULL, first, &hits);
    reference(s, path, SPLIT_TRAIN, calibration + 3, 4, NULL, second, &hits);
    for (size_t i = 0; i < floats; i++)
        first[i] = (first[i] + second[i]) / 2;
    free(second);
    return first;
}

/* Ten images in batches of at most four: three, three and four. */
static void check_reference(struct subject *s, bool recalibrate)
{
    struct path path[PATHS];
    struct score found[PATHS];
    parse_paths(s, path);
    score(s, path, PATHS, recalibrate, found);
    for (int i = 0; i < PATHS; i++) {
        double *given = recalibrate ? recalibrated(s, &path[i]) : NULL;
        double loss = 0, hits = 0, some;
        for (int b = 0; b < 3; b++) {
            int n = b < 2 ? 3 : 4;
            loss += n * reference(s, &path[i], SPLIT_VALIDATION, images + 3 * b, n,
                                  given, NULL, &some);
            hits += some;
        }
        assert_near(found[i].loss, loss / IMAGES, 3e-5 * fmax(1, loss / IMAGES));
        assert_near(found[i].accuracy, hits / IMAGES, 1e-12);
        free(given);
    }
}

static void
scores_are_those_of_plain_loops_with_batch_or_averaged_statistics(void **state)
{
    (void)state;
    for_each_subject(check_reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_scored_together_have_the_bits_of_each_alone),
        cmocka_unit_test(the_whole_space_scored_at_once_has_the_bits_of_each_alone),
        cmocka_unit_test(scoring_a_then_b_then_a_gives_the_same_number_twice),
        cmocka_unit_test(scoring_changes_nothing_of_the_supernet),
        cmocka_unit_test(counters_are_those_counted_by_hand),
        cmocka_unit_test(one_batch_is_not_counted_and_counters_can_be_set),
        cmocka_unit_test(subsets_scored_at_once_have_the_bits_of_each_alone),
        cmocka_unit_test(a_scorer_that_was_stopped_counts_nothing_and_can_go_on),
        cmocka_unit_test(a_group_has_four_paths_at_least_and_64_at_most),
        cmocka_unit_test(
            scores_are_those_of_plain_loops_with_batch_or_averaged_statistics),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
