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

/* Images of the list, and their bytes one behind the other. */
struct batch {
    int n;
    struct listed_image *image[BATCH_IMAGES];
    size_t at[BATCH_IMAGES + 1]; /* where each begins, and the next would */
    unsigned char *bytes;
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

/* Decodes and keeps the images of the batch, which is empty then. */
static void finish_batch(struct reading *reading, struct batch *batch)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < batch->n; i++) {
        struct listed_image *image = batch->image[i];
        const unsigned char *bytes = batch->bytes + batch->at[i];
        const char *why = decode(reading, image, bytes);
        image->crc32 = (int64_t)crc32_z(0, bytes, (size_t)image->size);
        image->broken = why ? memory_text_copy(why) : NULL;
        image->read = !why;
    }
    for (int i = 0; reading->part && i < batch->n; i++)
        part_file_write(reading->part, batch->image[i], batch->bytes + batch->at[i]);
    batch->n = 0;
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

/* Reads an image behind those of the batch. */
static void add_to_batch(struct batch *batch, struct listed_image *image,
                         struct image_files *files)
{
    size_t at = batch->n ? batch->at[batch->n] : 0, end = at + (size_t)image->size;
    if (end > batch->capacity) {
        batch->capacity = end + BATCH_BYTES / 4;
        batch->bytes = memory_resized(batch->bytes, batch->capacity, 1);
    }
    image_files_read(files, batch->bytes + at);
    batch->image[batch->n] = image;
    batch->at[batch->n++] = at;
    batch->at[batch->n] = end;
}

static bool batch_is_full(const struct batch *batch)
{
    return batch->n == BATCH_IMAGES || (batch->n && batch->at[batch->n] >= BATCH_BYTES);
}

static void keep(const struct reading *reading)
{
    if (reading->part)
        part_file_save(reading->part, &reading->list);
}

static size_t count_read(const struct image_list *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += list->image[i].read;
    return n;
}

/* The next file that is image *number of the list, whatever is between; NULL: there is
 * none. */
static struct listed_image *next_image(struct reading *reading,
                                       struct image_files *files, const char *prefix,
                                       size_t *number)
{
    struct image_list *list = &reading->list;
    for (struct image_file file; image_files_next(files, &file);) {
        struct listed_image *image = &list->image[*number];
        if (*number == list->n || file.folder ||
            strcmp(image->path + strlen(prefix), file.path) != 0)
            continue;
        if ((size_t)image->size != file.size || image->modified != file.modified)
            die("'%s': '%s' has changed since it was listed",
                reading->request->config->dataset.source, file.path);
        ++*number;
        return image;
    }
    return NULL;
}

/* A batch is at hand: decodes it, says so, and keeps what there is now and then. */
static void advance(struct reading *reading, struct batch *batch,
                    struct progress *progress, size_t *done, double *saved)
{
    *done += (size_t)batch->n;
    finish_batch(reading, batch);
    show(reading, progress, *done);
    if (clock_seconds() - *saved < checkpoint_seconds || stop_requested())
        return;
    keep(reading);
    *saved = clock_seconds();
}

/* Those that were not read before, in the order of the list. Returns false if told to
 * stop. */
static bool read_images(struct reading *reading)
{
    struct image_list *list = &reading->list;
    struct batch batch = {.n = 0};
    struct progress progress;
    double saved = clock_seconds();
    size_t number = 0, done = count_read(list);
    progress_start(&progress, "images", (long)done, (long)list->n);
    for (int r = 0; r < list->n_roots && !stop_requested(); r++) {
        struct image_files *files = image_files_open(list->root[r].path);
        struct listed_image *image;
        while (!stop_requested() &&
               (image = next_image(reading, files, list->root[r].prefix, &number))) {
            if (!image->read)
                add_to_batch(&batch, image, files);
            if (batch_is_full(&batch))
                advance(reading, &batch, &progress, &done, &saved);
        }
        image_files_close(files);
    }
    advance(reading, &batch, &progress, &done, &saved);
    free(batch.bytes);
    if (number < list->n && !stop_requested())
        die("'%s': '%s' is not there any more",
            reading->request->config->dataset.source, list->image[number].path);
    keep(reading);
    progress_finish(&progress, NULL);
    return !stop_requested();
}

/* ---- what it comes to ---- */

static void refuse_broken(struct reading *reading)
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
    image_list_leave_out_broken(&reading->list);
    log_warning("left out %zu broken images of %zu", n, reading->list.n);
}

static int by_bytes(const void *a, const void *b)
{
    const struct listed_image *one = *(struct listed_image *const *)a,
                              *other = *(struct listed_image *const *)b;
    return one->crc32 != other->crc32 ? (one->crc32 > other->crc32 ? 1 : -1)
           : one->size != other->size ? (one->size > other->size ? 1 : -1)
                                      : (int)one->set - (int)other->set;
}

/* What was trained on says nothing when it is tested. */
static void warn_of_copies(const struct image_list *list)
{
    size_t n = 0;
    struct listed_image **sorted = image_list_sorted(list);
    const struct listed_image *trained = NULL, *tested = NULL, *first = NULL;
    qsort(sorted, list->n, sizeof(*sorted), by_bytes);
    for (size_t i = 0; i < list->n; i++) {
        const struct listed_image *image = sorted[i];
        if (image->set == IMPORT_TRAIN) {
            trained = image;
        } else if (trained && trained->crc32 == image->crc32 &&
                   trained->size == image->size && n++ == 0) {
            tested = image;
            first = trained;
        }
    }
    if (n > 0)
        log_warning("%zu test images are training images, too, by their sizes and "
                    "CRC-32: '%s' is '%s'",
                    n, tested->path, first->path);
    free(sorted);
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
        import->reserved = part_file_path(reading->part);
        import->place = part_file_place(reading->part);
        import->part = reading->part;
        reading->part = NULL;
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
    make_decoders(&reading);
    image_list_read(&reading.list, request->config);
    if (!wants_pixels(&reading))
        reading.part = part_file_open(request, &reading.list);
    reserve_sets(&reading);
    bool complete = read_images(&reading);
    if (complete) {
        refuse_broken(&reading);
        warn_of_copies(&reading.list);
        take_all(&reading);
    }
    reading_release(&reading);
    return complete;
}
