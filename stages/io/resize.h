/*
 * resize.h - a window of a picture, resampled to the size that a network takes.
 *
 * Bilinear, and where it shrinks over as many pixels as it shrinks (a triangle of that
 * width): nothing is skipped, no aliases. The window is cut out first, so that pixels
 * beside it do not count; its edges may lie inside pixels, which then count whole.
 */
#ifndef IO_RESIZE_H
#define IO_RESIZE_H

/* In pixels of a picture; row 0 begins at 0. */
struct window {
    double top, left, height, width;
};

/*
 * Some rows of a picture, [rows, width, channels] bytes. A picture that was decoded
 * only in part begins at row `first`.
 */
struct picture {
    int first, rows, width, channels;
    const unsigned char *pixel;
};

/* The memory it works in; grows to the largest that was needed. One thread. */
struct resizer;
struct resizer *resizer_create(void);
void resizer_free(struct resizer *resizer); /* NULL is allowed */

/* The largest window that has the proportions of height x width, in the middle, times
 * `share`. */
struct window window_centred(int picture_height, int picture_width, int height,
                             int width, double share);

/*
 * picture, window -> image [height, width, channels], in pixel values 0 to 255, not
 * rounded. The picture has every row of the window.
 */
void resize(struct resizer *resizer, const struct picture *picture,
            const struct window *window, int height, int width, float *image);

#endif
