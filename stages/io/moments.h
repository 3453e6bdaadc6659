/*
 * moments.h - mean and deviation of each channel, in pixel/255, of some images of a
 * set: what their pixels are normalised by.
 */
#ifndef IO_MOMENTS_H
#define IO_MOMENTS_H

#include "io/import.h"

/* Of image files no more than these are decoded, drawn by the seed: their mean is known
 * to 1e-3 then, which no network notices. */
enum { MOMENTS_FILES_MAX = 10000 };

struct moments {
    double *mean, *deviation; /* [channels] */
};

/*
 * Of the images `index` [n]: all their pixels; of image files, their middle as it is
 * judged (dataset.h). Dies when a channel has one value only. The same bits with any
 * number of threads. Told to stop (stop.h), it returns early, with moments of nothing.
 */
struct moments moments_of(const struct import *import, const struct image_set *set,
                          const int *index, int n, const struct config *config);
void moments_release(struct moments *moments);

#endif
