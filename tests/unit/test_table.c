#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "paper/table.h"
#include "unit/scratch.h"

static char *written(const struct table *table, enum table_format format)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    table_write(table, format, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_written(const struct table *table, enum table_format format,
                           const char *expected)
{
    char *text = written(table, format);
    assert_string_equal(text, expected);
    free(text);
}

/* One cell of each kind. */
static struct table *every_kind(void)
{
    struct table *table = table_create("table9", "Table 9: kinds");
    table_column(table, TABLE_LEFT, "name");
    table_column(table, TABLE_RIGHT, "value");
    table_row(table);
    table_text(table, "%s", "number");
    table_number(table, 1.0 / 3, 2);
    table_row(table);
    table_text(table, "%s", "interval");
    table_interval(table, 0.5, 0.25, 0.75, 1);
    table_row(table);
    table_text(table, "%s", "count");
    table_count(table, 1281167);
    table_row(table);
    table_check(table, true);
    table_check(table, false);
    table_row(table);
    table_missing(table, "make uniform");
    table_unknown(table);
    table_caption(table, "What it is.");
    return table;
}

static void markdown_rounds_and_aligns(void **state)
{
    (void)state;
    struct table *table = every_kind();
    assert_written(table, TABLE_MARKDOWN,
                   "### Table 9: kinds\n\n"
                   "| name | value |\n"
                   "| --- | ---: |\n"
                   "| number | 0.33 |\n"
                   "| interval | 0.5 [0.2, 0.8] |\n"
                   "| count | 1,281,167 |\n"
                   "| ✓ |  |\n"
                   "| missing: make uniform | – |\n"
                   "\nWhat it is.\n");
    table_free(table);
}

static void csv_has_numbers_in_full(void **state)
{
    (void)state;
    struct table *table = every_kind();
    assert_written(table, TABLE_CSV,
                   "name,value,value low,value high\n"
                   "number,0.333333333,,\n"
                   "interval,0.5,0.25,0.75\n"
                   "count,1281167,,\n"
                   "yes,no,,\n"
                   "missing: make uniform,,,\n");
    table_free(table);
}

static void latex_numbers_its_tables_itself(void **state)
{
    (void)state;
    struct table *table = every_kind();
    char *text = written(table, TABLE_LATEX);
    assert_non_null(strstr(text, "\\begin{tabular}{lr}\n"));
    assert_non_null(strstr(text, "count & 1,281,167 \\\\\n"));
    assert_non_null(strstr(text, "$\\checkmark$ &  \\\\\n"));
    assert_non_null(strstr(text, "\\caption{kinds. What it is.}\n\\label{tab:table9}"));
    free(text);
    table_free(table);
}

static struct table *signs(const char *text)
{
    struct table *table = table_create("signs", "Signs");
    table_column(table, TABLE_LEFT, "text");
    table_row(table);
    table_text(table, "%s", text);
    return table;
}

/* What each format takes for its own is text all the same. */
static void signs_are_text_in_every_format(void **state)
{
    (void)state;
    struct table *table = signs("a_b|<i> & 50 % \"#1\", $x ≤ {τ}\\");
    assert_written(table, TABLE_MARKDOWN,
                   "### Signs\n\n| text |\n| --- |\n"
                   "| a\\_b\\|&lt;i> & 50 % \"#1\", $x ≤ {τ}\\\\ |\n\n\n");
    assert_written(table, TABLE_CSV,
                   "text\n\"a_b|<i> & 50 % \"\"#1\"\", $x ≤ {τ}\\\"\n");
    char *text = written(table, TABLE_LATEX);
    assert_non_null(strstr(text, "a\\_b|$<$i$>$ \\& 50 \\% \"\\#1\", \\$x $\\le$ "
                                 "\\{$\\tau$\\}\\textbackslash{} \\\\\n"));
    free(text);
    text = written(table, TABLE_HTML);
    assert_non_null(
        strstr(text, "<td>a_b|&lt;i&gt; &amp; 50 % &quot;#1&quot;, $x ≤ {τ}\\</td>"));
    free(text);
    table_free(table);
}

static void counts_have_a_comma_before_each_three_digits(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        const char *text;
    } cases[] = {{0, "| 0 |"},
                 {999, "| 999 |"},
                 {1000, "| 1,000 |"},
                 {-1234, "| -1,234 |"},
                 {-123, "| -123 |"},
                 {100000, "| 100,000 |"},
                 {1000000, "| 1,000,000 |"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct table *table = table_create("t", "t");
        table_column(table, TABLE_RIGHT, "n");
        table_row(table);
        table_count(table, cases[i].count);
        char *text = written(table, TABLE_MARKDOWN);
        assert_non_null(strstr(text, cases[i].text));
        free(text);
        table_free(table);
    }
}

static void a_number_that_is_none_is_unknown(void **state)
{
    (void)state;
    struct table *table = table_create("t", "t");
    table_column(table, TABLE_RIGHT, "a");
    table_column(table, TABLE_RIGHT, "b");
    table_row(table);
    table_number(table, (double)NAN, 2);
    /* A value whose interval nobody knows stands alone. */
    table_interval(table, 0.5, (double)NAN, 0.6, 2);
    assert_written(table, TABLE_CSV, "a,b\n,0.5\n");
    table_free(table);
}

static void three_files_are_saved(void **state)
{
    (void)state;
    struct table *table = every_kind();
    table_save(table, scratch_path("tables/here"));
    static const char *const names[] = {"md", "csv", "tex"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        size_t size;
        snprintf(name, sizeof(name), "tables/here/table9.%s", names[i]);
        char *saved = (char *)scratch_read(scratch_path(name), &size);
        assert_written(table, (enum table_format)i, saved);
        free(saved);
    }
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markdown_rounds_and_aligns),
        cmocka_unit_test(csv_has_numbers_in_full),
        cmocka_unit_test(latex_numbers_its_tables_itself),
        cmocka_unit_test(signs_are_text_in_every_format),
        cmocka_unit_test(counts_have_a_comma_before_each_three_digits),
        cmocka_unit_test(a_number_that_is_none_is_unknown),
        cmocka_unit_test(three_files_are_saved),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("table", tests, scratch_setup, scratch_teardown);
}
