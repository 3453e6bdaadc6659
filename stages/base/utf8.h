/*
 * utf8.h - whether a text is UTF-8, as every text in our files is to be.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>

/* By RFC 3629: no longer form than needed, no surrogates, nothing above 10ffff. */
bool utf8_valid(const char *text);

/* The text with "\xE9" for each byte that is not ASCII: to show one that is not valid.
 * The caller frees. */
char *utf8_escaped(const char *text);

#endif
