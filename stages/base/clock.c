#include "base/clock.h"

#include "base/die.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
    struct timespec now;
    BUG_IF(clock_gettime(clock, &now) != 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double clock_seconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double clock_cpu_seconds(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double clock_peak_resident_bytes(void)
{
    struct rusage usage;
    BUG_IF(getrusage(RUSAGE_SELF, &usage) != 0);
    return 1024.0 * (double)usage.ru_maxrss;
}

void clock_date(char text[CLOCK_DATE_SIZE])
{
    time_t now = time(NULL);
    struct tm utc;
    BUG_IF(!gmtime_r(&now, &utc));
    BUG_IF(strftime(text, CLOCK_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0);
}

void clock_duration(double seconds, char *text, size_t size)
{
    if (!isfinite(seconds) || seconds < 0) {
        snprintf(text, size, "-");
        return;
    }
    double whole = round(seconds), hours = floor(whole / 3600);
    int minute = (int)fmod(whole / 60, 60), second = (int)fmod(whole, 60);
    if (hours >= 1)
        snprintf(text, size, "%.0fh %02dm", hours, minute);
    else if (minute >= 1)
        snprintf(text, size, "%dm %02ds", minute, second);
    else
        snprintf(text, size, "%ds", second);
}
