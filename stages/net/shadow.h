/*
 * shadow.h - a second set of weights and running statistics for a network: their moving
 * average over the steps (EMA), or those of its best epoch.
 *
 * The network keeps its own while it trains; exchanged, whatever reads the network
 * reads the shadow's.
 */
#ifndef NET_SHADOW_H
#define NET_SHADOW_H

#include "net/supernet.h"

struct shadow;

/* As the network is now. */
struct shadow *shadow_create(const struct supernet *net);
void shadow_free(struct shadow *shadow); /* NULL is allowed */

/* Becomes a copy of the network's. */
void shadow_copy(struct shadow *shadow, const struct supernet *net);
/* Moves towards the network's: s = decay*s + (1 - decay)*w, statistics alike. */
void shadow_average(struct shadow *shadow, const struct supernet *net, double decay);
/* The decay after `step` updates (from 1): TensorFlow's min(decay, (1 + step) / (10 +
 * step)), so that a short run does not drag its initial weights along. */
double shadow_decay_at(double decay, long step);
/* Swaps the two sets; again, and it is as before. */
void shadow_exchange(struct shadow *shadow, struct supernet *net);

/* A checkpoint's form: two blocks under `group`, as they lie in memory. */
void shadow_save_state(const struct shadow *shadow, struct artifact *artifact,
                       const char *group);
void shadow_load_state(struct shadow *shadow, struct artifact *artifact,
                       const char *group);

#endif
