/*
 * instance.h - the stages of a run by name.
 *
 * A program makes several artifacts of one run: `uniform` is warmup's work for a budget
 * of its own, `ablation/net2/greedy` is greedy's without the candidate pool. Such an
 * instance is called as its artifact is in the run's folder. It has settings of its own
 * (`config --stage=NAME` writes them, with `stage: NAME` at the top), and some of these
 * are its nature: they stand whatever the experiment says.
 */
#ifndef IO_INSTANCE_H
#define IO_INSTANCE_H

#include <stdbool.h>

struct instance {
    const char *name;
    const char *program; /* "greedy" */
    unsigned use;        /* whose settings it uses, see settings.h */
    const char *presets; /* overrides, as in "greedy.filter=false"; "" = none */
};

/* False if there is none of that name. KIND/NAME is an instance of the stage KIND
 * whatever NAME is: retrain/found. */
bool instance_find(const char *name, struct instance *instance);

/* The names of all but those of the form KIND/NAME, in the order in which they are
 * made; NULL ends them. */
const char *const *instance_names(void);

#endif
