#include "paper/counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool training_cost(struct sources *sources, const char *supernet,
                   struct training_cost *cost)
{
    struct artifact *artifact = sources_artifact(sources, supernet);
    if (!artifact)
        return false;
    *cost = training_cost_of(artifact);
    cost->optimization += training_cost_before(artifact);
    return true;
}

double training_cost_ratio(struct sources *sources)
{
    struct artifact *greedy = sources_artifact(sources, "greedy");
    if (!greedy)
        return (double)NAN;
    struct training_cost c = training_cost_of(greedy);
    return training_cost_ratio_of(&c);
}

bool found_read(struct sources *sources, const char *search, struct found *found)
{
    struct artifact *artifact = sources_artifact(sources, search);
    if (!artifact)
        return false;
    size_t shape[ARTIFACT_RANK_MAX] = {0}, images[ARTIFACT_RANK_MAX];
    artifact_shape(artifact, "evaluated/accuracy", shape);
    found->accuracy = artifact_read_f64(artifact, "found/accuracy");
    found->flops = artifact_read_i64(artifact, "found/flops");
    found->params = artifact_read_i64(artifact, "found/params");
    found->judged = (int64_t)shape[0];
    found->images = artifact_shape(artifact, "validation/image", images) == 1
                        ? (double)images[0]
                        : (double)NAN;
    return true;
}
