/*
 * ranking.h - what rankcorr.h5 says: how well few images rank paths, for several
 * supernets (Table 3, Figure 4); and how well, where they are known, the accuracies
 * that the paths reach when trained alone.
 */
#ifndef PAPER_RANKING_H
#define PAPER_RANKING_H

#include <stdbool.h>

#include "net/correlations.h"
#include "paper/run.h"

struct ranking {
    struct artifact *artifact; /* the run's */
    int n_supernets;
    char **supernet; /* "greedy", "uniform@3000" */
    long *step;      /* of training that its weights have had; -1: not known */
    int **images;    /* numbers of images that ranked */
    int *n_images;
    char **stratum; /* "all", "top20", "feasible" */
    size_t n_strata;
    long paths, all_images; /* that were ranked; validation images that stand for all */
    int truth_runs;         /* known accuracies of each path; 0: not known */
};

/* NULL if there is no rankcorr.h5. */
struct ranking *ranking_read(struct sources *sources);
void ranking_free(struct ranking *ranking); /* NULL is allowed */

/* Index of a name; -1 if there is none. */
int ranking_supernet(const struct ranking *ranking, const char *supernet);
int ranking_stratum(const struct ranking *ranking, const char *stratum);
/* "uniform@3000": weights from the midst of a training. */
bool ranking_is_snapshot(const char *supernet);
/* The uniform training's snapshots and its end, in the order of their steps: indices in
 * order[n_supernets]. Returns how many. */
int ranking_uniform_course(const struct ranking *ranking, int *order);

/* The first digits of its artifact's digest; "" for initial weights. */
void ranking_origin(const struct ranking *ranking, int supernet,
                    char text[SHORT_DIGEST_SIZE]);

/* measure: "kendall/by_loss", "spearman/by_accuracy", ...; with "truth/" before it:
 * with the known accuracies (an image more: the last is all of them). Indices as above.
 * NAN: not recorded, too. */
struct correlation ranking_correlation(const struct ranking *ranking, int supernet,
                                       const char *measure, int stratum, int image);
/* How well one run of the known accuracies ranks the paths as another does. measure:
 * "kendall" or "spearman"; pair: 0 to n (n - 1) / 2 - 1 of n runs, those of
 * ranking_pair(). */
struct correlation ranking_of_truth(const struct ranking *ranking, const char *measure,
                                    int stratum, int pair);
void ranking_pair(const struct ranking *ranking, int pair, int *run, int *other);

#endif
