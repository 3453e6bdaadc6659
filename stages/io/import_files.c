#include "io/import_files.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/decode.h"
#include "io/image_files.h"
#include "io/part_file.h"

/* So much is read at a time, then decoded by all threads. */
enum { BATCH_IMAGES = 512, BATCH_BYTES = 64 << 20 };
static const double checkpoint_seconds = 60;

struct reading {
    struct import *import;
    const struct import_request *request;
    struct image_list list;
    struct part_file *part;   /* where files are copied to; NULL: pixels are kept */
    struct decoder **decoder; /* one of each thread */
    int n_decoders;
};

/* ---- reading ---- */

struct batch {
    size_t first, n;
    unsigned char *bytes; /* of its images, one behind the other */
    size_t capacity;
};

/* Why it is broken, or NULL; its pixels go to their place in the set. */
static const char *decode(const struct reading *reading,
                          const struct listed_image *image, const unsigned char *bytes)
{
    const struct space_config *space = &reading->request->config->space;
    struct decoder *decoder = reading->decoder[omp_get_thread_num()];
    struct image_set *set = &reading->import->set[image->set];
    struct picture picture;
    int height, width, channels = space->input[2];
    const char *why =
        decoder_begin(decoder, bytes, (size_t)image->size, &height, &width);
    if (why || reading->part)
        return why ? why : decoder_check(decoder);
    if (height != space->input[0] || width != space->input[1])
        die("'%s' is %d x %d, space.input is %d x %d; with dataset.decode=read "
            "pictures may be of any size",
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
    int64_t start = reading->list.image[batch->first].offset;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = batch->first; i < batch->first + batch->n; i++) {
        struct listed_image *image = &reading->list.image[i];
        const unsigned char *bytes = batch->bytes + (image->offset - start);
        const char *why = decode(reading, image, bytes);
        image->crc32 = (int64_t)crc32_z(0, bytes, (size_t)image->size);
        image->broken = why ? memory_text_copy(why) : NULL;
    }
}

static void write_batch(const struct reading *reading, const struct batch *batch)
{
    const struct listed_image *first = &reading->list.image[batch->first],
                              *last = first + batch->n - 1;
    part_file_write(reading->part, batch->bytes,
                    (size_t)(last->offset + last->size - first->offset), first->offset);
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
        status_update(status, (long)done, (long)reading->list.n, "images", (double)NAN,
                      progress_rate(progress), progress_eta(progress));
}

/* Images [*done, n) of the list are read in its order. Returns whether all were. */
static void finish_batch(struct reading *reading, struct batch *batch, size_t *done)
{
    if (batch->n == 0)
        return;
    decode_batch(reading, batch);
    if (reading->part)
        write_batch(reading, batch);
    *done = batch->first + batch->n;
    batch->first = *done;
    batch->n = 0;
}

/* Reads an image behind those of the batch. */
static void add_to_batch(struct reading *reading, struct batch *batch,
                         struct image_files *files, const struct image_file *file)
{
    const struct listed_image *image = &reading->list.image[batch->first + batch->n];
    size_t at = (size_t)(image->offset - reading->list.image[batch->first].offset);
    if (batch->first + batch->n >= reading->list.n || (size_t)image->size != file->size)
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
    const struct listed_image *last = &reading->list.image[batch->first + batch->n - 1];
    return batch->n == BATCH_IMAGES ||
           last->offset + last->size - reading->list.image[batch->first].offset >=
               BATCH_BYTES;
}

static void keep(const struct reading *reading, size_t done)
{
    if (reading->part)
        part_file_save(reading->part, &reading->list, done);
}

/* From image *done on, in the order of the list. Returns false if told to stop. */
static bool read_images(struct reading *reading, size_t done)
{
    struct batch batch = {.first = done};
    struct progress progress;
    double saved = clock_seconds();
    size_t number = 0, n = reading->list.n;
    progress_start(&progress, "images", (long)done, (long)reading->list.n);
    for (int r = 0; r < reading->list.n_roots && !stop_requested(); r++) {
        struct image_files *files = image_files_open(reading->list.root[r].path);
        for (struct image_file file; image_files_next(files, &file);) {
            const struct listed_image *next = &reading->list.image[number];
            if (number >= n || file.folder ||
                strcmp(next->path + strlen(reading->list.root[r].prefix), file.path) !=
                    0)
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
                keep(reading, done);
                saved = clock_seconds();
            }
        }
        image_files_close(files);
    }
    finish_batch(reading, &batch, &done);
    free(batch.bytes);
    bool complete = done == reading->list.n;
    if (!complete && !stop_requested())
        die("'%s': '%s' is not there any more",
            reading->request->config->dataset.source, reading->list.image[done].path);
    keep(reading, done);
    show(reading, &progress, done);
    progress_finish(&progress, NULL);
    return complete;
}

