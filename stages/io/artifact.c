#include "io/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/digest.h"
#include "io/h5.h"
#include "io/temporary.h"

_Static_assert((int)ARTIFACT_DIGEST_SIZE == (int)DIGEST_SIZE, "one size of digests");

/* What the digest says about one array. */
struct line {
    char *name, *text;
};

struct artifact {
    char *path;
    hid_t file;
    /* While it is written: */
    char *temporary; /* NULL when it is read */
    bool keeps;      /* it is not removed when something fails: others made it */
    int descriptor;  /* of `temporary`; holds the lock that says it is being written */
    struct line *lines;
    size_t n_lines, lines_capacity;
};

static const char HDF5_SIGNATURE[8] = "\x89HDF\r\n\x1a\n";

static void artifact_free(struct artifact *artifact)
{
    for (size_t i = 0; i < artifact->n_lines; i++) {
        free(artifact->lines[i].name);
        free(artifact->lines[i].text);
    }
    free(artifact->lines);
    if (artifact->descriptor >= 0)
        close(artifact->descriptor);
    free(artifact->temporary);
    free(artifact->path);
    free(artifact);
}

/* Dies about this artifact; `error` is HDF5's reason. What was half written goes, and
 * its space at once, though the file is open: the status record may need it. */
_Noreturn static void fail(struct artifact *artifact, const char *error,
                           const char *format, ...) PRINTF_LIKE(3, 4);
_Noreturn static void fail(struct artifact *artifact, const char *error,
                           const char *format, ...)
{
    char *what = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&what, format, arguments) < 0)
        what = memory_text_copy(format);
    va_end(arguments);
    if (artifact->temporary && !artifact->keeps &&
        (truncate(artifact->temporary, 0) == 0 || errno != ENOENT))
        unlink(artifact->temporary);
    die("'%s': %s: %s", artifact->path, what, error);
}

const char *artifact_path(const struct artifact *artifact)
{
    return artifact->path;
}

char *artifact_sibling(const char *path, const char *ending)
{
    size_t length = strlen(path);
    if (length > 3 && !strcmp(path + length - 3, ".h5"))
        length -= 3;
    return memory_format("%.*s%s", (int)length, path, ending);
}

/* ---- writing ---- */

static void root_text(struct artifact *artifact, const char *name, const char *value)
{
    char *error = h5_attribute_text(artifact->file, "/", name, value);
    if (error)
        fail(artifact, error, "cannot write attribute '%s'", name);
}

static void root_u64(struct artifact *artifact, const char *name, uint64_t value)
{
    char *error = h5_attribute_u64(artifact->file, "/", name, value);
    if (error)
        fail(artifact, error, "cannot write attribute '%s'", name);
}

/* "path digest", one for each input. */
static void write_inputs(struct artifact *artifact,
                         const struct artifact_origin *origin)
{
    char **line = memory_zeroed((size_t)origin->n_in + 1, sizeof(char *));
    int n = origin->n_in;
    for (int i = 0; i < n; i++) {
        char digest[ARTIFACT_DIGEST_SIZE];
        if (origin->in_digest) {
            snprintf(digest, sizeof(digest), "%s", origin->in_digest[i]);
        } else {
            struct artifact *input = artifact_open(origin->in[i], NULL);
            artifact_digest(input, digest);
            artifact_close(input);
        }
        line[i] = memory_format("%s %s", origin->in[i], digest);
    }
    if (origin->plain)
        line[n++] = memory_format("%s %s", origin->plain, origin->plain_digest);
    char *error = h5_attribute_texts(artifact->file, "/", "inputs", (size_t)n,
                                     (const char *const *)line);
    if (error)
        fail(artifact, error, "cannot write attribute 'inputs'");
    for (int i = 0; i < n; i++)
        free(line[i]);
    free(line);
}

