#include "base/progress.h"

#include "base/clock.h"
#include "base/die.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_SIZE = 256, LINE_WIDTH = 88, BAR_MIN = 10, BAR_MAX = 20 };
static const double SECONDS_BETWEEN_DRAWINGS = 0.1;
static const double SECONDS_BETWEEN_LINES = 30;
/* So the rate is that of the last half minute, or of the last 16 steps if they are
 * long. */
static const double SECONDS_BETWEEN_SAMPLES = 2;

static const int WINDOW = sizeof((struct progress *)0)->window_time /
                          sizeof((struct progress *)0)->window_time[0];

static void measure(struct progress *progress, double now)
{
    int count = progress->window_count;
    int oldest = count < WINDOW ? 0 : count % WINDOW;
    double seconds = now - progress->window_time[oldest];
    long done = progress->done - progress->window_done[oldest];
    if (seconds > 0 && done > 0)
        progress->rate = (double)done / seconds;

    double newest = progress->window_time[(count + WINDOW - 1) % WINDOW];
    if (now - newest < SECONDS_BETWEEN_SAMPLES)
        return;
    progress->window_time[count % WINDOW] = now;
    progress->window_done[count % WINDOW] = progress->done;
    progress->window_count++;
}

double progress_rate(const struct progress *progress)
{
    return progress->rate;
}

double progress_eta(const struct progress *progress)
{
    if (progress->done >= progress->total)
        return 0;
    if (progress->rate <= 0)
        return -1;
    return (double)(progress->total - progress->done) / progress->rate;
}

static double share_done(const struct progress *progress)
{
    if (progress->done >= progress->total)
        return 1;
    return (double)progress->done / (double)progress->total;
}

/* "1240/3000 steps  41%  loss 1.234  2210 img/s  ETA 2m 10s" */
static void describe(const struct progress *progress, const char *note, bool ended,
                     char text[LINE_SIZE])
{
    char rate[64] = "", span[32], remains[64] = "";
    if (!note && progress->rate > 0)
        snprintf(rate, sizeof rate, "%.3g %s/s", progress->rate, progress->unit);
    if (!note)
        note = rate;
    clock_duration(ended ? clock_seconds() - progress->started : progress_eta(progress),
                   span, sizeof span);
    if (ended)
        snprintf(remains, sizeof remains, "  after %s", span);
    else if (progress_eta(progress) > 0)
        snprintf(remains, sizeof remains, "  ETA %s", span);
    snprintf(text, LINE_SIZE, "%ld/%ld %s %3d%%%s%s%s", progress->done, progress->total,
             progress->unit, (int)(100 * share_done(progress)), *note ? "  " : "", note,
             remains);
}

/* One column less than there are: some terminals go to the next line at the last one.
 */
static int line_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return LINE_WIDTH;
    return size.ws_col > LINE_WIDTH ? LINE_WIDTH : size.ws_col - 1;
}

/* The bar takes what room the text leaves; with too little there is none. */
static void draw_bar(const struct progress *progress, const char *text, bool ended)
{
    int width = line_width();
    int length = width - (int)(strlen(log_program()) + strlen("  [] ") + strlen(text));
    char bar[BAR_MAX + 1], line[2 * LINE_SIZE];
    if (length >= BAR_MIN) {
        length = length > BAR_MAX ? BAR_MAX : length;
        int filled = (int)(length * share_done(progress));
        memset(bar, '=', (size_t)length);
        if (filled < length) {
            bar[filled] = '>';
            memset(bar + filled + 1, ' ', (size_t)(length - filled - 1));
        }
        bar[length] = 0;
        snprintf(line, sizeof line, "%s  [%s] %s", log_program(), bar, text);
    } else {
        snprintf(line, sizeof line, "%s  %s", log_program(), text);
    }
    fprintf(stderr, "\r%.*s\033[K%s", width, line, ended ? "\n" : "");
    log_set_bar(!ended);
}

static void show(struct progress *progress, const char *note, bool ended)
{
    if (log_quiet())
        return;
    char text[LINE_SIZE];
    describe(progress, note, ended, text);
    if (!progress->on_terminal) {
        log_info("%s", text);
        return;
    }
    draw_bar(progress, text, ended);
    double now = clock_seconds();
    if (now - progress->last_copied >= SECONDS_BETWEEN_LINES || ended) {
        log_copy_only("%s", text);
        progress->last_copied = now;
    }
}

static bool terminal_can_draw(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

void progress_start(struct progress *progress, const char *unit, long done, long total)
{
    double now = clock_seconds();
    *progress = (struct progress){
        .unit = unit,
        .done = done,
        .total = total,
        .started_at = done,
        .started = now,
        .last_line = now,
        .last_copied = -HUGE_VAL, /* the first is due at once */
        .rate = -1,
        .window_time = {now},
        .window_done = {done},
        .window_count = 1,
        .on_terminal = terminal_can_draw(),
    };
    show(progress, "", false);
}

void progress_update(struct progress *progress, long done, const char *note)
{
    double now = clock_seconds();
    progress->done = done;
    measure(progress, now);
    double pause =
        progress->on_terminal ? SECONDS_BETWEEN_DRAWINGS : SECONDS_BETWEEN_LINES;
    if (now - progress->last_line < pause)
        return;
    progress->last_line = now;
    show(progress, note, false);
}

void progress_finish(struct progress *progress, const char *note)
{
    show(progress, note, true);
}
