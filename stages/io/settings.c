#include "io/settings.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *const setting_stages[SETTING_STAGES + 1] = {"prepare", "warmup", "greedy",
                                                        "search", NULL};
_Static_assert(USE_ALL == (1 << SETTING_STAGES) - 1, "a name for every stage's bit");

unsigned setting_use(const char *stage)
{
    for (int i = 0; i < SETTING_STAGES; i++)
        if (strcmp(stage, setting_stages[i]) == 0)
            return 1u << i;
    return 0;
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

/* --- Kinds of values ------------------------------------------------------------- */

/* The text of a scalar, or NULL after a problem. */
static const char *scalar_text(const struct reader *reader,
                               const struct setting *setting, const char *shown,
                               const struct yaml_tree *node)
{
    const char *expects = setting->kind->expects;
    if (node->kind == YAML_TREE_LIST)
        reader_problem(reader, node, shown, "expected %s, found a list", expects);
    else if (node->kind == YAML_TREE_MAPPING)
        reader_problem(reader, node, shown, "expected %s, found settings", expects);
    else if (yaml_tree_is_empty(node))
        reader_problem(reader, node, shown, "has no value, expected %s", expects);
    else
        return node->text;
    return NULL;
}

/* The same, but quotes make a text of a value that is not meant as one. */
static const char *plain_text(const struct reader *reader,
                              const struct setting *setting, const char *shown,
                              const struct yaml_tree *node)
{
    const char *text = scalar_text(reader, setting, shown, node);
    if (!text || node->plain)
        return text;
    reader_problem(reader, node, shown, "'%.60s' in quotes is text, expected %s", text,
                   setting->kind->expects);
    return NULL;
}

static bool in_range(const struct reader *reader, const struct setting *setting,
                     const char *shown, const struct yaml_tree *node, double value)
{
    char least[SETTING_NUMBER_SIZE], most[SETTING_NUMBER_SIZE];
    if (value >= setting->least && value <= setting->most)
        return true;
    setting_number_text(setting->least, least);
    setting_number_text(setting->most, most);
    reader_problem(reader, node, shown, "%.60s is out of range, expected %s to %s",
                   node->text, least, most);
    return false;
}

/* A decimal integer, without the leading zeros that some read as octal. */
static bool is_integer(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    if (text[0] == '0' && text[1] != '\0')
        return false;
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* YAML 1.2's numbers: digits with a point and an exponent where wanted. */
static bool is_number(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    size_t whole = strspn(text, "0123456789"), part = 0;
    text += whole;
    if (*text == '.') {
        part = strspn(++text, "0123456789");
        text += part;
    }
    if (whole + part == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

static void *field(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

static const void *const_field(const struct setting *setting, const void *base)
{
    return (const char *)base + setting->offset;
}

static bool read_integer(const struct reader *reader, const struct setting *setting,
                         const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = plain_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!is_integer(text)) {
        reader_problem(reader, node, shown, "'%.60s' is not an integer", text);
        return false;
    }
    double value = strtod(text, NULL);
    if (!in_range(reader, setting, shown, node, value))
        return false;
    *(int *)field(setting, base) = (int)value;
    return true;
}

static void write_integer(FILE *out, const struct setting *setting, const void *base,
                          int depth)
{
    (void)depth;
    fprintf(out, " %d", *(const int *)const_field(setting, base));
}

static bool read_kernel(const struct reader *reader, const struct setting *setting,
                        const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = plain_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (strlen(text) != 1 || !strchr("357", text[0])) {
        reader_problem(reader, node, shown, "'%.60s' is not %s", text,
                       setting->kind->expects);
        return false;
    }
    *(int *)field(setting, base) = text[0] - '0';
    return true;
}

static bool read_number(const struct reader *reader, const struct setting *setting,
                        const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = plain_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!is_number(text)) {
        reader_problem(reader, node, shown, "'%.60s' is not a number", text);
        return false;
    }
    double value = strtod(text, NULL);
    if (!in_range(reader, setting, shown, node, value))
        return false;
    *(double *)field(setting, base) = value + 0.0; /* no negative zero */
    return true;
}

void setting_number_text(double value, char text[SETTING_NUMBER_SIZE])
{
    if (value == floor(value) && fabs(value) < 1e15) {
        snprintf(text, SETTING_NUMBER_SIZE, "%.0f", value);
        return;
    }
    int digits = 1;
    do
        snprintf(text, SETTING_NUMBER_SIZE, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    /* YAML 1.1, which PyYAML reads, takes 4e-05 for a word but 4.0e-05 for a number. */
    char *exponent = strchr(text, 'e');
    if (exponent && !strchr(text, '.')) {
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
    }
}

static void write_number(FILE *out, const struct setting *setting, const void *base,
                         int depth)
{
    char text[SETTING_NUMBER_SIZE];
    (void)depth;
    setting_number_text(*(const double *)const_field(setting, base), text);
    fprintf(out, " %s", text);
}

/* YAML 1.1's other words for it, so that the message can say what to write. */
static const char *boolean_meant(const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "y"};
    static const char *const no[] = {"false", "no", "off", "n"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(text, yes[i]) == 0)
            return "true";
        if (strcasecmp(text, no[i]) == 0)
            return "false";
    }
    return NULL;
}

static bool read_boolean(const struct reader *reader, const struct setting *setting,
                         const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = plain_text(reader, setting, shown, node);
    if (!text)
        return false;
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        const char *meant = boolean_meant(text);
        if (meant)
            reader_problem(reader, node, shown, "'%s' is not true or false, write %s",
                           text, meant);
        else
            reader_problem(reader, node, shown, "'%.60s' is not true or false", text);
        return false;
    }
    *(bool *)field(setting, base) = is_true;
    return true;
}

static void write_boolean(FILE *out, const struct setting *setting, const void *base,
                          int depth)
{
    (void)depth;
    fprintf(out, " %s", *(const bool *)const_field(setting, base) ? "true" : "false");
}

static bool word_listed(const char *words, const char *text)
{
    size_t length = strlen(text);
    if (length == 0)
        return words[0] == ' ';
    for (const char *word = words; *word; word += strcspn(word, " ")) {
        word += strspn(word, " ");
        if (strcspn(word, " ") == length && strncmp(word, text, length) == 0)
            return true;
    }
    return false;
}

static bool read_word(const struct reader *reader, const struct setting *setting,
                      const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = scalar_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!word_listed(setting->words, text)) {
        reader_problem(reader, node, shown, "'%.60s' is not one of: %s%s", text,
                       setting->words[0] == ' ' ? "\"\"" : "", setting->words);
        return false;
    }
    *(const char **)field(setting, base) = texts_keep(reader->texts, text);
    return true;
}

