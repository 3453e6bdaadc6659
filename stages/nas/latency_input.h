/*
 * latency_input.h - where a program has its latencies from: a table among its inputs,
 * made by program latency, or one of another device that the settings name.
 *
 * What is wrong with them ends the program: a table that is needed and not given, and
 * parts of the space that a table lacks (each is named).
 */
#ifndef NAS_LATENCY_INPUT_H
#define NAS_LATENCY_INPUT_H

#include "base/options.h"
#include "io/config.h"
#include "nas/cost.h"

/* The setting that needs latencies ("search.constraints.latency_ms"), or NULL: neither
 * limits nor the cost that is minimised are about them. */
const char *latency_needed_by(const struct search_config *search);

/* Gives the costs the times of the table among the inputs, and takes it out of their
 * list. A table that is not needed is used all the same: results then have latencies.
 * config_file: for the message that there is none. */
void latency_take_input(struct cost_table *cost, const struct space *space,
                        const struct search_config *search, const char *config_file,
                        struct option_texts *in);

/* The times of one artifact of program latency; and those of latency.table. */
void latency_take_artifact(struct cost_table *cost, const struct space *space,
                           const char *file);
void latency_take_public(struct cost_table *cost, const struct space *space,
                         const char *file);
/* Whether latency.table names a file, rather than measure. */
bool latency_is_imported(const struct config *config);

#endif
