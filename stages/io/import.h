/*
 * import.h - what every format is read into: the images and labels of a source, before
 * validation images are set aside.
 */
#ifndef IO_IMPORT_H
#define IO_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/artifact.h"
#include "io/config.h"
#include "io/digest.h"
#include "io/status.h"

enum import_set { IMPORT_TRAIN, IMPORT_TEST, IMPORT_SETS };

struct image_set {
    char *images, *labels; /* where they are from, for messages */
    size_t n;
    int32_t *label; /* [n] */
    char **file;    /* [n], each image's name in the source; NULL: they have none */
    unsigned char *pixel; /* [n, h, w, c], or NULL: files that stay as they are, */
    int64_t *offset;      /* [n], in the array that was filled (struct import) */
    int32_t *size;
    int64_t *crc32;
};

/* A file that was read. */
struct import_source {
    char *file;
    int64_t bytes;
    char digest[DIGEST_SIZE];
};

struct part_file;

struct import {
    struct image_set set[IMPORT_SETS];
    int n_classes;
    char **class_name;
    int n_sources;
    struct import_source *source;
    int n_skipped; /* broken images that were left out, and why */
    char **skipped, **skipped_because;
    /* A file made by artifact_reserve(), whose array has the image files; or NULL. */
    const char *reserved;
    size_t place;           /* of the array in it */
    struct part_file *part; /* which has that file, and keeps others away from it */
};

/* How it is read. */
struct import_request {
    const struct config *config;
    const char *out; /* the artifact that it is for; what is half done lies beside it */
    const struct artifact_origin *origin;
    struct status *status;
    bool skip_broken;
};

/* Each of these takes what it is given. */
void import_add_class(struct import *import, char *name);
void import_add_source(struct import *import, char *file, size_t bytes,
                       const char *digest);
void import_release(struct import *import);

/* One name a line, of a file of that path or name. Dies on an empty line. */
void import_class_names(struct import *import, const char *path, const char *text,
                        size_t n);
/* Dies unless there are as many names as space.classes, all different; `path` has
 * them. */
void import_check_classes(const struct import *import, const char *path, int classes);
/* The classes are called by their numbers. */
void import_number_classes(struct import *import, int classes);

/* Dies unless the images of `path` are as large as space.input. */
void import_check_size(const char *path, size_t height, size_t width, size_t channels,
                       const struct space_config *space);

#endif
