#include "io/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

/* About this much in a chunk: small enough for HDF5's chunk cache, large enough that
 * the chunk index does not matter. */
enum { CHUNK_BYTES = 1 << 20 };
/* Object headers hold less than 64 KiB; longer scalars (texts) go to a block of their
 * own, which only the artifact's digest covers. */
enum { COMPACT_BYTES = 60000 };

/* Digests are over bytes as they lie in memory, and files hold little-endian numbers.
 */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian processor");

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [ARRAY_F32] = {"f32", 4}, [ARRAY_F64] = {"f64", 8}, [ARRAY_I32] = {"i32", 4},
    [ARRAY_I64] = {"i64", 8}, [ARRAY_U8] = {"u8", 1},   [ARRAY_TEXT] = {"text", 0},
};
_Static_assert(sizeof(types) / sizeof(types[0]) == ARRAY_TEXT + 1, "a row per type");

const char *h5_type_name(enum array_type type)
{
    return types[type].name;
}

size_t h5_type_size(enum array_type type)
{
    return types[type].size;
}

size_t h5_count(const struct h5_array *array)
{
    size_t count = 1;
    for (int d = 0; d < array->rank; d++)
        count *= array->shape[d];
    return count;
}

void h5_shape_text(const struct h5_array *array, char text[H5_SHAPE_SIZE])
{
    int at = snprintf(text, H5_SHAPE_SIZE, "%s", array->rank ? "" : "scalar");
    for (int d = 0; d < array->rank; d++)
        at += snprintf(text + at, (size_t)(H5_SHAPE_SIZE - at), "%s%zu", d ? "x" : "",
                       array->shape[d]);
}

const char *h5_library(void)
{
    static char text[64];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof(text), "HDF5 %u.%u.%u", major, minor, release);
    return text;
}

/*
 * Before the first use: errors are ours to report; and no clean-up at exit, which
 * cannot end when a file could not be flushed (a full disk). We close what we open.
 */
static void start_library(void)
{
    static bool started;
    if (!started)
        H5dont_atexit();
    started = true;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static herr_t keep_innermost(unsigned depth, const H5E_error2_t *error, void *text)
{
    if (depth == 0)
        *(char **)text = memory_text_copy(error->desc ? error->desc : "");
    return 0;
}

/* Why the last call failed. The reason that the system gave is enough where there is
 * one; HDF5 wraps it in addresses and sizes. */
static char *reason(void)
{
    char *text = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &text);
    if (!text || !*text) {
        free(text);
        return memory_text_copy("HDF5 gives no reason");
    }
    static const char mark[] = "error message = '";
    char *system = strstr(text, mark);
    char *end = system ? strchr(system + sizeof(mark) - 1, '\'') : NULL;
    if (end) {
        *end = '\0';
        memmove(text, system + sizeof(mark) - 1, strlen(system + sizeof(mark) - 1) + 1);
    }
    return text;
}

/* Releases an identifier of any kind; data may be flushed only now, so it can fail. */
static void release(hid_t id, char **error)
{
    if (id >= 0 && H5Idec_ref(id) < 0 && !*error)
        *error = reason();
}

/* Access by the 1.10 format, which checksums its metadata; no locks: a reader's file
 * never changes, a writer's name is its own, and some network file systems have none.
 */
static hid_t file_access(void)
{
    start_library();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0 ||
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
        H5Pset_file_locking(access, false, true) < 0)
        return -1;
    return access;
}

char *h5_create(const char *path, hid_t *file)
{
    char *error = NULL;
    hid_t access = file_access();
    *file = access < 0 ? -1 : H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, access);
    if (*file < 0)
        error = reason();
    release(access, &error);
    return error;
}

static char *open_as(const char *path, unsigned how, hid_t *file)
{
    char *error = NULL;
    hid_t access = file_access();
    *file = access < 0 ? -1 : H5Fopen(path, how, access);
    if (*file < 0)
        error = reason();
    release(access, &error);
    return error;
}

