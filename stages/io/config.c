#include "io/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/config_rules.h"
#include "io/config_table.h"
#include "io/instance.h"
#include "io/setting_kinds.h"

/* No file of settings is near this; what is larger is something else. */
enum { FILE_SIZE_MAX = 1 << 20 };

/* What config_free() gets is the first member. */
struct owned_config {
    struct config config;
    struct texts texts;
    struct config *network; /* whose texts it has, see config_take_network() */
    struct filled filled[CONFIG_ROWS_MAX];
};

/* --- Reading ---------------------------------------------------------------------- */

struct loading {
    struct owned_config *owned;
    struct problems problems;
    unsigned use;
};

/* The file's bytes; NULL with *why if it cannot be read. */
static char *read_file(const char *path, size_t *size, const char **why)
{
    FILE *in = fopen(path, "rb");
    if (!in) {
        *why = strerror(errno);
        return NULL;
    }
    char *text = memory_zeroed(FILE_SIZE_MAX + 1, 1);
    *size = fread(text, 1, FILE_SIZE_MAX + 1, in);
    *why = ferror(in)              ? strerror(errno)
           : *size > FILE_SIZE_MAX ? "larger than 1 MiB, which no file of settings is"
                                   : NULL;
    fclose(in);
    if (!*why)
        return text;
    free(text);
    return NULL;
}

static struct yaml_tree *parse_text(struct loading *loading, const char *file,
                                    const char *text, size_t size)
{
    struct yaml_tree *tree = yaml_tree_parse(file, text, size, &loading->problems);
    if (tree && yaml_tree_is_empty(tree)) {
        problems_add(&loading->problems, (struct place){.file = file},
                     "has no settings in it");
        yaml_tree_free(tree);
        return NULL;
    }
    return tree;
}

static struct yaml_tree *parse_file(struct loading *loading, const char *path)
{
    size_t size;
    const char *why;
    char *text = read_file(path, &size, &why);
    if (!text) {
        problems_add(&loading->problems, (struct place){.file = path},
                     "cannot be read: %s", why);
        return NULL;
    }
    struct yaml_tree *tree = parse_text(loading, path, text, size);
    free(text);
    return tree;
}

/* `stage: greedy` at the top makes it a stage's effective YAML. It is no setting: it is
 * taken out of the tree. */
static void take_stage(struct loading *loading, const struct reader *reader,
                       struct yaml_tree *tree)
{
    const struct setting stage = {
        .name = "stage", .kind = &kind_text, .offset = offsetof(struct config, stage)};
    struct instance instance;
    for (int i = 0; tree->kind == YAML_TREE_MAPPING && i < tree->n; i++) {
        if (strcmp(tree->key[i]->text, "stage") != 0)
            continue;
        if (!kind_text.read(reader, &stage, "stage", tree->item[i],
                            &loading->owned->config))
            loading->owned->config.stage = "";
        else if (instance_find(loading->owned->config.stage, &instance))
            loading->use = instance.use;
        else
            reader_problem(reader, tree->item[i], "stage", "there is no stage '%s'",
                           loading->owned->config.stage);
        yaml_tree_free(tree->key[i]);
        yaml_tree_free(tree->item[i]);
        tree->n--;
        for (int j = i; j < tree->n; j++) {
            tree->key[j] = tree->key[j + 1];
            tree->item[j] = tree->item[j + 1];
        }
        break;
    }
}

/* The row an override names, or -1 after a problem. */
static int override_row(struct loading *loading, const char *name)
{
    struct place place = {.file = "SET"};
    int row = settings_find(&config_table, name);
    const char *meant = row < 0 ? settings_nearest(&config_table, name) : NULL;
    if (row >= 0 && config_table.row[row].kind &&
        (config_table.row[row].use & loading->use))
        return row;
    if (row >= 0 && config_table.row[row].kind)
        problems_add(&loading->problems, place, "'%s' is not one that %s uses", name,
                     loading->owned->config.stage);
    else if (row >= 0)
        problems_add(&loading->problems, place,
                     "'%s' is a section, expected one of its settings", name);
    else if (meant)
        problems_add(&loading->problems, place,
                     "unknown setting '%.60s', did you mean '%s'?", name, meant);
    else
        problems_add(&loading->problems, place, "unknown setting '%.60s'", name);
    return -1;
}

