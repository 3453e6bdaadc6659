#include "io/space_lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/config.h"
#include "io/lists.h"
#include "io/setting_kinds.h"

enum { EXPANSION_MAX = 32, CHANNELS_MAX = 65536 };

static struct space_config *space_of(const struct setting *setting, void *base)
{
    return (struct space_config *)((char *)base + setting->offset);
}

static const struct space_config *const_space_of(const struct setting *setting,
                                                 const void *base)
{
    return (const struct space_config *)((const char *)base + setting->offset);
}

/* --- input ------------------------------------------------------------------------ */

static const struct setting extent = {
    .name = "extent", .kind = &kind_integer, .least = 1, .most = 8192};

static bool read_input(const struct reader *reader, const struct setting *setting,
                       const char *shown, const struct yaml_tree *node, void *base)
{
    int *input = space_of(setting, base)->input;
    bool good = list_check(reader, setting, shown, node, 3, 3);
    for (int i = 0; good && i < 3; i++) {
        char *name = list_item_name(shown, i);
        good = kind_integer.read(reader, &extent, name, node->item[i], &input[i]);
        free(name);
    }
    return good;
}

static void write_input(FILE *out, const struct setting *setting, const void *base,
                        int depth)
{
    const int *input = const_space_of(setting, base)->input;
    (void)depth;
    fprintf(out, " [%d, %d, %d]", input[0], input[1], input[2]);
}

/* --- fixed blocks and stages: lists of small mappings ------------------------------
 */