char *h5_open(const char *path, hid_t *file)
{
    return open_as(path, H5F_ACC_RDONLY, file);
}

char *h5_open_to_add(const char *path, hid_t *file)
{
    return open_as(path, H5F_ACC_RDWR, file);
}

char *h5_close(hid_t file)
{
    return H5Fclose(file) < 0 ? reason() : NULL;
}

static hid_t number_type(enum array_type type, bool in_file)
{
    switch (type) {
    case ARRAY_F32:
        return in_file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT;
    case ARRAY_F64:
        return in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE;
    case ARRAY_I32:
        return in_file ? H5T_STD_I32LE : H5T_NATIVE_INT32;
    case ARRAY_I64:
        return in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64;
    case ARRAY_U8:
        return in_file ? H5T_STD_U8LE : H5T_NATIVE_UINT8;
    case ARRAY_TEXT:
        break;
    }
    BUG("%d is no type of numbers", (int)type);
}

/* A string type of `size` bytes; the caller releases it. */
static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, size) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
        H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        return -1;
    return type;
}

/* The caller releases it, as for text. */
static hid_t array_type(enum array_type type, size_t text_size, bool in_file)
{
    return type == ARRAY_TEXT ? text_type(text_size)
                              : H5Tcopy(number_type(type, in_file));
}

static hid_t array_space(const struct h5_array *array)
{
    hsize_t shape[ARTIFACT_RANK_MAX];
    for (int d = 0; d < array->rank; d++)
        shape[d] = array->shape[d];
    return array->rank ? H5Screate_simple(array->rank, shape, NULL)
                       : H5Screate(H5S_SCALAR);
}

/* As many of the last dimensions as fit; the rest is cut into nearly equal pieces, for
 * a chunk at the edge takes the space of a whole one. */
static void chunk_shape(const struct h5_array *array, size_t element,
                        hsize_t chunk[ARTIFACT_RANK_MAX])
{
    size_t bytes = element;
    for (int d = array->rank - 1; d >= 0; d--) {
        size_t fit = bytes < CHUNK_BYTES ? CHUNK_BYTES / bytes : 1;
        size_t pieces = (array->shape[d] + fit - 1) / fit;
        chunk[d] = (array->shape[d] + pieces - 1) / pieces;
        bytes *= chunk[d];
    }
}

static hid_t array_layout(const struct h5_array *array, size_t element)
{
    hsize_t chunk[ARTIFACT_RANK_MAX];
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    if (layout < 0 || h5_count(array) == 0)
        return layout;
    if (array->rank == 0)
        return element > COMPACT_BYTES || H5Pset_layout(layout, H5D_COMPACT) >= 0
                   ? layout
                   : -1;
    chunk_shape(array, element, chunk);
    if (H5Pset_chunk(layout, array->rank, chunk) < 0 || H5Pset_fletcher32(layout) < 0)
        return -1;
    return layout;
}

/* Bytes of the longest text: what each of them takes in the file. */
static size_t longest(size_t n, const char *const *texts)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        if (strlen(texts[i]) > size)
            size = strlen(texts[i]);
    return size;
}

static char *packed(size_t n, const char *const *texts, size_t size)
{
    char *bytes = memory_zeroed(n * size + 1, 1);
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + i * size, texts[i], strlen(texts[i]));
    return bytes;
}

static hid_t links_with_groups(void)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    return links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0 ? links : -1;
}

