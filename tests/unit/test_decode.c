/* Pictures come back from their files; those that are damaged are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/decode.h"
#include "unit/pictures.h"

enum { H = 61, W = 94 };

static struct decoder *decoder;

static int start(void **state)
{
    (void)state;
    decoder = decoder_create();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    decoder_free(decoder);
    decoder_free(NULL);
    return 0;
}

static struct picture whole(struct picture_file file, int channels)
{
    struct picture picture;
    int height = 0, width = 0;
    assert_null(decoder_begin(decoder, file.bytes, file.n, &height, &width));
    assert_int_equal(height, H);
    assert_int_equal(width, W);
    assert_null(decoder_read(decoder, channels, NULL, H, W, &picture));
    assert_int_equal(picture.first, 0);
    assert_int_equal(picture.rows, H);
    assert_int_equal(picture.width, W);
    assert_int_equal(picture.channels, channels);
    return picture;
}

static void assert_near(const unsigned char *a, const unsigned char *b, int n,
                        int bound)
{
    for (int i = 0; i < n; i++)
        if (abs(a[i] - b[i]) > bound)
            fail_msg("byte %d is %d, expected %d or %d beside", i, a[i], b[i], bound);
}

static const char *broken(const void *bytes, size_t n)
{
    int height, width;
    const char *reason = decoder_begin(decoder, bytes, n, &height, &width);
    return reason ? reason : decoder_check(decoder);
}

static void a_jpeg_is_the_picture_it_was_made_of(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file file = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    assert_near(whole(file, 3).pixel, pixel, H * W * 3, 6);
    free(file.bytes);
    free(pixel);
}

static void grey_becomes_three_equal_channels(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 1);
    struct picture_file jpeg = picture_jpeg(pixel, H, W, JCS_GRAYSCALE, 95);
    struct picture_file png = picture_png(pixel, H, W, PNG_FORMAT_GRAY);
    struct picture picture = whole(jpeg, 3);
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++)
            assert_in_range(picture.pixel[3 * i + c], pixel[i] - 4, pixel[i] + 4);
    picture = whole(png, 3);
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(picture.pixel[3 * i + c], pixel[i]);
    free(jpeg.bytes);
    free(png.bytes);
    free(pixel);
}

static void colour_becomes_one_channel_of_luma(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file jpeg = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    struct picture_file png = picture_png(pixel, H, W, PNG_FORMAT_RGB);
    unsigned char grey[H * W];
    for (int i = 0; i < H * W; i++)
        grey[i] = (unsigned char)(0.299 * pixel[3 * i] + 0.587 * pixel[3 * i + 1] +
                                  0.114 * pixel[3 * i + 2] + 0.5);
    assert_near(whole(jpeg, 1).pixel, grey, H * W, 4);
    assert_near(whole(png, 1).pixel, grey, H * W, 1);
    free(jpeg.bytes);
    free(png.bytes);
    free(pixel);
}

/* Adobe's CMYK is inverted: 255 is no ink. Ink and black darken by multiplication. */
static void cmyk_becomes_rgb(void **state)
{
    (void)state;
    unsigned char *ink = picture_smooth(H, W, 4), rgb[H * W * 3], grey[H * W];
    struct picture_file file = picture_jpeg(ink, H, W, JCS_CMYK, 98);
    for (int i = 0; i < H * W; i++) {
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (unsigned char)(255.0 * (ink[4 * i + c] / 255.0) *
                                                 (ink[4 * i + 3] / 255.0) +
                                             0.5);
        grey[i] = (unsigned char)(0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] +
                                  0.114 * rgb[3 * i + 2] + 0.5);
    }
    assert_near(whole(file, 3).pixel, rgb, H * W * 3, 5);
    assert_near(whole(file, 1).pixel, grey, H * W, 5);
    free(file.bytes);
    free(ink);
}

static void inks_without_adobes_mark(struct jpeg_compress_struct *jpeg)
{
    jpeg->write_Adobe_marker = FALSE;
}

/* Then 0 is no ink, as in print. */
static void cmyk_without_adobes_mark_is_not_inverted(void **state)
{
    (void)state;
    unsigned char *ink = picture_smooth(H, W, 4), rgb[H * W * 3];
    struct picture_file file =
        picture_jpeg_as(ink, H, W, JCS_CMYK, 98, inks_without_adobes_mark);
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (unsigned char)((255.0 - ink[4 * i + c]) *
                                                 (255.0 - ink[4 * i + 3]) / 255 +
                                             0.5);
    assert_near(whole(file, 3).pixel, rgb, H * W * 3, 5);
    free(file.bytes);
    free(ink);
}

