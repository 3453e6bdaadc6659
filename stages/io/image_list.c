#include "io/image_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/decode.h"
#include "io/ilsvrc.h"
#include "io/image_files.h"

static const char *const set_names[IMPORT_SETS] = {"train", "test"};

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
static int class_number(struct image_list *list, const char *name, size_t length)
{
    for (int k = list->n_classes - 1; k >= 0; k--)
        if (!strncmp(list->image_class[k].name, name, length) &&
            !list->image_class[k].name[length])
            return k;
    list->image_class = memory_resized(list->image_class, (size_t)list->n_classes + 1,
                                       sizeof(list->image_class[0]));
    list->image_class[list->n_classes] =
        (struct image_class){.name = memory_format("%.*s", (int)length, name)};
    return list->n_classes++;
}

/* Whose number is in the name: ILSVRC2012_val_00000001.JPEG */
static const char *validation_class(const struct image_list *list, const char *path)
{
    const char *digits = strrchr(path, '_');
    long number = digits ? strtol(digits + 1, NULL, 10) : 0;
    if (number < 1 || number > list->n_validation)
        die("'%s': there is no class for '%s' in '%s', which has %d",
            list->root[1].path, path, list->validation_from, list->n_validation);
    return list->validation_class[number - 1];
}

static void add_image(struct image_list *list, const struct image_file *file,
                      char *path, enum import_set set, int label)
{
    if (list->n == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 1024;
        list->image =
            memory_resized(list->image, list->capacity, sizeof(list->image[0]));
    }
    if (file->size > INT32_MAX)
        die("'%s' has %zu bytes, expected at most %d of an image", path, file->size,
            INT32_MAX);
    list->image[list->n++] = (struct listed_image){.path = path,
                                                   .set = set,
                                                   .label = label,
                                                   .size = (int64_t)file->size,
                                                   .offset = list->bytes,
                                                   .modified = file->modified};
    list->bytes += (int64_t)file->size;
    list->image_class[label].count[set]++;
}

static void pass_over(struct image_list *list, char *path)
{
    if (list->n_passed_over++ == 0)
        list->passed_over = path;
    else
        free(path);
}

/* Hidden files are nobody's images. */
static bool is_hidden(const char *path)
{
    return *basename(path) == '.';
}

static void check_text(const struct image_list *list, const char *path)
{
    if (!utf8_valid(path))
        die("'%s': the name '%s' is in another encoding, expected UTF-8",
            list->config->dataset.source, utf8_escaped(path));
}

/* All images of a set are below one folder, path[0 .. length): the classes of another
 * one, of the same names, could be other classes. */
static void check_one_split(struct image_list *list, enum import_set set,
                            const char *path, size_t length)
{
    char *split = memory_format("%.*s", (int)length, path);
    if (!list->split[set]) {
        list->split[set] = split;
        return;
    }
    if (strcmp(split, list->split[set]) != 0)
        die("'%s' has images to %s in '%s' and in '%s', expected one of them",
            list->config->dataset.source,
            set == IMPORT_TRAIN ? "train with" : "test with", list->split[set], split);
    free(split);
}

/*
 * One file or folder of a root. Of an imagefolder it is at [.../]SPLIT/CLASS/..., where
 * what is before the split's folder is passed over: a tar may begin with a folder.
 */
static bool list_one(struct image_list *list, const struct image_root *root,
                     const struct image_file *file)
{
    char *path = memory_format("%s%s", root->prefix, file->path);
    const char *at = path, *class = NULL;
    int set = -1;
    while (set < 0 && strchr(at, '/')) {
        set = set_of(at, strcspn(at, "/"));
        at = strchr(at, '/') + 1;
    }
    size_t length = strcspn(at, "/"), split_length = (size_t)(at - path);
    if (set == IMPORT_TEST && list->validation_class && !file->folder &&
        is_image_name(path)) {
        class = validation_class(list, path);
        length = strlen(class);
    } else if (set >= 0 && length > 0 && (at[length] == '/' || file->folder)) {
        class = at;
    }
    bool is_image = class && !file->folder && is_image_name(path);
    if (class && !is_hidden(path)) {
        check_text(list, path);
        check_one_split(list, (enum import_set)set, path, split_length);
        int label = class_number(list, class, length);
        list->image_class[label].seen[set] = true;
        if (is_image) {
            add_image(list, file, path, (enum import_set)set, label);
            return true;
        }
    }
    if (file->folder)
        free(path);
    else
        pass_over(list, path);
    return false;
}

static int by_class_name(const void *a, const void *b)
{
    return strcmp(((const struct image_class *)a)->name,
                  ((const struct image_class *)b)->name);
}

