#include "io/import_cifar.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/image_files.h"

enum { SIDE = 32, CHANNELS = 3, PLANE = SIDE * SIDE, PIXELS = CHANNELS * PLANE };
enum { FILES_MAX = 7 };

/* The files of a version, in the order in which images are numbered; the last one has
 * the class names. A record is some labels, then the planes of red, green, blue. */
struct version {
    const char *format, *file[FILES_MAX];
    int n_train; /* of `file`; one test file follows, and the names */
    int labels, label;
    int classes;
    int share; /* a training file has so many times the images of the test file */
};

static const struct version versions[] = {
    {"cifar10",
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin", "batches.meta.txt"},
     5,
     1,
     0,
     10,
     1},
    /* The first of its two labels is one of 20 coarse classes. */
    {"cifar100", {"train.bin", "test.bin", "fine_label_names.txt"}, 1, 2, 1, 100, 5},
};

struct found {
    char *path;
    unsigned char *bytes;
    size_t n;
};

static const struct version *version_of(const char *format)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (!strcmp(versions[i].format, format))
            return &versions[i];
    BUG("'%s' is no version of CIFAR", format);
}

/* Reads the wanted files, in whatever order and folder they come. */
static void read_files(const struct version *version, const char *source,
                       struct found found[FILES_MAX])
{
    int n = version->n_train + 2;
    struct image_files *files = image_files_open(source);
    for (struct image_file file; image_files_next(files, &file);)
        for (int i = 0; i < n && !file.folder; i++) {
            if (strcmp(basename(file.path), version->file[i]) != 0)
                continue;
            if (found[i].path)
                die("'%s' has both '%s' and '%s', expected one", source, found[i].path,
                    file.path);
            found[i].path = memory_text_copy(file.path);
            found[i].n = file.size;
            found[i].bytes = memory_zeroed(file.size + 1, 1);
            image_files_read(files, found[i].bytes);
            break;
        }
    image_files_close(files);
    for (int i = 0; i < n; i++)
        if (!found[i].path)
            die("'%s' has no '%s', expected the binary version of %s", source,
                version->file[i], version->format);
}

/* [3 planes] to [pixel, 3] */
static void interleave(const unsigned char *planes, unsigned char *pixel)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixel[CHANNELS * i + c] = planes[PLANE * c + i];
}

static void add_images(const struct version *version, const struct found *found,
                       struct image_set *set)
{
    size_t record = (size_t)version->labels + PIXELS, n = found->n / record;
    if (found->n == 0 || found->n % record)
        die("'%s' has %zu bytes, expected a multiple of %zu (labels and pixels of an "
            "image)",
            found->path, found->n, record);
    set->label = memory_resized(set->label, set->n + n, sizeof(set->label[0]));
    set->pixel = memory_resized(set->pixel, set->n + n, PIXELS);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *at = found->bytes + i * record;
        if (at[version->label] >= version->classes)
            die("'%s': label %zu is %d, expected 0 to %d", found->path, i,
                at[version->label], version->classes - 1);
        set->label[set->n + i] = at[version->label];
        interleave(at + version->labels, set->pixel + (set->n + i) * PIXELS);
    }
    set->n += n;
}

/* A file that was cut between two images is as good as any by itself. */
static void check_sizes(const struct version *version, const struct found *found)
{
    const struct found *test = &found[version->n_train];
    size_t record = (size_t)version->labels + PIXELS;
    for (int i = 0; i < version->n_train; i++)
        if (found[i].n != (size_t)version->share * test->n)
            die("'%s' has %zu images and '%s' %zu, expected %s: one of them was cut "
                "short",
                found[i].path, found[i].n / record, test->path, test->n / record,
                version->share == 1 ? "as many" : "a fifth of them");
}

/* CIFAR-10's ends in empty lines. */
static void take_names(struct import *import, const struct found *names, int classes)
{
    size_t n = names->n;
    while (n > 0 && strchr(" \t\r\n", names->bytes[n - 1]))
        n--;
    import_class_names(import, names->path, (const char *)names->bytes, n);
    import_check_classes(import, names->path, classes);
}

bool import_cifar(struct import *import, const struct import_request *request)
{
    const struct config *config = request->config;
    const struct version *version = version_of(config->dataset.format);
    const char *source = config->dataset.source;
    struct found found[FILES_MAX] = {0};
    import_check_size(version->format, SIDE, SIDE, CHANNELS, &config->space);
    read_files(version, source, found);
    for (int i = 0; i < version->n_train + 1; i++)
        add_images(version, &found[i],
                   &import->set[i < version->n_train ? IMPORT_TRAIN : IMPORT_TEST]);
    check_sizes(version, found);
    take_names(import, &found[version->n_train + 1], config->space.classes);
    for (int i = 0; i < version->n_train + 2; i++) {
        char digest[DIGEST_SIZE];
        digest_of(found[i].bytes, found[i].n, digest);
        log_info("read '%s': %zu bytes, %s", found[i].path, found[i].n, digest);
        import_add_source(import, memory_text_copy(version->file[i]), found[i].n,
                          digest);
        free(found[i].path);
        free(found[i].bytes);
    }
    for (int s = 0; s < IMPORT_SETS; s++) {
        import->set[s].images = memory_text_copy(source);
        import->set[s].labels = memory_text_copy(source);
    }
    return true;
}
