/*
 * prepare - images in a known format become data/<name>.h5.
 *
 * Reads the four IDX files of dataset.source (gzipped or not), checks them against each
 * other and against the search space, takes a class-balanced validation split out of
 * the training images by the seed, and writes what dataset.h reads.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/rng.h"
#include "base/threads.h"
#include "io/artifact.h"
#include "io/config.h"
#include "io/digest.h"
#include "io/idx.h"
#include "io/status.h"

/* ---- what is read ---- */

struct source {
    const char *name; /* without ".gz" */
    char *path;       /* as found */
    struct idx idx;
};

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, SOURCES };

struct sources {
    struct source file[SOURCES];
};

static const char *const source_names[SOURCES] = {
    [TRAIN_IMAGES] = "train-images-idx3-ubyte",
    [TRAIN_LABELS] = "train-labels-idx1-ubyte",
    [TEST_IMAGES] = "t10k-images-idx3-ubyte",
    [TEST_LABELS] = "t10k-labels-idx1-ubyte",
};

static bool exists(const char *path)
{
    if (access(path, F_OK) == 0)
        return true;
    if (errno != ENOENT)
        die("cannot look for '%s': %s", path, strerror(errno));
    return false;
}

static char *find_source(const char *folder, const char *name)
{
    char *plain = memory_format("%s/%s", folder, name);
    char *gzipped = memory_format("%s.gz", plain);
    if (!exists(folder))
        die("dataset.source: there is no folder '%s'", folder);
    bool is_plain = exists(plain);
    if (!is_plain && !exists(gzipped))
        die("dataset.source: there is neither '%s' nor '%s'", plain, gzipped);
    free(is_plain ? gzipped : plain);
    return is_plain ? plain : gzipped;
}

static void read_sources(struct sources *sources, const char *folder)
{
    for (int i = 0; i < SOURCES; i++) {
        struct source *source = &sources->file[i];
        source->name = source_names[i];
        source->path = find_source(folder, source->name);
        char *error = idx_read(&source->idx, source->path);
        if (error)
            die("%s", error);
        log_info("read '%s': %zu items, %zu bytes, %s", source->path,
                 source->idx.shape[0], source->idx.file_bytes, source->idx.file_digest);
    }
}

static void release_sources(struct sources *sources)
{
    for (int i = 0; i < SOURCES; i++) {
        free(sources->file[i].path);
        idx_release(&sources->file[i].idx);
    }
}

/* ---- whether it fits together ---- */

/* Greyscale images come without a channel dimension. */
static size_t channels_of(const struct idx *images)
{
    return images->rank == 4 ? images->shape[3] : 1;
}

static void check_images(const struct source *images, const struct space_config *space)
{
    const struct idx *idx = &images->idx;
    const int *input = space->input;
    if (idx->rank != 3 && idx->rank != 4)
        die("'%s': it has %d dimensions, expected 3 (image, height, width) or 4 (and "
            "channel)",
            images->path, idx->rank);
    if (idx->shape[1] != (size_t)input[0] || idx->shape[2] != (size_t)input[1] ||
        channels_of(idx) != (size_t)input[2])
        die("'%s': its images are %zu x %zu x %zu, space.input is %d x %d x %d",
            images->path, idx->shape[1], idx->shape[2], channels_of(idx), input[0],
            input[1], input[2]);
    if (idx->shape[0] < 1 || idx->shape[0] > INT32_MAX)
        die("'%s': it has %zu images, expected 1 to %d", images->path, idx->shape[0],
            INT32_MAX);
}

static void check_labels(const struct source *labels, const struct source *images,
                         int classes)
{
    const struct idx *idx = &labels->idx;
    if (idx->rank != 1)
        die("'%s': it has %d dimensions, expected 1 (label)", labels->path, idx->rank);
    if (idx->shape[0] != images->idx.shape[0])
        die("'%s' has %zu labels, '%s' has %zu images", labels->path, idx->shape[0],
            images->path, images->idx.shape[0]);
    for (size_t i = 0; i < idx->shape[0]; i++)
        if (idx->values[i] >= classes)
            die("'%s': label %zu is %d, expected 0 to %d (space.classes is %d)",
                labels->path, i, idx->values[i], classes - 1, classes);
}

static void check_sources(const struct sources *sources,
                          const struct space_config *space)
{
    const struct source *file = sources->file;
    for (int i = 0; i < SOURCES; i += 2) {
        check_images(&file[i], space);
        check_labels(&file[i + 1], &file[i], space->classes);
    }
}

