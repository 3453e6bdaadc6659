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

static void read_supernets(struct ranking *ranking)
{
    size_t n;
    char **name = artifact_read_texts(ranking->artifact, "supernet_names", &n);
    n = name ? n : 0;
    ranking->supernet = memory_zeroed(n + 1, sizeof(*ranking->supernet));
    ranking->images = memory_zeroed(n + 1, sizeof(*ranking->images));
    ranking->n_images = memory_zeroed(n + 1, sizeof(*ranking->n_images));
    for (size_t i = 0; i < n; i++) {
        ranking->supernet[ranking->n_supernets] = memory_text_copy(name[i]);
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

long ranking_snapshot_step(const char *supernet)
{
    const char *at = strchr(supernet, '@');
    return at ? strtol(at + 1, NULL, 10) : -1;
}

static double value_at(const struct ranking *ranking, int supernet, const char *measure,
                       const char *which, size_t index)
{
    size_t shape[ARTIFACT_RANK_MAX];
    double value = (double)NAN;
    char *name =
        memory_format("%s%s/%s%s", prefix, ranking->supernet[supernet], measure, which);
    if (artifact_shape(ranking->artifact, name, shape) == 2 &&
        index < shape[0] * shape[1]) {
        double *all = memory_zeroed(shape[0] * shape[1], sizeof(*all));
        artifact_read(ranking->artifact, name, ARRAY_F64, 2, shape, all);
        value = all[index];
        free(all);
    }
    free(name);
    return value;
}

struct correlation ranking_correlation(const struct ranking *ranking, int supernet,
                                       const char *measure, int stratum, int image)
{
    size_t index =
        (size_t)stratum * (size_t)ranking->n_images[supernet] + (size_t)image;
    return (struct correlation){
        value_at(ranking, supernet, measure, "", index),
        value_at(ranking, supernet, measure, "_low", index),
        value_at(ranking, supernet, measure, "_high", index),
    };
}
