/*
 * estimate - what an experiment will cost, before anything of it is submitted.
 *
 * Prints, for each stage of `make all`, and for all of them: the images that go through
 * the network, multiply-adds, core-hours and hours at this machine's measured speed,
 * memory, and what it leaves on disk; and which share of all paths respects
 * search.constraints. Where there is none it ends with 2 and the space's least and
 * most.
 *
 * The speed is that of uniformly drawn paths: a training step (forward, backward,
 * update) and a forward pass with the batch's own statistics. It is kept in a file and
 * measured anew when the space, batch sizes, threads, processor or program change.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/rng.h"
#include "base/threads.h"
#include "io/config.h"
#include "io/dataset.h"
#include "io/digest.h"
#include "io/instance.h"
#include "io/temporary.h"
#include "nas/feasible.h"
#include "nas/latency_input.h"
#include "nas/sampler.h"
#include "net/probe.h"
#include "net/train.h"
#include "net/training_plan.h"

static const struct program program = {
    "estimate", "what an experiment will cost: arithmetic, hours, memory, disk",
    "estimate --config=configs/quickstart.yaml"};

struct request {
    const char *config, *data, *latency, *speed_file;
    struct option_texts set;
    int threads;
};

/* Multiply-adds of forward passes that this machine does in a second. */
struct speed {
    double training; /* within training steps: backward and update come on top */
    double scoring;
};

enum {
    MEASURED_PATHS_MIN = 3,
    MEASURED_PATHS_MAX = 40,
    MEAN_DRAWS = 2000,
    TRAINING_PASSES = 3, /* multiply-adds of a step: forward, and twice that backward */
};
#define MEASURED_SECONDS 1.5
/* So that a measurement takes seconds on any space: bytes of tensors, and multiply-adds
 * of one step. */
#define MEASURED_BYTES_MAX 1e9
#define MEASURED_STEP_MAX 2e10

/* Mean multiply-adds of the paths that are drawn under this limit. */
static double mean_flops(const struct space *space, const struct cost_table *cost,
                         const struct constraint_config *limit, uint64_t seed)
{
    struct sampler sampler;
    struct rng rng = rng_stream(seed, RNG_ESTIMATE, 1, 0);
    double sum = (double)cost->shared.flops;
    if (limit->flops == 0.0 && limit->params == 0.0) {
        for (int l = 0; l < cost->n_layers; l++)
            for (int o = 0; o < cost->n_ops; o++)
                sum += (double)cost->op[l][o].flops / cost->n_ops;
        return sum;
    }
    /* Where few paths are allowed, drawing them takes long: the limit stands for them.
     */
    if (limit->flops != 0.0 && feasible_share(cost, limit, seed).low < 1e-4)
        return limit->flops;
    sampler_init(&sampler, space, cost, limit);
    sum = 0;
    for (int i = 0; i < MEAN_DRAWS; i++) {
        struct path path;
        sampler_uniform(&sampler, &rng, &path);
        sum += (double)cost_of_path(cost, &path).flops / MEAN_DRAWS;
    }
    return sum;
}

/* The speed. */

struct bench {
    struct supernet *net;
    struct workspace *workspace;
    const struct supernet_config *schedule;
    struct rng rng;
    int n, *labels;
    float *images;
};

static int bench_batch(const struct supernet *net, double flops, int batch, bool train)
{
    while (batch > 1 && (batch * flops > MEASURED_STEP_MAX ||
                         (double)workspace_planned_bytes(net, train ? batch : 0,
                                                         batch) > MEASURED_BYTES_MAX))
        batch /= 2;
    return batch;
}

/* One pass over one uniform path; returns its multiply-adds. */
static double bench_pass(struct bench *b, bool train)
{
    struct path path = {.n = (uint8_t)b->net->space.n_layers};
    for (int l = 0; l < path.n; l++)
        path.op[l] = (uint8_t)rng_below(&b->rng, (uint32_t)b->net->space.n_ops);
    if (train) {
        struct train_step step = train_step_at(b->schedule, 0);
        step.rate = 0; /* the numbers mean nothing, and stay finite */
        train_path(b->net, &path, &step, b->n, b->images, b->labels, b->workspace);
    } else {
        size_t mark = arena_mark(b->workspace->tensors);
        struct network_tensors tensors;
        network_take(b->net, &path, b->n, b->workspace->tensors, &tensors);
        network_forward(b->net, b->n, b->images, b->labels, 0, &tensors,
                        b->workspace->scratch);
        arena_release(b->workspace->tensors, mark);
    }
    return (double)cost_of_path(&b->net->cost, &path).flops * b->n;
}

