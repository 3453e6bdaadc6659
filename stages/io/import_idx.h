/*
 * import_idx.h - the four IDX files in which MNIST and its kin come, gzipped or not, in
 * the folder dataset.source; class_names.txt beside them, one name a line, may say what
 * the labels mean.
 */
#ifndef IO_IMPORT_IDX_H
#define IO_IMPORT_IDX_H

#include "io/import.h"

/* Dies when the files do not fit each other, or the settings. Always true. */
bool import_idx(struct import *import, const struct import_request *request);

#endif
