#include "base/die.h"
#include "net/paths_file.h"
#include "net/search_log.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "search", .config = "", .seed = 1, .threads = 1};

static struct space tiny_space(void)
{
    return space_from(tiny_config("k3e3 k5e6 id"));
}

static void add(struct search_log *log, int first, int second, double accuracy,
                double loss, int64_t flops)
{
    struct search_entry e = {.path = {4, {(uint8_t)first, (uint8_t)second}},
                             .score = {.loss = loss, .accuracy = accuracy},
                             .cost = {.flops = flops, .params = 10 * flops},
                             .generation = first};
    search_log_add(log, &e);
}

static void paths_are_found_again_and_only_those(void **state)
{
    (void)state;
    struct search_log log;
    search_log_init(&log, 4);
    assert_int_equal(search_log_found(&log), -1);
    for (int i = 0; i < 9; i++) {
        struct path path = {4, {(uint8_t)(i % 3), (uint8_t)(i / 3)}};
        assert_null(search_log_find(&log, &path));
        add(&log, i % 3, i / 3, i / 10.0, 1, 100);
        assert_int_equal(log.n, i + 1);
    }
    for (int i = 0; i < 9; i++) {
        struct path path = {4, {(uint8_t)(i % 3), (uint8_t)(i / 3)}};
        const struct search_entry *e = search_log_find(&log, &path);
        assert_non_null(e);
        assert_true(e->score.accuracy == i / 10.0);
    }
    search_log_release(&log);
}

/* Each later entry beats the ones before by the next rule alone. */
static void ties_go_to_loss_then_flops_then_genotype(void **state)
{
    (void)state;
    struct search_log log;
    search_log_init(&log, 4);
    add(&log, 2, 2, 0.7, 0.1, 10);
    assert_int_equal(search_log_found(&log), 0);
    add(&log, 2, 1, 0.8, 0.9, 90);
    assert_int_equal(search_log_found(&log), 1);
    add(&log, 2, 0, 0.8, 0.8, 99);
    assert_int_equal(search_log_found(&log), 2);
    add(&log, 1, 2, 0.8, 0.8, 80);
    assert_int_equal(search_log_found(&log), 3);
    add(&log, 1, 1, 0.8, 0.8, 80);
    assert_int_equal(search_log_found(&log), 4);
    add(&log, 0, 0, 0.8, 0.8, 81);
    assert_int_equal(search_log_found(&log), 4);
    search_log_release(&log);
}

static void fill(struct search_log *log)
{
    add(log, 0, 0, 0.60, 1.0, 50);  /* on the front */
    add(log, 0, 1, 0.60, 1.1, 50);  /* same point, higher loss: left out */
    add(log, 0, 2, 0.55, 0.9, 60);  /* beaten by the first */
    add(log, 1, 0, 0.60, 0.5, 70);  /* as accurate as the first and dearer */
    add(log, 1, 1, 0.90, 0.3, 90);  /* on the front: the most accurate */
    add(log, 1, 2, 0.80, 0.4, 80);  /* on the front */
    add(log, 2, 0, 0.85, 0.4, 80);  /* on the front; it beats the one before */
    add(log, 2, 1, 0.00, 9.0, 10);  /* on the front: the cheapest */
    add(log, 2, 2, 0.90, 0.2, 100); /* as accurate as the best and dearer */
}

static void the_front_has_one_of_each_point_that_no_other_beats(void **state)
{
    (void)state;
    struct search_log log;
    long *index;
    search_log_init(&log, 4);
    assert_int_equal(search_log_front(&log, &index), 0);
    free(index);
    fill(&log);
    static const long expected[] = {7, 0, 6, 4};
    assert_int_equal(search_log_front(&log, &index), 4);
    assert_memory_equal(index, expected, sizeof(expected));
    /* Of equal accuracy the lower loss is the result, at whatever cost. */
    assert_int_equal(search_log_found(&log), 8);
    free(index);
    search_log_release(&log);
}

/* By hand: of 1, 2 and 3 ms the second is less accurate than the first. */
static void the_front_is_along_the_cost_that_is_minimised(void **state)
{
    (void)state;
    struct search_log log;
    long *index;
    static const double ms[] = {3, 1, 2}, accuracy[] = {0.9, 0.5, 0.4};
    search_log_init(&log, 4);
    log.minimised = COST_LATENCY;
    for (int i = 0; i < 3; i++)
        search_log_add(&log, &(struct search_entry){
                                 .path = {4, {(uint8_t)i}},
                                 .score = {.loss = 1, .accuracy = accuracy[i]},
                                 .cost = {.flops = 10 * i, .latency_ms = ms[i]}});
    assert_int_equal(search_log_front(&log, &index), 2);
    assert_int_equal(index[0], 1);
    assert_int_equal(index[1], 0);
    free(index);
    search_log_release(&log);
}