/* Multiply-adds a second, of passes of `batch` images or as many as are quick. */
static double bench_run(struct supernet *net, const struct config *config, int batch,
                        bool train)
{
    const struct constraint_config none = {0};
    double flops = mean_flops(&net->space, &net->cost, &none, config->seed);
    struct bench b = {.net = net,
                      .schedule = &config->supernet,
                      .rng = rng_stream(config->seed, RNG_ESTIMATE, 2, train),
                      .n = bench_batch(net, flops, batch, train)};
    size_t image = (size_t)net->space.h * (size_t)net->space.w * (size_t)net->space.c;
    b.workspace = workspace_create(net, b.n, b.n);
    b.images = memory_zeroed((size_t)b.n * image, sizeof *b.images);
    b.labels = memory_zeroed((size_t)b.n, sizeof *b.labels);
    for (size_t i = 0; i < (size_t)b.n * image; i++)
        b.images[i] = (float)rng_normal(&b.rng);
    for (int i = 0; i < b.n; i++)
        b.labels[i] = i % net->space.classes;

    bench_pass(&b, train); /* the first one is slower: pages, caches */
    double done = 0, begin = clock_seconds(), seconds = 0;
    for (int i = 0; i < MEASURED_PATHS_MIN ||
                    (i < MEASURED_PATHS_MAX && seconds < MEASURED_SECONDS);
         i++) {
        done += bench_pass(&b, train);
        seconds = clock_seconds() - begin;
    }
    workspace_free(b.workspace);
    free(b.images);
    free(b.labels);
    return done / seconds;
}

/* What the speed depends on. */
static void speed_key(const struct config *config, int threads, char key[DIGEST_SIZE])
{
    struct config copy = *config;
    /* Nothing of the plan: a longer training is no slower. */
    copy.supernet.steps = copy.warmup.steps = 1;
    char *settings = config_fingerprint(&copy, "warmup");
    char *text = memory_format(
        "%s\n%s\n%d threads\n%d %d\n%s", build_info(), threads_cpu_name(), threads,
        config->greedy.surrogate_images, config->search.batch, settings);
    digest_of(text, strlen(text), key);
    free(text);
    free(settings);
}

static bool speed_read(const char *file, const char *key, struct speed *speed)
{
    char found[DIGEST_SIZE];
    FILE *in = file ? fopen(file, "r") : NULL;
    if (!in)
        return false;
    int n = fscanf(in, "key: \"%71[^\"]\"\ntraining: %lf\nscoring: %lf", found,
                   &speed->training, &speed->scoring);
    fclose(in);
    return n == 3 && strcmp(found, key) == 0 && speed->training > 0 &&
           speed->scoring > 0;
}

/* A measurement that cannot be kept is made again next time. */
static void speed_write(const char *file, const char *key, const struct speed *speed)
{
    if (!file)
        return;
    char *temporary = temporary_path(file);
    FILE *out = fopen(temporary, "w");
    bool written = out && fprintf(out,
                                  "key: \"%s\"\ntraining: %.6g\nscoring: %.6g\n"
                                  "# multiply-adds of forward passes a second, in "
                                  "training steps and in scoring\n",
                                  key, speed->training, speed->scoring) > 0;
    if (out)
        written = fclose(out) == 0 && written;
    if (!written || rename(temporary, file) != 0) {
        log_warning("cannot write '%s': %s", file, strerror(errno));
        unlink(temporary);
    }
    free(temporary);
}

/* Returns whether it was measured now. */
static bool speed_find(struct supernet *net, const struct config *config,
                       const char *file, int threads, struct speed *speed)
{
    char key[DIGEST_SIZE];
    speed_key(config, threads, key);
    if (speed_read(file, key, speed))
        return false;
    speed->training = bench_run(net, config, config->supernet.batch, true);
    speed->scoring = bench_run(net, config, config->greedy.surrogate_images, false);
    speed_write(file, key, speed);
    return true;
}

