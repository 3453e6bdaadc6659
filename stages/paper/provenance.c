#include "paper/provenance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/digest.h"

static void append(char ***list, size_t *n, char **more, size_t n_more)
{
    *list = memory_resized(*list, *n + n_more + 1, sizeof(**list));
    for (size_t i = 0; i < n_more; i++)
        (*list)[(*n)++] = memory_text_copy(more[i]);
    free(more);
}

static const char *const folder_of_a_run[] = {
    "",
    "retrain",
    "evaluate",
    "ablation/net1",
    "ablation/net2",
    "ablation/net3",
    "ablation/net4",
    "ablation/net5",
    "ablation/net6",
    "rankcorr", /* shards: their numbers are in rankcorr.h5 */
};
enum {
    FOLDERS = sizeof(folder_of_a_run) / sizeof(folder_of_a_run[0]),
    LISTED_FOLDERS = FOLDERS - 1
};

char **provenance_artifacts(const struct run *run, size_t *n)
{
    char **list = NULL;
    size_t n_more;
    *n = 0;
    for (size_t i = 0; i < LISTED_FOLDERS; i++) {
        char **more = run_list(run, folder_of_a_run[i], &n_more);
        append(&list, n, more, n_more);
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

/* "results/x/ablation/net2/greedy.h5" -> "ablation/net2/greedy", wherever run x was
 * when it was made; NULL if it is no artifact. The caller frees. */
static char *place_of(const char *path)
{
    size_t length = strlen(path);
    if (length < 4 || strcmp(path + length - 3, ".h5") != 0)
        return NULL;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int n = (int)(path + length - 3 - name);
    for (size_t i = 0; slash && i < FOLDERS; i++) {
        size_t before = (size_t)(slash - path), size = strlen(folder_of_a_run[i]);
        if (size && size < before && path[before - size - 1] == '/' &&
            strncmp(slash - size, folder_of_a_run[i], size) == 0)
            return memory_format("%s/%.*s", folder_of_a_run[i], n, name);
    }
    return memory_format("%.*s", n, name);
}

/* The digest that an input has now, whether it is of this run or lies elsewhere; false
 * if it is not there. */
static bool digest_now(struct run *run, struct artifact *made, const char *path,
                       const char *place, char digest[ARTIFACT_DIGEST_SIZE])
{
    struct artifact *input = place ? run_artifact(run, place) : NULL;
    if (input) {
        artifact_digest(input, digest);
        return true;
    }
    char *truth = artifact_has(made, "truth/file")
                      ? artifact_read_text(made, "truth/file")
                      : NULL;
    bool plain = truth && strcmp(truth, path) == 0;
    free(truth);
    if (plain)
        return digest_read_file(path, digest);
    if (access(path, R_OK) != 0)
        return false;
    char *why;
    input = artifact_try_open(path, NULL, &why);
    if (!input) {
        log_warning("%s", why);
        free(why);
        return false;
    }
    artifact_digest(input, digest);
    artifact_close(input);
    return true;
}

/* An input of an artifact, and what has become of it. */
struct input {
    char *path;  /* as it was typed */
    char *place; /* in this run; NULL: elsewhere */
    bool there, same;
};

/* From one line of `inputs`: a path, a blank, a digest. False if it is none. The images
 * come first, and belong to no run. */
static bool input_read(struct input *input, struct run *run, struct artifact *made,
                       const char *line, bool images)
{
    char now[ARTIFACT_DIGEST_SIZE];
    const char *blank = strrchr(line, ' ');
    if (!blank)
        return false;
    input->path = memory_format("%.*s", (int)(blank - line), line);
    input->place = images ? NULL : place_of(input->path);
    if (input->place && !run_has(run, input->place)) {
        free(input->place);
        input->place = NULL;
    }
    input->there = digest_now(run, made, input->path, input->place, now);
    input->same = input->there && strcmp(now, blank + 1) == 0;
    return true;
}

/* All inputs of an artifact. inputs_free() it. */
static struct input *inputs_of(struct run *run, const char *name, int *n)
{
    struct artifact *made = run_artifact(run, name);
    char *lines = artifact_attribute(made, "inputs"), *rest = lines;
    struct input *input = NULL;
    bool first = true;
    *n = 0;
    for (char *line; rest && (line = strsep(&rest, "\n")); first = false) {
        input = memory_resized(input, (size_t)*n + 1, sizeof(*input));
        *n += input_read(&input[*n], run, made, line, first);
    }
    free(lines);
    return input;
}

static void inputs_free(struct input *input, int n)
{
    for (int i = 0; i < n; i++) {
        free(input[i].path);
        free(input[i].place);
    }
    free(input);
}

char *provenance_mismatch(struct run *run, const char *name)
{
    int n, i = 0;
    struct input *input = inputs_of(run, name, &n);
    while (i < n && (!input[i].there || input[i].same))
        i++;
    char *problem = NULL;
    if (i < n)
        problem = memory_format("%s.h5 was made from another %s%s than the one that is "
                                "there now.",
                                name, input[i].place ? input[i].place : input[i].path,
                                input[i].place ? ".h5" : "");
    inputs_free(input, n);
    return problem;
}

/* The list with one more name, unless it has it. Frees the list. */
static char *with_name(char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at++)
        if ((at == list || at[-1] == ' ') && (at[n] == ',' || at[n] == '\0'))
            return list;
    char *longer = list ? memory_format("%s, %s", list, name) : memory_text_copy(name);
    free(list);
    return longer;
}

char *provenance_unchecked(struct run *run)
{
    size_t n;
    char **name = provenance_artifacts(run, &n), *list = NULL;
    for (size_t i = 0; i < n; i++) {
        int n_inputs;
        struct input *input = inputs_of(run, name[i], &n_inputs);
        for (int j = 0; j < n_inputs; j++)
            if (!input[j].there)
                list = with_name(list, input[j].path);
        inputs_free(input, n_inputs);
    }
    list_free(name, n);
    return list;
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
