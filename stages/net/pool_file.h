/* pool_file.h - the candidate pool in artifacts, its history in checkpoints. */
#ifndef NET_POOL_FILE_H
#define NET_POOL_FILE_H

#include "io/artifact.h"
#include "nas/pool.h"

/* pool/paths and pool/loss, best first. */
void pool_save(const struct pool *pool, struct artifact *artifact);
/* Offers every saved path to an empty pool. */
void pool_load(struct pool *pool, struct artifact *artifact);

/* The remembered pools from which the turnover is computed. */
void pool_save_history(const struct pool *pool, struct artifact *artifact);
void pool_load_history(struct pool *pool, struct artifact *artifact);

#endif
