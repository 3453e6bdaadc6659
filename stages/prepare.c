/*
 * prepare - images in a known format become data/<name>.h5.
 *
 * Reads what dataset.source has in the way that dataset.format says, checks it against
 * itself and against the search space, takes a class-balanced validation split out of
 * the training images by the seed, and writes what dataset.h reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/rng.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/artifact.h"
#include "io/config.h"
#include "io/contact_sheet.h"
#include "io/encoded.h"
#include "io/import_cifar.h"
#include "io/import_files.h"
#include "io/import_idx.h"
#include "io/moments.h"
#include "io/part_file.h"
#include "io/status.h"

static const struct {
    const char *format; /* a word of dataset.format */
    bool (*read)(struct import *import, const struct import_request *request);
} formats[] = {
    {"idx", import_idx},          {"imagefolder", import_files},
    {"cifar10", import_cifar},    {"cifar100", import_cifar},
    {"ilsvrc2012", import_files},
};

/* Whether all of it was read; false: told to stop. */
static bool read_source(struct import *import, const struct import_request *request)
{
    const char *format = request->config->dataset.format;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (!strcmp(formats[i].format, format))
            return formats[i].read(import, request);
    BUG("nothing reads dataset.format '%s'", format);
}

/* ---- the splits ---- */

/* Numbers of images of a set, in its order. */
struct chosen {
    int n;
    int *index;
};

static struct chosen chosen_create(size_t capacity)
{
    return (struct chosen){.index = memory_zeroed(capacity, sizeof(int))};
}

/* The numbers of the images of one class. */
static struct chosen images_of(const struct image_set *set, int label)
{
    struct chosen split = chosen_create(set->n);
    for (size_t i = 0; i < set->n; i++)
        if (set->label[i] == label)
            split.index[split.n++] = (int)i;
    return split;
}

/* Marks `wanted` images of each class, drawn without repetition. */
static void draw_validation(const struct import *import, int wanted, uint64_t seed,
                            bool *drawn)
{
    const struct image_set *set = &import->set[IMPORT_TRAIN];
    for (int k = 0; k < import->n_classes; k++) {
        struct chosen images = images_of(set, k);
        if (images.n <= wanted)
            die("'%s': class %d ('%s') has %d images, expected more than the %d that "
                "dataset.validation_per_class takes away",
                set->labels, k, import->class_name[k], images.n, wanted);
        struct rng rng = rng_stream(seed, RNG_SPLIT, 0, (uint64_t)k);
        rng_shuffle(&rng, images.index, images.n);
        for (int i = 0; i < wanted; i++)
            drawn[images.index[i]] = true;
        free(images.index);
    }
}

/* The images that are marked as `value`. */
static struct chosen marked(const bool *mark, size_t n, bool value)
{
    struct chosen split = chosen_create(n);
    for (size_t i = 0; i < n; i++)
        if (mark[i] == value)
            split.index[split.n++] = (int)i;
    return split;
}

/* ---- what is written ---- */

static void write_vector(struct artifact *artifact, const char *group, const char *name,
                         enum array_type type, size_t n, const void *data,
                         const char *units, const char *description)
{
    char *path = memory_format("%s/%s", group, name);
    artifact_write_vector(artifact, path, type, n, data, units, description);
    free(path);
}

static void write_pixels(struct artifact *artifact, const char *group,
                         const struct image_set *set, const struct chosen *split,
                         const int input[3])
{
    size_t shape[] = {(size_t)split->n, (size_t)input[0], (size_t)input[1],
                      (size_t)input[2]};
    size_t size = shape[1] * shape[2] * shape[3];
    unsigned char *pixels = memory_zeroed(shape[0], size);
    for (size_t i = 0; i < shape[0]; i++)
        memcpy(pixels + i * size, set->pixel + (size_t)split->index[i] * size, size);
    char *name = memory_format("%s/images", group);
    artifact_write(artifact, name, ARRAY_U8, 4, shape, pixels, "pixel value, 0 to 255",
                   "images [image, height, width, channel]");
    free(name);
    free(pixels);
}

/* Where the images' files are in the array `encoded`, which is there already. */
static void write_places(struct artifact *artifact, const char *group,
                         const struct image_set *set, const struct chosen *split)
{
    size_t n = (size_t)split->n;
    int64_t *offset = memory_zeroed(n, sizeof(*offset));
    int64_t *crc32 = memory_zeroed(n, sizeof(*crc32));
    int32_t *size = memory_zeroed(n, sizeof(*size));
    for (size_t i = 0; i < n; i++) {
        offset[i] = set->offset[split->index[i]];
        size[i] = set->size[split->index[i]];
        crc32[i] = set->crc32[split->index[i]];
    }
    write_vector(artifact, group, "offset", ARRAY_I64, n, offset, "byte",
                 "where each image's file begins in '" ENCODED_ARRAY "'");
    write_vector(artifact, group, "size", ARRAY_I32, n, size, "byte",
                 "size of each image's file");
    write_vector(artifact, group, "crc32", ARRAY_I64, n, crc32, "1",
                 "CRC-32 of each image's file, as zlib has it");
    free(offset);
    free(crc32);
    free(size);
}

