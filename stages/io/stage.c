/* stage.c - see stage.h. */
#include "io/stage.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/stop.h"
#include "base/threads.h"

void stage_begin(struct stage *stage, const char *name)
{
    const struct options *options = &stage->options;
    stage->name = name;
    stage->config = config_load(options->config, NULL, 0);
    stage->effective = config_effective(stage->config, name);
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
    log_info("stopped by %s, checkpoint kept; run it again to go on",
             reason ? reason : "request");
    stage_release(stage);
    return EXIT_RUN_AGAIN;
}
