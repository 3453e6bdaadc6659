#include "base/build_info.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* "version|compiler|variant and flags", from build.mk. */
#ifndef BUILD_ID
#define BUILD_ID "unknown|unknown|unknown"
#endif

static char info[2 * sizeof BUILD_ID], version[sizeof BUILD_ID];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_in(void)
{
    static const char id[] = BUILD_ID;
    const char *compiler = strchr(id, '|') + 1, *flags = strchr(compiler, '|') + 1;
    snprintf(version, sizeof version, "%.*s", (int)(compiler - id) - 1, id);
    snprintf(info, sizeof info, "%s | %.*s | %s", version, (int)(flags - compiler) - 1,
             compiler, flags);
}

const char *build_info(void)
{
    pthread_once(&once, fill_in);
    return info;
}

const char *build_version(void)
{
    pthread_once(&once, fill_in);
    return version;
}
