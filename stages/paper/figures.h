/*
 * figures.h - the numbers that the figures of a run are drawn from, as CSV files for
 * gnuplot (the scripts *.gp beside this file), and what stands under each figure.
 */
#ifndef PAPER_FIGURES_H
#define PAPER_FIGURES_H

#include <stdbool.h>

#include "paper/run.h"

struct figure {
    const char *id;    /* "figure2": its script figure2.gp, its data figure2*.csv */
    const char *title; /* "Figure 2: ..." */
    char *caption;     /* what is to be seen, and what it was made from */
    bool drawn;        /* there is something to draw */
};

/*
 * Writes FOLDER/ID*.csv of every figure that has something to show, removes those (and
 * the pictures) of the others, and FOLDER/captions.md. *figures: allocated, ended with
 * figures_free(). Returns how many.
 */
int figures_write(struct run *run, const char *folder, struct figure **figures);
void figures_free(struct figure *figures, int n);

#endif