/* Numbers the classes by their names. */
static void sort_classes(struct image_list *list)
{
    int n = list->n_classes;
    struct image_class *sorted = memory_zeroed((size_t)n, sizeof(*sorted));
    int *number = memory_zeroed((size_t)n, sizeof(int));
    memcpy(sorted, list->image_class, (size_t)n * sizeof(*sorted));
    qsort(sorted, (size_t)n, sizeof(*sorted), by_class_name);
    for (int k = 0; k < n; k++)
        number[k] = (int)((struct image_class *)bsearch(&list->image_class[k], sorted,
                                                        (size_t)n, sizeof(*sorted),
                                                        by_class_name) -
                          sorted);
    for (size_t i = 0; i < list->n; i++)
        list->image[i].label = number[list->image[i].label];
    free(list->image_class);
    free(number);
    list->image_class = sorted;
}

static int by_path(const void *a, const void *b)
{
    const struct listed_image *one = *(struct listed_image *const *)a,
                              *other = *(struct listed_image *const *)b;
    return one->set != other->set ? (one->set > other->set) - (one->set < other->set)
                                  : strcmp(one->path, other->path);
}

struct listed_image **image_list_sorted(const struct image_list *list)
{
    struct listed_image **sorted = memory_zeroed(list->n, sizeof(*sorted));
    for (size_t i = 0; i < list->n; i++)
        sorted[i] = &list->image[i];
    qsort(sorted, list->n, sizeof(*sorted), by_path);
    return sorted;
}

static void check_no_file_twice(struct image_list *list)
{
    struct listed_image **sorted = image_list_sorted(list);
    for (size_t i = 1; i < list->n; i++)
        if (!strcmp(sorted[i - 1]->path, sorted[i]->path))
            die("'%s': '%s' is in it twice: two files, or two classes, have the same "
                "name",
                list->config->dataset.source, sorted[i]->path);
    free(sorted);
}

/* The names of the classes that one set lacks, at most five of them. */
static char *lacking(const struct image_list *list, enum import_set set, int *n)
{
    char *text = memory_text_copy("");
    *n = 0;
    for (int k = 0; k < list->n_classes; k++) {
        if (list->image_class[k].seen[set] || ++*n > 5)
            continue;
        char *longer = memory_format("%s%s'%s'", text, *n > 1 ? ", " : "",
                                     list->image_class[k].name);
        free(text);
        text = longer;
    }
    return text;
}

static void check_none_is_empty(const struct image_list *list, enum import_set set,
                                const char *but)
{
    for (int k = 0; k < list->n_classes; k++)
        if (list->image_class[k].count[set] == 0)
            die("'%s': class '%s' has no images in '%s'%s",
                list->config->dataset.source, list->image_class[k].name, set_names[set],
                but);
}

static void check_classes(const struct image_list *list)
{
    const char *source = list->config->dataset.source;
    int classes = list->config->space.classes, n;
    for (int s = 0; s < IMPORT_SETS; s++) {
        size_t images = 0;
        for (int k = 0; k < list->n_classes; k++)
            images += list->image_class[k].count[s];
        if (images == 0)
            die("'%s' has no images to %s, expected %s%s", source,
                s == IMPORT_TRAIN ? "train with" : "test with",
                s == IMPORT_TRAIN ? "train/CLASS/*.jpg"
                                  : "test/CLASS/*.jpg or val/CLASS/*.jpg",
                list->n_passed_over ? ", .jpeg or .png" : "");
        if (images > INT32_MAX)
            die("'%s' has %zu images in '%s', expected at most %d", source, images,
                set_names[s], INT32_MAX);
    }
    for (int s = 0; s < IMPORT_SETS; s++) {
        char *names = lacking(list, (enum import_set)s, &n);
        if (n > 0)
            die("'%s': %d of %d classes are not in '%s': %s%s", source, n,
                list->n_classes, set_names[s], names, n > 5 ? ", ..." : "");
        free(names);
        check_none_is_empty(list, (enum import_set)s, "");
    }
    if (list->n_classes != classes)
        die("'%s' has %d classes ('%s' to '%s'), space.classes is %d", source,
            list->n_classes, list->image_class[0].name,
            list->image_class[list->n_classes - 1].name, classes);
}

/* Before anything is decoded: will enough be left to train with? */
static void check_counts(const struct image_list *list, const char *but)
{
    int wanted = list->config->dataset.validation_per_class;
    for (int k = 0; k < list->n_classes; k++)
        if (list->image_class[k].count[IMPORT_TRAIN] <= (size_t)wanted)
            die("'%s': class %d ('%s') has %zu images%s, expected more than the %d "
                "that "
                "dataset.validation_per_class takes away",
                list->config->dataset.source, k, list->image_class[k].name,
                list->image_class[k].count[IMPORT_TRAIN], but, wanted);
}