static void write_origin(struct artifact *artifact,
                         const struct artifact_origin *origin)
{
    char *what = memory_format(
        "what stage '%s' of GreedyNAS made, or its checkpoint; of each input `inputs` "
        "has path and digest, `config` has the settings",
        origin->stage);
    char *libraries =
        memory_format("%s; %s; libyaml %s; %s", h5_library(), threads_blas_config(),
                      yaml_get_version_string(), digest_library());
    char date[CLOCK_DATE_SIZE];
    clock_date(date);
    root_text(artifact, "description", what);
    root_text(artifact, "stage", origin->stage);
    root_u64(artifact, "format", ARTIFACT_FORMAT);
    root_text(artifact, "code", build_info());
    root_text(artifact, "libraries", libraries);
    root_text(artifact, "config", origin->config);
    write_inputs(artifact, origin);
    root_u64(artifact, "seed", origin->seed);
    root_u64(artifact, "threads", (uint64_t)origin->threads);
    root_text(artifact, "cpu", threads_cpu_name());
    root_text(artifact, "started", date);
    free(libraries);
    free(what);
}

struct artifact *artifact_create(const char *path, const struct artifact_origin *origin)
{
    struct artifact *artifact = memory_zeroed(1, sizeof(*artifact));
    artifact->path = memory_text_copy(path);
    artifact->temporary = temporary_path(path);
    temporary_remove_stale(path);
    /* The same process may have given up on it in a way that left it. */
    unlink(artifact->temporary);
    char *error = h5_create(artifact->temporary, &artifact->file);
    if (error)
        fail(artifact, error, "cannot create '%s'", artifact->temporary);
    artifact->descriptor = temporary_lock(artifact->temporary);
    if (artifact->descriptor < 0)
        fail(artifact, strerror(errno), "cannot open '%s'", artifact->temporary);
    write_origin(artifact, origin);
    return artifact;
}

/* The words of the digest's line that follow the name. */
static char *digest_line(const struct h5_array *array, const void *data)
{
    struct digest *digest = digest_create();
    char text[DIGEST_SIZE], shape[H5_SHAPE_SIZE];
    size_t n = h5_count(array);
    const char *const *texts = data;
    if (array->type != ARRAY_TEXT)
        digest_add(digest, data, n * h5_type_size(array->type));
    for (size_t i = 0; array->type == ARRAY_TEXT && i < n; i++)
        digest_add(digest, texts[i], strlen(texts[i]) + 1);
    digest_finish(digest, text);
    h5_shape_text(array, shape);
    return memory_format("%s %s %s", h5_type_name(array->type), shape, text);
}

/* The same for an array that is in one piece in the file, at `place`: it may be more
 * than memory holds, and take minutes (*stopped: told to stop meanwhile; NULL: goes
 * on). Returns why not, or NULL. */
static char *digest_placed(const char *path, size_t place, const struct h5_array *array,
                           bool *stopped, char **line)
{
    enum { PIECE = 1 << 20 };
    char text[DIGEST_SIZE], shape[H5_SHAPE_SIZE], *error = NULL;
    size_t end = place + h5_count(array) * h5_type_size(array->type);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return memory_text_copy(strerror(errno));
    unsigned char *piece = memory_zeroed(PIECE, 1);
    struct digest *digest = digest_create();
    while (!error && place < end && !(stopped && (*stopped = stop_requested()))) {
        size_t wanted = end - place < PIECE ? end - place : PIECE;
        ssize_t n = pread(descriptor, piece, wanted, (off_t)place);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            error = memory_text_copy(n < 0 ? strerror(errno) : "the file ends in it");
        else
            digest_add(digest, piece, (size_t)n);
        place += n > 0 ? (size_t)n : 0;
    }
    digest_finish(digest, text);
    h5_shape_text(array, shape);
    if (!error)
        *line = memory_format("%s %s %s", h5_type_name(array->type), shape, text);
    free(piece);
    close(descriptor);
    return error;
}

static bool is_measured(const char *name)
{
    return !strncmp(name, "measured/", strlen("measured/"));
}

static void add_line(struct artifact *artifact, const char *name, char *text)
{
    if (artifact->n_lines == artifact->lines_capacity) {
        artifact->lines_capacity =
            artifact->lines_capacity ? 2 * artifact->n_lines : 64;
        artifact->lines = memory_resized(artifact->lines, artifact->lines_capacity,
                                         sizeof(artifact->lines[0]));
    }
    artifact->lines[artifact->n_lines++] =
        (struct line){.name = memory_text_copy(name), .text = text};
}

