/*
 * image_files.h - the files of a source, one after the other: of a folder and all below
 * it, in the order of their names, or of a tar archive (tar.h), in its order. Hidden
 * folders (.git, .snapshot) are not looked into.
 */
#ifndef IO_IMAGE_FILES_H
#define IO_IMAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_files;

/* Dies, here and below, with what cannot be read. */
struct image_files *image_files_open(const char *source);
void image_files_close(struct image_files *files); /* NULL is allowed */

struct image_file {
    const char *path; /* within the source; valid until the next call */
    size_t size;
    int64_t modified; /* nanoseconds from 1970 on */
    bool folder;
};
/* The next file or folder; false: there are no more. */
bool image_files_next(struct image_files *files, struct image_file *file);
/* The bytes of the file that image_files_next() returned, at most once. */
void image_files_read(struct image_files *files, unsigned char *bytes);

#endif