/* ---- class names ---- */

/* Zalando Research's order of the labels. */
static const char *const fashion_mnist[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot",
};
enum { FASHION_CLASSES = sizeof(fashion_mnist) / sizeof(fashion_mnist[0]) };

static const char class_names_file[] = "class_names.txt";

struct class_names {
    int n;
    char **name;
    size_t file_bytes;
    char file_digest[DIGEST_SIZE]; /* "": they are from no file */
};

static void add_class(struct class_names *names, char *name)
{
    names->name = memory_resized(names->name, (size_t)names->n + 1, sizeof(char *));
    names->name[names->n++] = name;
}

/* One name a line. */
static void read_class_names(struct class_names *names, const char *path, int classes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        die("cannot read '%s': %s", path, strerror(errno));
    struct digest *digest = digest_create();
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, file)) >= 0;) {
        digest_add(digest, line, (size_t)length);
        names->file_bytes += (size_t)length;
        line[strcspn(line, "\r\n")] = '\0';
        if (!*line)
            die("'%s':%d: the line is empty, expected a class name", path,
                names->n + 1);
        add_class(names, memory_text_copy(line));
    }
    if (ferror(file))
        die("cannot read '%s': %s", path, strerror(errno));
    digest_finish(digest, names->file_digest);
    free(line);
    fclose(file);
    if (names->n != classes)
        die("'%s' has %d class names, space.classes is %d", path, names->n, classes);
}

/* From class_names.txt in the source folder; else known ones; else the labels. */
static struct class_names find_class_names(const struct dataset_config *dataset,
                                           int classes)
{
    struct class_names names = {0};
    bool is_fashion =
        !strcmp(dataset->name, "fashion-mnist") && classes == FASHION_CLASSES;
    char *path = memory_format("%s/%s", dataset->source, class_names_file);
    if (exists(path))
        read_class_names(&names, path, classes);
    else
        for (int k = 0; k < classes; k++)
            add_class(&names, is_fashion ? memory_text_copy(fashion_mnist[k])
                                         : memory_format("%d", k));
    free(path);
    return names;
}

static void release_class_names(struct class_names *names)
{
    for (int k = 0; k < names->n; k++)
        free(names->name[k]);
    free(names->name);
}

/* ---- the splits ---- */

/* Image numbers in a source file, in its order. */
struct split {
    int n;
    int *index;
};

static struct split split_create(size_t capacity)
{
    return (struct split){.index = memory_zeroed(capacity, sizeof(int))};
}

/* The numbers of the images of one class. */
static struct split images_of(const struct idx *labels, int label)
{
    struct split split = split_create(labels->shape[0]);
    for (size_t i = 0; i < labels->shape[0]; i++)
        if (labels->values[i] == label)
            split.index[split.n++] = (int)i;
    return split;
}

/* Marks `wanted` images of each class, drawn without repetition. */
static void draw_validation(const struct source *labels,
                            const struct class_names *names, int wanted, uint64_t seed,
                            bool *drawn)
{
    for (int k = 0; k < names->n; k++) {
        struct split images = images_of(&labels->idx, k);
        if (images.n <= wanted)
            die("'%s': class %d ('%s') has %d images, expected more than the %d that "
                "dataset.validation_per_class takes away",
                labels->path, k, names->name[k], images.n, wanted);
        struct rng rng = rng_stream(seed, RNG_SPLIT, 0, (uint64_t)k);
        rng_shuffle(&rng, images.index, images.n);
        for (int i = 0; i < wanted; i++)
            drawn[images.index[i]] = true;
        free(images.index);
    }
}

/* The images that are marked as `value`. */
static struct split marked(const bool *mark, size_t n, bool value)
{
    struct split split = split_create(n);
    for (size_t i = 0; i < n; i++)
        if (mark[i] == value)
            split.index[split.n++] = (int)i;
    return split;
}

/* ---- mean and deviation ---- */

struct normalisation {
    double *mean, *deviation; /* [c], in pixel/255 */
};

