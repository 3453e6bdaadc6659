/*
 * tar.h - the files in a tar archive, compressed or not, one after the other, without
 * unpacking. An archive in the archive (ILSVRC2012's training images are a tar of a tar
 * for each class) is gone into, as if it were a folder of its name without ".tar".
 * Archives that end without the mark of their end were cut short, and refused.
 */
#ifndef IO_TAR_H
#define IO_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tar;

/* Dies, here and below, with what libarchive found; NULL is allowed to close. */
struct tar *tar_open(const char *path);
void tar_close(struct tar *tar);

struct tar_entry {
    const char *path; /* without a leading "./"; valid until the next call */
    size_t size;
    int64_t modified; /* nanoseconds from 1970 on */
    bool folder;
};

/* The next file or folder; false: there are no more. Dies on what is neither (links,
 * devices), and on two archives of one name. */
bool tar_next(struct tar *tar, struct tar_entry *entry);
/* The bytes of the file that tar_next() returned, once. */
void tar_read(struct tar *tar, unsigned char *bytes);

#endif
