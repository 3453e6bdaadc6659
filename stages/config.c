/*
 * config - checks an experiment's settings and writes what each stage uses of them.
 *
 * A stage's file is replaced only when its settings differ, so that Make, which goes by
 * time stamps, re-runs what an edit affects and nothing else. When only `checkpoint:`
 * differs the file is replaced but keeps its time stamp: those settings change no
 * result.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/options.h"
#include "io/config.h"
#include "io/instance.h"
#include "io/networks.h"
#include "io/settings.h"
#include "io/temporary.h"
#include "nas/cost.h"
#include "nas/latency_input.h"
#include "nas/path.h"

struct request {
    const char *config, *out, *out_folder, *get, *zoo;
    struct option_texts set, stage;
    bool check, reference, networks;
};

static void add_problem(char **problems, const char *problem)
{
    char *before = *problems;
    *problems = memory_format("%s%s\n", before ? before : "", problem);
    free(before);
}

static void check_stages(const struct request *request, char **problems)
{
    for (int i = 0; i < request->stage.n; i++) {
        struct instance instance;
        if (instance_find(request->stage.text[i], &instance))
            continue;
        char *problem =
            memory_format("--stage is '%s', expected one of:", request->stage.text[i]);
        for (const char *const *stage = instance_names(); *stage; stage++) {
            char *before = problem;
            problem = memory_format("%s %s", before, *stage);
            free(before);
        }
        add_problem(problems, problem);
        free(problem);
    }
}

/* What the command line asks for must be one thing. */
static void check_request(const struct request *request)
{
    char *problems = NULL;
    int products = request->check + request->reference + request->networks +
                   (request->get != NULL) + (request->out != NULL) +
                   (request->out_folder != NULL);
    if (!request->reference && !request->config)
        add_problem(&problems, "--config=FILE.yaml is missing (the experiment)");
    if (products > 1)
        add_problem(&problems, "--check, --reference, --networks, --get, --out and "
                               "--out-folder exclude each other, found more than one");
    if (request->stage.n > 1 && !request->out_folder)
        add_problem(&problems, "--stage is given more than once, which needs "
                               "--out-folder");
    check_stages(request, &problems);
    if (problems)
        die_asked_wrong("%ssee 'config --help'", problems);
}

/* With the overrides that were typed and, last for they stand, the presets. */
static struct config *load(const struct request *request, const char *presets)
{
    char **overrides = NULL;
    int n = 0;
    char **split[OPTION_TEXTS_MAX + 1];
    for (int i = 0; i <= request->set.n; i++) {
        const char *text = i < request->set.n ? request->set.text[i] : presets;
        int more = config_split_overrides(text, &split[i]);
        overrides =
            memory_resized(overrides, (size_t)(n + more) + 1, sizeof *overrides);
        for (int j = 0; j < more; j++)
            overrides[n++] = split[i][j];
    }
    struct config *config =
        config_load(request->config, (const char *const *)overrides, n);
    for (int i = 0; i <= request->set.n; i++)
        free(split[i]);
    free(overrides);
    return config;
}

/* Whether some path respects the limits; if none does, says where they were set. */
static bool feasible(const struct config *config, const struct cost_table *cost,
                     const char *section, const struct constraint_config *limit)
{
    char *why = cost_infeasible(cost, limit);
    if (!why)
        return true;
    char *name = memory_format("%s.%s", section, cost_limit_name(limit));
    char *place = config_place(config, name);
    fprintf(stderr, "%s: %s: %s\n", place, section, why);
    free(place);
    free(name);
    free(why);
    return false;
}

/* A limit that no path respects is found here and not after a night of training; one on
 * latency, if the latencies are known already. */
static void check_constraints(const struct config *config)
{
    struct space *space = memory_zeroed(1, sizeof *space);
    struct cost_table *cost = memory_zeroed(1, sizeof *cost);
    space_init(space, &config->space);
    cost_table_init(cost, space);
    if (latency_needed_by(&config->search) && latency_is_imported(config))
        latency_take_public(cost, space, config->latency.table);
    bool good =
        feasible(config, cost, "sampling.constraint", &config->sampling.constraint);
    good &= feasible(config, cost, "search.constraints", &config->search.constraints);
    free(cost);
    free(space);
    if (!good)
        exit(EXIT_ASKED_WRONG);
}

