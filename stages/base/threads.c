#include "base/threads.h"

#include "base/die.h"
#include "base/memory.h"

#include <cblas.h>
#include <errno.h>
#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* The processors this process was allowed when it started; pinning narrows the mask of
 * every thread, so it is read once. */
static struct {
    int n;
    int *number;
    cpu_set_t *mask;
    size_t mask_bytes;
} allowed;

static int team;

/* sched_getaffinity() refuses a mask that is smaller than the kernel's, whose size is
 * not told: double until it fits. */
static void read_mask(void)
{
    for (int bits = CPU_SETSIZE;; bits *= 2) {
        allowed.mask_bytes = CPU_ALLOC_SIZE(bits);
        allowed.mask = memory_zeroed(1, allowed.mask_bytes);
        if (sched_getaffinity(0, allowed.mask_bytes, allowed.mask) == 0)
            return;
        if (errno != EINVAL || bits > INT_MAX / 4)
            die("cannot read which processors are allowed: %s", strerror(errno));
        free(allowed.mask);
    }
}

/* With OMP_PROC_BIND the OpenMP library has narrowed this thread's mask before main();
 * the places it binds to have the rest. */
static void add_openmp_places(void)
{
    for (int place = 0; place < omp_get_num_places(); place++) {
        int n = omp_get_place_num_procs(place);
        int *number = memory_zeroed((size_t)n, sizeof *number);
        omp_get_place_proc_ids(place, number);
        for (int i = 0; i < n; i++)
            CPU_SET_S((size_t)number[i], allowed.mask_bytes, allowed.mask);
        free(number);
    }
}

static void find_allowed(void)
{
    if (allowed.n)
        return;
    read_mask();
    add_openmp_places();
    int n = CPU_COUNT_S(allowed.mask_bytes, allowed.mask);
    allowed.number = memory_zeroed((size_t)n, sizeof *allowed.number);
    for (size_t i = 0; allowed.n < n; i++)
        if (CPU_ISSET_S(i, allowed.mask_bytes, allowed.mask))
            allowed.number[allowed.n++] = (int)i;
}

/* The count in an environment variable, or 0 when it is not set or not a count. */
static int count_from(const char *variable)
{
    const char *text = getenv(variable);
    if (!text)
        return 0;
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || count < 1 || count > INT_MAX) {
        log_warning("%s is '%s', expected a number of threads; not used", variable,
                    text);
        return 0;
    }
    if (count > allowed.n) {
        log_warning("%s is %ld, but this process may use %d processors; taking %d",
                    variable, count, allowed.n, allowed.n);
        return allowed.n;
    }
    return (int)count;
}

static int decide(int requested)
{
    if (requested > 0)
        return requested;
    int count = count_from("SLURM_CPUS_PER_TASK");
    if (!count)
        count = count_from("OMP_NUM_THREADS");
    return count ? count : allowed.n;
}

/* Pins the calling thread to the processor at this place of the mask, or with a
 * negative place lets it run on all of them. Returns whether the kernel agreed. */
static bool pin(int place)
{
    if (place < 0)
        return sched_setaffinity(0, allowed.mask_bytes, allowed.mask) == 0;
    cpu_set_t *one = memory_zeroed(1, allowed.mask_bytes);
    CPU_SET_S((size_t)allowed.number[place], allowed.mask_bytes, one);
    bool done = sched_setaffinity(0, allowed.mask_bytes, one) == 0;
    free(one);
    return done;
}

/* Where the kernel runs this thread now: processes that take a part of the same mask
 * then do not all take its first processors. */
static int first_place(void)
{
    int here = sched_getcpu();
    for (int i = 0; i < allowed.n; i++)
        if (allowed.number[i] == here)
            return i;
    return 0;
}

/* Places the threads of a team; returns how many there really are. */
static int place_team(int count)
{
    int first = count <= allowed.n ? first_place() : -1, refused = 0, started = 1;
#pragma omp parallel num_threads(count) reduction(+ : refused)
    {
        int thread = omp_get_thread_num();
        refused += !pin(first < 0 ? -1 : (first + thread) % allowed.n);
#pragma omp single
        started = omp_get_num_threads();
    }
    if (refused)
        log_warning("%d of %d threads could not be pinned to a processor", refused,
                    started);
    return started;
}

int threads_start(int requested)
{
    BUG_IF(requested < 0);
    find_allowed();
    int count = decide(requested);
    if (count > allowed.n)
        log_warning(
            "%d threads on %d processors: they are not pinned, and will wait for "
            "each other",
            count, allowed.n);
    /* First OpenBLAS: its OpenMP build takes the call to mean OpenMP as a whole. */
    openblas_set_num_threads(1);
    omp_set_dynamic(0);
    omp_set_num_threads(count);
    team = place_team(count);
    if (team != count) {
        log_warning("%d threads wanted, the OpenMP library starts %d", count, team);
        omp_set_num_threads(team);
    }
    return team;
}

int threads_count(void)
{
    return team ? team : omp_get_max_threads();
}

/* The value of a line `key <tab> : value`, or NULL. */
static char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    char *colon = strchr(line, ':');
    if (!colon || strncmp(line, key, length) != 0)
        return NULL;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    value[strcspn(value, "\n")] = 0;
    return *value ? value : NULL;
}

const char *threads_cpu_name(void)
{
    static char name[256];
    FILE *file = name[0] ? NULL : fopen("/proc/cpuinfo", "r");
    char line[1024], *value;
    while (file && !name[0] && fgets(line, sizeof line, file))
        if ((value = value_of(line, "model name")))
            snprintf(name, sizeof name, "%s", value);
    if (file)
        fclose(file);
    /* Not every architecture has that line. */
    struct utsname machine;
    if (!name[0])
        snprintf(name, sizeof name, "%s",
                 uname(&machine) == 0 ? machine.machine : "unknown");
    return name;
}

const char *threads_blas_config(void)
{
    return openblas_get_config();
}
