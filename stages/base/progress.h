/*
 * progress.h - how far, how fast, how long still.
 *
 * On a terminal one line that is rewritten, with a bar; elsewhere (a log) a line now
 * and then: at the start, then every half minute, at the end.
 *
 *   greedy  [=======>          ] 1240/3000 steps  41%  loss 1.234  ETA 9m 10s
 *   greedy: 1240/3000 steps  41%  loss 1.234  ETA 9m 10s
 *
 * A quiet log shows neither; rate and ETA are known all the same. One thread.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>

struct progress {
    const char *unit; /* "steps" */
    long done, total, started_at;
    double started, last_line, last_copied, rate;
    /* A moving window of (time, done) gives the rate. */
    double window_time[16];
    long window_done[16];
    int window_count;
    bool on_terminal;
};

/* A run that resumes starts at done > 0; the rate counts only what is done here. */
void progress_start(struct progress *progress, const char *unit, long done, long total);
/* `note` is what the stage wants shown: "loss 1.234  2210 img/s"; NULL: the rate. */
void progress_update(struct progress *progress, long done, const char *note);
void progress_finish(struct progress *progress, const char *note);
/* Units a second, and seconds to the end; -1 while unknown. For the status record. */
double progress_rate(const struct progress *progress);
double progress_eta(const struct progress *progress);

#endif
