/*
 * truth.h - known accuracies of paths: what each network reaches when it is trained
 * alone. What rankings by a supernet are meant to foretell.
 *
 * A table with one row for each path and one accuracy for each run of its training, in
 * any unit: only their order counts. As CSV
 *
 *   path,accuracy,accuracy
 *   k3e3 id k5e6 k3e3,93.06,92.81
 *
 * where the first line may be a header (it begins with "path"), empty lines and those
 * that begin with # are skipped, and a path may also be written as digits, one a layer:
 * 0 is the first of the space's choices ("0213", as NAS-Bench-Macro does). Or as HDF5
 * with the arrays `paths`, integers [paths, layers], such indices, and `accuracy`,
 * numbers [paths] or [paths, runs].
 */
#ifndef NAS_TRUTH_H
#define NAS_TRUTH_H

#include "base/rng.h"
#include "io/digest.h"
#include "nas/path.h"

enum { TRUTH_RUNS_MAX = 16 };

struct truth {
    char *file, digest[DIGEST_SIZE]; /* of all bytes of the file */
    int n, n_runs;
    struct path *path; /* sorted, distinct */
    double *run;       /* [n][n_runs] */
    double *accuracy;  /* [n] means over the runs */
};

/* Reads all of it, or dies with every problem (CSV: `file:line: ...`). */
struct truth *truth_read(const char *file, const struct space *space);
void truth_free(struct truth *truth); /* NULL is allowed */
/* Keeps n of its paths, drawn at random; all if it has no more. */
void truth_draw(struct truth *truth, struct rng *rng, int n);

#endif
