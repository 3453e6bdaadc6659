#include "io/import_files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/checkpoint.h"
#include "io/decode.h"
#include "io/encoded.h"
#include "io/ilsvrc.h"
#include "io/image_files.h"

/* So much is read at a time, then decoded by all threads. */
enum { BATCH_IMAGES = 512, BATCH_BYTES = 64 << 20 };
static const double checkpoint_seconds = 60;

struct listed {
    char *path; /* with the split in front: "train/cat/1.jpg" */
    enum import_set set;
    int label;
    int64_t size, offset, crc32;
    size_t rank;  /* among those of its set, by path */
    char *broken; /* why, or NULL */
};

/* A class, and whether each set has it. */
struct class
{
    char *name;
    size_t count[IMPORT_SETS];
    bool seen[IMPORT_SETS]; /* if only as an empty folder */
};

/* A part of the source: paths get `prefix` in front. */
struct part {
    char *path;
    const char *prefix;
};

struct reading {
    struct import *import;
    const struct import_request *request;
    struct part part[IMPORT_SETS];
    int n_parts;
    char **validation_class; /* of ilsvrc2012 */
    int n_validation;
    char *validation_from;
    struct listed *image;
    size_t n, capacity;
    int64_t bytes; /* of all images */
    struct class *class;
    int n_classes;
    size_t n_passed_over;
    char *passed_over; /* the first */
    bool decodes;      /* pixels are kept, not files */
    struct decoder **decoder;
    int n_decoders;
    /* While files are copied: */
    struct checkpoint *checkpoint;
    char *reserved;
    int descriptor;
    size_t place;
};

static const char *const set_names[IMPORT_SETS] = {"train", "test"};

/* ---- the first pass: names ---- */

static bool is_image_name(const char *path)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t length = strlen(path), ending = strlen(endings[i]);
        if (length > ending && !strcasecmp(path + length - ending, endings[i]))
            return true;
    }
    return false;
}

/* The set that a folder's name means, or -1. */
static int set_of(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum import_set set;
    } known[] = {{"train", IMPORT_TRAIN}, {"test", IMPORT_TEST}, {"val", IMPORT_TEST}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].name) == length && !strncmp(name, known[i].name, length))
            return (int)known[i].set;
    return -1;
}

/* The class of that name in the list so far, which it joins. Files of a class come one
 * after the other, mostly. */
static int class_number(struct reading *reading, const char *name, size_t length)
{
    for (int k = reading->n_classes - 1; k >= 0; k--)
        if (!strncmp(reading->class[k].name, name, length) &&
            !reading->class[k].name[length])
            return k;
    reading->class = memory_resized(reading->class, (size_t)reading->n_classes + 1,
                                    sizeof(reading->class[0]));
    reading->class[reading->n_classes] =
        (struct class){.name = memory_format("%.*s", (int)length, name)};
    return reading->n_classes++;
}

/* Whose number is in the name: ILSVRC2012_val_00000001.JPEG */
static const char *validation_class(const struct reading *reading, const char *path)
{
    const char *digits = strrchr(path, '_');
    long number = digits ? strtol(digits + 1, NULL, 10) : 0;
    if (number < 1 || number > reading->n_validation)
        die("'%s': there is no class for '%s' in '%s', which has %d",
            reading->part[1].path, path, reading->validation_from,
            reading->n_validation);
    return reading->validation_class[number - 1];
}

static void add_image(struct reading *reading, const struct image_file *file,
                      char *path, enum import_set set, int label)
{
    if (reading->n == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 1024;
        reading->image = memory_resized(reading->image, reading->capacity,
                                        sizeof(reading->image[0]));
    }
    if (file->size > INT32_MAX)
        die("'%s' has %zu bytes, expected at most %d of an image", path, file->size,
            INT32_MAX);
    reading->image[reading->n++] = (struct listed){.path = path,
                                                   .set = set,
                                                   .label = label,
                                                   .size = (int64_t)file->size,
                                                   .offset = reading->bytes};
    reading->bytes += (int64_t)file->size;
    reading->class[label].count[set]++;
}