static void write_names(struct artifact *artifact, const char *group,
                        const struct image_set *set, const struct chosen *split)
{
    const char **name = memory_zeroed((size_t)split->n, sizeof(*name));
    for (int i = 0; i < split->n; i++)
        name[i] = set->file[split->index[i]];
    write_vector(artifact, group, "file", ARRAY_TEXT, (size_t)split->n, name, "text",
                 "name of each image's file in the source");
    free(name);
}

static void write_labels(struct artifact *artifact, const char *group,
                         const struct image_set *set, const struct chosen *split,
                         int classes)
{
    size_t n = (size_t)split->n;
    int32_t *label = memory_zeroed(n, sizeof(*label));
    int64_t *count = memory_zeroed((size_t)classes, sizeof(*count));
    for (size_t i = 0; i < n; i++) {
        label[i] = set->label[split->index[i]];
        count[label[i]]++;
    }
    write_vector(artifact, group, "labels", ARRAY_I32, n, label, "class",
                 "the class of each image, an index of class_names");
    write_vector(artifact, group, "class_counts", ARRAY_I64, (size_t)classes, count,
                 "images", "how many images of each class there are");
    free(label);
    free(count);
}

static void write_split(struct artifact *artifact, const char *group,
                        const char *description, const struct import *import,
                        enum import_set which, const struct chosen *split,
                        const struct space_config *space)
{
    const struct image_set *set = &import->set[which];
    if (set->pixel)
        write_pixels(artifact, group, set, split, space->input);
    else
        write_places(artifact, group, set, split);
    write_labels(artifact, group, set, split, import->n_classes);
    if (set->file)
        write_names(artifact, group, set, split);
    write_vector(artifact, group, "index", ARRAY_I32, (size_t)split->n, split->index,
                 "1",
                 set->file ? "the number of each image, by name, from 0"
                           : "the number of each image in its source file, from 0");
    artifact_describe(artifact, group, description);
}

static void write_provenance(struct artifact *artifact, const struct import *import)
{
    size_t n = (size_t)import->n_sources;
    const char **name = memory_zeroed(n, sizeof(*name));
    const char **digest = memory_zeroed(n, sizeof(*digest));
    int64_t *bytes = memory_zeroed(n, sizeof(*bytes));
    bool files = import->set[IMPORT_TRAIN].file;
    for (size_t i = 0; i < n; i++) {
        name[i] = import->source[i].file;
        bytes[i] = import->source[i].bytes;
        digest[i] = import->source[i].digest;
    }
    write_vector(artifact, "sources", "file", ARRAY_TEXT, n, name, "text",
                 "names of the files that were read");
    write_vector(artifact, "sources", "bytes", ARRAY_I64, n, bytes, "byte",
                 files ? "size of all images in it" : "size of each file");
    write_vector(artifact, "sources", "digest", ARRAY_TEXT, n, digest, "text",
                 files ? "SHA-256 of a line for each image: name, size, CRC-32"
                       : "SHA-256 of each file");
    if (import->n_skipped > 0) {
        size_t skipped = (size_t)import->n_skipped;
        write_vector(artifact, "sources", "skipped", ARRAY_TEXT, skipped,
                     import->skipped, "text", "broken images that were left out");
        write_vector(artifact, "sources", "skipped_because", ARRAY_TEXT, skipped,
                     import->skipped_because, "text", "why each of them is broken");
    }
    artifact_describe(artifact, "sources", "what the images and labels were read from");
    free(name);
    free(digest);
    free(bytes);
}

static void write_meaning(struct artifact *artifact, const struct import *import,
                          const struct moments *moments, size_t channels)
{
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT,
                          (size_t)import->n_classes, import->class_name, "text",
                          "what each label means");
    artifact_write_vector(artifact, "mean", ARRAY_F64, channels, moments->mean,
                          "pixel/255", "mean of each channel of the training images");
    artifact_write_vector(artifact, "deviation", ARRAY_F64, channels,
                          moments->deviation, "pixel/255",
                          "standard deviation of each channel of the training images");
}

/* The training images without those for validation, the latter, and the test images. */
struct splits {
    struct chosen train, validation, test;
};

static struct splits splits_create(const struct import *import,
                                   const struct config *config)
{
    size_t n_train = import->set[IMPORT_TRAIN].n, n_test = import->set[IMPORT_TEST].n;
    bool *drawn = memory_zeroed(n_train > n_test ? n_train : n_test, sizeof(bool));
    struct splits split = {.test = marked(drawn, n_test, false)};
    draw_validation(import, config->dataset.validation_per_class, config->seed, drawn);
    split.train = marked(drawn, n_train, false);
    split.validation = marked(drawn, n_train, true);
    free(drawn);
    return split;
}

