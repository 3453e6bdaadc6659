/*
 * report.c - a run's artifacts as the paper's tables and figures, and as one page.
 *
 * Reads artifacts and nothing else, trains and scores nothing: seconds, whatever the
 * run took. What is not there yet is said to be missing, with the target that makes it.
 * gnuplot draws the figures from the numbers that are left for it (paper/figures.h);
 * then --page binds tables and pictures.
 */
#include <stdlib.h>

#include "base/die.h"
#include "base/options.h"
#include "paper/figures.h"
#include "paper/page.h"
#include "paper/tables.h"

static const struct program program = {
    "report", "write the tables and figures of a run from its artifacts",
    "report --run=results/quickstart --tables=results/quickstart/tables "
    "--figures=results/quickstart/figures"};

struct request {
    const char *run, *tables, *figures, *page;
    struct option_texts networks;
};

static void parse(struct request *request, int argc, char **argv)
{
    const struct option_row rows[] = {
        {"run", "FOLDER", OPTION_TEXT, &request->run, 1, "the run: artifacts to read"},
        {"tables", "FOLDER", OPTION_TEXT, &request->tables, 0,
         "write the tables here, as Markdown, CSV and LaTeX"},
        {"figures", "FOLDER", OPTION_TEXT, &request->figures, 0,
         "write the figures' captions and numbers here, for gnuplot"},
        {"network", "FILE.yaml", OPTION_TEXTS, &request->networks, 0,
         "a published network to stand in Table 2"},
        {"page", "FILE.html", OPTION_TEXT, &request->page, 0,
         "bind everything into this page; --figures then has the pictures, drawn"},
        {0},
    };
    options_parse(&program, rows, argc, argv);
    if (!request->tables && !request->figures)
        die_asked_wrong("--tables=FOLDER or --figures=FOLDER is missing\n"
                        "see 'report --help'");
    if (request->page && !request->figures)
        die_asked_wrong("--page needs --figures=FOLDER, where the pictures are\n"
                        "see 'report --help'");
}

int main(int argc, char **argv)
{
    struct request request = {0};
    parse(&request, argc, argv);

    struct run *run = run_open(request.run);
    struct table *table[] = {table_of_costs(run),
                             table_of_networks(run, &request.networks),
                             table_of_correlation(run), table_of_ablation(run)};
    const int n_tables = sizeof(table) / sizeof(table[0]);
    for (int i = 0; i < n_tables && request.tables; i++)
        table_save(table[i], request.tables);
    if (request.figures) {
        struct figure *figure;
        int n = figures_write(run, request.figures, &figure);
        if (request.page)
            page_write(&(struct page){run, table, n_tables, figure, n, request.figures},
                       request.page);
        figures_free(figure, n);
    }
    for (int i = 0; i < n_tables; i++)
        table_free(table[i]);
    run_close(run);
    return EXIT_COMPLETE;
}
