#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/build_info.h"
#include "base/die.h"
#include "base/options.h"
#include "unit/child.h"

#include <stdio.h>

enum { WORDS_MAX = OPTION_TEXTS_MAX + 8 };

static const struct program greedy = {
    "greedy",
    "trains the supernet on its promising paths",
    "greedy --config=g.yaml --data=d.h5 --in=w.h5 --out=g.h5",
};

/* NULL ends the words; the program's own name goes in front. */
static void parse_words(const struct program *program, const struct option_row *rows,
                        const void *words)
{
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t)program->name};
    int argc = 1;
    for (char *const *word = words; *word; word++)
        argv[argc++] = *word;
    options_parse(program, rows, argc, argv);
}

/* Parses as the greedy stage does, and prints what came of it.
 */
static int parse(const void *words)
{
    struct options options = {.threads = 0};
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &options.config, 1,
         "the stage's effective settings"},
        {"data", "FILE.h5", OPTION_TEXT, &options.data, 1, "images and labels"},
        {"in", "FILE.h5", OPTION_TEXTS, &options.in, 1, "artifact to start from"},
        {"out", "FILE.h5", OPTION_TEXT, &options.out, 1, "artifact to make"},
        OPTIONS_RUN_ROWS(options),
        {.name = NULL}};
    parse_words(&greedy, rows, words);
    printf("%s|%s|%s|", options.config, options.data, options.out);
    for (int i = 0; i < options.in.n; i++)
        printf("%s,", options.in.text[i]);
    printf("|%d|%d%d|%s", options.threads, options.quiet, log_quiet(), log_program());
    return 0;
}

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})
#define NEEDED "--config=c", "--data=d", "--in=i", "--out=o"

static void every_option_lands_in_its_field(void **state)
{
    (void)state;
    struct child child =
        child_run(parse, WORDS("--out=o.h5", "--config=c.yaml", "--in=1.h5",
                               "--threads=3", "--data=d.h5", "--quiet", "--in=2.h5"));
    assert_string_equal(child.err, "");
    assert_string_equal(child.out, "c.yaml|d.h5|o.h5|1.h5,2.h5,|3|11|greedy");
    assert_int_equal(child.code, 0);
}

static void a_value_may_be_the_next_word(void **state)
{
    (void)state;
    struct child child =
        child_run(parse, WORDS("--config", "c", "--data", "-", "--in", "a=b", "--out",
                               "-o", "--threads", "12"));
    assert_string_equal(child.err, "");
    assert_string_equal(child.out, "c|-|-o|a=b,|12|00|greedy");
}

/* Each mistake alone, beside all that is needed: one line, and the hint. */
static void each_mistake_has_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *word, *line;
    } known[] = {
        {"--thraeds=2", "unknown option '--thraeds', did you mean '--threads'?"},
        {"--conf=x", "unknown option '--conf', did you mean '--config'?"},
        {"--thread=2", "unknown option '--thread', did you mean '--threads'?"},
        {"-quiet", "unknown option '-quiet', did you mean '--quiet'?"},
        {"-x", "unknown option '-x'"},
        {"--zzz", "unknown option '--zzz'"},
        {"--=x", "unknown option '--'"},
        {"more", "unexpected 'more', expected --NAME=VALUE"},
        {"", "unexpected '', expected --NAME=VALUE"},
        {"-", "unexpected '-', expected --NAME=VALUE"},
        {"--threads=four", "--threads is 'four', expected a whole number from 1 to "
                           "2147483647"},
        {"--threads=0",
         "--threads is '0', expected a whole number from 1 to 2147483647"},
        {"--threads=-1",
         "--threads is '-1', expected a whole number from 1 to 2147483647"},
        {"--threads=2.5",
         "--threads is '2.5', expected a whole number from 1 to 2147483647"},
        {"--threads=", "--threads is '', expected a whole number from 1 to 2147483647"},
        {"--threads=2147483648",
         "--threads is '2147483648', expected a whole number from 1 to 2147483647"},
        {"--threads", "--threads needs a value, found none"},
        {"--quiet=yes", "--quiet takes no value, found 'yes'"},
        {"--help=me", "--help takes no value, found 'me'"},
        {"--in=", "--in has an empty value, expected FILE.h5"},
        {"--out=p", "--out is given more than once, now as 'p'"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char expected[256];
        snprintf(expected, sizeof expected, "greedy: %s\ngreedy: see 'greedy --help'\n",
                 known[i].line);
        struct child child = child_run(parse, WORDS(NEEDED, known[i].word));
        assert_string_equal(child.err, expected);
        assert_string_equal(child.out, "");
        assert_int_equal(child.code, 2);
    }
}

