/*
 * image_list.h - the images of a source by their names: which there are, of which class
 * and set, in which order; read before any of them is decoded.
 *
 * An image is at [.../]SPLIT/CLASS/.../FILE, where SPLIT is train, or one of test and
 * val, and in one place alone; of ilsvrc2012 a validation image's class comes from its
 * number (ilsvrc.h). Files whose names end otherwise than in .jpg, .jpeg or .png, and
 * hidden ones, are passed over.
 *
 * Classes are numbered by their names in the order of strcmp(). Images are listed in
 * the order of the source; their place among those of their set, by path, is `rank`.
 */
#ifndef IO_IMAGE_LIST_H
#define IO_IMAGE_LIST_H

#include "io/import.h"

struct listed_image {
    char *path; /* with the split in front: "train/cat/1.jpg" */
    enum import_set set;
    int label;
    int64_t size, offset; /* offset: of all images before it */
    int64_t modified;     /* nanoseconds from 1970 on, as the source says */
    size_t rank;
    /* What reading it comes to; not the list's business: */
    bool read; /* and good */
    int64_t crc32;
    char *broken; /* why, or NULL */
};

/* A class, and whether each set has it. */
struct image_class {
    char *name;
    size_t count[IMPORT_SETS];
    bool seen[IMPORT_SETS]; /* if only as an empty folder */
};

/* A folder or tar of the source; paths get `prefix` in front. */
struct image_root {
    char *path;
    const char *prefix;
};

struct image_list {
    struct image_root root[IMPORT_SETS];
    int n_roots;
    struct listed_image *image;
    size_t n, capacity;
    int64_t bytes; /* of all images */
    struct image_class *image_class;
    int n_classes;
    int height, width; /* of the first picture whose header can be read; or 0 */
    /* private */
    const struct config *config;
    char *split[IMPORT_SETS]; /* where the sets are: "pictures/train/" */
    char **validation_class;  /* of ilsvrc2012, by number */
    int n_validation;
    char *validation_from;
    size_t n_passed_over;
    char *passed_over; /* the first */
};

/*
 * Lists what config->dataset.source has, and says how much that is. Dies when names,
 * classes or counts cannot be right: before the hours that decoding takes.
 */
void image_list_read(struct image_list *list, const struct config *config);
/* Those of the images that are marked as broken are left out: dies when too few others
 * are left of a class. */
void image_list_leave_out_broken(struct image_list *list);
void image_list_release(struct image_list *list);

/* The images by set and path; free() it. */
struct listed_image **image_list_sorted(const struct image_list *list);

#endif
