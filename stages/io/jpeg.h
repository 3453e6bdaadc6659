/*
 * jpeg.h - JPEG by libjpeg-turbo, for decode.c, which says what is taken how.
 */
#ifndef IO_JPEG_H
#define IO_JPEG_H

#include <stdbool.h>
#include <stddef.h>

struct jpeg;
struct jpeg *jpeg_create(void);
void jpeg_free(struct jpeg *jpeg); /* NULL is allowed */

bool jpeg_is(const unsigned char *bytes, size_t n);

/* Header; then how it is to be read; then the rows from `first` up to `end`, as many as
 * fit into `pixel` [end - first, *width, channels]. All return NULL or why not. */
const char *jpeg_begin(struct jpeg *jpeg, const unsigned char *bytes, size_t n,
                       int *height, int *width);
/* shrink: 1, 2, 4 or 8; height and width become those of the smaller picture. */
const char *jpeg_start(struct jpeg *jpeg, int channels, int shrink, int *height,
                       int *width);
const char *jpeg_read(struct jpeg *jpeg, int first, int end, unsigned char *pixel);

/* What was wrong with the data of the rows that were read, and guessed at; or NULL. */
const char *jpeg_damage(const struct jpeg *jpeg);

#endif
