#include "nas/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

int path_compare(const struct path *a, const struct path *b)
{
    int order = memcmp(a->op, b->op, a->n < b->n ? a->n : b->n);
    return order != 0 ? order : a->n - b->n;
}

int path_by_genotype(const void *a, const void *b)
{
    return path_compare(a, b);
}

bool path_equal(const struct path *a, const struct path *b)
{
    return path_compare(a, b) == 0;
}

/* FNV-1a, then a multiply and a shift: the map uses the low bits, which FNV mixes
 * least. */
uint64_t path_hash(const struct path *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int l = 0; l < path->n; l++)
        hash = (hash ^ path->op[l]) * 0x100000001b3u;
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

/* A text that grows in a buffer of the caller; what does not fit is cut off. */
struct text {
    char *start;
    size_t size, length;
};

static void PRINTF_LIKE(2, 3) append(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n =
        vsnprintf(text->start + text->length, text->size - text->length, format, list);
    va_end(list);
    BUG_IF(n < 0);
    text->length += (size_t)n;
    if (text->length >= text->size)
        text->length = text->size - 1;
}

void path_to_text(const struct path *path, const struct space *space,
                  char text[PATH_TEXT_SIZE])
{
    BUG_IF(path->n != space->n_layers);
    struct text out = {text, PATH_TEXT_SIZE, 0};
    text[0] = '\0';
    for (int l = 0; l < path->n; l++)
        append(&out, "%s%s", l == 0 ? "" : " ", space->op[path->op[l]].token);
}

static int find_op(const struct space *space, const char *token, size_t length)
{
    for (int o = 0; o < space->n_ops; o++)
        if (strlen(space->op[o].token) == length &&
            memcmp(space->op[o].token, token, length) == 0)
            return o;
    return -1;
}

static void explain_token(const struct space *space, int layer, const char *token,
                          size_t length, char *why, size_t size)
{
    struct text out = {why, size, 0};
    append(&out, "layer %d: '%.*s' is none of this space's choices (", layer + 1,
           (int)length, token);
    for (int o = 0; o < space->n_ops; o++)
        append(&out, "%s%s", o == 0 ? "" : " ", space->op[o].token);
    append(&out, ")");
}

bool path_parse(struct path *path, const struct space *space, const char *text,
                char *why, size_t size)
{
    static const char *const blank = " \t\r\n";
    BUG_IF(size == 0);
    *path = (struct path){0};
    int n = 0;
    for (text += strspn(text, blank); *text != '\0'; n++) {
        size_t length = strcspn(text, blank);
        int op = find_op(space, text, length);
        if (op < 0) {
            explain_token(space, n, text, length, why, size);
            return false;
        }
        if (n < space->n_layers)
            path->op[n] = (uint8_t)op;
        text += length;
        text += strspn(text, blank);
    }
    if (n != space->n_layers) {
        snprintf(why, size, "%d ops, but this space has %d layers", n, space->n_layers);
        return false;
    }
    path->n = (uint8_t)n;
    return true;
}

/* '#' computes, '-' is the 1x1 convolution of an identity that changes the shape, '.'
 * passes through. */
static char draw_mark(const struct op *op, const struct block_place *place)
{
    if (op->kind != OP_IDENTITY)
        return '#';
    return block_keeps_shape(place) ? '.' : '-';
}

static int widest_layer(const struct space *space)
{
    int widest = 1;
    for (int l = 0; l < space->n_layers; l++)
        if (space->layer[l].k > widest)
            widest = space->layer[l].k;
    return widest;
}

void path_draw(const struct path *path, const struct space *space, char *text,
               size_t size)
{
    enum { BAR_MAX = 40, NUMBER_MAX = 12 };
    BUG_IF(path->n != space->n_layers || size == 0);
    struct text out = {text, size, 0};
    text[0] = '\0';
    int widest = widest_layer(space);
    for (int l = 0; l < path->n; l++) {
        const struct block_place *place = &space->layer[l];
        const struct op *op = &space->op[path->op[l]];
        char shape[3 * NUMBER_MAX], stride[NUMBER_MAX] = "", bar[BAR_MAX + 1];
        snprintf(shape, sizeof shape, "%dx%dx%d", place->p, place->q, place->k);
        if (place->stride != 1)
            snprintf(stride, sizeof stride, "/%d", place->stride);
        int width = (int)((long)place->k * BAR_MAX / widest);
        memset(bar, draw_mark(op, place), sizeof bar);
        append(&out, "%2d %-2s %-11s %-6s %.*s\n", space->layer_stage[l] + 1, stride,
               shape, op->token, width < 1 ? 1 : width, bar);
    }
}

/* Open addressing with linear probing; a slot holds index + 1, 0 is free. */
struct path_map {
    struct path *path;
    long n, capacity;
    long *slot;
    size_t n_slots; /* a power of two, at least twice n */
};

struct path_map *path_map_create(void)
{
    enum { SLOTS_AT_FIRST = 64 };
    struct path_map *map = memory_zeroed(1, sizeof *map);
    map->n_slots = SLOTS_AT_FIRST;
    map->slot = memory_zeroed(map->n_slots, sizeof *map->slot);
    return map;
}

void path_map_free(struct path_map *map)
{
    if (map == NULL)
        return;
    free(map->path);
    free(map->slot);
    free(map);
}

/* The slot that holds the path, or the free one where it would go. */
static long *find_slot(const struct path_map *map, const struct path *path)
{
    size_t at = path_hash(path) & (map->n_slots - 1);
    while (map->slot[at] != 0 && !path_equal(&map->path[map->slot[at] - 1], path))
        at = (at + 1) & (map->n_slots - 1);
    return &map->slot[at];
}

long path_map_find(const struct path_map *map, const struct path *path)
{
    return *find_slot(map, path) - 1;
}

static void double_slots(struct path_map *map)
{
    map->n_slots *= 2;
    free(map->slot);
    map->slot = memory_zeroed(map->n_slots, sizeof *map->slot);
    for (long i = 0; i < map->n; i++)
        *find_slot(map, &map->path[i]) = i + 1;
}

long path_map_insert(struct path_map *map, const struct path *path)
{
    long found = path_map_find(map, path);
    if (found >= 0)
        return found;
    if (2 * (size_t)(map->n + 1) > map->n_slots)
        double_slots(map);
    if (map->n == map->capacity) {
        map->capacity = map->capacity == 0 ? 64 : 2 * map->capacity;
        map->path = memory_resized(map->path, (size_t)map->capacity, sizeof *map->path);
    }
    map->path[map->n] = *path;
    *find_slot(map, path) = ++map->n;
    return map->n - 1;
}

long path_map_size(const struct path_map *map)
{
    return map->n;
}

const struct path *path_map_at(const struct path_map *map, long index)
{
    BUG_IF(index < 0 || index >= map->n);
    return &map->path[index];
}