/* The file's text and when it was written; NULL if there is no such file. */
static char *read_text(const char *path, struct stat *status)
{
    FILE *in = fopen(path, "rb");
    if (!in && errno == ENOENT)
        return NULL;
    if (!in || fstat(fileno(in), status) != 0)
        die("cannot read '%s': %s", path, strerror(errno));
    char *text = memory_zeroed((size_t)status->st_size + 1, 1);
    if (fread(text, 1, (size_t)status->st_size, in) != (size_t)status->st_size)
        die("cannot read '%s': it ends before its size of %lld bytes", path,
            (long long)status->st_size);
    fclose(in);
    return text;
}

/* Written aside and renamed; `times`: of the file that it replaces, or NULL for now. */
static void replace_text(const char *path, const char *text,
                         const struct timespec *times)
{
    char *temporary = temporary_path(path);
    FILE *out = fopen(temporary, "wb");
    if (!out)
        die("cannot write '%s': %s", temporary, strerror(errno));
    bool written = fputs(text, out) >= 0 && fflush(out) == 0 &&
                   (!times || futimens(fileno(out), times) == 0) &&
                   fsync(fileno(out)) == 0;
    written = fclose(out) == 0 && written;
    if (!written || rename(temporary, path) != 0) {
        int error = errno;
        unlink(temporary);
        die("cannot write '%s': %s", path, strerror(error));
    }
    free(temporary);
}

static void print(const char *text, const char *after)
{
    if (printf("%s%s", text, after) < 0 || fflush(stdout) != 0)
        die("cannot write to standard output: %s", strerror(errno));
}

/* Says what is wrong with retrain.networks, where it was set, and exits. */
static _Noreturn void refuse_network(const struct config *config, const char *why)
{
    char *place = config_place(config, "retrain.networks");
    fprintf(stderr, "%s%sretrain.networks: %s\n", place, *place ? ": " : "", why);
    exit(EXIT_ASKED_WRONG);
}

/* Tokens have to be a path of the space. */
static void check_path(const struct config *config, const char *name)
{
    const char *value = config->retrain.network;
    struct path path;
    char why[256];
    if (strcmp(value, "found") == 0 || strcmp(value, "largest") == 0 ||
        strcmp(value, "smallest") == 0)
        return;
    struct space *space = memory_zeroed(1, sizeof *space);
    space_init(space, &config->space);
    if (!path_parse(&path, space, value, why, sizeof why))
        refuse_network(config, memory_format("'%s': %s", name, why));
    free(space);
}

/* The settings of retrain/NAME or evaluate/NAME: with that network. */
static struct config *load_network(const struct request *request,
                                   const struct config *config, const char *name)
{
    struct network network;
    char *why;
    if (!network_find(&network, &config->retrain.networks, name, request->zoo, &why))
        refuse_network(config, why);
    char *presets = memory_format("retrain.network=\"%s\"", network.value);
    struct config *result = load(request, presets);
    if (network.file)
        config_take_network(result, config_load_network(network.file));
    check_path(result, name);
    free(presets);
    network_release(&network);
    return result;
}

/* The settings of a stage; config: those of the request, without its presets. A stage's
 * own file has them, and takes no setting of another. */
static struct config *load_stage(const struct request *request,
                                 const struct config *config, const char *stage)
{
    struct instance instance = {.presets = ""};
    if (!stage || *config->stage)
        return load(request, "");
    instance_find(stage, &instance);
    if (instance.use & (USE_RETRAIN | USE_EVALUATE) && strchr(stage, '/'))
        return load_network(request, config, strchr(stage, '/') + 1);
    return load(request, instance.presets);
}

/* `NAME` or `NAME:SEARCH`, a line each. */
static void print_networks(const struct config *config, const char *zoo)
{
    const struct text_list *networks = &config->retrain.networks;
    for (int i = 0; i < networks->n; i++) {
        struct network network;
        char *why;
        if (!network_parse(&network, networks->text[i], zoo, &why))
            refuse_network(config, why);
        printf("%s%s%s\n", network.name, network.search ? ":" : "",
               network.search ? network.search : "");
        network_release(&network);
    }
    print("", "");
}