size_t artifact_reserve(const char *file, const char *name, size_t n, const char *units,
                        const char *description)
{
    hid_t id = -1;
    size_t place = 0;
    unlink(file);
    char *error = h5_create(file, &id);
    if (!error)
        error = h5_reserve(id, name, n, &place);
    if (!error)
        error = h5_attribute_text(id, name, "description", description);
    if (!error)
        error = h5_attribute_text(id, name, "units", units);
    char *closing = id >= 0 ? h5_close(id) : NULL;
    if (error || closing) {
        unlink(file);
        die("cannot create '%s': %s", file, error ? error : closing);
    }
    return place;
}

/* Adds the lines of the arrays that are there already. */
static char *add_placed_lines(struct artifact *artifact, bool *stopped)
{
    char **names, *line = NULL;
    size_t n;
    char *error = h5_list(artifact->file, &names, &n);
    for (size_t i = 0; !error && i < n; i++) {
        struct h5_array array;
        size_t place = 0;
        error = h5_inspect(artifact->file, names[i], &array);
        if (!error)
            error = h5_place(artifact->file, names[i], &place);
        if (!error)
            error = digest_placed(artifact->temporary, place, &array, stopped, &line);
        if (!error)
            add_line(artifact, names[i], line);
    }
    free(names);
    return error;
}

struct artifact *artifact_create_from(const char *file, const char *path,
                                      const struct artifact_origin *origin)
{
    struct artifact *artifact = memory_zeroed(1, sizeof(*artifact));
    bool stopped = stop_requested();
    artifact->path = memory_text_copy(path);
    artifact->temporary = memory_text_copy(file);
    artifact->keeps = true;
    temporary_remove_stale(path);
    char *error = h5_open_to_add(file, &artifact->file);
    if (error)
        fail(artifact, error, "cannot open '%s'", file);
    artifact->descriptor = temporary_lock(file);
    if (artifact->descriptor < 0)
        fail(artifact, strerror(errno), "cannot open '%s'", file);
    if ((error = add_placed_lines(artifact, &stopped)))
        fail(artifact, error, "cannot read '%s'", file);
    if (stopped) {
        artifact_abandon(artifact);
        return NULL;
    }
    write_origin(artifact, origin);
    return artifact;
}

