#include "io/decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/grey.h"
#include "io/jpeg.h"
#include "io/png.h"

struct decoder {
    struct jpeg *jpeg;
    bool is_jpeg;
    const unsigned char *bytes;
    size_t n;
    int height, width; /* of the file's picture */
    unsigned char *pixel;
    size_t capacity;
    char error[256], png_error[PNG_ERROR_SIZE];
};

struct decoder *decoder_create(void)
{
    struct decoder *decoder = memory_zeroed(1, sizeof(*decoder));
    decoder->jpeg = jpeg_create();
    if (!decoder->jpeg)
        die("libjpeg does not start");
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    jpeg_free(decoder->jpeg);
    free(decoder->pixel);
    free(decoder);
}

static const char *say(struct decoder *decoder, const char *format, ...)
    PRINTF_LIKE(2, 3);
static const char *say(struct decoder *decoder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(decoder->error, sizeof(decoder->error), format, arguments);
    va_end(arguments);
    return decoder->error;
}

/* A library's reason, in a sentence of ours; NULL stays NULL. */
static const char *explain(struct decoder *decoder, const char *reason)
{
    return reason ? say(decoder, "its %s cannot be decoded: %s",
                        decoder->is_jpeg ? "JPEG data" : "PNG data", reason)
                  : NULL;
}

static const char *unknown(struct decoder *decoder)
{
    char start[16] = "";
    int at = 0;
    for (size_t i = 0; i < 4 && i < decoder->n; i++)
        at += snprintf(start + at, sizeof(start) - (size_t)at, " %02x",
                       decoder->bytes[i]);
    return at ? say(decoder,
                    "it is neither a JPEG (ff d8 ff) nor a PNG file (89 50 4e 47): it "
                    "starts with%s",
                    start)
              : say(decoder, "it is empty");
}

const char *decoder_begin(struct decoder *decoder, const unsigned char *bytes, size_t n,
                          int *height, int *width)
{
    const char *reason = NULL;
    decoder->bytes = bytes;
    decoder->n = n;
    decoder->is_jpeg = jpeg_is(bytes, n);
    if (decoder->is_jpeg)
        reason = jpeg_begin(decoder->jpeg, bytes, n, &decoder->height, &decoder->width);
    else if (png_is(bytes, n))
        reason =
            png_size(bytes, n, &decoder->height, &decoder->width, decoder->png_error);
    else
        return unknown(decoder);
    if (reason)
        return explain(decoder, reason);
    *height = decoder->height;
    *width = decoder->width;
    if ((long long)*height * *width <= DECODE_PIXELS_MAX)
        return NULL;
    return say(decoder, "it is %d x %d, expected at most %d pixels", *height, *width,
               (int)DECODE_PIXELS_MAX);
}

static void reserve(struct decoder *decoder, int rows, int width, int channels)
{
    size_t bytes = (size_t)rows * (size_t)width * (size_t)channels;
    if (bytes <= decoder->capacity)
        return;
    decoder->pixel = memory_resized(decoder->pixel, bytes, 1);
    decoder->capacity = bytes;
}

/* The most it may shrink. Other fractions than these are there too, and slower. */
static int shrink_for(const struct window *window, int height, int width)
{
    int shrink = 8;
    while (shrink > 1 &&
           (window->height < shrink * height || window->width < shrink * width))
        shrink /= 2;
    return shrink;
}

static const char *read_jpeg(struct decoder *decoder, int channels,
                             struct window *window, int shrink, struct picture *picture)
{
    int height, width;
    const char *reason = jpeg_start(decoder->jpeg, channels, shrink, &height, &width);
    if (reason)
        return explain(decoder, reason);
    int first = 0, end = height;
    if (window) {
        /* Its place in the smaller picture, whose last pixel may stand for fewer. */
        double y = (double)height / decoder->height, x = (double)width / decoder->width;
        *window = (struct window){window->top * y, window->left * x, window->height * y,
                                  window->width * x};
        first = (int)floor(window->top);
        end = (int)ceil(window->top + window->height);
        first = first < 0 ? 0 : first;
        end = end > height ? height : end;
    }
    reserve(decoder, end - first, width, channels);
    *picture = (struct picture){first, end - first, width, channels, decoder->pixel};
    return explain(decoder, jpeg_read(decoder->jpeg, first, end, decoder->pixel));
}

static const char *read_png(struct decoder *decoder, int channels,
                            struct picture *picture)
{
    int height = decoder->height, width = decoder->width;
    reserve(decoder, height, width, 3);
    *picture = (struct picture){0, height, width, channels, decoder->pixel};
    const char *reason =
        png_read(decoder->bytes, decoder->n, decoder->pixel, decoder->png_error);
    for (size_t i = 0; !reason && channels == 1 && i < (size_t)height * (size_t)width;
         i++)
        decoder->pixel[i] = grey_of_rgb(decoder->pixel + 3 * i);
    return explain(decoder, reason);
}

const char *decoder_read(struct decoder *decoder, int channels, struct window *window,
                         int height, int width, struct picture *picture)
{
    BUG_IF(channels != 1 && channels != 3);
    if (!decoder->is_jpeg)
        return read_png(decoder, channels, picture);
    return read_jpeg(decoder, channels, window,
                     window ? shrink_for(window, height, width) : 1, picture);
}

const char *decoder_damage(struct decoder *decoder)
{
    return decoder->is_jpeg ? explain(decoder, jpeg_damage(decoder->jpeg)) : NULL;
}

/* The smallest picture takes all of the data to make, and the least arithmetic. */
const char *decoder_check(struct decoder *decoder)
{
    struct picture picture;
    if (!decoder->is_jpeg)
        return read_png(decoder, 3, &picture);
    const char *reason = read_jpeg(decoder, 3, NULL, 8, &picture);
    return reason ? reason : decoder_damage(decoder);
}
