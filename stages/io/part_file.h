/*
 * part_file.h - X.part.h5: the image files of a dataset X.h5 that is being imported,
 * one behind the other in the order of the list, and the checkpoint that says which of
 * them are there.
 *
 * A stopped import goes on with what it has copied, if the source still has the same
 * names and sizes; images that were broken, and those that have another date now, are
 * read again. When all is there, the file becomes the dataset (artifact_create_from()),
 * which an end at any moment before the commit leaves to be done again.
 */
#ifndef IO_PART_FILE_H
#define IO_PART_FILE_H

#include "io/image_list.h"

struct part_file;

/*
 * Opens what was begun, or begins: room for all images and for the checkpoint is taken
 * now, so a disk that is too small is found in the beginning. Images that are there are
 * marked as read in the list. Dies when the source is another one, or another process
 * is at it: from here to part_file_close() nobody else is.
 */
struct part_file *part_file_open(const struct import_request *request,
                                 struct image_list *list);
void part_file_close(struct part_file *part); /* NULL is allowed */

const char *part_file_path(const struct part_file *part);
/* Where in the file the images begin. */
size_t part_file_place(const struct part_file *part);

/* The bytes of an image to its place. */
void part_file_write(struct part_file *part, const struct listed_image *image,
                     const unsigned char *bytes);
/* Keeps, whatever happens from now on, which images were read. */
void part_file_save(struct part_file *part, const struct image_list *list);

/* The dataset was made: the checkpoint is removed. */
void part_file_forget(struct part_file *part);

#endif
