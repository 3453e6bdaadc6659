#include "io/import.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/part_file.h"

void import_add_class(struct import *import, char *name)
{
    import->class_name = memory_resized(import->class_name,
                                        (size_t)import->n_classes + 1, sizeof(char *));
    import->class_name[import->n_classes++] = name;
}

void import_add_source(struct import *import, char *file, size_t bytes,
                       const char *digest)
{
    size_t n = (size_t)import->n_sources;
    import->source = memory_resized(import->source, n + 1, sizeof(import->source[0]));
    struct import_source *source = &import->source[import->n_sources++];
    source->file = file;
    source->bytes = (int64_t)bytes;
    memcpy(source->digest, digest, DIGEST_SIZE);
}

static void free_texts(char **text, size_t n)
{
    for (size_t i = 0; text && i < n; i++)
        free(text[i]);
    free(text);
}

static void set_release(struct image_set *set)
{
    free_texts(set->file, set->n);
    free(set->images);
    free(set->labels);
    free(set->label);
    free(set->pixel);
    free(set->offset);
    free(set->size);
    free(set->crc32);
}

void import_release(struct import *import)
{
    for (int s = 0; s < IMPORT_SETS; s++)
        set_release(&import->set[s]);
    for (int i = 0; i < import->n_sources; i++)
        free(import->source[i].file);
    free(import->source);
    free_texts(import->class_name, (size_t)import->n_classes);
    free_texts(import->skipped, (size_t)import->n_skipped);
    free_texts(import->skipped_because, (size_t)import->n_skipped);
    part_file_close(import->part);
    *import = (struct import){0};
}

void import_class_names(struct import *import, const char *path, const char *text,
                        size_t n)
{
    const char *end = text + n;
    for (int line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text), whole = length;
        while (length > 0 && text[length - 1] == '\r')
            length--;
        if (length == 0)
            die("'%s':%d: the line is empty, expected a class name", path, line);
        import_add_class(import, memory_format("%.*s", (int)length, text));
        text += whole + (stop != NULL);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void import_check_classes(const struct import *import, const char *path, int classes)
{
    int n = import->n_classes;
    if (n != classes)
        die("'%s' has %d class names, space.classes is %d", path, n, classes);
    char **sorted = memory_zeroed((size_t)n, sizeof(char *));
    memcpy(sorted, import->class_name, (size_t)n * sizeof(char *));
    qsort(sorted, (size_t)n, sizeof(char *), by_text);
    for (int k = 1; k < n; k++)
        if (!strcmp(sorted[k - 1], sorted[k]))
            die("'%s': two classes have the name '%s', expected different names", path,
                sorted[k]);
    free(sorted);
}

void import_number_classes(struct import *import, int classes)
{
    for (int k = 0; k < classes; k++)
        import_add_class(import, memory_format("%d", k));
}

void import_check_size(const char *path, size_t height, size_t width, size_t channels,
                       const struct space_config *space)
{
    const int *input = space->input;
    if (height != (size_t)input[0] || width != (size_t)input[1] ||
        channels != (size_t)input[2])
        die("'%s': its images are %zu x %zu x %zu, space.input is %d x %d x %d", path,
            height, width, channels, input[0], input[1], input[2]);
}