/* Copies bytes [from, end) of one file to their place in another. */
static bool copy_range(int in, int out, size_t from, size_t end)
{
    char piece[4096];
    while (from < end) {
        size_t wanted = end - from < sizeof(piece) ? end - from : sizeof(piece);
        ssize_t n = pread(in, piece, wanted, (off_t)from);
        if (n > 0)
            n = pwrite(out, piece, (size_t)n, (off_t)from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += (size_t)n;
    }
    return true;
}

/* Gives `file` all that `fresh` has but its array [place, end). */
static void copy_around(const char *fresh, const char *file, size_t place, size_t end)
{
    struct stat status;
    int in = open(fresh, O_RDONLY | O_CLOEXEC), out = open(file, O_WRONLY | O_CLOEXEC);
    bool good = in >= 0 && out >= 0 && fstat(in, &status) == 0 &&
                copy_range(in, out, 0, place) &&
                copy_range(in, out, end, (size_t)status.st_size) &&
                ftruncate(out, status.st_size) == 0;
    if (!good)
        die("cannot write '%s': %s", file, strerror(errno));
    close(in);
    close(out);
}

bool artifact_reserve_again(const char *file, const char *name, size_t n, size_t place,
                            const char *units, const char *description)
{
    char *fresh = temporary_path(file);
    bool same = artifact_reserve(fresh, name, n, units, description) == place;
    if (same)
        copy_around(fresh, file, place, place + n);
    unlink(fresh);
    free(fresh);
    return same;
}

void artifact_write(struct artifact *artifact, const char *name, enum array_type type,
                    int rank, const size_t *shape, const void *data, const char *units,
                    const char *description)
{
    BUG_IF(!artifact->temporary || rank < 0 || rank > ARTIFACT_RANK_MAX);
    BUG_IF(!*name || *name == '/' || strpbrk(name, " \n"));
    struct h5_array array = {.type = type, .rank = rank};
    for (int d = 0; d < rank; d++)
        array.shape[d] = shape[d];
    char *error = h5_write(artifact->file, name, &array, data);
    if (!error)
        error = h5_attribute_text(artifact->file, name, "description", description);
    if (!error)
        error = h5_attribute_text(artifact->file, name, "units", units);
    if (error)
        fail(artifact, error, "cannot write array '%s'", name);
    if (!is_measured(name))
        add_line(artifact, name, digest_line(&array, data));
}

void artifact_write_vector(struct artifact *artifact, const char *name,
                           enum array_type type, size_t n, const void *data,
                           const char *units, const char *description)
{
    artifact_write(artifact, name, type, 1, &n, data, units, description);
}

void artifact_write_f64(struct artifact *artifact, const char *name, double value,
                        const char *units, const char *description)
{
    artifact_write(artifact, name, ARRAY_F64, 0, NULL, &value, units, description);
}

void artifact_write_i64(struct artifact *artifact, const char *name, int64_t value,
                        const char *units, const char *description)
{
    artifact_write(artifact, name, ARRAY_I64, 0, NULL, &value, units, description);
}

void artifact_write_text(struct artifact *artifact, const char *name, const char *value,
                         const char *description)
{
    artifact_write(artifact, name, ARRAY_TEXT, 0, NULL, &value, "text", description);
}

void artifact_describe(struct artifact *artifact, const char *group,
                       const char *description)
{
    char *error = h5_attribute_text(artifact->file, group, "description", description);
    if (error)
        fail(artifact, error, "cannot describe group '%s'", group);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* The digest of all lines, which this sorts. */
static void digest_lines(struct artifact *artifact, char text[DIGEST_SIZE])
{
    struct digest *digest = digest_create();
    if (artifact->n_lines)
        qsort(artifact->lines, artifact->n_lines, sizeof(artifact->lines[0]), by_name);
    for (size_t i = 0; i < artifact->n_lines; i++) {
        const struct line *line = &artifact->lines[i];
        digest_add(digest, line->name, strlen(line->name));
        digest_add(digest, " ", 1);
        digest_add(digest, line->text, strlen(line->text));
        digest_add(digest, "\n", 1);
    }
    digest_finish(digest, text);
}

/* All that can go wrong for want of space happens in here. */
static void complete(struct artifact *artifact)
{
    char digest[DIGEST_SIZE], date[CLOCK_DATE_SIZE];
    digest_lines(artifact, digest);
    clock_date(date);
    if (h5_has(artifact->file, "measured"))
        artifact_describe(artifact, "measured",
                          "differs from run to run, and is not in the digest");
    root_text(artifact, "digest", digest);
    root_text(artifact, "finished", date);
    char *error = h5_close(artifact->file);
    if (error)
        fail(artifact, error, "cannot write");
    if (fsync(artifact->descriptor) != 0)
        fail(artifact, strerror(errno), "cannot flush to disk");
}

/* Gives the file a second name, so that it has its first until the moment it is
 * replaced; where there are no hard links it loses it a moment earlier. */
static void keep(struct artifact *artifact, const char *previous)
{
    if (unlink(previous) != 0 && errno != ENOENT)
        fail(artifact, strerror(errno), "cannot remove '%s'", previous);
    if (link(artifact->path, previous) == 0 || errno == ENOENT)
        return;
    if (rename(artifact->path, previous) != 0)
        fail(artifact, strerror(errno), "cannot rename it to '%s'", previous);
}

void artifact_commit_keeping(struct artifact *artifact, const char *previous)
{
    BUG_IF(!artifact->temporary);
    complete(artifact);
    if (previous)
        keep(artifact, previous);
    if (rename(artifact->temporary, artifact->path) != 0)
        fail(artifact, strerror(errno), "cannot rename '%s' to it",
             artifact->temporary);
    if (!temporary_sync_folder(artifact->path))
        fail(artifact, strerror(errno), "cannot flush its folder to disk");
    artifact_free(artifact);
}

void artifact_commit(struct artifact *artifact)
{
    artifact_commit_keeping(artifact, NULL);
}

void artifact_abandon(struct artifact *artifact)
{
    if (!artifact)
        return;
    /* Nothing that was lost here was wanted. */
    free(h5_close(artifact->file));
    if (!artifact->keeps)
        unlink(artifact->temporary);
    artifact_free(artifact);
}

/* ---- opening ---- */

static const char remove_it[] = "if it is damaged, remove it to have it made again";

/* NULL, or why this cannot be an HDF5 file. */
static char *check_signature(const char *path)
{
    char start[sizeof(HDF5_SIGNATURE)] = {0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOENT
                   ? memory_format("'%s' does not exist", path)
                   : memory_format("cannot open '%s': %s", path, strerror(errno));
    ssize_t n = read(descriptor, start, sizeof(start));
    char *error =
        n < 0 ? memory_format("cannot read '%s': %s", path, strerror(errno)) : NULL;
    close(descriptor);
    if (!error && n == 0)
        error = memory_format("'%s' is empty, expected an HDF5 file", path);
    else if (!error && memcmp(start, HDF5_SIGNATURE, sizeof(start)))
        error = memory_format("'%s' is not an HDF5 file", path);
    return error;
}

static char *open_file(const char *path, hid_t *file)
{
    char *error = check_signature(path);
    if (error)
        return error;
    char *reason = h5_open(path, file);
    if (!reason)
        return NULL;
    unsigned long long found, base, expected;
    if (sscanf(
            reason,
            "truncated file: eof = %llu, sblock->base_addr = %llu, stored_eof = %llu",
            &found, &base, &expected) == 3)
        error = memory_format("'%s' is truncated: found %llu bytes, expected %llu",
                              path, found, expected);
    else
        error = memory_format("cannot open '%s': %s", path, reason);
    free(reason);
    return error;
}

/* NULL if the file is a complete artifact of `stage` that this program can read. */
static char *check_origin(const char *path, hid_t file, const char *stage)
{
    static const char *const wanted[] = {"format", "stage", "digest", "finished"};
    char *value[4] = {NULL}, *error = NULL, *reason = NULL;
    for (int i = 0; !reason && i < 4; i++)
        reason = h5_attribute_read(file, "/", wanted[i], &value[i]);
    if (reason)
        error = memory_format("cannot read '%s': %s", path, reason);
    else if (!value[0] || !value[1])
        error = memory_format("'%s' is no artifact: it has no attribute '%s'", path,
                              wanted[value[0] ? 1 : 0]);
    else if (strtol(value[0], NULL, 10) != ARTIFACT_FORMAT)
        error = memory_format(
            "'%s' has format %s, expected %d: it was made by %s version of "
            "this program",
            path, value[0], ARTIFACT_FORMAT,
            strtol(value[0], NULL, 10) > ARTIFACT_FORMAT ? "a newer" : "an older");
    else if (stage && strcmp(stage, value[1]))
        error = memory_format("'%s' was made by '%s', expected an artifact of '%s'",
                              path, value[1], stage);
    else if (!value[2] || !value[3])
        error = memory_format("'%s' is incomplete: it has no attribute '%s'", path,
                              wanted[value[2] ? 3 : 2]);
    for (int i = 0; i < 4; i++)
        free(value[i]);
    free(reason);
    return error;
}

/* Opens; on failure returns why, and there is nothing to close. *damaged: there is a
 * file, and it is no HDF5 file or one that was cut short. */
static char *open_checked(const char *path, const char *stage, struct artifact **opened,
                          bool *damaged)
{
    hid_t file = -1;
    char *error = open_file(path, &file);
    *damaged = error && access(path, R_OK) == 0;
    if (!error && (error = check_origin(path, file, stage)))
        free(h5_close(file));
    if (error)
        return error;
    *opened = memory_zeroed(1, sizeof(**opened));
    (*opened)->path = memory_text_copy(path);
    (*opened)->file = file;
    (*opened)->descriptor = -1;
    return NULL;
}

struct artifact *artifact_open(const char *path, const char *stage)
{
    struct artifact *artifact = NULL;
    bool damaged;
    char *error = open_checked(path, stage, &artifact, &damaged);
    if (error && damaged)
        die("%s\n%s", error, remove_it);
    if (error)
        die("%s", error);
    return artifact;
}

struct artifact *artifact_try_open(const char *path, const char *stage, char **why)
{
    struct artifact *artifact = NULL;
    bool damaged;
    *why = open_checked(path, stage, &artifact, &damaged);
    return artifact;
}

void artifact_close(struct artifact *artifact)
{
    if (!artifact)
        return;
    /* It was only read; there is nothing to lose. */
    free(h5_close(artifact->file));
    artifact_free(artifact);
}

/* ---- reading ---- */

static void inspect(struct artifact *artifact, const char *name, struct h5_array *array)
{
    if (!h5_has(artifact->file, name))
        fail(artifact, "expected it", "there is no array '%s'", name);
    char *error = h5_inspect(artifact->file, name, array);
    if (error)
        fail(artifact, error, "cannot read array '%s'", name);
}

bool artifact_has(struct artifact *artifact, const char *name)
{
    return h5_has(artifact->file, name);
}

size_t artifact_place(struct artifact *artifact, const char *name)
{
    size_t place = 0;
    char *error = h5_place(artifact->file, name, &place);
    if (error)
        fail(artifact, error, "cannot find array '%s'", name);
    return place;
}

int artifact_shape(struct artifact *artifact, const char *name,
                   size_t shape[ARTIFACT_RANK_MAX])
{
    struct h5_array array;
    if (!h5_has(artifact->file, name))
        return -1;
    inspect(artifact, name, &array);
    memcpy(shape, array.shape, (size_t)array.rank * sizeof(shape[0]));
    return array.rank;
}

/* Whether a number keeps its value. */
static bool converts(enum array_type from, enum array_type to)
{
    switch (to) {
    case ARRAY_F64:
        return from == ARRAY_F64 || from == ARRAY_F32;
    case ARRAY_I64:
        return from == ARRAY_I64 || from == ARRAY_I32 || from == ARRAY_U8;
    case ARRAY_I32:
        return from == ARRAY_I32 || from == ARRAY_U8;
    default:
        return from == to;
    }
}

void artifact_read(struct artifact *artifact, const char *name, enum array_type type,
                   int rank, const size_t *shape, void *data)
{
    BUG_IF(type == ARRAY_TEXT || rank > ARTIFACT_RANK_MAX);
    struct h5_array found, wanted = {.type = type, .rank = rank};
    inspect(artifact, name, &found);
    for (int d = 0; d < rank; d++)
        wanted.shape[d] = shape[d];
    if (found.rank != rank ||
        memcmp(found.shape, wanted.shape, (size_t)rank * sizeof(found.shape[0]))) {
        char is[H5_SHAPE_SIZE], expected[H5_SHAPE_SIZE];
        h5_shape_text(&found, is);
        h5_shape_text(&wanted, expected);
        die("'%s': array '%s' has shape %s, expected %s", artifact->path, name, is,
            expected);
    }
    if (!converts(found.type, type))
        die("'%s': array '%s' has type %s, expected %s", artifact->path, name,
            h5_type_name(found.type), h5_type_name(type));
    char *error = h5_read(artifact->file, name, &found, type, data);
    if (error)
        die("'%s': cannot read array '%s': %s\n%s", artifact->path, name, error,
            remove_it);
}

double artifact_read_f64(struct artifact *artifact, const char *name)
{
    double value;
    artifact_read(artifact, name, ARRAY_F64, 0, NULL, &value);
    return value;
}

int64_t artifact_read_i64(struct artifact *artifact, const char *name)
{
    int64_t value;
    artifact_read(artifact, name, ARRAY_I64, 0, NULL, &value);
    return value;
}

/* Reads text into one block: n pointers, then the texts. Returns why not, or NULL. */
static char *read_texts(hid_t file, const char *name, const struct h5_array *array,
                        char ***texts)
{
    size_t n = h5_count(array), size = array->text_size;
    char *packed = memory_zeroed(n * size + 1, 1);
    char *error = h5_read(file, name, array, ARRAY_TEXT, packed);
    if (!error) {
        *texts = memory_zeroed((n + 1) * sizeof(char *) + n * (size + 1), 1);
        char *text = (char *)(*texts + n + 1);
        for (size_t i = 0; i < n; i++, text += size + 1)
            (*texts)[i] = memcpy(text, packed + i * size, size);
    }
    free(packed);
    return error;
}

static char **texts_of_rank(struct artifact *artifact, const char *name, int rank,
                            size_t *n)
{
    struct h5_array array;
    char **texts = NULL;
    inspect(artifact, name, &array);
    if (array.type != ARRAY_TEXT || array.rank != rank)
        die("'%s': array '%s' has type %s and %d dimensions, expected text and %d",
            artifact->path, name, h5_type_name(array.type), array.rank, rank);
    char *error = read_texts(artifact->file, name, &array, &texts);
    if (error)
        fail(artifact, error, "cannot read array '%s'", name);
    *n = h5_count(&array);
    return texts;
}

char *artifact_read_text(struct artifact *artifact, const char *name)
{
    size_t n;
    if (!h5_has(artifact->file, name))
        return NULL;
    char **texts = texts_of_rank(artifact, name, 0, &n);
    char *text = memory_text_copy(texts[0]);
    free(texts);
    return text;
}

char **artifact_read_texts(struct artifact *artifact, const char *name, size_t *n)
{
    return texts_of_rank(artifact, name, 1, n);
}

char *artifact_attribute(struct artifact *artifact, const char *name)
{
    char *value;
    char *error = h5_attribute_read(artifact->file, "/", name, &value);
    if (error)
        fail(artifact, error, "cannot read attribute '%s'", name);
    return value;
}

void artifact_digest(struct artifact *artifact, char digest[ARTIFACT_DIGEST_SIZE])
{
    char *value = artifact_attribute(artifact, "digest");
    snprintf(digest, ARTIFACT_DIGEST_SIZE, "%s", value ? value : "");
    free(value);
}

/* ---- verifying ---- */

/* Reads an array, whatever it is, and adds its line. Returns why not, or NULL. */
static char *verify_array(struct artifact *artifact, const char *name)
{
    struct h5_array array;
    char *error = h5_inspect(artifact->file, name, &array);
    if (error)
        return error;
    char **texts = NULL, *line = NULL;
    void *data = NULL;
    size_t place = 0;
    if (array.type == ARRAY_U8 && h5_count(&array) > 0 &&
        (error = h5_place(artifact->file, name, &place)))
        return error;
    if (place) {
        error = digest_placed(artifact->path, place, &array, NULL, &line);
    } else if (array.type == ARRAY_TEXT) {
        error = read_texts(artifact->file, name, &array, &texts);
        data = texts;
    } else if (!(data = malloc(h5_count(&array) * h5_type_size(array.type) + 1))) {
        error = memory_text_copy("there is not enough memory to read it");
    } else {
        error = h5_read(artifact->file, name, &array, array.type, data);
    }
    if (!error && !is_measured(name))
        add_line(artifact, name, place ? line : digest_line(&array, data));
    free(data);
    return error;
}

static char *verify_opened(struct artifact *artifact)
{
    char **names, found[DIGEST_SIZE], *recorded = NULL;
    size_t n;
    char *reason = h5_list(artifact->file, &names, &n), *error = NULL;
    if (reason)
        error =
            memory_format("'%s': cannot list its arrays: %s", artifact->path, reason);
    for (size_t i = 0; !error && i < n; i++)
        if ((reason = verify_array(artifact, names[i])))
            error = memory_format("'%s': cannot read array '%s': %s", artifact->path,
                                  names[i], reason);
    if (!error &&
        (reason = h5_attribute_read(artifact->file, "/", "digest", &recorded)))
        error =
            memory_format("'%s': cannot read its digest: %s", artifact->path, reason);
    if (!error) {
        digest_lines(artifact, found);
        if (strcmp(found, recorded))
            error =
                memory_format("'%s' is damaged: its arrays have digest %s, expected %s",
                              artifact->path, found, recorded);
    }
    free(recorded);
    free(reason);
    free(names);
    return error;
}

char *artifact_verify(const char *path)
{
    struct artifact *artifact = NULL;
    bool damaged;
    char *error = open_checked(path, NULL, &artifact, &damaged);
    if (error)
        return error;
    error = verify_opened(artifact);
    artifact_close(artifact);
    return error;
}
