#include "io/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"

const char *temporary_host(void)
{
    static char host[HOST_NAME_MAX + 1];
    if (!*host && gethostname(host, sizeof(host) - 1) != 0)
        strcpy(host, "localhost");
    return host;
}

char *temporary_path(const char *path)
{
    const char *job = getenv("SLURM_JOB_ID");
    return memory_format("%s.tmp.%s%s%s%s.%ld", path, job ? "job" : "", job ? job : "",
                         job ? "." : "", temporary_host(), (long)getpid());
}

int temporary_lock(const char *temporary)
{
    int descriptor = open(temporary, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0)
        (void)flock(descriptor, LOCK_EX | LOCK_NB);
    return descriptor;
}

/* "a/b.h5" is in "a", "b.h5" in ".". */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? memory_format("%.*s", slash == path ? 1 : (int)(slash - path), path)
                 : memory_text_copy(".");
}

/* Whether `rest`, what follows ".tmp." in a name, is of this host and of a process that
 * is no more. */
static bool written_by_the_dead(const char *rest)
{
    const char *host = temporary_host();
    char *end;
    size_t job = strncmp(rest, "job", 3) ? 0 : 3 + strspn(rest + 3, "0123456789");
    if (job > 3 && rest[job] == '.')
        rest += job + 1;
    if (strncmp(rest, host, strlen(host)) || rest[strlen(host)] != '.')
        return false;
    const char *digits = rest + strlen(host) + 1;
    long pid = strtol(digits, &end, 10);
    return end != digits && !*end && pid > 0 && pid <= INT_MAX &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Process numbers mean nothing across containers that share a host name, so the lock is
 * asked, too. */
static bool locked_by_a_writer(const char *temporary)
{
    int descriptor = open(temporary, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return true;
    bool locked = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return locked;
}

void temporary_remove_stale(const char *path)
{
    char *folder = folder_of(path), *prefix = memory_format("%s.tmp.", basename(path));
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) ||
            !written_by_the_dead(entry->d_name + strlen(prefix)))
            continue;
        char *stale = memory_format("%s/%s", folder, entry->d_name);
        if (!locked_by_a_writer(stale) && unlink(stale) == 0)
            log_info("removed '%s', left by a process that ended", stale);
        free(stale);
    }
    if (listing)
        closedir(listing);
    free(prefix);
    free(folder);
}

bool temporary_sync_folder(const char *path)
{
    char *folder = folder_of(path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (descriptor < 0)
        return false;
    /* EINVAL: a file system that cannot flush folders. */
    bool synced = fsync(descriptor) == 0 || errno == EINVAL;
    int error = errno;
    close(descriptor);
    errno = error;
    return synced;
}
