#include "paper/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

static const char prefix[] = "supernets/";

static void read_images(struct ranking *ranking, int s)
{
    size_t shape[ARTIFACT_RANK_MAX];
    char *name = memory_format("%s%s/images", prefix, ranking->supernet[s]);
    if (artifact_shape(ranking->artifact, name, shape) != 1)
        die("'%s': '%s' is not a list of numbers of images",
            artifact_path(ranking->artifact), name);
    ranking->n_images[s] = (int)shape[0];
    ranking->images[s] = memory_zeroed(shape[0] + 1, sizeof(int));
    artifact_read(ranking->artifact, name, ARRAY_I32, 1, shape, ranking->images[s]);
    free(name);
}

/* Before it was recorded, a snapshot's name said it. */
static long read_step(const struct ranking *ranking, const char *supernet)
{
    const char *at = strchr(supernet, '@');
    long step = at ? strtol(at + 1, NULL, 10) : -1;
    char *name = memory_format("%s%s/step", prefix, supernet);
    if (artifact_has(ranking->artifact, name))
        step = (long)artifact_read_i64(ranking->artifact, name);
    free(name);
    return step;
}

static void read_supernets(struct ranking *ranking)
{
    size_t n;
    char **name = artifact_read_texts(ranking->artifact, "supernet_names", &n);
    n = name ? n : 0;
    ranking->supernet = memory_zeroed(n + 1, sizeof(*ranking->supernet));
    ranking->step = memory_zeroed(n + 1, sizeof(*ranking->step));
    ranking->images = memory_zeroed(n + 1, sizeof(*ranking->images));
    ranking->n_images = memory_zeroed(n + 1, sizeof(*ranking->n_images));
    for (size_t i = 0; i < n; i++) {
        ranking->supernet[ranking->n_supernets] = memory_text_copy(name[i]);
        ranking->step[ranking->n_supernets] = read_step(ranking, name[i]);
        read_images(ranking, ranking->n_supernets++);
    }
    free(name);
}

struct ranking *ranking_read(struct sources *sources)
{
    struct artifact *artifact = sources_artifact(sources, "rankcorr");
    if (!artifact)
        return NULL;
    struct ranking *ranking = memory_zeroed(1, sizeof *ranking);
    ranking->artifact = artifact;
    ranking->stratum = artifact_read_texts(artifact, "strata", &ranking->n_strata);
    size_t shape[ARTIFACT_RANK_MAX];
    if (artifact_shape(artifact, "paths/paths", shape) == 2)
        ranking->paths = (long)shape[0];
    if (artifact_shape(artifact, "validation/image", shape) == 1)
        ranking->all_images = (long)shape[0];
    if (artifact_has(artifact, "truth/runs") &&
        artifact_shape(artifact, "truth/runs", shape) == 2)
        ranking->truth_runs = (int)shape[1];
    read_supernets(ranking);
    return ranking;
}

void ranking_free(struct ranking *ranking)
{
    if (!ranking)
        return;
    for (int s = 0; s < ranking->n_supernets; s++) {
        free(ranking->supernet[s]);
        free(ranking->images[s]);
    }
    free(ranking->supernet);
    free(ranking->step);
    free(ranking->images);
    free(ranking->n_images);
    free(ranking->stratum);
    free(ranking);
}

int ranking_supernet(const struct ranking *ranking, const char *supernet)
{
    for (int s = 0; s < ranking->n_supernets; s++)
        if (strcmp(ranking->supernet[s], supernet) == 0)
            return s;
    return -1;
}

int ranking_stratum(const struct ranking *ranking, const char *stratum)
{
    for (size_t i = 0; i < ranking->n_strata; i++)
        if (strcmp(ranking->stratum[i], stratum) == 0)
            return (int)i;
    return -1;
}

bool ranking_is_snapshot(const char *supernet)
{
    return strchr(supernet, '@') != NULL;
}

int ranking_uniform_course(const struct ranking *ranking, int *order)
{
    static const char uniform[] = "uniform";
    int n = 0;
    for (int s = 0; s < ranking->n_supernets; s++) {
        size_t length = strcspn(ranking->supernet[s], "@");
        if (ranking->step[s] < 0 || length != strlen(uniform) ||
            strncmp(ranking->supernet[s], uniform, length) != 0)
            continue;
        int at = n++;
        for (; at > 0 && ranking->step[order[at - 1]] > ranking->step[s]; at--)
            order[at] = order[at - 1];
        order[at] = s;
    }
    return n;
}

void ranking_origin(const struct ranking *ranking, int supernet,
                    char text[SHORT_DIGEST_SIZE])
{
    char *name = memory_format("%s%s/origin", prefix, ranking->supernet[supernet]);
    char *digest = artifact_has(ranking->artifact, name)
                       ? artifact_read_text(ranking->artifact, name)
                       : NULL;
    digest_shorten(digest ? digest : "", text);
    free(digest);
    free(name);
}

static double value_at(const struct ranking *ranking, const char *array,
                       const char *which, size_t row, size_t column)
{
    size_t shape[ARTIFACT_RANK_MAX];
    double value = (double)NAN;
    char *name = memory_format("%s%s", array, which);
    if (artifact_shape(ranking->artifact, name, shape) == 2 && row < shape[0] &&
        column < shape[1]) {
        double *all = memory_zeroed(shape[0] * shape[1], sizeof(*all));
        artifact_read(ranking->artifact, name, ARRAY_F64, 2, shape, all);
        value = all[row * shape[1] + column];
        free(all);
    }
    free(name);
    return value;
}

static struct correlation correlation_at(const struct ranking *ranking,
                                         const char *array, int row, int column)
{
    return (struct correlation){
        value_at(ranking, array, "", (size_t)row, (size_t)column),
        value_at(ranking, array, "_low", (size_t)row, (size_t)column),
        value_at(ranking, array, "_high", (size_t)row, (size_t)column),
    };
}

struct correlation ranking_correlation(const struct ranking *ranking, int supernet,
                                       const char *measure, int stratum, int image)
{
    char *array =
        memory_format("%s%s/%s", prefix, ranking->supernet[supernet], measure);
    struct correlation correlation = correlation_at(ranking, array, stratum, image);
    free(array);
    return correlation;
}

struct correlation ranking_of_truth(const struct ranking *ranking, const char *measure,
                                    int stratum, int pair)
{
    char *array = memory_format("truth/%s", measure);
    struct correlation correlation = correlation_at(ranking, array, stratum, pair);
    free(array);
    return correlation;
}

void ranking_pair(const struct ranking *ranking, int pair, int *run, int *other)
{
    *run = 0;
    *other = 1;
    while (pair-- > 0)
        if (++*other == ranking->truth_runs)
            *other = ++*run + 1;
}
