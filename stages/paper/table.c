#include "paper/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "paper/text_file.h"

enum { COLUMNS_MAX = 24 };

enum cell_kind { CELL_TEXT, CELL_CHECK, CELL_UNKNOWN, CELL_MISSING };

struct cell {
    enum cell_kind kind;
    bool on;
    char *text;       /* for people, and what a missing cell's target is */
    char *full;       /* for CSV; NULL: as `text` */
    char *low, *high; /* of an interval, for CSV */
};

struct table {
    const char *id, *title;
    char *caption;
    int n_columns, n_cells, capacity;
    enum table_align align[COLUMNS_MAX];
    const char *heading[COLUMNS_MAX];
    bool interval[COLUMNS_MAX]; /* some cell of the column has one */
    struct cell *cell;          /* row after row */
};

struct table *table_create(const char *id, const char *title)
{
    struct table *table = memory_zeroed(1, sizeof *table);
    table->id = id;
    table->title = title;
    table->caption = memory_text_copy("");
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (int i = 0; i < table->n_cells; i++) {
        free(table->cell[i].text);
        free(table->cell[i].full);
        free(table->cell[i].low);
        free(table->cell[i].high);
    }
    free(table->cell);
    free(table->caption);
    free(table);
}

const char *table_id(const struct table *table)
{
    return table->id;
}

const char *table_title(const struct table *table)
{
    return table->title;
}

void table_column(struct table *table, enum table_align align, const char *heading)
{
    BUG_IF(table->n_columns == COLUMNS_MAX || table->n_cells);
    table->align[table->n_columns] = align;
    table->heading[table->n_columns++] = heading;
}

void table_row(struct table *table)
{
    BUG_IF(table->n_columns == 0 || table->n_cells % table->n_columns);
}

static void add(struct table *table, struct cell cell)
{
    if (table->n_cells == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 64;
        table->cell = memory_resized(table->cell, (size_t)table->capacity,
                                     sizeof(table->cell[0]));
    }
    table->cell[table->n_cells++] = cell;
}

void table_text(struct table *table, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        die("no memory for a table");
    va_end(arguments);
    add(table, (struct cell){.text = text});
}

void table_number(struct table *table, double value, int decimals)
{
    if (isnan(value)) {
        table_unknown(table);
        return;
    }
    add(table, (struct cell){.text = memory_format("%.*f", decimals, value),
                             .full = memory_format("%.9g", value)});
}

void table_interval(struct table *table, double value, double low, double high,
                    int decimals)
{
    if (isnan(value) || isnan(low) || isnan(high)) {
        table_number(table, value, decimals);
        return;
    }
    table->interval[table->n_cells % table->n_columns] = true;
    add(table, (struct cell){.text = memory_format("%.*f [%.*f, %.*f]", decimals, value,
                                                   decimals, low, decimals, high),
                             .full = memory_format("%.9g", value),
                             .low = memory_format("%.9g", low),
                             .high = memory_format("%.9g", high)});
}

char *count_text(int64_t value)
{
    char digits[32], *text = memory_zeroed(48, 1), *at = text;
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    for (size_t i = 0, n = strlen(digits); i < n; i++) {
        *at++ = digits[i];
        if (i + 1 < n && digits[i] != '-' && (n - 1 - i) % 3 == 0)
            *at++ = ',';
    }
    return text;
}

void table_count(struct table *table, int64_t value)
{
    add(table, (struct cell){.text = count_text(value),
                             .full = memory_format("%lld", (long long)value)});
}

void table_check(struct table *table, bool on)
{
    add(table, (struct cell){.kind = CELL_CHECK, .on = on});
}

void table_unknown(struct table *table)
{
    add(table, (struct cell){.kind = CELL_UNKNOWN});
}

void table_missing(struct table *table, const char *target)
{
    add(table, (struct cell){.kind = CELL_MISSING, .text = memory_text_copy(target)});
}

void table_caption(struct table *table, const char *caption)
{
    free(table->caption);
    table->caption = memory_text_copy(caption);
}

/* --- Escaping --------------------------------------------------------------------- */

struct replacement {
    const char *from, *to;
};

