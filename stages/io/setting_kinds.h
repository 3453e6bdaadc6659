/*
 * setting_kinds.h - the kinds of values that are one scalar: how they are read from
 * YAML and written to it.
 *
 * Stricter than YAML: numbers are plain decimals without quotes (no nan, no inf, no
 * 1_000, no leading zeros), booleans are `true` and `false` alone.
 */
#ifndef IO_SETTING_KINDS_H
#define IO_SETTING_KINDS_H

#include "io/settings.h"

extern const struct setting_kind kind_integer, /* int */
    kind_kernel,                               /* int: 3, 5 or 7 */
    kind_number,                               /* double */
    kind_boolean,                              /* bool */
    kind_word,      /* const char *, one of the row's words */
    kind_text,      /* const char *, not empty, printable */
    kind_file_name, /* const char *: letters, digits, ._- */
    kind_seed;      /* uint64_t */

/* A double in as few digits as give the same double back, in a form that YAML 1.1
 * readers take for a number, too. */
enum { SETTING_NUMBER_SIZE = 40 };
void setting_number_text(double value, char text[SETTING_NUMBER_SIZE]);

/* A text as YAML: plain where every YAML reader takes it for text, else in quotes. */
void setting_write_text(FILE *out, const char *text);

#endif
