#include "paper/provenance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static void append(char ***list, size_t *n, char **more, size_t n_more)
{
    *list = memory_resized(*list, *n + n_more + 1, sizeof(**list));
    for (size_t i = 0; i < n_more; i++)
        (*list)[(*n)++] = memory_text_copy(more[i]);
    free(more);
}

char **provenance_artifacts(const struct run *run, size_t *n)
{
    static const char *const folders[] = {"", "retrain", "evaluate"};
    char **list = NULL;
    size_t n_more;
    *n = 0;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char **more = run_list(run, folders[i], &n_more);
        append(&list, n, more, n_more);
    }
    for (int net = 1; net <= 6; net++) {
        char *folder = memory_format("ablation/net%d", net);
        char **more = run_list(run, folder, &n_more);
        append(&list, n, more, n_more);
        free(folder);
    }
    return list;
}

static void list_free(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static void attribute_cell(struct table *table, struct artifact *artifact,
                           const char *name)
{
    char *text = artifact_attribute(artifact, name);
    if (text)
        table_text(table, "%s", text);
    else
        table_unknown(table);
    free(text);
}

struct table *table_of_artifacts(struct run *run)
{
    size_t n;
    char **name = provenance_artifacts(run, &n);
    struct table *table = table_create("artifacts", "Artifacts");
    static const char *const headings[] = {
        "artifact", "digest", "seed", "threads", "code", "processor", "finished"};
    for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++)
        table_column(table, TABLE_LEFT, headings[i]);
    for (size_t i = 0; i < n; i++) {
        struct artifact *artifact = run_artifact(run, name[i]);
        char digest[SHORT_DIGEST_SIZE];
        short_digest(artifact, digest);
        table_row(table);
        table_text(table, "%s.h5", name[i]);
        table_text(table, "%s", digest);
        attribute_cell(table, artifact, "seed");
        attribute_cell(table, artifact, "threads");
        attribute_cell(table, artifact, "code");
        attribute_cell(table, artifact, "cpu");
        attribute_cell(table, artifact, "finished");
    }
    table_caption(table,
                  "The first 12 digits of each digest; the same digest, the same "
                  "numbers.");
    list_free(name, n);
    return table;
}

static bool has_number(struct artifact *artifact, const char *name)
{
    size_t shape[ARTIFACT_RANK_MAX];
    return artifact_shape(artifact, name, shape) == 0;
}

static void count_cell(struct table *table, struct artifact *artifact, const char *name)
{
    if (has_number(artifact, name))
        table_count(table, artifact_read_i64(artifact, name));
    else
        table_unknown(table);
}

static void time_cell(struct table *table, struct artifact *artifact, const char *name)
{
    char text[32];
    if (!has_number(artifact, name)) {
        table_unknown(table);
        return;
    }
    double seconds = artifact_read_f64(artifact, name);
    clock_duration(seconds, text, sizeof(text));
    if (seconds < 10)
        snprintf(text, sizeof(text), "%.1fs", seconds);
    table_text(table, "%s", text);
}

struct table *table_of_work(struct run *run)
{
    size_t n;
    char **name = provenance_artifacts(run, &n);
    struct table *table = table_create("work", "Work and time");
    table_column(table, TABLE_LEFT, "artifact");
    table_column(table, TABLE_RIGHT, "images trained on");
    table_column(table, TABLE_RIGHT, "images scored");
    table_column(table, TABLE_RIGHT, "training");
    table_column(table, TABLE_RIGHT, "loading");
    table_column(table, TABLE_RIGHT, "scoring");
    for (size_t i = 0; i < n; i++) {
        struct artifact *artifact = run_artifact(run, name[i]);
        if (!has_number(artifact, "counters/optimization") &&
            !has_number(artifact, "counters/evaluation"))
            continue;
        table_row(table);
        table_text(table, "%s.h5", name[i]);
        count_cell(table, artifact, "counters/optimization");
        count_cell(table, artifact, "counters/evaluation");
        time_cell(table, artifact, "measured/train_seconds");
        time_cell(table, artifact, "measured/data_seconds");
        time_cell(table, artifact, "measured/score_seconds");
    }
    table_caption(table, "Each artifact's own part: what it went on from is not in it. "
                         "Counts are exact; times are wall time on the processor that "
                         "the list of artifacts names, with whatever else ran there.");
    list_free(name, n);
    return table;
}

/* The artifact's name in this run of an input's path; NULL if it lies elsewhere. */
static char *name_of(const struct run *run, const char *path)
{
    size_t n = strlen(run_folder(run)), length = strlen(path);
    if (strncmp(path, run_folder(run), n) != 0 || path[n] != '/' || length < n + 5 ||
        strcmp(path + length - 3, ".h5") != 0)
        return NULL;
    return memory_format("%.*s", (int)(length - n - 4), path + n + 1);
}

/* One line of `inputs`: a path, a blank, a digest. */
static char *compare_input(struct run *run, const char *name, const char *line)
{
    const char *blank = strrchr(line, ' ');
    if (!blank)
        return NULL;
    char *path = memory_format("%.*s", (int)(blank - line), line);
    char *input = name_of(run, path), *problem = NULL, there[ARTIFACT_DIGEST_SIZE];
    if (input && run_has(run, input)) {
        artifact_digest(run_artifact(run, input), there);
        if (strcmp(there, blank + 1) != 0)
            problem = memory_format("%s.h5 was made from another %s.h5 than the one "
                                    "that is there now.",
                                    name, input);
    }
    free(input);
    free(path);
    return problem;
}

char *provenance_mismatch(struct run *run, const char *name)
{
    char *inputs = artifact_attribute(run_artifact(run, name), "inputs");
    char *problem = NULL, *rest = inputs;
    for (char *line; !problem && rest && (line = strsep(&rest, "\n"));)
        problem = compare_input(run, name, line);
    free(inputs);
    return problem;
}

char *provenance_dataset(struct run *run)
{
    static const char *const first[] = {"warmup", "uniform", "greedy", "search"};
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        struct artifact *artifact = run_artifact(run, first[i]);
        char *inputs = artifact ? artifact_attribute(artifact, "inputs") : NULL;
        if (!inputs)
            continue;
        inputs[strcspn(inputs, " \n")] = '\0'; /* the images come first */
        char *slash = strrchr(inputs, '/');
        const char *file = slash ? slash + 1 : inputs;
        char *dataset = memory_format("%.*s", (int)strcspn(file, "."), file);
        free(inputs);
        return dataset;
    }
    return NULL;
}
