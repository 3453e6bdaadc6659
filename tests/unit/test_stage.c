#include <omp.h>
#include <signal.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/stage.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

/* The quickstart's settings for warm-up, with its own rhythm of checkpoints. */
static int setup(void **state)
{
    static const char *const overrides[] = {"checkpoint.steps=3",
                                            "checkpoint.seconds=1000000"};
    struct space_config config = tiny_config("k3e3");
    if (scratch_setup(state))
        return -1;
    struct config *whole = config_load("configs/quickstart.yaml", overrides, 2);
    char *effective = config_effective(whole, "warmup");
    scratch_write(scratch_path("warmup.yaml"), effective, strlen(effective));
    write_dataset(scratch_path("data.h5"), &config, 4, 4);
    free(effective);
    config_free(whole);
    return 0;
}

static void begin(struct stage *stage)
{
    static char config[SCRATCH_PATH_SIZE], data[SCRATCH_PATH_SIZE],
        out[SCRATCH_PATH_SIZE];
    strcpy(config, scratch_path("warmup.yaml"));
    strcpy(data, scratch_path("data.h5"));
    strcpy(out, scratch_path("warmup.h5"));
    *stage = (struct stage){
        .options = {.config = config, .data = data, .out = out, .threads = 1}};
    log_set_program("warmup");
    stage_begin(stage, "warmup");
}

static void save_number(void *context, struct artifact *artifact)
{
    artifact_write_i64(artifact, "number", *(const int *)context, "1", "a number");
}

/* A condition that fails in a child ends it with its line. */
#define REQUIRE(condition)                                                             \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);            \
            return 99;                                                                 \
        }                                                                              \
    } while (0)

static void assert_child(int (*body)(const void *), int code, const char *message)
{
    struct child child = child_run(body, NULL);
    if (child.code != code || !strstr(child.err, message))
        fail_msg("exit code %d, expected %d; '%s', expected '%s' in it", child.code,
                 code, child.err, message);
}

static bool status_says(const char *text)
{
    size_t size;
    char *record = (char *)scratch_read(scratch_path("warmup.status.yaml"), &size);
    bool said = strstr(record, text);
    free(record);
    return said;
}

static int run_to_the_end(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    REQUIRE(status_says("running"));
    stage_checkpoint(&stage, save_number, &(int){1});
    REQUIRE(scratch_exists(scratch_path("warmup.ckpt.h5")));
    int code = stage_complete(&stage);
    REQUIRE(!scratch_exists(scratch_path("warmup.ckpt.h5")));
    REQUIRE(status_says("complete"));
    return code;
}

static void a_complete_stage_removes_its_checkpoint_and_exits_0(void **state)
{
    (void)state;
    assert_child(run_to_the_end, EXIT_COMPLETE, "wrote '");
}

static int stop_half_way(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    REQUIRE(!stage_checkpoint_due(&stage));
    raise(SIGTERM);
    REQUIRE(stage_checkpoint_due(&stage));
    stage_checkpoint(&stage, save_number, &(int){7});
    int code = stage_interrupted(&stage);
    REQUIRE(status_says("interrupted"));
    return code;
}

static int go_on(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    struct artifact *half = checkpoint_load(stage.checkpoint);
    REQUIRE(half && artifact_read_i64(half, "number") == 7);
    artifact_close(half);
    return stage_complete(&stage);
}

static int stop_with_nothing_to_keep(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    raise(SIGTERM);
    return stage_interrupted(&stage);
}

static void a_stage_without_a_checkpoint_promises_none(void **state)
{
    (void)state;
    assert_child(stop_with_nothing_to_keep, EXIT_RUN_AGAIN,
                 "stopped by SIGTERM; run it again, from the beginning");
}

static void a_stopped_stage_exits_75_and_the_next_run_finds_its_checkpoint(void **state)
{
    (void)state;
    assert_child(stop_half_way, EXIT_RUN_AGAIN, "stopped by SIGTERM, checkpoint kept");
    assert_child(go_on, EXIT_COMPLETE, "");
}

static int count_steps(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    for (int i = 0; i < 3; i++) {
        REQUIRE(!stage_checkpoint_due(&stage));
        REQUIRE(!stage_checkpoint_due(&stage));
        REQUIRE(stage_checkpoint_due(&stage));
        stage_checkpoint(&stage, save_number, &i);
    }
    return stage_complete(&stage);
}