/* Replaces by the table, which ends with {0}; what is not in it stays. */
static void print_replaced(FILE *out, const char *text,
                           const struct replacement *replacement)
{
    while (*text) {
        const struct replacement *r = replacement;
        while (r->from && strncmp(text, r->from, strlen(r->from)) != 0)
            r++;
        if (r->from) {
            fputs(r->to, out);
            text += strlen(r->from);
        } else {
            fputc(*text++, out);
        }
    }
}

static const struct replacement for_markdown[] = {
    {"|", "\\|"},   {"<", "&lt;"}, {"*", "\\*"}, {"_", "\\_"},
    {"\\", "\\\\"}, {"\n", " "},   {0}};
static const struct replacement for_latex[] = {{"\\", "\\textbackslash{}"},
                                               {"&", "\\&"},
                                               {"%", "\\%"},
                                               {"$", "\\$"},
                                               {"#", "\\#"},
                                               {"_", "\\_"},
                                               {"{", "\\{"},
                                               {"}", "\\}"},
                                               {"~", "\\textasciitilde{}"},
                                               {"^", "\\textasciicircum{}"},
                                               {"<", "$<$"},
                                               {">", "$>$"},
                                               {"τ", "$\\tau$"},
                                               {"ρ", "$\\rho$"},
                                               {"ε", "$\\varepsilon$"},
                                               {"×", "$\\times$"},
                                               {"≤", "$\\le$"},
                                               {"–", "--"},
                                               {"\n", " "},
                                               {0}};
static const struct replacement for_csv[] = {{"\"", "\"\""}, {0}};

static void csv_text(FILE *out, const char *text)
{
    bool quoted = strpbrk(text, ",\"\n") != NULL;
    fputs(quoted ? "\"" : "", out);
    print_replaced(out, text, for_csv);
    fputs(quoted ? "\"" : "", out);
}

static void print_text(FILE *out, enum table_format format, const char *text)
{
    switch (format) {
    case TABLE_MARKDOWN:
        print_replaced(out, text, for_markdown);
        break;
    case TABLE_CSV:
        csv_text(out, text);
        break;
    case TABLE_LATEX:
        print_replaced(out, text, for_latex);
        break;
    case TABLE_HTML:
        html_text(out, text);
        break;
    }
}

static const char *const check[] = {"✓", "yes", "$\\checkmark$", "✓"};
static const char *const no_check[] = {"", "no", "", ""};
static const char *const unknown[] = {"–", "", "--", "–"};

static void print_cell(FILE *out, enum table_format format, const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_TEXT:
        print_text(out, format,
                   format == TABLE_CSV && cell->full ? cell->full : cell->text);
        break;
    case CELL_CHECK:
        fputs((cell->on ? check : no_check)[format], out);
        break;
    case CELL_UNKNOWN:
        fputs(unknown[format], out);
        break;
    case CELL_MISSING:
        if (format == TABLE_HTML)
            fputs("<span class=\"missing\">", out);
        fputs("missing: ", out);
        print_text(out, format, cell->text);
        if (format == TABLE_HTML)
            fputs("</span>", out);
        break;
    }
}

/* --- The formats ------------------------------------------------------------------ */

static void write_markdown(const struct table *table, FILE *out)
{
    fprintf(out, "### %s\n\n", table->title);
    for (int c = 0; c < table->n_columns; c++) {
        fputs("| ", out);
        print_text(out, TABLE_MARKDOWN, table->heading[c]);
        fputc(' ', out);
    }
    fputs("|\n", out);
    for (int c = 0; c < table->n_columns; c++)
        fputs(table->align[c] == TABLE_RIGHT ? "| ---: " : "| --- ", out);
    fputs("|\n", out);
    for (int i = 0; i < table->n_cells; i++) {
        fputs("| ", out);
        print_cell(out, TABLE_MARKDOWN, &table->cell[i]);
        fputs((i + 1) % table->n_columns ? " " : " |\n", out);
    }
    fputc('\n', out);
    print_text(out, TABLE_MARKDOWN, table->caption);
    fputc('\n', out);
}