/* From how often each value occurs: exact, and the same whatever the order. */
static void moments(const uint64_t count[256], double *mean, double *deviation)
{
    uint64_t n = 0, sum = 0, squares = 0;
    for (uint64_t v = 0; v < 256; v++) {
        n += count[v];
        sum += count[v] * v;
        squares += count[v] * v * v;
    }
    unsigned __int128 spread =
        (unsigned __int128)n * squares - (unsigned __int128)sum * sum;
    *mean = (double)sum / (double)n / 255;
    *deviation = sqrt((double)spread) / (double)n / 255;
}

static struct normalisation normalise(const struct source *images,
                                      const struct split *split)
{
    const struct idx *idx = &images->idx;
    size_t channels = channels_of(idx), pixels = idx->shape[1] * idx->shape[2];
    uint64_t(*count)[256] = memory_zeroed(channels, sizeof(*count));
    struct normalisation result = {memory_zeroed(channels, sizeof(double)),
                                   memory_zeroed(channels, sizeof(double))};
    for (int i = 0; i < split->n; i++) {
        const unsigned char *at =
            idx->values + (size_t)split->index[i] * pixels * channels;
        for (size_t j = 0; j < pixels; j++)
            for (size_t c = 0; c < channels; c++)
                count[c][*at++]++;
    }
    for (size_t c = 0; c < channels; c++) {
        moments(count[c], &result.mean[c], &result.deviation[c]);
        if (result.deviation[c] == 0)
            die("'%s': all pixels of channel %zu have the same value, expected images",
                images->path, c);
    }
    free(count);
    return result;
}

/* ---- what is written ---- */

static void write_images(struct artifact *artifact, const char *group,
                         const struct idx *images, const struct split *split)
{
    size_t shape[] = {(size_t)split->n, images->shape[1], images->shape[2],
                      channels_of(images)};
    size_t size = shape[1] * shape[2] * shape[3];
    unsigned char *pixels = memory_zeroed(shape[0], size);
    for (size_t i = 0; i < shape[0]; i++)
        memcpy(pixels + i * size, images->values + (size_t)split->index[i] * size,
               size);
    char *name = memory_format("%s/images", group);
    artifact_write(artifact, name, ARRAY_U8, 4, shape, pixels, "pixel value, 0 to 255",
                   "images [image, height, width, channel]");
    free(name);
    free(pixels);
}

static void write_labels(struct artifact *artifact, const char *group,
                         const struct idx *labels, const struct split *split,
                         int classes)
{
    size_t n = (size_t)split->n;
    int32_t *label = memory_zeroed(n, sizeof(*label));
    int64_t *count = memory_zeroed((size_t)classes, sizeof(*count));
    for (size_t i = 0; i < n; i++) {
        label[i] = labels->values[split->index[i]];
        count[label[i]]++;
    }
    char *labels_name = memory_format("%s/labels", group);
    char *count_name = memory_format("%s/class_counts", group);
    artifact_write_vector(artifact, labels_name, ARRAY_I32, n, label, "class",
                          "the class of each image, an index of class_names");
    artifact_write_vector(artifact, count_name, ARRAY_I64, (size_t)classes, count,
                          "images", "how many images of each class there are");
    free(labels_name);
    free(count_name);
    free(label);
    free(count);
}

static void write_split(struct artifact *artifact, const char *group,
                        const char *description, const struct source *images,
                        const struct source *labels, const struct split *split,
                        int classes)
{
    char *index = memory_format("%s/index", group);
    write_images(artifact, group, &images->idx, split);
    write_labels(artifact, group, &labels->idx, split, classes);
    artifact_write_vector(artifact, index, ARRAY_I32, (size_t)split->n, split->index,
                          "1", "the number of each image in its source file, from 0");
    artifact_describe(artifact, group, description);
    free(index);
}

static void write_provenance(struct artifact *artifact, const struct sources *sources,
                             const struct class_names *names)
{
    const char *name[SOURCES + 1], *digest[SOURCES + 1];
    int64_t bytes[SOURCES + 1];
    size_t n = SOURCES;
    for (int i = 0; i < SOURCES; i++) {
        name[i] = basename(sources->file[i].path);
        bytes[i] = (int64_t)sources->file[i].idx.file_bytes;
        digest[i] = sources->file[i].idx.file_digest;
    }
    if (*names->file_digest) {
        name[n] = class_names_file;
        bytes[n] = (int64_t)names->file_bytes;
        digest[n++] = names->file_digest;
    }
    artifact_write_vector(artifact, "sources/file", ARRAY_TEXT, n, name, "text",
                          "names of the files that were read");
    artifact_write_vector(artifact, "sources/bytes", ARRAY_I64, n, bytes, "byte",
                          "size of each file");
    artifact_write_vector(artifact, "sources/digest", ARRAY_TEXT, n, digest, "text",
                          "SHA-256 of each file");
    artifact_describe(artifact, "sources", "what the images and labels were read from");
}

