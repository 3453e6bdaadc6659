#include "paper/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nas/cost.h"
#include "paper/binomial.h"
#include "paper/counts.h"
#include "paper/evaluation.h"
#include "paper/published.h"
#include "paper/ranking.h"

/* The caption: `words`, then what the table was made from. Ends the sources. */
static void finish(struct table *table, struct sources *sources, const char *words)
{
    char *from = sources_text(sources);
    char *caption = memory_format("%s %s", words, from);
    table_caption(table, caption);
    free(caption);
    free(from);
    sources_release(sources);
}

static void missing(struct table *table, const char *artifact)
{
    char target[128];
    run_target(artifact, target, sizeof(target));
    table_missing(table, target);
}

static void missing_evaluation(struct table *table, const char *network)
{
    char *name = memory_format("evaluate/%s", network);
    missing(table, name);
    free(name);
}

/* A share of n trials in percent, with its interval. */
static void percent(struct table *table, double share, double n)
{
    double low, high;
    binomial_interval(share, n, &low, &high);
    table_interval(table, 100 * share, 100 * low, 100 * high, 2);
}

/* Retrained and tested unless somebody asks for others (retrain.networks). */
static const struct {
    const char *network, *label;
} own_networks[] = {
    {"found", "found by the search"},
    {"random", "best of random search"},
    {"largest", "largest path"},
};
enum { OWN_NETWORKS = sizeof(own_networks) / sizeof(own_networks[0]) };

static bool is_own(const char *network)
{
    for (int i = 0; i < OWN_NETWORKS; i++)
        if (strcmp(own_networks[i].network, network) == 0)
            return true;
    return false;
}

/* --- Table 1: searched networks, and what training their supernets cost ----------- */

struct method {
    const char *name, *supernet, *search;
    const char *network; /* what the search's best is called when it is retrained */
    const char *paper;   /* whose cost the paper prints */
};
static const struct method methods[] = {
    {"random search", "uniform", "random", "random", NULL},
    {"uniform sampling", "uniform", "search_uniform", "search_uniform", "uniform"},
    {"FairNAS", "fairnas", "search_fairnas", "search_fairnas", "fairnas"},
    {"uniform sampling-E", "uniform_e", "search_uniform_e", "search_uniform_e",
     "uniform_e"},
    {"FairNAS-E", "fairnas_e", "search_fairnas_e", "search_fairnas_e", NULL},
    {"GreedyNAS", "greedy", "search", "found", "greedy"},
};

static void test_cell(struct table *table, struct sources *sources, const char *network)
{
    struct evaluation evaluation;
    if (evaluation_read(sources, network, &evaluation))
        percent(table, evaluation.top1, evaluation.images);
    else
        missing_evaluation(table, network);
}

static void searched_cells(struct table *table, struct sources *sources,
                           const struct method *method)
{
    struct found found;
    if (found_read(sources, method->search, &found)) {
        percent(table, found.accuracy, found.images);
        table_number(table, (double)found.flops / 1e6, 3);
        table_number(table, (double)found.params / 1e6, 3);
    } else {
        missing(table, method->search);
        table_unknown(table);
        table_unknown(table);
    }
    test_cell(table, sources, method->network);
}

static void cost_cells(struct table *table, struct sources *sources,
                       const struct method *method, double ratio)
{
    struct training_cost cost;
    if (training_cost(sources, method->supernet, &cost)) {
        table_count(table, cost.optimization);
        table_count(table, cost.evaluation);
        table_number(table, cost.evaluation ? ratio : (double)NAN, 2);
        table_count(table, llround(training_cost_corrected(&cost, ratio)));
    } else {
        missing(table, method->supernet);
        for (int i = 0; i < 3; i++)
            table_unknown(table);
    }
    const struct published_cost *paper = published_cost(method->paper);
    table_text(table, "%s", paper ? paper->optimization : "–");
    table_text(table, "%s", paper ? paper->evaluation : "–");
    if (paper)
        table_text(table, "%.1fM", paper->corrected);
    else
        table_unknown(table);
}