/* ---- what it comes to ---- */

static void refuse_broken(const struct reading *reading)
{
    size_t n = 0;
    for (size_t i = 0; i < reading->list.n; i++)
        if (reading->list.image[i].broken) {
            log_warning("'%s': %s", reading->list.image[i].path,
                        reading->list.image[i].broken);
            n++;
        }
    if (n == 0)
        return;
    if (!reading->request->skip_broken)
        die("'%s': %zu of %zu images are broken (listed above): mend them, or leave "
            "them out with --skip-broken",
            reading->request->config->dataset.source, n, reading->list.n);
    log_warning("left out %zu broken images of %zu", n, reading->list.n);
}

static void skip_image(struct import *import, struct listed_image *image)
{
    size_t n = (size_t)import->n_skipped++;
    import->skipped = memory_resized(import->skipped, n + 1, sizeof(char *));
    import->skipped_because =
        memory_resized(import->skipped_because, n + 1, sizeof(char *));
    import->skipped[n] = image->path;
    import->skipped_because[n] = image->broken;
    image->path = image->broken = NULL;
}

static void take_image(const struct reading *reading, struct listed_image *image)
{
    struct image_set *set = &reading->import->set[image->set];
    const int *input = reading->request->config->space.input;
    size_t size = (size_t)input[0] * (size_t)input[1] * (size_t)input[2];
    size_t at = set->n++;
    set->label[at] = image->label;
    set->file[at] = image->path;
    image->path = NULL;
    if (!reading->part) {
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
        for (int k = 0; k < reading->list.n_classes; k++)
            n += reading->list.image_class[k].count[s];
        set->images = memory_format("%s", reading->request->config->dataset.source);
        set->labels = memory_text_copy(set->images);
        set->label = memory_zeroed(n, sizeof(set->label[0]));
        set->file = memory_zeroed(n, sizeof(set->file[0]));
        if (!reading->part) {
            set->pixel = memory_zeroed(n, size);
            continue;
        }
        set->offset = memory_zeroed(n, sizeof(set->offset[0]));
        set->size = memory_zeroed(n, sizeof(set->size[0]));
        set->crc32 = memory_zeroed(n, sizeof(set->crc32[0]));
    }
}

/* What was read: the name of the source, and a digest of what each of its images is. */
static void take_source(const struct reading *reading,
                        struct listed_image *const *sorted)
{
    const char *source = reading->request->config->dataset.source;
    char text[DIGEST_SIZE];
    struct digest *digest = digest_create();
    for (size_t i = 0; i < reading->list.n; i++) {
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
                      (size_t)reading->list.bytes, text);
    free(name);
}

static void take_all(struct reading *reading)
{
    struct import *import = reading->import;
    struct listed_image **sorted = image_list_sorted(&reading->list);
    take_source(reading, sorted);
    for (size_t i = 0; i < reading->list.n; i++)
        if (sorted[i]->broken)
            skip_image(import, sorted[i]);
        else
            take_image(reading, sorted[i]);
    for (int k = 0; k < reading->list.n_classes; k++)
        import_add_class(import, memory_text_copy(reading->list.image_class[k].name));
    if (reading->part) {
        import->reserved = memory_text_copy(part_file_path(reading->part));
        import->place = part_file_place(reading->part);
    }
    free(sorted);
}

/* Pictures that all have the size of space.input are decoded once and for all. */
static bool wants_pixels(const struct reading *reading)
{
    const struct config *config = reading->request->config;
    const int *input = config->space.input;
    if (strcmp(config->dataset.decode, "auto") != 0)
        return !strcmp(config->dataset.decode, "import");
    return reading->list.height == input[0] && reading->list.width == input[1];
}

static void reading_release(struct reading *reading)
{
    image_list_release(&reading->list);
    for (int i = 0; i < reading->n_decoders; i++)
        decoder_free(reading->decoder[i]);
    part_file_close(reading->part);
    free(reading->decoder);
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
    struct reading reading = {.import = import, .request = request};
    size_t done = 0;
    make_decoders(&reading);
    image_list_read(&reading.list, request->config);
    if (!wants_pixels(&reading))
        reading.part = part_file_open(request, &reading.list, &done);
    reserve_sets(&reading);
    bool complete = read_images(&reading, done);
    if (complete) {
        refuse_broken(&reading);
        take_all(&reading);
    }
    reading_release(&reading);
    return complete;
}