/* The experiment, with the settings that are a stage's nature: they stand whatever was
 * asked for. */
static struct config *load(const struct request *request, const char *presets)
{
    char **words = NULL, *set = memory_text_copy("");
    for (int i = 0; i <= request->set.n; i++) {
        char *before = set;
        set = memory_format("%s %s", before,
                            i < request->set.n ? request->set.text[i] : presets);
        free(before);
    }
    int n = config_split_overrides(set, &words);
    struct config *config = config_load(request->config, (const char *const *)words, n);
    free(words);
    free(set);
    return config;
}

/* The plan. */

struct work {
    const char *stage;
    double trained, scored; /* images through training steps, through scoring */
    double flops;           /* of one path */
    double memory, disk;    /* bytes */
    int times;              /* so many artifacts of that kind */
};

struct plan {
    const struct config *config; /* with the presets of the stage in hand */
    const struct supernet *net;
    int train_images, validation_images, test_images; /* 0: not there yet */
    double resident; /* what the process takes before it has a network */
    double ratio;    /* of training an image to scoring one */
};

static double weights_bytes(const struct supernet *net, bool momentum)
{
    size_t floats =
        net->weight_layout.floats * (momentum ? 2 : 1) + net->statistic_layout.floats;
    return (double)floats * sizeof(float);
}

/* Network, tensors and what else there is, such as the images. */
static double memory_of(const struct plan *plan, int train, int score)
{
    int capacity = score > PROBE_IMAGES_MAX ? score : PROBE_IMAGES_MAX;
    return plan->resident + weights_bytes(plan->net, true) +
           (double)workspace_planned_bytes(plan->net, train, capacity);
}

static double training_flops(const struct plan *plan)
{
    return mean_flops(&plan->net->space, &plan->net->cost,
                      &plan->config->sampling.constraint, plan->config->seed);
}

/* One that costs as much as the greedy run takes its steps from `greedy`. */
static struct work supernet_work(const struct plan *plan, const char *stage,
                                 const struct work *greedy)
{
    const struct config *c = plan->config;
    const struct training_plan training = training_plan_of(c, stage);
    double images = (double)training.images_of_step, steps = (double)training.steps;
    if (training.equal_cost)
        steps = floor(((double)c->warmup.steps * c->supernet.batch + greedy->trained +
                       greedy->scored / plan->ratio) /
                      images);
    double snapshots = training.snapshot_steps
                           ? floor((steps - 1) / (double)training.snapshot_steps)
                           : 0;
    return (struct work){.stage = stage,
                         .trained = steps * images,
                         .flops = training_flops(plan),
                         .memory = memory_of(plan, c->supernet.batch, 0),
                         .disk = weights_bytes(plan->net, true) +
                                 snapshots * weights_bytes(plan->net, false)};
}

/* To the end of its budget: it may stop earlier, when the pool has settled. */
static struct work greedy_work(const struct plan *plan, const char *stage)
{
    const struct config *c = plan->config;
    const struct greedy_config *g = &c->greedy;
    int steps = c->supernet.steps - c->warmup.steps;
    int kept = g->filter ? g->kept_paths : g->sampled_paths;
    int rounds = (steps + kept - 1) / kept;
    bool scores = g->filter || g->sample_from_pool || g->stop_by_turnover;
    return (struct work){
        .stage = stage,
        .trained = (double)steps * c->supernet.batch,
        .scored = scores ? (double)rounds * g->sampled_paths * g->surrogate_images : 0,
        .flops = training_flops(plan),
        .memory = memory_of(plan, c->supernet.batch, g->surrogate_images),
        .disk = weights_bytes(plan->net, true)};
}

static struct work search_work(const struct plan *plan, const char *stage)
{
    const struct config *c = plan->config;
    const struct search_config *s = &c->search;
    double paths = (double)s->population * s->generations;
    if (strcmp(s->algorithm, "random") == 0 && s->random_paths)
        paths = s->random_paths;
    int images = s->validation_images ? s->validation_images : plan->validation_images;
    int calibration = strcmp(s->bn, "recalibrate") == 0 ? s->recalibrate_images : 0;
    int most = images > calibration ? images : calibration;
    return (struct work){
        .stage = stage,
        .scored = paths * (images + calibration),
        .flops =
            mean_flops(&plan->net->space, &plan->net->cost, &s->constraints, c->seed),
        .memory = memory_of(plan, 0, s->batch < most ? s->batch : most)};
}