static char *write_bytes(hid_t file, const char *name, const struct h5_array *array,
                         size_t element, const void *bytes)
{
    char *error = NULL;
    hid_t space = -1, in_file = -1, in_memory = -1, layout = -1, links = -1, id = -1;
    if ((space = array_space(array)) < 0 ||
        (in_file = array_type(array->type, element, true)) < 0 ||
        (in_memory = array_type(array->type, element, false)) < 0 ||
        (layout = array_layout(array, element)) < 0 ||
        (links = links_with_groups()) < 0 ||
        (id = H5Dcreate2(file, name, in_file, space, links, layout, H5P_DEFAULT)) < 0 ||
        (h5_count(array) > 0 &&
         H5Dwrite(id, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0))
        error = reason();
    const hid_t ids[] = {id, links, layout, in_memory, in_file, space};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        release(ids[i], &error);
    return error;
}

char *h5_write(hid_t file, const char *name, const struct h5_array *array,
               const void *data)
{
    if (array->type != ARRAY_TEXT)
        return write_bytes(file, name, array, h5_type_size(array->type), data);
    size_t n = h5_count(array), size = longest(n, data);
    char *bytes = packed(n, data, size);
    char *error = write_bytes(file, name, array, size, bytes);
    free(bytes);
    return error;
}

static char *place_of(hid_t id, size_t *place)
{
    hid_t layout = H5Dget_create_plist(id);
    char *error = layout < 0 ? reason() : NULL;
    haddr_t address = HADDR_UNDEF;
    if (!error && H5Pget_layout(layout) == H5D_CONTIGUOUS)
        address = H5Dget_offset(id);
    *place = address == HADDR_UNDEF ? 0 : (size_t)address;
    release(layout, &error);
    return error;
}

char *h5_reserve(hid_t file, const char *name, size_t n, size_t *place)
{
    char *error = NULL;
    hid_t space = -1, layout = -1, links = -1, id = -1;
    if ((space = H5Screate_simple(1, &(hsize_t){n}, NULL)) < 0 ||
        (layout = H5Pcreate(H5P_DATASET_CREATE)) < 0 ||
        H5Pset_layout(layout, H5D_CONTIGUOUS) < 0 ||
        H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER) < 0 ||
        (links = links_with_groups()) < 0 ||
        (id = H5Dcreate2(file, name, H5T_STD_U8LE, space, links, layout, H5P_DEFAULT)) <
            0)
        error = reason();
    else
        error = place_of(id, place);
    const hid_t ids[] = {id, links, layout, space};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        release(ids[i], &error);
    return error;
}

char *h5_place(hid_t file, const char *name, size_t *place)
{
    hid_t id = H5Dopen2(file, name, H5P_DEFAULT);
    char *error = id < 0 ? reason() : place_of(id, place);
    release(id, &error);
    return error;
}

bool h5_has(hid_t file, const char *name)
{
    /* HDF5 wants to be asked for every group on the way. */
    char *path = memory_text_copy(name);
    bool has = true;
    for (char *slash = strchr(path, '/'); has && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        has = H5Lexists(file, path, H5P_DEFAULT) > 0;
        *slash = '/';
    }
    has = has && H5Lexists(file, path, H5P_DEFAULT) > 0;
    free(path);
    return has;
}

/* Which of our types a type in a file is; false: none of them. */
static bool type_of(hid_t id, struct h5_array *array)
{
    size_t size = H5Tget_size(id);
    array->text_size = 0;
    switch (H5Tget_class(id)) {
    case H5T_FLOAT:
        array->type = size == 4 ? ARRAY_F32 : ARRAY_F64;
        return size == 4 || size == 8;
    case H5T_INTEGER:
        array->type = size == 1 ? ARRAY_U8 : size == 4 ? ARRAY_I32 : ARRAY_I64;
        return (size == 1) == (H5Tget_sign(id) == H5T_SGN_NONE) &&
               (size == 1 || size == 4 || size == 8);
    case H5T_STRING:
        array->type = ARRAY_TEXT;
        array->text_size = size;
        return H5Tis_variable_str(id) == 0;
    default:
        return false;
    }
}

/* NULL, or that the array has more bytes than its file: a header that lies must not
 * make us ask for memory. */
static char *check_size(hid_t file, const struct h5_array *array)
{
    char shape[H5_SHAPE_SIZE];
    hsize_t available = 0;
    if (H5Fget_filesize(file, &available) < 0)
        return reason();
    size_t bytes =
        array->type == ARRAY_TEXT ? array->text_size : h5_type_size(array->type);
    bool fits = true;
    for (int d = 0; d < array->rank; d++)
        fits = fits && !__builtin_mul_overflow(bytes, array->shape[d], &bytes);
    if (fits && bytes <= available)
        return NULL;
    h5_shape_text(array, shape);
    return memory_format("its shape is %s, more than the %zu bytes of the file hold",
                         shape, (size_t)available);
}