static bool is_named_token(const char *text)
{
    static const char *const names[] = {"id", "shuffle3", "shuffle5", "shuffle7",
                                        "xception"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

static bool is_token(const char *text)
{
    char canonical[CONFIG_TOKEN_SIZE];
    int kernel, expansion, end = 0;
    if (is_named_token(text))
        return true;
    if (sscanf(text, "k%1de%2d%n", &kernel, &expansion, &end) != 2)
        return false;
    bool squeeze_excite = text[end] == 's';
    if (kernel != 3 && kernel != 5 && kernel != 7)
        return false;
    if (expansion < 1 || expansion > EXPANSION_MAX)
        return false;
    /* Written back, it must be the same: no signs, blanks or leading zeros. */
    snprintf(canonical, sizeof canonical, "k%de%d%s", kernel, expansion,
             squeeze_excite ? "s" : "");
    return strcmp(text, canonical) == 0;
}

static bool read_token(const struct reader *reader, const struct setting *setting,
                       const char *shown, const struct yaml_tree *node, void *base)
{
    char *token = (char *)base + setting->offset;
    if (node->kind != YAML_TREE_SCALAR || !is_token(node->text)) {
        reader_problem(
            reader, node, shown,
            "'%.60s' is not an operation, expected k3e6 (kernel 3, 5 or 7, "
            "expansion 1 to %d), k3e6s (with squeeze-and-excitation), shuffle3 "
            "(3, 5 or 7), xception or id",
            node->kind == YAML_TREE_SCALAR ? node->text : "(a list)", EXPANSION_MAX);
        return false;
    }
    snprintf(token, CONFIG_TOKEN_SIZE, "%s", node->text);
    return true;
}

static void write_token(FILE *out, const struct setting *setting, const void *base,
                        int depth)
{
    (void)depth;
    fprintf(out, " %s", (const char *)base + setting->offset);
}

static const struct setting_kind kind_token = {"an operation such as k3e6", read_token,
                                               write_token};

#define ITEM_INTEGER(type, field, fallback, needed, from, to)                          \
    {                                                                                  \
        .name = #field, .kind = &kind_integer, .offset = offsetof(struct type, field), \
        .value = fallback, .required = needed, .least = from, .most = to,              \
        .use = USE_ALL                                                                 \
    }

enum { FIXED_ROWS = 5, STAGE_ROWS = 3 };

static const struct setting fixed_rows[FIXED_ROWS] = {
    {.name = "op",
     .kind = &kind_token,
     .offset = offsetof(struct fixed_config, op),
     .required = true,
     .use = USE_ALL},
    ITEM_INTEGER(fixed_config, channels, NULL, true, 1, CHANNELS_MAX),
    ITEM_INTEGER(fixed_config, repeat, "1", false, 1, CONFIG_LAYERS_MAX),
    ITEM_INTEGER(fixed_config, stride, "1", false, 1, 2),
    {.name = "activation",
     .kind = &kind_word,
     .offset = offsetof(struct fixed_config, activation),
     .value = "\"\"",
     .words = " relu relu6 hswish swish",
     .use = USE_ALL},
};
static const struct settings fixed_settings = {fixed_rows, FIXED_ROWS};

static const struct setting stage_rows[STAGE_ROWS] = {
    ITEM_INTEGER(space_stage_config, channels, NULL, true, 1, CHANNELS_MAX),
    ITEM_INTEGER(space_stage_config, repeat, "1", false, 1, CONFIG_LAYERS_MAX),
    ITEM_INTEGER(space_stage_config, stride, "1", false, 1, 2),
};
static const struct settings stage_settings = {stage_rows, STAGE_ROWS};

/* Reads item after item into an array of structs of `size` bytes. */
static bool read_items(const struct reader *reader, const struct settings *settings,
                       const char *shown, const struct yaml_tree *list, void *items,
                       size_t size)
{
    bool good = true;
    for (int i = 0; i < list->n; i++) {
        struct filled filled[FIXED_ROWS] = {0};
        char *prefix = memory_format("%s[%d].", shown, i);
        void *item = (char *)items + (size_t)i * size;
        int before = reader->problems->n;
        settings_read(reader, settings, prefix, USE_ALL, list->item[i], item, filled);
        /* Not a mapping at all: one problem is enough. */
        if (list->item[i]->kind == YAML_TREE_MAPPING ||
            yaml_tree_is_empty(list->item[i]))
            settings_complete(reader, settings, prefix, USE_ALL, list->item[i], item,
                              filled);
        good &= reader->problems->n == before;
        free(prefix);
    }
    return good;
}

static void write_items(FILE *out, const struct settings *settings, const void *items,
                        size_t size, int n, int depth)
{
    if (n == 0)
        fputs(" []", out);
    for (int i = 0; i < n; i++) {
        const void *item = (const char *)items + (size_t)i * size;
        fprintf(out, "\n%*s- {", 2 * (depth + 1), "");
        for (int row = 0; row < settings->n; row++) {
            fprintf(out, "%s%s:", row ? ", " : "", settings->row[row].name);
            settings->row[row].kind->write(out, &settings->row[row], item, depth);
        }
        fputs("}", out);
    }
}

static bool read_fixed(const struct reader *reader, const struct setting *setting,
                       const char *shown, const struct yaml_tree *node, void *base)
{
    struct space_config *space = space_of(setting, base);
    if (!list_check(reader, setting, shown, node, 0, CONFIG_FIXED_MAX))
        return false;
    memset(space->fixed, 0, sizeof space->fixed);
    space->n_fixed = node->n;
    return read_items(reader, &fixed_settings, shown, node, space->fixed,
                      sizeof space->fixed[0]);
}

static void write_fixed(FILE *out, const struct setting *setting, const void *base,
                        int depth)
{
    const struct space_config *space = const_space_of(setting, base);
    write_items(out, &fixed_settings, space->fixed, sizeof space->fixed[0],
                space->n_fixed, depth);
}

static bool read_stages(const struct reader *reader, const struct setting *setting,
                        const char *shown, const struct yaml_tree *node, void *base)
{
    struct space_config *space = space_of(setting, base);
    if (!list_check(reader, setting, shown, node, 1, CONFIG_SPACE_STAGES_MAX))
        return false;
    memset(space->stages, 0, sizeof space->stages);
    space->n_stages = node->n;
    return read_items(reader, &stage_settings, shown, node, space->stages,
                      sizeof space->stages[0]);
}

static void write_stages(FILE *out, const struct setting *setting, const void *base,
                         int depth)
{
    const struct space_config *space = const_space_of(setting, base);
    write_items(out, &stage_settings, space->stages, sizeof space->stages[0],
                space->n_stages, depth);
}

/* --- choices: tokens, or {kernels, expansions, squeeze_excite, identity} ------------
 */

struct integers {
    int n, value[CONFIG_LIST_MAX];
};

struct factors {
    struct integers kernels, expansions, squeeze_excite;
    bool identity;
};

/* Distinct values, each read by `element` as an int (or a bool). */
static bool read_distinct(const struct reader *reader, const struct setting *setting,
                          const struct setting *element, const char *shown,
                          const struct yaml_tree *node, void *base)
{
    struct integers *list = (struct integers *)((char *)base + setting->offset);
    bool good = list_check(reader, setting, shown, node, 1, CONFIG_LIST_MAX);
    list->n = 0;
    for (int i = 0; good && i < node->n; i++) {
        union {
            int number;
            bool truth;
        } value = {0};
        char *name = list_item_name(shown, i);
        good = element->kind->read(reader, element, name, node->item[i], &value);
        list->value[list->n] =
            element->kind == &kind_boolean ? value.truth : value.number;
        for (int j = 0; good && j < list->n; j++)
            if (list->value[j] == list->value[list->n]) {
                reader_problem(reader, node->item[i], name,
                               "'%.60s' is there twice, first as item %d",
                               node->item[i]->text, j);
                good = false;
            }
        list->n++;
        free(name);
    }
    return good;
}

static bool read_kernels(const struct reader *reader, const struct setting *setting,
                         const char *shown, const struct yaml_tree *node, void *base)
{
    static const struct setting kernel = {.kind = &kind_kernel};
    return read_distinct(reader, setting, &kernel, shown, node, base);
}

static bool read_expansions(const struct reader *reader, const struct setting *setting,
                            const char *shown, const struct yaml_tree *node, void *base)
{
    static const struct setting expansion = {
        .kind = &kind_integer, .least = 1, .most = EXPANSION_MAX};
    return read_distinct(reader, setting, &expansion, shown, node, base);
}

static bool read_switches(const struct reader *reader, const struct setting *setting,
                          const char *shown, const struct yaml_tree *node, void *base)
{
    static const struct setting with_or_without = {.kind = &kind_boolean};
    return read_distinct(reader, setting, &with_or_without, shown, node, base);
}

/* Written as tokens always, so these are only read. */
static const struct setting_kind kind_kernels = {"a list of kernel sizes", read_kernels,
                                                 NULL},
                                 kind_expansions = {"a list of expansions",
                                                    read_expansions, NULL},
                                 kind_switches = {"a list of true or false",
                                                  read_switches, NULL};

#define FACTOR(field, its_kind, fallback, needed)                                      \
    {                                                                                  \
        .name = #field, .kind = its_kind, .offset = offsetof(struct factors, field),   \
        .value = fallback, .required = needed, .use = USE_ALL                          \
    }

enum { FACTOR_ROWS = 4 };
static const struct setting factor_rows[FACTOR_ROWS] = {
    FACTOR(kernels, &kind_kernels, NULL, true),
    FACTOR(expansions, &kind_expansions, NULL, true),
    FACTOR(squeeze_excite, &kind_switches, "[false]", false),
    FACTOR(identity, &kind_boolean, "true", false),
};
static const struct settings factor_settings = {factor_rows, FACTOR_ROWS};

static void multiply(const struct factors *factors, struct space_config *space)
{
    int n = 0;
    for (int s = 0; s < factors->squeeze_excite.n; s++)
        for (int k = 0; k < factors->kernels.n; k++)
            for (int e = 0; e < factors->expansions.n; e++)
                snprintf(space->choices[n++], CONFIG_TOKEN_SIZE, "k%de%d%s",
                         factors->kernels.value[k], factors->expansions.value[e],
                         factors->squeeze_excite.value[s] ? "s" : "");
    if (factors->identity)
        snprintf(space->choices[n++], CONFIG_TOKEN_SIZE, "id");
    space->n_choices = n;
}

static bool read_factors(const struct reader *reader, const char *shown,
                         const struct yaml_tree *node, struct space_config *space)
{
    struct filled filled[FACTOR_ROWS] = {0};
    struct factors factors = {0};
    char *prefix = memory_format("%s.", shown);
    int before = reader->problems->n;
    settings_read(reader, &factor_settings, prefix, USE_ALL, node, &factors, filled);
    settings_complete(reader, &factor_settings, prefix, USE_ALL, node, &factors,
                      filled);
    free(prefix);
    if (reader->problems->n > before)
        return false;
    int n = factors.kernels.n * factors.expansions.n * factors.squeeze_excite.n +
            factors.identity;
    if (n > CONFIG_CHOICES_MAX) {
        reader_problem(reader, node, shown, "makes %d choices, expected at most %d", n,
                       CONFIG_CHOICES_MAX);
        return false;
    }
    multiply(&factors, space);
    return true;
}

static bool read_tokens(const struct reader *reader, const char *shown,
                        const struct yaml_tree *node, struct space_config *space)
{
    bool good = true;
    for (int i = 0; i < node->n; i++) {
        char *name = list_item_name(shown, i);
        static const struct setting token = {.kind = &kind_token};
        bool is_good =
            kind_token.read(reader, &token, name, node->item[i], space->choices[i]);
        for (int j = 0; is_good && j < i; j++)
            if (strcmp(space->choices[j], space->choices[i]) == 0) {
                reader_problem(reader, node->item[i], name,
                               "'%s' is there twice, first as item %d",
                               space->choices[i], j);
                is_good = false;
            }
        good &= is_good;
        free(name);
    }
    space->n_choices = node->n;
    return good;
}

static bool read_choices(const struct reader *reader, const struct setting *setting,
                         const char *shown, const struct yaml_tree *node, void *base)
{
    struct space_config *space = space_of(setting, base);
    memset(space->choices, 0, sizeof space->choices);
    if (node->kind == YAML_TREE_MAPPING)
        return read_factors(reader, shown, node, space);
    return list_check(reader, setting, shown, node, 1, CONFIG_CHOICES_MAX) &&
           read_tokens(reader, shown, node, space);
}

static void write_choices(FILE *out, const struct setting *setting, const void *base,
                          int depth)
{
    const struct space_config *space = const_space_of(setting, base);
    (void)depth;
    fputs(" [", out);
    for (int i = 0; i < space->n_choices; i++)
        fprintf(out, "%s%s", i ? ", " : "", space->choices[i]);
    fputs("]", out);
}

const struct setting_kind
    kind_input = {"a list [height, width, channels]", read_input, write_input},
    kind_fixed = {"a list of {op, channels, repeat, stride, activation}", read_fixed,
                  write_fixed},
    kind_stages = {"a list of {channels, repeat, stride}", read_stages, write_stages},
    kind_choices = {"a list of operations, or {kernels, "
                    "expansions, squeeze_excite, identity}",
                    read_choices, write_choices};