static void pass_over(struct reading *reading, char *path)
{
    if (reading->n_passed_over++ == 0)
        reading->passed_over = path;
    else
        free(path);
}

/* Hidden files are nobody's images. */
static bool is_hidden(const char *path)
{
    return *basename(path) == '.';
}

/*
 * One file or folder of a part. Of an imagefolder it is at [.../]SPLIT/CLASS/..., where
 * what is before the split's folder is passed over: a tar may begin with a folder.
 */
static bool list_one(struct reading *reading, const struct part *part,
                     const struct image_file *file)
{
    char *path = memory_format("%s%s", part->prefix, file->path);
    const char *at = path, *class = NULL;
    int set = -1;
    while (set < 0 && strchr(at, '/')) {
        set = set_of(at, strcspn(at, "/"));
        at = strchr(at, '/') + 1;
    }
    size_t length = strcspn(at, "/");
    if (set == IMPORT_TEST && reading->validation_class && !file->folder &&
        is_image_name(path)) {
        class = validation_class(reading, path);
        length = strlen(class);
    } else if (set >= 0 && length > 0 && (at[length] == '/' || file->folder)) {
        class = at;
    }
    bool is_image = class && !file->folder && is_image_name(path);
    if (class && !is_hidden(path)) {
        int label = class_number(reading, class, length);
        reading->class[label].seen[set] = true;
        if (is_image) {
            add_image(reading, file, path, (enum import_set)set, label);
            return true;
        }
    }
    if (file->folder)
        free(path);
    else
        pass_over(reading, path);
    return false;
}

static int by_class_name(const void *a, const void *b)
{
    return strcmp(((const struct class *)a)->name, ((const struct class *)b)->name);
}

/* Numbers the classes by their names. */
static void sort_classes(struct reading *reading)
{
    int n = reading->n_classes;
    struct class *sorted = memory_zeroed((size_t)n, sizeof(*sorted));
    int *number = memory_zeroed((size_t)n, sizeof(int));
    memcpy(sorted, reading->class, (size_t)n * sizeof(*sorted));
    qsort(sorted, (size_t)n, sizeof(*sorted), by_class_name);
    for (int k = 0; k < n; k++)
        number[k] = (int)((struct class *)bsearch(&reading->class[k], sorted, (size_t)n,
                                                  sizeof(*sorted), by_class_name) -
                          sorted);
    for (size_t i = 0; i < reading->n; i++)
        reading->image[i].label = number[reading->image[i].label];
    free(reading->class);
    free(number);
    reading->class = sorted;
}

static int by_path(const void *a, const void *b)
{
    const struct listed *one = *(struct listed *const *)a,
                        *other = *(struct listed *const *)b;
    return one->set != other->set ? (one->set > other->set) - (one->set < other->set)
                                  : strcmp(one->path, other->path);
}

/* The images by set and path; free() it. */
static struct listed **sorted_images(struct reading *reading)
{
    struct listed **sorted = memory_zeroed(reading->n, sizeof(*sorted));
    for (size_t i = 0; i < reading->n; i++)
        sorted[i] = &reading->image[i];
    qsort(sorted, reading->n, sizeof(*sorted), by_path);
    return sorted;
}

static void check_no_file_twice(struct reading *reading)
{
    struct listed **sorted = sorted_images(reading);
    for (size_t i = 1; i < reading->n; i++)
        if (!strcmp(sorted[i - 1]->path, sorted[i]->path))
            die("'%s': '%s' is in it twice: two files, or two classes, have the same "
                "name",
                reading->request->config->dataset.source, sorted[i]->path);
    free(sorted);
}

/* The names of the classes that one set lacks, at most five of them. */
static char *lacking(const struct reading *reading, enum import_set set, int *n)
{
    char *text = memory_text_copy("");
    *n = 0;
    for (int k = 0; k < reading->n_classes; k++) {
        if (reading->class[k].seen[set] || ++*n > 5)
            continue;
        char *longer =
            memory_format("%s%s'%s'", text, *n > 1 ? ", " : "", reading->class[k].name);
        free(text);
        text = longer;
    }
    return text;
}

