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

static const char *broken(const void *bytes, size_t n)
{
    int height, width;
    const char *reason = decoder_begin(decoder, bytes, n, &height, &width);
    return reason ? reason : decoder_check(decoder);
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
