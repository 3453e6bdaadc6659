/* grey.h - the grey of a colour: luma of ITU-R BT.601, as the usual loaders have it. */
#ifndef IO_GREY_H
#define IO_GREY_H

static inline unsigned char grey_of_rgb(const unsigned char *rgb)
{
    return (unsigned char)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
}

#endif
