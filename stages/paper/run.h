/*
 * run.h - the artifacts of one run, as a report reads them: whatever is there is used,
 * what is not is said to be missing, with the make target that makes it.
 *
 * An artifact goes by its place in the run's folder: "greedy", "evaluate/found". It is
 * opened when it is first asked for, and stays open.
 */
#ifndef PAPER_RUN_H
#define PAPER_RUN_H

#include <stdbool.h>

#include "io/artifact.h"
#include "io/config.h"

struct run;

/* Dies when there is no such folder. */
struct run *run_open(const char *folder);
void run_close(struct run *run); /* NULL is allowed */
const char *run_folder(const struct run *run);
/* The folder's own name: "quickstart". */
const char *run_name(const struct run *run);

bool run_has(const struct run *run, const char *name);
/* NULL if it is not there. A damaged one ends the program. */
struct artifact *run_artifact(struct run *run, const char *name);
/* The settings it was made with; NULL if it is not there, or if they are not those of
 * this version (then with a warning). */
const struct config *run_config(struct run *run, const char *name);
/* What a person types to have it: "make search", "make evaluate NET=found". */
void run_target(const char *name, char *text, size_t size);

/* Names of the artifacts in a folder of the run ("" is the run's own, "evaluate"), in
 * the order of strcmp(), checkpoints left out. One free() for the whole. */
char **run_list(const struct run *run, const char *folder, size_t *n);

/*
 * What a table or picture was made from: collected while it is made, printed in its
 * caption.
 */
struct sources {
    struct run *run;
    int n;
    char **name; /* asked for, in that order, each once */
};
void sources_init(struct sources *sources, struct run *run);
void sources_release(struct sources *sources);
/* run_artifact(), remembered. */
struct artifact *sources_artifact(struct sources *sources, const char *name);
/* "Made from greedy.h5 (ea58ced0417a, seed 1), warmup.h5 (...). Not there: uniform.h5
 * (make uniform)." The caller frees. */
char *sources_text(const struct sources *sources);

/* The first 12 digits of an artifact's digest: enough to tell two apart. */
enum { SHORT_DIGEST_SIZE = 13 };
void digest_shorten(const char *digest, char text[SHORT_DIGEST_SIZE]);
void short_digest(struct artifact *artifact, char text[SHORT_DIGEST_SIZE]);

#endif
