/*
 * rank_agreement.c - does a small batch rank paths as all of the validation images do?
 *
 *   rank_agreement --config=results/quickstart/greedy.yaml --data=data/fashion-mnist.h5
 *       --in=results/quickstart/warmup.h5 --in=results/quickstart/greedy.h5
 *
 * Kendall's tau-b between the ranking of uniformly drawn paths by the loss (and by the
 * accuracy) on one surrogate batch and their ranking by accuracy on all validation
 * images, for the initial weights and for each artifact's (the paper's Table 3, small).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/options.h"
#include "base/threads.h"
#include "nas/rank.h"
#include "nas/sampler.h"
#include "net/paths_file.h"
#include "net/probe.h"

static const struct program program = {
    "rank_agreement", "agreement of surrogate and full validation rankings",
    "rank_agreement --config=results/quickstart/greedy.yaml "
    "--data=data/fashion-mnist.h5 --in=results/quickstart/greedy.h5"};

enum { PATHS = 200, BATCH = 500, DRAWS = 1000 };

struct images {
    int n;
    int *index;
};

static struct images images_of(const struct dataset *dataset, uint64_t seed,
                               uint64_t number, int n)
{
    struct images images = {n, memory_zeroed((size_t)n, sizeof(int))};
    dataset_balanced_indices(dataset, SPLIT_VALIDATION, seed, RNG_SURROGATE, number, n,
                             images.index);
    return images;
}

static void print_tau(const char *by, const double *a, const double *b)
{
    double low, high;
    rank_bootstrap(rank_kendall, a, b, PATHS, DRAWS, 0.95, 1, &low, &high);
    printf("  by %-9s tau %6.3f  [%6.3f, %6.3f]  rho %6.3f\n", by,
           rank_kendall(a, b, PATHS), low, high, rank_spearman(a, b, PATHS));
}

static void compare(struct scorer *scorer, const char *name, const struct path *path,
                    const struct images *surrogate, const struct images *all)
{
    struct score few[PATHS], full[PATHS];
    double by_loss[PATHS], by_accuracy[PATHS], truth[PATHS], mean = 0;
    score_paths(scorer, path, PATHS, SPLIT_VALIDATION, surrogate->index, surrogate->n,
                few);
    score_paths(scorer, path, PATHS, SPLIT_VALIDATION, all->index, all->n, full);
    for (int i = 0; i < PATHS; i++) {
        by_loss[i] = -few[i].loss;
        by_accuracy[i] = few[i].accuracy;
        truth[i] = full[i].accuracy;
        mean += full[i].accuracy / PATHS;
    }
    printf("%s: mean accuracy %.2f %%\n", name, 100 * mean);
    print_tau("loss", by_loss, truth);
    print_tau("accuracy", by_accuracy, truth);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *file = NULL, *data = NULL;
    struct option_texts in = {0};
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &file, 1, "greedy's effective settings"},
        {"data", "FILE.h5", OPTION_TEXT, &data, 1, "images and labels"},
        {"in", "FILE.h5", OPTION_TEXTS, &in, 1, "artifact with weights"},
        {0}};
    options_parse(&program, rows, argc, argv);
    threads_start(0);
    struct config *config = config_load(file, NULL, 0);
    struct dataset *dataset = dataset_open(data, &config->space);
    struct supernet *net = supernet_create(&config->space, config->seed);
    struct workspace *workspace = workspace_create(net, 0, BATCH);
    struct scorer *scorer = scorer_create(net, workspace, dataset, BATCH, BATCH);

    struct path path[PATHS];
    struct sampler sampler;
    struct rng rng = rng_stream(config->seed, RNG_SAMPLE, 2, 0);
    sampler_init(&sampler, &net->space, &net->cost, &config->sampling.constraint);
    sampler_mixture(&sampler, &rng, NULL, 0, PATHS, path, NULL);
    struct images surrogate =
        images_of(dataset, config->seed, 0x7ffffffd, config->greedy.surrogate_images);
    struct images all = images_of(dataset, config->seed, 0x7ffffffe,
                                  dataset_size(dataset, SPLIT_VALIDATION));
    printf("%d uniform paths; %d images against %d\n", PATHS, surrogate.n, all.n);
    compare(scorer, "initial weights", path, &surrogate, &all);
    for (int i = 0; i < in.n; i++) {
        struct artifact *artifact = artifact_open(in.text[i], NULL);
        space_check(artifact, &net->space);
        supernet_load(net, artifact, false);
        probe_check(scorer, artifact);
        artifact_close(artifact);
        compare(scorer, in.text[i], path, &surrogate, &all);
    }

    free(surrogate.index);
    free(all.index);
    scorer_free(scorer);
    workspace_free(workspace);
    supernet_free(net);
    dataset_close(dataset);
    config_free(config);
    return EXIT_COMPLETE;
}