static void a_population_is_kept_by_place_and_filled_up_with_none(void **state)
{
    (void)state;
    struct search_log log;
    search_log_init(&log, 3);
    fill(&log);
    const struct path *path[3] = {&log.entry[4].path, &log.entry[0].path,
                                  &log.entry[7].path};
    search_log_add_population(&log, path, 3);
    search_log_add_population(&log, path, 2);
    assert_int_equal(log.n_generations, 2);
    static const long expected[] = {4, 0, 7, 4, 0, -1};
    assert_memory_equal(log.member, expected, sizeof(expected));
    search_log_release(&log);
}

/* With the costs that the space gives, as they are worked out again when loading. */
static void fill_with_costs(struct search_log *log, const struct cost_table *cost)
{
    for (int i = 0; i < 9; i++) {
        struct search_entry e = {
            .path = {4, {(uint8_t)(i % 3), (uint8_t)(i / 3), 1, 2}},
            .score = {.loss = 1.0 / (i + 3), .accuracy = (i * 4 % 9) / 9.0},
            .generation = i / 4};
        e.cost = cost_of_path(cost, &e.path);
        search_log_add(log, &e);
    }
    const struct path *path[2] = {&log->entry[1].path, &log->entry[8].path};
    search_log_add_population(log, path, 2);
    search_log_add_population(log, path + 1, 1);
    log->initial_from_pool = 1;
    log->rejected_infeasible = 12;
    log->rejected_duplicate = 34;
}

static void a_log_comes_back_as_it_was(void **state)
{
    (void)state;
    struct space space = tiny_space();
    struct cost_table cost;
    cost_table_init(&cost, &space);
    struct search_log log, again;
    search_log_init(&log, 3);
    search_log_init(&again, 3);
    fill_with_costs(&log, &cost);
    struct artifact *file = artifact_create(scratch_path("log.h5"), &origin);
    search_log_save(&log, &space, file);
    artifact_commit(file);
    file = artifact_open(scratch_path("log.h5"), NULL);
    search_log_load(&again, &cost, file);
    artifact_close(file);
    assert_int_equal(again.n, 9);
    for (long i = 0; i < 9; i++) {
        const struct search_entry *a = &log.entry[i], *b = &again.entry[i];
        assert_true(path_equal(&a->path, &b->path));
        assert_true(a->score.loss == b->score.loss);
        assert_true(a->score.accuracy == b->score.accuracy);
        assert_int_equal(a->cost.flops, b->cost.flops);
        assert_int_equal(a->cost.params, b->cost.params);
        assert_int_equal(a->generation, b->generation);
        assert_ptr_equal(search_log_find(&again, &a->path), b);
    }
    assert_int_equal(again.n_generations, 2);
    assert_int_equal(again.population, 3);
    assert_memory_equal(again.member, log.member, 6 * sizeof(long));
    assert_int_equal(again.initial_from_pool, 1);
    assert_int_equal(again.rejected_infeasible, 12);
    assert_int_equal(again.rejected_duplicate, 34);
    /* ... and goes on. */
    struct search_entry e = log.entry[0];
    e.path.op[3] = 0;
    search_log_add(&again, &e);
    search_log_add_population(&again, &(const struct path *){&e.path}, 1);
    assert_int_equal(again.n, 10);
    assert_int_equal(again.member[6], 9);
    search_log_release(&log);
    search_log_release(&again);
}

static void an_empty_log_comes_back_empty(void **state)
{
    (void)state;
    struct space space = tiny_space();
    struct cost_table cost;
    cost_table_init(&cost, &space);
    struct search_log log, again;
    search_log_init(&log, 3);
    search_log_init(&again, 3);
    struct artifact *file = artifact_create(scratch_path("empty.h5"), &origin);
    search_log_save(&log, &space, file);
    artifact_commit(file);
    file = artifact_open(scratch_path("empty.h5"), NULL);
    search_log_load(&again, &cost, file);
    artifact_close(file);
    assert_int_equal(again.n, 0);
    assert_int_equal(again.n_generations, 0);
    fill_with_costs(&again, &cost);
    assert_int_equal(again.n_generations, 2);
    search_log_release(&log);
    search_log_release(&again);
}

/* A log of two paths, written by hand with one thing wrong. */
struct bad_log {
    unsigned char op[2][4];
    int64_t member[2];
    const char *message;
};

