#include "net/agreement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "net/paths_file.h"

void agreement_release(struct agreement *agreement)
{
    for (int s = 0; s < agreement->n_supernets; s++) {
        free(agreement->supernet[s].name);
        free(agreement->supernet[s].origin);
        free(agreement->supernet[s].score);
    }
    free(agreement->supernet);
    free(agreement->path);
    free(agreement->cost);
    free(agreement->feasible);
    free(agreement->image);
    free(agreement->image_origin);
    free(agreement->calibration);
}

struct judged *agreement_add(struct agreement *agreement, const char *name,
                             const char *origin, int64_t step)
{
    size_t n = (size_t)agreement->n_paths * (size_t)(agreement->n_few + 1);
    agreement->supernet =
        memory_resized(agreement->supernet, (size_t)agreement->n_supernets + 1,
                       sizeof(agreement->supernet[0]));
    struct judged *judged = &agreement->supernet[agreement->n_supernets++];
    *judged = (struct judged){memory_text_copy(name), memory_text_copy(origin), step,
                              memory_zeroed(n + 1, sizeof(judged->score[0]))};
    for (size_t i = 0; i < n; i++)
        judged->score[i] = (struct score){(double)NAN, (double)NAN};
    return judged;
}

/* --- Saving ----------------------------------------------------------------------- */

static void save_paths(const struct agreement *a, struct artifact *artifact)
{
    size_t n = (size_t)a->n_paths;
    int64_t *flops = memory_zeroed(n + 1, sizeof(*flops));
    int64_t *params = memory_zeroed(n + 1, sizeof(*params));
    for (size_t i = 0; i < n; i++) {
        flops[i] = a->cost[i].flops;
        params[i] = a->cost[i].params;
    }
    space_save(artifact, a->space);
    paths_save(artifact, "paths/paths", a->path, n, "the paths that are ranked");
    artifact_write_vector(artifact, "paths/flops", ARRAY_I64, n, flops, "multiply-adds",
                          "cost of one image");
    artifact_write_vector(artifact, "paths/params", ARRAY_I64, n, params, "parameters",
                          "weights, biases and BN's two per channel");
    artifact_write_vector(artifact, "paths/feasible", ARRAY_U8, n, a->feasible, "1",
                          "1: within search.constraints");
    artifact_describe(artifact, "paths", "random paths, sorted");
    free(flops);
    free(params);
}

static void save_images(const struct agreement *a, struct artifact *artifact)
{
    artifact_write_vector(artifact, "validation/image", ARRAY_I32, (size_t)a->n_images,
                          a->image, "index",
                          "validation images; N of them are the first N");
    artifact_write_text(artifact, "validation/origin", a->image_origin,
                        "digest of the images' artifact");
    artifact_write_vector(
        artifact, "recalibration/image", ARRAY_I32, (size_t)a->n_calibration,
        a->calibration, "index",
        "training images whose statistics BN takes (rankcorr.bn: recalibrate)");
    artifact_describe(artifact, "validation", "the images that judge paths");
    artifact_describe(artifact, "recalibration",
                      "none of them with rankcorr.bn: batch");
}

/* Loss and accuracy after `column` numbers of images, for the shard's paths. */
static void gather(const struct agreement *a, const struct judged *judged,
                   const struct shard *shard, int column, double *loss,
                   double *accuracy)
{
    for (int i = shard->first; i < shard->end; i++) {
        struct score score =
            judged->score[(size_t)i * (size_t)(a->n_few + 1) + (size_t)column];
        loss[i - shard->first] = score.loss;
        accuracy[i - shard->first] = score.accuracy;
    }
}