struct table *table_of_costs(struct run *run)
{
    struct sources sources;
    sources_init(&sources, run);
    double ratio = training_cost_ratio(&sources);
    struct table *table = table_create(
        "table1", "Table 1: what was found, and what training the supernets cost");
    table_column(table, TABLE_LEFT, "method");
    table_column(table, TABLE_RIGHT, "validation (%)");
    table_column(table, TABLE_RIGHT, "FLOPs (M)");
    table_column(table, TABLE_RIGHT, "params (M)");
    table_column(table, TABLE_RIGHT, "test (%)");
    table_column(table, TABLE_RIGHT, "#optimization");
    table_column(table, TABLE_RIGHT, "#evaluation");
    table_column(table, TABLE_RIGHT, "ratio");
    table_column(table, TABLE_RIGHT, "corrected");
    table_column(table, TABLE_RIGHT, "paper: #optimization");
    table_column(table, TABLE_RIGHT, "paper: #evaluation");
    table_column(table, TABLE_RIGHT, "paper: corrected");
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        table_row(table);
        table_text(table, "%s", methods[i].name);
        searched_cells(table, &sources, &methods[i]);
        cost_cells(table, &sources, &methods[i], ratio);
    }
    char *words = memory_format(
        "#optimization and #evaluation are images that were counted through training "
        "and through scoring, warm-up included; corrected is #optimization + "
        "#evaluation / ratio, the ratio being the time of training on an image over "
        "that of scoring one, as measured (the paper's: %.2f). The paper's figures are "
        "of ImageNet and count evaluation in all 46 epochs. -E: training stopped at "
        "GreedyNAS's corrected cost; random search: on the uniform supernet. In "
        "brackets: 95 %% intervals of the images alone; "
        "validation is the accuracy of the best of all judged paths by the supernet's "
        "weights, and so flatters; test that of the same path retrained.",
        published_ratio);
    finish(table, &sources, words);
    free(words);
    return table;
}

/* --- Table 2: networks -------------------------------------------------------------
 */

/* To the digits that are printed; 0 is not known. */
static void reported_number(struct table *table, double value)
{
    if (value > 0)
        table_text(table, fabs(10 * value - rint(10 * value)) < 1e-6 ? "%.1f" : "%.2f",
                   value);
    else
        table_unknown(table);
}

/* Its cost, counted from its layers. False with the reason, which the caller frees. */
static bool published_cost_of(const struct config *config, struct cost *cost,
                              char **why)
{
    struct space *space = memory_zeroed(1, sizeof(*space));
    struct cost_table *costs = memory_zeroed(1, sizeof(*costs));
    struct path path;
    char message[256];
    space_init(space, &config->space);
    cost_table_init(costs, space);
    bool good =
        path_parse(&path, space, config->network.path, message, sizeof(message));
    if (good)
        *cost = cost_of_path(costs, &path);
    else
        *why = memory_format("network.path: %s", message);
    free(costs);
    free(space);
    return good;
}

/* Accuracy as its authors report it (no row if they do not); FLOPs and parameters are
 * counted here, from its layers. */
static void published_cells(struct table *table, const struct network_config *network,
                            const struct cost *cost)
{
    if (network->reported.top1 <= 0)
        return;
    table_row(table);
    table_text(table, "%s", network->name);
    table_text(table, "ImageNet, reported");
    reported_number(table, network->reported.top1);
    reported_number(table, network->reported.top5);
    table_number(table, (double)cost->flops / 1e6, 1);
    table_number(table, (double)cost->params / 1e6, 2);
    table_unknown(table);
    double latency = network->reported.latency_ms;
    table_number(table, latency > 0 ? latency : (double)NAN, 0);
}

/* A file that cannot be read is no reason to do without the others. */
static void published_row(struct table *table, const char *file)
{
    char *why = NULL;
    struct cost cost;
    struct config *config = config_read_network(file, &why);
    if (config && published_cost_of(config, &cost, &why)) {
        published_cells(table, &config->network, &cost);
    } else {
        const char *slash = strrchr(file, '/');
        why[strcspn(why, "\n")] = '\0';
        log_warning("%s is left out of Table 2: %s", file, why);
        table_row(table);
        table_text(table, "%s", slash ? slash + 1 : file);
        table_text(table, "not read: %s", why);
        for (int i = 0; i < 6; i++)
            table_unknown(table);
        free(why);
    }
    config_free(config);
}

static void evaluated_row(struct table *table, struct sources *sources,
                          const char *network, const char *label)
{
    struct evaluation evaluation;
    table_row(table);
    table_text(table, "%s", label);
    if (evaluation_read(sources, network, &evaluation)) {
        table_text(table, "%.0f test images, here", evaluation.images);
        percent(table, evaluation.top1, evaluation.images);
        percent(table, evaluation.top5, evaluation.images);
        table_number(table, evaluation.flops / 1e6, 3);
        table_number(table, evaluation.params / 1e6, 3);
        table_interval(table, evaluation.latency_ms, evaluation.latency_low,
                       evaluation.latency_high, 3);
        table_unknown(table);
        return;
    }
    missing_evaluation(table, network);
    for (int i = 0; i < 6; i++)
        table_unknown(table);
}

