#include "base/options.h"

#include "base/build_info.h"
#include "base/die.h"
#include "base/memory.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_WIDTH = 88,
    NAME_MAX_LENGTH = 40,
    /* What getopt_long() returns for a row is FIRST_ROW and its number: above any
       letter. */
    FIRST_ROW = UCHAR_MAX + 1,
};

struct parse {
    const struct program *program;
    const struct option_row *rows;
    int n;          /* rows */
    int *given;     /* how often each row was */
    char *problems; /* one a line, or NULL */
    int text;       /* HELP or VERSION when that is wanted, else -1 */
};

static void add_problem(struct parse *parse, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_problem(struct parse *parse, const char *format, ...)
{
    char *problem;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&problem, format, args);
    va_end(args);
    if (length < 0)
        die("out of memory while listing what is wrong with the command line");
    char *before = parse->problems;
    parse->problems = memory_format("%s%s\n", before ? before : "", problem);
    free(before);
    free(problem);
}

/* --help and --version are options of every program; the table ends after them. */
static const struct option_row own_row[] = {
    {"help", NULL, OPTION_FLAG, NULL, 0, "this text"},
    {"version", NULL, OPTION_FLAG, NULL, 0, "what the program was made from"},
};
enum { OWN_ROWS = sizeof own_row / sizeof own_row[0], HELP = 0, VERSION = 1 };

static const struct option_row *row_at(const struct parse *parse, int i)
{
    return i < parse->n ? &parse->rows[i] : &own_row[i - parse->n];
}

/* "--in=FILE.h5" */
static char *usage_of(const struct option_row *row)
{
    return memory_format("--%s%s%s", row->name, row->value_name ? "=" : "",
                         row->value_name ? row->value_name : "");
}

/* Whether it may be given more than once. */
static bool is_repeated(const struct option_row *row)
{
    return row->kind == OPTION_TEXTS ||
           (row->kind == OPTION_TEXTS_EXACTLY && row->required > 1);
}

static void print_usage(const struct parse *parse)
{
    int column = printf("usage: %s", parse->program->name);
    int indent = column;
    for (int i = 0; i < parse->n; i++) {
        const struct option_row *row = row_at(parse, i);
        if (!row->help)
            continue;
        char *usage = usage_of(row);
        char *piece =
            memory_format(" %s%s%s%s", row->required ? "" : "[", usage,
                          is_repeated(row) ? "..." : "", row->required ? "" : "]");
        if (column + (int)strlen(piece) > LINE_WIDTH)
            column = printf("\n%*s", indent, "") - 1;
        column += printf("%s", piece);
        free(piece);
        free(usage);
    }
    printf("\n");
}

static void print_rows(const struct parse *parse)
{
    int width = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < parse->n + OWN_ROWS; i++) {
            const struct option_row *row = row_at(parse, i);
            if (!row->help)
                continue;
            char *usage = usage_of(row);
            if (pass == 0)
                width = (int)strlen(usage) > width ? (int)strlen(usage) : width;
            else
                printf("  %-*s  %s\n", width, usage, row->help);
            free(usage);
        }
}

static _Noreturn void end_after_text(void)
{
    if (fflush(stdout) != 0)
        die("cannot write to standard output: %s", strerror(errno));
    exit(EXIT_COMPLETE);
}

static _Noreturn void print_help(const struct parse *parse)
{
    printf("%s - %s\n\n", parse->program->name, parse->program->purpose);
    print_usage(parse);
    printf("\noptions:\n");
    print_rows(parse);
    printf(
        "\nexit codes:\n"
        "  %-2d  complete\n"
        "  %-2d  failed\n"
        "  %-2d  asked wrong: all problems are listed, nothing was started\n"
        "  %-2d  out of time or told to stop: the checkpoint is kept, run it again\n",
        EXIT_COMPLETE, EXIT_FAILED, EXIT_ASKED_WRONG, EXIT_RUN_AGAIN);
    printf("\nexample:\n  %s\n", parse->program->example);
    end_after_text();
}

