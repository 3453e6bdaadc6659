#include "nas/latency.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/problems.h"
#include "io/yaml_tree.h"
#include "nas/graph.h"

/* --- Keys ------------------------------------------------------------------------- */

void latency_key_of_block(const struct op *op, const struct block_place *place,
                          char key[LATENCY_KEY_SIZE])
{
    char shapes[LATENCY_KEY_SIZE / 2];
    snprintf(shapes, sizeof shapes, "input:%dx%dx%d-output:%dx%dx%d", place->h,
             place->w, place->c, place->p, place->q, place->k);
    bool keeps = block_keeps_shape(place);
    if (op->kind == OP_IDENTITY && keeps)
        *key = '\0';
    else if (op->kind == OP_IDENTITY)
        snprintf(key, LATENCY_KEY_SIZE, "identity-%s-stride:%d", shapes, place->stride);
    else if (op_has_graph(op))
        snprintf(key, LATENCY_KEY_SIZE, "%s-%s-stride:%d", op->token, shapes,
                 place->stride);
    else
        snprintf(key, LATENCY_KEY_SIZE,
                 "expanded_conv-%s-expand:%d-kernel:%d-stride:%d-idskip:%d%s", shapes,
                 op->expansion, op->kernel, place->stride, keeps,
                 op->squeeze_excite ? "-se:1" : "");
}

void latency_key_of_stem(const struct space *space, char key[LATENCY_KEY_SIZE])
{
    const struct block_place *stem = &space->stem;
    snprintf(key, LATENCY_KEY_SIZE, "Conv-input:%dx%dx%d-output:%dx%dx%d", stem->h,
             stem->w, stem->c, stem->p, stem->q, stem->k);
}

void latency_key_of_head(const struct space *space, char key[LATENCY_KEY_SIZE])
{
    *key = '\0';
    if (space->head_channels)
        snprintf(key, LATENCY_KEY_SIZE, "Conv_1-input:%dx%dx%d-output:%dx%dx%d",
                 space->head_h, space->head_w, space->head_c, space->head_h,
                 space->head_w, space->head_channels);
}

void latency_key_of_classifier(const struct space *space, char key[LATENCY_KEY_SIZE])
{
    int channels = space->head_channels ? space->head_channels : space->head_c;
    snprintf(key, LATENCY_KEY_SIZE, "Logits-input:%dx%dx%d-output:%d", space->head_h,
             space->head_w, channels, space->classes);
}

/* --- The table -------------------------------------------------------------------- */

void latency_table_init(struct latency_table *table)
{
    *table = (struct latency_table){0};
}

void latency_table_release(struct latency_table *table)
{
    free(table->entry);
    free(table->slot);
    *table = (struct latency_table){0};
}

/* FNV-1a, of 32 bits. */
static uint32_t hash(const char *key)
{
    uint32_t h = 2166136261u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h;
}

/* The slot of that key, or the free one where it belongs. */
static int *slot_of(const struct latency_table *table, const char *key)
{
    uint32_t at = hash(key), last = (uint32_t)table->n_slots - 1;
    while (table->slot[at & last] >= 0 &&
           strcmp(table->entry[table->slot[at & last]].key, key) != 0)
        at++;
    return &table->slot[at & last];
}

const struct latency_entry *latency_table_find(const struct latency_table *table,
                                               const char *key)
{
    const int at = table->n_slots ? *slot_of(table, key) : -1;
    return at < 0 ? NULL : &table->entry[at];
}

/* At most half of the slots, a power of two, are taken. */
static void grow(struct latency_table *table)
{
    table->capacity = table->capacity ? 2 * table->capacity : 64;
    table->entry =
        memory_resized(table->entry, (size_t)table->capacity, sizeof *table->entry);
    table->n_slots = 2 * table->capacity;
    table->slot =
        memory_resized(table->slot, (size_t)table->n_slots, sizeof *table->slot);
    for (int i = 0; i < table->n_slots; i++)
        table->slot[i] = -1;
    for (int i = 0; i < table->n; i++)
        *slot_of(table, table->entry[i].key) = i;
}

struct latency_entry *latency_table_at(struct latency_table *table, const char *key)
{
    const struct latency_entry *known = latency_table_find(table, key);
    if (known)
        return &table->entry[known - table->entry];
    if (table->n == table->capacity)
        grow(table);
    *slot_of(table, key) = table->n;
    struct latency_entry *entry = &table->entry[table->n++];
    *entry = (struct latency_entry){.ms = (double)NAN, .deviation_ms = (double)NAN};
    snprintf(entry->key, sizeof entry->key, "%s", key);
    return entry;
}

