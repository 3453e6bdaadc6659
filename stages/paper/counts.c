#include "paper/counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether it went on from warm-up's weights: then it counted from warm-up's last step.
 */
static bool continues(struct artifact *supernet)
{
    return artifact_has(supernet, "counters/first_step") &&
           artifact_read_i64(supernet, "counters/first_step") > 0;
}

bool training_cost(struct sources *sources, const char *supernet,
                   struct training_cost *cost)
{
    struct artifact *artifact = sources_artifact(sources, supernet);
    if (!artifact)
        return false;
    *cost = training_cost_of(artifact);
    if (!continues(artifact))
        return true;
    struct artifact *warmup = sources_artifact(sources, "warmup");
    if (!warmup)
        return false;
    struct training_cost before = training_cost_of(warmup);
    cost->optimization += before.optimization;
    cost->evaluation += before.evaluation;
    cost->train_seconds += before.train_seconds;
    cost->score_seconds += before.score_seconds;
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
    size_t shape[ARTIFACT_RANK_MAX] = {0};
    artifact_shape(artifact, "evaluated/accuracy", shape);
    found->accuracy = artifact_read_f64(artifact, "found/accuracy");
    found->flops = artifact_read_i64(artifact, "found/flops");
    found->params = artifact_read_i64(artifact, "found/params");
    found->judged = (int64_t)shape[0];
    found->images =
        (double)artifact_read_i64(artifact, "counters/evaluation") / (double)shape[0];
    return true;
}
