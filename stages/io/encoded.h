/*
 * encoded.h - image files (JPEG, PNG) as they are, in one array of a dataset's file.
 *
 * ImageNet's are 140 GB, more than memory holds: they are read one by one when they are
 * needed. HDF5 is not thread-safe, so threads read past it, with pread() at the place
 * of the array in the file, which for that is in one piece; such arrays have no
 * checksums in HDF5, so each image has a CRC-32 (zlib's), checked whenever it is read.
 * Not mmap(): where a file has become shorter, or a file server is gone, pread() says
 * so.
 *
 * In the file: `encoded` [bytes]; for each split `offset`, `size`, `crc32`, `file`
 * (its name in the source), one of each image.
 */
#ifndef IO_ENCODED_H
#define IO_ENCODED_H

#include <stddef.h>
#include <stdint.h>

#include "io/artifact.h"

#define ENCODED_ARRAY "encoded"

/* The images of one split. */
struct encoded_images {
    int n;
    int64_t *offset; /* in the array, in bytes */
    int32_t *size;
    int64_t *crc32;
    /* Their split's name, and that of those that were appended, from n_own on: for
     * messages. */
    const char *split, *appended;
    int n_own;
};
void encoded_images_release(struct encoded_images *images);
/* `more`, which is no longer of use, behind `images`; once. */
void encoded_images_append(struct encoded_images *images, struct encoded_images *more);

struct encoded;
/* NULL if the file has no such array. */
struct encoded *encoded_open(struct artifact *file);
void encoded_close(struct encoded *encoded); /* NULL is allowed */

/* Dies unless every image lies within the array. */
void encoded_images_read(struct encoded *encoded, struct artifact *file,
                         const char *split, struct encoded_images *images);

/* The file of an image into bytes[its size]. Dies if it is not what was imported. Any
 * thread. */
void encoded_read(const struct encoded *encoded, const struct encoded_images *images,
                  int image, unsigned char *bytes);

/* Dies about an image, by its name: "'data/x.h5': 'train/cat/1.jpg': message". Any
 * thread, if no other uses HDF5. */
_Noreturn void encoded_die(const struct encoded *encoded,
                           const struct encoded_images *images, int image,
                           const char *message);

#endif
