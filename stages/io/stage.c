/* stage.c - see stage.h. */
#include "io/stage.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/instance.h"

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Found at the first checkpoint, or at the end, it would have cost the work so far. */
static void check_out(const struct options *options)
{
    struct stat status;
    if (stat(options->out, &status) == 0 && S_ISDIR(status.st_mode))
        die_asked_wrong("--out is '%s', a folder, expected a file", options->out);
    for (int i = 0; i < options->in.n; i++)
        if (same_file(options->out, options->in.text[i]))
            die_asked_wrong("--out is '%s', the same file as --in, expected another",
                            options->out);
    if (same_file(options->out, options->data))
        die_asked_wrong("--out is '%s', the same file as --data, expected another",
                        options->out);
    char *copy = memory_text_copy(options->out), *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) != 0)
        die("cannot write '%s': its folder '%s': %s", options->out, folder,
            strerror(errno));
    free(copy);
}

/* Which of the program's stages the settings are for. */
static const char *instance_of(const struct config *config, const char *file,
                               const char *program)
{
    struct instance instance;
    if (!*config->stage)
        return program;
    instance_find(config->stage, &instance);
    if (strcmp(instance.program, program) != 0)
        die_asked_wrong("'%s' has the settings of stage '%s', which is made by %s, "
                        "expected those of a stage that %s makes",
                        file, config->stage, instance.program, program);
    return config->stage;
}

void stage_begin(struct stage *stage, const char *name)
{
    const struct options *options = &stage->options;
    stage->name = name;
    stage->config = config_load(options->config, NULL, 0);
    stage->instance = instance_of(stage->config, options->config, name);
    stage->effective = config_effective(stage->config, stage->instance);
    check_out(options);
    stop_install();
    stage->status = status_create(options->out, name);
    int threads = threads_start(options->threads);
    int n = 0;
    stage->input[n++] = options->data;
    for (int i = 0; i < options->in.n; i++)
        stage->input[n++] = options->in.text[i];
    stage->origin = (struct artifact_origin){.stage = name,
                                             .config = stage->effective,
                                             .seed = stage->config->seed,
                                             .threads = threads,
                                             .in = stage->input,
                                             .n_in = n};
    stage->checkpoint = checkpoint_create(options->out, &stage->origin);
    stage->last_checkpoint = clock_seconds();
    log_info("%d thread%s on %s", threads, threads == 1 ? "" : "s", threads_cpu_name());
}

bool stage_checkpoint_due(struct stage *stage)
{
    const struct checkpoint_config *config = &stage->config->checkpoint;
    stage->steps_since++;
    return stop_requested() || (config->steps && stage->steps_since >= config->steps) ||
           clock_seconds() - stage->last_checkpoint >= config->seconds;
}

void stage_checkpoint(struct stage *stage,
                      void (*save)(void *context, struct artifact *artifact),
                      void *context)
{
    struct artifact *artifact = checkpoint_begin(stage->checkpoint);
    save(context, artifact);
    checkpoint_commit(stage->checkpoint, artifact);
    stage->last_checkpoint = clock_seconds();
    stage->steps_since = 0;
    stage->saved = true;
}

void stage_checkpoint_last(struct stage *stage,
                           void (*save)(void *context, struct artifact *artifact),
                           void *context)
{
    if (stage->steps_since > 0 || !stage->saved)
        stage_checkpoint(stage, save, context);
}

static void stage_release(struct stage *stage)
{
    status_free(stage->status);
    checkpoint_free(stage->checkpoint);
    config_free(stage->config);
    free(stage->effective);
}

int stage_complete(struct stage *stage)
{
    checkpoint_remove(stage->checkpoint);
    status_finish(stage->status, STATUS_COMPLETE, "complete");
    log_info("wrote '%s'", stage->options.out);
    stage_release(stage);
    return EXIT_COMPLETE;
}

int stage_interrupted(struct stage *stage)
{
    const char *reason = stop_reason();
    status_finish(stage->status, STATUS_INTERRUPTED, reason ? reason : "told to stop");
    log_info(stage->saved ? "stopped by %s, checkpoint kept; run it again to go on"
                          : "stopped by %s; run it again, from the beginning",
             reason ? reason : "request");
    stage_release(stage);
    return EXIT_RUN_AGAIN;
}