static _Noreturn void print_version(const struct parse *parse)
{
    printf("%s %s\n", parse->program->name, build_info());
    end_after_text();
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: letters to insert, delete or replace. */
static int edit_distance(const char *a, const char *b)
{
    int row[NAME_MAX_LENGTH + 1], n = (int)strlen(b);
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            int replaced = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_int(replaced, 1 + min_int(row[j], row[j - 1]));
        }
    }
    return row[n];
}

/* The known name that `name` was probably meant to be, or NULL: one that begins with
 * it, or is a few letters from it (two that change places are two). */
static const char *nearest_name(const struct parse *parse, const char *name)
{
    int length = (int)strlen(name);
    int best_distance = 2 + length / 4; /* less than this */
    const char *best = NULL;
    for (int i = 0; i < parse->n + OWN_ROWS; i++) {
        const struct option_row *row = row_at(parse, i);
        if (!row->help)
            continue;
        int distance = edit_distance(name, row->name);
        if (length > 0 && strncmp(name, row->name, (size_t)length) == 0)
            distance = 0;
        if (distance < best_distance) {
            best_distance = distance;
            best = row->name;
        }
    }
    return best;
}

/* `word` as it stands on the command line: --naem=value, -n, ... */
static void add_unknown(struct parse *parse, const char *word)
{
    const char *name = word + strspn(word, "-");
    int dashes = (int)(name - word), length = (int)strcspn(name, "=");
    char *bare = memory_format("%.*s", length, name);
    const char *meant = nearest_name(parse, bare);
    free(bare);
    if (meant)
        add_problem(parse, "unknown option '%.*s', did you mean '--%s'?",
                    dashes + length, word, meant);
    else
        add_problem(parse, "unknown option '%.*s'", dashes + length, word);
}

static void take_count(struct parse *parse, const struct option_row *row,
                       const char *text)
{
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || count < 1 || count > INT_MAX)
        add_problem(parse, "--%s is '%s', expected a whole number from 1 to %d",
                    row->name, text, INT_MAX);
    else
        *(int *)row->value = (int)count;
}

static void take_text(struct parse *parse, const struct option_row *row,
                      const char *text)
{
    struct option_texts *texts = row->value;
    if (!*text)
        add_problem(parse, "--%s has an empty value, expected %s", row->name,
                    row->value_name);
    else if (row->kind == OPTION_TEXT)
        *(const char **)row->value = text;
    else if (texts->n == OPTION_TEXTS_MAX)
        add_problem(parse, "--%s=%s is one too many, at most %d are possible",
                    row->name, text, OPTION_TEXTS_MAX);
    else
        texts->text[texts->n++] = text;
}

static void take_value(struct parse *parse, int i, const char *text)
{
    const struct option_row *row = &parse->rows[i];
    if (row->kind == OPTION_FLAG) {
        *(bool *)row->value = true;
        return;
    }
    if (parse->given[i]++ && row->kind != OPTION_TEXTS &&
        row->kind != OPTION_TEXTS_EXACTLY)
        add_problem(parse, "--%s is given more than once, now as '%s'", row->name,
                    text);
    else if (row->kind == OPTION_COUNT)
        take_count(parse, row, text);
    else
        take_text(parse, row, text);
}

/* Whether `word` spells the whole name: getopt_long() takes abbreviations, which would
 * make a script fail on the day another option begins alike. */
static bool spelt_out(const char *word, const char *name)
{
    size_t length = strlen(name);
    return strncmp(word + 2, name, length) == 0 && strcspn(word + 2, "=") == length;
}

/* An option's row, as getopt_long() found it; `word` holds it, and the value too if
 * there is a '=' in it. */
static void take_row(struct parse *parse, int i, const char *word)
{
    const struct option_row *row = row_at(parse, i);
    if (!spelt_out(word, row->name)) {
        add_unknown(parse, word);
    } else if (i >= parse->n) {
        parse->text = i - parse->n;
    } else if (optarg && !strchr(word, '=') && strncmp(optarg, "--", 2) == 0) {
        add_problem(parse, "--%s needs a value, found '%s'", row->name, optarg);
        parse->given[i]++;
        optind--; /* which is an option of its own */
    } else {
        take_value(parse, i, optarg);
    }
}

/* What getopt_long() could not take: it sets optopt to the row when the option is
 * known. */