static void save_judged(const struct agreement *a, const struct judged *judged,
                        const struct shard *shard, struct artifact *artifact)
{
    size_t n = (size_t)(shard->end - shard->first), few = (size_t)a->n_few;
    double *loss = memory_zeroed((few + 1) * n + 1, sizeof(*loss));
    double *accuracy = memory_zeroed((few + 1) * n + 1, sizeof(*accuracy));
    for (size_t k = 0; k <= few; k++)
        gather(a, judged, shard, (int)k, loss + k * n, accuracy + k * n);
    char name[128];
#define ARRAY(array)                                                                   \
    (snprintf(name, sizeof(name), "supernets/%s/" array, judged->name), name)
    artifact_write_text(artifact, ARRAY("origin"), judged->origin,
                        "digest of the artifact that has the weights; none: initial "
                        "weights");
    artifact_write_i64(artifact, ARRAY("step"), judged->step, "steps",
                       "of training that the weights have had; -1: not known");
    artifact_write_vector(artifact, ARRAY("images"), ARRAY_I32, few, a->few, "images",
                          "the numbers of images that rank paths");
    artifact_write(artifact, ARRAY("loss"), ARRAY_F64, 2, (size_t[]){few, n}, loss,
                   "nats", "mean cross-entropy on so many images, of each path");
    artifact_write(artifact, ARRAY("accuracy"), ARRAY_F64, 2, (size_t[]){few, n},
                   accuracy, "1", "accuracy on so many images, of each path");
    artifact_write_vector(artifact, ARRAY("full_loss"), ARRAY_F64, n, loss + few * n,
                          "nats", "mean cross-entropy on all images");
    artifact_write_vector(artifact, ARRAY("full_accuracy"), ARRAY_F64, n,
                          accuracy + few * n, "1", "accuracy on all images");
#undef ARRAY
    free(loss);
    free(accuracy);
}

static void save_shard(const struct shard *shard, struct artifact *artifact)
{
    artifact_write_i64(artifact, "shard/index", shard->index, "1",
                       "which part this is, from 1");
    artifact_write_i64(artifact, "shard/of", shard->of, "1", "of how many parts");
    artifact_write_i64(artifact, "shard/first", shard->first, "index",
                       "the first path that is judged here");
    artifact_write_i64(artifact, "shard/end", shard->end, "index",
                       "the path after the last one");
    artifact_describe(artifact, "shard", "the part of the paths that was judged");
}

void agreement_save(const struct agreement *agreement, const struct shard *shard,
                    struct artifact *artifact)
{
    size_t n = (size_t)agreement->n_supernets;
    const char **name = memory_zeroed(n + 1, sizeof(*name));
    save_paths(agreement, artifact);
    save_images(agreement, artifact);
    for (size_t s = 0; s < n; s++) {
        name[s] = agreement->supernet[s].name;
        save_judged(agreement, &agreement->supernet[s], shard, artifact);
    }
    artifact_write_vector(artifact, "supernet_names", ARRAY_TEXT, n, name, "1",
                          "the supernets, in the order they were judged in");
    artifact_describe(artifact, "supernets",
                      "scores of every path by each supernet, and what rankings by "
                      "them are worth");
    if (shard->of)
        save_shard(shard, artifact);
    free(name);
}

/* --- Loading ---------------------------------------------------------------------- */

static char *origin_of(struct artifact *artifact, const char *name)
{
    char *array = memory_format("supernets/%s/origin", name);
    char *origin = artifact_read_text(artifact, array);
    if (!origin)
        die("'%s': no '%s', expected one for each of 'supernet_names'",
            artifact_path(artifact), array);
    free(array);
    return origin;
}

static int64_t step_of(struct artifact *artifact, const char *name)
{
    char *array = memory_format("supernets/%s/step", name);
    int64_t step =
        artifact_has(artifact, array) ? artifact_read_i64(artifact, array) : -1;
    free(array);
    return step;
}

static char **names_of(struct artifact *artifact, size_t *n)
{
    char **name = artifact_has(artifact, "supernet_names")
                      ? artifact_read_texts(artifact, "supernet_names", n)
                      : NULL;
    if (!name)
        die("'%s': no 'supernet_names', expected scores of paths by supernets",
            artifact_path(artifact));
    return name;
}

void agreement_load_supernets(struct agreement *agreement, struct artifact *artifact)
{
    size_t n;
    char **name = names_of(artifact, &n);
    for (size_t s = 0; s < n; s++) {
        char *origin = origin_of(artifact, name[s]);
        agreement_add(agreement, name[s], origin, step_of(artifact, name[s]));
        free(origin);
    }
    free(name);
}