static void write_meaning(struct artifact *artifact, const struct class_names *names,
                          const struct normalisation *normalisation, size_t channels)
{
    artifact_write_vector(artifact, "class_names", ARRAY_TEXT, (size_t)names->n,
                          names->name, "text", "what each label means");
    artifact_write_vector(artifact, "mean", ARRAY_F64, channels, normalisation->mean,
                          "pixel/255", "mean of each channel of the training images");
    artifact_write_vector(artifact, "deviation", ARRAY_F64, channels,
                          normalisation->deviation, "pixel/255",
                          "standard deviation of each channel of the training images");
}

/* Splits the sources, and writes all of it. */
static void write_dataset(const char *out, const struct artifact_origin *origin,
                          const struct sources *sources, const struct config *config)
{
    const struct source *file = sources->file;
    size_t n_train = file[TRAIN_IMAGES].idx.shape[0];
    size_t n_test = file[TEST_IMAGES].idx.shape[0];
    struct class_names names =
        find_class_names(&config->dataset, config->space.classes);
    bool *drawn = memory_zeroed(n_train > n_test ? n_train : n_test, sizeof(bool));
    struct split test = marked(drawn, n_test, false);
    draw_validation(&file[TRAIN_LABELS], &names, config->dataset.validation_per_class,
                    config->seed, drawn);
    struct split train = marked(drawn, n_train, false);
    struct split validation = marked(drawn, n_train, true);
    struct normalisation normalisation = normalise(&file[TRAIN_IMAGES], &train);

    struct artifact *artifact = artifact_create(out, origin);
    write_split(artifact, "train", "what weights are trained on", &file[TRAIN_IMAGES],
                &file[TRAIN_LABELS], &train, names.n);
    write_split(artifact, "validation", "what paths are judged on, taken from training",
                &file[TRAIN_IMAGES], &file[TRAIN_LABELS], &validation, names.n);
    write_split(artifact, "test", "for the last evaluation alone", &file[TEST_IMAGES],
                &file[TEST_LABELS], &test, names.n);
    write_meaning(artifact, &names, &normalisation,
                  channels_of(&file[TRAIN_IMAGES].idx));
    write_provenance(artifact, sources, &names);
    artifact_commit(artifact);
    log_info("wrote '%s': %d training, %d validation, %d test images in %d classes",
             out, train.n, validation.n, test.n, names.n);

    free(normalisation.mean);
    free(normalisation.deviation);
    free(train.index);
    free(validation.index);
    free(test.index);
    free(drawn);
    release_class_names(&names);
}

static void parse_options(struct options *options, int argc, char **argv)
{
    const struct program program = {
        .name = "prepare",
        .purpose = "images in a known format become a dataset for the other stages",
        .example = "prepare --config=configs/quickstart.yaml "
                   "--out=data/fashion-mnist.h5",
    };
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &options->config, true,
         "the dataset's settings"},
        {"out", "FILE.h5", OPTION_TEXT, &options->out, true, "dataset to make"},
        OPTIONS_RUN_ROWS(*options),
        {.name = NULL},
    };
    options_parse(&program, rows, argc, argv);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    parse_options(&options, argc, argv);
    struct config *config = config_load(options.config, NULL, 0);
    if (strcmp(config->dataset.format, "idx"))
        die_asked_wrong("'%s': dataset.format is '%s', not supported yet by prepare: "
                        "expected 'idx'",
                        options.config, config->dataset.format);
    char *effective = config_effective(config, "prepare");
    const struct artifact_origin origin = {
        .stage = "prepare",
        .config = effective,
        .seed = config->seed,
        .threads = threads_start(options.threads),
    };
    struct status *status = status_create(options.out, "prepare");

    struct sources sources = {0};
    read_sources(&sources, config->dataset.source);
    check_sources(&sources, &config->space);

    write_dataset(options.out, &origin, &sources, config);
    status_finish(status, STATUS_COMPLETE, "");

    status_free(status);
    release_sources(&sources);
    free(effective);
    config_free(config);
    return EXIT_COMPLETE;
}
