#include "io/problems.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Whoever has more than this reads no further. */
enum { PROBLEMS_SHOWN = 100 };

void problems_init(struct problems *problems)
{
    *problems = (struct problems){0};
}

void problems_release(struct problems *problems)
{
    for (int i = 0; i < problems->n; i++)
        free(problems->list[i].message);
    free(problems->list);
    problems_init(problems);
}

void problems_add(struct problems *problems, struct place place, const char *format,
                  ...)
{
    if (problems->n == problems->capacity) {
        problems->capacity = problems->capacity ? 2 * problems->capacity : 16;
        problems->list = memory_resized(problems->list, (size_t)problems->capacity,
                                        sizeof *problems->list);
    }
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        die("no memory for a message");
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    problems->list[problems->n++] = (struct problem){place, message};
}

/* The order found settles ties: addresses in one array are that order. */
static int by_place(const void *a, const void *b)
{
    const struct problem *one = *(const struct problem *const *)a;
    const struct problem *two = *(const struct problem *const *)b;
    int line_one = one->place.line ? one->place.line : INT_MAX;
    int line_two = two->place.line ? two->place.line : INT_MAX;
    if (line_one != line_two)
        return line_one < line_two ? -1 : 1;
    if (one->place.column != two->place.column)
        return one->place.column < two->place.column ? -1 : 1;
    return one < two ? -1 : one > two;
}

char *problems_text(const struct problems *problems)
{
    const struct problem **sorted =
        memory_zeroed((size_t)problems->n + 1, sizeof *sorted);
    for (int i = 0; i < problems->n; i++)
        sorted[i] = &problems->list[i];
    qsort(sorted, (size_t)problems->n, sizeof *sorted, by_place);

    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("no memory for a message");
    for (int i = 0; i < problems->n && i < PROBLEMS_SHOWN; i++) {
        const struct place *place = &sorted[i]->place;
        if (place->line)
            fprintf(out, "%s:%d:%d: ", place->file, place->line, place->column);
        else
            fprintf(out, "%s: ", place->file);
        fprintf(out, "%s\n", sorted[i]->message);
    }
    if (problems->n > PROBLEMS_SHOWN)
        fprintf(out, "and %d more\n", problems->n - PROBLEMS_SHOWN);
    if (fclose(out) != 0)
        die("no memory for a message");
    free(sorted);
    return text;
}
