/*
 * claims.h - what a run can say, and what it cannot: sentences with their numbers and
 * intervals, for the top of the report.
 */
#ifndef PAPER_CLAIMS_H
#define PAPER_CLAIMS_H

#include "paper/run.h"

struct claim {
    char *text;
    bool limit; /* something that the run cannot say */
};

struct claims {
    int n;
    struct claim *claim;
};

void claims_collect(struct claims *claims, struct run *run);
void claims_release(struct claims *claims);

#endif
