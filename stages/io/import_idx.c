#include "io/import_idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/idx.h"

static const struct {
    const char *images, *labels; /* without ".gz" */
} names[IMPORT_SETS] = {
    [IMPORT_TRAIN] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    [IMPORT_TEST] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
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

/* Returns the path, which the caller frees. */
static char *read_source(struct import *import, struct idx *idx, const char *folder,
                         const char *name)
{
    char *path = find_source(folder, name);
    char *error = idx_read(idx, path);
    if (error)
        die("%s", error);
    log_info("read '%s': %zu items, %zu bytes, %s", path, idx->shape[0],
             idx->file_bytes, idx->file_digest);
    import_add_source(import, memory_text_copy(basename(path)), idx->file_bytes,
                      idx->file_digest);
    return path;
}

static void check_images(const char *path, const struct idx *idx,
                         const struct space_config *space)
{
    if (idx->rank != 3 && idx->rank != 4)
        die("'%s': it has %d dimensions, expected 3 (image, height, width) or 4 (and "
            "channel)",
            path, idx->rank);
    /* Greyscale images come without a channel dimension. */
    import_check_size(path, idx->shape[1], idx->shape[2],
                      idx->rank == 4 ? idx->shape[3] : 1, space);
    if (idx->shape[0] < 1 || idx->shape[0] > INT32_MAX)
        die("'%s': it has %zu images, expected 1 to %d", path, idx->shape[0],
            INT32_MAX);
}

static void check_labels(const struct image_set *set, const struct idx *idx,
                         int classes)
{
    if (idx->rank != 1)
        die("'%s': it has %d dimensions, expected 1 (label)", set->labels, idx->rank);
    if (idx->shape[0] != set->n)
        die("'%s' has %zu labels, '%s' has %zu images", set->labels, idx->shape[0],
            set->images, set->n);
    for (size_t i = 0; i < set->n; i++)
        if (idx->values[i] >= classes)
            die("'%s': label %zu is %d, expected 0 to %d (space.classes is %d)",
                set->labels, i, idx->values[i], classes - 1, classes);
}

/* Both files of a set are read before either is checked. */
static void read_set(struct import *import, enum import_set which,
                     const struct config *config, struct idx idx[2])
{
    struct image_set *set = &import->set[which];
    const char *folder = config->dataset.source;
    set->images = read_source(import, &idx[0], folder, names[which].images);
    set->labels = read_source(import, &idx[1], folder, names[which].labels);
}

static void take_set(struct image_set *set, const struct space_config *space,
                     struct idx idx[2])
{
    check_images(set->images, &idx[0], space);
    set->n = idx[0].shape[0];
    check_labels(set, &idx[1], space->classes);
    set->label = memory_zeroed(set->n, sizeof(set->label[0]));
    for (size_t i = 0; i < set->n; i++)
        set->label[i] = idx[1].values[i];
    set->pixel = idx[0].values;
    idx[0].values = NULL;
    idx_release(&idx[0]);
    idx_release(&idx[1]);
}

/* Zalando Research's order of the labels. */
static const char *const fashion_mnist[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot",
};
enum { FASHION_CLASSES = sizeof(fashion_mnist) / sizeof(fashion_mnist[0]) };

static const char class_names_file[] = "class_names.txt";

static void read_class_names(struct import *import, const char *path, int classes)
{
    char *text = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        die("cannot read '%s': %s", path, strerror(errno));
    /* All of it: no name has a NUL. */
    ssize_t n = getdelim(&text, &capacity, '\0', file);
    if (ferror(file))
        die("cannot read '%s': %s", path, strerror(errno));
    fclose(file);
    char digest[DIGEST_SIZE];
    size_t bytes = n > 0 ? (size_t)n : 0;
    digest_of(text, bytes, digest);
    import_class_names(import, path, text, bytes);
    import_check_classes(import, path, classes);
    import_add_source(import, memory_text_copy(class_names_file), bytes, digest);
    free(text);
}

/* From class_names.txt in the source folder; else known ones; else the labels. */
static void find_class_names(struct import *import, const struct config *config)
{
    int classes = config->space.classes;
    char *path = memory_format("%s/%s", config->dataset.source, class_names_file);
    if (exists(path))
        read_class_names(import, path, classes);
    else if (!strcmp(config->dataset.name, "fashion-mnist") &&
             classes == FASHION_CLASSES)
        for (int k = 0; k < classes; k++)
            import_add_class(import, memory_text_copy(fashion_mnist[k]));
    else
        import_number_classes(import, classes);
    free(path);
}

bool import_idx(struct import *import, const struct import_request *request)
{
    const struct config *config = request->config;
    struct idx idx[IMPORT_SETS][2];
    for (int s = 0; s < IMPORT_SETS; s++)
        read_set(import, (enum import_set)s, config, idx[s]);
    for (int s = 0; s < IMPORT_SETS; s++)
        take_set(&import->set[s], &config->space, idx[s]);
    find_class_names(import, config);
    return true;
}
