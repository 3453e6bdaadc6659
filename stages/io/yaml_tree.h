/*
 * yaml_tree.h - a YAML document as a tree in which every node knows its line and
 * column.
 *
 * The part of YAML that settings need: one document of scalars, lists and mappings with
 * scalar keys. Anchors, aliases, tags and further documents are refused by name. Built
 * on libyaml's events, which carry the places; nesting is bounded.
 */
#ifndef IO_YAML_TREE_H
#define IO_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/problems.h"

enum { YAML_TREE_DEPTH_MAX = 16 };

enum yaml_tree_kind { YAML_TREE_SCALAR, YAML_TREE_LIST, YAML_TREE_MAPPING };

struct yaml_tree {
    enum yaml_tree_kind kind;
    int line, column;       /* from 1 */
    char *text;             /* of a scalar; never NULL there */
    bool plain;             /* a scalar without quotes */
    int n;                  /* items of a list or mapping */
    struct yaml_tree **key; /* of a mapping: scalars, as written, duplicates included */
    struct yaml_tree **item;
};

/*
 * Parses `size` bytes. Problems are added under the name `file`; NULL if they leave no
 * tree. A text without a document is a plain empty scalar.
 */
struct yaml_tree *yaml_tree_parse(const char *file, const char *text, size_t size,
                                  struct problems *problems);
void yaml_tree_free(struct yaml_tree *tree); /* NULL is allowed */

/* Nothing written: `name:` and no more. */
bool yaml_tree_is_empty(const struct yaml_tree *tree);

#endif
