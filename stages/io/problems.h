/*
 * problems.h - what is wrong with what the user asked for, collected and told at once.
 *
 * Messages are one line each; bytes that a terminal would obey are shown as '?'. File
 * names of places are kept, not copied. One thread at a time.
 */
#ifndef IO_PROBLEMS_H
#define IO_PROBLEMS_H

#include "base/die.h"

/* `configs/mine.yaml`, 4, 18; or `SET`, 0, 0: line 0 has no position. */
struct place {
    const char *file;
    int line, column; /* from 1 */
};

struct problem {
    struct place place;
    char *message;
};

struct problems {
    int n, capacity;
    struct problem *list; /* in the order they were found */
};

void problems_init(struct problems *problems);
void problems_release(struct problems *problems);
void problems_add(struct problems *problems, struct place place, const char *format,
                  ...) PRINTF_LIKE(3, 4);
/* `file:line:column: message`, one a line, sorted by line and column, those without a
 * position last; after the first hundred, how many more. The caller frees. */
char *problems_text(const struct problems *problems);

#endif