static void all_mistakes_are_listed_at_once(void **state)
{
    (void)state;
    struct child child =
        child_run(parse, WORDS("--naem=1", "here", "--out", "--threads=0",
                               "--data=", "--", "--quiet"));
    assert_string_equal(
        child.err,
        "greedy: unknown option '--naem'\n"
        "greedy: unexpected 'here', expected --NAME=VALUE\n"
        "greedy: --out needs a value, found '--threads=0'\n"
        "greedy: --threads is '0', expected a whole number from 1 to 2147483647\n"
        "greedy: --data has an empty value, expected FILE.h5\n"
        "greedy: unexpected '--quiet', expected --NAME=VALUE\n"
        "greedy: --config=FILE.yaml is missing (the stage's effective settings)\n"
        "greedy: --in=FILE.h5 is missing (artifact to start from)\n"
        "greedy: see 'greedy --help'\n");
    assert_int_equal(child.code, 2);
}

static void more_texts_than_there_is_room_are_refused(void **state)
{
    (void)state;
    /* NEEDED has the first one. */
    const char *needed[] = {NEEDED};
    enum { FIRST = sizeof needed / sizeof needed[0] };
    const char *words[FIRST + OPTION_TEXTS_MAX + 1] = {NEEDED};
    char text[OPTION_TEXTS_MAX][32];
    for (int i = 0; i < OPTION_TEXTS_MAX - 1; i++) {
        snprintf(text[i], sizeof text[i], "--in=%d", i + 2);
        words[FIRST + i] = text[i];
    }
    assert_int_equal(child_run(parse, words).code, 0);
    words[FIRST + OPTION_TEXTS_MAX - 1] = "--in=last";
    struct child child = child_run(parse, words);
    assert_int_equal(child.code, 2);
    assert_non_null(strstr(child.err, "--in=last is one too many, at most 128"));
}

/* Needs two inputs; what is not given keeps its value. */
static int parse_with_two_inputs(const void *words)
{
    struct options options = {.config = "kept", .threads = 5};
    const struct option_row rows[] = {
        {"in", "FILE.h5", OPTION_TEXTS, &options.in, 2, "supernets"},
        {"config", "FILE.yaml", OPTION_TEXT, &options.config, 0, "settings"},
        {"threads", "N", OPTION_COUNT, &options.threads, 0, "threads"},
        {.name = NULL}};
    const struct program program = {"rank", "ranks", "rank --in=a --in=b"};
    parse_words(&program, rows, words);
    printf("%s %d", options.config, options.threads);
    return 0;
}

static void a_log_file_is_opened_only_when_nothing_is_wrong(void **state)
{
    (void)state;
    char path[] = "/tmp/test_options.XXXXXX", *log;
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    unlink(path);
    assert_true(asprintf(&log, "--log=%s", path) > 0);
    assert_int_equal(child_run(parse, WORDS(NEEDED, log, "--wrong")).code, 2);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(child_run(parse, WORDS(NEEDED, log)).code, 0);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    free(log);
}

static void a_program_may_need_an_option_twice(void **state)
{
    (void)state;
    struct child child = child_run(parse_with_two_inputs, WORDS("--in=a"));
    assert_int_equal(child.code, 2);
    assert_string_equal(
        child.err,
        "rank: --in=FILE.h5 is given 1 times, expected at least 2 (supernets)\n"
        "rank: see 'rank --help'\n");
    child = child_run(parse_with_two_inputs, WORDS("--in=a", "--in=b"));
    assert_int_equal(child.code, 0);
    assert_string_equal(child.out, "kept 5");
}

