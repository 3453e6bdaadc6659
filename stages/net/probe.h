/*
 * probe.h - did the weights arrive as they were saved?
 *
 * An artifact with weights also holds one path and its loss on a fixed set of
 * validation images. Whoever loads the weights scores the path again: a wrong layout,
 * another dataset or a broken kernel shows before days are spent on it.
 */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include "net/score.h"

/* A scorer that saves or checks a probe has to have this capacity. */
enum { PROBE_IMAGES_MAX = 64 };

void probe_save(struct scorer *scorer, const struct path *path, uint64_t seed,
                struct artifact *artifact);
/* Dies if the loss differs by more than a thousandth. */
void probe_check(struct scorer *scorer, struct artifact *artifact);

#endif
