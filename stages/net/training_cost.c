#include "net/training_cost.h"

#include <math.h>

struct training_cost training_cost_of(struct artifact *supernet)
{
    return (struct training_cost){
        artifact_read_i64(supernet, "counters/optimization"),
        artifact_read_i64(supernet, "counters/evaluation"),
        artifact_read_f64(supernet, "measured/train_seconds"),
        artifact_read_f64(supernet, "measured/score_seconds"),
    };
}

int64_t training_cost_before(struct artifact *supernet)
{
    if (!artifact_has(supernet, "counters/first_step"))
        return 0;
    int64_t before = artifact_read_i64(supernet, "counters/first_step");
    int64_t own = artifact_read_i64(supernet, "counters/step") - before;
    int64_t images = artifact_read_i64(supernet, "counters/optimization");
    return own > 0 ? before * (images / own) : 0;
}

double training_cost_ratio_of(const struct training_cost *cost)
{
    if (cost->optimization == 0 || cost->evaluation == 0 || cost->score_seconds <= 0)
        return (double)NAN;
    return (cost->train_seconds / (double)cost->optimization) /
           (cost->score_seconds / (double)cost->evaluation);
}

double training_cost_corrected(const struct training_cost *cost, double ratio)
{
    return (double)cost->optimization +
           (cost->evaluation ? (double)cost->evaluation / ratio : 0);
}
