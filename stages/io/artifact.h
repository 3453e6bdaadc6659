/*
 * artifact.h - a stage's result: one HDF5 file that explains itself.
 *
 * Written under a temporary name, closed, flushed to disk and renamed last: a file
 * under its final name is complete and is never changed afterwards. Root attributes say
 * what it is and what made it: description, stage, format, code, libraries, config (the
 * effective YAML), inputs (path and digest of each), seed, threads, cpu, started,
 * finished, digest. Every array carries `description` and `units` and is checksummed
 * (Fletcher32, chunked).
 *
 * The digest is over the names, types, shapes and bytes of all arrays and of the
 * scalars written with artifact_write_*(), except those in the group "measured" (times
 * and rates, which differ from run to run): two runs with the same bits have the same
 * digest. It is the SHA-256 of one line for each array, in the order of their names:
 * "name type shape sha256:...\n", as in "train/labels i32 55000 sha256:...", the last
 * word being the digest of its elements (texts each with a final NUL).
 *
 * Every call that fails at the file level dies with the file's name, what was found and
 * what was expected. One thread at a time (HDF5 is not thread-safe).
 */
#ifndef IO_ARTIFACT_H
#define IO_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARTIFACT_FORMAT = 1, ARTIFACT_DIGEST_SIZE = 72, ARTIFACT_RANK_MAX = 5 };

enum array_type { ARRAY_F32, ARRAY_F64, ARRAY_I32, ARRAY_I64, ARRAY_U8, ARRAY_TEXT };

/* What made the file. `in` are the files it was made from, recorded with their digests
 * as they were, or as `in_digest` says they were when the stage began. */
struct artifact_origin {
    const char *stage;  /* "greedy" */
    const char *config; /* the effective YAML, as text; may be "" */
    uint64_t seed;
    int threads;
    const char *const *in;
    int n_in;
    const char *const *in_digest; /* one of each, or NULL: taken from the files now */
    /* A further input that is no artifact, and the digest of its bytes; or NULL. */
    const char *plain, *plain_digest;
};

struct artifact; /* being written or read */

struct artifact *artifact_create(const char *path,
                                 const struct artifact_origin *origin);
/*
 * For more bytes than memory holds. Makes a file of any name with nothing in it but
 * room for a vector of n >= 1 bytes, `name`, and returns where in the file that lies:
 * the caller fills it with pwrite(), in more than one process if it likes. Such an
 * array has no checksum but the artifact's digest.
 */
size_t artifact_reserve(const char *file, const char *name, size_t n, const char *units,
                        const char *description);
/*
 * Makes an artifact of it: the digest takes one reading of the array; the file keeps
 * its name until it is committed. Whatever ends that early leaves the array's bytes in
 * it, in place. Returns NULL when the process was told to stop (stop.h).
 */
struct artifact *artifact_create_from(const char *file, const char *path,
                                      const struct artifact_origin *origin);
/*
 * Takes everything but the bytes of the array out again: what an end before the commit
 * has left, whatever its state, can be begun with anew. False, and nothing is changed,
 * when the array would be elsewhere than at `place` (made by another HDF5).
 */
bool artifact_reserve_again(const char *file, const char *name, size_t n, size_t place,
                            const char *units, const char *description);
/*
 * Writes an array under "group/name" (groups are made as needed); data is dense,
 * row-major; ARRAY_TEXT data is `const char *const *`. A dimension may be 0.
 */
void artifact_write(struct artifact *artifact, const char *name, enum array_type type,
                    int rank, const size_t *shape, const void *data, const char *units,
                    const char *description);
/* Rank-1 and scalar forms. */
void artifact_write_vector(struct artifact *artifact, const char *name,
                           enum array_type type, size_t n, const void *data,
                           const char *units, const char *description);
void artifact_write_f64(struct artifact *artifact, const char *name, double value,
                        const char *units, const char *description);
void artifact_write_i64(struct artifact *artifact, const char *name, int64_t value,
                        const char *units, const char *description);
void artifact_write_text(struct artifact *artifact, const char *name, const char *value,
                         const char *description);
/* An attribute `description` on a group that was made by writing into it. */
void artifact_describe(struct artifact *artifact, const char *group,
                       const char *description);
/* Digest, finished date, close, fsync, rename, fsync of the folder. Frees. */
void artifact_commit(struct artifact *artifact);
/* The same, but a file that has the name already is kept as `previous`, once the new
 * one is complete on disk. */
void artifact_commit_keeping(struct artifact *artifact, const char *previous);
/* Gives up: closes and removes the temporary file (unless artifact_create_from() has
 * it). Frees. NULL is allowed. */
void artifact_abandon(struct artifact *artifact);

/* The path of something that belongs to an artifact: "r/greedy.h5", ".status.yaml" ->
 * "r/greedy.status.yaml". The caller frees. */
char *artifact_sibling(const char *path, const char *ending);

/*
 * Opens a complete artifact made by `stage` (NULL: any) and checks format, completeness
 * and the checksums of what is read. Dies with what was found and what was expected.
 */
struct artifact *artifact_open(const char *path, const char *stage);
/* The same for a caller who goes on: NULL with the reason, which it frees. */
struct artifact *artifact_try_open(const char *path, const char *stage, char **why);
void artifact_close(struct artifact *artifact); /* NULL is allowed */
const char *artifact_path(const struct artifact *artifact);

/* Shape of an array; returns its rank; -1 if there is none of that name. */
int artifact_shape(struct artifact *artifact, const char *name,
                   size_t shape[ARTIFACT_RANK_MAX]);
bool artifact_has(struct artifact *artifact, const char *name);
/* Where in the file an array lies that artifact_reserve() made room for; 0 for others.
 */
size_t artifact_place(struct artifact *artifact, const char *name);
/* Reads into `data`; shape and type have to match (die otherwise; any integer converts
 * to any wider integer, f32 to f64). */
void artifact_read(struct artifact *artifact, const char *name, enum array_type type,
                   int rank, const size_t *shape, void *data);
double artifact_read_f64(struct artifact *artifact, const char *name);
int64_t artifact_read_i64(struct artifact *artifact, const char *name);
/* A text scalar; a root attribute as text (a number in decimal, several strings with a
 * newline between them). The caller frees; NULL if absent. */
char *artifact_read_text(struct artifact *artifact, const char *name);
char *artifact_attribute(struct artifact *artifact, const char *name);
/* All strings of an ARRAY_TEXT vector: *n of them, one free() for the whole. */
char **artifact_read_texts(struct artifact *artifact, const char *name, size_t *n);
/* The digest that was recorded: "sha256:" and 64 digits. */
void artifact_digest(struct artifact *artifact, char digest[ARTIFACT_DIGEST_SIZE]);

/* Reads every array (which checks every checksum) and compares the digest. Returns NULL
 * if all is well, else a message that the caller frees. Never dies. */
char *artifact_verify(const char *path);

#endif
