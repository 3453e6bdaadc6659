/* probe.c - see probe.h. */
#include "net/probe.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/rng.h"
#include "net/paths_file.h"

enum { PROBE_NUMBER = 0x7fffffff }; /* a surrogate batch that no round draws */

static double probe_loss(struct scorer *scorer, const struct path *path, uint64_t seed,
                         int images)
{
    const struct dataset *dataset = scorer_dataset(scorer);
    int *index = memory_zeroed((size_t)images, sizeof(int));
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, seed, RNG_SURROGATE,
                             PROBE_NUMBER, images, index);
    struct score score = score_one_batch(scorer, path, SPLIT_VALIDATION, index, images);
    free(index);
    return score.loss;
}

void probe_save(struct scorer *scorer, const struct path *path, uint64_t seed,
                struct artifact *artifact)
{
    int images = dataset_size(scorer_dataset(scorer), SPLIT_VALIDATION);
    if (images > PROBE_IMAGES_MAX)
        images = PROBE_IMAGES_MAX;
    paths_save(artifact, "probe/path", path, 1, "the path that the probe scores");
    artifact_write_i64(artifact, "probe/seed", (int64_t)seed, "1",
                       "seed that draws the probe's validation images");
    artifact_write_i64(artifact, "probe/images", images, "images",
                       "validation images that the probe is scored on");
    artifact_write_f64(artifact, "probe/loss", probe_loss(scorer, path, seed, images),
                       "nats",
                       "mean loss of the probe path with these weights, BN "
                       "statistics of the batch");
    artifact_describe(
        artifact, "probe",
        "whoever loads the weights scores this path anew and compares the loss");
}

void probe_check(struct scorer *scorer, struct artifact *artifact)
{
    struct path *path;
    size_t n = paths_load(artifact, "probe/path", &path);
    if (n != 1)
        die("'%s': 'probe/path' has %zu paths, expected 1", artifact_path(artifact), n);
    uint64_t seed = (uint64_t)artifact_read_i64(artifact, "probe/seed");
    int64_t images = artifact_read_i64(artifact, "probe/images");
    double expected = artifact_read_f64(artifact, "probe/loss");
    if (images < 1 || images > PROBE_IMAGES_MAX)
        die("'%s': 'probe/images' is %lld, expected 1 to %d", artifact_path(artifact),
            (long long)images, PROBE_IMAGES_MAX);
    double found = probe_loss(scorer, path, seed, (int)images);
    if (!(fabs(found - expected) <= 1e-3 * fmax(1, fabs(expected))))
        die("'%s': the probe path has loss %g with the loaded weights, expected %g as "
            "when "
            "they were saved: other data, or a broken kernel",
            artifact_path(artifact), found, expected);
    free(path);
}
