/* evaluation.h - what evaluate/NAME.h5 says of a retrained network. */
#ifndef PAPER_EVALUATION_H
#define PAPER_EVALUATION_H

#include "paper/run.h"

struct evaluation {
    double top1, top5; /* shares of the test images; NAN: not recorded */
    double images;     /* test images */
    double loss;
    double flops, params;
    double latency_ms; /* one image, one thread; NAN: not measured */
};

/* False if it is not there. network: "found". */
bool evaluation_read(struct sources *sources, const char *network,
                     struct evaluation *evaluation);

#endif
