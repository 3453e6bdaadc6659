#include "io/setting_kinds.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The text of a scalar, or NULL after a problem. */
static const char *scalar_text(const struct reader *reader,
                               const struct setting *setting, const char *shown,
                               const struct yaml_tree *node)
{
    if (node->kind == YAML_TREE_SCALAR && !yaml_tree_is_empty(node))
        return node->text;
    char *expects = setting_expects(setting);
    if (node->kind == YAML_TREE_SCALAR)
        reader_problem(reader, node, shown, "has no value, expected %s", expects);
    else
        reader_problem(reader, node, shown, "expected %s, found %s", expects,
                       node->kind == YAML_TREE_LIST ? "a list" : "settings");
    free(expects);
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
        char *expects = setting_expects(setting);
        reader_problem(reader, node, shown, "'%.60s' is not %s", text, expects);
        free(expects);
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

void setting_write_text(FILE *out, const char *text)
{
    bool plain = *text && strchr(LETTERS "/", text[0]) && !boolean_meant(text) &&
                 strcasecmp(text, "null") != 0 &&
                 !text[strspn(text, NAME_CHARACTERS "/")];
    if (plain) {
        fputs(text, out);
        return;
    }
    fputs("\"", out);
    for (; *text; text++)
        fprintf(out, strchr("\"\\", *text) ? "\\%c" : "%c", *text);
    fputs("\"", out);
}

static void write_text(FILE *out, const struct setting *setting, const void *base,
                       int depth)
{
    (void)depth;
    fputc(' ', out);
    setting_write_text(out, *(const char *const *)const_field(setting, base));
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
                          kind_word = {"one of", read_word, write_text},
                          kind_text = {"text", read_text, write_text},
                          kind_file_name = {"a file's base name", read_file_name,
                                            write_text},
                          kind_seed = {"an integer of up to 64 bits", read_seed,
                                       write_seed};