static void inks_as_luma_and_chroma(struct jpeg_compress_struct *jpeg)
{
    jpeg_set_colorspace(jpeg, JCS_YCCK);
}

static void ycck_becomes_rgb_as_cmyk_does(void **state)
{
    (void)state;
    unsigned char *ink = picture_smooth(H, W, 4), rgb[H * W * 3];
    struct picture_file file =
        picture_jpeg_as(ink, H, W, JCS_CMYK, 98, inks_as_luma_and_chroma);
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] =
                (unsigned char)(ink[4 * i + c] * ink[4 * i + 3] / 255.0 + 0.5);
    assert_near(whole(file, 3).pixel, rgb, H * W * 3, 6);
    free(file.bytes);
    free(ink);
}

/* The same coefficients in another order, so the same pixels; and what is missing of
 * them is told. */
static void a_progressive_jpeg_is_as_good_as_a_plain_one(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3), *plain = malloc(H * W * 3);
    struct picture_file file[] = {
        picture_jpeg(pixel, H, W, JCS_RGB, 90),
        picture_jpeg_as(pixel, H, W, JCS_RGB, 90, jpeg_simple_progression)};
    memcpy(plain, whole(file[0], 3).pixel, H * W * 3);
    assert_non_null(memmem(file[1].bytes, file[1].n, "\xff\xc2", 2)); /* SOF2 */
    assert_memory_equal(whole(file[1], 3).pixel, plain, H * W * 3);
    assert_null(broken(file[1].bytes, file[1].n));
    assert_string_equal(broken(file[1].bytes, file[1].n * 2 / 3),
                        "its JPEG data cannot be decoded: Premature end of JPEG file");
    free(plain);
    free(pixel);
    free(file[0].bytes);
    free(file[1].bytes);
}

/* Orientation 6, "turn it right by 90 degrees": height and width stay what they are. */
static void an_orientation_in_exif_is_not_applied(void **state)
{
    (void)state;
    static const unsigned char exif[] = {
        0xff, 0xe1, 0,   34,                                /* APP1 of 34 bytes */
        'E',  'x',  'i', 'f', 0, 0,                         /* and in it a TIFF file: */
        'M',  'M',  0,   42,  0, 0, 0, 8,                   /* its directory at 8, */
        0,    1,    1,   18,  0, 3, 0, 0, 0, 1, 0, 6, 0, 0, /* one entry: 0x112 = 6, */
        0,    0,    0,   0};                                /* and no other directory */
    unsigned char *pixel = picture_smooth(H, W, 3), *upright = malloc(H * W * 3);
    struct picture_file file = picture_jpeg(pixel, H, W, JCS_RGB, 90);
    struct picture_file turned = {malloc(file.n + sizeof(exif)), file.n + sizeof(exif)};
    memcpy(turned.bytes, file.bytes, 2);
    memcpy(turned.bytes + 2, exif, sizeof(exif));
    memcpy(turned.bytes + 2 + sizeof(exif), file.bytes + 2, file.n - 2);
    memcpy(upright, whole(file, 3).pixel, H * W * 3);
    assert_null(broken(turned.bytes, turned.n));
    assert_memory_equal(whole(turned, 3).pixel, upright, H * W * 3);
    free(upright);
    free(pixel);
    free(file.bytes);
    free(turned.bytes);
}

/* 16 bits become the nearest of 256 values: 257 v is v. */
static void a_png_of_16_bits_is_rounded_to_8(void **state)
{
    (void)state;
    unsigned char big[H * W * 6], expected[H * W * 3];
    for (int i = 0; i < H * W * 3; i++) {
        unsigned value = (unsigned)i * 12345 % 65536;
        big[2 * i] = (unsigned char)(value / 256);
        big[2 * i + 1] = (unsigned char)(value % 256);
        expected[i] = (unsigned char)(value / 257.0 + 0.5);
    }
    struct picture_file file = picture_png_as(
        big, W * 6, H, W,
        &(struct picture_kind){.bits = 16, .colour = PNG_COLOR_TYPE_RGB});
    assert_memory_equal(whole(file, 3).pixel, expected, H * W * 3);
    assert_null(broken(file.bytes, file.n));
    free(file.bytes);
}

