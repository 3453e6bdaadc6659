/*
 * claims.h - what a run can say, and what it cannot: sentences with their numbers and
 * intervals, for the top of the report.
 */
#ifndef PAPER_CLAIMS_H
#define PAPER_CLAIMS_H

#include "paper/run.h"

enum { CLAIMS_MAX = 32 };

struct claims {
    int n;
    char *text[CLAIMS_MAX];
    bool limit[CLAIMS_MAX]; /* something that the run cannot say */
};

void claims_collect(struct claims *claims, struct run *run);
void claims_release(struct claims *claims);

#endif
