#include "nas/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

struct entry {
    struct path path;
    double loss;
};

/* The pool as it stood after a step; its paths sorted by genotype. */
struct snapshot {
    int64_t step;
    int size;
    struct path *path;
};

struct pool {
    int size, capacity;
    struct entry *entry; /* sorted, best first; one place more than the capacity */
    int n_snapshots, snapshot_capacity;
    struct snapshot *snapshot; /* oldest first */
};

struct pool *pool_create(int capacity)
{
    BUG_IF(capacity < 1);
    struct pool *pool = memory_zeroed(1, sizeof *pool);
    pool->capacity = capacity;
    pool->entry = memory_zeroed((size_t)capacity + 1, sizeof *pool->entry);
    return pool;
}

/* Drops the oldest snapshots. */
static void forget(struct pool *pool, int n)
{
    if (n == 0)
        return;
    for (int i = 0; i < n; i++)
        free(pool->snapshot[i].path);
    pool->n_snapshots -= n;
    memmove(pool->snapshot, pool->snapshot + n,
            (size_t)pool->n_snapshots * sizeof *pool->snapshot);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    forget(pool, pool->n_snapshots);
    free(pool->snapshot);
    free(pool->entry);
    free(pool);
}

int pool_size(const struct pool *pool)
{
    return pool->size;
}

int pool_capacity(const struct pool *pool)
{
    return pool->capacity;
}

static int find(const struct pool *pool, const struct path *path)
{
    for (int i = 0; i < pool->size; i++)
        if (path_equal(&pool->entry[i].path, path))
            return i;
    return -1;
}

static bool better(const struct entry *a, const struct entry *b)
{
    if (a->loss != b->loss)
        return a->loss < b->loss;
    return path_compare(&a->path, &b->path) < 0;
}

static void take_out(struct pool *pool, int at)
{
    pool->size--;
    memmove(&pool->entry[at], &pool->entry[at + 1],
            (size_t)(pool->size - at) * sizeof *pool->entry);
}

/* The last one falls out when there are too many. Returns where the entry went, which
 * is `capacity` if it is itself the one that fell out. */
static int put_in(struct pool *pool, const struct path *path, double loss)
{
    const struct entry entry = {*path, loss};
    int at = pool->size;
    for (; at > 0 && better(&entry, &pool->entry[at - 1]); at--)
        pool->entry[at] = pool->entry[at - 1];
    pool->entry[at] = entry;
    if (pool->size < pool->capacity)
        pool->size++;
    return at;
}

bool pool_offer(struct pool *pool, const struct path *path, double loss)
{
    int at = find(pool, path);
    if (at >= 0)
        take_out(pool, at);
    return isfinite(loss) && put_in(pool, path, loss) < pool->capacity;
}

bool pool_refresh(struct pool *pool, const struct path *path, double loss)
{
    return pool_contains(pool, path) && pool_offer(pool, path, loss);
}

bool pool_contains(const struct pool *pool, const struct path *path)
{
    return find(pool, path) >= 0;
}

void pool_update(struct pool *pool, const struct path *paths, const double *losses,
                 int n, int kept, bool refresh)
{
    BUG_IF(kept < 0 || kept > n);
    bool *member = memory_zeroed((size_t)n + 1, sizeof *member);
    for (int i = 0; i < n; i++)
        member[i] = pool_contains(pool, &paths[i]);
    for (int i = 0; i < n && refresh; i++)
        pool_refresh(pool, &paths[i], losses[i]);
    for (int i = 0; i < kept; i++)
        if (!member[i])
            pool_offer(pool, &paths[i], losses[i]);
    free(member);
}

const struct path *pool_at(const struct pool *pool, int i, double *loss)
{
    BUG_IF(i < 0 || i >= pool->size);
    if (loss != NULL)
        *loss = pool->entry[i].loss;
    return &pool->entry[i].path;
}

static void add_snapshot(struct pool *pool, int64_t step, int size, struct path *path)
{
    if (pool->n_snapshots == pool->snapshot_capacity) {
        pool->snapshot_capacity = 2 * pool->snapshot_capacity + 8;
        pool->snapshot = memory_resized(pool->snapshot, (size_t)pool->snapshot_capacity,
                                        sizeof *pool->snapshot);
    }
    qsort(path, (size_t)size, sizeof *path, path_by_genotype);
    pool->snapshot[pool->n_snapshots++] = (struct snapshot){step, size, path};
}

/* The latest snapshot that is at least `window` steps old, or -1. */
static int snapshot_before(const struct pool *pool, int64_t step, int64_t window)
{
    int i = pool->n_snapshots - 1;
    while (i >= 0 && pool->snapshot[i].step > step - window)
        i--;
    return i;
}

void pool_remember(struct pool *pool, int64_t step, int64_t window)
{
    int last = pool->n_snapshots - 1;
    BUG_IF(window < 1 || (last >= 0 && pool->snapshot[last].step >= step));
    struct path *path = memory_zeroed((size_t)pool->size + 1, sizeof *path);
    for (int i = 0; i < pool->size; i++)
        path[i] = pool->entry[i].path;
    add_snapshot(pool, step, pool->size, path);
    /* Later calls look back to this step - window or later. */
    int oldest_needed = snapshot_before(pool, step, window);
    if (oldest_needed > 0)
        forget(pool, oldest_needed);
}

double pool_turnover(const struct pool *pool, int64_t step, int64_t window)
{
    int then = snapshot_before(pool, step, window);
    if (then < 0 || pool->size < pool->capacity)
        return 1.0;
    const struct snapshot *old = &pool->snapshot[then];
    int newcomers = 0;
    for (int i = 0; i < pool->size; i++)
        newcomers += bsearch(&pool->entry[i].path, old->path, (size_t)old->size,
                             sizeof *old->path, path_by_genotype) == NULL;
    return (double)newcomers / pool->size;
}

void pool_history(const struct pool *pool, int *n, int64_t **step, int **size,
                  struct path **paths)
{
    size_t count = (size_t)pool->n_snapshots, total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += (size_t)pool->snapshot[i].size;
    *n = pool->n_snapshots;
    *step = memory_zeroed(count + 1, sizeof **step);
    *size = memory_zeroed(count + 1, sizeof **size);
    *paths = memory_zeroed(total + 1, sizeof **paths);
    for (size_t i = 0; i < count; i++) {
        const struct snapshot *snapshot = &pool->snapshot[i];
        (*step)[i] = snapshot->step;
        (*size)[i] = snapshot->size;
        memcpy(*paths + at, snapshot->path, (size_t)snapshot->size * sizeof **paths);
        at += (size_t)snapshot->size;
    }
}

void pool_restore_history(struct pool *pool, int n, const int64_t *step,
                          const int *size, const struct path *paths)
{
    forget(pool, pool->n_snapshots);
    for (int i = 0; i < n; i++) {
        BUG_IF(size[i] < 0 || (i > 0 && step[i] <= step[i - 1]));
        struct path *copy = memory_zeroed((size_t)size[i] + 1, sizeof *copy);
        for (int p = 0; p < size[i]; p++)
            copy[p] = *paths++;
        add_snapshot(pool, step[i], size[i], copy);
    }
}
