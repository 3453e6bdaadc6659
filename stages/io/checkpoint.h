/*
 * checkpoint.h - a stage's private half-way state, `X.ckpt.h5` beside its artifact
 * X.h5.
 *
 * Two generations: the new one is written completely under a temporary name, the
 * current one gets the name `X.ckpt.prev.h5`, too, and the new one replaces it; a kill
 * at any moment leaves at least one good file, and loses nothing that was committed.
 * Loading tries the newest first, verifies all of it, and falls back to the previous
 * one with a warning. A checkpoint of another config or of other inputs is refused:
 * die() says which of them differs and what to type.
 *
 * Its contents are written and read with the calls of artifact.h.
 */
#ifndef IO_CHECKPOINT_H
#define IO_CHECKPOINT_H

#include "io/artifact.h"

struct checkpoint; /* where and whose */

/* `out`: the stage's artifact path. Digests of the inputs are taken now, once. */
struct checkpoint *checkpoint_create(const char *out,
                                     const struct artifact_origin *origin);
void checkpoint_free(struct checkpoint *checkpoint); /* NULL is allowed */

/* The newest good generation, open for reading (artifact_close it), or NULL: none. */
struct artifact *checkpoint_load(struct checkpoint *checkpoint);

/* Begin; write with artifact_write*(); then commit, which also frees the handle. */
struct artifact *checkpoint_begin(struct checkpoint *checkpoint);
void checkpoint_commit(struct checkpoint *checkpoint, struct artifact *artifact);

/* Both generations are removed; called after the artifact was committed. */
void checkpoint_remove(struct checkpoint *checkpoint);

#endif
