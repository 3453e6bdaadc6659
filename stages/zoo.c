/*
 * zoo - FLOPs and parameters of published networks, counted exactly from their layers,
 * beside what their authors report.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "io/config.h"
#include "nas/cost.h"
#include "nas/path.h"

static const struct program program = {
    "zoo", "FLOPs and parameters of published networks, counted and reported",
    "zoo --network=configs/zoo/mobilenetv2.yaml"};

/* What is counted of the network in one file; exits when its path is none. */
static struct cost cost_of_network(const struct config *network, const char *file)
{
    struct space *space = memory_zeroed(1, sizeof *space);
    struct cost_table *table = memory_zeroed(1, sizeof *table);
    struct path path;
    char why[256];
    space_init(space, &network->space);
    cost_table_init(table, space);
    if (!path_parse(&path, space, network->network.path, why, sizeof why))
        die_asked_wrong("'%s': network.path: %s", file, why);
    struct cost cost = cost_of_path(table, &path);
    free(table);
    free(space);
    return cost;
}

/* A figure in millions with the digits that a paper gives, 3 significant ones or more.
 */
static void in_millions(double value, char *text, size_t size)
{
    snprintf(text, size, "%.4g M", value / 1e6);
}

/* "366 M", and how far the count is from it if rounding does not explain that. */
static void print_reported(int64_t counted, double reported)
{
    char figure[32];
    if (reported == 0.0) {
        printf(" | -");
        return;
    }
    in_millions(reported, figure, sizeof figure);
    double off = (double)counted / reported - 1;
    /* Half a unit of the last digit that the figure shows. */
    double shown = reported / 1e6, unit = 1;
    while (unit > 1e-4 && fabs(shown / unit - rint(shown / unit)) > 1e-6)
        unit /= 10;
    if (fabs((double)counted / 1e6 - shown) <= unit / 2 + 1e-9)
        printf(" | %s", figure);
    else
        printf(" | %s (counted: %+.1f %%)", figure, 100 * off);
}

static void print_network(const char *file)
{
    struct config *config = config_load_network(file);
    const struct network_config *network = &config->network;
    struct cost cost = cost_of_network(config, file);
    printf("| %s | %lld", network->name, (long long)cost.flops);
    print_reported(cost.flops, network->reported.flops);
    printf(" | %lld", (long long)cost.params);
    print_reported(cost.params, network->reported.params);
    if (network->reported.top1 > 0)
        printf(" | %.4g |\n", network->reported.top1);
    else
        printf(" | - |\n");
    config_free(config);
}

int main(int argc, char **argv)
{
    struct option_texts networks = {0};
    const struct option_row rows[] = {
        {"network", "FILE.yaml", OPTION_TEXTS, &networks, 1, "a network's file"}, {0}};
    options_parse(&program, rows, argc, argv);
    printf(
        "| network | FLOPs | reported | parameters | reported | reported top-1 %% |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (int i = 0; i < networks.n; i++)
        print_network(networks.text[i]);
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write to standard output");
    return EXIT_COMPLETE;
}