/* At most: fewer numbers of images than are asked for may share a pass over all. */
static struct work rankcorr_work(const struct plan *plan)
{
    const struct config *c = plan->config;
    const struct rankcorr_config *r = &c->rankcorr;
    const struct constraint_config none = {0};
    const struct training_plan uniform = training_plan_of(c, "uniform");
    int calibration = strcmp(r->bn, "recalibrate") == 0 ? r->recalibrate_images : 0;
    int judging = r->validation_images ? r->validation_images : plan->validation_images;
    double images = judging + calibration;
    for (int i = 0; i < r->images.n && !calibration; i++)
        if (r->images.count[i] < judging)
            images += r->images.count[i];
    /* The initial weights, greedy's, uniform's, and its snapshots. */
    double supernets = 3;
    if (uniform.snapshot_steps)
        supernets += (double)((uniform.steps - 1) / uniform.snapshot_steps);
    int most = judging > calibration ? judging : calibration;
    return (struct work){
        .stage = "rankcorr",
        .scored = fmin(r->paths, space_size(&plan->net->space)) * supernets * images,
        .flops = mean_flops(&plan->net->space, &plan->net->cost, &none, c->seed),
        .memory = memory_of(plan, 0, r->batch < most ? r->batch : most)};
}

static double network_flops(const struct plan *plan)
{
    return mean_flops(&plan->net->space, &plan->net->cost,
                      &plan->config->search.constraints, plan->config->seed);
}

/* One network; none where it is not known how many images there are. */
static struct work retrain_work(const struct plan *plan)
{
    const struct config *c = plan->config;
    int images = plan->train_images;
    if (images && strcmp(c->retrain.images, "train+validation") == 0)
        images += plan->validation_images;
    struct cost least, most;
    cost_range(&plan->net->cost, &least, &most);
    return (struct work){.stage = "retrain",
                         .trained = (double)c->retrain.epochs * images,
                         .flops = network_flops(plan),
                         .memory = memory_of(plan, c->retrain.batch, c->evaluate.batch),
                         /* Three sets of weights. */
                         .disk = 3 * (double)most.params * sizeof(float),
                         .times = c->retrain.networks.n};
}

static struct work evaluate_work(const struct plan *plan)
{
    const struct config *c = plan->config;
    return (struct work){.stage = "evaluate",
                         .scored = plan->test_images,
                         .flops = network_flops(plan),
                         .memory = memory_of(plan, 0, c->evaluate.batch),
                         .times = c->retrain.networks.n};
}

/* Of a stage by its name; nothing where its time is not that of the network. */
static struct work work_of(const struct plan *plan, const struct instance *instance,
                           const struct work *greedy)
{
    const char *program_name = instance->program;
    if (strcmp(program_name, "warmup") == 0)
        return supernet_work(plan, instance->name, greedy);
    if (strcmp(program_name, "greedy") == 0)
        return greedy_work(plan, instance->name);
    if (strcmp(program_name, "search") == 0)
        return search_work(plan, instance->name);
    if (strcmp(program_name, "rankcorr") == 0)
        return rankcorr_work(plan);
    if (strcmp(program_name, "retrain") == 0)
        return retrain_work(plan);
    if (strcmp(program_name, "evaluate") == 0)
        return evaluate_work(plan);
    return (struct work){.stage = instance->name};
}

/* Words. */

static void in_units(double value, char *text, size_t size)
{
    static const char *const unit[] = {"", " k", " M", " G", " T", " P", " E"};
    int i = 0;
    while (value >= 999.5 && i < 6) {
        value /= 1000;
        i++;
    }
    snprintf(text, size, "%.3g%s", value, unit[i]);
}

static void bytes_in_units(double bytes, char *text, size_t size)
{
    char number[16];
    if (bytes < 1e6) {
        snprintf(text, size, "< 1 MB");
        return;
    }
    in_units(bytes, number, sizeof number);
    snprintf(text, size, "%sB", number);
}

static void print_line(const char *stage, const char *const column[7])
{
    printf("  %-20s %9s %9s %14s %11s %10s %8s %8s\n", stage, column[0], column[1],
           column[2], column[3], column[4], column[5], column[6]);
}

