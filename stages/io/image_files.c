#include "io/image_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/tar.h"

struct image_files {
    char *source;
    struct tar *tar; /* or: */
    FTS *walk;
    FTSENT *at;
};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

struct image_files *image_files_open(const char *source)
{
    struct stat status;
    if (stat(source, &status) != 0 && errno == ENOENT)
        die("dataset.source: there is no folder or tar file '%s'", source);
    if (stat(source, &status) != 0)
        die("dataset.source: cannot look at '%s': %s", source, strerror(errno));
    struct image_files *files = memory_zeroed(1, sizeof(*files));
    files->source = memory_text_copy(source);
    if (!S_ISDIR(status.st_mode)) {
        files->tar = tar_open(source);
        return files;
    }
    char *roots[] = {files->source, NULL};
    files->walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!files->walk)
        die("cannot read the folder '%s': %s", source, strerror(errno));
    return files;
}

void image_files_close(struct image_files *files)
{
    if (!files)
        return;
    tar_close(files->tar);
    if (files->walk)
        fts_close(files->walk);
    free(files->source);
    free(files);
}

/* Whether a part of the path, its last one only if it is a folder, begins with a dot.
 */
static bool is_in_hidden_folder(const char *path, bool folder)
{
    for (;;) {
        size_t length = strcspn(path, "/");
        bool last = !path[length];
        if (last && !folder)
            return false;
        /* "." and ".." are not meant */
        if (*path == '.' && (length > 2 || length != strspn(path, ".")))
            return true;
        if (last)
            return false;
        path += length + 1;
    }
}

static bool next_in_folder(struct image_files *files, struct image_file *file)
{
    for (;;) {
        errno = 0;
        FTSENT *at = files->at = fts_read(files->walk);
        if (!at && errno)
            die("cannot read the folder '%s': %s", files->source, strerror(errno));
        if (!at)
            return false;
        if (at->fts_info == FTS_DNR || at->fts_info == FTS_ERR ||
            at->fts_info == FTS_NS || at->fts_info == FTS_SLNONE)
            die("cannot read '%s': %s", at->fts_path,
                at->fts_info == FTS_SLNONE ? "the link leads nowhere"
                                           : strerror(at->fts_errno));
        if (at->fts_info == FTS_DC)
            die("'%s' leads back to a folder that it is in", at->fts_path);
        if (at->fts_info == FTS_DEFAULT)
            die("'%s' is a pipe, a socket or a device, expected a file", at->fts_path);
        if (at->fts_level == 0 || (at->fts_info != FTS_F && at->fts_info != FTS_D))
            continue;
        if (at->fts_info == FTS_D && *at->fts_name == '.') {
            fts_set(files->walk, at, FTS_SKIP);
            continue;
        }
        const char *path = at->fts_path + strlen(files->source);
        const struct timespec *date = &at->fts_statp->st_mtim;
        *file = (struct image_file){
            path + strspn(path, "/"), (size_t)at->fts_statp->st_size,
            (int64_t)date->tv_sec * 1000000000 + date->tv_nsec, at->fts_info == FTS_D};
        return true;
    }
}

bool image_files_next(struct image_files *files, struct image_file *file)
{
    struct tar_entry entry;
    if (!files->tar)
        return next_in_folder(files, file);
    do
        if (!tar_next(files->tar, &entry))
            return false;
    while (is_in_hidden_folder(entry.path, entry.folder));
    *file = (struct image_file){entry.path, entry.size, entry.modified, entry.folder};
    return true;
}

static void read_path(const char *path, size_t size, unsigned char *bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        die("cannot read '%s': %s", path, strerror(errno));
    for (size_t done = 0; done < size;) {
        ssize_t n = read(descriptor, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            die("'%s' ends after %zu bytes, expected %zu", path, done, size);
        done += (size_t)n;
    }
    close(descriptor);
}

void image_files_read(struct image_files *files, unsigned char *bytes)
{
    if (files->tar)
        tar_read(files->tar, bytes);
    else
        read_path(files->at->fts_path, (size_t)files->at->fts_statp->st_size, bytes);
}