static void a_checkpoint_is_due_every_so_many_steps(void **state)
{
    (void)state;
    assert_child(count_steps, EXIT_COMPLETE, "");
}

/* A million seconds are asked for; the last checkpoint is made to be older. */
static int let_time_pass(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    stage.last_checkpoint = clock_seconds() - 1.1e6;
    REQUIRE(stage_checkpoint_due(&stage));
    stage_checkpoint(&stage, save_number, &(int){1});
    REQUIRE(!stage_checkpoint_due(&stage));
    return stage_complete(&stage);
}

static void a_checkpoint_is_due_after_so_much_time(void **state)
{
    (void)state;
    assert_child(let_time_pass, EXIT_COMPLETE, "");
}

static int look_at_origin(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    const struct artifact_origin *o = &stage.origin;
    REQUIRE(!strcmp(o->stage, "warmup"));
    REQUIRE(strstr(o->config, "warmup:") && !strstr(o->config, "greedy:"));
    REQUIRE(o->seed == stage.config->seed);
    REQUIRE(o->threads == 1 && threads_count() == 1);
    REQUIRE(o->n_in == 1 && !strcmp(o->in[0], stage.options.data));
    return stage_complete(&stage);
}

static void the_origin_says_stage_settings_seed_threads_and_inputs(void **state)
{
    (void)state;
    assert_child(look_at_origin, EXIT_COMPLETE, "1 thread on ");
}

static int run_into_trouble(const void *argument)
{
    (void)argument;
    struct stage stage;
    begin(&stage);
    die("the disk is full");
}

static void a_stage_that_dies_leaves_the_reason_in_its_record(void **state)
{
    (void)state;
    assert_child(run_into_trouble, EXIT_FAILED, "the disk is full");
    assert_true(status_says("failed"));
    assert_true(status_says("the disk is full"));
}

/* `argument`: --out. */
static int begin_with_out(const void *argument)
{
    char config[SCRATCH_PATH_SIZE], data[SCRATCH_PATH_SIZE];
    strcpy(config, scratch_path("warmup.yaml"));
    strcpy(data, scratch_path("data.h5"));
    struct stage stage = {
        .options = {.config = config, .data = data, .out = argument, .threads = 1}};
    stage.options.in.text[stage.options.in.n++] = config; /* any file */
    stage_begin(&stage, "warmup");
    return EXIT_COMPLETE;
}

static void assert_out_refused(const char *name, int code, const char *message)
{
    char out[SCRATCH_PATH_SIZE];
    strcpy(out, scratch_path(name));
    struct child child = child_run(begin_with_out, out);
    if (child.code != code || !strstr(child.err, message))
        fail_msg("'%s': exit code %d, expected %d; '%s', expected '%s' in it", name,
                 child.code, code, child.err, message);
}

static void an_artifact_that_could_not_be_written_is_found_before_the_work(void **state)
{
    (void)state;
    assert_out_refused(".", EXIT_ASKED_WRONG, ", a folder, expected a file");
    assert_out_refused("nowhere/w.h5", EXIT_FAILED,
                       "nowhere': No such file or directory");
    assert_out_refused("warmup.yaml", EXIT_ASKED_WRONG,
                       "the same file as --in, expected another");
    assert_out_refused("./data.h5", EXIT_ASKED_WRONG,
                       "the same file as --data, expected another");
}

int main(void)
{
    omp_set_num_threads(1); /* children are forked */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_stage_removes_its_checkpoint_and_exits_0),
        cmocka_unit_test(
            a_stopped_stage_exits_75_and_the_next_run_finds_its_checkpoint),
        cmocka_unit_test(a_stage_without_a_checkpoint_promises_none),
        cmocka_unit_test(a_checkpoint_is_due_every_so_many_steps),
        cmocka_unit_test(a_checkpoint_is_due_after_so_much_time),
        cmocka_unit_test(the_origin_says_stage_settings_seed_threads_and_inputs),
        cmocka_unit_test(a_stage_that_dies_leaves_the_reason_in_its_record),
        cmocka_unit_test(
            an_artifact_that_could_not_be_written_is_found_before_the_work),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
