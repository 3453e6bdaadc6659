#include "paper/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "paper/claims.h"
#include "paper/provenance.h"
#include "paper/text_file.h"

/* Pictures keep their white ground, on which their colours were chosen. A table that is
 * too wide is moved within its own frame, never the page. */
static const char style[] =
    ":root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff;\n"
    "  --pale: #5a5a5a; --line: #d5d5d5; --tint: #f4f4f2; --warn: #9a3b00; }\n"
    "@media screen and (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e6e6e6; --paper: #121212; --pale: #a8a8a8; --line: #3a3a3a;\n"
    "    --tint: #1d1d1d; --warn: #ff9d66; }\n"
    "  svg { filter: brightness(0.88); border-radius: 0.3rem; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: "
    "var(--paper);\n"
    "  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;\n"
    "  overflow-wrap: anywhere; }\n"
    "h1 { font-size: 1.6rem; line-height: 1.2; margin: 1rem 0 0; }\n"
    "h2 { font-size: 1.25rem; margin: 2.2rem 0 0.6rem;\n"
    "  border-bottom: 1px solid var(--line); }\n"
    "h3 { font-size: 1rem; margin: 0 0 0.5rem; }\n"
    "figure { margin: 1.6rem 0; break-inside: avoid; }\n"
    "figure.table { break-inside: auto; }\n"
    "figcaption, .pale { color: var(--pale); font-size: 0.85rem; margin-top: 0.4rem; "
    "}\n"
    ".pictures { display: grid; gap: 0 2rem;\n"
    "  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }\n"
    "svg { display: block; width: 100%; max-width: 34rem; height: auto; }\n"
    ".scroll { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-size: 0.85rem; width: max-content;\n"
    "  font-variant-numeric: tabular-nums; overflow-wrap: normal; }\n"
    "th, td { padding: 0.25rem 0.6rem; text-align: left; vertical-align: top;\n"
    "  max-width: 15rem; border-bottom: 1px solid var(--line); }\n"
    "th { max-width: 8rem; }\n"
    "th { border-bottom: 2px solid var(--pale); vertical-align: bottom; }\n"
    ".number { text-align: right; }\n"
    "td.number { white-space: nowrap; }\n"
    ".missing { color: var(--warn); white-space: normal; }\n"
    "li { margin: 0.35rem 0; }\n"
    "li.limit::marker { color: var(--warn); content: \"\\2715\\00a0\\00a0\"; }\n"
    "li.says::marker { content: \"\\2713\\00a0\\00a0\"; }\n"
    "code, pre { font: 0.82rem/1.4 ui-monospace, monospace; }\n"
    "pre { white-space: pre-wrap; background: var(--tint); padding: 0.7rem; }\n"
    "summary { cursor: pointer; padding: 0.2rem 0; }\n"
    ".empty { background: var(--tint); padding: 1rem; color: var(--warn); }\n"
    "@page { size: A4; margin: 14mm; }\n"
    "@media print { :root { font-size: 9pt; } body { padding: 0; max-width: none; }\n"
    "  .scroll { overflow: visible; } table { font-size: 6.4pt; width: 100%; }\n"
    "  th, td { padding: 0.1rem 0.2rem; } td.number { white-space: normal; }\n"
    "  .pictures { grid-template-columns: 1fr 1fr; } details { display: none; } }\n";

/* --- Pictures ----------------------------------------------------------------------
 */

/* Several pictures on one page must not have the same names for their parts: each gets
 * the figure's in front. */
static void print_svg(FILE *out, const char *svg, const struct figure *figure)
{
    static const char *const before[] = {"id=\"", "id='", "href=\"#", "href='#",
                                         "url(#"};
    enum { BEFORE = sizeof(before) / sizeof(before[0]) };
    const char *at = strstr(svg, "<svg");
    if (!at)
        die("the picture of '%s' has no <svg> in it", figure->id);
    fputs("<svg role=\"img\" aria-label=\"", out);
    html_text(out, figure->title);
    fputc('"', out);
    for (at += strlen("<svg"); *at;) {
        size_t n = 0;
        for (int i = 0; i < BEFORE && n == 0; i++)
            if (strncmp(at, before[i], strlen(before[i])) == 0)
                n = strlen(before[i]);
        if (n) {
            fprintf(out, "%.*s%s-", (int)n, at, figure->id);
            at += n;
        } else {
            fputc(*at++, out);
        }
    }
}

