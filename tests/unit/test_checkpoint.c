/* A stage goes on from its newest good checkpoint, and from no other stage's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "base/rng.h"
#include "io/checkpoint.h"
#include "unit/child.h"
#include "unit/leaks.h"
#include "unit/scratch.h"

#include <signal.h>

static const char config[] = "# made by hand\n"
                             "stage: greedy\n"
                             "checkpoint:\n"
                             "  seconds: 60\n"
                             "\n"
                             "  steps: 0\n"
                             "greedy:\n"
                             "  steps: 500\n";

static const struct artifact_origin origin = {
    .stage = "greedy", .config = config, .seed = 7, .threads = 2};

/* Files of one test; each test has its own name. */
struct files {
    char out[SCRATCH_PATH_SIZE], newest[SCRATCH_PATH_SIZE], previous[SCRATCH_PATH_SIZE];
};

static struct files files_of(const char *name)
{
    struct files files;
    char newest[64], previous[64], out[64];
    snprintf(out, sizeof(out), "%s.h5", name);
    snprintf(newest, sizeof(newest), "%s.ckpt.h5", name);
    snprintf(previous, sizeof(previous), "%s.ckpt.prev.h5", name);
    snprintf(files.out, sizeof(files.out), "%s", scratch_path(out));
    snprintf(files.newest, sizeof(files.newest), "%s", scratch_path(newest));
    snprintf(files.previous, sizeof(files.previous), "%s", scratch_path(previous));
    return files;
}

static void save(struct checkpoint *checkpoint, int step)
{
    struct artifact *artifact = checkpoint_begin(checkpoint);
    artifact_write_i64(artifact, "step", step, "steps", "steps done");
    checkpoint_commit(checkpoint, artifact);
}

/* The step of the checkpoint that is loaded; -1 if there is none. */
static int load(struct checkpoint *checkpoint)
{
    struct artifact *artifact = checkpoint_load(checkpoint);
    int step = artifact ? (int)artifact_read_i64(artifact, "step") : -1;
    artifact_close(artifact);
    return step;
}

/* Saves the steps 1 to n. */
static struct files saved(const char *name, int n)
{
    struct files files = files_of(name);
    struct checkpoint *checkpoint = checkpoint_create(files.out, &origin);
    for (int step = 1; step <= n; step++)
        save(checkpoint, step);
    checkpoint_free(checkpoint);
    return files;
}

static int step_in(const char *path)
{
    struct artifact *artifact = artifact_open(path, "greedy");
    int step = (int)artifact_read_i64(artifact, "step");
    artifact_close(artifact);
    return step;
}

static void spoil(const char *path)
{
    size_t size;
    free(scratch_read(path, &size));
    assert_int_equal(truncate(path, (off_t)size - 1), 0);
}

static void without_a_checkpoint_there_is_none(void **state)
{
    (void)state;
    struct checkpoint *checkpoint = checkpoint_create(files_of("none").out, &origin);
    assert_int_equal(load(checkpoint), -1);
    checkpoint_free(checkpoint);
    checkpoint_free(NULL);
}

static void the_newest_is_loaded_and_the_one_before_is_kept(void **state)
{
    (void)state;
    struct files files = saved("two", 3);
    struct checkpoint *checkpoint = checkpoint_create(files.out, &origin);
    assert_int_equal(load(checkpoint), 3);
    assert_int_equal(step_in(files.previous), 2);
    checkpoint_free(checkpoint);
}

static void removing_takes_both_and_what_a_kill_left(void **state)
{
    (void)state;
    struct files files = saved("removed", 2);
    char host[128], stale[SCRATCH_PATH_SIZE];
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    snprintf(stale, sizeof(stale), "removed.ckpt.h5.tmp.%s.999999999", host);
    scratch_write(scratch_path(stale), "", 0); /* no process has such a number */
    struct checkpoint *checkpoint = checkpoint_create(files.out, &origin);
    checkpoint_remove(checkpoint);
    assert_false(scratch_exists(files.newest));
    assert_false(scratch_exists(files.previous));
    assert_false(scratch_exists(scratch_path(stale)));
    checkpoint_remove(checkpoint); /* nothing to do is no trouble */
    checkpoint_free(checkpoint);
}

/* ---- in a child, for what it says ---- */

struct resuming {
    struct files files;
    const struct artifact_origin *origin;
    int save; /* then also saves this step, unless 0 */
};

static int resume(const void *argument)
{
    const struct resuming *resuming = argument;
    log_set_program("greedy");
    struct checkpoint *checkpoint =
        checkpoint_create(resuming->files.out, resuming->origin);
    printf("%d", load(checkpoint));
    if (resuming->save)
        save(checkpoint, resuming->save);
    checkpoint_free(checkpoint);
    return 0;
}

