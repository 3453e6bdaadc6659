/*
 * digest.h - the SHA-256 of some bytes, as text: "sha256:" and 64 hexadecimal digits.
 */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_SIZE = 7 + 64 + 1 }; /* with the final NUL */

struct digest;

struct digest *digest_create(void);
void digest_add(struct digest *digest, const void *bytes, size_t n);
/* Writes the text and frees. */
void digest_finish(struct digest *digest, char text[DIGEST_SIZE]);
void digest_free(struct digest *digest); /* NULL is allowed */

/* Create, add and finish in one. */
void digest_of(const void *bytes, size_t n, char text[DIGEST_SIZE]);
/* Of all bytes of a file; false if it cannot be read. */
bool digest_read_file(const char *path, char text[DIGEST_SIZE]);
/* The library that computes it: "OpenSSL 3.0.11 19 Sep 2023". */
const char *digest_library(void);

#endif
