#include "io/status.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/threads.h"
#include "io/artifact.h"
#include "io/temporary.h"

static const double WRITE_SECONDS = 1;

static const char *const state_names[] = {
    [STATUS_RUNNING] = "running",
    [STATUS_COMPLETE] = "complete",
    [STATUS_FAILED] = "failed",
    [STATUS_INTERRUPTED] = "interrupted",
};
_Static_assert(sizeof(state_names) / sizeof(state_names[0]) == STATUS_INTERRUPTED + 1,
               "a name per state");

struct status {
    char *path, *temporary, *stage, *message;
    enum status_state state;
    long done, total;
    char *unit;
    double loss, rate, eta;
    char started[CLOCK_DATE_SIZE];
    double began, written; /* clock_seconds() */
    bool warned;
};

/* Whom die() reports to: one stage in a process. */
static struct status *current;

/* A YAML string in double quotes. Bytes above 127 pass: they are UTF-8. */
static void write_text(FILE *file, const char *key, const char *text)
{
    fprintf(file, "%s: \"", key);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c < ' ' || *c == 127)
            fprintf(file, "\\x%02X", *c);
        else
            putc(*c, file);
    }
    fprintf(file, "\"\n");
}

static void write_number(FILE *file, const char *key, bool known, double value)
{
    if (!known || isnan(value))
        fprintf(file, "%s: null\n", key);
    else if (isinf(value))
        fprintf(file, "%s: %s.inf\n", key, value < 0 ? "-" : "");
    else
        fprintf(file, "%s: %.6g\n", key, value);
}

static void write_record(const struct status *status, FILE *file)
{
    char now[CLOCK_DATE_SIZE];
    const char *job = getenv("SLURM_JOB_ID");
    clock_date(now);
    write_text(file, "state", state_names[status->state]);
    write_text(file, "stage", status->stage);
    write_text(file, "host", temporary_host());
    fprintf(file, "pid: %ld\n", (long)getpid());
    write_text(file, "job", job ? job : "");
    write_text(file, "started", status->started);
    write_text(file, "updated", now);
    fprintf(file, "done: %ld\ntotal: %ld\n", status->done, status->total);
    write_text(file, "unit", status->unit);
    write_number(file, "loss", true, status->loss);
    write_number(file, "rate", status->rate >= 0, status->rate);
    write_number(file, "eta_seconds", status->eta >= 0, status->eta);
    write_number(file, "elapsed_seconds", true, clock_seconds() - status->began);
    write_number(file, "cpu_seconds", true, clock_cpu_seconds());
    write_number(file, "peak_bytes", true, clock_peak_resident_bytes());
    fprintf(file, "threads: %d\n", threads_count());
    write_text(file, "message", status->message);
}

/* Whether the record is in place; errno says why not. Not flushed to disk: a record
 * that a power failure took is not worth waiting for. */
static bool replace_record(const struct status *status)
{
    FILE *file = fopen(status->temporary, "we");
    if (!file)
        return false;
    write_record(status, file);
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (good && rename(status->temporary, status->path) == 0)
        return true;
    int error = errno;
    unlink(status->temporary);
    errno = error;
    return false;
}

static void write_status(struct status *status)
{
    status->written = clock_seconds();
    if (!replace_record(status) && !status->warned) {
        log_warning("cannot write '%s': %s", status->path, strerror(errno));
        status->warned = true; /* once is enough */
    }
}

static void replace_text(char **text, const char *new_text)
{
    if (!strcmp(*text, new_text))
        return;
    free(*text);
    *text = memory_text_copy(new_text);
}

static void record_death(const char *message)
{
    if (current && current->state == STATUS_RUNNING)
        status_finish(current, STATUS_FAILED, message);
}

struct status *status_create(const char *out, const char *stage)
{
    struct status *status = memory_zeroed(1, sizeof(*status));
    status->path = artifact_sibling(out, ".status.yaml");
    status->temporary = temporary_path(status->path);
    status->stage = memory_text_copy(stage);
    status->message = memory_text_copy("");
    status->unit = memory_text_copy("");
    status->state = STATUS_RUNNING;
    status->loss = (double)NAN;
    status->rate = status->eta = -1;
    status->began = clock_seconds();
    clock_date(status->started);
    current = status;
    die_set_hook(record_death);
    temporary_remove_stale(status->path);
    write_status(status);
    return status;
}

void status_update(struct status *status, long done, long total, const char *unit,
                   double loss, double rate, double eta)
{
    status->done = done;
    status->total = total;
    status->loss = loss;
    status->rate = rate;
    status->eta = eta;
    replace_text(&status->unit, unit);
    if (clock_seconds() - status->written >= WRITE_SECONDS)
        write_status(status);
}

void status_finish(struct status *status, enum status_state state, const char *message)
{
    status->state = state;
    status->eta = -1;
    replace_text(&status->message, message ? message : "");
    write_status(status);
}

void status_free(struct status *status)
{
    if (!status)
        return;
    if (current == status) {
        current = NULL;
        die_set_hook(NULL);
    }
    free(status->path);
    free(status->temporary);
    free(status->stage);
    free(status->message);
    free(status->unit);
    free(status);
}
