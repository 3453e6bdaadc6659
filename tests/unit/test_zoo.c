/*
 * FLOPs and parameters of published networks, each written as a space and a path in it.
 *
 * The exact figures were counted from the layer lists that the authors published by a
 * separate program; `reported` is what their papers print, in millions. Most agree to
 * the last printed digit. Where they do not (`off`, in percent), the published layers
 * are what is counted, and the papers cut instead of rounding or count something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "nas/cost.h"
#include "unit/spaces.h"

struct network {
    const char *name;
    struct {
        int stem;
        const char *fixed_op;
        int fixed_channels, head;
        const char *se_of;
    } around;
    struct space_stage_config stages[CONFIG_SPACE_STAGES_MAX];
    const char *path;
    struct {
        int64_t flops, params;
    } exact;
    struct {
        const char *flops, *params; /* "": none known */
    } reported;
    struct {
        double flops, params; /* 0: to the printed digits */
    } off;
};

static const struct network zoo[] = {
    {"GreedyNAS-A",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3s k3e3 id k3e3s "
     "k5e3 k7e3 k3e6s k5e6s "
     "k5e3s k7e3s k7e6 k5e3 "
     "k5e3s k3e3s k3e6 k7e3s "
     "k7e3s k7e6s k5e3 k3e6s "
     "k7e6s",
     {369983648, 6503082},
     {"366", "6.5"},
     {1.2, 0}},
    {"GreedyNAS-B",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3s k5e3s k5e3s id "
     "k5e3s k7e3s k5e3s k3e3 "
     "k5e6 id k7e3s k7e3s "
     "k3e3s k5e3 k5e3 k7e3s "
     "k5e6s k7e3s k3e3s k7e3s "
     "k7e6s",
     {323520704, 5207804},
     {"324", "5.2"},
     {0, 0}},
    {"GreedyNAS-C",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k7e3 id id k3e3s "
     "k5e3s id k3e3s k3e3s "
     "k7e3s k5e6s k5e3s id "
     "k5e3s k5e3 k3e6 k7e3 "
     "k5e3s k3e3 k7e3s k5e3 "
     "k7e6s",
     {284284064, 4740746},
     {"284", "4.7"},
     {0, 0}},
    {"Proxyless-R-mobile",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3 k3e3 id id "
     "k7e3 k3e3 k5e3 k5e3 "
     "k7e6 k5e3 k5e3 k5e3 "
     "k5e6 k5e3 k5e3 k5e3 "
     "k7e6 k7e6 k7e3 k7e3 "
     "k7e6",
     {320427584, 4080512},
     {"320.4", "4.08"},
     {0, 0}},
    {"ProxylessNAS-cpu",
     {40, "k3e1", 24, 1432, "expanded"},
     {{32, 4, 2}, {48, 4, 2}, {88, 4, 2}, {104, 4, 1}, {216, 4, 2}, {360, 1, 1}},
     "k3e6 k3e3 k3e3 k3e3 "
     "k3e6 k3e3 k3e3 k5e3 "
     "k3e6 id id k3e3 "
     "k5e6 k3e3 k3e3 k3e3 "
     "k5e6 k5e3 k5e3 k3e3 "
     "k5e6",
     {439243864, 4361648},
     {"439.2", "4.36"},
     {0, 0}},
    {"ProxylessNAS-gpu",
     {40, "k3e1", 24, 1728, "expanded"},
     {{32, 4, 2}, {56, 4, 2}, {112, 4, 2}, {128, 4, 1}, {256, 4, 2}, {432, 1, 1}},
     "k5e3 id id id "
     "k7e3 id id k3e3 "
     "k7e6 id id k5e3 "
     "k5e6 id k3e3 k5e3 "
     "k7e6 k7e6 k7e6 k5e6 "
     "k7e6",
     {465260160, 7119848},
     {"465.3", "7.12"},
     {0, 0}},
    {"ProxylessNAS-mobile-14",
     {48, "k3e1", 24, 1792, "expanded"},
     {{40, 4, 2}, {56, 4, 2}, {112, 4, 2}, {136, 4, 1}, {256, 4, 2}, {448, 1, 1}},
     "k5e3 k3e3 id id "
     "k7e3 k3e3 k5e3 k5e3 "
     "k7e6 k5e3 k5e3 k5e3 "
     "k5e6 k5e3 k5e3 k5e3 "
     "k7e6 k7e6 k7e3 k7e3 "
     "k7e6",
     {580883408, 6857568},
     {"", ""},
     {0, 0}},
    {"FairNAS-A",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k7e3 k3e3 "
     "k7e3 k3e6 k7e6 k3e3 "
     "k3e3 k7e6 k7e6 k5e3 "
     "k3e6 k5e3 k5e3 k3e6 "
     "k3e6 k7e6 k3e6 k7e6 "
     "k5e6",
     {388122848, 4651352},
     {"388", "4.6"},
     {0, 1.2}},
    {"FairNAS-B",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3 k3e3 "
     "k5e3 k3e3 k3e6 k5e3 "
     "k7e3 k3e3 k3e6 k5e3 "
     "k3e3 k3e6 k7e3 k3e3 "
     "k7e6 k5e6 k7e6 k3e6 "
     "k5e6",
     {345297632, 4506272},
     {"345", "4.5"},
     {0, 0}},
    {"FairNAS-C",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3 k3e3 "
     "k7e3 k3e3 k3e3 k3e3 "
     "k3e3 k3e3 k3e3 k3e6 "
     "k3e3 k3e3 k3e3 k3e3 "
     "k7e6 k7e6 k3e6 k3e6 "
     "k5e6",
     {321024992, 4397864},
     {"321", "4.4"},
     {0, 0}},
    {"SCARLET-A",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k7e3 k5e6 "
     "k5e3 k7e3s k3e6s k5e3s "
     "k3e6s k3e3 k7e3s k7e3 "
     "k5e3 k7e3s k3e3 k7e3s "
     "k3e6s k5e6s k3e3s k3e6s "
     "k7e6s",
     {365307392, 6707720},
     {"365", "6.7"},
     {0, 0}},
    {"SCARLET-B",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k3e3s k5e3s "
     "k3e3s k7e6s k3e3 k5e3 "
     "k7e6s k3e3s id k5e3 "
     "k3e3s k3e3s k7e6s k3e3s "
     "k5e6s k5e6s id k7e6s "
     "k5e6s",
     {326853440, 6531556},
     {"329", "6.5"},
     {0.7, 0}},
    {"SCARLET-C",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 2, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k5e3s k3e3s "
     "k5e3s id id k3e3 "
     "k7e6s k3e3s k3e3s k5e3 "
     "k7e3s k7e3 k3e3s k7e3s "
     "k3e3s id k3e6s k7e6s "
     "k5e6s",
     {280082912, 6073684},
     {"280", "6.0"},
     {0, 1.3}},
    {"MnasNet-A1",
     {32, "k3e1", 16, 1280, "input"},
     {{24, 2, 2}, {40, 3, 2}, {80, 4, 2}, {112, 2, 1}, {160, 3, 2}, {320, 1, 1}},
     "k3e6 k3e6 "
     "k5e3s k5e3s k5e3s "
     "k3e6 k3e6 k3e6 k3e6 "
     "k3e6s k3e6s "
     "k5e6s k5e6s k5e6s "
     "k3e6",
     {311579072, 3887038},
     {"312", "3.9"},
     {0, 0}},
    {"MnasNet-B1",
     {32, "k3e1", 16, 1280, "expanded"},
     {{24, 3, 2}, {40, 3, 2}, {80, 3, 2}, {96, 2, 1}, {192, 4, 2}, {320, 1, 1}},
     "k3e3 k3e3 k3e3 "
     "k5e3 k5e3 k5e3 "
     "k5e6 k5e6 k5e6 "
     "k3e6 k3e6 "
     "k5e6 k5e6 k5e6 k5e6 "
     "k3e6",
     {314415872, 4383312},
     {"315", "4.4"},
     {0.2, 0}},
    {"MobileNetV2-1.0",
     {32, "k3e1", 16, 1280, "expanded"},
     {{24, 2, 2}, {32, 3, 2}, {64, 4, 2}, {96, 3, 1}, {160, 3, 2}, {320, 1, 1}},
     "k3e6 k3e6 "
     "k3e6 k3e6 k3e6 "
     "k3e6 k3e6 k3e6 k3e6 "
     "k3e6 k3e6 k3e6 "
     "k3e6 k3e6 k3e6 "
     "k3e6",
     {300774272, 3504872},
     {"300", "3.4"},
     {0.3, 3.1}},
    {"EfficientNet-B0",
     {32, "k3e1s", 16, 1280, "input"},
     {{24, 2, 2}, {40, 2, 2}, {80, 3, 2}, {112, 3, 1}, {192, 4, 2}, {320, 1, 1}},
     "k3e6s k3e6s "
     "k5e6s k5e6s "
     "k3e6s k3e6s k3e6s "
     "k5e6s k5e6s k5e6s "
     "k5e6s k5e6s k5e6s k5e6s "
     "k3e6s",
     {385814752, 5288548},
     {"390", "5.3"},
     {1.1, 0}},
    {"MCT-NAS-A",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k3e6s k3e3s k3e3s k3e3s "
     "k3e3s k5e3s k5e3s k3e3s "
     "k3e6s k5e3s k5e3s k3e6s "
     "k3e6s k7e6s k3e6s k5e6s "
     "k7e6s k7e6s k5e6s k5e6s "
     "k7e6s",
     {441640928, 8448814},
     {"442", "8.4"},
     {0, 0}},
    {"MCT-NAS-B",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k7e3s id id k3e3s "
     "k5e3s k5e3s k3e6s k3e3s "
     "k3e3s id k5e6s k5e6s "
     "k5e6s k3e3s k3e3s k3e3s "
     "k5e6s k5e3s k7e6s k3e3s "
     "k7e6s",
     {327228416, 6408250},
     {"", ""},
     {0, 0}},
    {"MCT-NAS-C",
     {32, "k3e1", 16, 1280, "expanded"},
     {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
     "k3e3s id k3e3s k3e3s "
     "k5e3s k5e3s k3e3s k3e3s "
     "k5e3s k7e3s id k5e3s "
     "k7e3s k7e3s id k3e3s "
     "k5e3s k5e3s k5e3s k7e3s "
     "k7e6s",
     {280307072, 4952528},
     {"", ""},
     {0, 0}},
    {"SPOS",
     {16, "", 0, 1024, "expanded"},
     {{64, 4, 2}, {160, 4, 2}, {320, 8, 2}, {640, 4, 2}},
     "shuffle7 shuffle5 shuffle3 shuffle5 "
     "shuffle7 shuffle3 shuffle7 shuffle3 "
     "shuffle7 shuffle3 shuffle7 xception shuffle3 shuffle3 shuffle3 shuffle3 "
     "xception shuffle7 xception xception",
     {322918720, 3558464},
     {"323", "3.5"},
     {0, 1.7}},
};

static void choose_distinct_tokens(struct space_config *config, const char *path)
{
    char distinct[CONFIG_CHOICES_MAX * CONFIG_TOKEN_SIZE] = "",
                                       token[CONFIG_TOKEN_SIZE];
    for (int used = 0; sscanf(path, "%15s%n", token, &used) == 1; path += used) {
        size_t length = strlen(token);
        const char *at = distinct;
        while ((at = strstr(at, token)) != NULL && at[length] != ' ')
            at += length;
        if (at == NULL)
            strcat(strcat(distinct, token), " ");
    }
    choose(config, distinct);
}

static struct space space_of(const struct network *network)
{
    struct space_config config = mobile_config(plain_choices);
    config.stem.channels = network->around.stem;
    config.n_fixed = *network->around.fixed_op ? 1 : 0;
    config.head.bias = network->around.head != 1024; /* SPOS has none */
    config.fixed[0].channels = network->around.fixed_channels;
    strcpy(config.fixed[0].op, network->around.fixed_op);
    config.head.channels = network->around.head;
    config.squeeze_excite.of = network->around.se_of;
    memcpy(config.stages, network->stages, sizeof config.stages);
    config.n_stages = 0;
    while (config.stages[config.n_stages].repeat > 0)
        config.n_stages++;
    choose_distinct_tokens(&config, network->path);
    return space_from(config);
}

static void assert_reported(int64_t value, const char *reported, double off)
{
    if (*reported == '\0')
        return;
    const char *point = strchr(reported, '.');
    int decimals = point == NULL ? 0 : (int)strlen(point + 1);
    char printed[32];
    snprintf(printed, sizeof printed, "%.*f", decimals, (double)value / 1e6);
    double figure = atof(reported);
    bool same = strcmp(printed, reported) == 0;
    if (off == 0.0 ? !same : same || fabs((double)value / 1e6 / figure - 1) > off / 100)
        fail_msg("%lld is %s million, reported %s, expected to be off by %g %%",
                 (long long)value, printed, reported, off);
}

static void network_costs_what_its_layers_and_its_paper_say(void **state)
{
    const struct network *network = *state;
    struct space space = space_of(network);
    struct cost_table table;
    struct path path;
    char why[200] = "";
    cost_table_init(&table, &space);
    if (!path_parse(&path, &space, network->path, why, sizeof why))
        fail_msg("%s", why);
    struct cost cost = cost_of_path(&table, &path);
    assert_int_equal(cost.flops, network->exact.flops);
    assert_int_equal(cost.params, network->exact.params);
    assert_reported(cost.flops, network->reported.flops, network->off.flops);
    assert_reported(cost.params, network->reported.params, network->off.params);
}

int main(void)
{
    enum { NETWORKS = sizeof zoo / sizeof *zoo };
    struct CMUnitTest tests[NETWORKS];
    for (int i = 0; i < NETWORKS; i++)
        tests[i] = (struct CMUnitTest){
            .name = zoo[i].name,
            .test_func = network_costs_what_its_layers_and_its_paper_say,
            .initial_state = (void *)(uintptr_t)&zoo[i],
        };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("costs what its layers and its paper say", tests,
                                       NULL, NULL);
}
