/*
 * contact_sheet.h - a dataset on one page, to be looked at: what its images are, and
 * what augmentation makes of them.
 */
#ifndef IO_CONTACT_SHEET_H
#define IO_CONTACT_SHEET_H

#include "io/dataset.h"

enum { CONTACT_SHEET_SIDE = 8 };

/*
 * Writes a PNG: above, the first 64 training images of epoch 0, eight in a row, as they
 * would be judged; below, a row for each of the first eight of them, as it is trained
 * on in the epochs 0 to 7. Small images are enlarged. Dies when it cannot be written.
 */
void contact_sheet_write(const char *path, struct dataset *dataset,
                         const struct space_config *space,
                         const struct augment_config *augment, uint64_t seed);

#endif
