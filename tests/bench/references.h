/*
 * references.h - the two networks that are measured: imagenet (224 x 224, 32 images,
 * 469 M multiply-adds) and cifar (32 x 32, 128 images, 76 M). For the programs of this
 * folder.
 */
#ifndef BENCH_REFERENCES_H
#define BENCH_REFERENCES_H

#include <string.h>

#include "base/die.h"
#include "io/config.h"

struct reference {
    const char *name, *path;
    int batch;
    struct space_config space;
};

#define NO_SQUEEZE_EXCITE                                                              \
    {                                                                                  \
        .of = "expanded", .activation = "", .gate = "sigmoid"                          \
    }

static const struct reference references[] = {
    {.name = "imagenet",
     .batch = 32,
     .path = "k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6 k5e3 "
             "k7e6 k3e3 k3e6 k5e3 k7e6 k3e3 k3e6",
     .space = {.input = {224, 224, 3},
               .classes = 1000,
               .activation = "relu6",
               .stem = {.channels = 32, .kernel = 3, .stride = 2, .activation = ""},
               .n_fixed = 1,
               .fixed = {{"k3e1", 16, 1, 1, ""}},
               .n_stages = 6,
               .stages = {{32, 4, 2},
                          {40, 4, 2},
                          {80, 4, 2},
                          {96, 4, 1},
                          {192, 4, 2},
                          {320, 1, 1}},
               .n_choices = 4,
               .choices = {"k3e6", "k5e3", "k7e6", "k3e3"},
               .squeeze_excite = NO_SQUEEZE_EXCITE,
               .head = {.channels = 1280, .activation = "", .bias = true}}},
    {.name = "cifar",
     .batch = 128,
     .path = "k3e3 k5e6 k3e3 k5e6 k3e3 k5e6 k3e3 k5e6",
     .space = {.input = {32, 32, 3},
               .classes = 10,
               .activation = "relu6",
               .stem = {.channels = 32, .kernel = 3, .stride = 1, .activation = ""},
               .n_stages = 3,
               .stages = {{64, 2, 2}, {128, 3, 2}, {256, 3, 2}},
               .n_choices = 2,
               .choices = {"k3e3", "k5e6"},
               .squeeze_excite = NO_SQUEEZE_EXCITE,
               .head = {.channels = 1280, .activation = "", .bias = true}}},
};

static const struct reference *reference_named(const char *name)
{
    for (size_t i = 0; i < sizeof(references) / sizeof(*references); i++)
        if (strcmp(references[i].name, name) == 0)
            return &references[i];
    die("no network '%s', expected imagenet or cifar", name);
}

#endif
