/*
 * temporary.h - the names of files that are being written.
 *
 * A file becomes X by being written as X.tmp.HOST.PID (X.tmp.jobJOB.HOST.PID in a Slurm
 * job) and renamed. The name says whose it is, so two writers never meet in one file
 * and what a killed process left can be told from what is in work.
 */
#ifndef IO_TEMPORARY_H
#define IO_TEMPORARY_H

#include <stdbool.h>

/* The host that such names have in them. */
const char *temporary_host(void);

/* The name under which this process writes `path`; the caller frees. */
char *temporary_path(const char *path);

/*
 * Opens the file, by its temporary name, with the lock that marks it as being written;
 * returns the descriptor, or -1 and errno. On file systems without locks the process
 * number in the name has to do.
 */
int temporary_lock(const char *temporary);

/* Removes temporaries of `path` whose writer was on this host and is no more. */
void temporary_remove_stale(const char *path);

/* A rename is on disk when its folder is. Returns whether it is; errno says why not. */
bool temporary_sync_folder(const char *path);

#endif