static void check_supernets(const struct agreement *a, struct artifact *artifact)
{
    size_t n;
    char **name = names_of(artifact, &n);
    if (n != (size_t)a->n_supernets)
        die("'%s' has scores by %zu supernets, expected %d", artifact_path(artifact), n,
            a->n_supernets);
    for (size_t s = 0; s < n; s++) {
        const struct judged *expected = &a->supernet[s];
        char *origin = origin_of(artifact, name[s]);
        if (strcmp(name[s], expected->name) || strcmp(origin, expected->origin))
            die("'%s': its supernet %zu is '%s' (%s), expected '%s' (%s)",
                artifact_path(artifact), s, name[s], origin, expected->name,
                expected->origin);
        free(origin);
    }
    free(name);
}

static void check_paths(const struct agreement *a, struct artifact *artifact)
{
    struct path *path;
    size_t n = paths_load(artifact, "paths/paths", &path);
    if (n != (size_t)a->n_paths)
        die("'%s' is about %zu paths, expected %d", artifact_path(artifact), n,
            a->n_paths);
    for (size_t i = 0; i < n; i++)
        if (!path_equal(&path[i], &a->path[i]))
            die("'%s' is about other paths, from number %zu on: drawn with another "
                "seed, or from another rankcorr.truth",
                artifact_path(artifact), i);
    free(path);
}

static void check_images(const struct agreement *a, struct artifact *artifact)
{
    char *origin = artifact_read_text(artifact, "validation/origin");
    if (!origin || strcmp(origin, a->image_origin) != 0)
        die("'%s' was judged on images of %s, expected %s", artifact_path(artifact),
            origin ? origin : "nowhere", a->image_origin);
    free(origin);
}

struct shard agreement_load_shard(const struct agreement *agreement,
                                  struct artifact *artifact)
{
    if (!artifact_has(artifact, "shard/index"))
        die("'%s' is not a shard, expected one that was made with --shard",
            artifact_path(artifact));
    struct shard shard = {(int)artifact_read_i64(artifact, "shard/index"),
                          (int)artifact_read_i64(artifact, "shard/of"),
                          (int)artifact_read_i64(artifact, "shard/first"),
                          (int)artifact_read_i64(artifact, "shard/end")};
    if (shard.index < 1 || shard.index > shard.of)
        die("'%s' is shard %d of %d, expected 1 to %d", artifact_path(artifact),
            shard.index, shard.of, shard.of);
    if (shard.first < 0 || shard.end < shard.first || shard.end > agreement->n_paths)
        die("'%s' has the paths %d to %d, expected some of 0 to %d",
            artifact_path(artifact), shard.first, shard.end, agreement->n_paths);
    return shard;
}

static void load_judged(struct agreement *a, struct judged *judged,
                        const struct shard *shard, struct artifact *artifact)
{
    size_t n = (size_t)(shard->end - shard->first), few = (size_t)a->n_few;
    double *loss = memory_zeroed((few + 1) * n + 1, sizeof(*loss));
    double *accuracy = memory_zeroed((few + 1) * n + 1, sizeof(*accuracy));
    char name[128];
#define ARRAY(array)                                                                   \
    (snprintf(name, sizeof(name), "supernets/%s/" array, judged->name), name)
    artifact_read(artifact, ARRAY("loss"), ARRAY_F64, 2, (size_t[]){few, n}, loss);
    artifact_read(artifact, ARRAY("accuracy"), ARRAY_F64, 2, (size_t[]){few, n},
                  accuracy);
    artifact_read(artifact, ARRAY("full_loss"), ARRAY_F64, 1, &n, loss + few * n);
    artifact_read(artifact, ARRAY("full_accuracy"), ARRAY_F64, 1, &n,
                  accuracy + few * n);
#undef ARRAY
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= few; k++)
            judged->score[((size_t)shard->first + i) * (few + 1) + k] =
                (struct score){loss[k * n + i], accuracy[k * n + i]};
    free(loss);
    free(accuracy);
}

void agreement_load_scores(struct agreement *agreement, const struct shard *shard,
                           struct artifact *artifact)
{
    space_check(artifact, agreement->space);
    check_supernets(agreement, artifact);
    check_paths(agreement, artifact);
    check_images(agreement, artifact);
    for (int s = 0; s < agreement->n_supernets; s++)
        load_judged(agreement, &agreement->supernet[s], shard, artifact);
}