/* Calls `visit` with the key of every part, also of those that occur again. */
static void each_part(const struct space *space,
                      void (*visit)(const char *key, void *context), void *context)
{
    char key[LATENCY_KEY_SIZE];
    latency_key_of_stem(space, key);
    visit(key, context);
    for (int i = 0; i < space->n_fixed; i++) {
        latency_key_of_block(&space->fixed[i].op, &space->fixed[i].place, key);
        visit(key, context);
    }
    for (int l = 0; l < space->n_layers; l++)
        for (int o = 0; o < space->n_ops; o++) {
            latency_key_of_block(&space->op[o], &space->layer[l], key);
            visit(key, context);
        }
    latency_key_of_head(space, key);
    visit(key, context);
    latency_key_of_classifier(space, key);
    visit(key, context);
}

static void list_part(const char *key, void *context)
{
    if (*key)
        latency_table_at(context, key);
}

void latency_table_list(struct latency_table *table, const struct space *space)
{
    each_part(space, list_part, table);
}

/* --- The public form -------------------------------------------------------------- */

/* A table of some thousand entries has a fraction of this. */
enum { FILE_SIZE_MAX = 64 << 20, MISSING_SHOWN = 20 };

static char *read_file(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        die("cannot read '%s': %s", path, strerror(errno));
    char *text = NULL;
    size_t capacity = 0;
    *size = 0;
    do {
        capacity += 1 << 20;
        text = memory_resized(text, capacity, 1);
        *size += fread(text + *size, 1, capacity - *size, in);
    } while (*size == capacity && capacity < FILE_SIZE_MAX);
    if (ferror(in))
        die("cannot read '%s': %s", path, strerror(errno));
    if (*size == FILE_SIZE_MAX)
        die("'%s' is larger than 64 MiB, which no latency table is", path);
    fclose(in);
    return text;
}

/* A finite number that is not negative; false after a problem. */
static bool read_number(const struct yaml_tree *node, const struct place *place,
                        const char *name, struct problems *problems, double *value)
{
    char *end = NULL;
    if (node->kind == YAML_TREE_SCALAR && *node->text)
        *value = strtod(node->text, &end);
    if (end && !*end && isfinite(*value) && *value >= 0)
        return true;
    problems_add(problems, *place,
                 "%s: '%.40s' is no time, expected a number from 0 on", name,
                 node->kind == YAML_TREE_SCALAR ? node->text : "(a list)");
    return false;
}

/* One `key: {count, mean, var}`. */
static void read_entry(struct latency_table *table, const char *path,
                       const struct yaml_tree *key, const struct yaml_tree *value,
                       struct problems *problems)
{
    struct place place = {path, key->line, key->column};
    if (strlen(key->text) >= LATENCY_KEY_SIZE || value->kind != YAML_TREE_MAPPING) {
        problems_add(problems, place, "'%.60s' is no entry, expected KEY: {mean: ...}",
                     key->text);
        return;
    }
    if (latency_table_find(table, key->text)) {
        problems_add(problems, place, "'%s' is there twice", key->text);
        return;
    }
    struct latency_entry *entry = latency_table_at(table, key->text);
    double count = 0, variance = 0;
    bool timed = false, good = true;
    for (int i = 0; i < value->n; i++) {
        const char *name = value->key[i]->text;
        struct place at = {path, value->item[i]->line, value->item[i]->column};
        if (strcmp(name, "mean") == 0)
            timed = good &=
                read_number(value->item[i], &at, name, problems, &entry->ms);
        else if (strcmp(name, "var") == 0)
            good &= read_number(value->item[i], &at, name, problems, &variance);
        else if (strcmp(name, "count") == 0)
            good &= read_number(value->item[i], &at, name, problems, &count);
    }
    if (good && !timed)
        problems_add(problems, place, "'%s' has no mean", key->text);
    entry->deviation_ms = sqrt(variance);
    entry->count = (int64_t)fmin(count, 1e15);
}

void latency_table_read_yaml(struct latency_table *table, const char *path,
                             char digest[DIGEST_SIZE])
{
    BUG_IF(table->n != 0);
    size_t size;
    struct problems problems;
    problems_init(&problems);
    char *text = read_file(path, &size);
    if (digest)
        digest_of(text, size, digest);
    struct yaml_tree *tree = yaml_tree_parse(path, text, size, &problems);
    free(text);
    if (tree && tree->kind != YAML_TREE_MAPPING)
        problems_add(&problems, (struct place){path, 0, 0},
                     "is no latency table, expected KEY: {count, mean, var}");
    else if (tree)
        for (int i = 0; i < tree->n; i++)
            read_entry(table, path, tree->key[i], tree->item[i], &problems);
    yaml_tree_free(tree);
    if (problems.n)
        die("%s", problems_text(&problems));
    problems_release(&problems);
}

void latency_table_write_yaml(const struct latency_table *table, FILE *out)
{
    for (int i = 0; i < table->n; i++) {
        const struct latency_entry *e = &table->entry[i];
        fprintf(out, "%s:\n  count: %lld\n  mean: %.9g\n  var: %.9g\n", e->key,
                (long long)e->count, e->ms, e->deviation_ms * e->deviation_ms);
    }
}

/* --- As an artifact --------------------------------------------------------------- */

