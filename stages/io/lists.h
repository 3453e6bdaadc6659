/*
 * lists.h - settings that are lists of plain values, and what every kind of list asks
 * of its YAML.
 */
#ifndef IO_LISTS_H
#define IO_LISTS_H

#include "io/config.h"
#include "io/settings.h"

/* struct text_list: 1 to CONFIG_LIST_MAX distinct texts, none empty. */
extern const struct setting_kind kind_texts;
/* struct count_list: 1 to CONFIG_LIST_MAX integers of the row's range, rising. */
extern const struct setting_kind kind_counts;

/* A list of least to most items, or a problem. */
bool list_check(const struct reader *reader, const struct setting *setting,
                const char *shown, const struct yaml_tree *node, int least, int most);
/* "space.choices[3]"; the caller frees. */
char *list_item_name(const char *shown, int i);

#endif