char *h5_inspect(hid_t file, const char *name, struct h5_array *array)
{
    char *error = NULL;
    hsize_t shape[H5S_MAX_RANK];
    hid_t type = -1, space = -1, id = H5Dopen2(file, name, H5P_DEFAULT);
    if (id < 0 || (type = H5Dget_type(id)) < 0 || (space = H5Dget_space(id)) < 0 ||
        (array->rank = H5Sget_simple_extent_dims(space, shape, NULL)) < 0)
        error = reason();
    else if (!type_of(type, array))
        error = memory_text_copy("its type is none of f32, f64, i32, i64, u8, text");
    else if (array->rank > ARTIFACT_RANK_MAX)
        error = memory_format("it has %d dimensions, expected at most %d", array->rank,
                              ARTIFACT_RANK_MAX);
    for (int d = 0; !error && d < array->rank; d++)
        array->shape[d] = shape[d];
    release(space, &error);
    release(type, &error);
    release(id, &error);
    return error ? error : check_size(file, array);
}

char *h5_read(hid_t file, const char *name, const struct h5_array *array,
              enum array_type type, void *data)
{
    char *error = NULL;
    hid_t in_memory = -1, id = -1;
    if (h5_count(array) == 0)
        return NULL;
    if ((in_memory = array_type(type, array->text_size, false)) < 0 ||
        (id = H5Dopen2(file, name, H5P_DEFAULT)) < 0 ||
        H5Dread(id, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        error = reason();
    release(id, &error);
    release(in_memory, &error);
    return error;
}

struct names {
    char **name;
    size_t n, capacity;
};

static void names_add(struct names *names, char *name)
{
    if (names->n == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 64;
        names->name = memory_resized(names->name, names->capacity, sizeof(char *));
    }
    names->name[names->n++] = name;
}

static char *list_group(hid_t group, const char *prefix, struct names *names);

/* The link number `i` of a group: an array, or a group to go into. */
static char *list_link(hid_t group, const char *prefix, hsize_t i, struct names *names)
{
    ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, NULL,
                                      0, H5P_DEFAULT);
    if (size < 0)
        return reason();
    char *link = memory_zeroed((size_t)size + 1, 1), *error = NULL;
    hid_t object = -1;
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, link,
                           (size_t)size + 1, H5P_DEFAULT) < 0 ||
        (object = H5Oopen(group, link, H5P_DEFAULT)) < 0)
        error = reason();
    char *name = memory_format("%s%s%s", prefix, *prefix ? "/" : "", link);
    if (!error && H5Iget_type(object) == H5I_DATASET) {
        names_add(names, name);
        name = NULL;
    } else if (!error && H5Iget_type(object) == H5I_GROUP) {
        error = list_group(object, name, names);
    }
    release(object, &error);
    free(name);
    free(link);
    return error;
}

