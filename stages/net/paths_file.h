/*
 * paths_file.h - lists of paths in an artifact: uint8 [n, layers], the index of each
 * layer's op in `space/ops`.
 */
#ifndef NET_PATHS_FILE_H
#define NET_PATHS_FILE_H

#include "io/artifact.h"
#include "nas/path.h"

/* The space's op tokens as text, so that the numbers can be read. */
void space_save(struct artifact *artifact, const struct space *space);
/* Dies unless the artifact's ops and layers (channels, strides) are those of `space`.
 */
void space_check(struct artifact *artifact, const struct space *space);

void paths_save(struct artifact *artifact, const char *name, const struct path *path,
                size_t n, const char *description);
/* *path: allocated, the caller frees. Returns n. Dies unless they are paths of the
 * space that the artifact describes (space_save()). */
size_t paths_load(struct artifact *artifact, const char *name, struct path **path);

#endif