static void write_stage(const struct request *request, const struct config *plain,
                        const char *stage, const char *path)
{
    struct stat status;
    struct config *config = load_stage(request, plain, stage);
    char *text = config_effective(config, stage);
    char *fingerprint = config_fingerprint(config, stage);
    char *old = read_text(path, &status);
    temporary_remove_stale(path);
    if (!old)
        replace_text(path, text, NULL);
    else if (strcmp(old, text) != 0) {
        size_t same = strlen(fingerprint);
        bool same_results = strncmp(old, fingerprint, same) == 0 &&
                            strncmp(old + same, "checkpoint:\n", 12) == 0;
        const struct timespec times[2] = {status.st_atim, status.st_mtim};
        replace_text(path, text, same_results ? times : NULL);
    }
    free(old);
    free(fingerprint);
    free(text);
    config_free(config);
}

/* The folders that `file` is in. */
static void make_folders(const char *file)
{
    char *path = memory_text_copy(file);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            die("cannot make the folder '%s': %s", path, strerror(errno));
        *slash = '/';
    }
    free(path);
}

static void write_folder(const struct config *config, const struct request *request)
{
    const char *const *all = instance_names();
    for (int i = 0; request->stage.n ? i < request->stage.n : all[i] != NULL; i++) {
        const char *stage = request->stage.n ? request->stage.text[i] : all[i];
        char *path = memory_format("%s/%s.yaml", request->out_folder, stage);
        make_folders(path);
        write_stage(request, config, stage, path);
        free(path);
    }
}

static void print_value(const struct config *config, const char *name)
{
    char *value = config_value(config, name);
    if (!value)
        die_asked_wrong("--get is '%s', expected a setting of configs/reference.yaml",
                        name);
    print(value, "\n");
    free(value);
}

static void print_stage(const struct request *request, const struct config *plain,
                        const char *stage)
{
    struct config *config = load_stage(request, plain, stage);
    char *text = config_effective(config, stage);
    print(text, "");
    free(text);
    config_free(config);
}

static void parse(struct request *request, int argc, char **argv)
{
    const struct program program = {
        "config", "check an experiment's settings, write what each stage uses",
        "config --config=configs/quickstart.yaml --set='search.population=20' "
        "--stage=search"};
    const struct option_row rows[] = {
        {"config", "FILE.yaml", OPTION_TEXT, &request->config, 0, "the experiment"},
        {"set", "NAME=VALUE", OPTION_TEXTS, &request->set, 0,
         "settings instead of the file's; several with blanks between"},
        {"stage", "NAME", OPTION_TEXTS, &request->stage, 0,
         "what this stage uses (default: all settings)"},
        {"out", "FILE.yaml", OPTION_TEXT, &request->out, 0,
         "write to a file, replaced only when it differs (default: print)"},
        {"out-folder", "FOLDER", OPTION_TEXT, &request->out_folder, 0,
         "write FOLDER/STAGE.yaml of each --stage (default: of every stage)"},
        {"get", "NAME", OPTION_TEXT, &request->get, 0, "print one setting's value"},
        {"zoo", "FOLDER", OPTION_TEXT, &request->zoo, 0,
         "where published networks are looked up (default: configs/zoo)"},
        {"networks", NULL, OPTION_FLAG, &request->networks, 0,
         "print what retrain.networks are called and, behind a colon, what finds them"},
        {"check", NULL, OPTION_FLAG, &request->check, 0, "only check"},
        {"reference", NULL, OPTION_FLAG, &request->reference, 0,
         "print every setting with its default and what it does"},
        {0},
    };
    options_parse(&program, rows, argc, argv);
    check_request(request);
}

int main(int argc, char **argv)
{
    struct request request = {.zoo = "configs/zoo"};
    parse(&request, argc, argv);
    if (request.reference) {
        config_write_reference(stdout);
        print("", "");
        return EXIT_COMPLETE;
    }

    struct config *config = load(&request, "");
    if (!*config->stage)
        check_constraints(config);

    const char *stage = request.stage.n  ? request.stage.text[0]
                        : *config->stage ? config->stage
                                         : NULL;
    if (request.get)
        print_value(config, request.get);
    else if (request.networks)
        print_networks(config, request.zoo);
    else if (request.out_folder)
        write_folder(config, &request);
    else if (request.out)
        write_stage(&request, config, stage, request.out);
    else if (!request.check)
        print_stage(&request, config, stage);
    config_free(config);
    return EXIT_COMPLETE;
}
