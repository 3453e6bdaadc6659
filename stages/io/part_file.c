#include "io/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/checkpoint.h"
#include "io/encoded.h"
#include "io/temporary.h"

struct part_file {
    char *path;
    const char *source, *out;
    struct checkpoint *checkpoint;
    int descriptor; /* holds the lock */
    size_t place;   /* of the images in the file */
};

const char *part_file_path(const struct part_file *part)
{
    return part->path;
}

size_t part_file_place(const struct part_file *part)
{
    return part->place;
}

void part_file_write(struct part_file *part, const struct listed_image *image,
                     const unsigned char *bytes)
{
    off_t at = (off_t)part->place + image->offset;
    for (size_t n = (size_t)image->size, done = 0; done < n;) {
        ssize_t written =
            pwrite(part->descriptor, bytes + done, n - done, at + (off_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            die("cannot write '%s': %s", part->path, strerror(errno));
        done += (size_t)written;
    }
}

/* ---- the checkpoint ---- */

/* No image has this date: it is to be read. */
static const int64_t unread = INT64_MIN;

/* Whether the source is what it was. */
static void digest_listing(const struct image_list *list, char text[DIGEST_SIZE])
{
    struct digest *digest = digest_create();
    for (size_t i = 0; i < list->n; i++) {
        const struct listed_image *image = &list->image[i];
        char *line = memory_format("%s %lld\n", image->path, (long long)image->size);
        digest_add(digest, line, strlen(line));
        free(line);
    }
    digest_finish(digest, text);
}

/* As large in the beginning as in the end: what finds no room finds none at once. */
static void save(struct part_file *part, const struct image_list *list)
{
    char listing[DIGEST_SIZE];
    int64_t *crc32 = memory_zeroed(list->n, sizeof(*crc32)),
            *modified = memory_zeroed(list->n, sizeof(*modified));
    digest_listing(list, listing);
    for (size_t i = 0; i < list->n; i++) {
        crc32[i] = list->image[i].crc32;
        modified[i] = list->image[i].read ? list->image[i].modified : unread;
    }
    struct artifact *half = checkpoint_begin(part->checkpoint);
    artifact_write_text(half, "listing", listing, "digest of the names and sizes");
    artifact_write_i64(half, "place", (int64_t)part->place, "byte",
                       "where the images begin in the file of which they are part");
    artifact_write_vector(half, "crc32", ARRAY_I64, list->n, crc32, "1",
                          "CRC-32 of each image that was read");
    artifact_write_vector(half, "modified", ARRAY_I64, list->n, modified, "ns",
                          "date of each image that was read, from 1970 on; the least "
                          "number: it is still to be read, or was broken");
    checkpoint_commit(part->checkpoint, half);
    free(crc32);
    free(modified);
}

void part_file_save(struct part_file *part, const struct image_list *list)
{
    /* The record must not be on disk before what it speaks of. */
    if (fdatasync(part->descriptor) != 0)
        die("cannot flush '%s' to disk: %s", part->path, strerror(errno));
    save(part, list);
}

static void check_listing(const struct part_file *part, const struct image_list *list,
                          struct artifact *half)
{
    char listing[DIGEST_SIZE];
    char *was = artifact_read_text(half, "listing");
    digest_listing(list, listing);
    if (!was || strcmp(was, listing) != 0)
        die("'%s' is not what it was when '%s' was begun\n"
            "remove '%s' to start again, or restore what was there",
            part->source, part->path, artifact_path(half));
    free(was);
}

/* Marks what an earlier call has read of these same images; returns how many they
 * are. */
static size_t mark_read(struct image_list *list, struct artifact *half)
{
    size_t n = 0;
    int64_t *crc32 = memory_zeroed(list->n, sizeof(*crc32)),
            *modified = memory_zeroed(list->n, sizeof(*modified));
    artifact_read(half, "crc32", ARRAY_I64, 1, &list->n, crc32);
    artifact_read(half, "modified", ARRAY_I64, 1, &list->n, modified);
    for (size_t i = 0; i < list->n; i++) {
        struct listed_image *image = &list->image[i];
        image->read = modified[i] == image->modified;
        image->crc32 = crc32[i];
        n += image->read;
    }
    free(crc32);
    free(modified);
    return n;
}

/* ---- beginning, and going on ---- */

static const char units[] = "byte", description[] = "image files, one behind the other";

/* What HDF5 makes an array of; it has to have something in it. */
static size_t array_bytes(const struct image_list *list)
{
    return list->bytes > 0 ? (size_t)list->bytes : 1;
}

static int open_to_write(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0 && errno != ENOENT)
        die("cannot open '%s': %s", path, strerror(errno));
    return descriptor;
}

_Noreturn static void refuse_second(const struct part_file *part)
{
    die("'%s' is being written by another process", part->path);
}

/* Opens what was begun, with its lock; -1: there is nothing. */
static int open_locked(const struct part_file *part)
{
    for (;;) {
        struct stat held, named;
        int descriptor = open_to_write(part->path);
        if (descriptor < 0)
            return -1;
        if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            refuse_second(part);
        if (fstat(descriptor, &held) == 0 && stat(part->path, &named) == 0 &&
            held.st_dev == named.st_dev && held.st_ino == named.st_ino)
            return descriptor;
        /* Whoever had it has replaced it, or made the dataset of it. */
        close(descriptor);
    }
}

/* Whether the file that was begun can be gone on with, which it then is. */
static bool go_on(struct part_file *part, struct image_list *list)
{
    struct stat status;
    /* Without the file there is no lock, and the checkpoint is another's, or worthless.
     */
    struct artifact *half =
        part->descriptor < 0 ? NULL : checkpoint_load(part->checkpoint);
    if (!half)
        return false;
    check_listing(part, list, half);
    part->place = (size_t)artifact_read_i64(half, "place");
    bool good = fstat(part->descriptor, &status) == 0 &&
                status.st_size >= (off_t)part->place + list->bytes &&
                artifact_reserve_again(part->path, ENCODED_ARRAY, array_bytes(list),
                                       part->place, units, description);
    if (good)
        log_info("goes on after %zu of %zu images", mark_read(list, half), list->n);
    else
        log_warning("'%s' is not as it was left: starting again", part->path);
    artifact_close(half);
    return good;
}

/* A file that has its name and no checkpoint yet: useless when the process ends. */
static const char *useless;

static void remove_useless(void)
{
    if (useless)
        unlink(useless);
}

static void make_room(const struct part_file *part, const struct image_list *list)
{
    if (fallocate(part->descriptor, 0, (off_t)part->place, list->bytes) == 0 ||
        (errno != ENOSPC && errno != EFBIG))
        return;
    checkpoint_remove(part->checkpoint);
    die("'%s': there is no room for the %.1f GB of its images", part->path,
        (double)list->bytes / 1e9);
}

/* Gives a new file, which is locked, its name: that of the old one, which is locked,
 * too, or none that anybody else has given away meanwhile. */
static void publish(const struct part_file *part, const char *temporary)
{
    bool linked = part->descriptor < 0 && link(temporary, part->path) == 0;
    if (part->descriptor < 0 && !linked && errno == EEXIST) {
        unlink(temporary);
        refuse_second(part);
    }
    /* (Or the file system has no links.) */
    if (!linked && rename(temporary, part->path) != 0)
        die("cannot rename '%s' to '%s': %s", temporary, part->path, strerror(errno));
    if (linked)
        unlink(temporary);
}

static void begin(struct part_file *part, const struct image_list *list)
{
    static bool removes;
    char *temporary = temporary_path(part->path);
    temporary_remove_stale(part->path);
    temporary_remove_stale(part->out);
    part->place = artifact_reserve(temporary, ENCODED_ARRAY, array_bytes(list), units,
                                   description);
    int descriptor = open_to_write(temporary);
    (void)flock(descriptor, LOCK_EX | LOCK_NB);
    publish(part, temporary);
    if (part->descriptor >= 0)
        close(part->descriptor);
    part->descriptor = descriptor;
    free(temporary);
    useless = part->path;
    if (!removes && atexit(remove_useless) != 0)
        die("no memory for an exit handler");
    removes = true;
    save(part, list);
    make_room(part, list);
    useless = NULL;
}

struct part_file *part_file_open(const struct import_request *request,
                                 struct image_list *list)
{
    struct part_file *part = memory_zeroed(1, sizeof(*part));
    part->source = request->config->dataset.source;
    part->out = request->out;
    part->checkpoint = checkpoint_create(request->out, request->origin);
    part->path = artifact_sibling(request->out, ".part.h5");
    part->descriptor = open_locked(part);
    if (!go_on(part, list))
        begin(part, list);
    return part;
}

void part_file_close(struct part_file *part)
{
    if (!part)
        return;
    close(part->descriptor);
    checkpoint_free(part->checkpoint);
    free(part->path);
    free(part);
}

void part_file_forget(struct part_file *part)
{
    checkpoint_remove(part->checkpoint);
}