static void check_classes(const struct reading *reading)
{
    const char *source = reading->request->config->dataset.source;
    int classes = reading->request->config->space.classes, n;
    for (int s = 0; s < IMPORT_SETS; s++) {
        size_t images = 0;
        for (int k = 0; k < reading->n_classes; k++)
            images += reading->class[k].count[s];
        if (images == 0)
            die("'%s' has no images to %s, expected %s%s", source,
                s == IMPORT_TRAIN ? "train with" : "test with",
                s == IMPORT_TRAIN ? "train/CLASS/*.jpg"
                                  : "test/CLASS/*.jpg or val/CLASS/*.jpg",
                reading->n_passed_over ? ", .jpeg or .png" : "");
        if (images > INT32_MAX)
            die("'%s' has %zu images in '%s', expected at most %d", source, images,
                set_names[s], INT32_MAX);
    }
    for (int s = 0; s < IMPORT_SETS; s++) {
        char *names = lacking(reading, (enum import_set)s, &n);
        if (n > 0)
            die("'%s': %d of %d classes are not in '%s': %s%s", source, n,
                reading->n_classes, set_names[s], names, n > 5 ? ", ..." : "");
        free(names);
        for (int k = 0; k < reading->n_classes; k++)
            if (reading->class[k].count[s] == 0)
                die("'%s': class '%s' has no images in '%s'", source,
                    reading->class[k].name, set_names[s]);
    }
    if (reading->n_classes != classes)
        die("'%s' has %d classes ('%s' to '%s'), space.classes is %d", source,
            reading->n_classes, reading->class[0].name,
            reading->class[reading->n_classes - 1].name, classes);
}

/* Before anything is decoded: will enough be left to train with? */
static void check_counts(const struct reading *reading)
{
    int wanted = reading->request->config->dataset.validation_per_class;
    for (int k = 0; k < reading->n_classes; k++)
        if (reading->class[k].count[IMPORT_TRAIN] <= (size_t)wanted)
            die("'%s': class %d ('%s') has %zu images, expected more than the %d that "
                "dataset.validation_per_class takes away",
                reading->request->config->dataset.source, k, reading->class[k].name,
                reading->class[k].count[IMPORT_TRAIN], wanted);
}

/* The numbers in the names were in range; but is there an image for each label? */
static void check_validation(const struct reading *reading)
{
    size_t images = 0;
    for (int k = 0; k < reading->n_classes; k++)
        images += reading->class[k].count[IMPORT_TEST];
    if (reading->validation_class && images != (size_t)reading->n_validation)
        die("'%s' has %d labels, '%s' has %zu images", reading->validation_from,
            reading->n_validation, reading->part[1].path, images);
}

static void say_counts(const struct reading *reading)
{
    for (int s = 0; s < IMPORT_SETS; s++) {
        size_t least = SIZE_MAX, most = 0, all = 0;
        for (int k = 0; k < reading->n_classes; k++) {
            size_t count = reading->class[k].count[s];
            least = count < least ? count : least;
            most = count > most ? count : most;
            all += count;
        }
        log_info("'%s' has %zu images in '%s', %zu to %zu in each of %d classes",
                 reading->request->config->dataset.source, all, set_names[s], least,
                 most, reading->n_classes);
    }
    if (reading->n_passed_over)
        log_warning("passed over %zu files that are no images in a class's folder, "
                    "the first is '%s'",
                    reading->n_passed_over, reading->passed_over);
}

/* Whether the first image has the size that is wanted, in which case all should. */
static bool has_input_size(struct reading *reading, const unsigned char *bytes,
                           size_t n)
{
    const int *input = reading->request->config->space.input;
    int height, width;
    return !decoder_begin(reading->decoder[0], bytes, n, &height, &width) &&
           height == input[0] && width == input[1];
}

