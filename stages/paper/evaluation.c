#include "paper/evaluation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static double number(struct artifact *artifact, const char *name)
{
    size_t shape[ARTIFACT_RANK_MAX];
    return artifact_shape(artifact, name, shape) == 0
               ? artifact_read_f64(artifact, name)
               : (double)NAN;
}

/* Every image is in the confusion table once. */
static double images_of(struct artifact *artifact)
{
    size_t shape[ARTIFACT_RANK_MAX];
    if (artifact_shape(artifact, "confusion", shape) != 2)
        return (double)NAN;
    int64_t *count = memory_zeroed(shape[0] * shape[1] + 1, sizeof(*count));
    artifact_read(artifact, "confusion", ARRAY_I64, 2, shape, count);
    double sum = 0;
    for (size_t i = 0; i < shape[0] * shape[1]; i++)
        sum += (double)count[i];
    free(count);
    return sum;
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
        .top1 = number(artifact, "top1"),
        .top5 = number(artifact, "top5"),
        .images = images_of(artifact),
        .loss = number(artifact, "loss"),
        .flops = number(artifact, "flops"),
        .params = number(artifact, "parameters"),
        .latency_ms = number(artifact, "latency"),
    };
    return true;
}
