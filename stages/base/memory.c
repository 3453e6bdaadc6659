#include "base/memory.h"

#include "base/die.h"

#include <errno.h>
#include <omp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif

/* Under the address sanitizer what is not taken is poisoned, with a gap behind each
 * block, so that an overrun inside the arena is seen like one on the heap. */
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 256 };
#define FORBID(start, bytes) ASAN_POISON_MEMORY_REGION(start, bytes)
#define ALLOW(start, bytes) ASAN_UNPOISON_MEMORY_REGION(start, bytes)
#else
enum { GAP = 0 };
#define FORBID(start, bytes) ((void)(start), (void)(bytes))
#define ALLOW(start, bytes) ((void)(start), (void)(bytes))
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older kernels refuse it */
#endif

enum {
    BLOCK = 256,                /* boundary of every block */
    SMALL_PAGE = 4096,          /* cache sets repeat at this distance */
    PLACES = SMALL_PAGE / BLOCK /* of a block within a small page */
};
static const size_t HUGE_PAGE = (size_t)2 << 20;

/* No user address on any 64-bit machine: following it faults. */
static const uintptr_t PLANNING_BASE = (uintptr_t)1 << 62;
static const size_t PLANNING_CAPACITY = (size_t)1 << 60;

struct arena {
    uintptr_t base; /* at a huge page */
    size_t capacity, used, peak;
    size_t place; /* of the next block, in BLOCKs from a small page's start */
    bool planning;
};

void *memory_zeroed(size_t count, size_t size)
{
    /* malloc(0) may be NULL, which would look like a failure. */
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        die("out of memory: %zu x %zu bytes wanted", count, size);
    return memory;
}

void *memory_resized(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!memory)
        die("out of memory: %zu x %zu bytes wanted", count, size);
    return memory;
}

char *memory_text_copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_zeroed(bytes, 1), text, bytes);
}

char *memory_format(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        die("cannot format '%s': %s", format, strerror(errno));
    return text;
}

/* `bytes` of address space at a huge page's boundary. */
static char *map_aligned(size_t bytes)
{
    size_t reserved = bytes + HUGE_PAGE;
    char *start = mmap(NULL, reserved, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        die("cannot map an arena of %.1f MiB: %s", (double)bytes / 0x1p20,
            strerror(errno));
    size_t before = -(uintptr_t)start & (HUGE_PAGE - 1);
    char *aligned = start + before;
    if (before)
        BUG_IF(munmap(start, before) != 0);
    BUG_IF(munmap(aligned + bytes, reserved - before - bytes) != 0);
    return aligned;
}

/* Gives every page its memory. One call that populates in the kernel is far cheaper
 * than a fault for each page; where it is refused, a write to each small page does the
 * same. */
static void touch(char *start, size_t bytes)
{
    if (madvise(start, bytes, MADV_POPULATE_WRITE) == 0)
        return;
    if (errno == ENOMEM || errno == EFAULT)
        die("out of memory: cannot fill an arena's share of %.1f MiB: %s",
            (double)bytes / 0x1p20, strerror(errno));
    for (size_t i = 0; i < bytes; i += SMALL_PAGE)
        ((volatile char *)start)[i] = 0;
}

struct arena *arena_create(size_t bytes)
{
    BUG_IF(bytes > PLANNING_CAPACITY);
    size_t pages = (bytes + HUGE_PAGE - 1) / HUGE_PAGE;
    pages = pages ? pages : 1;
    size_t capacity = pages * HUGE_PAGE;
    char *start = map_aligned(capacity);
    /* Advice: without huge pages it is slower, not wrong. */
    (void)madvise(start, capacity, MADV_HUGEPAGE);
#pragma omp parallel
    {
        size_t thread = (size_t)omp_get_thread_num(),
               threads = (size_t)omp_get_num_threads();
        size_t from = pages * thread / threads, to = pages * (thread + 1) / threads;
        if (from < to)
            touch(start + from * HUGE_PAGE, (to - from) * HUGE_PAGE);
    }
    FORBID(start, capacity);
    struct arena *arena = memory_zeroed(1, sizeof *arena);
    arena->base = (uintptr_t)start;
    arena->capacity = capacity;
    return arena;
}

struct arena *arena_create_planning(void)
{
    struct arena *arena = memory_zeroed(1, sizeof *arena);
    arena->base = PLANNING_BASE;
    arena->capacity = PLANNING_CAPACITY;
    arena->planning = true;
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    if (!arena->planning) {
        ALLOW((void *)arena->base, arena->capacity);
        BUG_IF(munmap((void *)arena->base, arena->capacity) != 0);
    }
    free(arena);
}

void *arena_take(struct arena *arena, size_t bytes)
{
    BUG_IF(bytes > PLANNING_CAPACITY);
    size_t ahead = (arena->place * BLOCK - arena->used) & (SMALL_PAGE - 1);
    size_t start = arena->used + ahead;
    size_t end = start + (bytes + BLOCK - 1) / BLOCK * BLOCK + GAP;
    if (end > arena->capacity)
        BUG("an arena of %zu bytes is full: %zu in use, %zu more wanted",
            arena->capacity, arena->used, bytes);
    arena->used = end;
    arena->place = (arena->place + 1) % PLACES;
    if (arena->used > arena->peak)
        arena->peak = arena->used;
    void *block = (void *)(arena->base + start);
    if (!arena->planning)
        ALLOW(block, bytes);
    return block;
}

/* `used` is a multiple of BLOCK, so the next block's place fits below it: after a
 * release the same sizes get the same addresses again. */
_Static_assert(PLACES <= BLOCK && GAP % BLOCK == 0, "a mark holds `used` and `place`");

size_t arena_mark(const struct arena *arena)
{
    return arena->used + arena->place;
}

void arena_release(struct arena *arena, size_t mark)
{
    size_t used = mark - mark % BLOCK;
    BUG_IF(used > arena->used || mark % BLOCK >= PLACES);
    if (!arena->planning)
        FORBID((void *)(arena->base + used), arena->used - used);
    arena->used = used;
    arena->place = mark % BLOCK;
}

size_t arena_peak(const struct arena *arena)
{
    return arena->peak;
}

size_t arena_capacity(const struct arena *arena)
{
    return arena->capacity;
}
