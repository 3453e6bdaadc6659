/*
 * published.h - what the GreedyNAS paper prints of costs, to stand beside what was
 * counted here. (What networks have been published is in configs/zoo.)
 */
#ifndef PAPER_PUBLISHED_H
#define PAPER_PUBLISHED_H

/* The columns of cost of the paper's Table 1, in images. */
struct published_cost {
    const char *supernet;     /* whose cost it is: "uniform" */
    const char *optimization; /* as printed: images of the training set x epochs */
    const char *evaluation;
    double corrected; /* millions */
};
/* NULL if the paper has no such row, or it is not known here; NULL for NULL. */
const struct published_cost *published_cost(const char *supernet);
/* One image through forward and backward costs as much as so many through forward. */
extern const double published_ratio;

#endif
