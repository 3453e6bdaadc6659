/*
 * import_cifar.h - CIFAR-10 and CIFAR-100 in their binary version: dataset.source is
 * the archive as it is downloaded (cifar-10-binary.tar.gz), or the folder unpacked.
 */
#ifndef IO_IMPORT_CIFAR_H
#define IO_IMPORT_CIFAR_H

#include "io/import.h"

/* dataset.format says which. Dies when a file is missing or not as it should be. Always
 * true. */
bool import_cifar(struct import *import, const struct import_request *request);

#endif