struct table *table_of_networks(struct run *run, const struct option_texts *published)
{
    struct sources sources;
    sources_init(&sources, run);
    struct table *table =
        table_create("table2", "Table 2: the networks, beside published ones");
    table_column(table, TABLE_LEFT, "network");
    table_column(table, TABLE_LEFT, "tested on");
    table_column(table, TABLE_RIGHT, "Top-1 (%)");
    table_column(table, TABLE_RIGHT, "Top-5 (%)");
    table_column(table, TABLE_RIGHT, "FLOPs (M)");
    table_column(table, TABLE_RIGHT, "params (M)");
    table_column(table, TABLE_RIGHT, "latency (ms)");
    table_column(table, TABLE_RIGHT, "reported phone (ms)");
    for (int i = 0; i < OWN_NETWORKS; i++)
        evaluated_row(table, &sources, own_networks[i].network, own_networks[i].label);
    size_t n;
    char **name = run_list(run, "evaluate", &n);
    for (size_t i = 0; i < n; i++) {
        const char *network = strchr(name[i], '/') + 1;
        if (!is_own(network))
            evaluated_row(table, &sources, network, network);
    }
    free(name);
    for (int i = 0; i < published->n; i++)
        published_row(table, published->text[i]);
    finish(
        table, &sources,
        "Networks of this run were retrained from scratch and tested on test images, "
        "with 95 % intervals of these; their latency is the median of one image on "
        "one thread of this machine. Published networks: accuracy as their authors "
        "report it on ImageNet; FLOPs and parameters as counted here from their "
        "layers, latency as the paper's Table 2 reports it of a Snapdragon 855 phone. "
        "The two kinds cannot be compared in accuracy, nor in latency.");
    return table;
}

/* --- Table 3: rank correlation ---------------------------------------------------- */

/* What a ranking is by: its column is of correlations. */
static const struct {
    const char *measure, *by, *heading;
} ways_to_rank[] = {
    {"kendall", "by_loss", "Kendall τ-b by loss"},
    {"kendall", "by_accuracy", "Kendall τ-b by accuracy"},
    {"spearman", "by_loss", "Spearman ρ by loss"},
    {"spearman", "by_accuracy", "Spearman ρ by accuracy"},
};
enum { WAYS_TO_RANK = sizeof(ways_to_rank) / sizeof(ways_to_rank[0]) };

static void correlation_cell(struct table *table, struct correlation c)
{
    table_interval(table, c.value, c.low, c.high, 3);
}

/* truth: "" or "truth/", where the correlations with the known accuracies are. */
static void correlation_row(struct table *table, const struct ranking *ranking,
                            int supernet, int stratum, int image, const char *truth)
{
    bool few = image < ranking->n_images[supernet];
    table_row(table);
    table_text(table, "%s", ranking->supernet[supernet]);
    table_text(table, "%s", ranking->stratum[stratum]);
    table_count(table, few ? ranking->images[supernet][image] : ranking->all_images);
    table_text(table, *truth ? "known accuracy" : "accuracy on all");
    for (int i = 0; i < WAYS_TO_RANK; i++) {
        char *measure = memory_format("%s%s/%s", truth, ways_to_rank[i].measure,
                                      ways_to_rank[i].by);
        correlation_cell(
            table, ranking_correlation(ranking, supernet, measure, stratum, image));
        free(measure);
    }
}

static void correlation_rows(struct table *table, const struct ranking *ranking,
                             const char *truth)
{
    for (int s = 0; s < ranking->n_supernets; s++) {
        if (ranking_is_snapshot(ranking->supernet[s]))
            continue; /* Figure 4 has these */
        int images = ranking->n_images[s] + (*truth ? 1 : 0);
        for (int k = 0; k < (int)ranking->n_strata; k++)
            for (int i = 0; i < images; i++)
                correlation_row(table, ranking, s, k, i, truth);
    }
}

/* The ceiling: how well one training's accuracies rank the paths as another's do. */
static void truth_rows(struct table *table, const struct ranking *ranking)
{
    int pairs = ranking->truth_runs * (ranking->truth_runs - 1) / 2;
    for (int k = 0; k < (int)ranking->n_strata; k++)
        for (int p = 0; p < pairs; p++) {
            int run, other;
            ranking_pair(ranking, p, &run, &other);
            table_row(table);
            table_text(table, "known run %d", run + 1);
            table_text(table, "%s", ranking->stratum[k]);
            table_unknown(table);
            table_text(table, "known run %d", other + 1);
            for (int i = 0; i < WAYS_TO_RANK; i++)
                if (strcmp(ways_to_rank[i].by, "by_accuracy") == 0)
                    correlation_cell(
                        table,
                        ranking_of_truth(ranking, ways_to_rank[i].measure, k, p));
                else
                    table_unknown(table);
        }
}

