#include "paper/text_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/temporary.h"

static void make_folders(const char *path)
{
    char *folder = memory_text_copy(path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            die("cannot make the folder '%s': %s", folder, strerror(errno));
        *slash = '/';
    }
    free(folder);
}

void text_file_create(struct text_file *file, const char *path_format, ...)
{
    va_list arguments;
    va_start(arguments, path_format);
    if (vasprintf(&file->path, path_format, arguments) < 0)
        die("no memory for a file's name");
    va_end(arguments);
    make_folders(file->path);
    temporary_remove_stale(file->path);
    file->temporary = temporary_path(file->path);
    file->out = fopen(file->temporary, "wb");
    if (!file->out)
        die("cannot write '%s': %s", file->temporary, strerror(errno));
}

void text_file_commit(struct text_file *file)
{
    bool written = fflush(file->out) == 0 && !ferror(file->out);
    written = fclose(file->out) == 0 && written;
    if (!written || rename(file->temporary, file->path) != 0) {
        int error = errno;
        unlink(file->temporary);
        die("cannot write '%s': %s", file->path, strerror(error));
    }
    free(file->temporary);
    free(file->path);
}

char *text_file_read(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in && errno == ENOENT)
        return NULL;
    struct stat status;
    if (!in || fstat(fileno(in), &status) != 0)
        die("cannot read '%s': %s", path, strerror(errno));
    size_t size = (size_t)status.st_size;
    char *text = memory_zeroed(size + 1, 1);
    if (fread(text, 1, size, in) != size)
        die("cannot read '%s': it ends before its size of %zu bytes", path, size);
    fclose(in);
    return text;
}

void html_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}