static void choose_decoding(struct reading *reading, struct image_files *files)
{
    const char *when = reading->request->config->dataset.decode;
    reading->decodes = !strcmp(when, "import");
    if (strcmp(when, "auto") != 0)
        return;
    size_t n = (size_t)reading->image[0].size;
    unsigned char *bytes = memory_zeroed(n + 1, 1);
    image_files_read(files, bytes);
    reading->decodes = has_input_size(reading, bytes, n);
    free(bytes);
}

static void list_images(struct reading *reading)
{
    for (int p = 0; p < reading->n_parts; p++) {
        struct image_files *files = image_files_open(reading->part[p].path);
        for (struct image_file file; image_files_next(files, &file);)
            if (list_one(reading, &reading->part[p], &file) && reading->n == 1)
                choose_decoding(reading, files);
        image_files_close(files);
    }
    if (reading->n_classes == 0)
        die("'%s' has no images, expected train/CLASS/*.jpg, and test/ or val/",
            reading->request->config->dataset.source);
    sort_classes(reading);
    check_validation(reading);
    check_classes(reading);
    check_no_file_twice(reading);
    check_counts(reading);
    say_counts(reading);
}

/* The order of the images by path is their order in the dataset. */
static void rank_images(struct reading *reading)
{
    struct listed **sorted = sorted_images(reading);
    size_t rank = 0;
    for (size_t i = 0; i < reading->n; i++) {
        if (i > 0 && sorted[i]->set != sorted[i - 1]->set)
            rank = 0;
        sorted[i]->rank = rank++;
    }
    free(sorted);
}

/* ---- the second pass: images ---- */

struct batch {
    size_t first, n;
    unsigned char *bytes; /* of its images, one behind the other */
    size_t capacity;
};

/* Why it is broken, or NULL; its pixels go to their place in the set. */
static const char *decode(const struct reading *reading, const struct listed *image,
                          const unsigned char *bytes)
{
    const struct space_config *space = &reading->request->config->space;
    struct decoder *decoder = reading->decoder[omp_get_thread_num()];
    struct image_set *set = &reading->import->set[image->set];
    struct picture picture;
    int height, width, channels = space->input[2];
    const char *why =
        decoder_begin(decoder, bytes, (size_t)image->size, &height, &width);
    if (why || !reading->decodes)
        return why ? why : decoder_check(decoder);
    if (height != space->input[0] || width != space->input[1])
        die("'%s' is %d x %d, space.input is %d x %d; with dataset.decode=read "
            "pictures "
            "may be of any size",
            image->path, height, width, space->input[0], space->input[1]);
    why = decoder_read(decoder, channels, NULL, height, width, &picture);
    if (why || (why = decoder_damage(decoder)))
        return why;
    size_t size = (size_t)height * (size_t)width * (size_t)channels;
    memcpy(set->pixel + image->rank * size, picture.pixel, size);
    return NULL;
}

static void decode_batch(struct reading *reading, const struct batch *batch)
{
    int64_t start = reading->image[batch->first].offset;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = batch->first; i < batch->first + batch->n; i++) {
        struct listed *image = &reading->image[i];
        const unsigned char *bytes = batch->bytes + (image->offset - start);
        const char *why = decode(reading, image, bytes);
        image->crc32 = (int64_t)crc32_z(0, bytes, (size_t)image->size);
        image->broken = why ? memory_text_copy(why) : NULL;
    }
}

