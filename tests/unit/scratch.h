/*
 * scratch.h - a folder of its own for a test's files.
 *
 * scratch_setup and scratch_teardown are for cmocka_run_group_tests(); the folder is
 * removed with all that is in it.
 */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRATCH_PATH_SIZE = 1024 };

static char scratch_folder[256];

static int scratch_setup(void **state)
{
    (void)state;
    const char *where = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/greedynas-test-XXXXXX",
             where ? where : "/tmp");
    return mkdtemp(scratch_folder) ? 0 : -1;
}

static int scratch_remove_one(const char *path, const struct stat *status, int kind,
                              struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int scratch_teardown(void **state)
{
    (void)state;
    return nftw(scratch_folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file in the folder; of the last 16 calls, the results are kept. */
static const char *scratch_path(const char *name)
{
    static char path[16][SCRATCH_PATH_SIZE];
    static int next;
    char *at = path[next++ % 16];
    if (snprintf(at, SCRATCH_PATH_SIZE, "%s/%s", scratch_folder, name) >=
        SCRATCH_PATH_SIZE)
        abort();
    return at;
}

/* All bytes of a file; the caller frees. */
__attribute__((unused)) static unsigned char *scratch_read(const char *path,
                                                           size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        abort();
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = calloc(*size + 1, 1);
    if (!bytes || fread(bytes, 1, *size, file) != *size)
        abort();
    fclose(file);
    return bytes;
}

__attribute__((unused)) static void scratch_write(const char *path, const void *bytes,
                                                  size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* Replaces one byte of a file. */
__attribute__((unused)) static void scratch_write_at(const char *path, size_t at,
                                                     unsigned char byte)
{
    FILE *file = fopen(path, "r+b");
    if (!file || fseek(file, (long)at, SEEK_SET) != 0 || fputc(byte, file) != byte ||
        fclose(file) != 0)
        abort();
}

__attribute__((unused)) static bool scratch_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

#endif
