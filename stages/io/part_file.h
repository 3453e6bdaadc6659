/*
 * part_file.h - X.part.h5: the image files of a dataset X.h5 that is being imported,
 * one behind the other in the order of the list, and the checkpoint that says how many
 * they are.
 *
 * What a stopped import has copied is gone on from, if the source is still the same.
 * When all of it is there, the file becomes the dataset (artifact_create_from()).
 */
#ifndef IO_PART_FILE_H
#define IO_PART_FILE_H

#include "io/image_list.h"

struct part_file;

/*
 * Opens what was begun, or begins: room for all images is taken now, so a disk that is
 * too small is found in the beginning. *done becomes the number of images that are
 * there; what reading them came to is put into the list. Dies when the source is
 * another, or another process is at it.
 */
struct part_file *part_file_open(const struct import_request *request,
                                 struct image_list *list, size_t *done);
void part_file_close(struct part_file *part); /* NULL is allowed */

const char *part_file_path(const struct part_file *part);
/* Where in the file the images begin. */
size_t part_file_place(const struct part_file *part);

/* Bytes of images to their offset in the list. */
void part_file_write(struct part_file *part, const unsigned char *bytes, size_t n,
                     int64_t offset);
/* Keeps, whatever happens from now on, that the first `done` images are there. */
void part_file_save(struct part_file *part, const struct image_list *list, size_t done);

/* The dataset was made: the checkpoint is removed. */
void part_file_forget(const struct import_request *request);

#endif
