/*
 * import_files.h - images that are files of their own, JPEG or PNG, in a folder or a
 * tar archive (which is not unpacked).
 *
 * imagefolder: see image_list.h. ilsvrc2012: ImageNet as it is downloaded, ilsvrc.h.
 *
 * Two passes over the source. The first looks at names alone and finds what is wrong
 * with them before the hours that the second takes, which reads and decodes every
 * image. Images that are all of the size of space.input are kept as pixels; others stay
 * files, in one array of `out` (dataset.decode decides), see part_file.h.
 *
 * Class numbers follow the names in the order of strcmp(), images their paths: a folder
 * and a tar of it give the same dataset.
 */
#ifndef IO_IMPORT_FILES_H
#define IO_IMPORT_FILES_H

#include "io/import.h"

/*
 * Dies, once all of them are known and listed, when images are broken, unless
 * request->skip_broken. Returns false when it was told to stop: files that were copied
 * so far are kept, and the next call goes on after them. (Pixels are imported quickly,
 * and start again.)
 */
bool import_files(struct import *import, const struct import_request *request);

#endif