static void a_damaged_newest_is_passed_over_with_a_warning(void **state)
{
    (void)state;
    struct files files = saved("damaged", 2);
    spoil(files.newest);
    struct child child = child_run(resume, &(struct resuming){files, &origin, 0});
    assert_int_equal(child.code, 0);
    assert_string_equal(child.out, "1");
    assert_non_null(strstr(child.err, "greedy: warning: '"));
    assert_non_null(strstr(child.err, "damaged.ckpt.h5' is truncated: found "));
    assert_non_null(strstr(child.err, "; going on from '"));
}

/* Killed where there are no hard links. */
static void a_missing_newest_is_passed_over_with_a_warning(void **state)
{
    (void)state;
    struct files files = saved("missing", 2);
    assert_int_equal(unlink(files.newest), 0);
    struct child child = child_run(resume, &(struct resuming){files, &origin, 0});
    assert_int_equal(child.code, 0);
    assert_string_equal(child.out, "1");
    assert_non_null(
        strstr(child.err, "missing.ckpt.h5' does not exist; going on from"));
}

static void a_damaged_newest_never_takes_the_good_ones_place(void **state)
{
    (void)state;
    struct files files = saved("replaced", 2);
    spoil(files.newest);
    struct child child = child_run(resume, &(struct resuming){files, &origin, 5});
    assert_int_equal(child.code, 0);
    assert_int_equal(step_in(files.newest), 5);
    assert_int_equal(step_in(files.previous), 1);
}

static void two_damaged_ones_end_the_stage_and_are_both_named(void **state)
{
    (void)state;
    struct files files = saved("hopeless", 2);
    spoil(files.newest);
    scratch_write(files.previous, "not HDF5", 8);
    struct child child = child_run(resume, &(struct resuming){files, &origin, 0});
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "greedy: no checkpoint is usable: '"));
    assert_non_null(strstr(child.err, "hopeless.ckpt.h5' is truncated"));
    assert_non_null(strstr(child.err, "hopeless.ckpt.prev.h5' is not an HDF5 file"));
    assert_non_null(strstr(child.err, "greedy: remove both to start again\n"));
}

/* ---- whose it is ---- */

static void assert_refused(struct files files, const struct artifact_origin *other,
                           const char *difference)
{
    char expected[4 * SCRATCH_PATH_SIZE];
    struct child child = child_run(resume, &(struct resuming){files, other, 0});
    snprintf(expected, sizeof(expected),
             "greedy: '%s' was made with %s\n"
             "greedy: remove '%s' and '%s' to start again, or restore what it was made "
             "with\n",
             files.newest, difference, files.newest, files.previous);
    assert_string_equal(child.err, expected);
    assert_int_equal(child.code, 1);
}

static void another_seed_or_stage_is_refused(void **state)
{
    (void)state;
    struct files files = saved("seed", 2);
    struct artifact_origin other = origin;
    other.seed = 8;
    assert_refused(files, &other, "another seed (it has 7, now 8)");
    other = origin;
    other.stage = "warmup";
    assert_refused(files, &other, "another stage (it has 'greedy', now 'warmup')");
}

static void other_settings_are_refused_and_the_first_is_named(void **state)
{
    (void)state;
    struct files files = saved("settings", 2);
    struct artifact_origin other = origin;
    other.config = "stage: greedy\ngreedy:\n  steps: 600\n";
    assert_refused(files, &other,
                   "other settings (it has '  steps: 500', now '  steps: 600')");
    other.config = "stage: greedy\ngreedy:\n  steps: 500\n  filter: false\n";
    assert_refused(files, &other,
                   "other settings (it has the end, now '  filter: false')");
    other.config = "stage: greedy\n";
    assert_refused(files, &other, "other settings (it has 'greedy:', now the end)");
    other.config = "stage: greedy\ngreedy:\n  steps: 5000\n";
    assert_refused(files, &other,
                   "other settings (it has '  steps: 500', now '  steps: 5000')");
}

static void what_changes_no_result_may_differ(void **state)
{
    (void)state;
    static const char *const equivalent[] = {
        "stage: greedy\ngreedy:\n  steps: 500\n",
        "stage: greedy\ngreedy:\n  steps: 500\ncheckpoint:\n  seconds: 1\n",
        "checkpoint: {seconds: 5}\nstage: greedy\n# words\ngreedy:\n  steps: 500\n",
    };
    struct files files = saved("equivalent", 2);
    for (size_t i = 0; i < sizeof(equivalent) / sizeof(equivalent[0]); i++) {
        struct artifact_origin other = origin;
        other.config = equivalent[i];
        other.threads = 64;
        struct checkpoint *checkpoint = checkpoint_create(files.out, &other);
        assert_int_equal(load(checkpoint), 2);
        checkpoint_free(checkpoint);
    }
}

static void make_input(const char *path, double value)
{
    struct artifact *artifact = artifact_create(path, &origin);
    artifact_write_f64(artifact, "value", value, "1", "a value");
    artifact_commit(artifact);
}

