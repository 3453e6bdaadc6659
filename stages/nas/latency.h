/*
 * latency.h - how long the parts of a network take on one device, and so a path: the
 * sum of its parts.
 *
 * A part is known by its key, in the form of the public tables of ProxylessNAS:
 *
 *   Conv-input:224x224x3-output:112x112x32                      the stem
 *   expanded_conv-input:112x112x16-output:56x56x32-expand:3-kernel:5-stride:2-idskip:0
 *   Conv_1-input:7x7x320-output:7x7x1280                        the head
 *   Logits-input:7x7x1280-output:1000                           pooling and classifier
 *
 * idskip:1 is a block with a residual connection. Two forms are ours: `-se:1` follows a
 * block with squeeze-and-excitation, and what is no MBConv begins with its name: an
 * identity that changes the shape (a 1 x 1 convolution) is
 * `identity-input:...-output:...-stride:2`, likewise `shuffle5-input:...`. An identity
 * that keeps the shape takes no time and has no key. A table is that of one device, one
 * batch size, and one choice of activations; it does not know which.
 */
#ifndef NAS_LATENCY_H
#define NAS_LATENCY_H

#include <stdint.h>
#include <stdio.h>

#include "io/artifact.h"
#include "io/digest.h"
#include "nas/cost.h"

enum { LATENCY_KEY_SIZE = 128 };

/* Keys of a space's parts; "" for a part that takes no time. */
void latency_key_of_block(const struct op *op, const struct block_place *place,
                          char key[LATENCY_KEY_SIZE]);
void latency_key_of_stem(const struct space *space, char key[LATENCY_KEY_SIZE]);
void latency_key_of_head(const struct space *space, char key[LATENCY_KEY_SIZE]);
void latency_key_of_classifier(const struct space *space, char key[LATENCY_KEY_SIZE]);

struct latency_entry {
    char key[LATENCY_KEY_SIZE];
    double ms;           /* per network evaluation */
    double deviation_ms; /* of the repetitions */
    int64_t count;       /* repetitions */
};

/* Entries in the order they were added; keys are distinct. */
struct latency_table {
    int n, capacity;
    struct latency_entry *entry;
    /* private: numbers of entries by the hash of their keys, -1: none */
    int n_slots, *slot;
};

void latency_table_init(struct latency_table *table);
void latency_table_release(struct latency_table *table);
/* Adds, or returns, the entry of that key. */
struct latency_entry *latency_table_at(struct latency_table *table, const char *key);
/* The entry, or NULL. */
const struct latency_entry *latency_table_find(const struct latency_table *table,
                                               const char *key);
/* An entry for each distinct part of the space, its time NAN. */
void latency_table_list(struct latency_table *table, const struct space *space);

/*
 * The public form: a mapping of keys to {count, mean, var}, times in milliseconds.
 * Reads all of the file or dies with every problem (`file:line:column`); the table is
 * empty before. digest: of the file's bytes; NULL: not wanted.
 */
void latency_table_read_yaml(struct latency_table *table, const char *path,
                             char digest[DIGEST_SIZE]);
void latency_table_write_yaml(const struct latency_table *table, FILE *out);
/* As arrays under latency/; load dies on what is no such table. */
void latency_table_save(const struct latency_table *table, struct artifact *artifact);
void latency_table_load(struct latency_table *table, struct artifact *artifact);

/* NULL if every part of the space has a time, else their keys, one a line, and how
 * many; the caller frees. */
char *latency_missing(const struct latency_table *table, const struct space *space);
/* Gives every (layer, op) of the costs its latency; nothing may be missing. */
void cost_table_set_latency(struct cost_table *cost, const struct space *space,
                            const struct latency_table *table);

#endif
