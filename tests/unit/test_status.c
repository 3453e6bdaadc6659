/* The record says how a stage is doing, in YAML that any reader takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "base/threads.h"
#include "io/status.h"
#include "unit/child.h"
#include "unit/scratch.h"

#include <math.h>
#include <time.h>
#include <yaml.h>

/* The value of a key, as libyaml reads it; the caller frees. NULL: no such key. */
static char *value_of(const char *path, const char *key)
{
    yaml_parser_t parser;
    yaml_document_t document;
    char *value = NULL;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    assert_true(yaml_parser_load(&parser, &document));
    yaml_node_t *root = yaml_document_get_root_node(&document);
    assert_non_null(root);
    assert_int_equal(root->type, YAML_MAPPING_NODE);
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *name = yaml_document_get_node(&document, pair->key);
        yaml_node_t *node = yaml_document_get_node(&document, pair->value);
        if (!strcmp((char *)name->data.scalar.value, key))
            value = strdup((char *)node->data.scalar.value);
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    fclose(file);
    return value;
}

static void assert_value(const char *path, const char *key, const char *expected)
{
    char *value = value_of(path, key);
    assert_non_null(value);
    assert_string_equal(value, expected);
    free(value);
}

static double number_of(const char *path, const char *key)
{
    char *text = value_of(path, key);
    assert_non_null(text);
    double number = atof(text);
    free(text);
    return number;
}

/* More than 32 MB are touched and a tenth of a second is spent; of each, the limit is
 * what any test process stays far below. */
static void a_record_says_what_the_process_has_used(void **state)
{
    (void)state;
    size_t touched = 32u << 20;
    volatile char *memory = malloc(touched);
    assert_non_null((const void *)memory);
    for (size_t i = 0; i < touched; i += 4096)
        memory[i] = 1;
    clock_t begin = clock();
    while (clock() - begin < CLOCKS_PER_SEC / 10)
        ;
    struct status *status = status_create(scratch_path("used.h5"), "greedy");
    const char *path = scratch_path("used.status.yaml");
    assert_true(number_of(path, "peak_bytes") > (double)touched);
    assert_true(number_of(path, "peak_bytes") < 64e9);
    assert_true(number_of(path, "cpu_seconds") >= 0.1);
    assert_true(number_of(path, "cpu_seconds") < 600);
    assert_int_equal((int)number_of(path, "threads"), threads_count());
    status_free(status);
    free((void *)memory);
}

static void a_new_record_says_running_and_where(void **state)
{
    (void)state;
    char pid[32], host[256];
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    setenv("SLURM_JOB_ID", "1234", 1);
    struct status *status = status_create(scratch_path("new.h5"), "greedy");
    const char *path = scratch_path("new.status.yaml");
    assert_value(path, "state", "running");
    assert_value(path, "stage", "greedy");
    assert_value(path, "host", host);
    assert_value(path, "pid", pid);
    assert_value(path, "job", "1234");
    assert_value(path, "loss", "null");
    assert_value(path, "eta_seconds", "null");
    assert_value(path, "message", "");
    status_free(status);
    unsetenv("SLURM_JOB_ID");
}

static void the_end_is_recorded_at_once_with_the_last_figures(void **state)
{
    (void)state;
    struct status *status = status_create(scratch_path("end.h5"), "warmup");
    const char *path = scratch_path("end.status.yaml");
    status_update(status, 30, 800, "steps", 2.25, 12.5, 61.6);
    status_finish(status, STATUS_INTERRUPTED, "SIGTERM");
    assert_value(path, "state", "interrupted");
    assert_value(path, "job", "");
    assert_value(path, "done", "30");
    assert_value(path, "total", "800");
    assert_value(path, "unit", "steps");
    assert_value(path, "loss", "2.25");
    assert_value(path, "rate", "12.5");
    assert_value(path, "message", "SIGTERM");
    status_finish(status, STATUS_COMPLETE, NULL);
    assert_value(path, "state", "complete");
    assert_value(path, "message", "");
    status_free(status);
    status_free(NULL);
}