/* 4 bits a pixel, of 16 colours, 3 of them transparent. */
static void a_png_with_a_palette_has_its_colours(void **state)
{
    (void)state;
    unsigned char rows[H][W / 2], expected[H * W * 3];
    struct picture_kind kind = {
        .bits = 4, .colour = PNG_COLOR_TYPE_PALETTE, .colours = 16, .transparent = 3};
    for (int i = 0; i < 16; i++)
        kind.palette[i] = (png_color){(png_byte)(17 * i), (png_byte)(255 - 9 * i),
                                      (png_byte)(3 * i * i % 256)};
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int i = (3 * y + x) % 16;
            rows[y][x / 2] = (unsigned char)(x % 2 ? rows[y][x / 2] | i : i << 4);
            memcpy(expected + 3 * (y * W + x), &kind.palette[i], 3);
        }
    struct picture_file file = picture_png_as(rows[0], W / 2, H, W, &kind);
    assert_memory_equal(whole(file, 3).pixel, expected, H * W * 3);
    free(file.bytes);
}

static void an_interlaced_png_is_the_picture_it_was_made_of(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file file = picture_png_as(
        pixel, W * 3, H, W,
        &(struct picture_kind){
            .bits = 8, .colour = PNG_COLOR_TYPE_RGB, .interlace = PNG_INTERLACE_ADAM7});
    assert_memory_equal(whole(file, 3).pixel, pixel, H * W * 3);
    assert_string_equal(broken(file.bytes, file.n / 2),
                        "its PNG data cannot be decoded: it ends too early");
    free(file.bytes);
    free(pixel);
}

static void a_png_loses_transparency_and_nothing_else(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3), rgba[H * W][4];
    for (int i = 0; i < H * W; i++) {
        memcpy(rgba[i], pixel + 3 * i, 3);
        rgba[i][3] = (unsigned char)(i % 256);
    }
    struct picture_file file = picture_png(rgba, H, W, PNG_FORMAT_RGBA);
    assert_memory_equal(whole(file, 3).pixel, pixel, H * W * 3);
    free(file.bytes);
    free(pixel);
}

/* The part that a window touches is the same as in the whole picture. */
static void rows_of_a_window_are_those_of_the_whole(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3), copy[H * W * 3];
    struct picture_file file = picture_jpeg(pixel, H, W, JCS_RGB, 90);
    struct window window = {17.5, 3, 20.25, 30};
    struct picture part;
    int height, width;
    memcpy(copy, whole(file, 3).pixel, sizeof(copy));
    assert_null(decoder_begin(decoder, file.bytes, file.n, &height, &width));
    assert_null(decoder_read(decoder, 3, &window, 20, 20, &part));
    assert_int_equal(part.first, 17);
    assert_int_equal(part.rows, 38 - 17);
    assert_int_equal(part.width, W);
    assert_true(window.top == 17.5 && window.height == 20.25);
    assert_memory_equal(part.pixel, copy + 17 * W * 3, (size_t)part.rows * W * 3);
    free(file.bytes);
    free(pixel);
}

/* Windows as large as 4 times the output: 1/4 of 61 x 94 is 16 x 24, rounded up. */
static void a_large_window_is_decoded_small(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file file = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    struct window window = {0, 0, H, W};
    struct picture picture;
    int height, width;
    assert_null(decoder_begin(decoder, file.bytes, file.n, &height, &width));
    assert_null(decoder_read(decoder, 3, &window, 15, 15, &picture));
    assert_int_equal(picture.rows, 16);
    assert_int_equal(picture.width, 24);
    assert_float_equal(window.height, 16, 1e-9);
    assert_float_equal(window.width, 24, 1e-9);
    for (int y = 0; y < 15; y++)
        for (int x = 0; x < 23; x++)
            assert_in_range(picture.pixel[(y * 24 + x) * 3],
                            pixel[((4 * y + 2) * W + 4 * x + 2) * 3] - 8,
                            pixel[((4 * y + 2) * W + 4 * x + 2) * 3] + 8);
    free(file.bytes);
    free(pixel);
}

static void what_is_no_image_is_told_by_its_first_bytes(void **state)
{
    (void)state;
    assert_string_equal(broken("hello", 5),
                        "it is neither a JPEG (ff d8 ff) nor a PNG file (89 50 4e 47): "
                        "it starts with 68 65 6c 6c");
    assert_string_equal(broken("GIF", 2),
                        "it is neither a JPEG (ff d8 ff) nor a PNG file (89 50 4e 47): "
                        "it starts with 47 49");
    assert_string_equal(broken("", 0), "it is empty");
}

