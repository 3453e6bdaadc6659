/*
 * csv.h - results as a table that other programs read. For the programs of this folder.
 */
#ifndef BENCH_CSV_H
#define BENCH_CSV_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

/* Opens FOLDER/NAME to add rows to; a file that has none yet begins with the header. */
static FILE *csv_open(const char *folder, const char *name, const char *header)
{
    char *path = memory_format("%s/%s", folder, name);
    FILE *csv = fopen(path, "a");
    if (!csv)
        die("cannot write '%s': %s", path, strerror(errno));
    if (fseek(csv, 0, SEEK_END) == 0 && ftell(csv) == 0)
        fprintf(csv, "%s\n", header);
    free(path);
    return csv;
}

static void csv_close(FILE *csv)
{
    const int failed = ferror(csv);
    if (fclose(csv) != 0 || failed)
        die("cannot write a table of results: %s", strerror(errno));
}

#endif