static void splits_release(struct splits *split)
{
    free(split->train.index);
    free(split->validation.index);
    free(split->test.index);
}

static void write_splits(struct artifact *artifact, const struct import *import,
                         const struct splits *split, const struct space_config *space)
{
    write_split(artifact, "train", "what weights are trained on", import, IMPORT_TRAIN,
                &split->train, space);
    write_split(artifact, "validation", "what paths are judged on, taken from training",
                import, IMPORT_TRAIN, &split->validation, space);
    write_split(artifact, "test", "for the last evaluation alone", import, IMPORT_TEST,
                &split->test, space);
}

/* Splits what was read, and writes all of it; false: told to stop. */
static bool write_dataset(const struct import *import,
                          const struct import_request *request)
{
    const struct config *config = request->config;
    struct splits split = splits_create(import, config);
    struct moments moments = moments_of(import, &import->set[IMPORT_TRAIN],
                                        split.train.index, split.train.n, config);
    struct artifact *artifact = NULL;
    if (!stop_requested())
        artifact =
            import->reserved
                ? artifact_create_from(import->reserved, request->out, request->origin)
                : artifact_create(request->out, request->origin);
    if (artifact) {
        write_splits(artifact, import, &split, &config->space);
        write_meaning(artifact, import, &moments, (size_t)config->space.input[2]);
        write_provenance(artifact, import);
        artifact_commit(artifact);
        if (import->part)
            part_file_forget(import->part);
        log_info("wrote '%s': %d training, %d validation, %d test images in %d classes",
                 request->out, split.train.n, split.validation.n, split.test.n,
                 import->n_classes);
    }
    moments_release(&moments);
    splits_release(&split);
    return artifact;
}

struct asked {
    struct options options;
    bool skip_broken;
    const char *preview; /* NULL: import */
};

static void parse_options(struct asked *asked, int argc, char **argv)
{
    struct options *options = &asked->options;
    const struct program program = {
        .name = "prepare",
        .purpose = "images in a known format become a dataset for the other stages",
        .example = "prepare --config=configs/quickstart.yaml "
                   "--out=data/fashion-mnist.h5",
    };
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &options->config, true,
         "the dataset's settings"},
        {"out", "FILE.h5", OPTION_TEXT, &options->out, 0, "dataset to make"},
        {"skip-broken", NULL, OPTION_FLAG, &asked->skip_broken, 0,
         "leave broken images out (default: list them, and fail)"},
        {"preview", "FILE.png", OPTION_TEXT, &asked->preview, 0,
         "make no dataset, but a picture of --data: images as they are judged, and as "
         "the experiment in --config trains on them"},
        {"data", "FILE.h5", OPTION_TEXT, &options->data, 0, "dataset to look at"},
        OPTIONS_RUN_ROWS(*options),
        {.name = NULL},
    };
    options_parse(&program, rows, argc, argv);
    if (!asked->preview && !options->out)
        die_asked_wrong("--out is missing, expected the dataset to make");
    if (!asked->preview != !options->data)
        die_asked_wrong("%s is missing, expected --preview and --data together",
                        asked->preview ? "--data" : "--preview");
}

/* A stage's own settings do not say how images are augmented. */
static int preview(const struct asked *asked, const struct config *config)
{
    if (*config->stage)
        die_asked_wrong("'%s' has the settings of stage '%s' alone, expected an "
                        "experiment's file to preview",
                        asked->options.config, config->stage);
    threads_start(asked->options.threads);
    struct dataset *dataset = dataset_open(asked->options.data, &config->space);
    contact_sheet_write(asked->preview, dataset, &config->space,
                        &config->dataset.augment, config->seed);
    log_info("wrote '%s'", asked->preview);
    dataset_close(dataset);
    return EXIT_COMPLETE;
}

static int make_dataset(const struct asked *asked, const struct config *config)
{
    char *effective = config_effective(config, "prepare");
    const struct artifact_origin origin = {
        .stage = "prepare",
        .config = effective,
        .seed = config->seed,
        .threads = threads_start(asked->options.threads),
    };
    stop_install();
    struct status *status = status_create(asked->options.out, "prepare");

    struct import import = {0};
    const struct import_request request = {config, asked->options.out, &origin, status,
                                           asked->skip_broken};
    bool complete = read_source(&import, &request) && write_dataset(&import, &request);
    if (!complete)
        log_info("stopped by %s; run it again to go on", stop_reason());
    status_finish(status, complete ? STATUS_COMPLETE : STATUS_INTERRUPTED,
                  complete ? "" : stop_reason());

    status_free(status);
    import_release(&import);
    free(effective);
    return complete ? EXIT_COMPLETE : EXIT_RUN_AGAIN;
}

int main(int argc, char **argv)
{
    struct asked asked = {0};
    parse_options(&asked, argc, argv);
    struct config *config = config_load(asked.options.config, NULL, 0);
    int code = asked.preview ? preview(&asked, config) : make_dataset(&asked, config);
    config_free(config);
    return code;
}
