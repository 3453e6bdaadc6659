/* evaluation.h - what evaluate/NAME.h5 says of a retrained network. */
#ifndef PAPER_EVALUATION_H
#define PAPER_EVALUATION_H

#include "paper/run.h"

struct evaluation {
    double top1, top5; /* shares of the test images */
    double images;     /* test images */
    double flops, params;
    /* One image on one thread: median and quartiles; NAN: not measured. */
    double latency_ms, latency_low, latency_high;
};

/* False if it is not there. network: "found". */
bool evaluation_read(struct sources *sources, const char *network,
                     struct evaluation *evaluation);

#endif