static void an_input_is_known_by_its_contents_not_its_name(void **state)
{
    (void)state;
    struct files files = files_of("inputs");
    char same[SCRATCH_PATH_SIZE], first[SCRATCH_PATH_SIZE];
    snprintf(first, sizeof(first), "%s", scratch_path("first.h5"));
    snprintf(same, sizeof(same), "%s", scratch_path("same.h5"));
    make_input(first, 1.5);
    make_input(same, 1.5);
    const char *in[] = {first};
    struct artifact_origin with = origin;
    with.in = in;
    with.n_in = 1;
    struct checkpoint *checkpoint = checkpoint_create(files.out, &with);
    save(checkpoint, 1);
    checkpoint_free(checkpoint);
    in[0] = same;
    checkpoint = checkpoint_create(files.out, &with);
    assert_int_equal(load(checkpoint), 1);
    checkpoint_free(checkpoint);
    make_input(same, 2.5);
    struct child child = child_run(resume, &(struct resuming){files, &with, 0});
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "was made with another input (it has '"));
    assert_non_null(strstr(child.err, "first.h5 sha256:"));
    assert_non_null(strstr(child.err, "same.h5 sha256:"));
    struct artifact_origin without = origin;
    child = child_run(resume, &(struct resuming){files, &without, 0});
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "was made with more inputs (it has '"));
}

static void an_input_is_recorded_as_it_was_at_the_start(void **state)
{
    (void)state;
    struct files files = files_of("changing");
    const char *in[] = {scratch_path("changing.in.h5")};
    make_input(in[0], 1);
    struct artifact_origin with = origin;
    with.in = in;
    with.n_in = 1;
    struct checkpoint *checkpoint = checkpoint_create(files.out, &with);
    make_input(in[0], 2);
    save(checkpoint, 1);
    checkpoint_free(checkpoint);
    struct child child = child_run(resume, &(struct resuming){files, &with, 0});
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "was made with another input"));
}

/* ---- killed at any moment ---- */

/* Saves for ever, and says each step that is safe. */
static int save_until_killed(const void *argument)
{
    const struct files *files = argument;
    struct checkpoint *checkpoint = checkpoint_create(files->out, &origin);
    int step = load(checkpoint);
    for (;;) {
        save(checkpoint, ++step);
        if (write(STDOUT_FILENO, &step, sizeof(step)) != sizeof(step))
            return 0;
    }
}

/* Runs it until `count` steps are safe and a moment more; returns the last safe one. */
static int killed_after(const struct files *files, int count, struct rng *rng)
{
    int link[2], step = -1, safe = -1;
    assert_int_equal(pipe(link), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(link[1], STDOUT_FILENO);
        close(link[0]), close(link[1]);
        _exit(save_until_killed(files));
    }
    close(link[1]);
    for (int i = 0; i < count; i++) {
        assert_int_equal(read(link[0], &step, sizeof(step)), sizeof(step));
        safe = step;
    }
    usleep(rng_below(rng, 3000));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (read(link[0], &step, sizeof(step)) == sizeof(step))
        safe = step;
    close(link[0]);
    return safe;
}

static void after_a_kill_nothing_that_was_safe_is_lost(void **state)
{
    (void)state;
    struct files files = files_of("killed");
    struct rng rng = rng_stream(1, RNG_TEST, 1, 0);
    log_set_quiet(true);
    for (int i = 0; i < 20; i++) {
        int safe = killed_after(&files, 1 + (int)rng_below(&rng, 4), &rng);
        assert_true(scratch_exists(files.newest));
        struct checkpoint *checkpoint = checkpoint_create(files.out, &origin);
        int step = load(checkpoint);
        /* the one after may have been complete, too, only not been reported */
        assert_true(step == safe || step == safe + 1);
        save(checkpoint, step);
        checkpoint_free(checkpoint);
    }
    log_set_quiet(false);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_checkpoint_there_is_none),
        cmocka_unit_test(the_newest_is_loaded_and_the_one_before_is_kept),
        cmocka_unit_test(removing_takes_both_and_what_a_kill_left),
        cmocka_unit_test(a_damaged_newest_is_passed_over_with_a_warning),
        cmocka_unit_test(a_missing_newest_is_passed_over_with_a_warning),
        cmocka_unit_test(a_damaged_newest_never_takes_the_good_ones_place),
        cmocka_unit_test(two_damaged_ones_end_the_stage_and_are_both_named),
        cmocka_unit_test(another_seed_or_stage_is_refused),
        cmocka_unit_test(other_settings_are_refused_and_the_first_is_named),
        cmocka_unit_test(what_changes_no_result_may_differ),
        cmocka_unit_test(an_input_is_known_by_its_contents_not_its_name),
        cmocka_unit_test(an_input_is_recorded_as_it_was_at_the_start),
        cmocka_unit_test(after_a_kill_nothing_that_was_safe_is_lost),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
