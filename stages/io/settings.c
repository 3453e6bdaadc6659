#include "io/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/setting_kinds.h"

const char *const setting_stages[SETTING_STAGES + 1] = {
    "prepare",  "warmup",  "greedy",  "search",    "latency",   "retrain", "evaluate",
    "rankcorr", "uniform", "fairnas", "uniform_e", "fairnas_e", NULL};
_Static_assert(USE_STAGES == (1 << SETTING_STAGES) - 1, "a name for every stage's bit");

unsigned setting_use(const char *stage)
{
    for (int i = 0; i < SETTING_STAGES; i++)
        if (strcmp(stage, setting_stages[i]) == 0)
            return 1u << i;
    return 0;
}

char *setting_stage_names(unsigned use, const char *between)
{
    char *names = memory_text_copy("");
    for (int i = 0; i < SETTING_STAGES; i++)
        if (use & (1u << i)) {
            char *before = names;
            names = memory_format("%s%s%s", before, *before ? between : "",
                                  setting_stages[i]);
            free(before);
        }
    return names;
}

const char *texts_keep(struct texts *texts, const char *text)
{
    texts->text =
        memory_resized(texts->text, (size_t)texts->n + 1, sizeof *texts->text);
    texts->text[texts->n] = memory_text_copy(text);
    return texts->text[texts->n++];
}

void texts_release(struct texts *texts)
{
    for (int i = 0; i < texts->n; i++)
        free(texts->text[i]);
    free(texts->text);
    *texts = (struct texts){0};
}

struct place reader_place(const struct reader *reader, const struct yaml_tree *node)
{
    if (!reader->positions)
        return (struct place){.file = reader->file};
    return (struct place){reader->file, node->line, node->column};
}

void reader_problem(const struct reader *reader, const struct yaml_tree *node,
                    const char *shown, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        die("no memory for a message");
    problems_add(reader->problems, reader_place(reader, node), "%.120s: %s", shown,
                 message);
    free(message);
}

char *setting_expects(const struct setting *setting)
{
    char least[SETTING_NUMBER_SIZE], most[SETTING_NUMBER_SIZE];
    if (setting->words)
        return memory_format("%s:%s%s", setting->kind->expects,
                             setting->words[0] == ' ' ? " \"\"" : " ", setting->words);
    if (!(setting->least < setting->most))
        return memory_text_copy(setting->kind->expects);
    setting_number_text(setting->least, least);
    setting_number_text(setting->most, most);
    return memory_format("%s, %s to %s", setting->kind->expects, least, most);
}

/* --- Names ------------------------------------------------------------------------ */

int settings_find(const struct settings *settings, const char *name)
{
    for (int i = 0; i < settings->n; i++)
        if (strcmp(settings->row[i].name, name) == 0)
            return i;
    return -1;
}

enum { NAME_MAX_COMPARED = 64 };

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b. */
static int edit_distance(const char *a, const char *b)
{
    int row[NAME_MAX_COMPARED + 1][NAME_MAX_COMPARED + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > NAME_MAX_COMPARED || m > NAME_MAX_COMPARED)
        return INT_MAX;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                row[i][j] = i + j;
                continue;
            }
            int edits = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            edits = least_of(edits, least_of(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                edits = least_of(edits, row[i - 2][j - 2] + 1);
            row[i][j] = edits;
        }
    return row[n][m];
}

