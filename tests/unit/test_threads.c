#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/threads.h"
#include "unit/child.h"

#include <cblas.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>

/* Everything runs in children: a process that has started OpenMP threads cannot fork
 * others that use them, and pinning stays. */

struct setting {
    const char *slurm, *omp; /* NULL: not set */
    int requested;
};

static int processors(void)
{
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}

/* Leaves this process the first `n` of its processors. */
static void keep_processors(int n)
{
    cpu_set_t mask, kept;
    CPU_ZERO(&kept);
    sched_getaffinity(0, sizeof mask, &mask);
    for (int i = 0; CPU_COUNT(&kept) < n; i++)
        if (CPU_ISSET(i, &mask))
            CPU_SET(i, &kept);
    sched_setaffinity(0, sizeof kept, &kept);
}

static void set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static int start(const struct setting *setting)
{
    set_variable("SLURM_CPUS_PER_TASK", setting->slurm);
    set_variable("OMP_NUM_THREADS", setting->omp);
    return threads_start(setting->requested);
}

/* The exit code is the number of threads a parallel region then has. */
static int count_threads(const void *setting)
{
    int count = start(setting), team = 0;
#pragma omp parallel
#pragma omp atomic
    team++;
    return count == team && threads_count() == team ? team : 99;
}

static void threads_can_be_asked_for(void **state)
{
    (void)state;
    struct child child = child_run(count_threads, &(struct setting){"7", "9", 1});
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err, "");
}

static void without_a_wish_every_allowed_processor_has_a_thread(void **state)
{
    (void)state;
    struct child child = child_run(count_threads, &(struct setting){NULL, NULL, 0});
    assert_int_equal(child.code, processors());
    assert_string_equal(child.err, "");
}

static void slurm_goes_before_openmp(void **state)
{
    (void)state;
    struct child child = child_run(count_threads, &(struct setting){"1", "5", 0});
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err, "");
    child = child_run(count_threads, &(struct setting){NULL, "1", 0});
    assert_int_equal(child.code, 1);
    assert_string_equal(child.err, "");
}

static void what_is_no_count_is_said_and_passed_over(void **state)
{
    (void)state;
    static const char *const nonsense[] = {"",   "0",           "-1",  "2x",
                                           "x2", "1.5",         " 1",  "+1",
                                           "1 ", "99999999999", "1,1", "0x1"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "SLURM_CPUS_PER_TASK is '%s', expected",
                 nonsense[i]);
        struct child child =
            child_run(count_threads, &(struct setting){nonsense[i], "1", 0});
        assert_int_equal(child.code, 1);
        assert_non_null(strstr(child.err, expected));
    }
    struct child child = child_run(count_threads, &(struct setting){"many", "few", 0});
    assert_int_equal(child.code, processors());
    assert_non_null(strstr(child.err, "SLURM_CPUS_PER_TASK is 'many'"));
    assert_non_null(strstr(child.err, "OMP_NUM_THREADS is 'few'"));
}

static void a_variable_gets_no_more_than_the_allowed_processors(void **state)
{
    (void)state;
    struct child child = child_run(count_threads, &(struct setting){"5000", NULL, 0});
    assert_int_equal(child.code, processors());
    assert_non_null(strstr(child.err, "SLURM_CPUS_PER_TASK is 5000"));
}

static int count_on_one_processor(const void *setting)
{
    keep_processors(1);
    return count_threads(setting);
}

static void the_mask_counts_not_the_machine(void **state)
{
    (void)state;
    struct child child =
        child_run(count_on_one_processor, &(struct setting){NULL, NULL, 0});
    assert_int_equal(child.code, 1);
}

/* Bit i of the result: thread i is pinned to one processor, which no other has. */
static int pinned_threads(void)
{
    cpu_set_t used;
    CPU_ZERO(&used);
    int pinned = 0;
#pragma omp parallel
#pragma omp critical
    {
        cpu_set_t mask, common;
        sched_getaffinity(0, sizeof mask, &mask);
        CPU_AND(&common, &mask, &used);
        if (CPU_COUNT(&mask) == 1 && CPU_COUNT(&common) == 0)
            pinned |= 1 << omp_get_thread_num();
        CPU_OR(&used, &used, &mask);
    }
    return pinned;
}

