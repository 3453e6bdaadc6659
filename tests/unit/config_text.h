/*
 * config_text.h - configs as text, for the tests of io/config and what it is made of.
 */
#ifndef UNIT_CONFIG_TEXT_H
#define UNIT_CONFIG_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/config.h"

/* The least that is a config: everything required, and what the defaults then need. */
static const char least_text[] = "dataset: {name: d, format: idx, source: /s}\n"
                                 "space:\n"
                                 "  input: [28, 28, 1]\n"
                                 "  classes: 10\n"
                                 "  stages: [{channels: 8, repeat: 8}]\n"
                                 "  choices: [k3e3, k5e3, k3e6, id]\n"
                                 "greedy: {surrogate_images: 250}\n";

/* Reads `text` as a file; the problems come without the file's name. `override` may be
 * NULL. */
static inline struct config *read_text(const char *text, size_t size,
                                       const char *override, char **problems)
{
    char path[] = "/tmp/test_config.XXXXXX";
    int file = mkstemp(path);
    if (file < 0 || write(file, text, size) != (ssize_t)size || close(file) != 0)
        abort();
    struct config *config = config_read(path, &override, override != NULL, problems);
    unlink(path);
    for (char *found; *problems && (found = strstr(*problems, path));) {
        char *rest = found + strlen(path) + 1;
        memmove(found, rest, strlen(rest) + 1);
    }
    return config;
}

/* least_text with one override: a config, or NULL with *problems. */
static inline struct config *read_least(const char *override, char **problems)
{
    return read_text(least_text, strlen(least_text), override, problems);
}

/* Whether the override is taken. */
static inline bool is_taken(const char *override)
{
    char *problems;
    struct config *config = read_least(override, &problems);
    bool taken = config != NULL;
    config_free(config);
    free(problems);
    return taken;
}

/* Whether the override is refused with exactly this text. */
static inline bool is_refused(const char *override, const char *expected)
{
    char *problems;
    struct config *config = read_least(override, &problems);
    bool same = !config && strcmp(problems, expected) == 0;
    if (!same)
        fprintf(stderr, "%s: found: %s", override, config ? "taken\n" : problems);
    config_free(config);
    free(problems);
    return same;
}

#endif