void image_list_leave_out_broken(struct image_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->image[i].broken)
            list->image_class[list->image[i].label].count[list->image[i].set]--;
    for (int s = 0; s < IMPORT_SETS; s++)
        check_none_is_empty(list, (enum import_set)s, " but broken ones");
    check_counts(list, " that are not broken");
}

/* The numbers in the names were in range; but is there an image for each label? */
static void check_validation(const struct image_list *list)
{
    size_t images = 0;
    for (int k = 0; k < list->n_classes; k++)
        images += list->image_class[k].count[IMPORT_TEST];
    if (list->validation_class && images != (size_t)list->n_validation)
        die("'%s' has %d labels, '%s' has %zu images", list->validation_from,
            list->n_validation, list->root[1].path, images);
}

static void say_counts(const struct image_list *list)
{
    for (int s = 0; s < IMPORT_SETS; s++) {
        size_t least = SIZE_MAX, most = 0, all = 0;
        for (int k = 0; k < list->n_classes; k++) {
            size_t count = list->image_class[k].count[s];
            least = count < least ? count : least;
            most = count > most ? count : most;
            all += count;
        }
        log_info("'%s' has %zu images in '%s', %zu to %zu in each of %d classes",
                 list->config->dataset.source, all, set_names[s], least, most,
                 list->n_classes);
    }
    if (!list->n_passed_over)
        return;
    char *first = utf8_valid(list->passed_over) ? memory_text_copy(list->passed_over)
                                                : utf8_escaped(list->passed_over);
    log_warning("passed over %zu files that are no images in a class's folder, "
                "the first is '%s'",
                list->n_passed_over, first);
    free(first);
}

/* The size of the picture at hand, if its header can be read. */
static void measure(struct image_list *list, struct image_files *files, size_t size)
{
    struct decoder *decoder = decoder_create();
    unsigned char *bytes = memory_zeroed(size + 1, 1);
    image_files_read(files, bytes);
    if (decoder_begin(decoder, bytes, size, &list->height, &list->width))
        list->height = list->width = 0;
    free(bytes);
    decoder_free(decoder);
}

static void find_roots(struct image_list *list)
{
    const struct dataset_config *dataset = &list->config->dataset;
    list->n_roots = 1;
    list->root[0] = (struct image_root){memory_text_copy(dataset->source), ""};
    if (strcmp(dataset->format, "ilsvrc2012") != 0)
        return;
    static const char *const tars[] = {"ILSVRC2012_img_train.tar",
                                       "ILSVRC2012_img_val.tar"};
    free(list->root[0].path);
    list->n_roots = 2;
    for (int r = 0; r < 2; r++)
        list->root[r] = (struct image_root){
            memory_format("%s/%s", dataset->source, tars[r]), r ? "val/" : "train/"};
    list->validation_class = ilsvrc_validation_classes(
        dataset->source, &list->n_validation, &list->validation_from);
}

static void list_images(struct image_list *list)
{
    for (int r = 0; r < list->n_roots; r++) {
        struct image_files *files = image_files_open(list->root[r].path);
        for (struct image_file file; image_files_next(files, &file);)
            if (list_one(list, &list->root[r], &file) && list->height == 0)
                measure(list, files, file.size);
        image_files_close(files);
    }
    if (list->n_classes == 0)
        die("'%s' has no images, expected train/CLASS/*.jpg, and test/ or val/",
            list->config->dataset.source);
    sort_classes(list);
    check_validation(list);
    check_classes(list);
    check_no_file_twice(list);
    check_counts(list, "");
    say_counts(list);
}

/* The order of the images by path is their order in the dataset. */
static void rank_images(struct image_list *list)
{
    struct listed_image **sorted = image_list_sorted(list);
    size_t rank = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0 && sorted[i]->set != sorted[i - 1]->set)
            rank = 0;
        sorted[i]->rank = rank++;
    }
    free(sorted);
}

void image_list_read(struct image_list *list, const struct config *config)
{
    *list = (struct image_list){.config = config};
    find_roots(list);
    list_images(list);
    rank_images(list);
}

void image_list_release(struct image_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->image[i].path);
        free(list->image[i].broken);
    }
    for (int k = 0; k < list->n_classes; k++)
        free(list->image_class[k].name);
    for (int r = 0; r < list->n_roots; r++)
        free(list->root[r].path);
    for (int s = 0; s < IMPORT_SETS; s++)
        free(list->split[s]);
    free(list->image);
    free(list->image_class);
    free(list->validation_class);
    free(list->validation_from);
    free(list->passed_over);
}