static const struct bad_log bad_logs[] = {
    {{{0, 1, 2, 0}, {0, 1, 3, 0}},
     {0, 1},
     "path 1 of 'evaluated/paths' has choice 3 in layer 2, expected 0 to 2"},
    {{{0, 1, 2, 0}, {0, 1, 2, 1}},
     {0, 2},
     "'population/member' has index 2, expected -1 to 1"},
    {{{0, 1, 2, 0}, {0, 1, 2, 1}},
     {-2, 1},
     "'population/member' has index -2, expected -1 to 1"},
    {{{0, 1, 2, 0}, {0, 1, 2, 0}},
     {0, 1},
     "path 1 of 'evaluated/paths' is there twice"},
};

static int load_bad(const void *argument)
{
    const struct bad_log *bad = argument;
    const char *name = scratch_path("bad.h5");
    struct space space = tiny_space();
    struct cost_table cost;
    cost_table_init(&cost, &space);
    struct artifact *file = artifact_create(name, &origin);
    space_save(file, &space);
    artifact_write(file, "evaluated/paths", ARRAY_U8, 2, (size_t[]){2, 4}, bad->op, "1",
                   "paths");
    artifact_write_vector(file, "evaluated/accuracy", ARRAY_F64, 2,
                          (double[]){0.5, 0.6}, "1", "accuracy");
    artifact_write_vector(file, "evaluated/loss", ARRAY_F64, 2, (double[]){1, 2}, "1",
                          "loss");
    artifact_write_vector(file, "evaluated/generation", ARRAY_I32, 2, (int[]){0, 0},
                          "1", "generation");
    artifact_write(file, "population/member", ARRAY_I64, 2, (size_t[]){1, 2},
                   bad->member, "1", "members");
    artifact_commit(file);
    struct search_log log;
    search_log_init(&log, 2);
    search_log_load(&log, &cost, artifact_open(name, NULL));
    return 0;
}

static void indices_out_of_range_and_paths_twice_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_logs) / sizeof(*bad_logs); i++) {
        struct child child = child_run(load_bad, &bad_logs[i]);
        if (child.code != EXIT_FAILED || !strstr(child.err, bad_logs[i].message))
            fail_msg("exit code %d, expected 1; '%s', expected '%s' in it", child.code,
                     child.err, bad_logs[i].message);
    }
}

/* The report's text from a finished artifact; the caller frees. */
static char *report(const struct search_log *log, const struct space *space)
{
    struct artifact *file = artifact_create(scratch_path("result.h5"), &origin);
    search_log_save(log, space, file);
    search_log_save_result(log, space, file);
    artifact_write_i64(file, "counters/blocks_computed", 30, "1", "computed");
    artifact_write_i64(file, "counters/blocks_asked", 120, "1", "asked");
    artifact_commit(file);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    file = artifact_open(scratch_path("result.h5"), "search");
    search_result_print(file, out);
    artifact_close(file);
    fclose(out);
    return text;
}

static void the_report_says_what_was_found_and_the_front(void **state)
{
    (void)state;
    struct space space = tiny_space();
    struct search_log log;
    search_log_init(&log, 3);
    fill(&log);
    log.entry[8].cost = (struct cost){12345678, 2500000, 0};
    search_log_add_population(&log, &(const struct path *){&log.entry[8].path}, 1);
    log.initial_from_pool = 2;
    char *text = report(&log, &space);
    static const char *const expected[] = {
        "architecture  id id k3e3 k3e3\n",
        "90.00 %  (loss 0.2000)",
        "12.346 M",
        "2.500 M",
        "front of the 9 evaluated paths",
        "  85.00 %     0.000     0.001  id k3e3 k3e3 k3e3\n",
        "2 of 3 paths from greedy's candidate pool",
        "sharing prefixes: 75.0 %",
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
        if (!strstr(text, expected[i]))
            fail_msg("'%s', expected '%s' in it", text, expected[i]);
    char drawing[PATH_DRAW_SIZE];
    path_draw(&log.entry[8].path, &space, drawing, sizeof(drawing));
    assert_non_null(strstr(text, drawing));
    free(text);
    search_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_found_again_and_only_those),
        cmocka_unit_test(ties_go_to_loss_then_flops_then_genotype),
        cmocka_unit_test(the_front_has_one_of_each_point_that_no_other_beats),
        cmocka_unit_test(the_front_is_along_the_cost_that_is_minimised),
        cmocka_unit_test(a_population_is_kept_by_place_and_filled_up_with_none),
        cmocka_unit_test(a_log_comes_back_as_it_was),
        cmocka_unit_test(an_empty_log_comes_back_empty),
        cmocka_unit_test(indices_out_of_range_and_paths_twice_are_refused),
        cmocka_unit_test(the_report_says_what_was_found_and_the_front),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
