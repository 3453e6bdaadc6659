/*
 * latency - how long each part of the space's networks takes on this processor, or on
 * the device that a table was measured on; a path then takes the sum of its parts.
 *
 * Parts are timed where they stand: whole networks run, and each part is timed in them,
 * so that caches hold what they hold in use. A round runs as many networks as there are
 * choices, such that every layer meets each of its choices once (a permutation per
 * layer, drawn anew for each round). A part's time is its median over all rounds.
 *
 * latency.h5 holds:
 *   latency/key, time, deviation, count           the table (nas/latency.h)
 *
 * and, if it was measured here, how well sums tell what whole networks take:
 *   networks/paths, time, sum                     random networks: measured, and summed
 *   error/mean_relative, bias, largest, kendall   of the sums against the measurements
 */
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/progress.h"
#include "base/quantile.h"
#include "base/rng.h"
#include "base/stop.h"
#include "base/threads.h"
#include "io/config.h"
#include "io/status.h"
#include "nas/latency.h"
#include "nas/latency_input.h"
#include "nas/rank.h"
#include "nas/sampler.h"
#include "net/inference.h"
#include "net/paths_file.h"
#include "paper/text_file.h"

static const struct program program = {
    "latency", "the time of each part of a network on this processor",
    "latency --config=results/quickstart/latency.yaml "
    "--out=results/quickstart/latency.h5"};

/* The times of one part, in milliseconds. */
struct samples {
    int n, capacity;
    double *ms;
};

struct measurement {
    const struct config *config;
    struct supernet *net;
    struct inference *inference;
    struct latency_table table;
    struct samples *samples; /* one of each entry of the table */
    float *images;
    double *seconds; /* of the parts of one run */
    /* The random networks, [networks]. */
    struct path *path;
    struct samples *whole;
    double *measured, *sum;
    struct progress progress;
    long runs, planned;
    struct status *status;
};

static void add_sample(struct samples *samples, double ms)
{
    if (samples->n == samples->capacity) {
        samples->capacity = 2 * samples->capacity + 32;
        samples->ms =
            memory_resized(samples->ms, (size_t)samples->capacity, sizeof *samples->ms);
    }
    samples->ms[samples->n++] = ms;
}

static double median(struct samples *samples)
{
    quantile_sort(samples->ms, (size_t)samples->n);
    return quantile_of(samples->ms, (size_t)samples->n, 0.5);
}

static double deviation(const struct samples *samples)
{
    double mean = 0, square = 0;
    for (int i = 0; i < samples->n; i++)
        mean += samples->ms[i] / samples->n;
    for (int i = 0; i < samples->n; i++)
        square += (samples->ms[i] - mean) * (samples->ms[i] - mean);
    return samples->n > 1 ? sqrt(square / (samples->n - 1)) : 0;
}

/* A measurement is short: it is begun anew rather than gone on with. */
static void end_if_told(struct measurement *m)
{
    if (!stop_requested())
        return;
    status_finish(m->status, STATUS_INTERRUPTED, stop_reason());
    log_info("stopped by %s; run it again to measure", stop_reason());
    exit(EXIT_RUN_AGAIN);
}

/* Runs a path twice, the first time to have its weights in the caches as they are in
 * use; m->seconds has the times of the second run. */
static void time_path(struct measurement *m, const struct path *path)
{
    int batch = m->config->latency.batch;
    end_if_told(m);
    inference_choose(m->inference, path);
    inference_run(m->inference, batch, m->images, NULL);
    inference_run_timed(m->inference, batch, m->images, m->seconds);
    progress_update(&m->progress, ++m->runs, "");
    status_update(m->status, m->runs, m->planned, "runs", (double)NAN,
                  progress_rate(&m->progress), progress_eta(&m->progress));
}

static void note_part(struct measurement *m, const char *key, double seconds)
{
    const struct latency_entry *entry =
        *key ? latency_table_find(&m->table, key) : NULL;
    if (entry)
        add_sample(&m->samples[entry - m->table.entry], 1e3 * seconds);
}

/* Gives the times of one run to the parts they belong to. */
static void note_parts(struct measurement *m, const struct path *path)
{
    const struct space *space = &m->net->space;
    char key[LATENCY_KEY_SIZE];
    const double *seconds = m->seconds;
    latency_key_of_stem(space, key);
    note_part(m, key, *seconds++);
    for (int i = 0; i < space->n_fixed; i++) {
        latency_key_of_block(&space->fixed[i].op, &space->fixed[i].place, key);
        note_part(m, key, *seconds++);
    }
    for (int l = 0; l < space->n_layers; l++) {
        latency_key_of_block(&space->op[path->op[l]], &space->layer[l], key);
        note_part(m, key, *seconds++);
    }
    latency_key_of_head(space, key);
    if (*key)
        note_part(m, key, *seconds++);
    latency_key_of_classifier(space, key);
    note_part(m, key, *seconds);
}

