/*
 * text_file.h - a text that replaces what stood under its name in one step, when it is
 * complete; and text in HTML.
 */
#ifndef PAPER_TEXT_FILE_H
#define PAPER_TEXT_FILE_H

#include <stdio.h>

#include "base/die.h"

struct text_file {
    FILE *out; /* write here; what fails is noticed by text_file_commit() */
    char *path, *temporary;
};

/* Makes the folders above it. */
void text_file_create(struct text_file *file, const char *path_format, ...)
    PRINTF_LIKE(2, 3);
void text_file_commit(struct text_file *file);

/* The whole of a file as text; NULL if there is none. The caller frees. */
char *text_file_read(const char *path);

/* &, <, > and " as entities. */
void html_text(FILE *out, const char *text);

#endif
