#include "paper/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"

struct opened {
    char *name;
    struct artifact *artifact;
    struct config *config;
    bool config_read;
};

struct run {
    char *folder;
    struct opened *opened;
    int n;
};

struct run *run_open(const char *folder)
{
    struct stat status;
    if (stat(folder, &status) != 0)
        die("cannot read the run '%s': %s", folder, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        die("the run '%s' is a file, expected a folder of artifacts", folder);
    struct run *run = memory_zeroed(1, sizeof *run);
    run->folder = memory_text_copy(folder);
    for (size_t n = strlen(folder); n > 1 && run->folder[n - 1] == '/'; n--)
        run->folder[n - 1] = '\0';
    return run;
}

void run_close(struct run *run)
{
    if (!run)
        return;
    for (int i = 0; i < run->n; i++) {
        free(run->opened[i].name);
        artifact_close(run->opened[i].artifact);
        config_free(run->opened[i].config);
    }
    free(run->opened);
    free(run->folder);
    free(run);
}

const char *run_folder(const struct run *run)
{
    return run->folder;
}

const char *run_name(const struct run *run)
{
    const char *slash = strrchr(run->folder, '/');
    return slash && slash[1] ? slash + 1 : run->folder;
}

bool run_has(const struct run *run, const char *name)
{
    char *path = memory_format("%s/%s.h5", run->folder, name);
    bool has = access(path, F_OK) == 0;
    free(path);
    return has;
}

/* NULL if it is not there. Valid until the next call. */
static struct opened *find(struct run *run, const char *name)
{
    for (int i = 0; i < run->n; i++)
        if (strcmp(run->opened[i].name, name) == 0)
            return &run->opened[i];
    if (!run_has(run, name))
        return NULL;
    run->opened =
        memory_resized(run->opened, (size_t)run->n + 1, sizeof(run->opened[0]));
    char *path = memory_format("%s/%s.h5", run->folder, name);
    run->opened[run->n] = (struct opened){.name = memory_text_copy(name),
                                          .artifact = artifact_open(path, NULL)};
    free(path);
    return &run->opened[run->n++];
}

struct artifact *run_artifact(struct run *run, const char *name)
{
    struct opened *opened = find(run, name);
    return opened ? opened->artifact : NULL;
}

const struct config *run_config(struct run *run, const char *name)
{
    struct opened *opened = find(run, name);
    if (!opened || opened->config_read)
        return opened ? opened->config : NULL;
    opened->config_read = true;
    char *text = artifact_attribute(opened->artifact, "config"), *problems = NULL;
    opened->config =
        text ? config_read_text(artifact_path(opened->artifact), text, &problems)
             : NULL;
    if (problems)
        log_warning("the settings in '%s' are not those of this version:\n%s",
                    artifact_path(opened->artifact), problems);
    free(problems);
    free(text);
    return opened->config;
}

void run_target(const char *name, char *text, size_t size)
{
    const char *slash = strchr(name, '/');
    if (!slash)
        snprintf(text, size, "make %s", name);
    else if (strncmp(name, "ablation/", 9) == 0)
        snprintf(text, size, "make ablation");
    else
        snprintf(text, size, "make %.*s NET=%s", (int)(slash - name), name, slash + 1);
}

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n > m && strcmp(text + n - m, ending) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One block: the pointers, and behind them the names. */
static char **pack(char **name, size_t n)
{
    size_t bytes = (n + 1) * sizeof(char *);
    for (size_t i = 0; i < n; i++)
        bytes += strlen(name[i]) + 1;
    char **packed = memory_zeroed(bytes, 1);
    char *at = (char *)(packed + n + 1);
    for (size_t i = 0; i < n; i++) {
        packed[i] = at;
        at = stpcpy(at, name[i]) + 1;
        free(name[i]);
    }
    free(name);
    return packed;
}

char **run_list(const struct run *run, const char *folder, size_t *n)
{
    char *place = memory_format("%s/%s", run->folder, folder), **name = NULL;
    DIR *dir = opendir(place);
    free(place);
    *n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *file = entry->d_name;
        if (!ends_with(file, ".h5") || ends_with(file, ".ckpt.h5") ||
            ends_with(file, ".ckpt.prev.h5") || file[0] == '.')
            continue;
        name = memory_resized(name, *n + 1, sizeof(*name));
        name[(*n)++] = memory_format("%s%s%.*s", folder, *folder ? "/" : "",
                                     (int)(strlen(file) - 3), file);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(name, *n, sizeof(*name), by_name);
    return pack(name, *n);
}

void sources_init(struct sources *sources, struct run *run)
{
    *sources = (struct sources){.run = run};
}

void sources_release(struct sources *sources)
{
    for (int i = 0; i < sources->n; i++)
        free(sources->name[i]);
    free(sources->name);
    sources->name = NULL;
    sources->n = 0;
}

struct artifact *sources_artifact(struct sources *sources, const char *name)
{
    int i = 0;
    while (i < sources->n && strcmp(sources->name[i], name) != 0)
        i++;
    if (i == sources->n) {
        sources->name =
            memory_resized(sources->name, (size_t)i + 1, sizeof(sources->name[0]));
        sources->name[sources->n++] = memory_text_copy(name);
    }
    return run_artifact(sources->run, name);
}

void digest_shorten(const char *digest, char text[SHORT_DIGEST_SIZE])
{
    const char *colon = strchr(digest, ':');
    snprintf(text, SHORT_DIGEST_SIZE, "%.12s", colon ? colon + 1 : digest);
}

void short_digest(struct artifact *artifact, char text[SHORT_DIGEST_SIZE])
{
    char digest[ARTIFACT_DIGEST_SIZE];
    artifact_digest(artifact, digest);
    digest_shorten(digest, text);
}

static void print_there(FILE *out, const struct sources *sources)
{
    const char *between = "Made from ";
    for (int i = 0; i < sources->n; i++) {
        struct artifact *artifact = run_artifact(sources->run, sources->name[i]);
        if (!artifact)
            continue;
        char digest[SHORT_DIGEST_SIZE];
        char *seed = artifact_attribute(artifact, "seed");
        short_digest(artifact, digest);
        fprintf(out, "%s%s.h5 (%s, seed %s)", between, sources->name[i], digest,
                seed ? seed : "?");
        free(seed);
        between = ", ";
    }
    fputs(*between == ',' ? "." : "Nothing that it needs is there.", out);
}

/* Those of one target together, in the order in which they were asked for. */
static void print_missing(FILE *out, const struct sources *sources)
{
    char(*target)[128] = memory_zeroed((size_t)sources->n + 1, sizeof(*target));
    for (int i = 0; i < sources->n; i++)
        if (run_has(sources->run, sources->name[i]))
            target[i][0] = '\0';
        else
            run_target(sources->name[i], target[i], sizeof(target[i]));
    const char *between = " Not there: ";
    for (int i = 0; i < sources->n; i++) {
        if (!target[i][0])
            continue;
        fprintf(out, "%s%s.h5", between, sources->name[i]);
        between = "; ";
        for (int j = i + 1; j < sources->n; j++)
            if (strcmp(target[j], target[i]) == 0) {
                fprintf(out, ", %s.h5", sources->name[j]);
                target[j][0] = '\0';
            }
        fprintf(out, " (%s)", target[i]);
    }
    if (*between == ';')
        fputc('.', out);
    free(target);
}

char *sources_text(const struct sources *sources)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("no memory for a caption");
    print_there(out, sources);
    print_missing(out, sources);
    if (fclose(out) != 0)
        die("no memory for a caption");
    return text;
}
