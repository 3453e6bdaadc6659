#include "net/training_plan.h"

#include <string.h>

static struct training_plan plan_of(const struct config *config, const char *stage)
{
    const int budget = config->supernet.steps, ops = config->space.n_choices;
    if (strcmp(stage, "uniform") == 0)
        return (struct training_plan){
            .steps = config->uniform.steps ? config->uniform.steps : budget,
            .snapshot_steps = config->uniform.snapshot_steps};
    if (strcmp(stage, "fairnas") == 0)
        return (struct training_plan){.fair = true,
                                      .steps = config->fairnas.steps
                                                   ? config->fairnas.steps
                                               : budget > ops ? budget / ops
                                                              : 1};
    if (strcmp(stage, "uniform_e") == 0)
        return (struct training_plan){.equal_cost = true};
    if (strcmp(stage, "fairnas_e") == 0)
        return (struct training_plan){.fair = true, .equal_cost = true};
    return (struct training_plan){.steps = config->warmup.steps};
}

struct training_plan training_plan_of(const struct config *config, const char *stage)
{
    struct training_plan plan = plan_of(config, stage);
    plan.images_of_step =
        (long)config->supernet.batch * (plan.fair ? config->space.n_choices : 1);
    return plan;
}
