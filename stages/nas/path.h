/*
 * path.h - one architecture: the index of the chosen op for each searchable layer.
 *
 * A plain value; its text form is the op tokens with spaces between ("k3e6 id k5e3s").
 */
#ifndef NAS_PATH_H
#define NAS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nas/space.h"

struct path {
    uint8_t n;
    uint8_t op[SPACE_LAYERS_MAX];
};

enum { PATH_TEXT_SIZE = SPACE_LAYERS_MAX * OP_TOKEN_SIZE };

/* Lexicographic order of the genotype: < 0, 0, > 0. The last resort of every sort. */
int path_compare(const struct path *a, const struct path *b);
/* path_compare() as qsort() and bsearch() want it. */
int path_by_genotype(const void *a, const void *b);
bool path_equal(const struct path *a, const struct path *b);
uint64_t path_hash(const struct path *path);
void path_to_text(const struct path *path, const struct space *space,
                  char text[PATH_TEXT_SIZE]);
/* Tokens of the space, one per layer. False with a message in `why` (size bytes). */
bool path_parse(struct path *path, const struct space *space, const char *text,
                char *why, size_t size);
/*
 * A drawing for a terminal, one line per layer: stage, stride, output shape, token, and
 * a bar as wide as the layer has channels (widest layer: 40). '#' computes, '.' passes
 * through, '-' is the 1x1 convolution of an identity that changes the shape.
 */
enum { PATH_DRAW_SIZE = SPACE_LAYERS_MAX * 96 };
void path_draw(const struct path *path, const struct space *space, char *text,
               size_t size);

/* A growing set of paths, numbered in order of insertion: what was evaluated before. */
struct path_map;
struct path_map *path_map_create(void);
void path_map_free(struct path_map *map); /* NULL is allowed */
/* The path's number, or -1. */
long path_map_find(const struct path_map *map, const struct path *path);
/* Inserts if new; returns its number either way. */
long path_map_insert(struct path_map *map, const struct path *path);
long path_map_size(const struct path_map *map);
/* Valid until the next insertion. */
const struct path *path_map_at(const struct path_map *map, long index);

#endif
