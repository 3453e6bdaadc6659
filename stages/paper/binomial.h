/*
 * binomial.h - what a share of n trials tells: how sure it is, and how likely another
 * one is.
 */
#ifndef PAPER_BINOMIAL_H
#define PAPER_BINOMIAL_H

/*
 * Wilson's 95 % interval of a share that was seen in n trials (images classified right
 * of n). NAN for n < 1.
 */
void binomial_interval(double share, double n, double *low, double *high);

/*
 * Newcombe's 95 % interval of share - other, of n and m different images, from the two
 * intervals above: it does not shrink to nothing where a share is 0 or 1. NAN for n < 1
 * or m < 1.
 */
void binomial_difference(double share, double n, double other, double m, double *low,
                         double *high);

/*
 * Theorem 1 of the GreedyNAS paper: the chance that of m paths, drawn at random from a
 * space of which the share q is good, at least k are good. 0 <= k <= m.
 */
double binomial_at_least(int m, int k, double q);

#endif
