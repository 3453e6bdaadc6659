/*
 * pictures.h - JPEG and PNG files in memory, for tests; written by the libraries' own
 * calls, not by ours.
 */
#ifndef UNIT_PICTURES_H
#define UNIT_PICTURES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

struct picture_file {
    unsigned char *bytes; /* free() it */
    size_t n;
};

/* A smooth picture, [h, w, channels], whose channels are nearly alike: what JPEG keeps
 * well, whatever its subsampling. */
static inline unsigned char *picture_smooth(int height, int width, int channels)
{
    unsigned char *pixel = malloc((size_t)(height * width * channels));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                pixel[(y * width + x) * channels + c] =
                    (unsigned char)(20 + 10 * c + 100 * y / height + 90 * x / width);
    return pixel;
}

/* space: JCS_RGB, JCS_GRAYSCALE, JCS_CMYK (with Adobe's mark, so inverted). `choose`
 * may choose otherwise; NULL: the library's defaults. */
static inline struct picture_file
picture_jpeg_as(const unsigned char *pixel, int height, int width, J_COLOR_SPACE space,
                int quality, void (*choose)(struct jpeg_compress_struct *jpeg))
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct picture_file file = {0};
    unsigned long n = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file.bytes, &n);
    jpeg.image_height = (JDIMENSION)height;
    jpeg.image_width = (JDIMENSION)width;
    jpeg.input_components = space == JCS_RGB ? 3 : space == JCS_CMYK ? 4 : 1;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    if (choose)
        choose(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)pixel + (size_t)jpeg.next_scanline * (size_t)width *
                                             (size_t)jpeg.input_components;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    file.n = n;
    return file;
}

static inline struct picture_file picture_jpeg(const unsigned char *pixel, int height,
                                               int width, J_COLOR_SPACE space,
                                               int quality)
{
    return picture_jpeg_as(pixel, height, width, space, quality, NULL);
}

static inline void picture_take(png_structp png, png_bytep bytes, size_t n)
{
    struct picture_file *file = png_get_io_ptr(png);
    file->bytes = realloc(file->bytes, file->n + n);
    memcpy(file->bytes + file->n, bytes, n);
    file->n += n;
}

/* Of rows as PNG has them: `bits` a sample (16: the high byte first), PNG_COLOR_TYPE_*,
 * PNG_INTERLACE_*; and the colours of a palette, the first of which are transparent. */
struct picture_kind {
    int bits, colour, interlace;
    int colours, transparent;
    png_color palette[256];
};
static inline struct picture_file picture_png_as(unsigned char *pixel, size_t row,
                                                 int height, int width,
                                                 const struct picture_kind *kind)
{
    struct picture_file file = {0};
    const unsigned char alpha[256] = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep *rows = calloc((size_t)height, sizeof(*rows));
    for (int y = 0; y < height; y++)
        rows[y] = pixel + (size_t)y * row;
    png_set_write_fn(png, &file, picture_take, NULL);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind->bits,
                 kind->colour, kind->interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind->colours)
        png_set_PLTE(png, info, kind->palette, kind->colours);
    if (kind->transparent)
        png_set_tRNS(png, info, alpha, kind->transparent, NULL);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    free(rows);
    return file;
}

/* format: PNG_FORMAT_RGB, PNG_FORMAT_RGBA, PNG_FORMAT_GRAY, ... */
static inline struct picture_file picture_png(const void *pixel, int height, int width,
                                              unsigned format)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = format};
    png_alloc_size_t n = 0;
    if (!png_image_write_get_memory_size(image, n, 0, pixel, 0, NULL))
        abort();
    struct picture_file file = {malloc(n), n};
    if (!png_image_write_to_memory(&image, file.bytes, &n, 0, pixel, 0, NULL))
        abort();
    file.n = n;
    return file;
}

#endif