/* A column of intervals becomes three: value, low, high. */
static void write_csv(const struct table *table, FILE *out)
{
    for (int c = 0; c < table->n_columns; c++) {
        char *interval =
            memory_format("%s low,%s high", table->heading[c], table->heading[c]);
        print_text(out, TABLE_CSV, table->heading[c]);
        if (table->interval[c])
            fprintf(out, ",%s", interval);
        fputc(c + 1 < table->n_columns ? ',' : '\n', out);
        free(interval);
    }
    for (int i = 0; i < table->n_cells; i++) {
        const struct cell *cell = &table->cell[i];
        print_cell(out, TABLE_CSV, cell);
        if (table->interval[i % table->n_columns])
            fprintf(out, ",%s,%s", cell->low ? cell->low : "",
                    cell->high ? cell->high : "");
        fputc((i + 1) % table->n_columns ? ',' : '\n', out);
    }
}

static void write_latex(const struct table *table, FILE *out)
{
    fputs("% needs \\usepackage{amssymb,booktabs,graphicx}\n\\begin{table}\n", out);
    fputs("\\centering\n\\resizebox{\\linewidth}{!}{%\n\\begin{tabular}{", out);
    for (int c = 0; c < table->n_columns; c++)
        fputc(table->align[c] == TABLE_RIGHT ? 'r' : 'l', out);
    fputs("}\n\\toprule\n", out);
    for (int c = 0; c < table->n_columns; c++) {
        print_text(out, TABLE_LATEX, table->heading[c]);
        fputs(c + 1 < table->n_columns ? " & " : " \\\\\n\\midrule\n", out);
    }
    for (int i = 0; i < table->n_cells; i++) {
        print_cell(out, TABLE_LATEX, &table->cell[i]);
        fputs((i + 1) % table->n_columns ? " & " : " \\\\\n", out);
    }
    fputs("\\bottomrule\n\\end{tabular}}\n\\caption{", out);
    /* LaTeX numbers its tables itself. */
    const char *colon = strstr(table->title, ": ");
    print_text(out, TABLE_LATEX, colon ? colon + 2 : table->title);
    fputs(". ", out);
    print_text(out, TABLE_LATEX, table->caption);
    fprintf(out, "}\n\\label{tab:%s}\n\\end{table}\n", table->id);
}

static void write_html(const struct table *table, FILE *out)
{
    fprintf(out, "<figure class=\"table\" id=\"%s\">\n<h3>", table->id);
    html_text(out, table->title);
    fputs("</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>", out);
    for (int c = 0; c < table->n_columns; c++) {
        fputs(table->align[c] == TABLE_RIGHT ? "<th class=\"number\">" : "<th>", out);
        html_text(out, table->heading[c]);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
    for (int i = 0; i < table->n_cells; i++) {
        int c = i % table->n_columns;
        fputs(c ? "" : "<tr>", out);
        fputs(table->align[c] == TABLE_RIGHT ? "<td class=\"number\">" : "<td>", out);
        print_cell(out, TABLE_HTML, &table->cell[i]);
        fputs(c + 1 < table->n_columns ? "</td>" : "</td></tr>\n", out);
    }
    fputs("</tbody></table></div>\n<figcaption>", out);
    html_text(out, table->caption);
    fputs("</figcaption>\n</figure>\n", out);
}

void table_write(const struct table *table, enum table_format format, FILE *out)
{
    static void (*const write[])(const struct table *, FILE *) = {
        [TABLE_MARKDOWN] = write_markdown,
        [TABLE_CSV] = write_csv,
        [TABLE_LATEX] = write_latex,
        [TABLE_HTML] = write_html,
    };
    BUG_IF(table->n_columns == 0 || table->n_cells % table->n_columns);
    write[format](table, out);
}

void table_save(const struct table *table, const char *folder)
{
    static const struct {
        enum table_format format;
        const char *ending;
    } files[] = {{TABLE_MARKDOWN, "md"}, {TABLE_CSV, "csv"}, {TABLE_LATEX, "tex"}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct text_file file;
        text_file_create(&file, "%s/%s.%s", folder, table->id, files[i].ending);
        table_write(table, files[i].format, file.out);
        text_file_commit(&file);
    }
}
