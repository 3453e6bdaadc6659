#include "io/idx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/die.h"
#include "base/memory.h"

enum { TYPE_UNSIGNED_BYTE = 8, HEADER_START = 4 };

/* zlib counts in 32 bits. */
enum { ZLIB_PIECE = 1 << 30, INFLATE_PIECE = 1 << 20 };

struct bytes {
    unsigned char *at;
    size_t n, capacity;
};

static void make_room(struct bytes *bytes, size_t more)
{
    if (bytes->capacity - bytes->n >= more)
        return;
    bytes->capacity =
        bytes->n + more > 2 * bytes->capacity ? bytes->n + more : 2 * bytes->capacity;
    bytes->at = memory_resized(bytes->at, bytes->capacity, 1);
}

static char *read_all(int descriptor, struct bytes *bytes)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return memory_text_copy(strerror(errno));
    if (!S_ISREG(status.st_mode))
        return memory_text_copy("it is not a regular file");
    make_room(bytes, (size_t)status.st_size + 1);
    for (;;) {
        ssize_t n = read(descriptor, bytes->at + bytes->n, bytes->capacity - bytes->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return memory_text_copy(strerror(errno));
        if (n == 0)
            return NULL;
        bytes->n += (size_t)n;
        make_room(bytes, 1);
    }
}

static char *read_file(const char *path, struct bytes *bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    char *reason = descriptor < 0 ? memory_text_copy(strerror(errno))
                                  : read_all(descriptor, bytes);
    if (descriptor >= 0)
        close(descriptor);
    char *error = reason ? memory_format("cannot read '%s': %s", path, reason) : NULL;
    free(reason);
    return error;
}

static bool is_gzip(const unsigned char *at, size_t n)
{
    return n >= 2 && at[0] == 0x1f && at[1] == 0x8b;
}

/*
 * One gzip member from the start of `in` to the end of `out`; *used becomes its length.
 * Returns why not, or NULL.
 */
static char *inflate_member(const unsigned char *in, size_t n, struct bytes *out,
                            size_t *used)
{
    z_stream stream = {0};
    size_t given = 0;
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return memory_text_copy("zlib does not start");
    int state = Z_OK;
    while (state == Z_OK) {
        if (stream.avail_in == 0) {
            size_t piece = n - given < ZLIB_PIECE ? n - given : ZLIB_PIECE;
            stream.next_in = (unsigned char *)in + given;
            stream.avail_in = (uInt)piece;
            given += piece;
        }
        make_room(out, INFLATE_PIECE);
        stream.next_out = out->at + out->n;
        stream.avail_out = INFLATE_PIECE;
        state = inflate(&stream, Z_NO_FLUSH);
        out->n += INFLATE_PIECE - stream.avail_out;
    }
    *used = given - stream.avail_in;
    char *error = NULL;
    if (state == Z_BUF_ERROR)
        error = memory_format("its gzip data ends too early, after %zu bytes", n);
    else if (state != Z_STREAM_END)
        error = memory_format("its gzip data is damaged: %s",
                              stream.msg ? stream.msg : zError(state));
    inflateEnd(&stream);
    return error;
}

/* All members of a gzip file. */
static char *inflate_all(const struct bytes *in, struct bytes *out)
{
    size_t at = 0;
    while (is_gzip(in->at + at, in->n - at)) {
        size_t used = 0;
        char *error = inflate_member(in->at + at, in->n - at, out, &used);
        if (error)
            return error;
        at += used;
    }
    return at == in->n ? NULL
                       : memory_format("%zu bytes follow its gzip data, expected none",
                                       in->n - at);
}

static size_t big_endian(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Reads the header; *size becomes the bytes of header and elements together. */
static char *parse_header(const struct bytes *bytes, struct idx *idx, size_t *size)
{
    const unsigned char *at = bytes->at;
    if (bytes->n < HEADER_START)
        return memory_format("it has %zu bytes, too few for an IDX header", bytes->n);
    if (at[0] != 0 || at[1] != 0)
        return memory_format(
            "it is not an IDX file: it starts with %02x %02x, expected 00 00", at[0],
            at[1]);
    if (at[2] != TYPE_UNSIGNED_BYTE)
        return memory_format(
            "its elements have IDX type %02x, expected 08 (unsigned bytes)", at[2]);
    if (at[3] < 1 || at[3] > IDX_RANK_MAX)
        return memory_format("it has %d dimensions, expected 1 to %d", at[3],
                             IDX_RANK_MAX);
    idx->rank = at[3];
    size_t header = HEADER_START + 4 * (size_t)idx->rank, count = 1;
    if (bytes->n < header)
        return memory_format("it has %zu bytes, its header alone takes %zu", bytes->n,
                             header);
    for (int d = 0; d < idx->rank; d++) {
        idx->shape[d] = big_endian(at + HEADER_START + 4 * d);
        if (__builtin_mul_overflow(count, idx->shape[d], &count) ||
            count > SIZE_MAX - header)
            return memory_text_copy("its header announces more elements than can be");
    }
    *size = header + count;
    return NULL;
}

/* Takes the elements out of `bytes`. */
static char *parse(struct bytes *bytes, struct idx *idx)
{
    size_t size = 0;
    char *error = parse_header(bytes, idx, &size);
    if (error)
        return error;
    if (bytes->n != size)
        return memory_format("it has %zu bytes%s, its header announces %zu", bytes->n,
                             bytes->n < size ? " (truncated)" : "", size);
    size_t header = HEADER_START + 4 * (size_t)idx->rank;
    memmove(bytes->at, bytes->at + header, size - header);
    idx->values = bytes->at;
    bytes->at = NULL;
    return NULL;
}

char *idx_read(struct idx *idx, const char *path)
{
    struct bytes file = {0}, inflated = {0};
    char *reason = NULL;
    *idx = (struct idx){0};
    char *error = read_file(path, &file);
    if (!error) {
        idx->file_bytes = file.n;
        digest_of(file.at, file.n, idx->file_digest);
        bool gzip = is_gzip(file.at, file.n);
        if (gzip)
            reason = inflate_all(&file, &inflated);
        if (!reason)
            reason = parse(gzip ? &inflated : &file, idx);
        if (reason)
            error = memory_format("'%s': %s", path, reason);
    }
    free(reason);
    free(file.at);
    free(inflated.at);
    return error;
}

void idx_release(struct idx *idx)
{
    free(idx->values);
    *idx = (struct idx){0};
}
