#include "io/networks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/instance.h"
#include "io/settings.h"

#define NAME_CHARACTERS                                                                \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static bool is_file_name(const char *text)
{
    return *text && *text != '.' && *text != '-' &&
           !text[strspn(text, NAME_CHARACTERS)];
}

/* The search of the run that is called so, or NULL. */
static char *search_called(const char *name)
{
    struct instance instance;
    if (strcmp(name, "found") == 0)
        return memory_text_copy("search");
    if (instance_find(name, &instance) && instance.use == USE_SEARCH)
        return memory_text_copy(name);
    char *ablation = memory_format("ablation/%s/search", name);
    if (instance_find(ablation, &instance))
        return ablation;
    free(ablation);
    return NULL;
}

/* Tokens, and what their artifacts are called; one of the two is made of the other. */
static void take_tokens(struct network *network, const char *entry)
{
    const char *equals = strchr(entry, '=');
    network->value = memory_text_copy(equals ? equals + 1 : entry);
    network->name = equals ? memory_format("%.*s", (int)(equals - entry), entry)
                           : memory_text_copy(entry);
    for (char *c = network->name; !equals && *c; c++)
        *c = *c == ' ' ? '-' : *c;
}

static bool take_word(struct network *network, const char *word, const char *zoo)
{
    network->name = memory_text_copy(word);
    if (strcmp(word, "largest") == 0 || strcmp(word, "smallest") == 0) {
        network->value = memory_text_copy(word);
        return true;
    }
    network->search = search_called(word);
    network->value = memory_text_copy("found");
    if (network->search)
        return true;
    network->file = memory_format("%s/%s.yaml", zoo, word);
    return access(network->file, F_OK) == 0;
}

bool network_parse(struct network *network, const char *entry, const char *zoo,
                   char **why)
{
    *network = (struct network){0};
    bool tokens = strchr(entry, '=') || strchr(entry, ' ');
    if (tokens)
        take_tokens(network, entry);
    if (!is_file_name(tokens ? network->name : entry))
        *why = memory_format("'%.60s' gives no file name, expected NAME=TOKENS with "
                             "letters, digits and '._-' in the name",
                             entry);
    else if (tokens || take_word(network, entry, zoo))
        return true;
    else
        *why = memory_format(
            "'%.60s' is no network: there is no search of that name, and no '%s'; "
            "expected found, random, largest, smallest, or NAME=TOKENS",
            entry, network->file);
    network_release(network);
    return false;
}

void network_release(struct network *network)
{
    free(network->name);
    free(network->search);
    free(network->value);
    free(network->file);
    *network = (struct network){0};
}

bool network_find(struct network *network, const struct text_list *networks,
                  const char *name, const char *zoo, char **why)
{
    for (int i = 0; i < networks->n; i++) {
        if (!network_parse(network, networks->text[i], zoo, why))
            return false;
        if (strcmp(network->name, name) == 0)
            return true;
        network_release(network);
    }
    return network_parse(network, name, zoo, why);
}
