/*
 * h5.h - what we ask of HDF5: typed arrays and text attributes, every call checked.
 *
 * Functions return NULL, or what went wrong in HDF5's innermost words ("data error
 * detected by Fletcher32 checksum"), which the caller frees. HDF5 itself prints
 * nothing.
 *
 * Everything in a file (but what h5_reserve() makes) is covered by a checksum: arrays
 * are chunked with Fletcher32; scalars, which cannot be chunked, lie in the object
 * header, which HDF5's 1.10 format checksums like all its metadata. Strings are of
 * fixed length (padded with NUL), for HDF5 keeps those of variable length in a heap
 * that has no checksum.
 *
 * One thread at a time.
 */
#ifndef IO_H5_H
#define IO_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#include "io/artifact.h"

/* Type and shape of an array; rank 0 is a scalar. */
struct h5_array {
    enum array_type type;
    int rank;
    size_t shape[ARTIFACT_RANK_MAX];
    size_t text_size; /* ARRAY_TEXT in a file: bytes of each string; else 0 */
};

/* "f32", as in the digest of an artifact; and its bytes in memory (0 for text). */
const char *h5_type_name(enum array_type type);
size_t h5_type_size(enum array_type type);
/* Product of the shape; 1 for a scalar. */
size_t h5_count(const struct h5_array *array);
/* "60000x28x28x1", "scalar". */
enum { H5_SHAPE_SIZE = 128 };
void h5_shape_text(const struct h5_array *array, char text[H5_SHAPE_SIZE]);
/* "HDF5 1.10.8", the library that runs. */
const char *h5_library(void);

char *h5_create(const char *path, hid_t *file);
char *h5_open(const char *path, hid_t *file);        /* read only, without a lock */
char *h5_open_to_add(const char *path, hid_t *file); /* more arrays and attributes */
char *h5_close(hid_t file);

/* Makes groups as needed; text is `const char *const *`, one pointer per element. */
char *h5_write(hid_t file, const char *name, const struct h5_array *array,
               const void *data);
/*
 * Room for a vector of n >= 1 bytes in one piece, which lies at *place in the file from
 * now on, and is written there by other means. HDF5 has no checksums for such arrays.
 */
char *h5_reserve(hid_t file, const char *name, size_t n, size_t *place);
/* Where an array lies in the file; *place is 0 for one that is in pieces. */
char *h5_place(hid_t file, const char *name, size_t *place);
bool h5_has(hid_t file, const char *name);
char *h5_inspect(hid_t file, const char *name, struct h5_array *array);
/* Reads all of it as `type`; numbers are converted. For text, `data` takes
 * h5_count() * text_size bytes, padded with NUL and without a final one. */
char *h5_read(hid_t file, const char *name, const struct h5_array *array,
              enum array_type type, void *data);
/* Full names ("group/name") of all arrays, in the order of strcmp(); one free() for all
 * of it. */
char *h5_list(hid_t file, char ***names, size_t *n);

/* Attributes of an object; "/" is the file itself. */
char *h5_attribute_text(hid_t file, const char *object, const char *name,
                        const char *value);
char *h5_attribute_texts(hid_t file, const char *object, const char *name, size_t n,
                         const char *const *values);
char *h5_attribute_u64(hid_t file, const char *object, const char *name,
                       uint64_t value);
/* As text: a number in decimal, several strings with a newline between them. *value is
 * NULL if there is no such attribute; the caller frees. */
char *h5_attribute_read(hid_t file, const char *object, const char *name, char **value);

#endif
