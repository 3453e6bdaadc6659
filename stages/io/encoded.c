#include "io/encoded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base/die.h"
#include "base/memory.h"

struct encoded {
    char *path;
    int descriptor;
    size_t place, bytes; /* of the array, in the file */
};

struct encoded *encoded_open(struct artifact *file)
{
    size_t shape[ARTIFACT_RANK_MAX];
    if (!artifact_has(file, ENCODED_ARRAY))
        return NULL;
    struct encoded *encoded = memory_zeroed(1, sizeof(*encoded));
    encoded->path = memory_text_copy(artifact_path(file));
    int rank = artifact_shape(file, ENCODED_ARRAY, shape);
    encoded->place = artifact_place(file, ENCODED_ARRAY);
    if (rank != 1 || encoded->place == 0)
        die("'%s': array '%s' has %d dimensions and is %s, expected 1 and in one piece",
            encoded->path, ENCODED_ARRAY, rank,
            encoded->place ? "in one piece" : "in chunks");
    encoded->bytes = shape[0];
    encoded->descriptor = open(encoded->path, O_RDONLY | O_CLOEXEC);
    if (encoded->descriptor < 0)
        die("cannot open '%s': %s", encoded->path, strerror(errno));
    return encoded;
}

void encoded_close(struct encoded *encoded)
{
    if (!encoded)
        return;
    close(encoded->descriptor);
    free(encoded->path);
    free(encoded);
}

static void *read_column(struct artifact *file, const char *split, const char *name,
                         enum array_type type, size_t size, size_t n)
{
    char *path = memory_format("%s/%s", split, name);
    void *column = memory_zeroed(n, size);
    artifact_read(file, path, type, 1, &n, column);
    free(path);
    return column;
}

void encoded_images_read(struct encoded *encoded, struct artifact *file,
                         const char *split, struct encoded_images *images)
{
    size_t shape[ARTIFACT_RANK_MAX] = {0};
    char *offset = memory_format("%s/offset", split);
    int rank = artifact_shape(file, offset, shape);
    size_t n = shape[0];
    if (rank != 1 || n > INT32_MAX)
        die("'%s': '%s' has %d dimensions and %zu elements, expected 1 and at most %d",
            encoded->path, offset, rank, n, INT32_MAX);
    free(offset);
    *images = (struct encoded_images){
        .n = (int)n,
        .offset = read_column(file, split, "offset", ARRAY_I64, sizeof(int64_t), n),
        .size = read_column(file, split, "size", ARRAY_I32, sizeof(int32_t), n),
        .crc32 = read_column(file, split, "crc32", ARRAY_I64, sizeof(int64_t), n),
        .split = split,
        .n_own = (int)n,
    };
    int64_t bytes = (int64_t)encoded->bytes;
    for (size_t i = 0; i < n; i++)
        if (images->offset[i] < 0 || images->size[i] < 0 ||
            images->offset[i] > bytes - images->size[i])
            die("'%s': image %zu of '%s' is %d bytes from %lld on, '%s' has %lld",
                encoded->path, i, split, images->size[i], (long long)images->offset[i],
                ENCODED_ARRAY, (long long)bytes);
}

void encoded_images_release(struct encoded_images *images)
{
    free(images->offset);
    free(images->size);
    free(images->crc32);
    *images = (struct encoded_images){0};
}

static void *joined(void *one, int n, const void *other, int m, size_t size)
{
    char *both = memory_resized(one, (size_t)n + (size_t)m, size);
    memcpy(both + (size_t)n * size, other, (size_t)m * size);
    return both;
}

void encoded_images_append(struct encoded_images *images, struct encoded_images *more)
{
    int n = images->n, m = more->n;
    images->offset = joined(images->offset, n, more->offset, m, sizeof(int64_t));
    images->size = joined(images->size, n, more->size, m, sizeof(int32_t));
    images->crc32 = joined(images->crc32, n, more->crc32, m, sizeof(int64_t));
    images->n = n + m;
    images->appended = more->split;
    more->n = 0;
}

void encoded_read(const struct encoded *encoded, const struct encoded_images *images,
                  int image, unsigned char *bytes)
{
    size_t size = (size_t)images->size[image], done = 0;
    off_t at = (off_t)encoded->place + images->offset[image];
    while (done < size) {
        ssize_t n =
            pread(encoded->descriptor, bytes + done, size - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            encoded_die(encoded, images, image,
                        n < 0 ? strerror(errno) : "the file ends before it");
        done += (size_t)n;
    }
    if ((int64_t)crc32_z(0, bytes, size) != images->crc32[image])
        encoded_die(encoded, images, image,
                    "its bytes are not those that were imported (CRC-32)\n"
                    "the file is damaged: remove it to have it made again");
}

_Noreturn void encoded_die(const struct encoded *encoded,
                           const struct encoded_images *images, int image,
                           const char *message)
{
    bool own = image < images->n_own;
    char *array = memory_format("%s/file", own ? images->split : images->appended);
    if (!own)
        image -= images->n_own;
#pragma omp critical(encoded_name)
    {
        size_t n;
        struct artifact *file = artifact_open(encoded->path, NULL);
        char **names = artifact_read_texts(file, array, &n);
        die("'%s': '%s': %s", encoded->path, (size_t)image < n ? names[image] : "?",
            message);
    }
    BUG("die() came back");
}
