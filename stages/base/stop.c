#include "base/stop.h"

#include "base/die.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* The first reason stays. A pointer that is lock-free may be set in a signal handler.
 */
static _Atomic(const char *) first_reason;
_Static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "the handler needs lock-free pointers");

static const struct {
    int number;
    const char *name;
    int flags;
} stop_signal[] = {
    {SIGTERM, "SIGTERM", 0},
    {SIGUSR1, "SIGUSR1", 0},
    {SIGXCPU, "SIGXCPU", 0},
    {SIGHUP, "SIGHUP", 0},
    /* The second one finds the default action: whoever presses ^C twice means it. */
    {SIGINT, "SIGINT", SA_RESETHAND},
};
enum { STOP_SIGNALS = sizeof stop_signal / sizeof stop_signal[0] };

void stop_request(const char *reason)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&first_reason, &none, reason);
}

static void on_signal(int number)
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        if (stop_signal[i].number == number)
            stop_request(stop_signal[i].name);
}

/* Who started the program may have it outlive the terminal (nohup). */
static bool ignored(int number)
{
    struct sigaction now;
    BUG_IF(sigaction(number, NULL, &now) != 0);
    return now.sa_handler == SIG_IGN;
}

void stop_install(void)
{
    /* A write beyond the limit on file sizes fails then, as on a full disk, and is
     * reported as that is. */
    BUG_IF(signal(SIGXFSZ, SIG_IGN) == SIG_ERR);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        if (stop_signal[i].number == SIGHUP && ignored(SIGHUP))
            continue;
        /* SA_RESTART: a read or write in progress goes on, the loop looks later. */
        struct sigaction action = {
            .sa_handler = on_signal,
            .sa_flags = SA_RESTART | stop_signal[i].flags,
        };
        sigemptyset(&action.sa_mask);
        BUG_IF(sigaction(stop_signal[i].number, &action, NULL) != 0);
    }
}

bool stop_requested(void)
{
    return stop_reason() != NULL;
}

const char *stop_reason(void)
{
    return atomic_load(&first_reason);
}
