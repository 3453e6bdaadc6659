/*
 * mat.h - as much of MATLAB's MAT-files (level 5) as ILSVRC2012's meta.mat needs: an
 * array of structs, of which one field is a number and one a text.
 *
 * The format: a header of 128 bytes; then elements, each of a type, a size and data,
 * padded to 8 bytes; one of type 15 has another one in it, deflated. An array is an
 * element of type 14 whose data are elements: flags, dimensions, name, and of a struct
 * the names of its fields and an array for each field of each struct.
 */
#ifndef IO_MAT_H
#define IO_MAT_H

#include <stddef.h>

struct mat_row {
    double number;
    char text[32];
};

/*
 * Reads both fields of every struct of the array `variable` into *rows, n of them;
 * free() it. Returns NULL, or what was found and expected, which the caller frees.
 */
char *mat_read(const unsigned char *bytes, size_t size, const char *variable,
               const char *number_field, const char *text_field, struct mat_row **rows,
               size_t *n);

#endif
