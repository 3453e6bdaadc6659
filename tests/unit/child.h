/*
 * child.h - runs a function in a child process, for what ends or changes a process.
 *
 * What the child writes comes back through pipes; what it exits with, or the signal
 * that ended it, too. The function's return value is its exit code.
 */
#ifndef UNIT_CHILD_H
#define UNIT_CHILD_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_TEXT_SIZE = 16384 };

struct child {
    int code;   /* exit code, or -1 */
    int signal; /* that ended it, or 0 */
    char out[CHILD_TEXT_SIZE], err[CHILD_TEXT_SIZE];
};

/* Reads both pipes to their ends; a child that writes much to one does not wait for us.
 */
static void child_read(int out, int err, struct child *child)
{
    struct pollfd from[] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
    char *text[] = {child->out, child->err};
    size_t length[] = {0, 0};
    for (int open = 2; open > 0;) {
        poll(from, 2, -1);
        for (int i = 0; i < 2; i++) {
            if (from[i].fd < 0 || !from[i].revents)
                continue;
            ssize_t n =
                read(from[i].fd, text[i] + length[i], CHILD_TEXT_SIZE - 1 - length[i]);
            if (n > 0) {
                length[i] += (size_t)n;
            } else {
                close(from[i].fd);
                from[i].fd = -1;
                open--;
            }
        }
    }
}

static struct child child_run(int (*body)(const void *argument), const void *argument)
{
    struct child child = {.code = -1};
    int out[2], err[2], status;
    if (pipe(out) != 0 || pipe(err) != 0)
        abort();
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        close(out[0]), close(out[1]), close(err[0]), close(err[1]);
        exit(body(argument));
    }
    close(out[1]), close(err[1]);
    child_read(out[0], err[0], &child);
    if (waitpid(pid, &status, 0) != pid)
        abort();
    if (WIFEXITED(status))
        child.code = WEXITSTATUS(status);
    else
        child.signal = WTERMSIG(status);
    return child;
}

#endif