/* Parses the value by itself; its problems get the setting's name. */
static struct yaml_tree *parse_value(struct loading *loading, const char *name,
                                     const char *value)
{
    struct problems problems;
    problems_init(&problems);
    struct yaml_tree *node = yaml_tree_parse("SET", value, strlen(value), &problems);
    for (int i = 0; i < problems.n; i++)
        problems_add(&loading->problems, (struct place){.file = "SET"}, "%s: %s", name,
                     problems.list[i].message);
    problems_release(&problems);
    return node;
}

static void read_override(struct loading *loading, const char *override)
{
    struct reader reader = {"SET", false, &loading->problems, &loading->owned->texts};
    const char *equals = strchr(override, '=');
    if (!equals) {
        problems_add(&loading->problems, (struct place){.file = "SET"},
                     "'%.60s' has no value, expected name=value", override);
        return;
    }
    char *name = strndup(override, (size_t)(equals - override));
    if (!name)
        die("no memory for an override");
    int row = override_row(loading, name);
    struct yaml_tree *node = row < 0 ? NULL : parse_value(loading, name, equals + 1);
    if (node)
        settings_read_row(&reader, &config_table, row, "", node,
                          &loading->owned->config, loading->owned->filled);
    yaml_tree_free(node);
    free(name);
}

/* text: the settings themselves; NULL: those of the file. */
static void load(struct loading *loading, const char *path, const char *text,
                 const char *const *overrides, int n_overrides)
{
    /* The places outlive the caller's string. */
    const char *file = texts_keep(&loading->owned->texts, path);
    struct reader reader = {file, true, &loading->problems, &loading->owned->texts};
    struct yaml_tree *tree = text ? parse_text(loading, file, text, strlen(text))
                                  : parse_file(loading, file);
    if (!tree)
        return;
    if (loading->use == USE_ALL)
        take_stage(loading, &reader, tree);
    settings_read(&reader, &config_table, "", loading->use, tree,
                  &loading->owned->config, loading->owned->filled);
    for (int i = 0; i < n_overrides; i++)
        read_override(loading, overrides[i]);
    /* A file that is no mapping misses everything: one problem is enough. */
    if (tree->kind == YAML_TREE_MAPPING) {
        settings_complete(&reader, &config_table, "", loading->use, tree,
                          &loading->owned->config, loading->owned->filled);
        config_rules_check(&loading->owned->config, loading->use,
                           loading->owned->filled, &loading->problems);
    }
    yaml_tree_free(tree);
}

static struct config *read_for(unsigned use, const char *path, const char *text,
                               const char *const *overrides, int n_overrides,
                               char **problems)
{
    struct loading loading = {.owned = memory_zeroed(1, sizeof *loading.owned),
                              .use = use};
    loading.owned->config.stage = "";
    problems_init(&loading.problems);
    load(&loading, path, text, overrides, n_overrides);
    *problems = NULL;
    if (loading.problems.n == 0)
        return &loading.owned->config;
    *problems = problems_text(&loading.problems);
    problems_release(&loading.problems);
    config_free(&loading.owned->config);
    return NULL;
}

struct config *config_read(const char *path, const char *const *overrides,
                           int n_overrides, char **problems)
{
    return read_for(USE_ALL, path, NULL, overrides, n_overrides, problems);
}

struct config *config_read_text(const char *name, const char *text, char **problems)
{
    return read_for(USE_ALL, name, text, NULL, 0, problems);
}

static struct config *config_or_exit(struct config *config, const char *problems)
{
    if (config)
        return config;
    fputs(problems, stderr);
    exit(EXIT_ASKED_WRONG);
}

struct config *config_load(const char *path, const char *const *overrides,
                           int n_overrides)
{
    char *problems;
    struct config *config = config_read(path, overrides, n_overrides, &problems);
    return config_or_exit(config, problems);
}

struct config *config_read_network(const char *path, char **problems)
{
    return read_for(USE_NETWORK, path, NULL, NULL, 0, problems);
}

struct config *config_load_network(const char *path)
{
    char *problems;
    struct config *config = config_read_network(path, &problems);
    return config_or_exit(config, problems);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    struct owned_config *owned = (struct owned_config *)config;
    config_free(owned->network);
    texts_release(&owned->texts);
    free(owned);
}

void config_take_network(struct config *config, struct config *network)
{
    struct owned_config *owned = (struct owned_config *)config;
    struct space_config space = network->space;
    BUG_IF(owned->network);
    memcpy(space.input, config->space.input, sizeof space.input);
    space.classes = config->space.classes;
    config->space = space;
    config->retrain.network = network->network.path;
    owned->network = network;
}

/* --- Overrides in one string ------------------------------------------------------ */

