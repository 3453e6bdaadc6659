/*
 * status.h - a stage's own record of how it is doing, `X.status.yaml` beside X.h5.
 *
 * The first source of truth of `make status`: state, host, job, step of total, loss,
 * rate, ETA, times, what this process has used (processor time of all threads, largest
 * resident set), last message. Replaced atomically, at most once a second unless the
 * state changes. A record that cannot be written is a warning, never the end of a run.
 */
#ifndef IO_STATUS_H
#define IO_STATUS_H

enum status_state {
    STATUS_RUNNING,
    STATUS_COMPLETE,
    STATUS_FAILED,      /* die(): the message says why */
    STATUS_INTERRUPTED, /* exit 75: checkpoint kept, run again */
};

struct status;

/* Starts the record as RUNNING and makes die() record FAILED with its message. */
struct status *status_create(const char *out, const char *stage);
/* loss: NAN when there is none. rate: units a second; eta: seconds, -1 unknown. */
void status_update(struct status *status, long done, long total, const char *unit,
                   double loss, double rate, double eta);
void status_finish(struct status *status, enum status_state state, const char *message);
void status_free(struct status *status); /* NULL is allowed */

#endif
