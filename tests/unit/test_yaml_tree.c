#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/yaml_tree.h"

static struct yaml_tree *parse(const char *text)
{
    struct problems problems;
    problems_init(&problems);
    struct yaml_tree *tree = yaml_tree_parse("f", text, strlen(text), &problems);
    assert_int_equal(problems.n, 0);
    assert_non_null(tree);
    problems_release(&problems);
    return tree;
}

/* Parses what must not be a tree; the first problem is `expected`. */
static void assert_refused(const char *text, size_t size, const char *expected)
{
    struct problems problems;
    problems_init(&problems);
    struct yaml_tree *tree = yaml_tree_parse("f", text, size, &problems);
    char *found = problems_text(&problems);
    assert_string_equal(found, expected);
    free(found);
    yaml_tree_free(tree);
    problems_release(&problems);
}

static void assert_place(const struct yaml_tree *node, int line, int column)
{
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void every_node_knows_its_line_and_column(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("# c\na: 1\nb:\n  - x\n  - {c: [y, z]}\n");
    assert_int_equal(tree->kind, YAML_TREE_MAPPING);
    assert_int_equal(tree->n, 2);
    assert_place(tree, 2, 1);
    assert_string_equal(tree->key[1]->text, "b");
    assert_place(tree->key[1], 3, 1);
    assert_place(tree->item[0], 2, 4);
    const struct yaml_tree *list = tree->item[1];
    assert_int_equal(list->kind, YAML_TREE_LIST);
    assert_place(list->item[0], 4, 5);
    const struct yaml_tree *inner = list->item[1]->item[0];
    assert_string_equal(inner->item[1]->text, "z");
    assert_place(inner->item[1], 5, 13);
    yaml_tree_free(tree);
}

static void columns_count_characters_and_not_bytes(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("{\xc3\xa4: 1, b: 2}");
    assert_place(tree->item[1], 1, 11);
    yaml_tree_free(tree);
}

static void quotes_are_told_from_plain_scalars(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("[1, '1', \"1\", '']");
    assert_true(tree->item[0]->plain);
    assert_false(tree->item[1]->plain);
    assert_false(tree->item[2]->plain);
    assert_false(yaml_tree_is_empty(tree->item[3]));
    yaml_tree_free(tree);
}

static void a_text_without_a_document_is_empty(void **state)
{
    (void)state;
    const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct yaml_tree *tree = parse(texts[i]);
        assert_true(yaml_tree_is_empty(tree));
        yaml_tree_free(tree);
    }
}

static void what_settings_do_not_need_is_refused_by_name(void **state)
{
    (void)state;
    const struct {
        const char *text, *problem;
    } refused[] = {
        {"a: &x 1", "f:1:4: anchor '&x' is not supported, write the value out\n"},
        {"a: *x", "f:1:4: alias '*x' is not supported, write the value out\n"},
        {"a: !!int 1", "f:1:4: tag 'tag:yaml.org,2002:int' is not supported, write the "
                       "value alone\n"},
        {"a: 1\n---\nb: 2", "f:2:1: a second document starts here, expected one\n"},
        {"[a]: 1", "f:1:1: expected a name before ':', found a list or mapping\n"},
        {"a: \"x\\0y\"", "f:1:4: a NUL character inside 'x'\n"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(refused[i].text, strlen(refused[i].text), refused[i].problem);
}

static void bytes_that_are_no_text_are_refused_where_they_stand(void **state)
{
    (void)state;
    assert_refused("a: 1\nb: \xff", 9,
                   "f:2:4: not YAML: invalid leading UTF-8 octet\n");
    assert_refused("a: \0", 4, "f:1:4: not YAML: control characters are not allowed\n");
}

/* 16 brackets are read; with one more the innermost scalar is at level 17. */
static void nesting_is_bounded(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]");
    yaml_tree_free(tree);
    const char deeper[] = "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]";
    assert_refused(deeper, strlen(deeper),
                   "f:1:18: nested deeper than 16 levels, which no setting is\n");
    static char deepest[100000];
    memset(deepest, '[', sizeof deepest);
    assert_refused(deepest, sizeof deepest,
                   "f:1:18: nested deeper than 16 levels, which no setting is\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_line_and_column),
        cmocka_unit_test(columns_count_characters_and_not_bytes),
        cmocka_unit_test(quotes_are_told_from_plain_scalars),
        cmocka_unit_test(a_text_without_a_document_is_empty),
        cmocka_unit_test(what_settings_do_not_need_is_refused_by_name),
        cmocka_unit_test(bytes_that_are_no_text_are_refused_where_they_stand),
        cmocka_unit_test(nesting_is_bounded),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
