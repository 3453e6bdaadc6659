#include "io/png.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <png.h>

/* What libpng reads from; and where a failure's text goes. */
struct bytes {
    const unsigned char *at;
    size_t n;
};

static void give(png_structp png, png_bytep out, size_t n)
{
    struct bytes *bytes = png_get_io_ptr(png);
    if (n > bytes->n)
        png_error(png, "it ends too early");
    memcpy(out, bytes->at, n);
    bytes->at += n;
    bytes->n -= n;
}

static _Noreturn void fail(png_structp png, png_const_charp message)
{
    snprintf(png_get_error_ptr(png), PNG_ERROR_SIZE, "%s", message);
    png_longjmp(png, 1);
}

static void say_nothing(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

bool png_is(const unsigned char *bytes, size_t n)
{
    return n >= 8 && png_sig_cmp(bytes, 0, 8) == 0;
}

/* Whatever it is becomes 8 bits of RGB. (libpng's own way to grey takes the file's
 * gamma into account, which no other loader does.) */
static void ask_for_rgb(png_structp png)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
}

static void read_rows(png_structp png, int height, size_t row, unsigned char *pixel)
{
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++)
            png_read_row(png, pixel + (size_t)y * row, NULL);
    png_read_end(png, NULL);
}

/* False when libpng gave up, with its reason where fail() put it. The header alone if
 * pixel is NULL. */
static bool read_picture(png_structp png, png_infop info, int *height, int *width,
                         unsigned char *pixel)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_read_info(png, info);
    *height = (int)png_get_image_height(png, info);
    *width = (int)png_get_image_width(png, info);
    if (pixel) {
        ask_for_rgb(png);
        png_read_update_info(png, info);
        read_rows(png, *height, png_get_rowbytes(png, info), pixel);
    }
    return true;
}

static const char *read_png(struct bytes bytes, int *height, int *width,
                            unsigned char *pixel, char *error)
{
    snprintf(error, PNG_ERROR_SIZE, "libpng does not start");
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, error, fail, say_nothing);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good = false;
    if (info) {
        png_set_read_fn(png, &bytes, give);
        good = read_picture(png, info, height, width, pixel);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return good ? NULL : error;
}

const char *png_size(const unsigned char *bytes, size_t n, int *height, int *width,
                     char error[PNG_ERROR_SIZE])
{
    return read_png((struct bytes){bytes, n}, height, width, NULL, error);
}

const char *png_read(const unsigned char *bytes, size_t n, unsigned char *pixel,
                     char error[PNG_ERROR_SIZE])
{
    int height, width;
    return read_png((struct bytes){bytes, n}, &height, &width, pixel, error);
}

static bool write_picture(png_structp png, png_infop info, FILE *file, int height,
                          int width, const unsigned char *pixel)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixel + (size_t)y * (size_t)width * 3);
    png_write_end(png, NULL);
    return true;
}

static const char *write_png(FILE *file, int height, int width,
                             const unsigned char *pixel, char *error)
{
    snprintf(error, PNG_ERROR_SIZE, "libpng does not start");
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, error, fail, say_nothing);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good = info && write_picture(png, info, file, height, width, pixel);
    png_destroy_write_struct(&png, &info);
    return good ? NULL : error;
}

const char *png_write(const char *path, int height, int width,
                      const unsigned char *pixel, char error[PNG_ERROR_SIZE])
{
    FILE *file = fopen(path, "wbe");
    if (!file) {
        snprintf(error, PNG_ERROR_SIZE, "%s", strerror(errno));
        return error;
    }
    const char *why = write_png(file, height, width, pixel, error);
    if (fclose(file) != 0 && !why) {
        snprintf(error, PNG_ERROR_SIZE, "%s", strerror(errno));
        why = error;
    }
    if (why)
        unlink(path);
    return why;
}
