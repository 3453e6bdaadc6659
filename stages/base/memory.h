/*
 * memory.h - allocation that does not fail quietly, and the arena.
 *
 * A training step touches hundreds of megabytes and must never give them back: a page
 * fault costs more than the arithmetic on the page. So all tensors live in one arena
 * of huge pages, mapped and touched once; `arena_mark`/`arena_release` reuse it like a
 * stack. A path changes every step, and planning its tensors is moving a pointer.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* These die() when there is no memory; the caller frees with free(). */
void *memory_zeroed(size_t count, size_t size);
/* As realloc(): what was there stays, what is new has no value. */
void *memory_resized(void *old, size_t count, size_t size);
char *memory_text_copy(const char *text);
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct arena;
/* Maps `bytes` (rounded up to huge pages) and touches them with all OpenMP threads. */
struct arena *arena_create(size_t bytes);
void arena_free(struct arena *arena); /* NULL is allowed */

/*
 * `bytes` at a 256-byte boundary, each block a little further from a 4 KiB multiple
 * than the one before (blocks at equal offsets would fight for the same cache sets).
 * The contents are whatever was there. Running out is a BUG: sizes are planned.
 */
void *arena_take(struct arena *arena, size_t bytes);
#define arena_floats(arena, count)                                                     \
    ((float *)arena_take((arena), (size_t)(count) * sizeof(float)))
#define arena_doubles(arena, count)                                                    \
    ((double *)arena_take((arena), (size_t)(count) * sizeof(double)))

/* Everything taken after the mark is free again. */
size_t arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, size_t mark);
/* The most bytes that were ever in use, and how many there are. */
size_t arena_peak(const struct arena *arena);
size_t arena_capacity(const struct arena *arena);
/*
 * A planning arena hands out no memory (arena_take returns a pointer that must not be
 * followed): run the allocation code once on it, and arena_peak() is the size needed.
 */
struct arena *arena_create_planning(void);

#endif
