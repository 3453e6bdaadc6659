/*
 * spaces.h - the search spaces that the tests of nas/ share, written as a config gives
 * them: Table 5 of the paper (plain, SE) and NAS-Bench-Macro.
 */
#ifndef TESTS_SPACES_H
#define TESTS_SPACES_H

#include <string.h>

#include "nas/path.h"
#include "nas/space.h"

/* Tokens with spaces between, as the choices of a space. */
static inline void choose(struct space_config *config, const char *tokens)
{
    config->n_choices = 0;
    while (*tokens != '\0') {
        size_t length = strcspn(tokens, " ");
        char *token = config->choices[config->n_choices++];
        memset(token, 0, CONFIG_TOKEN_SIZE);
        memcpy(token, tokens, length);
        tokens += length;
        tokens += strspn(tokens, " ");
    }
}

static const char plain_choices[] = "k3e3 k3e6 k5e3 k5e6 k7e3 k7e6 id";
static const char se_choices[] = "k3e3 k3e6 k5e3 k5e6 k7e3 k7e6 "
                                 "k3e3s k3e6s k5e3s k5e6s k7e3s k7e6s id";

/* Table 5: 21 searchable layers on 224 x 224 images. */
static inline struct space_config mobile_config(const char *choices)
{
    struct space_config config = {
        .input = {224, 224, 3},
        .classes = 1000,
        .activation = "relu",
        .stem = {.channels = 32, .kernel = 3, .stride = 2, .activation = ""},
        .n_fixed = 1,
        .fixed = {{"k3e1", 16, 1, 1, ""}},
        .n_stages = 6,
        .stages =
            {{32, 4, 2}, {40, 4, 2}, {80, 4, 2}, {96, 4, 1}, {192, 4, 2}, {320, 1, 1}},
        .squeeze_excite = {.ratio = 0.25,
                           .of = "expanded",
                           .activation = "hswish",
                           .gate = "hsigmoid"},
        .head = {.channels = 1280, .activation = "", .bias = true},
    };
    choose(&config, choices);
    return config;
}

/* NAS-Bench-Macro: 8 layers of 3 choices on 32 x 32 images; op i is digit i. */
static inline struct space_config macro_config(void)
{
    struct space_config config = {
        .input = {32, 32, 3},
        .classes = 10,
        .activation = "relu",
        .stem = {.channels = 32, .kernel = 3, .stride = 1, .activation = ""},
        .n_stages = 3,
        .stages = {{64, 2, 2}, {128, 3, 2}, {256, 3, 2}},
        .squeeze_excite = {.ratio = 0.25,
                           .of = "expanded",
                           .activation = "hswish",
                           .gate = "hsigmoid"},
        .head = {.channels = 1280, .activation = "", .bias = true},
    };
    choose(&config, "id k3e3 k5e6");
    return config;
}

/* `layers` layers of `ops` choices (at most 13), all of one shape: for what looks at
 * genotypes alone. */
static inline struct space_config plain_config(int layers, int ops)
{
    struct space_config config = mobile_config(se_choices);
    config.n_stages = 1;
    config.stages[0] = (struct space_stage_config){16, layers, 1};
    config.n_choices = ops;
    return config;
}

static inline struct space space_from(struct space_config config)
{
    struct space space;
    space_init(&space, &config);
    return space;
}

/* The same op in every layer. */
static inline struct path path_of_one_op(const struct space *space, int op)
{
    struct path path = {.n = (uint8_t)space->n_layers};
    memset(path.op, op, (size_t)space->n_layers);
    return path;
}

static inline int op_index(const struct space *space, const char *token)
{
    for (int o = 0; o < space->n_ops; o++)
        if (strcmp(space->op[o].token, token) == 0)
            return o;
    return -1;
}

#endif
