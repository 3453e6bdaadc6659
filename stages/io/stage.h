/*
 * stage.h - what every stage does before and after its work: read its settings, say
 * what it starts from, keep its status record, write checkpoints in time, and end in
 * one of the two ways that are not an error (complete, or told to stop).
 */
#ifndef IO_STAGE_H
#define IO_STAGE_H

#include "base/options.h"
#include "io/artifact.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "io/status.h"

enum { STAGE_INPUTS_MAX = OPTION_TEXTS_MAX + 1 };

struct stage {
    const char *name;     /* of the program */
    const char *instance; /* of the stage: "greedy", see instance.h */
    struct options options;
    struct config *config;
    struct artifact_origin origin;
    struct status *status;
    struct checkpoint *checkpoint;
    /* private */
    char *effective;
    const char *input[STAGE_INPUTS_MAX];
    double last_checkpoint;
    long steps_since;
    bool saved; /* this process wrote a checkpoint */
};

/* After options_parse() filled stage->options: threads, signals, config, status record,
 * and whose checkpoint it is. Exits when --out is an input, or cannot be written. */
void stage_begin(struct stage *stage, const char *name);

/* Call once a step: has the time (or the number of steps) for a checkpoint come, or was
 * the program told to stop? */
bool stage_checkpoint_due(struct stage *stage);
/* Writes what `save` writes. */
void stage_checkpoint(struct stage *stage,
                      void (*save)(void *context, struct artifact *artifact),
                      void *context);
/* Before ending early: the same, unless the last checkpoint has all that was done. (A
 * signal may come after stage_checkpoint_due() looked.) */
void stage_checkpoint_last(struct stage *stage,
                           void (*save)(void *context, struct artifact *artifact),
                           void *context);

/* The artifact was committed: removes the checkpoint. Returns the exit code. */
int stage_complete(struct stage *stage);
/* It ends early, with a checkpoint if there is something to keep. Returns the exit
 * code. */
int stage_interrupted(struct stage *stage);

#endif
