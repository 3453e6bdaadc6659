/*
 * augment.h - how one training image is varied.
 *
 * In this order: a crop of random place, size and proportions, resized; padding and a
 * random crop; a mirror; brightness, contrast, saturation. Everything is drawn from the
 * image's own stream of random numbers, before any pixel is touched.
 */
#ifndef IO_AUGMENT_H
#define IO_AUGMENT_H

#include <stdbool.h>

#include "base/rng.h"
#include "io/config.h"
#include "io/resize.h"

struct augmentation {
    int down, right; /* the image is moved so far; black comes in */
    bool flip;
    bool crop;
    struct window window;                    /* of the picture, if crop */
    double brightness, contrast, saturation; /* factors; 1 = as it is */
};

/* For a picture of that size. */
struct augmentation augment_draw(const struct augment_config *config, struct rng rng,
                                 int picture_height, int picture_width);

/* Whether it changes colours. */
bool augment_colours(const struct augmentation *augmentation);

/*
 * in, out: [height, width, channels], not the same memory. Moves and mirrors; what
 * comes in at the edges is 0.
 */
void augment_move(const struct augmentation *augmentation, int height, int width,
                  int channels, const float *in, float *out);

/*
 * In place, image: n pixels of `channels`, 0 to 255. Each of the three is a mix with
 * black, with the image's mean grey, with the pixel's own grey; what leaves 0 to 255 is
 * cut off after each. Grey is 0.299 R + 0.587 G + 0.114 B; with other than three
 * channels it is their mean, and there is no saturation.
 */
void augment_jitter(const struct augmentation *augmentation, int n, int channels,
                    float *image);

#endif
