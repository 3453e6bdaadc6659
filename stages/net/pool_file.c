/* pool_file.c - see pool_file.h. */
#include "net/pool_file.h"

#include <stdlib.h>

#include "base/die.h"
#include "base/memory.h"
#include "net/paths_file.h"

void pool_save(const struct pool *pool, struct artifact *artifact)
{
    size_t n = (size_t)pool_size(pool);
    struct path *path = memory_zeroed(n + 1, sizeof(*path));
    double *loss = memory_zeroed(n + 1, sizeof(*loss));
    for (size_t i = 0; i < n; i++)
        path[i] = *pool_at(pool, (int)i, &loss[i]);
    paths_save(artifact, "pool/paths", path, n, "the candidate pool, best first");
    artifact_write_vector(artifact, "pool/loss", ARRAY_F64, n, loss, "nats",
                          "each path's newest surrogate loss");
    artifact_describe(artifact, "pool", "the best paths that training met");
    free(path);
    free(loss);
}

void pool_load(struct pool *pool, struct artifact *artifact)
{
    struct path *path;
    size_t n = paths_load(artifact, "pool/paths", &path);
    double *loss = memory_zeroed(n + 1, sizeof(*loss));
    artifact_read(artifact, "pool/loss", ARRAY_F64, 1, &n, loss);
    for (size_t i = 0; i < n; i++)
        pool_offer(pool, &path[i], loss[i]);
    free(path);
    free(loss);
}

void pool_save_history(const struct pool *pool, struct artifact *artifact)
{
    int n, *size;
    int64_t *step;
    struct path *path;
    pool_history(pool, &n, &step, &size, &path);
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += (size_t)size[i];
    artifact_write_vector(artifact, "pool/history/step", ARRAY_I64, (size_t)n, step,
                          "steps", "when each remembered pool was remembered");
    artifact_write_vector(artifact, "pool/history/size", ARRAY_I32, (size_t)n, size,
                          "paths", "paths in each remembered pool");
    paths_save(artifact, "pool/history/paths", path, total,
               "all remembered pools, one after another");
    artifact_describe(artifact, "pool/history",
                      "earlier pools, which turnover is measured against");
    free(step);
    free(size);
    free(path);
}

void pool_load_history(struct pool *pool, struct artifact *artifact)
{
    size_t shape[ARTIFACT_RANK_MAX];
    if (artifact_shape(artifact, "pool/history/step", shape) != 1)
        die("'%s': no vector 'pool/history/step', expected one",
            artifact_path(artifact));
    size_t n = shape[0], total = 0;
    int64_t *step = memory_zeroed(n + 1, sizeof(*step));
    int *size = memory_zeroed(n + 1, sizeof(*size));
    struct path *path;
    artifact_read(artifact, "pool/history/step", ARRAY_I64, 1, &n, step);
    artifact_read(artifact, "pool/history/size", ARRAY_I32, 1, &n, size);
    size_t found = paths_load(artifact, "pool/history/paths", &path);
    for (size_t i = 0; i < n; i++) {
        if (size[i] < 0)
            die("'%s': 'pool/history/size' has %d, expected none below 0",
                artifact_path(artifact), size[i]);
        total += (size_t)size[i];
    }
    if (found != total)
        die("'%s': 'pool/history/paths' has %zu paths, expected %zu",
            artifact_path(artifact), found, total);
    pool_restore_history(pool, (int)n, step, size, path);
    free(step);
    free(size);
    free(path);
}