/* What a line of the table says; of several stages the sum, and the most memory. */
struct bill {
    double trained, scored, multiply_adds, seconds, memory, disk;
};

static struct bill bill_of(const struct work *w, const struct speed *speed)
{
    return (struct bill){
        .trained = w->trained,
        .scored = w->scored,
        .multiply_adds = w->flops * (TRAINING_PASSES * w->trained + w->scored),
        .seconds =
            w->flops * (w->trained / speed->training + w->scored / speed->scoring),
        .memory = w->memory,
        .disk = w->disk};
}

static void bill_add(struct bill *sum, const struct bill *bill, int times)
{
    sum->trained += times * bill->trained;
    sum->scored += times * bill->scored;
    sum->multiply_adds += times * bill->multiply_adds;
    sum->seconds += times * bill->seconds;
    sum->disk += times * bill->disk;
    sum->memory = fmax(sum->memory, bill->memory);
}

static void print_bill(const char *stage, const struct bill *bill)
{
    char text[7][32];
    in_units(bill->trained, text[0], sizeof text[0]);
    in_units(bill->scored, text[1], sizeof text[1]);
    in_units(bill->multiply_adds, text[2], sizeof text[2]);
    snprintf(text[3], sizeof text[3], "%.3g", bill->seconds * threads_count() / 3600);
    clock_duration(bill->seconds, text[4], sizeof text[4]);
    bytes_in_units(bill->memory, text[5], sizeof text[5]);
    bytes_in_units(bill->disk, text[6], sizeof text[6]);
    print_line(stage, (const char *const[]){text[0], text[1], text[2], text[3], text[4],
                                            text[5], text[6]});
}

/* A line for each stage, with the settings that are its own, and one for all. */
static void print_stages(const struct request *request, struct plan *plan,
                         const struct speed *speed)
{
    const struct config *experiment = plan->config;
    const struct work greedy = greedy_work(plan, "greedy");
    struct bill all = {0};
    for (const char *const *name = instance_names(); *name; name++) {
        struct instance instance;
        instance_find(*name, &instance);
        struct config *config = load(request, instance.presets);
        plan->config = config;
        struct work work = work_of(plan, &instance, &greedy);
        struct bill bill = bill_of(&work, speed);
        if (work.trained + work.scored > 0) {
            print_bill(work.stage, &bill);
            bill_add(&all, &bill, work.times ? work.times : 1);
        }
        config_free(config);
    }
    plan->config = experiment;
    print_bill("all", &all);
}

static void print_plan(const struct request *request, struct plan *plan,
                       const struct speed *speed, bool measured)
{
    print_line("stage", (const char *const[]){"trained", "scored", "multiply-adds",
                                              "core-hours", "takes", "memory", "disk"});
    print_stages(request, plan, speed);
    char training[16], scoring[16];
    in_units(speed->training, training, sizeof training);
    in_units(speed->scoring, scoring, sizeof scoring);
    printf(
        "trained, scored: images times paths; greedy and rankcorr at most: greedy "
        "stops when its pool has settled\n"
        "takes: one after the other on %d threads; imports, latencies and the report "
        "are left out\n"
        "disk: the artifact; while a stage runs, two checkpoints of that size beside "
        "it\n"
        "speed: %s multiply-adds/s forward in training steps, %s in scoring (%s, %d "
        "threads, %s)\n",
        threads_count(), training, scoring,
        measured ? "measured now" : "measured earlier", threads_count(),
        threads_cpu_name());
    if (!plan->train_images)
        printf("the images are not imported yet: memory is without them, and retrain "
               "and evaluate are left out\n");
    else
        printf("retrain, evaluate: one network, with the mean FLOPs of the feasible "
               "paths; all: %d of them\n",
               plan->config->retrain.networks.n);
}