static void write_batch(const struct reading *reading, const struct batch *batch)
{
    const struct listed *first = &reading->image[batch->first],
                        *last = &reading->image[batch->first + batch->n - 1];
    size_t bytes = (size_t)(last->offset + last->size - first->offset), done = 0;
    off_t at = (off_t)reading->place + first->offset;
    while (done < bytes) {
        ssize_t n = pwrite(reading->descriptor, batch->bytes + done, bytes - done,
                           at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("cannot write '%s': %s", reading->reserved, strerror(errno));
        done += (size_t)n;
    }
}

static void show(const struct reading *reading, struct progress *progress, size_t done)
{
    struct status *status = reading->request->status;
    char note[64] = "";
    double rate = progress_rate(progress);
    if (rate > 0)
        snprintf(note, sizeof(note), "%.0f images/s", rate);
    progress_update(progress, (long)done, note);
    if (status)
        status_update(status, (long)done, (long)reading->n, "images", (double)NAN,
                      progress_rate(progress), progress_eta(progress));
}

static void save_progress(struct reading *reading, size_t done);

/* Images [*done, n) of the list are read in its order. Returns whether all were. */
static void finish_batch(struct reading *reading, struct batch *batch, size_t *done)
{
    if (batch->n == 0)
        return;
    decode_batch(reading, batch);
    if (!reading->decodes)
        write_batch(reading, batch);
    *done = batch->first + batch->n;
    batch->first = *done;
    batch->n = 0;
}

/* Reads an image behind those of the batch. */
static void add_to_batch(struct reading *reading, struct batch *batch,
                         struct image_files *files, const struct image_file *file)
{
    const struct listed *image = &reading->image[batch->first + batch->n];
    size_t at = (size_t)(image->offset - reading->image[batch->first].offset);
    if (batch->first + batch->n >= reading->n || (size_t)image->size != file->size)
        die("'%s': '%s' has changed since it was listed",
            reading->request->config->dataset.source, file->path);
    if (at + file->size > batch->capacity) {
        batch->capacity = at + file->size + BATCH_BYTES / 4;
        batch->bytes = memory_resized(batch->bytes, batch->capacity, 1);
    }
    image_files_read(files, batch->bytes + at);
    batch->n++;
}

static bool batch_is_full(const struct reading *reading, const struct batch *batch)
{
    if (batch->n == 0)
        return false;
    const struct listed *last = &reading->image[batch->first + batch->n - 1];
    return batch->n == BATCH_IMAGES ||
           last->offset + last->size - reading->image[batch->first].offset >=
               BATCH_BYTES;
}

/* From image *done on, in the order of the list. Returns false if told to stop. */
static bool read_images(struct reading *reading, size_t done)
{
    struct batch batch = {.first = done};
    struct progress progress;
    double saved = clock_seconds();
    size_t number = 0;
    progress_start(&progress, "images", (long)done, (long)reading->n);
    for (int p = 0; p < reading->n_parts && !stop_requested(); p++) {
        struct image_files *files = image_files_open(reading->part[p].path);
        for (struct image_file file; image_files_next(files, &file);) {
            struct listed *next = number < reading->n ? &reading->image[number] : NULL;
            if (!next || file.folder ||
                strcmp(next->path + strlen(reading->part[p].prefix), file.path) != 0)
                continue;
            if (number++ < done)
                continue;
            add_to_batch(reading, &batch, files, &file);
            if (!batch_is_full(reading, &batch))
                continue;
            finish_batch(reading, &batch, &done);
            show(reading, &progress, done);
            if (stop_requested())
                break;
            if (clock_seconds() - saved >= checkpoint_seconds) {
                save_progress(reading, done);
                saved = clock_seconds();
            }
        }
        image_files_close(files);
    }
    finish_batch(reading, &batch, &done);
    free(batch.bytes);
    bool complete = done == reading->n;
    if (!complete && !stop_requested())
        die("'%s': '%s' is not there any more",
            reading->request->config->dataset.source, reading->image[done].path);
    save_progress(reading, done);
    show(reading, &progress, done);
    progress_finish(&progress, NULL);
    return complete;
}

/* ---- to be able to go on ---- */

/* Whether the source is what it was. */
static void digest_listing(const struct reading *reading, char text[DIGEST_SIZE])
{
    struct digest *digest = digest_create();
    for (size_t i = 0; i < reading->n; i++) {
        const struct listed *image = &reading->image[i];
        char *line = memory_format("%s %lld\n", image->path, (long long)image->size);
        digest_add(digest, line, strlen(line));
        free(line);
    }
    digest_finish(digest, text);
}

static void save_progress(struct reading *reading, size_t done)
{
    if (reading->decodes)
        return;
    /* The record must not be on disk before what it speaks of. */
    if (fdatasync(reading->descriptor) != 0)
        die("cannot flush '%s' to disk: %s", reading->reserved, strerror(errno));
    char listing[DIGEST_SIZE];
    int64_t *crc32 = memory_zeroed(done, sizeof(*crc32)),
            *broken = memory_zeroed(done, sizeof(*broken));
    const char **why = memory_zeroed(done, sizeof(*why));
    size_t n_broken = 0;
    digest_listing(reading, listing);
    for (size_t i = 0; i < done; i++) {
        crc32[i] = reading->image[i].crc32;
        if (!reading->image[i].broken)
            continue;
        broken[n_broken] = (int64_t)i;
        why[n_broken++] = reading->image[i].broken;
    }
    struct artifact *half = checkpoint_begin(reading->checkpoint);
    artifact_write_text(half, "listing", listing, "digest of the names and sizes");
    artifact_write_i64(half, "place", (int64_t)reading->place, "byte",
                       "where the images begin in the file of which they are part");
    artifact_write_vector(half, "crc32", ARRAY_I64, done, crc32, "1",
                          "CRC-32 of the images that were read");
    artifact_write_vector(half, "broken", ARRAY_I64, n_broken, broken, "1",
                          "numbers of those that are broken");
    artifact_write_vector(half, "why", ARRAY_TEXT, n_broken, why, "text",
                          "why they are");
    checkpoint_commit(reading->checkpoint, half);
    free(crc32);
    free(broken);
    free(why);
}

/* What an earlier call did, of these same images; returns how many they are. */
static size_t load_progress(struct reading *reading, struct artifact *half)
{
    char listing[DIGEST_SIZE];
    size_t done[ARTIFACT_RANK_MAX], n_broken;
    char *was = artifact_read_text(half, "listing");
    digest_listing(reading, listing);
    if (!was || strcmp(was, listing) != 0)
        die("'%s' is not what it was when '%s' was begun\n"
            "remove '%s' to start again, or restore what was there",
            reading->request->config->dataset.source, reading->reserved,
            artifact_path(half));
    reading->place = (size_t)artifact_read_i64(half, "place");
    artifact_shape(half, "crc32", done);
    int64_t *crc32 = memory_zeroed(done[0], sizeof(*crc32));
    artifact_read(half, "crc32", ARRAY_I64, 1, done, crc32);
    for (size_t i = 0; i < done[0]; i++)
        reading->image[i].crc32 = crc32[i];
    char **why = artifact_read_texts(half, "why", &n_broken);
    int64_t *broken = memory_zeroed(n_broken, sizeof(*broken));
    artifact_read(half, "broken", ARRAY_I64, 1, &n_broken, broken);
    for (size_t i = 0; i < n_broken; i++)
        reading->image[broken[i]].broken = memory_text_copy(why[i]);
    free(crc32);
    free(broken);
    free(why);
    free(was);
    return done[0];
}

static char *reserved_path(const struct import_request *request)
{
    return artifact_sibling(request->out, ".part.h5");
}

/* Room for all of it now: a disk that is too small is found in the beginning. */
static void reserve(struct reading *reading)
{
    size_t bytes = reading->bytes > 0 ? (size_t)reading->bytes : 1;
    reading->place = artifact_reserve(reading->reserved, ENCODED_ARRAY, bytes, "byte",
                                      "image files, one behind the other");
    int file = open(reading->reserved, O_RDWR | O_CLOEXEC);
    if (file < 0)
        die("cannot open '%s': %s", reading->reserved, strerror(errno));
    if (fallocate(file, 0, (off_t)reading->place, reading->bytes) != 0 &&
        errno == ENOSPC) {
        unlink(reading->reserved);
        die("'%s': there is no room for the %.1f GB of its images", reading->reserved,
            (double)reading->bytes / 1e9);
    }
    close(file);
}

static void lock(const struct reading *reading, int descriptor)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        die("'%s' is being written by another process", reading->reserved);
}

