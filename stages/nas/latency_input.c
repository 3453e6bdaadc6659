#include "nas/latency_input.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "io/artifact.h"
#include "nas/latency.h"

const char *latency_needed_by(const struct search_config *search)
{
    if (search->constraints.latency_ms != 0.0)
        return "search.constraints.latency_ms";
    return cost_figure_find(search->cost) == COST_LATENCY ? "search.cost" : NULL;
}

bool latency_is_imported(const struct config *config)
{
    return strcmp(config->latency.table, "none") != 0;
}

static void take(struct cost_table *cost, const struct space *space,
                 const struct latency_table *table, const char *file)
{
    char *missing = latency_missing(table, space);
    if (missing)
        die("'%s': %s", file, missing);
    cost_table_set_latency(cost, space, table);
}

void latency_take_public(struct cost_table *cost, const struct space *space,
                         const char *file)
{
    struct latency_table table;
    latency_table_init(&table);
    latency_table_read_yaml(&table, file, NULL);
    take(cost, space, &table, file);
    latency_table_release(&table);
}

void latency_take_artifact(struct cost_table *cost, const struct space *space,
                           const char *file)
{
    struct latency_table table;
    struct artifact *artifact = artifact_open(file, "latency");
    latency_table_init(&table);
    latency_table_load(&table, artifact);
    artifact_close(artifact);
    take(cost, space, &table, file);
    latency_table_release(&table);
}

static bool is_table(const char *file)
{
    struct artifact *artifact = artifact_open(file, NULL);
    char *stage = artifact_attribute(artifact, "stage");
    bool table = stage && strcmp(stage, "latency") == 0;
    free(stage);
    artifact_close(artifact);
    return table;
}

void latency_take_input(struct cost_table *cost, const struct space *space,
                        const struct search_config *search, const char *config_file,
                        struct option_texts *in)
{
    const char *needed_by = latency_needed_by(search);
    int others = 0;
    for (int i = 0; i < in->n; i++)
        if (!is_table(in->text[i]))
            in->text[others++] = in->text[i];
        else if (cost->has_latency)
            die_asked_wrong("--in is given two latency tables, expected at most one");
        else
            latency_take_artifact(cost, space, in->text[i]);
    in->n = others;
    if (needed_by && !cost->has_latency)
        die_asked_wrong("%s: %s needs a table of latencies, expected --in=latency.h5 "
                        "too (made by program latency)",
                        config_file, needed_by);
}
