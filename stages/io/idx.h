/*
 * idx.h - arrays of bytes in the IDX format of MNIST, gzipped or not.
 *
 * The format: two zero bytes, the type (08: unsigned bytes, the only one here), the
 * number of dimensions, each dimension as a big-endian 32-bit number, then the
 * elements, the last dimension fastest.
 */
#ifndef IO_IDX_H
#define IO_IDX_H

#include <stddef.h>

#include "io/digest.h"

enum { IDX_RANK_MAX = 4 };

struct idx {
    int rank;
    size_t shape[IDX_RANK_MAX];
    unsigned char *values;
    /* Of the file as it is, gzipped or not: */
    size_t file_bytes;
    char file_digest[DIGEST_SIZE];
};

/*
 * Reads a whole file. Returns NULL, or a message with the path, what was found and what
 * was expected (the caller frees it, and has nothing to release then). No more memory
 * is asked for than the file has bytes for, whatever its header announces.
 */
char *idx_read(struct idx *idx, const char *path);
void idx_release(struct idx *idx);

#endif