/* Characters that YAML would fold, or a terminal obey: C0 and C1 controls, line and
 * paragraph separators, the byte-order mark. */
static bool has_unprintable(const char *text)
{
    static const char *const separators[] = {"\xe2\x80\xa8", "\xe2\x80\xa9",
                                             "\xef\xbb\xbf"};
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
            return true;
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++)
        if (strstr(text, separators[i]))
            return true;
    return false;
}

static bool read_text(const struct reader *reader, const struct setting *setting,
                      const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = scalar_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!*text || has_unprintable(text)) {
        reader_problem(reader, node, shown, "'%.60s' %s, expected %s", text,
                       *text ? "has a control character" : "is empty",
                       setting->kind->expects);
        return false;
    }
    *(const char **)field(setting, base) = texts_keep(reader->texts, text);
    return true;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_CHARACTERS LETTERS "0123456789._-"

static bool read_file_name(const struct reader *reader, const struct setting *setting,
                           const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = scalar_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!strchr(NAME_CHARACTERS, text[0]) || strchr(".-", text[0]) ||
        text[strspn(text, NAME_CHARACTERS)]) {
        reader_problem(reader, node, shown,
                       "'%.60s' is not a file's base name: letters, digits and '._-'",
                       text);
        return false;
    }
    return read_text(reader, setting, shown, node, base);
}

