#include "io/mat.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/memory.h"

enum { HEADER = 128, INFLATED_MAX = 1 << 28 };
enum {
    TYPE_INT8 = 1,
    TYPE_UINT8 = 2,
    TYPE_INT16 = 3,
    TYPE_UINT16 = 4,
    TYPE_INT32 = 5,
    TYPE_UINT32 = 6,
    TYPE_SINGLE = 7,
    TYPE_DOUBLE = 9,
    TYPE_ARRAY = 14,
    TYPE_DEFLATED = 15,
    TYPE_UTF8 = 16,
};
enum { CLASS_STRUCT = 2 };

struct span {
    const unsigned char *at;
    size_t n;
};

struct element {
    uint32_t type;
    struct span data;
};

static uint32_t word(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* Takes the next element off `span`; false if there is none, or it is cut short. */
static bool take(struct span *span, struct element *element)
{
    if (span->n < 8)
        return false;
    uint32_t first = word(span->at);
    bool small = first >> 16;
    size_t n = small ? first >> 16 : word(span->at + 4);
    size_t whole = small ? 8 : 8 + n;
    element->type = small ? first & 0xffff : first;
    if (!small && element->type != TYPE_DEFLATED)
        whole = 8 + (n + 7) / 8 * 8;
    element->data = (struct span){span->at + (small ? 4 : 8), n};
    if ((small && n > 4) || (!small && n > span->n - 8))
        return false;
    whole = whole > span->n ? span->n : whole;
    span->at += whole;
    span->n -= whole;
    return true;
}

struct array {
    uint32_t class;
    size_t count;
    struct span name, rest; /* what follows the name */
};

static bool open_array(const struct element *element, struct array *array)
{
    struct span span = element->data;
    struct element flags, dimensions, name;
    if (element->type != TYPE_ARRAY || !take(&span, &flags) || flags.data.n < 4 ||
        !take(&span, &dimensions) || !take(&span, &name))
        return false;
    array->class = flags.data.at[0];
    array->count = 1;
    for (size_t d = 0; d + 4 <= dimensions.data.n; d += 4)
        if (__builtin_mul_overflow(array->count, (size_t)word(dimensions.data.at + d),
                                   &array->count))
            return false;
    array->name = name.data;
    array->rest = span;
    return true;
}

/* One element of numbers of any type; false if it is something else. */
static bool number_at(const struct element *element, size_t i, double *value)
{
    static const size_t sizes[] = {
        [TYPE_INT8] = 1,  [TYPE_UINT8] = 1,  [TYPE_INT16] = 2,  [TYPE_UINT16] = 2,
        [TYPE_INT32] = 4, [TYPE_UINT32] = 4, [TYPE_SINGLE] = 0, [TYPE_DOUBLE] = 8};
    uint32_t type = element->type == TYPE_UTF8 ? TYPE_UINT8 : element->type;
    size_t size = type < sizeof(sizes) / sizeof(sizes[0]) ? sizes[type] : 0;
    if (size == 0 || (i + 1) * size > element->data.n)
        return false;
    const unsigned char *at = element->data.at + i * size;
    uint32_t low = size == 1   ? at[0]
                   : size == 2 ? (uint32_t)(at[0] | at[1] << 8)
                               : word(at);
    *value = type == TYPE_INT8    ? (double)(int8_t)low
             : type == TYPE_INT16 ? (double)(int16_t)low
             : type == TYPE_INT32 ? (double)(int32_t)low
                                  : low;
    if (type == TYPE_DOUBLE)
        memcpy(value, at, sizeof(*value));
    return true;
}

static bool is_called(struct span name, const char *wanted)
{
    return name.n == strlen(wanted) && memcmp(name.at, wanted, name.n) == 0;
}

/* A field of one struct: an array of one number, or of letters. */
static bool read_number(const struct array *array, double *number)
{
    struct span rest = array->rest;
    struct element data;
    return array->count == 1 && take(&rest, &data) && number_at(&data, 0, number);
}

static bool read_text(const struct array *array, char *text, size_t size)
{
    struct span rest = array->rest;
    struct element data;
    if (array->count >= size || !take(&rest, &data))
        return false;
    for (size_t i = 0; i < array->count; i++) {
        double letter;
        if (!number_at(&data, i, &letter) || letter < 32 || letter > 126)
            return false;
        text[i] = (char)letter;
    }
    return true;
}

/* The structs' fields; field names have a fixed length, padded with NUL. */
static char *read_structs(struct array *array, const char *number_field,
                          const char *text_field, struct mat_row *rows)
{
    struct element width, names, field;
    if (!take(&array->rest, &width) || width.data.n < 4 || !take(&array->rest, &names))
        return memory_text_copy("it has no field names");
    size_t length = word(width.data.at), fields = length ? names.data.n / length : 0;
    bool number = false, text = false;
    for (size_t i = 0; i < array->count; i++)
        for (size_t f = 0; f < fields; f++) {
            const char *name = (const char *)names.data.at + f * length;
            struct span called = {(const unsigned char *)name, strnlen(name, length)};
            struct array value;
            if (!take(&array->rest, &field) || !open_array(&field, &value))
                return memory_format("it ends in struct %zu of %zu", i, array->count);
            bool is_number = is_called(called, number_field);
            bool is_text = is_called(called, text_field);
            if ((is_number && !read_number(&value, &rows[i].number)) ||
                (is_text && !read_text(&value, rows[i].text, sizeof(rows[i].text))))
                return memory_format("field '%s' of struct %zu is not a %s",
                                     is_number ? number_field : text_field, i,
                                     is_number ? "number" : "short text");
            number |= is_number;
            text |= is_text;
        }
    return number && text ? NULL
                          : memory_format("it has no field '%s'",
                                          number ? text_field : number_field);
}

static char *read_variable(const struct element *element, const char *variable,
                           const char *number_field, const char *text_field,
                           struct mat_row **rows, size_t *n, bool *found)
{
    struct array array;
    *found = open_array(element, &array) && is_called(array.name, variable);
    if (!*found)
        return NULL;
    /* An array that takes a tag of 8 bytes for each of its structs, at least. */
    if (array.class != CLASS_STRUCT || array.count == 0 ||
        array.count > element->data.n / 8)
        return memory_format("'%s' is no array of structs", variable);
    *n = array.count;
    *rows = memory_zeroed(*n, sizeof(**rows));
    return read_structs(&array, number_field, text_field, *rows);
}

static char *inflate_element(struct span deflated, unsigned char **bytes, size_t *n)
{
    z_stream stream = {.next_in = (unsigned char *)deflated.at,
                       .avail_in = (uInt)deflated.n};
    size_t capacity = 1 << 16;
    int state = inflateInit(&stream);
    while (state == Z_OK && capacity < INFLATED_MAX) {
        capacity *= 2;
        *bytes = memory_resized(*bytes, capacity, 1);
        stream.next_out = *bytes + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        state = inflate(&stream, Z_NO_FLUSH);
    }
    *n = stream.total_out;
    inflateEnd(&stream);
    return state == Z_STREAM_END ? NULL
                                 : memory_text_copy("its deflated data are damaged");
}

char *mat_read(const unsigned char *bytes, size_t size, const char *variable,
               const char *number_field, const char *text_field, struct mat_row **rows,
               size_t *n)
{
    struct span span = {bytes + HEADER, size < HEADER ? 0 : size - HEADER};
    struct element element;
    *rows = NULL;
    if (size < HEADER || memcmp(bytes + HEADER - 2, "IM", 2) != 0)
        return memory_text_copy("it is no little-endian MAT-file of level 5");
    while (take(&span, &element)) {
        unsigned char *inflated = NULL;
        char *error = NULL;
        bool found = false;
        if (element.type == TYPE_DEFLATED) {
            struct span inner = {0};
            error = inflate_element(element.data, &inflated, &inner.n);
            inner.at = inflated;
            if (!error && !take(&inner, &element))
                error = memory_text_copy("a deflated element is cut short");
        }
        if (!error)
            error = read_variable(&element, variable, number_field, text_field, rows, n,
                                  &found);
        free(inflated);
        if (error) {
            free(*rows);
            *rows = NULL;
        }
        if (error || found)
            return error;
    }
    return memory_format("it has no array '%s'", variable);
}