static void add_refused(struct parse *parse, int code, const char *word)
{
    if (optopt < FIRST_ROW ||
        !spelt_out(word, row_at(parse, optopt - FIRST_ROW)->name)) {
        add_unknown(parse, word);
        return;
    }
    const struct option_row *row = row_at(parse, optopt - FIRST_ROW);
    if (code == ':') {
        add_problem(parse, "--%s needs a value, found none", row->name);
        parse->given[optopt - FIRST_ROW]++;
    } else {
        add_problem(parse, "--%s takes no value, found '%s'", row->name,
                    strchr(word, '=') + 1);
    }
}

static void add_positional(struct parse *parse, const char *word)
{
    add_problem(parse, "unexpected '%s', expected --NAME=VALUE", word);
}

static struct option *getopt_table(const struct parse *parse)
{
    struct option *table =
        memory_zeroed((size_t)(parse->n + OWN_ROWS) + 1, sizeof *table);
    int n = 0;
    for (int i = 0; i < parse->n + OWN_ROWS; i++) {
        const struct option_row *row = row_at(parse, i);
        if (!row->help)
            continue;
        table[n++] = (struct option){
            row->name,
            row->kind == OPTION_FLAG ? no_argument : required_argument,
            NULL,
            FIRST_ROW + i,
        };
    }
    return table;
}

static void read_words(struct parse *parse, int argc, char **argv)
{
    struct option *table = getopt_table(parse);
    const char *last_refused = NULL;
    opterr = 0;
    optind = 0; /* glibc: start anew */
    while (parse->text < 0) {
        int at = optind ? optind : 1;
        /* '-': positional words come in their order, as code 1. ':': a missing value
         * has a code of its own. */
        int code = getopt_long(argc, argv, "-:", table, NULL);
        if (code == -1)
            break;
        if (code >= FIRST_ROW)
            take_row(parse, code - FIRST_ROW, argv[at]);
        else if (code == 1)
            add_positional(parse, optarg);
        else if (argv[at] != last_refused) /* -abc is refused letter by letter */
            add_refused(parse, code, last_refused = argv[at]);
    }
    while (parse->text < 0 && optind < argc)
        add_positional(parse, argv[optind++]);
    free(table);
}

static void check_required(struct parse *parse)
{
    for (int i = 0; i < parse->n; i++) {
        const struct option_row *row = &parse->rows[i];
        bool exactly = row->kind == OPTION_TEXTS_EXACTLY && row->help;
        if (parse->given[i] == row->required ||
            (!exactly && parse->given[i] > row->required))
            continue;
        char *usage = usage_of(row);
        if (parse->given[i] == 0)
            add_problem(parse, "%s is missing (%s)", usage, row->help);
        else
            add_problem(parse, "%s is given %d times, expected %s%d (%s)", usage,
                        parse->given[i], exactly ? "" : "at least ", row->required,
                        row->help);
        free(usage);
    }
}

/* What the rows "quiet" and "log" ask of the log. */
static void set_log(const struct option_row *row)
{
    if (strcmp(row->name, "quiet") == 0 && row->kind == OPTION_FLAG)
        log_set_quiet(*(const bool *)row->value);
    if (strcmp(row->name, "log") == 0 && row->kind == OPTION_TEXT &&
        *(const char *const *)row->value)
        log_open_copy(*(const char *const *)row->value);
}

void options_parse(const struct program *program, const struct option_row *rows,
                   int argc, char **argv)
{
    struct parse parse = {.program = program, .rows = rows, .text = -1};
    while (rows[parse.n].name)
        BUG_IF(strlen(rows[parse.n++].name) > NAME_MAX_LENGTH);
    parse.given = memory_zeroed((size_t)parse.n, sizeof *parse.given);
    log_set_program(program->name);
    read_words(&parse, argc, argv);
    if (parse.text == HELP)
        print_help(&parse);
    if (parse.text == VERSION)
        print_version(&parse);
    check_required(&parse);
    if (parse.problems)
        die_asked_wrong("%ssee '%s --help'", parse.problems, program->name);
    for (int i = 0; i < parse.n; i++)
        set_log(&rows[i]);
    free(parse.given);
}
