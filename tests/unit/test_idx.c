/* IDX files are read, gzipped or not; what is wrong with one is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "io/idx.h"
#include "unit/scratch.h"

#include <zlib.h>

/* 2 images of 2 x 3, as written by hand. */
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                       0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};
enum { HEADER = 16, N_IMAGES = sizeof(images) - HEADER };

static void gzip_to(const char *path, const char *mode, const void *bytes, size_t n)
{
    gzFile file = gzopen(path, mode);
    assert_non_null(file);
    if (n > 0)
        assert_int_equal(gzwrite(file, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(file), Z_OK);
}

static void assert_images(const char *path)
{
    struct idx idx;
    char *error = idx_read(&idx, path);
    assert_null(error);
    assert_int_equal(idx.rank, 3);
    assert_int_equal(idx.shape[0], 2);
    assert_int_equal(idx.shape[1], 2);
    assert_int_equal(idx.shape[2], 3);
    assert_memory_equal(idx.values, images + HEADER, N_IMAGES);
    idx_release(&idx);
}

/* `rest` follows "'path': ". */
static void assert_message(const char *path, const char *rest)
{
    struct idx idx;
    char expected[2 * SCRATCH_PATH_SIZE];
    char *error = idx_read(&idx, path);
    assert_non_null(error);
    snprintf(expected, sizeof(expected), "'%s': %s", path, rest);
    assert_string_equal(error, expected);
    free(error);
}

static void assert_bytes_message(const void *bytes, size_t n, const char *rest)
{
    scratch_write(scratch_path("bad"), bytes, n);
    assert_message(scratch_path("bad"), rest);
}

static void a_plain_file_is_read(void **state)
{
    (void)state;
    scratch_write(scratch_path("plain"), images, sizeof(images));
    assert_images(scratch_path("plain"));
}

static void a_gzipped_file_is_read(void **state)
{
    (void)state;
    gzip_to(scratch_path("gzipped"), "wb", images, sizeof(images));
    assert_images(scratch_path("gzipped"));
}

static void gzip_members_follow_each_other(void **state)
{
    (void)state;
    gzip_to(scratch_path("members"), "wb", images, 5);
    gzip_to(scratch_path("members"), "ab", images + 5, 0);
    gzip_to(scratch_path("members"), "ab", images + 5, sizeof(images) - 5);
    assert_images(scratch_path("members"));
}

/* 4 MB: more than one piece of zlib's output. */
static void a_large_gzipped_file_is_whole(void **state)
{
    (void)state;
    enum { N = 4000000 };
    unsigned char *bytes = malloc(8 + N);
    memcpy(bytes, (unsigned char[]){0, 0, 8, 1, 0, 0x3d, 0x09, 0}, 8); /* 4000000 */
    for (size_t i = 0; i < N; i++)
        bytes[8 + i] = (unsigned char)(i * 2654435761u >> 20);
    gzip_to(scratch_path("large"), "wb1", bytes, 8 + N);
    struct idx idx;
    char *error = idx_read(&idx, scratch_path("large"));
    assert_null(error);
    assert_int_equal(idx.shape[0], N);
    assert_memory_equal(idx.values, bytes + 8, N);
    idx_release(&idx);
    free(bytes);
}

static void dimensions_are_big_endian(void **state)
{
    (void)state;
    unsigned char bytes[8 + 0x102] = {0, 0, 8, 1, 0, 0, 1, 2};
    struct idx idx;
    bytes[sizeof(bytes) - 1] = 77;
    scratch_write(scratch_path("endian"), bytes, sizeof(bytes));
    assert_null(idx_read(&idx, scratch_path("endian")));
    assert_int_equal(idx.rank, 1);
    assert_int_equal(idx.shape[0], 258);
    assert_int_equal(idx.values[257], 77);
    idx_release(&idx);
}

static void the_digest_and_size_are_of_the_file_as_it_is(void **state)
{
    (void)state;
    size_t size;
    struct idx idx;
    char digest[DIGEST_SIZE];
    gzip_to(scratch_path("gzipped"), "wb", images, sizeof(images));
    unsigned char *bytes = scratch_read(scratch_path("gzipped"), &size);
    digest_of(bytes, size, digest);
    assert_null(idx_read(&idx, scratch_path("gzipped")));
    assert_int_equal(idx.file_bytes, size);
    assert_string_equal(idx.file_digest, digest);
    idx_release(&idx);
    free(bytes);
}

static void no_elements_are_allowed_here(void **state)
{
    (void)state;
    struct idx idx;
    scratch_write(scratch_path("none"), "\0\0\10\1\0\0\0\0", 8);
    assert_null(idx_read(&idx, scratch_path("none")));
    assert_int_equal(idx.shape[0], 0);
    idx_release(&idx);
}

static void a_missing_file_is_said_to_be_missing(void **state)
{
    (void)state;
    struct idx idx;
    char expected[2 * SCRATCH_PATH_SIZE];
    char *error = idx_read(&idx, scratch_path("lost"));
    snprintf(expected, sizeof(expected), "cannot read '%s': No such file or directory",
             scratch_path("lost"));
    assert_string_equal(error, expected);
    free(error);
    error = idx_read(&idx, scratch_folder);
    snprintf(expected, sizeof(expected), "cannot read '%s': it is not a regular file",
             scratch_folder);
    assert_string_equal(error, expected);
    free(error);
}

static void each_wrong_header_has_its_message(void **state)
{
    (void)state;
    assert_bytes_message("", 0, "it has 0 bytes, too few for an IDX header");
    assert_bytes_message("\0\0\10", 3, "it has 3 bytes, too few for an IDX header");
    assert_bytes_message("\x89PNG", 4,
                         "it is not an IDX file: it starts with 89 50, expected 00 00");
    assert_bytes_message("\0\0\x0d\1\0\0\0\0", 8,
                         "its elements have IDX type 0d, expected 08 (unsigned bytes)");
    assert_bytes_message("\0\0\10\0\0\0\0\0", 8,
                         "it has 0 dimensions, expected 1 to 4");
    assert_bytes_message("\0\0\10\5\0\0\0\0", 8,
                         "it has 5 dimensions, expected 1 to 4");
    assert_bytes_message("\0\0\10\3\0\0\0\1", 8,
                         "it has 8 bytes, its header alone takes 16");
}

static void truncation_and_excess_say_found_and_announced(void **state)
{
    (void)state;
    unsigned char longer[sizeof(images) + 2] = {0};
    memcpy(longer, images, sizeof(images));
    assert_bytes_message(images, sizeof(images) - 1,
                         "it has 27 bytes (truncated), its header announces 28");
    assert_bytes_message(longer, sizeof(longer),
                         "it has 30 bytes, its header announces 28");
}

/* Nothing near 4 GiB, or 2^128 bytes, is asked for: the file is too short first. */
static void absurd_dimensions_are_only_compared(void **state)
{
    (void)state;
    unsigned char bytes[20] = {0, 0, 8, 1, 255, 255, 255, 255};
    assert_bytes_message(
        bytes, 20, "it has 20 bytes (truncated), its header announces 4294967303");
    memset(bytes, 255, sizeof(bytes));
    memcpy(bytes, (unsigned char[]){0, 0, 8, 4}, 4);
    assert_bytes_message(bytes, 20, "its header announces more elements than can be");
}

static void damage_of_the_gzip_layer_is_told_apart(void **state)
{
    (void)state;
    size_t size;
    char expected[128];
    gzip_to(scratch_path("gzipped"), "wb", images, sizeof(images));
    unsigned char *bytes = scratch_read(scratch_path("gzipped"), &size);
    snprintf(expected, sizeof(expected),
             "its gzip data ends too early, after %zu bytes", size - 1);
    assert_bytes_message(bytes, size - 1, expected);
    bytes[size - 6] ^= 1; /* the checksum's last byte; four bytes of length follow it */
    assert_bytes_message(bytes, size, "its gzip data is damaged: incorrect data check");
    bytes[size - 6] ^= 1;
    unsigned char *longer = calloc(size + 3, 1);
    memcpy(longer, bytes, size);
    memcpy(longer + size, "abc", 3);
    assert_bytes_message(longer, size + 3,
                         "3 bytes follow its gzip data, expected none");
    free(longer);
    free(bytes);
}

/* Every length, and every byte changed: a message or the right values, never a crash.
 */
static void spoil_everywhere(const char *path)
{
    size_t size;
    struct idx idx;
    const char *bad = scratch_path("bad");
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    unsigned char *bytes = scratch_read(path, &size);
    for (size_t n = 0; n < size; n++) {
        scratch_write(bad, bytes, n);
        char *error = idx_read(&idx, bad);
        assert_non_null(error);
        free(error);
    }
    scratch_write(bad, bytes, size);
    for (size_t i = 0; i < size; i++) {
        scratch_write_at(bad, i, bytes[i] ^ (unsigned char)(1 + rng_below(&rng, 255)));
        char *error = idx_read(&idx, bad);
        if (!error)
            idx_release(&idx);
        free(error);
        scratch_write_at(bad, i, bytes[i]);
    }
    free(bytes);
}

static void no_damage_crashes_the_reader(void **state)
{
    (void)state;
    scratch_write(scratch_path("plain"), images, sizeof(images));
    gzip_to(scratch_path("gzipped"), "wb", images, sizeof(images));
    spoil_everywhere(scratch_path("plain"));
    spoil_everywhere(scratch_path("gzipped"));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_file_is_read),
        cmocka_unit_test(a_gzipped_file_is_read),
        cmocka_unit_test(gzip_members_follow_each_other),
        cmocka_unit_test(a_large_gzipped_file_is_whole),
        cmocka_unit_test(dimensions_are_big_endian),
        cmocka_unit_test(the_digest_and_size_are_of_the_file_as_it_is),
        cmocka_unit_test(no_elements_are_allowed_here),
        cmocka_unit_test(a_missing_file_is_said_to_be_missing),
        cmocka_unit_test(each_wrong_header_has_its_message),
        cmocka_unit_test(truncation_and_excess_say_found_and_announced),
        cmocka_unit_test(absurd_dimensions_are_only_compared),
        cmocka_unit_test(damage_of_the_gzip_layer_is_told_apart),
        cmocka_unit_test(no_damage_crashes_the_reader),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
