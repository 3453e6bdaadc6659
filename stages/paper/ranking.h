/*
 * ranking.h - what rankcorr.h5 says: how well few images rank paths, for several
 * supernets (Table 3, Figure 4).
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
    int **images;    /* numbers of images that ranked */
    int *n_images;
    char **stratum; /* "all", "top20", "feasible" */
    size_t n_strata;
    long paths;
};

/* NULL if there is no rankcorr.h5. */
struct ranking *ranking_read(struct sources *sources);
void ranking_free(struct ranking *ranking); /* NULL is allowed */

/* Index of a name; -1 if there is none. */
int ranking_supernet(const struct ranking *ranking, const char *supernet);
int ranking_stratum(const struct ranking *ranking, const char *stratum);
/* 3000 of "uniform@3000"; -1 of a supernet that is no snapshot. */
long ranking_snapshot_step(const char *supernet);

/* measure: "kendall/by_loss", "spearman/by_accuracy", ...; indices as above. NAN: not
 * recorded, too. */
struct correlation ranking_correlation(const struct ranking *ranking, int supernet,
                                       const char *measure, int stratum, int image);

#endif