/* One round: n_ops paths in which each layer has each of its choices once. */
static void measure_round(struct measurement *m, int round)
{
    const struct space *space = &m->net->space;
    struct path path[SPACE_OPS_MAX];
    struct rng rng = rng_stream(m->config->seed, RNG_LATENCY, 0, (uint64_t)round);
    sampler_fair(space, &rng, path);
    for (int p = 0; p < space->n_ops; p++) {
        time_path(m, &path[p]);
        note_parts(m, &path[p]);
    }
}

/* The random networks once each. */
static void measure_networks(struct measurement *m)
{
    for (int i = 0; i < m->config->latency.networks; i++) {
        double seconds = 0;
        time_path(m, &m->path[i]);
        for (int part = 0; part < inference_parts(m->inference); part++)
            seconds += m->seconds[part];
        add_sample(&m->whole[i], 1e3 * seconds);
    }
}

static void draw_networks(struct measurement *m)
{
    struct sampler sampler;
    struct rng rng = rng_stream(m->config->seed, RNG_LATENCY, 1, 0);
    sampler_init(&sampler, &m->net->space, &m->net->cost,
                 &(struct constraint_config){0, 0, 0});
    for (int i = 0; i < m->config->latency.networks; i++)
        sampler_uniform(&sampler, &rng, &m->path[i]);
}

static void summarise(struct measurement *m)
{
    for (int i = 0; i < m->table.n; i++) {
        struct latency_entry *entry = &m->table.entry[i];
        entry->ms = median(&m->samples[i]);
        entry->deviation_ms = deviation(&m->samples[i]);
        entry->count = m->samples[i].n;
    }
    cost_table_set_latency(&m->net->cost, &m->net->space, &m->table);
    for (int i = 0; i < m->config->latency.networks; i++) {
        m->measured[i] = median(&m->whole[i]);
        m->sum[i] = cost_of_path(&m->net->cost, &m->path[i]).latency_ms;
    }
}

static void measure(struct measurement *m)
{
    const struct latency_config *c = &m->config->latency;
    m->planned = (long)c->repetitions * (m->net->space.n_ops + c->networks);
    progress_start(&m->progress, "runs", 0, m->planned);
    for (int round = 0; round < c->repetitions; round++) {
        measure_round(m, round);
        measure_networks(m);
    }
    progress_finish(&m->progress, NULL);
    summarise(m);
}

/* How far the sums are off. */
struct error {
    double mean_relative, bias, largest, kendall;
    double fastest, slowest; /* measured, in milliseconds */
};

static struct error error_of(const struct measurement *m)
{
    int n = m->config->latency.networks;
    struct error error = {.kendall = rank_kendall(m->sum, m->measured, n),
                          .fastest = m->measured[0]};
    for (int i = 0; i < n; i++) {
        error.fastest = fmin(error.fastest, m->measured[i]);
        error.slowest = fmax(error.slowest, m->measured[i]);
        double off = m->sum[i] / m->measured[i] - 1;
        error.mean_relative += fabs(off) / n;
        error.bias += off / n;
        error.largest = fmax(error.largest, fabs(off));
    }
    return error;
}

static void save_networks(const struct measurement *m, struct artifact *artifact)
{
    size_t n = (size_t)m->config->latency.networks;
    struct error error = error_of(m);
    paths_save(artifact, "networks/paths", m->path, n, "networks drawn at random");
    artifact_write_vector(artifact, "networks/time", ARRAY_F64, n, m->measured, "ms",
                          "median time of each whole network");
    artifact_write_vector(artifact, "networks/sum", ARRAY_F64, n, m->sum, "ms",
                          "sum of the times of its parts");
    artifact_describe(artifact, "networks", "whole networks, to judge the table by");
    artifact_write_f64(artifact, "error/mean_relative", error.mean_relative, "1",
                       "mean of |sum / time - 1|");
    artifact_write_f64(artifact, "error/bias", error.bias, "1",
                       "mean of sum / time - 1");
    artifact_write_f64(artifact, "error/largest", error.largest, "1",
                       "largest |sum / time - 1|");
    artifact_write_f64(artifact, "error/kendall", error.kendall, "1",
                       "Kendall's tau-b of sums and times");
    artifact_describe(artifact, "error", "how well the sums tell the times");
    log_info("%zu random networks of %.3g to %.3g ms: their parts' sums are off by "
             "%.1f %% on average (bias %+.1f %%, at most %.1f %%), Kendall's tau %.3f",
             n, error.fastest, error.slowest, 100 * error.mean_relative,
             100 * error.bias, 100 * error.largest, error.kendall);
}