/* The end of the override that starts at `text`. */
static const char *override_end(const char *text)
{
    int depth = 0;
    char quote = '\0';
    for (; *text; text++) {
        if (quote)
            quote = *text == quote ? '\0' : quote;
        else if (strchr("'\"", *text))
            quote = *text;
        else if (strchr("[{", *text))
            depth++;
        else if (strchr("]}", *text))
            depth--;
        else if (strchr(" \t\n", *text) && depth <= 0)
            break;
    }
    return text;
}

int config_split_overrides(const char *text, char ***overrides)
{
    /* Every other character may start one; the copies follow the pointers. */
    size_t most = strlen(text) / 2 + 1;
    char **list = memory_zeroed(most * sizeof *list + strlen(text) + 1, 1);
    char *copy = (char *)(list + most);
    int n = 0;
    strcpy(copy, text);
    for (copy += strspn(copy, " \t\n"); *copy; copy += strspn(copy, " \t\n")) {
        list[n++] = copy;
        copy += override_end(copy) - copy;
        if (*copy)
            *copy++ = '\0';
    }
    *overrides = list;
    return n;
}

/* --- Writing ---------------------------------------------------------------------- */

static FILE *open_text(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (!out)
        die("no memory for the settings' text");
    return out;
}

static void close_text(FILE *out)
{
    if (fclose(out) != 0)
        die("no memory for the settings' text");
}

static int depth_of(const char *name)
{
    int depth = 0;
    for (; *name; name++)
        depth += *name == '.';
    return depth;
}

static const char *last_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* `name: value`, or `name:` of a section. */
static void write_row(FILE *out, const struct setting *setting,
                      const struct config *config)
{
    int depth = depth_of(setting->name);
    fprintf(out, "%*s%s:", 2 * depth, "", last_name(setting->name));
    if (setting->kind)
        setting->kind->write(out, setting, config, depth);
    fputc('\n', out);
}

static bool is_neutral(const struct setting *setting)
{
    size_t length = strlen(CONFIG_NEUTRAL_SECTION);
    return strncmp(setting->name, CONFIG_NEUTRAL_SECTION, length) == 0;
}

static bool has_default(const struct setting *setting, const struct config *config)
{
    char *value = config_value(config, setting->name);
    bool same = strcmp(value, setting->value) == 0;
    free(value);
    return same;
}

/* Whether a stage's effective settings have the row; a section: any row of it. */
static bool is_written(const struct setting *setting, const struct config *config,
                       unsigned use)
{
    if (setting->kind)
        return (setting->use & use) &&
               !(setting->later && has_default(setting, config));
    size_t length = strlen(setting->name);
    const struct setting *end = config_table.row + config_table.n;
    for (const struct setting *row = setting + 1; row < end; row++)
        if (strncmp(row->name, setting->name, length) == 0 &&
            row->name[length] == '.' && row->kind && is_written(row, config, use))
            return true;
    return false;
}

/* Whether a stage's settings are those of `stage` or, of another stage, hold them:
 * greedy's have all of warmup's. NULL: those of the experiment. */
static bool has_settings_of(const struct config *config, const char *stage)
{
    struct instance own, asked;
    if (!stage || !instance_find(stage, &asked) || !instance_find(config->stage, &own))
        return false;
    if (own.use == asked.use)
        return strcmp(config->stage, stage) == 0;
    for (int i = 0; i < config_table.n; i++)
        if ((config_table.row[i].use & asked.use) &&
            !(config_table.row[i].use & own.use))
            return false;
    return true;
}

static char *write_config(const struct config *config, const char *stage, bool neutral)
{
    struct instance instance = {.use = USE_ALL};
    char *text = NULL;
    size_t size = 0;
    if (stage && !instance_find(stage, &instance))
        die("'%s' is not a stage with settings", stage);
    if (config->stage && *config->stage && !has_settings_of(config, stage))
        die_asked_wrong("the settings are those of stage '%s', expected those of %s",
                        config->stage, stage ? stage : "the whole experiment");
    FILE *out = open_text(&text, &size);
    fprintf(out,
            "# Every setting that %s uses, made by `config`: edit the experiment's "
            "file instead.\n",
            stage ? stage : "the experiment");
    if (stage)
        fprintf(out, "stage: %s\n", stage);
    for (int i = 0; i < config_table.n; i++)
        if (is_written(&config_table.row[i], config, instance.use) &&
            (neutral || !is_neutral(&config_table.row[i])))
            write_row(out, &config_table.row[i], config);
    close_text(out);
    return text;
}