/* Plain where every YAML reader takes it for text, else in quotes. */
static void write_text(FILE *out, const struct setting *setting, const void *base,
                       int depth)
{
    const char *text = *(const char *const *)const_field(setting, base);
    (void)depth;
    bool plain = *text && strchr(LETTERS "/", text[0]) && !boolean_meant(text) &&
                 strcasecmp(text, "null") != 0 &&
                 !text[strspn(text, NAME_CHARACTERS "/")];
    if (plain) {
        fprintf(out, " %s", text);
        return;
    }
    fputs(" \"", out);
    for (; *text; text++)
        fprintf(out, strchr("\"\\", *text) ? "\\%c" : "%c", *text);
    fputs("\"", out);
}

static bool read_seed(const struct reader *reader, const struct setting *setting,
                      const char *shown, const struct yaml_tree *node, void *base)
{
    const char *text = plain_text(reader, setting, shown, node);
    if (!text)
        return false;
    if (!is_integer(text)) {
        reader_problem(reader, node, shown, "'%.60s' is not an integer", text);
        return false;
    }
    errno = 0;
    uint64_t value = strtoull(text, NULL, 10);
    if (errno || text[0] == '-') {
        reader_problem(reader, node, shown, "%.60s is out of range, expected 0 to %llu",
                       text, (unsigned long long)UINT64_MAX);
        return false;
    }
    *(uint64_t *)field(setting, base) = value;
    return true;
}

static void write_seed(FILE *out, const struct setting *setting, const void *base,
                       int depth)
{
    (void)depth;
    fprintf(out, " %llu",
            (unsigned long long)*(const uint64_t *)const_field(setting, base));
}

const struct setting_kind kind_integer = {"an integer", read_integer, write_integer},
                          kind_kernel = {"a kernel size: 3, 5 or 7", read_kernel,
                                         write_integer},
                          kind_number = {"a number", read_number, write_number},
                          kind_boolean = {"true or false", read_boolean, write_boolean},
                          kind_word = {"a word", read_word, write_text},
                          kind_text = {"text", read_text, write_text},
                          kind_file_name = {"a file's base name", read_file_name,
                                            write_text},
                          kind_seed = {"an integer of up to 64 bits", read_seed,
                                       write_seed};

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
        return NAME_MAX_COMPARED;
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

/* Several, joined by blanks: "warmup greedy". */
static void stage_names(unsigned use, char text[64])
{
    text[0] = '\0';
    for (int i = 0; i < SETTING_STAGES; i++)
        if (use & (1u << i)) {
            strcat(text, *text ? " " : "");
            strcat(text, setting_stages[i]);
        }
}

/* A row that may be read from this key, or -1 after a problem. */
static int row_for_key(const struct reader *reader, const struct settings *settings,
                       const char *prefix, unsigned use, const char *name,
                       const struct yaml_tree *key, struct filled *filled)
{
    int row = settings_find(settings, name);
    char stages[64];
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
        stage_names(use, stages);
        problems_add(reader->problems, reader_place(reader, key),
                     "setting '%s%s' is not one that %s uses", prefix, name, stages);
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

/* `section` is the dotted name of the mapping, "" at the root. */
static void read_section(const struct reader *reader, const struct settings *settings,
                         const char *prefix, const char *section, unsigned use,
                         const struct yaml_tree *mapping, void *base,
                         struct filled *filled)
{
    if (yaml_tree_is_empty(mapping))
        return;
    if (mapping->kind != YAML_TREE_MAPPING) {
        bool list = mapping->kind == YAML_TREE_LIST;
        char *shown = memory_format("%s%s", prefix, section);
        size_t length = strlen(shown);
        if (length && shown[length - 1] == '.')
            shown[length - 1] = '\0';
        reader_problem(reader, mapping, *shown ? shown : "the file",
                       "expected settings (name: value), found %s%.60s%s",
                       list ? "a list" : "'", list ? "" : mapping->text,
                       list ? "" : "'");
        free(shown);
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
            problems_add(reader->problems,
                         section_place(settings, setting->name, filled,
                                       reader_place(reader, mapping)),
                         "%s%s: is missing, expected %s", prefix, setting->name,
                         setting->kind->expects);
            complete = false;
        }
        complete &= filled[i].state != SETTING_BAD;
    }
    return complete;
}
