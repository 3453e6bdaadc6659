/*
 * stop.h - being told to stop.
 *
 * SIGTERM, SIGINT, SIGUSR1 (SIGXCPU, and SIGHUP unless it was ignored before) mean the
 * same: finish the step, write the checkpoint, exit with EXIT_RUN_AGAIN. The handler
 * only sets a flag; the training loop looks at it between steps. A second SIGINT at a
 * terminal ends the program at once. SIGXFSZ is ignored: the write fails instead.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
/* Name of the signal that asked ("SIGTERM"), or NULL. */
const char *stop_reason(void);
/* For tests and time limits: as if a signal had come. */
void stop_request(const char *reason);

#endif