static void print_figure(FILE *out, const struct figure *figure, const char *pictures)
{
    char *path = memory_format("%s/%s.svg", pictures, figure->id);
    char *svg = figure->drawn ? text_file_read(path) : NULL;
    fprintf(out, "<figure id=\"%s\">\n<h3>", figure->id);
    html_text(out, figure->title);
    fputs("</h3>\n", out);
    if (svg)
        print_svg(out, svg, figure);
    else
        fprintf(out, "<p class=\"empty\">%s</p>\n",
                figure->drawn ? "Not drawn yet: make tables"
                              : "Not drawn: what it needs is not there.");
    fputs("<figcaption>", out);
    html_text(out, figure->caption);
    fputs("</figcaption>\n</figure>\n", out);
    free(svg);
    free(path);
}

/* --- Sections ----------------------------------------------------------------------
 */

static void print_head(FILE *out, struct run *run)
{
    char *dataset = provenance_dataset(run);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>GreedyNAS: ",
          out);
    html_text(out, run_name(run));
    fprintf(out,
            "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>GreedyNAS: ", style);
    html_text(out, run_name(run));
    fputs("</h1>\n<p class=\"pale\">", out);
    if (dataset)
        html_text(out, dataset);
    fputs(dataset ? ". " : "", out);
    fputs("Every number is read from the artifacts listed below; nothing was run for "
          "this page.</p>\n",
          out);
    free(dataset);
}

static void print_claims(FILE *out, struct run *run)
{
    struct claims claims;
    claims_collect(&claims, run);
    fputs("<h2>What this run can and cannot say</h2>\n<ul>\n", out);
    for (int limit = 0; limit <= 1; limit++)
        for (int i = 0; i < claims.n; i++)
            if (claims.claim[i].limit == limit) {
                fputs(limit ? "<li class=\"limit\">" : "<li class=\"says\">", out);
                html_text(out, claims.claim[i].text);
                fputs("</li>\n", out);
            }
    fputs("</ul>\n<p class=\"pale\">In parentheses: 95 % intervals.</p>\n", out);
    claims_release(&claims);
}

static void print_table_and_free(FILE *out, struct table *table)
{
    table_write(table, TABLE_HTML, out);
    table_free(table);
}

static void print_settings(FILE *out, struct run *run)
{
    size_t n;
    char **name = provenance_artifacts(run, &n);
    fputs("<h2>Settings</h2>\n", out);
    for (size_t i = 0; i < n; i++) {
        char *settings = artifact_attribute(run_artifact(run, name[i]), "config");
        fputs("<details><summary>", out);
        html_text(out, name[i]);
        fputs("</summary>\n<pre>", out);
        html_text(out, settings ? settings : "");
        fputs("</pre></details>\n", out);
        free(settings);
        free(name[i]);
    }
    free(name);
}

void page_write(const struct page *page, const char *path)
{
    struct text_file file;
    text_file_create(&file, "%s", path);
    print_head(file.out, page->run);
    print_claims(file.out, page->run);
    fputs("<h2>Tables</h2>\n", file.out);
    for (int i = 0; i < page->n_tables; i++)
        table_write(page->table[i], TABLE_HTML, file.out);
    fputs("<h2>Figures</h2>\n<div class=\"pictures\">\n", file.out);
    for (int i = 0; i < page->n_figures; i++)
        print_figure(file.out, &page->figure[i], page->pictures);
    fputs("</div>\n<h2>Where the numbers come from</h2>\n", file.out);
    print_table_and_free(file.out, table_of_work(page->run));
    print_table_and_free(file.out, table_of_artifacts(page->run));
    print_settings(file.out, page->run);
    fputs("</body>\n</html>\n", file.out);
    text_file_commit(&file);
}