struct table *table_of_correlation(struct run *run)
{
    struct sources sources;
    sources_init(&sources, run);
    struct table *table = table_create(
        "table3", "Table 3: how far few images rank paths as all of them do");
    table_column(table, TABLE_LEFT, "supernet");
    table_column(table, TABLE_LEFT, "paths");
    table_column(table, TABLE_RIGHT, "images");
    table_column(table, TABLE_LEFT, "compared with");
    for (int i = 0; i < WAYS_TO_RANK; i++)
        table_column(table, TABLE_RIGHT, ways_to_rank[i].heading);
    struct ranking *ranking = ranking_read(&sources);
    bool truth = ranking && ranking->truth_runs;
    if (ranking) {
        correlation_rows(table, ranking, "");
        if (truth)
            correlation_rows(table, ranking, "truth/");
        truth_rows(table, ranking);
    } else {
        table_row(table);
        missing(table, "rankcorr");
        for (int i = 0; i < 3 + WAYS_TO_RANK; i++)
            table_unknown(table);
    }
    char *paths =
        ranking ? memory_format("%ld r", ranking->paths) : memory_text_copy("R");
    char *all = ranking ? memory_format("%ld", ranking->all_images)
                        : memory_text_copy("of them");
    char *words = memory_format(
        "%sandom paths, ranked by loss or by accuracy on few validation images, "
        "against their accuracy on all %s%s; with bootstrap intervals of 95 %%. 1 is "
        "the same order, 0 none. top20: the best fifth by what a ranking is compared "
        "with; feasible: within the search's constraints.%s",
        paths, all, truth ? ", and against the accuracies known of them" : "",
        truth
            ? " Of the known accuracies, one run's against another's: no ranking need "
              "surpass that."
            : "");
    finish(table, &sources, words);
    free(words);
    free(paths);
    free(all);
    ranking_free(ranking);
    return table;
}

/* --- Table 4: ablation -------------------------------------------------------------
 */

/* The six networks; what equals an artifact of the run is not made again. */
static const struct variant {
    const char *name, *supernet, *search;
} variants[] = {
    {"net1", "uniform", "search_uniform"},
    {"net2", "ablation/net2/greedy", "ablation/net2/search"},
    {"net3", "ablation/net3/greedy", "ablation/net3/search"},
    {"net4", "ablation/net4/greedy", "ablation/net4/search"},
    {"net5", "greedy", "ablation/net5/search"},
    {"net6", "greedy", "search"},
};

/* As its settings say; uniform training has none of the parts. */
static void switch_cells(struct table *table, struct run *run,
                         const struct variant *variant)
{
    const struct config *training = run_config(run, variant->supernet);
    const struct config *searching = run_config(run, variant->search);
    bool greedy = strcmp(variant->supernet, "uniform") != 0;
    const bool on[] = {greedy && training && training->greedy.filter,
                       greedy && training && training->greedy.sample_from_pool,
                       greedy && training && training->greedy.stop_by_turnover,
                       searching && searching->search.initialise_from_pool};
    for (int i = 0; i < 4; i++)
        if (i < 3 ? training != NULL : searching != NULL)
            table_check(table, on[i]);
        else
            table_unknown(table);
}

static void ablation_row(struct table *table, struct sources *sources,
                         const struct variant *variant)
{
    struct found found;
    struct training_cost cost;
    table_row(table);
    table_text(table, "%s", variant->name);
    switch_cells(table, sources->run, variant);
    if (found_read(sources, variant->search, &found)) {
        percent(table, found.accuracy, found.images);
        table_number(table, (double)found.flops / 1e6, 3);
    } else {
        missing(table, variant->search);
        table_unknown(table);
    }
    if (training_cost(sources, variant->supernet, &cost))
        table_count(table, cost.optimization);
    else
        missing(table, variant->supernet);
}

struct table *table_of_ablation(struct run *run)
{
    struct sources sources;
    sources_init(&sources, run);
    struct table *table = table_create("table4", "Table 4: what each part contributes");
    table_column(table, TABLE_LEFT, "variant");
    table_column(table, TABLE_LEFT, "greedy filter");
    table_column(table, TABLE_LEFT, "pool: sampling");
    table_column(table, TABLE_LEFT, "pool: stopping");
    table_column(table, TABLE_LEFT, "pool: first population");
    table_column(table, TABLE_RIGHT, "validation (%)");
    table_column(table, TABLE_RIGHT, "FLOPs (M)");
    table_column(table, TABLE_RIGHT, "#optimization");
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        ablation_row(table, &sources, &variants[i]);
    finish(
        table, &sources,
        "A check mark: the part is on. Accuracy is that of the best path of the "
        "variant's own search by its own supernet's weights, with the 95 % interval "
        "of the images alone; two variants whose intervals overlap much are not told "
        "apart by one seed.");
    return table;
}