static void print_share(const struct config *config, const struct cost_table *cost)
{
    struct constraint_config limit = config->search.constraints;
    if (limit.latency_ms != 0.0 && !cost->has_latency) {
        printf("search.constraints.latency_ms: not looked at, for latencies are not "
               "measured yet (make latency)\n");
        limit.latency_ms = 0;
    }
    struct feasible_share share = feasible_share(cost, &limit, config->seed);
    printf("search.constraints: ");
    if (share.method == FEASIBLE_COUNTED)
        printf("%.4g %% of all paths are feasible (counted exactly)\n",
               100 * share.low);
    else if (share.method == FEASIBLE_ENCLOSED)
        printf("%.4g %% to %.4g %% of all paths are feasible (counted on a grid)\n",
               100 * share.low, 100 * share.high);
    else
        printf("%.3g %% to %.3g %% of all paths are feasible (95 %% interval of %d "
               "drawn paths)\n",
               100 * share.low, 100 * share.high, share.draws);
}

static void print_space(const struct space *space, const struct cost_table *cost)
{
    struct cost least, most;
    char from[16], to[16], from_params[16], to_params[16];
    cost_range(cost, &least, &most);
    in_units((double)least.flops, from, sizeof from);
    in_units((double)most.flops, to, sizeof to);
    in_units((double)least.params, from_params, sizeof from_params);
    in_units((double)most.params, to_params, sizeof to_params);
    printf("space: %.3g paths of %s to %s FLOPs, %s to %s parameters",
           space_size(space), from, to, from_params, to_params);
    if (cost->has_latency)
        printf(", %.4g to %.4g ms", least.latency_ms, most.latency_ms);
    printf("\n");
}

/* A limit that no path respects: which, where it was set, what there is instead. */
static void check_feasible(const struct config *config, const struct cost_table *cost)
{
    const struct constraint_config *limit = &config->search.constraints;
    char *why = cost_infeasible(cost, limit);
    if (!why)
        return;
    char *name = memory_format("search.constraints.%s", cost_limit_name(limit));
    char *place = config_place(config, name);
    free(name);
    die_asked_wrong("%s: search.constraints: %s", place, why);
}

int main(int argc, char **argv)
{
    struct request request = {0};
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &request.config, 1, "the experiment"},
        {"set", "NAME=VALUE", OPTION_TEXTS, &request.set, 0,
         "settings instead of the file's; several with blanks between"},
        {"data", "FILE.h5", OPTION_TEXT, &request.data, 0,
         "images and labels, for how many there are and their memory"},
        {"latency", "FILE.h5", OPTION_TEXT, &request.latency, 0,
         "table of latencies, made by latency (default: latency.table, if any)"},
        {"speed", "FILE.yaml", OPTION_TEXT, &request.speed_file, 0,
         "file that keeps the measured speed (default: measure)"},
        {"threads", "N", OPTION_COUNT, &request.threads, 0,
         "threads (default: SLURM_CPUS_PER_TASK, or all allowed processors)"},
        {0}};
    options_parse(&program, rows, argc, argv);
    struct config *config = load(&request, "");
    struct plan plan = {.config = config};
    struct space *space = memory_zeroed(1, sizeof *space);
    struct cost_table *cost = memory_zeroed(1, sizeof *cost);
    space_init(space, &config->space);
    cost_table_init(cost, space);
    if (request.latency)
        latency_take_artifact(cost, space, request.latency);
    else if (latency_is_imported(config))
        latency_take_public(cost, space, config->latency.table);
    check_feasible(config, cost);

    threads_start(request.threads);
    struct dataset *dataset =
        request.data ? dataset_open(request.data, &config->space) : NULL;
    plan.train_images = dataset ? dataset_size(dataset, SPLIT_TRAIN) : 0;
    plan.validation_images =
        dataset ? dataset_size(dataset, SPLIT_VALIDATION)
                : config->dataset.validation_per_class * config->space.classes;
    plan.test_images = dataset ? dataset_size(dataset, SPLIT_TEST) : 0;
    plan.resident = clock_peak_resident_bytes();
    struct supernet *net = supernet_create(&config->space, config->seed);
    plan.net = net;

    struct speed speed;
    bool measured =
        speed_find(net, config, request.speed_file, threads_count(), &speed);
    print_space(space, cost);
    print_share(config, cost);
    plan.ratio = config->equal_cost.ratio != 0.0 ? config->equal_cost.ratio
                                                 : speed.scoring / speed.training;
    print_plan(&request, &plan, &speed, measured);
    if (fflush(stdout) != 0)
        die("cannot write to standard output: %s", strerror(errno));

    supernet_free(net);
    dataset_close(dataset);
    free(cost);
    free(space);
    config_free(config);
    return EXIT_COMPLETE;
}