static char *list_group(hid_t group, const char *prefix, struct names *names)
{
    H5G_info_t info;
    char *error = H5Gget_info(group, &info) < 0 ? reason() : NULL;
    for (hsize_t i = 0; !error && i < info.nlinks; i++)
        error = list_link(group, prefix, i, names);
    return error;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Moves the texts into one block behind their pointers. */
static char **one_block(const struct names *names)
{
    size_t bytes = (names->n + 1) * sizeof(char *);
    for (size_t i = 0; i < names->n; i++)
        bytes += strlen(names->name[i]) + 1;
    char **block = memory_zeroed(bytes, 1);
    char *text = (char *)(block + names->n + 1);
    for (size_t i = 0; i < names->n; i++) {
        block[i] = text;
        text = stpcpy(text, names->name[i]) + 1;
    }
    return block;
}

char *h5_list(hid_t file, char ***names, size_t *n)
{
    struct names list = {0};
    char *error = list_group(file, "", &list);
    *names = NULL;
    *n = list.n;
    if (!error) {
        if (list.n)
            qsort(list.name, list.n, sizeof(char *), by_text);
        *names = one_block(&list);
    }
    for (size_t i = 0; i < list.n; i++)
        free(list.name[i]);
    free(list.name);
    return error;
}

static char *write_attribute(hid_t file, const char *object, const char *name,
                             hid_t type, hid_t space, const void *bytes)
{
    char *error = NULL;
    hid_t owner = -1, id = -1;
    if (type < 0 || space < 0 || (owner = H5Oopen(file, object, H5P_DEFAULT)) < 0 ||
        (id = H5Acreate2(owner, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) < 0 ||
        H5Awrite(id, type, bytes) < 0)
        error = reason();
    release(id, &error);
    release(owner, &error);
    release(space, &error);
    release(type, &error);
    return error;
}

char *h5_attribute_text(hid_t file, const char *object, const char *name,
                        const char *value)
{
    size_t size = longest(1, &value);
    char *bytes = packed(1, &value, size);
    char *error = write_attribute(file, object, name, text_type(size),
                                  H5Screate(H5S_SCALAR), bytes);
    free(bytes);
    return error;
}

char *h5_attribute_texts(hid_t file, const char *object, const char *name, size_t n,
                         const char *const *values)
{
    size_t size = longest(n, values);
    char *bytes = packed(n, values, size);
    char *error = write_attribute(file, object, name, text_type(size),
                                  H5Screate_simple(1, &(hsize_t){n}, NULL), bytes);
    free(bytes);
    return error;
}

char *h5_attribute_u64(hid_t file, const char *object, const char *name, uint64_t value)
{
    return write_attribute(file, object, name, H5Tcopy(H5T_STD_U64LE),
                           H5Screate(H5S_SCALAR), &value);
}

static char *joined(size_t n, const char *bytes, size_t size)
{
    char *text = memory_zeroed(n * (size + 1) + 1, 1), *end = text;
    for (size_t i = 0; i < n; i++) {
        size_t length = strnlen(bytes + i * size, size);
        if (i > 0)
            *end++ = '\n';
        end = mempcpy(end, bytes + i * size, length);
    }
    return text;
}

/* Text or one number; anything else is not ours. */
static char *attribute_value(hid_t id, hid_t type, hsize_t n, char **value)
{
    if (H5Tget_class(type) == H5T_INTEGER && n == 1) {
        uint64_t number = 0;
        if (H5Aread(id, H5T_NATIVE_UINT64, &number) < 0)
            return reason();
        *value = memory_format("%llu", (unsigned long long)number);
        return NULL;
    }
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
        return memory_text_copy("it is neither a number nor text of fixed length");
    size_t size = H5Tget_size(type);
    char *bytes = memory_zeroed(n * size + 1, 1), *error = NULL;
    if (n > 0 && H5Aread(id, type, bytes) < 0)
        error = reason();
    else
        *value = joined(n, bytes, size);
    free(bytes);
    return error;
}

char *h5_attribute_read(hid_t file, const char *object, const char *name, char **value)
{
    char *error = NULL;
    hid_t owner = -1, id = -1, type = -1, space = -1;
    hssize_t n;
    *value = NULL;
    htri_t exists = H5Aexists_by_name(file, object, name, H5P_DEFAULT);
    if (exists == 0)
        return NULL;
    if (exists < 0 || (owner = H5Oopen(file, object, H5P_DEFAULT)) < 0 ||
        (id = H5Aopen(owner, name, H5P_DEFAULT)) < 0 || (type = H5Aget_type(id)) < 0 ||
        (space = H5Aget_space(id)) < 0 || (n = H5Sget_simple_extent_npoints(space)) < 0)
        error = reason();
    else
        error = attribute_value(id, type, (hsize_t)n, value);
    release(space, &error);
    release(type, &error);
    release(id, &error);
    release(owner, &error);
    return error;
}
