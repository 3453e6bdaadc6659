/*
 * page.h - everything of a run on one page: an HTML file that needs nothing else, for a
 * screen of any width, light or dark, and for paper.
 */
#ifndef PAPER_PAGE_H
#define PAPER_PAGE_H

#include "paper/figures.h"
#include "paper/table.h"

struct page {
    struct run *run;
    struct table *const *table;
    int n_tables;
    const struct figure *figure;
    int n_figures;
    const char *pictures; /* the folder in which gnuplot left ID.svg */
};

void page_write(const struct page *page, const char *path);

#endif
