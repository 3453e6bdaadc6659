#include "io/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/setting_kinds.h"

bool list_check(const struct reader *reader, const struct setting *setting,
                const char *shown, const struct yaml_tree *node, int least, int most)
{
    if (node->kind != YAML_TREE_LIST) {
        const char *expects = setting->kind->expects;
        if (yaml_tree_is_empty(node))
            reader_problem(reader, node, shown, "has no value, expected %s", expects);
        else if (node->kind == YAML_TREE_MAPPING)
            reader_problem(reader, node, shown, "expected %s, found settings", expects);
        else
            reader_problem(reader, node, shown, "expected %s, found '%.60s'", expects,
                           node->text);
        return false;
    }
    if (node->n >= least && node->n <= most)
        return true;
    if (least == most)
        reader_problem(reader, node, shown, "has %d items, expected %d", node->n,
                       least);
    else
        reader_problem(reader, node, shown, "has %d items, expected %d to %d", node->n,
                       least, most);
    return false;
}

char *list_item_name(const char *shown, int i)
{
    return memory_format("%s[%d]", shown, i);
}

static bool read_texts(const struct reader *reader, const struct setting *setting,
                       const char *shown, const struct yaml_tree *node, void *base)
{
    static const struct setting element = {.kind = &kind_text};
    struct text_list *list = (struct text_list *)((char *)base + setting->offset);
    bool good = list_check(reader, setting, shown, node, 1, CONFIG_LIST_MAX);
    list->n = 0;
    for (int i = 0; good && i < node->n; i++) {
        const char **text = &list->text[i];
        char *name = list_item_name(shown, i);
        good = kind_text.read(reader, &element, name, node->item[i], text);
        for (int j = 0; good && j < i; j++)
            if (strcmp(list->text[j], *text) == 0) {
                reader_problem(reader, node->item[i], name,
                               "'%.60s' is there twice, first as item %d", *text, j);
                good = false;
            }
        list->n += good;
        free(name);
    }
    return good;
}

static void write_texts(FILE *out, const struct setting *setting, const void *base,
                        int depth)
{
    const struct text_list *list =
        (const struct text_list *)((const char *)base + setting->offset);
    (void)depth;
    for (int i = 0; i < list->n; i++) {
        fputs(i ? ", " : " [", out);
        setting_write_text(out, list->text[i]);
    }
    fputs("]", out);
}

const struct setting_kind kind_texts = {"a list of texts", read_texts, write_texts};

static bool read_counts(const struct reader *reader, const struct setting *setting,
                        const char *shown, const struct yaml_tree *node, void *base)
{
    const struct setting element = {
        .kind = &kind_integer, .least = setting->least, .most = setting->most};
    struct count_list *list = (struct count_list *)((char *)base + setting->offset);
    bool good = list_check(reader, setting, shown, node, 1, CONFIG_LIST_MAX);
    list->n = 0;
    for (int i = 0; good && i < node->n; i++) {
        int *count = &list->count[i];
        char *name = list_item_name(shown, i);
        good = kind_integer.read(reader, &element, name, node->item[i], count);
        if (good && i > 0 && *count <= count[-1]) {
            reader_problem(reader, node->item[i], name,
                           "%d is not more than the one before (%d)", *count,
                           count[-1]);
            good = false;
        }
        list->n += good;
        free(name);
    }
    return good;
}

static void write_counts(FILE *out, const struct setting *setting, const void *base,
                         int depth)
{
    const struct count_list *list =
        (const struct count_list *)((const char *)base + setting->offset);
    (void)depth;
    for (int i = 0; i < list->n; i++)
        fprintf(out, "%s%d", i ? ", " : " [", list->count[i]);
    fputs("]", out);
}

const struct setting_kind kind_counts = {"a list of rising integers", read_counts,
                                         write_counts};
