#include "io/checkpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/config.h"
#include "io/temporary.h"

struct checkpoint {
    char *path, *previous;
    struct artifact_origin origin;
    char **in;        /* copies of the paths */
    char **in_digest; /* of the inputs as they were when the stage began */
    char *stage, *config;
    /* The newest file was found damaged: the next one replaces it, and must not move it
     * over the good previous one. */
    bool newest_is_bad;
};

static char *input_digest(const char *path)
{
    char digest[ARTIFACT_DIGEST_SIZE];
    struct artifact *input = artifact_open(path, NULL);
    artifact_digest(input, digest);
    artifact_close(input);
    return memory_text_copy(digest);
}

struct checkpoint *checkpoint_create(const char *out,
                                     const struct artifact_origin *origin)
{
    struct checkpoint *checkpoint = memory_zeroed(1, sizeof(*checkpoint));
    size_t n = (size_t)origin->n_in;
    checkpoint->path = artifact_sibling(out, ".ckpt.h5");
    checkpoint->previous = artifact_sibling(out, ".ckpt.prev.h5");
    checkpoint->stage = memory_text_copy(origin->stage);
    checkpoint->config = memory_text_copy(origin->config);
    checkpoint->in = memory_zeroed(n, sizeof(char *));
    checkpoint->in_digest = memory_zeroed(n, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        checkpoint->in[i] = memory_text_copy(origin->in[i]);
        checkpoint->in_digest[i] = origin->in_digest
                                       ? memory_text_copy(origin->in_digest[i])
                                       : input_digest(origin->in[i]);
    }
    checkpoint->origin = *origin;
    checkpoint->origin.stage = checkpoint->stage;
    checkpoint->origin.config = checkpoint->config;
    checkpoint->origin.in = (const char *const *)checkpoint->in;
    checkpoint->origin.in_digest = (const char *const *)checkpoint->in_digest;
    return checkpoint;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (int i = 0; i < checkpoint->origin.n_in; i++) {
        free(checkpoint->in[i]);
        free(checkpoint->in_digest[i]);
    }
    free(checkpoint->in);
    free(checkpoint->in_digest);
    free(checkpoint->stage);
    free(checkpoint->config);
    free(checkpoint->path);
    free(checkpoint->previous);
    free(checkpoint);
}

/* ---- whose it is ---- */

/* The lines of the attribute `inputs` are "path digest"; the digest decides. */
static char *inputs_difference(const char *found, const struct artifact_origin *origin)
{
    const char *line = found;
    for (int i = 0; i < origin->n_in; i++) {
        int length = (int)strcspn(line, "\n");
        const char *digest = memrchr(line, ' ', (size_t)length);
        size_t digest_length = digest ? (size_t)(line + length - ++digest) : 0;
        if (!digest || strlen(origin->in_digest[i]) != digest_length ||
            memcmp(digest, origin->in_digest[i], digest_length))
            return memory_format("another input (it has '%.*s', now '%s %s')", length,
                                 line, origin->in[i], origin->in_digest[i]);
        line += length + (line[length] == '\n');
    }
    return *line ? memory_format("more inputs (it has '%s', too)", line) : NULL;
}

/* NULL if `artifact` is of the same stage, seed, settings and inputs. */
static char *difference(struct artifact *artifact, const struct artifact_origin *origin)
{
    char *stage = artifact_attribute(artifact, "stage");
    char *config = artifact_attribute(artifact, "config");
    char *inputs = artifact_attribute(artifact, "inputs");
    char *seed = artifact_attribute(artifact, "seed");
    char *now = memory_format("%llu", (unsigned long long)origin->seed);
    char *settings = NULL, *what = NULL;
    if (!config || !inputs || !seed)
        what = memory_text_copy("something unknown (it lacks config, inputs or seed)");
    else if (strcmp(stage, origin->stage))
        what = memory_format("another stage (it has '%s', now '%s')", stage,
                             origin->stage);
    else if (strcmp(seed, now))
        what = memory_format("another seed (it has %s, now %s)", seed, now);
    else if ((settings = config_difference(config, origin->config)))
        what = memory_format("other settings (%s)", settings);
    else
        what = inputs_difference(inputs, origin);
    free(settings);
    free(stage);
    free(config);
    free(inputs);
    free(seed);
    free(now);
    return what;
}

static void refuse_others(struct checkpoint *checkpoint, struct artifact *artifact)
{
    char *what = difference(artifact, &checkpoint->origin);
    if (what)
        die("'%s' was made with %s\n"
            "remove '%s' and '%s' to start again, or restore what it was made with",
            artifact_path(artifact), what, checkpoint->path, checkpoint->previous);
}

/* ---- its files ---- */

static bool exists(const char *path)
{
    if (access(path, F_OK) == 0)
        return true;
    if (errno != ENOENT)
        die("cannot look for '%s': %s", path, strerror(errno));
    return false;
}

/* Why this generation cannot be used, or NULL. */
static char *check(const char *path)
{
    return exists(path) ? artifact_verify(path)
                        : memory_format("'%s' does not exist", path);
}

struct artifact *checkpoint_load(struct checkpoint *checkpoint)
{
    if (!exists(checkpoint->path) && !exists(checkpoint->previous))
        return NULL;
    const char *path = checkpoint->path;
    char *newest = check(path);
    if (newest) {
        path = checkpoint->previous;
        char *previous = check(path);
        if (previous)
            die("no checkpoint is usable: %s; %s\nremove both to start again", newest,
                previous);
        log_warning("%s; going on from '%s'", newest, path);
        checkpoint->newest_is_bad = true;
    }
    free(newest);
    struct artifact *artifact = artifact_open(path, NULL);
    refuse_others(checkpoint, artifact);
    return artifact;
}

struct artifact *checkpoint_begin(struct checkpoint *checkpoint)
{
    return artifact_create(checkpoint->path, &checkpoint->origin);
}

void checkpoint_commit(struct checkpoint *checkpoint, struct artifact *artifact)
{
    artifact_commit_keeping(artifact,
                            checkpoint->newest_is_bad ? NULL : checkpoint->previous);
    checkpoint->newest_is_bad = false;
}

static void remove_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        log_warning("cannot remove '%s': %s", path, strerror(errno));
}

void checkpoint_remove(struct checkpoint *checkpoint)
{
    remove_file(checkpoint->previous);
    remove_file(checkpoint->path);
    temporary_remove_stale(checkpoint->path);
}
