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

struct part_file {
    char *path;
    const char *source;
    struct checkpoint *checkpoint;
    int descriptor;
    size_t place; /* of the images in the file */
};

const char *part_file_path(const struct part_file *part)
{
    return part->path;
}

size_t part_file_place(const struct part_file *part)
{
    return part->place;
}

void part_file_write(struct part_file *part, const unsigned char *bytes, size_t n,
                     int64_t offset)
{
    off_t at = (off_t)part->place + offset;
    for (size_t done = 0; done < n;) {
        ssize_t written =
            pwrite(part->descriptor, bytes + done, n - done, at + (off_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            die("cannot write '%s': %s", part->path, strerror(errno));
        done += (size_t)written;
    }
}

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

void part_file_save(struct part_file *part, const struct image_list *list, size_t done)
{
    /* The record must not be on disk before what it speaks of. */
    if (fdatasync(part->descriptor) != 0)
        die("cannot flush '%s' to disk: %s", part->path, strerror(errno));
    char listing[DIGEST_SIZE];
    int64_t *crc32 = memory_zeroed(done, sizeof(*crc32)),
            *broken = memory_zeroed(done, sizeof(*broken));
    const char **why = memory_zeroed(done, sizeof(*why));
    size_t n_broken = 0;
    digest_listing(list, listing);
    for (size_t i = 0; i < done; i++) {
        crc32[i] = list->image[i].crc32;
        if (!list->image[i].broken)
            continue;
        broken[n_broken] = (int64_t)i;
        why[n_broken++] = list->image[i].broken;
    }
    struct artifact *half = checkpoint_begin(part->checkpoint);
    artifact_write_text(half, "listing", listing, "digest of the names and sizes");
    artifact_write_i64(half, "place", (int64_t)part->place, "byte",
                       "where the images begin in the file of which they are part");
    artifact_write_vector(half, "crc32", ARRAY_I64, done, crc32, "1",
                          "CRC-32 of the images that were read");
    artifact_write_vector(half, "broken", ARRAY_I64, n_broken, broken, "1",
                          "numbers of those that are broken");
    artifact_write_vector(half, "why", ARRAY_TEXT, n_broken, why, "text",
                          "why they are");
    checkpoint_commit(part->checkpoint, half);
    free(crc32);
    free(broken);
    free(why);
}

/* What an earlier call did, of these same images; returns how many they are. */
static size_t load_progress(struct part_file *part, struct image_list *list,
                            struct artifact *half)
{
    char listing[DIGEST_SIZE];
    size_t done[ARTIFACT_RANK_MAX], n_broken;
    char *was = artifact_read_text(half, "listing");
    digest_listing(list, listing);
    if (!was || strcmp(was, listing) != 0)
        die("'%s' is not what it was when '%s' was begun\n"
            "remove '%s' to start again, or restore what was there",
            part->source, part->path, artifact_path(half));
    part->place = (size_t)artifact_read_i64(half, "place");
    artifact_shape(half, "crc32", done);
    int64_t *crc32 = memory_zeroed(done[0], sizeof(*crc32));
    artifact_read(half, "crc32", ARRAY_I64, 1, done, crc32);
    for (size_t i = 0; i < done[0]; i++)
        list->image[i].crc32 = crc32[i];
    char **why = artifact_read_texts(half, "why", &n_broken);
    int64_t *broken = memory_zeroed(n_broken, sizeof(*broken));
    artifact_read(half, "broken", ARRAY_I64, 1, &n_broken, broken);
    for (size_t i = 0; i < n_broken; i++)
        list->image[broken[i]].broken = memory_text_copy(why[i]);
    free(crc32);
    free(broken);
    free(why);
    free(was);
    return done[0];
}

/* Room for all of it now: a disk that is too small is found in the beginning. */
static void reserve(struct part_file *part, const struct image_list *list)
{
    size_t bytes = list->bytes > 0 ? (size_t)list->bytes : 1;
    part->place = artifact_reserve(part->path, ENCODED_ARRAY, bytes, "byte",
                                   "image files, one behind the other");
    int file = open(part->path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        die("cannot open '%s': %s", part->path, strerror(errno));
    if (fallocate(file, 0, (off_t)part->place, list->bytes) != 0 && errno == ENOSPC) {
        unlink(part->path);
        die("'%s': there is no room for the %.1f GB of its images", part->path,
            (double)list->bytes / 1e9);
    }
    close(file);
}

static void lock(const struct part_file *part, int descriptor)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        die("'%s' is being written by another process", part->path);
}

static void check_not_in_use(const struct part_file *part)
{
    int descriptor = open(part->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    lock(part, descriptor);
    close(descriptor);
}

/* How many images of the list are in the file already. */
static size_t images_begun(struct part_file *part, struct image_list *list)
{
    struct stat status;
    struct artifact *half = checkpoint_load(part->checkpoint);
    size_t done = half ? load_progress(part, list, half) : 0;
    artifact_close(half);
    if (done == 0 || (stat(part->path, &status) == 0 &&
                      status.st_size >= (off_t)part->place + list->bytes))
        return done;
    log_warning("'%s' is not there as it was: starting again", part->path);
    for (size_t i = 0; i < done; i++) {
        free(list->image[i].broken);
        list->image[i].broken = NULL;
    }
    return 0;
}

struct part_file *part_file_open(const struct import_request *request,
                                 struct image_list *list, size_t *done)
{
    struct part_file *part = memory_zeroed(1, sizeof(*part));
    part->source = request->config->dataset.source;
    part->checkpoint = checkpoint_create(request->out, request->origin);
    part->path = artifact_sibling(request->out, ".part.h5");
    check_not_in_use(part);
    *done = images_begun(part, list);
    if (*done == 0)
        reserve(part, list);
    else
        log_info("goes on after %zu of %zu images", *done, list->n);
    part->descriptor = open(part->path, O_RDWR | O_CLOEXEC);
    if (part->descriptor < 0)
        die("cannot open '%s': %s", part->path, strerror(errno));
    lock(part, part->descriptor);
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

void part_file_forget(const struct import_request *request)
{
    struct checkpoint *checkpoint = checkpoint_create(request->out, request->origin);
    checkpoint_remove(checkpoint);
    checkpoint_free(checkpoint);
}