static const char *last_word(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

const char *settings_nearest(const struct settings *settings, const char *name)
{
    const char *nearest = NULL;
    /* A third of the word may be wrong; more is another word. */
    int fewest = (int)strlen(last_word(name)) / 3 + 1;
    for (int i = 0; i < settings->n; i++) {
        int edits = edit_distance(name, settings->row[i].name);
        if (edits <= fewest && (!nearest || edits < fewest)) {
            fewest = edits;
            nearest = settings->row[i].name;
        }
    }
    /* Else the right word in the wrong section. */
    for (int i = 0; i < settings->n && !nearest; i++)
        if (strcmp(last_word(name), last_word(settings->row[i].name)) == 0)
            nearest = settings->row[i].name;
    return nearest;
}

/* --- Reading by the table --------------------------------------------------------- */

static void unknown(const struct reader *reader, const struct settings *settings,
                    const char *prefix, const char *name, const struct yaml_tree *key)
{
    const char *meant = settings_nearest(settings, name);
    if (meant)
        problems_add(reader->problems, reader_place(reader, key),
                     "unknown setting '%s%.60s', did you mean '%s%s'?", prefix, name,
                     prefix, meant);
    else
        problems_add(reader->problems, reader_place(reader, key),
                     "unknown setting '%s%.60s'", prefix, name);
}

/* A row that may be read from this key, or -1 after a problem. */
static int row_for_key(const struct reader *reader, const struct settings *settings,
                       const char *prefix, unsigned use, const char *name,
                       const struct yaml_tree *key, struct filled *filled)
{
    int row = settings_find(settings, name);
    if (row < 0) {
        unknown(reader, settings, prefix, name, key);
        return -1;
    }
    if (filled[row].key.file) {
        problems_add(reader->problems, reader_place(reader, key),
                     "duplicate setting '%s%s', first at %d:%d", prefix, name,
                     filled[row].key.line, filled[row].key.column);
        return -1;
    }
    if (!(settings->row[row].use & use)) {
        char *stages = setting_stage_names(use, ", ");
        problems_add(reader->problems, reader_place(reader, key),
                     "setting '%s%s' is not one that %s uses", prefix, name, stages);
        free(stages);
        return -1;
    }
    filled[row].key = reader_place(reader, key);
    return row;
}

void settings_read_row(const struct reader *reader, const struct settings *settings,
                       int row, const char *prefix, const struct yaml_tree *node,
                       void *base, struct filled *filled)
{
    const struct setting *setting = &settings->row[row];
    char *shown = memory_format("%s%s", prefix, setting->name);
    filled[row].place = reader_place(reader, node);
    filled[row].state = setting->kind->read(reader, setting, shown, node, base)
                            ? SETTING_GIVEN
                            : SETTING_BAD;
    free(shown);
}

/* The whole file has no name; an item's is its prefix without the dot. */
static void no_mapping(const struct reader *reader, const char *prefix,
                       const char *section, const struct yaml_tree *node)
{
    char *found = node->kind == YAML_TREE_LIST ? memory_text_copy("a list")
                                               : memory_format("'%.60s'", node->text);
    char *shown = memory_format("%s%s", prefix, section);
    size_t length = strlen(shown);
    if (length && shown[length - 1] == '.')
        shown[length - 1] = '\0';
    problems_add(reader->problems, reader_place(reader, node),
                 "%s%sexpected settings (name: value), found %s", shown,
                 length ? ": " : "", found);
    free(shown);
    free(found);
}

/* `section` is the dotted name of the mapping, "" at the root. */
static void read_section(const struct reader *reader, const struct settings *settings,
                         const char *prefix, const char *section, unsigned use,
                         const struct yaml_tree *mapping, void *base,
                         struct filled *filled)
{
    if (yaml_tree_is_empty(mapping))
        return;
    if (mapping->kind != YAML_TREE_MAPPING) {
        no_mapping(reader, prefix, section, mapping);
        return;
    }
    for (int i = 0; i < mapping->n; i++) {
        const struct yaml_tree *key = mapping->key[i];
        char *name = memory_format("%s%s%s", section, *section ? "." : "", key->text);
        int row = row_for_key(reader, settings, prefix, use, name, key, filled);
        if (row >= 0 && settings->row[row].kind)
            settings_read_row(reader, settings, row, prefix, mapping->item[i], base,
                              filled);
        else if (row >= 0)
            read_section(reader, settings, prefix, name, use, mapping->item[i], base,
                         filled);
        free(name);
    }
}

void settings_read(const struct reader *reader, const struct settings *settings,
                   const char *prefix, unsigned use, const struct yaml_tree *mapping,
                   void *base, struct filled *filled)
{
    read_section(reader, settings, prefix, "", use, mapping, base, filled);
}

/* The default goes the way of every value: a default that is out of range is our own
 * mistake. */
static void read_default(const struct setting *setting, struct texts *texts, void *base)
{
    struct problems problems;
    problems_init(&problems);
    struct reader reader = {"default", false, &problems, texts};
    struct yaml_tree *node =
        yaml_tree_parse("default", setting->value, strlen(setting->value), &problems);
    if (!node || !setting->kind->read(&reader, setting, setting->name, node, base))
        BUG("default of '%s': %s", setting->name,
            problems.n ? problems.list[0].message : "unreadable");
    yaml_tree_free(node);
    problems_release(&problems);
}

void settings_examples(const struct settings *settings, struct texts *texts, void *base)
{
    for (int i = 0; i < settings->n; i++)
        if (settings->row[i].kind)
            read_default(&settings->row[i], texts, base);
}

/* Where the section of a missing setting stands: the innermost that was written. */
static struct place section_place(const struct settings *settings, const char *name,
                                  const struct filled *filled, struct place otherwise)
{
    char section[NAME_MAX_COMPARED + 1];
    snprintf(section, sizeof section, "%s", name);
    for (char *dot; (dot = strrchr(section, '.'));) {
        *dot = '\0';
        int row = settings_find(settings, section);
        if (row >= 0 && filled[row].key.file)
            return filled[row].key;
    }
    return otherwise;
}

bool settings_complete(const struct reader *reader, const struct settings *settings,
                       const char *prefix, unsigned use,
                       const struct yaml_tree *mapping, void *base,
                       struct filled *filled)
{
    bool complete = true;
    for (int i = 0; i < settings->n; i++) {
        const struct setting *setting = &settings->row[i];
        if (!setting->kind)
            continue;
        if (filled[i].state == SETTING_ABSENT && !setting->required) {
            read_default(setting, reader->texts, base);
            filled[i].state = SETTING_DEFAULT;
        } else if (filled[i].state == SETTING_ABSENT && (setting->use & use)) {
            char *expects = setting_expects(setting);
            problems_add(reader->problems,
                         section_place(settings, setting->name, filled,
                                       reader_place(reader, mapping)),
                         "%s%s: is missing, expected %s", prefix, setting->name,
                         expects);
            free(expects);
            complete = false;
        }
        complete &= filled[i].state != SETTING_BAD;
    }
    return complete;
}
