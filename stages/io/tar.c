#include "io/tar.h"

#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/die.h"
#include "base/memory.h"

enum { BLOCK = 1 << 20 };

struct tar {
    char *path;
    struct archive *outer, *inner; /* inner: of the archive that was gone into */
    char *folder;                  /* the inner one's name, with a final slash */
    char **gone_into;              /* such names so far */
    int n_gone_into;
    char *last;  /* path of the entry at hand */
    size_t size; /* its size */
};

/* `archive` failed. */
static _Noreturn void fail(const struct tar *tar, struct archive *archive)
{
    const char *reason = archive ? archive_error_string(archive) : NULL;
    die("'%s' cannot be read %s%s%s: %s", tar->path, tar->last ? "after '" : "",
        tar->last ? tar->last : "as a tar archive", tar->last ? "'" : "",
        reason ? reason : "libarchive gives no reason");
}

static struct archive *new_reader(const struct tar *tar)
{
    struct archive *archive = archive_read_new();
    if (!archive || archive_read_support_format_tar(archive) < ARCHIVE_WARN ||
        archive_read_support_filter_all(archive) < ARCHIVE_WARN)
        fail(tar, archive);
    return archive;
}

struct tar *tar_open(const char *path)
{
    struct tar *tar = memory_zeroed(1, sizeof(*tar));
    tar->path = memory_text_copy(path);
    tar->outer = new_reader(tar);
    if (archive_read_open_filename(tar->outer, path, BLOCK) != ARCHIVE_OK)
        fail(tar, tar->outer);
    return tar;
}

void tar_close(struct tar *tar)
{
    if (!tar)
        return;
    /* It was only read. */
    archive_read_free(tar->inner);
    archive_read_free(tar->outer);
    for (int i = 0; i < tar->n_gone_into; i++)
        free(tar->gone_into[i]);
    free(tar->gone_into);
    free(tar->last);
    free(tar->path);
    free(tar);
}

/* libarchive's call-back: the next bytes of the inner archive. */
static la_ssize_t give_inner(struct archive *inner, void *context, const void **bytes)
{
    struct tar *tar = context;
    size_t n = 0;
    la_int64_t offset;
    int state = archive_read_data_block(tar->outer, bytes, &n, &offset);
    if (state == ARCHIVE_EOF)
        return 0;
    if (state >= ARCHIVE_WARN)
        return (la_ssize_t)n;
    archive_set_error(inner, archive_errno(tar->outer), "%s",
                      archive_error_string(tar->outer));
    return -1;
}

static void go_into(struct tar *tar, const char *name)
{
    tar->folder = memory_format("%.*s/", (int)(strlen(name) - strlen(".tar")), name);
    for (int i = 0; i < tar->n_gone_into; i++)
        if (!strcmp(tar->gone_into[i], tar->folder))
            die("'%s': '%s' is in it twice: two classes have the same name", tar->path,
                name);
    tar->gone_into = memory_resized(tar->gone_into, (size_t)tar->n_gone_into + 1,
                                    sizeof(tar->gone_into[0]));
    tar->gone_into[tar->n_gone_into++] = tar->folder;
    tar->inner = new_reader(tar);
    if (archive_read_open(tar->inner, tar, NULL, give_inner, NULL) != ARCHIVE_OK)
        fail(tar, tar->inner);
}

static bool ends_in_tar(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && !strcmp(name + length - 4, ".tar");
}

/* A block of zeros ends an archive; libarchive takes the end of the file for it, too.
 */
static void check_end(const struct tar *tar, struct archive *archive)
{
    enum { BLOCK_OF_ZEROS = 512 };
    if (archive_filter_bytes(archive, 0) - archive_read_header_position(archive) <
        BLOCK_OF_ZEROS)
        die("'%s' ends after '%s' without the blocks of zeros that end %s: it was cut "
            "short",
            tar->path, tar->last ? tar->last : "nothing",
            archive == tar->inner ? "the archive in it" : "an archive");
}

/* The next header; NULL at the archive's end. */
static struct archive_entry *next_header(struct tar *tar, struct archive *archive)
{
    struct archive_entry *entry;
    int state = archive_read_next_header(archive, &entry);
    if (state == ARCHIVE_EOF) {
        check_end(tar, archive);
        return NULL;
    }
    if (state != ARCHIVE_OK && state != ARCHIVE_WARN)
        fail(tar, archive);
    return entry;
}

static const char *name_of(const struct tar *tar, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    if (!name)
        name = archive_entry_pathname_utf8(entry);
    if (!name)
        die("'%s': a name %s%s%s cannot be read, expected UTF-8", tar->path,
            tar->last ? "after '" : "at its start", tar->last ? tar->last : "",
            tar->last ? "'" : "");
    while (!strncmp(name, "./", 2))
        name += 2;
    return name;
}

bool tar_next(struct tar *tar, struct tar_entry *result)
{
    struct archive_entry *entry = NULL;
    while (!entry) {
        if (tar->inner && !(entry = next_header(tar, tar->inner))) {
            archive_read_free(tar->inner);
            tar->inner = NULL;
        }
        if (!tar->inner && !(entry = next_header(tar, tar->outer)))
            return false;
        const char *name = name_of(tar, entry);
        char *path = memory_format("%s%s", tar->inner ? tar->folder : "", name);
        free(tar->last);
        tar->last = path;
        if (archive_entry_filetype(entry) == AE_IFREG && !tar->inner &&
            !archive_entry_hardlink(entry) && ends_in_tar(name)) {
            go_into(tar, name);
            entry = NULL;
        }
    }
    if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) == AE_IFLNK)
        die("'%s': '%s' is a link, expected a file", tar->path, tar->last);
    if (archive_entry_filetype(entry) != AE_IFREG &&
        archive_entry_filetype(entry) != AE_IFDIR)
        die("'%s': '%s' is a pipe or a device, expected a file", tar->path, tar->last);
    tar->size = (size_t)archive_entry_size(entry);
    *result = (struct tar_entry){
        .path = tar->last,
        .size = tar->size,
        .modified = (int64_t)archive_entry_mtime(entry) * 1000000000 +
                    archive_entry_mtime_nsec(entry),
        .folder = archive_entry_filetype(entry) == AE_IFDIR,
    };
    return true;
}

void tar_read(struct tar *tar, unsigned char *bytes)
{
    struct archive *archive = tar->inner ? tar->inner : tar->outer;
    size_t done = 0;
    while (done < tar->size) {
        la_ssize_t n = archive_read_data(archive, bytes + done, tar->size - done);
        if (n < 0)
            die("'%s': '%s' cannot be read: %s", tar->path, tar->last,
                archive_error_string(archive) ? archive_error_string(archive)
                                              : "libarchive gives no reason");
        if (n == 0)
            die("'%s': '%s' ends after %zu bytes, expected %zu", tar->path, tar->last,
                done, tar->size);
        done += (size_t)n;
    }
}
