/*
 * retrained.h - a retrained network in its artifact: network/ says which path it is,
 * last/, average/ (with a moving average) and best/ have its weights and statistics.
 *
 * As with a supernet's probe, whoever loads the weights repeats one small judgement and
 * compares: best weights, the first training images, running statistics.
 */
#ifndef NET_RETRAINED_H
#define NET_RETRAINED_H

#include "io/dataset.h"
#include "net/supernet.h"

void retrained_save_network(const struct supernet *net, const struct path *path,
                            struct artifact *artifact);
/* Dies unless it is a path of this space. */
void retrained_load_path(struct artifact *artifact, const struct space *space,
                         struct path *path);

/* `net` has the best weights now. */
void retrained_save_check(const struct supernet *net, const struct path *path,
                          const struct dataset *dataset, struct artifact *artifact);
/* Loads the best weights and makes that check; then, if `last` are wanted, those of the
 * last epoch: the average's, if there is one. The check may be of validation images
 * that were trained on: then they are training images of `dataset` from now on. */
void retrained_load(struct supernet *net, const struct path *path,
                    struct dataset *dataset, bool last, struct artifact *artifact);

#endif
