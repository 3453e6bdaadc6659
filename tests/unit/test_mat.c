/* Structs come out of a MAT-file as they were put in; damage has a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "io/mat.h"

struct bytes {
    unsigned char at[4096];
    size_t n;
};

static void put(struct bytes *bytes, const void *data, size_t n)
{
    memcpy(bytes->at + bytes->n, data, n);
    bytes->n += n;
}

static void put_element(struct bytes *bytes, uint32_t type, const void *data,
                        uint32_t n)
{
    const uint32_t tag[2] = {type, n};
    static const unsigned char padding[8] = {0};
    put(bytes, tag, sizeof(tag));
    put(bytes, data, n);
    put(bytes, padding, (8 - n % 8) % 8);
}

static void put_array(struct bytes *bytes, uint32_t class, int32_t count,
                      const char *name, const struct bytes *data)
{
    struct bytes array = {.n = 0};
    put_element(&array, 6, (const uint32_t[]){class, 0}, 8);
    put_element(&array, 5, (const int32_t[]){count, 1}, 8);
    put_element(&array, 1, name, (uint32_t)strlen(name));
    put(&array, data->at, data->n);
    put_element(bytes, 14, array.at, (uint32_t)array.n);
}

/* Two structs (7, "seven") and (-2, "two"): the first number a double, the second of
 * one byte in a short element; texts in letters of 16 and of 8 bits. */
static void put_synsets(struct bytes *bytes)
{
    struct bytes structs = {.n = 0}, field[4] = {{.n = 0}};
    put(&structs, (const uint16_t[]){5, 4}, 4); /* a short element: its size is 4 */
    put(&structs, (const int32_t[]){6}, 4);
    put_element(&structs, 1, "ID\0\0\0\0NAME\0", 12);
    put_element(&field[0], 9, (const double[]){7}, 8);
    put_element(&field[1], 4, (const uint16_t[]){'s', 'e', 'v', 'e', 'n'}, 10);
    put(&field[2], (const uint16_t[]){1, 1}, 4);
    put(&field[2], "\xfe\0\0\0", 4);
    put_element(&field[3], 16, "two", 3);
    put_array(&structs, 6, 1, "", &field[0]);
    put_array(&structs, 4, 5, "", &field[1]);
    put_array(&structs, 8, 1, "", &field[2]);
    put_array(&structs, 4, 3, "", &field[3]);
    put_array(bytes, 2, 2, "synsets", &structs);
}

static struct bytes make_file(bool deflated)
{
    struct bytes file = {.n = 0}, array = {.n = 0}, number = {.n = 0};
    unsigned char head[128] = "MATLAB 5.0 MAT-file";
    memcpy(head + 124, "\0\1IM", 4);
    put(&file, head, sizeof(head));
    put_element(&number, 9, (const double[]){1}, 8);
    put_array(&file, 6, 1, "other", &number);
    put_synsets(&array);
    if (deflated) {
        unsigned char packed[4096];
        uLongf n = sizeof(packed);
        compress(packed, &n, array.at, array.n);
        put(&file, (const uint32_t[]){15, (uint32_t)n}, 8);
        put(&file, packed, n);
    } else {
        put(&file, array.at, array.n);
    }
    return file;
}

static void structs_are_read_deflated_or_not(void **state)
{
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        struct bytes file = make_file(deflated);
        struct mat_row *row;
        size_t n;
        assert_null(mat_read(file.at, file.n, "synsets", "ID", "NAME", &row, &n));
        assert_int_equal(n, 2);
        assert_true(row[0].number == 7 && row[1].number == -2);
        assert_string_equal(row[0].text, "seven");
        assert_string_equal(row[1].text, "two");
        free(row);
    }
}

static void assert_refused(const struct bytes *file, const char *variable,
                           const char *number, const char *text, const char *message)
{
    struct mat_row *row;
    size_t n;
    char *error = mat_read(file->at, file->n, variable, number, text, &row, &n);
    assert_non_null(error);
    assert_string_equal(error, message);
    assert_null(row);
    free(error);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    struct bytes file = make_file(true), text = {.at = "hello", .n = 5};
    assert_refused(&text, "synsets", "ID", "NAME",
                   "it is no little-endian MAT-file of level 5");
    assert_refused(&file, "synset", "ID", "NAME", "it has no array 'synset'");
    assert_refused(&file, "other", "ID", "NAME", "'other' is no array of structs");
    assert_refused(&file, "synsets", "NUMBER", "NAME", "it has no field 'NUMBER'");
    assert_refused(&file, "synsets", "ID", "WORD", "it has no field 'WORD'");
    assert_refused(&file, "synsets", "NAME", "ID",
                   "field 'ID' of struct 0 is not a short text");
    file.n -= 20;
    assert_refused(&file, "synsets", "ID", "NAME", "it has no array 'synsets'");
}

/* Whatever a byte is changed to, and wherever it ends: an answer, and no crash. */
static void no_damage_is_fatal(void **state)
{
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        struct bytes good = make_file(deflated);
        for (size_t at = 0; at < good.n; at++)
            for (int cut = 0; cut < 2; cut++) {
                /* Of its own size, so that a sanitizer sees what is read behind it. */
                size_t size = cut ? at : good.n, n;
                unsigned char *bytes = malloc(size + 1);
                struct mat_row *row;
                memcpy(bytes, good.at, size);
                if (!cut)
                    bytes[at] = (unsigned char)~bytes[at];
                free(mat_read(bytes, size, "synsets", "ID", "NAME", &row, &n));
                free(row);
                free(bytes);
            }
    }
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structs_are_read_deflated_or_not),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(no_damage_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
