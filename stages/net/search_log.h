/*
 * search_log.h - what a search has evaluated, and its result: kept while it runs,
 * written into search.h5, read back and printed.
 */
#ifndef NET_SEARCH_LOG_H
#define NET_SEARCH_LOG_H

#include <stdio.h>

#include "nas/cost.h"
#include "net/score.h"

/* One evaluated path. */
struct search_entry {
    struct path path;
    struct score score; /* on validation images, by the supernet's weights */
    struct cost cost;
    int generation; /* when it was evaluated; random search: 0 */
};

struct search_log {
    struct search_entry *entry; /* in the order of evaluation */
    long n;
    struct path_map *known; /* numbers are indices of `entry` */
    /* The population of each generation as indices of `entry`, best first, `population`
     * numbers a generation, -1 where it is smaller. */
    int n_generations, population;
    long *member;
    int initial_from_pool; /* paths of generation 0 that came from the pool */
    int64_t rejected_infeasible, rejected_duplicate;
    enum cost_figure minimised; /* beside the error: what the front is drawn along */
    bool has_latency;           /* costs have one, and it is kept */
};

/* The front is that of FLOPs, without latencies, unless the fields say otherwise. */
void search_log_init(struct search_log *log, int population);
void search_log_release(struct search_log *log);
/* The entry of a path, or NULL. */
const struct search_entry *search_log_find(const struct search_log *log,
                                           const struct path *path);
void search_log_add(struct search_log *log, const struct search_entry *entry);
/* One more generation with these members. */
void search_log_add_population(struct search_log *log, const struct path *const *path,
                               int n);

/* The most accurate entry: ties go to the lower loss, then to fewer FLOPs, then to the
 * genotype. -1 if there is none. */
long search_log_found(const struct search_log *log);
/* The entries that no other beats in both error and the cost that is minimised, by
 * rising cost; one of each point. *index: the caller frees. */
int search_log_front(const struct search_log *log, long **index);

/* All of it, into an artifact or checkpoint; and back. */
void search_log_save(const struct search_log *log, const struct space *space,
                     struct artifact *artifact);
void search_log_load(struct search_log *log, const struct cost_table *cost,
                     struct artifact *artifact);
/* The result: found path, front. Only into the finished artifact. */
void search_log_save_result(const struct search_log *log, const struct space *space,
                            struct artifact *artifact);

/* The report of a finished search, from its artifact alone. */
void search_result_print(struct artifact *artifact, FILE *out);

#endif