static int parse_without_inputs(const void *words)
{
    struct options options = {.threads = 0};
    const struct option_row rows[] = {OPTIONS_STAGE_ROWS(options, 0), {.name = NULL}};
    const struct program program = {"warmup", "warms up", "warmup"};
    parse_words(&program, rows, words);
    return 0;
}

static int parse_with_one_input(const void *words)
{
    struct options options = {.threads = 0};
    const struct option_row rows[] = {OPTIONS_STAGE_ROWS(options, 1), {.name = NULL}};
    const struct program program = {"greedy", "trains", "greedy"};
    parse_words(&program, rows, words);
    return 0;
}

static void a_stage_takes_no_more_inputs_than_it_needs(void **state)
{
    (void)state;
    assert_int_equal(child_run(parse_with_one_input, WORDS(NEEDED)).code, 0);
    struct child child =
        child_run(parse_with_one_input, WORDS(NEEDED, "--in=b", "--in=c"));
    assert_int_equal(child.code, 2);
    assert_non_null(strstr(child.err, "--in=FILE.h5 is given 3 times, expected 1 "));
}

static void a_stage_without_inputs_has_no_such_option(void **state)
{
    (void)state;
    struct child child =
        child_run(parse_without_inputs, WORDS("--config=c", "--data=d", "--out=o"));
    assert_int_equal(child.code, 0);
    child = child_run(parse_without_inputs,
                      WORDS("--config=c", "--data=d", "--out=o", "--in=i"));
    assert_int_equal(child.code, 2);
    assert_non_null(strstr(child.err, "unknown option '--in'"));
    child = child_run(parse_without_inputs, WORDS("--help"));
    assert_null(strstr(child.out, "--in"));
}

/* Help is the product when asked for: on stdout, exit 0, whatever else is wrong. */
static void help_shows_usage_rows_exit_codes_and_the_example(void **state)
{
    (void)state;
    struct child child = child_run(parse, WORDS("--wrong", "--help"));
    assert_int_equal(child.code, 0);
    assert_string_equal(child.err, "");
    static const char *const expected[] = {
        "greedy - trains the supernet on its promising paths\n",
        "usage: greedy --config=FILE.yaml --data=FILE.h5 --in=FILE.h5... "
        "--out=FILE.h5\n"
        "              [--threads=N] [--log=FILE] [--quiet]\n",
        "  --config=FILE.yaml  the stage's effective settings\n",
        "  --quiet             warnings and errors only\n",
        "  --help              ",
        "  --version           ",
        "\n  0   ",
        "\n  1   ",
        "\n  2   ",
        "\n  75  ",
        "  greedy --config=g.yaml --data=d.h5 --in=w.h5 --out=g.h5\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_non_null(strstr(child.out, expected[i]));
    for (const char *line = child.out; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 88);
}

static void version_names_the_build(void **state)
{
    (void)state;
    char expected[1024];
    snprintf(expected, sizeof expected, "greedy %s\n", build_info());
    struct child child = child_run(parse, WORDS("--version"));
    assert_int_equal(child.code, 0);
    assert_string_equal(child.out, expected);
    assert_string_equal(child.err, "");
}

static int help_to_a_full_disk(const void *words)
{
    if (!freopen("/dev/full", "w", stdout))
        return 0;
    return parse(words);
}

static void help_that_cannot_be_written_fails(void **state)
{
    (void)state;
    struct child child = child_run(help_to_a_full_disk, WORDS("--help"));
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "cannot write to standard output"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_lands_in_its_field),
        cmocka_unit_test(a_value_may_be_the_next_word),
        cmocka_unit_test(each_mistake_has_its_line),
        cmocka_unit_test(all_mistakes_are_listed_at_once),
        cmocka_unit_test(more_texts_than_there_is_room_are_refused),
        cmocka_unit_test(a_log_file_is_opened_only_when_nothing_is_wrong),
        cmocka_unit_test(a_program_may_need_an_option_twice),
        cmocka_unit_test(a_stage_takes_no_more_inputs_than_it_needs),
        cmocka_unit_test(a_stage_without_inputs_has_no_such_option),
        cmocka_unit_test(help_shows_usage_rows_exit_codes_and_the_example),
        cmocka_unit_test(version_names_the_build),
        cmocka_unit_test(help_that_cannot_be_written_fails),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