static void check_not_in_use(const struct reading *reading)
{
    int descriptor = open(reading->reserved, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    lock(reading, descriptor);
    close(descriptor);
}

/* Opens what was begun, or begins. Returns how many images are done. */
static size_t begin_copying(struct reading *reading)
{
    struct stat status;
    reading->checkpoint =
        checkpoint_create(reading->request->out, reading->request->origin);
    reading->reserved = reserved_path(reading->request);
    check_not_in_use(reading);
    struct artifact *half = checkpoint_load(reading->checkpoint);
    size_t done = half ? load_progress(reading, half) : 0;
    artifact_close(half);
    if (done > 0 && (stat(reading->reserved, &status) != 0 ||
                     status.st_size < (off_t)reading->place + reading->bytes)) {
        log_warning("'%s' is not there as it was: starting again", reading->reserved);
        for (size_t i = 0; i < done; i++) {
            free(reading->image[i].broken);
            reading->image[i].broken = NULL;
        }
        done = 0;
    }
    if (done == 0)
        reserve(reading);
    else
        log_info("goes on after %zu of %zu images", done, reading->n);
    reading->descriptor = open(reading->reserved, O_RDWR | O_CLOEXEC);
    if (reading->descriptor < 0)
        die("cannot open '%s': %s", reading->reserved, strerror(errno));
    lock(reading, reading->descriptor);
    return done;
}

void import_files_forget(const struct import_request *request)
{
    struct checkpoint *checkpoint = checkpoint_create(request->out, request->origin);
    checkpoint_remove(checkpoint);
    checkpoint_free(checkpoint);
}

/* ---- what it comes to ---- */

static void refuse_broken(const struct reading *reading)
{
    size_t n = 0;
    for (size_t i = 0; i < reading->n; i++)
        if (reading->image[i].broken) {
            log_warning("'%s': %s", reading->image[i].path, reading->image[i].broken);
            n++;
        }
    if (n == 0)
        return;
    if (!reading->request->skip_broken)
        die("'%s': %zu of %zu images are broken (listed above): mend them, or leave "
            "them out with --skip-broken",
            reading->request->config->dataset.source, n, reading->n);
    log_warning("left out %zu broken images of %zu", n, reading->n);
}

static void skip_image(struct import *import, struct listed *image)
{
    size_t n = (size_t)import->n_skipped++;
    import->skipped = memory_resized(import->skipped, n + 1, sizeof(char *));
    import->skipped_because =
        memory_resized(import->skipped_because, n + 1, sizeof(char *));
    import->skipped[n] = image->path;
    import->skipped_because[n] = image->broken;
    image->path = image->broken = NULL;
}

static void take_image(const struct reading *reading, struct listed *image)
{
    struct image_set *set = &reading->import->set[image->set];
    const int *input = reading->request->config->space.input;
    size_t size = (size_t)input[0] * (size_t)input[1] * (size_t)input[2];
    size_t at = set->n++;
    set->label[at] = image->label;
    set->file[at] = image->path;
    image->path = NULL;
    if (reading->decodes) {
        if (at != image->rank)
            memmove(set->pixel + at * size, set->pixel + image->rank * size, size);
        return;
    }
    set->offset[at] = image->offset;
    set->size[at] = (int32_t)image->size;
    set->crc32[at] = image->crc32;
}

static void reserve_sets(struct reading *reading)
{
    const int *input = reading->request->config->space.input;
    size_t size = (size_t)input[0] * (size_t)input[1] * (size_t)input[2];
    for (int s = 0; s < IMPORT_SETS; s++) {
        struct image_set *set = &reading->import->set[s];
        size_t n = 0;
        for (int k = 0; k < reading->n_classes; k++)
            n += reading->class[k].count[s];
        set->images = memory_format("%s", reading->request->config->dataset.source);
        set->labels = memory_text_copy(set->images);
        set->label = memory_zeroed(n, sizeof(set->label[0]));
        set->file = memory_zeroed(n, sizeof(set->file[0]));
        if (reading->decodes) {
            set->pixel = memory_zeroed(n, size);
            continue;
        }
        set->offset = memory_zeroed(n, sizeof(set->offset[0]));
        set->size = memory_zeroed(n, sizeof(set->size[0]));
        set->crc32 = memory_zeroed(n, sizeof(set->crc32[0]));
    }
}

/* What was read: the name of the source, and a digest of what each of its images is. */
static void take_source(const struct reading *reading, struct listed *const *sorted)
{
    const char *source = reading->request->config->dataset.source;
    char text[DIGEST_SIZE];
    struct digest *digest = digest_create();
    for (size_t i = 0; i < reading->n; i++) {
        char *line = memory_format("%s %lld %08llx\n", sorted[i]->path,
                                   (long long)sorted[i]->size,
                                   (unsigned long long)sorted[i]->crc32);
        digest_add(digest, line, strlen(line));
        free(line);
    }
    digest_finish(digest, text);
    char *name = memory_text_copy(source);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/';)
        name[--n] = '\0';
    import_add_source(reading->import, memory_text_copy(basename(name)),
                      (size_t)reading->bytes, text);
    free(name);
}

static void take_all(struct reading *reading)
{
    struct import *import = reading->import;
    struct listed **sorted = sorted_images(reading);
    take_source(reading, sorted);
    for (size_t i = 0; i < reading->n; i++)
        if (sorted[i]->broken)
            skip_image(import, sorted[i]);
        else
            take_image(reading, sorted[i]);
    for (int k = 0; k < reading->n_classes; k++)
        import_add_class(import, memory_text_copy(reading->class[k].name));
    if (!reading->decodes) {
        import->reserved = memory_text_copy(reading->reserved);
        import->place = reading->place;
    }
    free(sorted);
}

static void reading_release(struct reading *reading)
{
    for (size_t i = 0; i < reading->n; i++) {
        free(reading->image[i].path);
        free(reading->image[i].broken);
    }
    for (int k = 0; k < reading->n_classes; k++)
        free(reading->class[k].name);
    for (int i = 0; i < reading->n_decoders; i++)
        decoder_free(reading->decoder[i]);
    for (int p = 0; p < reading->n_parts; p++)
        free(reading->part[p].path);
    if (reading->descriptor >= 0)
        close(reading->descriptor);
    checkpoint_free(reading->checkpoint);
    free(reading->image);
    free(reading->class);
    free(reading->decoder);
    free(reading->validation_class);
    free(reading->validation_from);
    free(reading->passed_over);
    free(reading->reserved);
}

static void find_parts(struct reading *reading)
{
    const struct dataset_config *dataset = &reading->request->config->dataset;
    reading->n_parts = 1;
    reading->part[0] = (struct part){memory_text_copy(dataset->source), ""};
    if (strcmp(dataset->format, "ilsvrc2012") != 0)
        return;
    static const char *const tars[] = {"ILSVRC2012_img_train.tar",
                                       "ILSVRC2012_img_val.tar"};
    free(reading->part[0].path);
    reading->n_parts = 2;
    for (int p = 0; p < 2; p++)
        reading->part[p] = (struct part){
            memory_format("%s/%s", dataset->source, tars[p]), p ? "val/" : "train/"};
    reading->validation_class = ilsvrc_validation_classes(
        dataset->source, &reading->n_validation, &reading->validation_from);
}

static void make_decoders(struct reading *reading)
{
    reading->n_decoders = omp_get_max_threads();
    reading->decoder =
        memory_zeroed((size_t)reading->n_decoders, sizeof(reading->decoder[0]));
    for (int i = 0; i < reading->n_decoders; i++)
        reading->decoder[i] = decoder_create();
}

bool import_files(struct import *import, const struct import_request *request)
{
    struct reading reading = {.import = import, .request = request, .descriptor = -1};
    make_decoders(&reading);
    find_parts(&reading);
    list_images(&reading);
    rank_images(&reading);
    reserve_sets(&reading);
    bool complete =
        read_images(&reading, reading.decodes ? 0 : begin_copying(&reading));
    if (complete) {
        refuse_broken(&reading);
        take_all(&reading);
    }
    reading_release(&reading);
    return complete;
}