static int pin_two(const void *setting)
{
    start(setting);
    return pinned_threads();
}

static void each_thread_is_pinned_to_its_own_processor(void **state)
{
    (void)state;
    if (processors() < 2)
        skip();
    struct child child = child_run(pin_two, &(struct setting){NULL, NULL, 2});
    assert_int_equal(child.code, 3);
    assert_string_equal(child.err, "");
}

static int pin_two_twice(const void *setting)
{
    start(setting);
    start(setting);
    return pinned_threads();
}

/* The first start leaves the main thread one processor; the second must not take that
 * for all there is. */
static void starting_again_finds_the_same_processors(void **state)
{
    (void)state;
    if (processors() < 2)
        skip();
    struct child child = child_run(pin_two_twice, &(struct setting){NULL, NULL, 2});
    assert_int_equal(child.code, 3);
}

/* One thread more than processors, after a start that pinned: all may run anywhere. The
 * exit code is the number of threads that have the mask of the beginning. */
static int crowd(const void *argument)
{
    (void)argument;
    int n = processors(), wide = 0;
    start(&(struct setting){NULL, NULL, 1});
    start(&(struct setting){NULL, NULL, n + 1});
#pragma omp parallel
#pragma omp critical
    wide += processors() == n;
    return wide;
}

static void more_threads_than_processors_are_not_pinned(void **state)
{
    (void)state;
    struct child child = child_run(crowd, NULL);
    assert_int_equal(child.code, processors() + 1);
    assert_non_null(strstr(child.err, "not pinned"));
}

static int is_held(const void *setting)
{
    omp_set_dynamic(1);
    start(setting);
    return openblas_get_num_threads() == 1 && omp_get_dynamic() == 0 ? 0 : 1;
}

static void openblas_keeps_to_one_thread_and_openmp_to_its_number(void **state)
{
    (void)state;
    struct child child = child_run(is_held, &(struct setting){NULL, NULL, 0});
    assert_int_equal(child.code, 0);
}

/* OpenMP reads its variables before main(), so this program is started anew. */
static int count_with_bound_threads(const void *argument)
{
    (void)argument;
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("OMP_NUM_THREADS");
    setenv("OMP_PROC_BIND", "true", 1);
    execl("/proc/self/exe", "test_threads", "count", (char *)NULL);
    return 99;
}

static void a_binding_by_openmp_does_not_hide_processors(void **state)
{
    (void)state;
    struct child child = child_run(count_with_bound_threads, NULL);
    assert_int_equal(child.code, processors());
    assert_string_equal(child.err, "");
}

static void the_processor_has_the_name_that_linux_gives_it(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen("/proc/cpuinfo", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *name = threads_cpu_name();
    assert_true(strlen(name) > 0);
    char *line = strstr(text, "model name");
    if (line) {
        char *found = strstr(line, name);
        assert_true(found && found < strchr(line, '\n'));
        assert_int_equal(found[strlen(name)], '\n');
    }
    assert_string_equal(threads_cpu_name(), name);
}

static void the_blas_names_itself(void **state)
{
    (void)state;
    assert_non_null(strstr(threads_blas_config(), "OpenBLAS"));
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "count") == 0)
        return count_threads(&(struct setting){NULL, NULL, 0});
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_can_be_asked_for),
        cmocka_unit_test(without_a_wish_every_allowed_processor_has_a_thread),
        cmocka_unit_test(slurm_goes_before_openmp),
        cmocka_unit_test(what_is_no_count_is_said_and_passed_over),
        cmocka_unit_test(a_variable_gets_no_more_than_the_allowed_processors),
        cmocka_unit_test(the_mask_counts_not_the_machine),
        cmocka_unit_test(each_thread_is_pinned_to_its_own_processor),
        cmocka_unit_test(starting_again_finds_the_same_processors),
        cmocka_unit_test(more_threads_than_processors_are_not_pinned),
        cmocka_unit_test(openblas_keeps_to_one_thread_and_openmp_to_its_number),
        cmocka_unit_test(a_binding_by_openmp_does_not_hide_processors),
        cmocka_unit_test(the_processor_has_the_name_that_linux_gives_it),
        cmocka_unit_test(the_blas_names_itself),
    };
    /* Counts come back as exit codes, which end at 255. */
    if (processors() > 4)
        keep_processors(4);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