static void any_text_is_read_back_as_it_was(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "'a.h5' is truncated: found 3 bytes, expected 4",
        "he said \"x\": {y} # z\n\tand\\or - [1, 2] & *a !b %c @d `e` \r\x1b\x7f",
        "cr\303\250me br\303\273l\303\251e",
        "null",
        "~",
        " spaces ",
        "",
    };
    struct status *status = status_create(scratch_path("text.h5"), "greedy");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        status_finish(status, STATUS_FAILED, texts[i]);
        assert_value(scratch_path("text.status.yaml"), "message", texts[i]);
    }
    status_free(status);
}

static void numbers_that_are_none_are_yaml_all_the_same(void **state)
{
    (void)state;
    struct status *status = status_create(scratch_path("nan.h5"), "greedy");
    const char *path = scratch_path("nan.status.yaml");
    status_update(status, 1, 2, "steps", (double)NAN, -1, -1);
    status_finish(status, STATUS_RUNNING, "");
    assert_value(path, "loss", "null");
    assert_value(path, "rate", "null");
    assert_value(path, "eta_seconds", "null");
    status_update(status, 1, 2, "steps", (double)INFINITY, 0, 0);
    status_finish(status, STATUS_RUNNING, "");
    assert_value(path, "loss", ".inf");
    assert_value(path, "rate", "0");
    status_free(status);
}

static int start_and_die(const void *argument)
{
    const char *out = argument;
    log_set_program("greedy");
    struct status *status = status_create(out, "greedy");
    status_update(status, 30, 800, "steps", 2.25, 12.5, 61.6);
    die("cannot open '%s'", "a.h5");
}

static void a_death_is_recorded_with_its_reason(void **state)
{
    (void)state;
    struct child child = child_run(start_and_die, scratch_path("dead.h5"));
    assert_int_equal(child.code, 1);
    const char *path = scratch_path("dead.status.yaml");
    assert_value(path, "state", "failed");
    assert_value(path, "message", "cannot open 'a.h5'");
    assert_value(path, "done", "30");
}

static int finish_and_die(const void *argument)
{
    struct status *status = status_create(argument, "greedy");
    status_finish(status, STATUS_COMPLETE, "");
    die("too late");
}

static void what_is_complete_stays_complete(void **state)
{
    (void)state;
    child_run(finish_and_die, scratch_path("late.h5"));
    assert_value(scratch_path("late.status.yaml"), "state", "complete");
}

static int free_and_die(const void *argument)
{
    status_free(status_create(argument, "greedy"));
    die("on its own");
}

static void a_freed_record_is_left_alone(void **state)
{
    (void)state;
    struct child child = child_run(free_and_die, scratch_path("freed.h5"));
    assert_int_equal(child.code, 1);
    assert_value(scratch_path("freed.status.yaml"), "state", "running");
}

static int record_nowhere(const void *argument)
{
    log_set_program("greedy");
    struct status *status = status_create(argument, "greedy");
    status_finish(status, STATUS_FAILED, "x");
    status_finish(status, STATUS_COMPLETE, "");
    status_free(status);
    return 0;
}

static void a_record_that_cannot_be_written_is_one_warning(void **state)
{
    (void)state;
    char expected[2 * SCRATCH_PATH_SIZE];
    struct child child = child_run(record_nowhere, scratch_path("lost/x.h5"));
    assert_int_equal(child.code, 0);
    snprintf(expected, sizeof(expected),
             "greedy: warning: cannot write '%s': No such file or directory\n",
             scratch_path("lost/x.status.yaml"));
    assert_string_equal(child.err, expected);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_says_running_and_where),
        cmocka_unit_test(a_record_says_what_the_process_has_used),
        cmocka_unit_test(the_end_is_recorded_at_once_with_the_last_figures),
        cmocka_unit_test(any_text_is_read_back_as_it_was),
        cmocka_unit_test(numbers_that_are_none_are_yaml_all_the_same),
        cmocka_unit_test(a_death_is_recorded_with_its_reason),
        cmocka_unit_test(what_is_complete_stays_complete),
        cmocka_unit_test(a_freed_record_is_left_alone),
        cmocka_unit_test(a_record_that_cannot_be_written_is_one_warning),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
