/*
 * networks.h - the networks of a run that are trained from scratch: what an entry of
 * retrain.networks means.
 *
 *   found                  the path that the run's search has found
 *   random, search_uniform that of another search, by the name of its instance
 *   net2                   that of ablation/net2/search
 *   largest, smallest      of the run's space, by FLOPs
 *   mobilenetv2            a published one: the space and path of ZOO/mobilenetv2.yaml
 *   NAME=TOKENS, TOKENS    one's own, a token for each layer with blanks between; by
 *                          itself it is called as its tokens, with - between
 */
#ifndef IO_NETWORKS_H
#define IO_NETWORKS_H

#include "io/config.h"

struct network {
    char *name;   /* its artifacts are retrain/NAME.h5 and evaluate/NAME.h5 */
    char *search; /* the instance that has to find it first; NULL: none */
    char *value;  /* of retrain.network: found, largest, smallest, or tokens */
    char *file;   /* of the published one, with a space of its own; NULL: none */
};

/* zoo: a folder. False with a message, which the caller frees, if it is none. */
bool network_parse(struct network *network, const char *entry, const char *zoo,
                   char **why);
void network_release(struct network *network);
/* The entry of the list that has this name; the name itself if there is none. */
bool network_find(struct network *network, const struct text_list *networks,
                  const char *name, const char *zoo, char **why);

#endif