void latency_table_save(const struct latency_table *table, struct artifact *artifact)
{
    size_t n = (size_t)table->n;
    const char **key = memory_zeroed(n + 1, sizeof *key);
    double *ms = memory_zeroed(n + 1, sizeof *ms);
    double *deviation = memory_zeroed(n + 1, sizeof *deviation);
    int64_t *count = memory_zeroed(n + 1, sizeof *count);
    for (size_t i = 0; i < n; i++) {
        key[i] = table->entry[i].key;
        ms[i] = table->entry[i].ms;
        deviation[i] = table->entry[i].deviation_ms;
        count[i] = table->entry[i].count;
    }
    artifact_write_vector(artifact, "latency/key", ARRAY_TEXT, n, key, "text",
                          "the parts, named as in the tables of ProxylessNAS");
    artifact_write_vector(artifact, "latency/time", ARRAY_F64, n, ms, "ms",
                          "how long each part takes");
    artifact_write_vector(artifact, "latency/deviation", ARRAY_F64, n, deviation, "ms",
                          "standard deviation of the repetitions");
    artifact_write_vector(artifact, "latency/count", ARRAY_I64, n, count, "1",
                          "repetitions of each part");
    artifact_describe(artifact, "latency",
                      "time of every part; a path takes the sum of its parts");
    free(key);
    free(ms);
    free(deviation);
    free(count);
}

void latency_table_load(struct latency_table *table, struct artifact *artifact)
{
    BUG_IF(table->n != 0);
    size_t n, shape[ARTIFACT_RANK_MAX];
    char **key = artifact_read_texts(artifact, "latency/key", &n);
    if (!key)
        die("'%s' has no 'latency/key', expected a latency table",
            artifact_path(artifact));
    shape[0] = n;
    double *ms = memory_zeroed(n + 1, sizeof *ms);
    double *deviation = memory_zeroed(n + 1, sizeof *deviation);
    int64_t *count = memory_zeroed(n + 1, sizeof *count);
    artifact_read(artifact, "latency/time", ARRAY_F64, 1, shape, ms);
    artifact_read(artifact, "latency/deviation", ARRAY_F64, 1, shape, deviation);
    artifact_read(artifact, "latency/count", ARRAY_I64, 1, shape, count);
    for (size_t i = 0; i < n; i++) {
        struct latency_entry *entry = latency_table_at(table, key[i]);
        entry->ms = ms[i];
        entry->deviation_ms = deviation[i];
        entry->count = count[i];
    }
    free(key);
    free(ms);
    free(deviation);
    free(count);
}

/* --- A path's latency ------------------------------------------------------------- */

struct search_for_missing {
    const struct latency_table *table;
    struct latency_table missing; /* as a set of keys */
};

static void note_missing(const char *key, void *context)
{
    struct search_for_missing *search = context;
    const struct latency_entry *entry = latency_table_find(search->table, key);
    if (*key && (!entry || !isfinite(entry->ms)))
        latency_table_at(&search->missing, key);
}

char *latency_missing(const struct latency_table *table, const struct space *space)
{
    struct search_for_missing search = {.table = table};
    each_part(space, note_missing, &search);
    int n = search.missing.n;
    char *text = NULL;
    if (n)
        text = memory_format(n == 1 ? "%d part of this space has no entry:"
                                    : "%d parts of this space have no entry:",
                             n);
    for (int i = 0; i < n && i < MISSING_SHOWN; i++) {
        char *before = text;
        text = memory_format("%s\n%s", before, search.missing.entry[i].key);
        free(before);
    }
    if (n > MISSING_SHOWN) {
        char *before = text;
        text = memory_format("%s\nand %d more", before, n - MISSING_SHOWN);
        free(before);
    }
    latency_table_release(&search.missing);
    return text;
}

static double time_of(const struct latency_table *table, const char *key)
{
    if (!*key)
        return 0;
    const struct latency_entry *entry = latency_table_find(table, key);
    BUG_IF(!entry || !isfinite(entry->ms));
    return entry->ms;
}

void cost_table_set_latency(struct cost_table *cost, const struct space *space,
                            const struct latency_table *table)
{
    char key[LATENCY_KEY_SIZE];
    latency_key_of_stem(space, key);
    double shared = time_of(table, key);
    latency_key_of_head(space, key);
    shared += time_of(table, key);
    latency_key_of_classifier(space, key);
    shared += time_of(table, key);
    for (int i = 0; i < space->n_fixed; i++) {
        latency_key_of_block(&space->fixed[i].op, &space->fixed[i].place, key);
        shared += time_of(table, key);
    }
    cost->shared.latency_ms = shared;
    cost->has_latency = true;
    for (int l = 0; l < space->n_layers; l++)
        for (int o = 0; o < space->n_ops; o++) {
            latency_key_of_block(&space->op[o], &space->layer[l], key);
            cost->op[l][o].latency_ms = time_of(table, key);
        }
}
