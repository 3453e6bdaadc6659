/*
 * png.h - PNG by libpng: files read for decode.c, and pictures written.
 */
#ifndef IO_PNG_H
#define IO_PNG_H

#include <stdbool.h>
#include <stddef.h>

enum { PNG_ERROR_SIZE = 200 };

bool png_is(const unsigned char *bytes, size_t n);

/* All return NULL or why not: a text in `error`. */
const char *png_size(const unsigned char *bytes, size_t n, int *height, int *width,
                     char error[PNG_ERROR_SIZE]);
/* pixel: [height, width, 3] */
const char *png_read(const unsigned char *bytes, size_t n, unsigned char *pixel,
                     char error[PNG_ERROR_SIZE]);
/* pixel: the same. A file that cannot be written whole is not left behind. */
const char *png_write(const char *path, int height, int width,
                      const unsigned char *pixel, char error[PNG_ERROR_SIZE]);

#endif