char *config_effective(const struct config *config, const char *stage)
{
    return write_config(config, stage, true);
}

char *config_fingerprint(const struct config *config, const char *stage)
{
    return write_config(config, stage, false);
}

/*
 * The next line of a config that can change a result, or NULL at the end: all but
 * comments and the section `checkpoint`, which says how often to write, not what is
 * computed. Moves *text behind the line; the line ends at a newline or NUL.
 */
static const char *next_line(const char **text)
{
    static const char section[] = "checkpoint:";
    bool in_section = false;
    while (**text) {
        const char *line = *text;
        *text += strcspn(line, "\n");
        *text += **text == '\n';
        if (!strncmp(line, section, sizeof section - 1))
            in_section = true;
        else if (in_section && !strchr(" \t\n", *line))
            in_section = false;
        if (!in_section && *line != '#')
            return line;
    }
    return NULL;
}

static char *line_text(const char *line)
{
    return line ? memory_format("'%.*s'", (int)strcspn(line, "\n"), line)
                : memory_text_copy("the end");
}

char *config_difference(const char *found, const char *expected)
{
    for (;;) {
        const char *a = next_line(&found), *b = next_line(&expected);
        if (!a && !b)
            return NULL;
        size_t length = a ? strcspn(a, "\n") : 0;
        if (a && b && length == strcspn(b, "\n") && !memcmp(a, b, length))
            continue;
        char *is = line_text(a), *should = line_text(b);
        char *difference = memory_format("it has %s, now %s", is, should);
        free(is);
        free(should);
        return difference;
    }
}

char *config_value(const struct config *config, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    int row = settings_find(&config_table, name);
    if (row < 0 || !config_table.row[row].kind)
        return NULL;
    const struct setting *setting = &config_table.row[row];
    FILE *out = open_text(&text, &size);
    setting->kind->write(out, setting, config, depth_of(name));
    close_text(out);
    memmove(text, text + 1, strlen(text)); /* the blank after the colon */
    return text;
}

char *config_place(const struct config *config, const char *name)
{
    int row = settings_find(&config_table, name);
    const struct owned_config *owned = (const struct owned_config *)config;
    if (row < 0 || owned->filled[row].state != SETTING_GIVEN)
        return memory_text_copy("");
    const struct place *place = &owned->filled[row].place;
    return place->line
               ? memory_format("%s:%d:%d", place->file, place->line, place->column)
               : memory_text_copy(place->file);
}

/* --- The reference ---------------------------------------------------------------- */

/* `text` as comment lines, broken at blanks. */
static void write_comment(FILE *out, int indent, const char *text)
{
    const int width = 88 - indent - 2;
    while (*text) {
        int length = (int)strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = (int)strcspn(text, " ");
        }
        fprintf(out, "%*s# %.*s\n", indent, "", length, text);
        text += length;
        text += strspn(text, " ");
    }
}

/* A blank line stands before every section and after its end. */
static void write_reference_row(FILE *out, const struct setting *setting,
                                const char *before, const struct config *config)
{
    int indent = 2 * depth_of(setting->name);
    if (!setting->kind || depth_of(setting->name) < depth_of(before))
        fputc('\n', out);
    write_comment(out, indent, setting->help);
    if (setting->kind) {
        char *expects = setting_expects(setting),
             *users = setting_stage_names(setting->use, ", ");
        char *facts = memory_format("%c%s%s. Used by %s.", expects[0] - 'a' + 'A',
                                    expects + 1, setting->required ? "; required" : "",
                                    (setting->use & USE_ALL) == USE_ALL ? "every stage"
                                    : *users                            ? users
                                                                        : "make alone");
        write_comment(out, indent, facts);
        free(facts);
        free(users);
        free(expects);
    }
    write_row(out, setting, config);
}

void config_write_reference(FILE *out)
{
    struct owned_config owned = {.config.stage = ""};
    settings_examples(&config_table, &owned.texts, &owned.config);
    fputs(
        "# Every setting there is, with its default; printed by `config --reference`.\n"
        "# A setting that is required has no default: what stands here is an example.\n"
        "# Together they make a search on ImageNet like the paper's.\n\n",
        out);
    const char *before = "";
    for (int i = 0; i < config_table.n; i++) {
        const struct setting *setting = &config_table.row[i];
        if (!(setting->use & USE_ALL)) /* of a network's own file */
            continue;
        write_reference_row(out, setting, before, &owned.config);
        before = setting->name;
    }
    texts_release(&owned.texts);
}