static void save(const struct measurement *m, const char *out,
                 const struct artifact_origin *origin)
{
    bool foreign = latency_is_imported(m->config);
    struct artifact *artifact = artifact_create(out, origin);
    space_save(artifact, &m->net->space);
    latency_table_save(&m->table, artifact);
    artifact_write_i64(artifact, "latency/batch",
                       foreign ? 0 : m->config->latency.batch, "images",
                       "images at once; 0: not known");
    artifact_write_i64(artifact, "latency/threads", foreign ? 0 : origin->threads, "1",
                       "threads that ran; 0: not known");
    artifact_write_text(artifact, "latency/device",
                        foreign ? m->config->latency.table : threads_cpu_name(),
                        "the processor, or the file that the table was read from");
    if (!foreign)
        save_networks(m, artifact);
    artifact_commit(artifact);
}

static void write_public(const struct latency_table *table, const char *path)
{
    struct text_file file;
    text_file_create(&file, "%s", path);
    latency_table_write_yaml(table, file.out);
    text_file_commit(&file);
}

/* Found when all is measured, it would have cost the time. */
static void check_public(const char *path)
{
    char *copy = memory_text_copy(path), *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) != 0 && errno != ENOENT)
        die("cannot write '%s': its folder '%s': %s", path, folder, strerror(errno));
    free(copy);
}

/* digest: of the table's file */
static void import(struct measurement *m, char digest[DIGEST_SIZE])
{
    const char *file = m->config->latency.table;
    latency_table_read_yaml(&m->table, file, digest);
    char *missing = latency_missing(&m->table, &m->net->space);
    if (missing)
        die("'%s': %s", file, missing);
}

static void measurement_init(struct measurement *m, const struct config *config,
                             struct status *status)
{
    const struct latency_config *c = &config->latency;
    *m = (struct measurement){.config = config, .status = status};
    m->net = supernet_create(&config->space, config->seed);
    latency_table_init(&m->table);
    if (latency_is_imported(config))
        return;
    const struct space *s = &m->net->space;
    struct path first = {.n = (uint8_t)s->n_layers};
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c, n = (size_t)c->networks;
    struct rng rng = rng_stream(config->seed, RNG_LATENCY, 2, 0);
    latency_table_list(&m->table, s);
    m->samples = memory_zeroed((size_t)m->table.n, sizeof *m->samples);
    m->inference = inference_create(m->net, &first, c->batch);
    m->seconds = memory_zeroed(CHAIN_MAX + 3, sizeof *m->seconds);
    m->images = memory_zeroed((size_t)c->batch * image, sizeof *m->images);
    for (size_t i = 0; i < (size_t)c->batch * image; i++)
        m->images[i] = (float)rng_normal(&rng);
    m->path = memory_zeroed(n, sizeof *m->path);
    m->whole = memory_zeroed(n, sizeof *m->whole);
    m->measured = memory_zeroed(n, sizeof *m->measured);
    m->sum = memory_zeroed(n, sizeof *m->sum);
    draw_networks(m);
}

static void measurement_release(struct measurement *m)
{
    for (int i = 0; m->samples && i < m->table.n; i++)
        free(m->samples[i].ms);
    for (int i = 0; m->whole && i < m->config->latency.networks; i++)
        free(m->whole[i].ms);
    free(m->samples);
    free(m->whole);
    free(m->path);
    free(m->measured);
    free(m->sum);
    free(m->images);
    free(m->seconds);
    latency_table_release(&m->table);
    inference_free(m->inference);
    supernet_free(m->net);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const char *public = NULL;
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &options.config, 1,
         "the stage's effective settings"},
        {"out", "FILE.h5", OPTION_TEXT, &options.out, 1, "artifact to make"},
        {"yaml", "FILE.yaml", OPTION_TEXT, &public, 0,
         "also write the table in the form of ProxylessNAS's"},
        OPTIONS_LOG_ROWS(options),
        {0}};
    options_parse(&program, rows, argc, argv);
    stop_install();
    struct config *config = config_load(options.config, NULL, 0);
    char *effective = config_effective(config, program.name);
    char digest[DIGEST_SIZE];
    /* The table is that of latency.threads, whatever the machine has. */
    struct artifact_origin origin = {
        .stage = program.name,
        .config = effective,
        .seed = config->seed,
        .threads = threads_start(config->latency.threads),
    };
    struct status *status = status_create(options.out, program.name);
    if (public)
        check_public(public);

    struct measurement m;
    measurement_init(&m, config, status);
    if (latency_is_imported(config)) {
        import(&m, digest);
        origin.plain = config->latency.table;
        origin.plain_digest = digest;
    } else {
        measure(&m);
    }

    if (public)
        write_public(&m.table, public);
    save(&m, options.out, &origin);
    status_finish(status, STATUS_COMPLETE, "complete");
    log_info("wrote '%s': %d parts", options.out, m.table.n);
    measurement_release(&m);
    status_free(status);
    free(effective);
    config_free(config);
    return EXIT_COMPLETE;
}
