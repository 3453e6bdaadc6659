#include "io/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

#include "base/memory.h"
#include "io/grey.h"

struct jpeg {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    jmp_buf failed; /* where an error of the library goes on */
    char error[JMSG_LENGTH_MAX], damage[JMSG_LENGTH_MAX];
    int channels;
    unsigned char *inks; /* a row of CMYK */
    size_t inks_capacity;
};

static struct jpeg *owner(j_common_ptr library)
{
    return library->client_data;
}

static void fail(j_common_ptr library)
{
    library->err->format_message(library, owner(library)->error);
    longjmp(owner(library)->failed, 1);
}

/* Extra bytes and odd marks lose no pixel; ImageNet has such files. */
static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
           code == JWRN_JFIF_MAJOR || code == JWRN_TOO_MUCH_DATA ||
           code == JWRN_BOGUS_PROGRESSION;
}

/* The first damage is kept: what follows comes from it. */
static void note(j_common_ptr library, int level)
{
    struct jpeg *jpeg = owner(library);
    if (level >= 0 || is_harmless(library->err->msg_code) || *jpeg->damage)
        return;
    library->err->format_message(library, jpeg->damage);
}

static void say_nothing(j_common_ptr library)
{
    (void)library;
}

struct jpeg *jpeg_create(void)
{
    struct jpeg *jpeg = memory_zeroed(1, sizeof(*jpeg));
    jpeg->library.err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = fail;
    jpeg->errors.emit_message = note;
    jpeg->errors.output_message = say_nothing;
    jpeg->library.client_data = jpeg;
    if (setjmp(jpeg->failed)) {
        free(jpeg);
        return NULL;
    }
    jpeg_create_decompress(&jpeg->library);
    return jpeg;
}

void jpeg_free(struct jpeg *jpeg)
{
    if (!jpeg)
        return;
    jpeg_destroy_decompress(&jpeg->library);
    free(jpeg->inks);
    free(jpeg);
}

bool jpeg_is(const unsigned char *bytes, size_t n)
{
    return n >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

const char *jpeg_begin(struct jpeg *jpeg, const unsigned char *bytes, size_t n,
                       int *height, int *width)
{
    jpeg_abort_decompress(&jpeg->library);
    *jpeg->damage = '\0';
    if (setjmp(jpeg->failed))
        return jpeg->error;
    jpeg_mem_src(&jpeg->library, bytes, n);
    jpeg_read_header(&jpeg->library, TRUE);
    *height = (int)jpeg->library.image_height;
    *width = (int)jpeg->library.image_width;
    return NULL;
}

static bool has_inks(const struct jpeg *jpeg)
{
    return jpeg->library.jpeg_color_space == JCS_CMYK ||
           jpeg->library.jpeg_color_space == JCS_YCCK;
}

const char *jpeg_start(struct jpeg *jpeg, int channels, int shrink, int *height,
                       int *width)
{
    struct jpeg_decompress_struct *library = &jpeg->library;
    if (setjmp(jpeg->failed))
        return jpeg->error;
    jpeg->channels = channels;
    library->out_color_space = has_inks(jpeg)  ? JCS_CMYK
                               : channels == 1 ? JCS_GRAYSCALE
                                               : JCS_RGB;
    /* The library has no way from RGB data to grey rows. */
    if (channels == 1 && library->jpeg_color_space == JCS_RGB)
        library->out_color_space = JCS_RGB;
    library->scale_num = 1;
    library->scale_denom = (unsigned)shrink;
    jpeg_start_decompress(library);
    *height = (int)library->output_height;
    *width = (int)library->output_width;
    return NULL;
}

/* Adobe stores inks inverted: 255 is none. */
static void rgb_of_inks(const unsigned char *inks, bool inverted, unsigned char *rgb)
{
    int k = inverted ? inks[3] : 255 - inks[3];
    for (int c = 0; c < 3; c++)
        rgb[c] =
            (unsigned char)(((inverted ? inks[c] : 255 - inks[c]) * k + 127) / 255);
}

/* A row that the library gives otherwise than it is wanted. */
static void convert_row(struct jpeg *jpeg, unsigned char *pixel)
{
    const unsigned char *in = jpeg->inks;
    bool inks = has_inks(jpeg), inverted = jpeg->library.saw_Adobe_marker;
    for (unsigned x = 0; x < jpeg->library.output_width; x++) {
        unsigned char rgb[3] = {in[0], in[1], in[2]};
        if (inks)
            rgb_of_inks(in, inverted, rgb);
        if (jpeg->channels == 1)
            pixel[x] = grey_of_rgb(rgb);
        else
            for (int c = 0; c < 3; c++)
                pixel[3 * x + (unsigned)c] = rgb[c];
        in += jpeg->library.output_components;
    }
}

const char *jpeg_read(struct jpeg *jpeg, int first, int end, unsigned char *pixel)
{
    struct jpeg_decompress_struct *library = &jpeg->library;
    size_t row = (size_t)library->output_width * (size_t)jpeg->channels;
    bool converts = library->output_components != jpeg->channels;
    size_t inks = (size_t)library->output_width * (size_t)library->output_components;
    if (converts && inks > jpeg->inks_capacity) {
        jpeg->inks = memory_resized(jpeg->inks, inks, 1);
        jpeg->inks_capacity = inks;
    }
    if (setjmp(jpeg->failed))
        return jpeg->error;
    if (first > 0)
        jpeg_skip_scanlines(library, (JDIMENSION)first);
    while (library->output_scanline < (JDIMENSION)end) {
        unsigned char *out =
            pixel + ((size_t)library->output_scanline - (size_t)first) * row;
        JSAMPROW at = converts ? jpeg->inks : out;
        jpeg_read_scanlines(library, &at, 1);
        if (converts)
            convert_row(jpeg, out);
    }
    /* The rest is not of interest, and would cost as much as what was. */
    jpeg_abort_decompress(library);
    return NULL;
}

const char *jpeg_damage(const struct jpeg *jpeg)
{
    return *jpeg->damage ? jpeg->damage : NULL;
}