static void files_that_end_too_early_are_broken(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file jpeg = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    struct picture_file png = picture_png(pixel, H, W, PNG_FORMAT_RGB);
    assert_null(broken(jpeg.bytes, jpeg.n));
    assert_string_equal(broken(jpeg.bytes, jpeg.n / 2),
                        "its JPEG data cannot be decoded: Premature end of JPEG file");
    assert_non_null(broken(jpeg.bytes, 4));
    assert_null(broken(png.bytes, png.n));
    assert_string_equal(broken(png.bytes, png.n / 2),
                        "its PNG data cannot be decoded: it ends too early");
    assert_string_equal(broken(png.bytes, 10),
                        "its PNG data cannot be decoded: it ends too early");
    /* And the next one is as good as ever. */
    assert_null(broken(jpeg.bytes, jpeg.n));
    free(jpeg.bytes);
    free(png.bytes);
    free(pixel);
}

static void damaged_data_is_broken_and_extra_bytes_are_not(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file jpeg = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    unsigned char *more = calloc(jpeg.n + 100, 1);
    memcpy(more, jpeg.bytes, jpeg.n);
    assert_null(broken(more, jpeg.n + 100));
    memset(more + jpeg.n / 2, 0xff, 40);
    assert_non_null(broken(more, jpeg.n));
    free(more);
    free(jpeg.bytes);
    free(pixel);
}

/* SOF0 with 65500 x 65500 pixels: nothing is allocated for it. */
static void an_absurd_size_is_refused(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file jpeg = picture_jpeg(pixel, H, W, JCS_RGB, 95);
    size_t at = 0;
    while (jpeg.bytes[at] != 0xff || jpeg.bytes[at + 1] != 0xc0)
        at++;
    memcpy(jpeg.bytes + at + 5, "\xff\xdc\xff\xdc", 4);
    assert_string_equal(broken(jpeg.bytes, jpeg.n),
                        "it is 65500 x 65500, expected at most 268435456 pixels");
    free(jpeg.bytes);
    free(pixel);
}

/* Whatever one byte is changed to: an answer, and no crash. */
static void no_changed_byte_is_fatal(void **state)
{
    (void)state;
    unsigned char *pixel = picture_smooth(H, W, 3);
    struct picture_file file[] = {picture_jpeg(pixel, H, W, JCS_RGB, 60),
                                  picture_png(pixel, H, W, PNG_FORMAT_RGB)};
    for (int f = 0; f < 2; f++)
        for (size_t at = 0; at < file[f].n; at++) {
            unsigned char was = file[f].bytes[at];
            file[f].bytes[at] = (unsigned char)(was ^ (1 << at % 8));
            broken(file[f].bytes, file[f].n);
            file[f].bytes[at] = was;
        }
    for (int f = 0; f < 2; f++) {
        assert_null(broken(file[f].bytes, file[f].n));
        free(file[f].bytes);
    }
    free(pixel);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_is_the_picture_it_was_made_of),
        cmocka_unit_test(grey_becomes_three_equal_channels),
        cmocka_unit_test(colour_becomes_one_channel_of_luma),
        cmocka_unit_test(cmyk_becomes_rgb),
        cmocka_unit_test(cmyk_without_adobes_mark_is_not_inverted),
        cmocka_unit_test(ycck_becomes_rgb_as_cmyk_does),
        cmocka_unit_test(a_progressive_jpeg_is_as_good_as_a_plain_one),
        cmocka_unit_test(an_orientation_in_exif_is_not_applied),
        cmocka_unit_test(a_png_of_16_bits_is_rounded_to_8),
        cmocka_unit_test(a_png_with_a_palette_has_its_colours),
        cmocka_unit_test(an_interlaced_png_is_the_picture_it_was_made_of),
        cmocka_unit_test(a_png_loses_transparency_and_nothing_else),
        cmocka_unit_test(rows_of_a_window_are_those_of_the_whole),
        cmocka_unit_test(a_large_window_is_decoded_small),
        cmocka_unit_test(what_is_no_image_is_told_by_its_first_bytes),
        cmocka_unit_test(files_that_end_too_early_are_broken),
        cmocka_unit_test(damaged_data_is_broken_and_extra_bytes_are_not),
        cmocka_unit_test(an_absurd_size_is_refused),
        cmocka_unit_test(no_changed_byte_is_fatal),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
