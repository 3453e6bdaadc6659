/*
 * provenance.h - where a run's numbers come from: every artifact, what made it, from
 * what, and what it cost in time.
 */
#ifndef PAPER_PROVENANCE_H
#define PAPER_PROVENANCE_H

#include "paper/run.h"
#include "paper/table.h"

/* Names of all artifacts of a run, those of its folders too; one free() for each and
 * for the list. */
char **provenance_artifacts(const struct run *run, size_t *n);

/* A row for each: digest, seed, code, processor, threads, when. */
struct table *table_of_artifacts(struct run *run);
/* A row for each that trained or scored: images and wall time. */
struct table *table_of_work(struct run *run);

/*
 * What does not fit together: an artifact that was made from another version of its
 * input than the one that is there. NULL if all fits; the caller frees.
 *
 * An input is looked for at its place in this run, so that a run may be moved or
 * copied, and else, as images are, where it was when the artifact was made.
 */
char *provenance_mismatch(struct run *run, const char *name);
/* The inputs of all artifacts that are in neither place: "data/a.h5, known.csv". NULL
 * if all are there; the caller frees. */
char *provenance_unchecked(struct run *run);

/* The images that a run was trained on: "fashion-mnist"; NULL if nothing says so. The
 * caller frees. */
char *provenance_dataset(struct run *run);

#endif
