#include "io/ilsvrc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/mat.h"
#include "io/tar.h"

static const char devkit_name[] = "ILSVRC2012_devkit_t12.tar.gz";
static const char labels_name[] = "validation_labels.txt";
static const char truth_name[] = "ILSVRC2012_validation_ground_truth.txt";
static const char meta_name[] = "meta.mat";

/* Text by lines, and the class of each. */
struct truth {
    const char *from;
    char **class;
    int n;
    const struct mat_row *row; /* NULL: the lines are class names */
    size_t n_rows;
};

/* The number's class name, or the line itself. */
static const char *class_of(const struct truth *truth, const char *line, int number)
{
    if (!truth->row)
        return line;
    char *end;
    long id = strtol(line, &end, 10);
    for (size_t i = 0; !*end && i < truth->n_rows; i++)
        if (truth->row[i].number == (double)id)
            return truth->row[i].text;
    die("'%s': line %d is '%s', expected a number that '%s' has", truth->from, number,
        line, meta_name);
}

/* Cuts the text into lines; one block of pointers and names. */
static void read_lines(struct truth *truth, char *text)
{
    enum { NAME = 32 };
    size_t lines = 1;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    truth->class = memory_zeroed(lines * (sizeof(char *) + NAME), 1);
    char *name = (char *)(truth->class + lines), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r ")] = '\0';
        if (!*line)
            continue;
        const char *class = class_of(truth, line, truth->n + 1);
        if (strlen(class) >= NAME)
            die("'%s': line %d is '%.40s', expected a class name like n01440764",
                truth->from, truth->n + 1, class);
        strcpy(name, class);
        truth->class[truth->n++] = name;
        name += NAME;
    }
    if (truth->n == 0)
        die("'%s' is empty, expected the class of each validation image", truth->from);
}

/* The two files of the devkit, with a final NUL. */
static void read_devkit(const char *path, char **truth, char **meta, size_t *meta_size)
{
    struct tar *tar = tar_open(path);
    for (struct tar_entry entry; tar_next(tar, &entry);) {
        const char *name = basename(entry.path);
        char **text = !strcmp(name, truth_name)  ? truth
                      : !strcmp(name, meta_name) ? meta
                                                 : NULL;
        if (!text || *text)
            continue;
        *text = memory_zeroed(entry.size + 1, 1);
        tar_read(tar, (unsigned char *)*text);
        if (text == meta)
            *meta_size = entry.size;
    }
    tar_close(tar);
    if (!*truth || !*meta)
        die("'%s' has no '%s'", path, *truth ? meta_name : truth_name);
}

static void from_devkit(struct truth *truth, const char *path)
{
    char *text = NULL, *meta = NULL;
    struct mat_row *rows;
    size_t meta_size = 0;
    read_devkit(path, &text, &meta, &meta_size);
    char *error = mat_read((unsigned char *)meta, meta_size, "synsets", "ILSVRC2012_ID",
                           "WNID", &rows, &truth->n_rows);
    if (error)
        die("'%s': '%s': %s", path, meta_name, error);
    truth->row = rows;
    read_lines(truth, text);
    free(rows);
    free(meta);
    free(text);
}

static void from_labels(struct truth *truth, FILE *file)
{
    char *text = NULL;
    size_t capacity = 0;
    if (getdelim(&text, &capacity, '\0', file) < 0 && ferror(file))
        die("cannot read '%s': %s", truth->from, strerror(errno));
    if (!text)
        text = memory_text_copy("");
    read_lines(truth, text);
    free(text);
}

char **ilsvrc_validation_classes(const char *folder, int *n, char **from)
{
    char *labels = memory_format("%s/%s", folder, labels_name);
    char *devkit = memory_format("%s/%s", folder, devkit_name);
    FILE *file = fopen(labels, "re");
    if (!file && errno != ENOENT)
        die("cannot read '%s': %s", labels, strerror(errno));
    if (!file && access(devkit, F_OK) != 0)
        die("dataset.source: there is neither '%s' nor '%s'", devkit, labels);
    struct truth truth = {.from = file ? labels : devkit};
    if (file)
        from_labels(&truth, file);
    else
        from_devkit(&truth, devkit);
    if (file)
        fclose(file);
    *n = truth.n;
    *from = file ? labels : devkit;
    free(file ? devkit : labels);
    return truth.class;
}
