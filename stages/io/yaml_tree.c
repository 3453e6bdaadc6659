#include "io/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"

struct parsing {
    yaml_parser_t parser;
    const char *file;
    const char *text;
    size_t size;
    struct problems *problems;
};

static struct place place_at(const struct parsing *parsing, const yaml_mark_t *mark)
{
    return (struct place){parsing->file, (int)mark->line + 1, (int)mark->column + 1};
}

/* libyaml gives bytes it cannot decode by offset only. */
static struct place place_of_offset(const struct parsing *parsing, size_t offset)
{
    struct place place = {parsing->file, 1, 1};
    for (size_t i = 0; i < offset && i < parsing->size; i++) {
        place.column++;
        if (parsing->text[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

static void add_syntax_problem(struct parsing *parsing)
{
    const yaml_parser_t *parser = &parsing->parser;
    const char *problem = parser->problem ? parser->problem : "unreadable";
    if (parser->error == YAML_MEMORY_ERROR)
        die("no memory to read '%s'", parsing->file);
    if (parser->error == YAML_READER_ERROR)
        problems_add(parsing->problems,
                     place_of_offset(parsing, parser->problem_offset), "not YAML: %s",
                     problem);
    else if (parser->context)
        problems_add(parsing->problems, place_at(parsing, &parser->problem_mark),
                     "not YAML: %s %s that starts at %d:%d", problem, parser->context,
                     (int)parser->context_mark.line + 1,
                     (int)parser->context_mark.column + 1);
    else
        problems_add(parsing->problems, place_at(parsing, &parser->problem_mark),
                     "not YAML: %s", problem);
}

static bool next_event(struct parsing *parsing, yaml_event_t *event)
{
    if (yaml_parser_parse(&parsing->parser, event))
        return true;
    add_syntax_problem(parsing);
    return false;
}

static void refuse_anchor_and_tag(struct parsing *parsing, const yaml_event_t *event,
                                  const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct place place = place_at(parsing, &event->start_mark);
    if (anchor)
        problems_add(parsing->problems, place,
                     "anchor '&%.60s' is not supported, write the value out",
                     (const char *)anchor);
    if (tag)
        problems_add(parsing->problems, place,
                     "tag '%.60s' is not supported, write the value alone",
                     (const char *)tag);
}

static struct yaml_tree *node_create(enum yaml_tree_kind kind, const yaml_mark_t *mark)
{
    struct yaml_tree *node = memory_zeroed(1, sizeof *node);
    node->kind = kind;
    node->line = (int)mark->line + 1;
    node->column = (int)mark->column + 1;
    return node;
}

static struct yaml_tree *read_scalar(struct parsing *parsing, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    refuse_anchor_and_tag(parsing, event, event->data.scalar.anchor,
                          event->data.scalar.tag);
    if (strlen(value) != event->data.scalar.length) {
        problems_add(parsing->problems, place_at(parsing, &event->start_mark),
                     "a NUL character inside '%.60s'", value);
        return NULL;
    }
    struct yaml_tree *node = node_create(YAML_TREE_SCALAR, &event->start_mark);
    node->text = memory_text_copy(value);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static struct yaml_tree *read_node(struct parsing *parsing, yaml_event_t *event,
                                   int depth);

/* Reads the node that starts with the next event, or NULL at the event `end`; *failed
 * tells the end from trouble. */
static struct yaml_tree *read_next(struct parsing *parsing, yaml_event_type_t end,
                                   int depth, bool *failed)
{
    yaml_event_t event;
    *failed = !next_event(parsing, &event);
    if (*failed)
        return NULL;
    if (event.type == end) {
        yaml_event_delete(&event);
        return NULL;
    }
    struct yaml_tree *node = read_node(parsing, &event, depth);
    *failed = node == NULL;
    return node;
}

/* The arrays grow at powers of two, where their room is used up. */
static void append(struct yaml_tree *node, struct yaml_tree *key,
                   struct yaml_tree *item)
{
    if ((node->n & (node->n - 1)) == 0) {
        size_t room = node->n ? 2 * (size_t)node->n : 1;
        if (node->kind == YAML_TREE_MAPPING)
            node->key = memory_resized(node->key, room, sizeof *node->key);
        node->item = memory_resized(node->item, room, sizeof *node->item);
    }
    if (node->kind == YAML_TREE_MAPPING)
        node->key[node->n] = key;
    node->item[node->n++] = item;
}

static struct yaml_tree *read_list(struct parsing *parsing, const yaml_event_t *event,
                                   int depth)
{
    struct yaml_tree *list = node_create(YAML_TREE_LIST, &event->start_mark), *item;
    bool failed;
    refuse_anchor_and_tag(parsing, event, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    while ((item = read_next(parsing, YAML_SEQUENCE_END_EVENT, depth, &failed)))
        append(list, NULL, item);
    if (!failed)
        return list;
    yaml_tree_free(list);
    return NULL;
}

static struct yaml_tree *read_mapping(struct parsing *parsing,
                                      const yaml_event_t *event, int depth)
{
    struct yaml_tree *mapping = node_create(YAML_TREE_MAPPING, &event->start_mark),
                     *key;
    bool failed;
    refuse_anchor_and_tag(parsing, event, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    while ((key = read_next(parsing, YAML_MAPPING_END_EVENT, depth, &failed))) {
        struct yaml_tree *item = NULL;
        if (key->kind == YAML_TREE_SCALAR)
            item = read_next(parsing, YAML_NO_EVENT, depth, &failed);
        else
            problems_add(parsing->problems,
                         (struct place){parsing->file, key->line, key->column},
                         "expected a name before ':', found a list or mapping");
        if (!item) {
            failed = true;
            yaml_tree_free(key);
            break;
        }
        append(mapping, key, item);
    }
    if (!failed)
        return mapping;
    yaml_tree_free(mapping);
    return NULL;
}

/* Consumes the event; NULL after a problem that leaves no tree. */
static struct yaml_tree *read_node(struct parsing *parsing, yaml_event_t *event,
                                   int depth)
{
    struct yaml_tree *node = NULL;
    struct place place = place_at(parsing, &event->start_mark);
    if (depth > YAML_TREE_DEPTH_MAX)
        problems_add(parsing->problems, place,
                     "nested deeper than %d levels, which no setting is",
                     YAML_TREE_DEPTH_MAX);
    else if (event->type == YAML_SCALAR_EVENT)
        node = read_scalar(parsing, event);
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        node = read_list(parsing, event, depth + 1);
    else if (event->type == YAML_MAPPING_START_EVENT)
        node = read_mapping(parsing, event, depth + 1);
    else if (event->type == YAML_ALIAS_EVENT)
        problems_add(parsing->problems, place,
                     "alias '*%.60s' is not supported, write the value out",
                     (const char *)event->data.alias.anchor);
    else
        BUG("libyaml's event %d where a node must start", (int)event->type);
    yaml_event_delete(event);
    return node;
}

/* The tree of a text without a document. */
static struct yaml_tree *empty_tree(void)
{
    yaml_mark_t start = {0};
    struct yaml_tree *tree = node_create(YAML_TREE_SCALAR, &start);
    tree->text = memory_text_copy("");
    tree->plain = true;
    return tree;
}

/* The node of the document that has just started, or NULL after a problem. */
static struct yaml_tree *read_document(struct parsing *parsing)
{
    yaml_event_t event;
    return next_event(parsing, &event) ? read_node(parsing, &event, 0) : NULL;
}

/* Stream start, [document start, node, document end], stream end. */
static struct yaml_tree *read_stream(struct parsing *parsing)
{
    struct yaml_tree *tree = NULL;
    yaml_event_t event;
    bool good = true, ended = false;
    while (good && !ended && (good = next_event(parsing, &event))) {
        struct place place = place_at(parsing, &event.start_mark);
        bool starts = event.type == YAML_DOCUMENT_START_EVENT;
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (starts && tree) {
            problems_add(parsing->problems, place,
                         "a second document starts here, expected one");
            good = false;
        } else if (starts) {
            tree = read_document(parsing);
            good = tree != NULL;
        }
    }
    if (good)
        return tree ? tree : empty_tree();
    yaml_tree_free(tree);
    return NULL;
}

struct yaml_tree *yaml_tree_parse(const char *file, const char *text, size_t size,
                                  struct problems *problems)
{
    struct parsing parsing = {
        .file = file, .text = text, .size = size, .problems = problems};
    if (!yaml_parser_initialize(&parsing.parser))
        die("no memory to read '%s'", file);
    yaml_parser_set_input_string(&parsing.parser, (const unsigned char *)text, size);
    struct yaml_tree *tree = read_stream(&parsing);
    yaml_parser_delete(&parsing.parser);
    return tree;
}

void yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return;
    for (int i = 0; i < tree->n; i++) {
        if (tree->kind == YAML_TREE_MAPPING)
            yaml_tree_free(tree->key[i]);
        yaml_tree_free(tree->item[i]);
    }
    free(tree->key);
    free(tree->item);
    free(tree->text);
    free(tree);
}

bool yaml_tree_is_empty(const struct yaml_tree *tree)
{
    return tree->kind == YAML_TREE_SCALAR && tree->plain && tree->text[0] == '\0';
}
