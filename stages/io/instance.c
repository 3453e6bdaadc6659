#include "io/instance.h"

#include <string.h>

#include "io/settings.h"

/* Stages that are not made by the program of their name. */
static const struct {
    const char *stage, *program;
} made_by[] = {
    {"uniform", "warmup"},
    {"fairnas", "warmup"},
    {"uniform_e", "warmup"},
    {"fairnas_e", "warmup"},
};

/* A supernet that was not trained greedily has no pool to begin with. */
#define NO_POOL "search.initialise_from_pool=false"

/*
 * Stages that are another one but for some settings. Of Table 4's six networks these
 * are the ones that need an artifact of their own: net1 is search_uniform, net6 is
 * search.
 */
static const struct {
    const char *name, *stage, *presets;
} variants[] = {
    {"random", "search", "search.algorithm=random search.random_paths=0"},
    {"search_uniform", "search", NO_POOL},
    {"search_uniform_e", "search", NO_POOL},
    {"search_fairnas", "search", NO_POOL},
    {"search_fairnas_e", "search", NO_POOL},
    {"ablation/net2/greedy", "greedy",
     "greedy.filter=true greedy.sample_from_pool=false greedy.stop_by_turnover=false"},
    {"ablation/net2/search", "search", NO_POOL},
    {"ablation/net3/greedy", "greedy",
     "greedy.filter=false greedy.sample_from_pool=true greedy.stop_by_turnover=false"},
    {"ablation/net3/search", "search", NO_POOL},
    {"ablation/net4/greedy", "greedy",
     "greedy.filter=true greedy.sample_from_pool=true greedy.stop_by_turnover=false"},
    {"ablation/net4/search", "search", NO_POOL},
    {"ablation/net5/search", "search", NO_POOL},
};

enum { VARIANTS = sizeof variants / sizeof *variants };

static bool stage_find(const char *name, struct instance *instance)
{
    *instance = (struct instance){name, name, setting_use(name), ""};
    for (size_t i = 0; i < sizeof made_by / sizeof *made_by; i++)
        if (strcmp(name, made_by[i].stage) == 0)
            instance->program = made_by[i].program;
    return instance->use != 0;
}

/* The stage KIND of KIND/NAME, or NULL. */
static const char *kind_of(const char *name)
{
    const char *slash = strchr(name, '/');
    for (int i = 0; slash && slash[1] && setting_stages[i]; i++)
        if (strlen(setting_stages[i]) == (size_t)(slash - name) &&
            strncmp(name, setting_stages[i], (size_t)(slash - name)) == 0)
            return setting_stages[i];
    return NULL;
}

bool instance_find(const char *name, struct instance *instance)
{
    const char *stage = kind_of(name);
    const char *presets = "";
    for (int i = 0; i < VARIANTS; i++)
        if (strcmp(name, variants[i].name) == 0) {
            stage = variants[i].stage;
            presets = variants[i].presets;
        }
    bool found = stage_find(stage ? stage : name, instance);
    instance->name = name;
    instance->presets = presets;
    return found;
}

const char *const *instance_names(void)
{
    static const char *names[SETTING_STAGES + VARIANTS + 1];
    for (int i = 0; i < SETTING_STAGES; i++)
        names[i] = setting_stages[i];
    for (int i = 0; i < VARIANTS; i++)
        names[SETTING_STAGES + i] = variants[i].name;
    return names;
}
