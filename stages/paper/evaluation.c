#include "paper/evaluation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* The first of a vector: one image at a time; NAN if there is none. */
static double first_of(struct artifact *artifact, const char *name)
{
    size_t shape[ARTIFACT_RANK_MAX];
    double value[8];
    if (artifact_shape(artifact, name, shape) != 1 || shape[0] < 1 || shape[0] > 8)
        return (double)NAN;
    artifact_read(artifact, name, ARRAY_F64, 1, shape, value);
    return value[0];
}

bool evaluation_read(struct sources *sources, const char *network,
                     struct evaluation *evaluation)
{
    char *name = memory_format("evaluate/%s", network);
    struct artifact *artifact = sources_artifact(sources, name);
    free(name);
    if (!artifact)
        return false;
    *evaluation = (struct evaluation){
        .top1 = artifact_read_f64(artifact, "top1"),
        .top5 = artifact_read_f64(artifact, "top5"),
        .images = (double)artifact_read_i64(artifact, "images"),
        .flops = (double)artifact_read_i64(artifact, "flops"),
        .params = (double)artifact_read_i64(artifact, "parameters"),
        .latency_ms = first_of(artifact, "measured/latency/median"),
        .latency_low = first_of(artifact, "measured/latency/low"),
        .latency_high = first_of(artifact, "measured/latency/high"),
    };
    return true;
}
