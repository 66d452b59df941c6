// SPDX-License-Identifier: Apache-2.0
/*
 * What /proc/PID/stat says of a process that ends; see proc(5).  Called from the main thread, at
 * the start and where a socket file is in the way.
 */
#include "base/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXITING_FLAG 0x4 /* PF_EXITING of the kernel */
#define POLL_MS 10
#define GRACE_MS 50
#define DEATH_MS_MAX 10000

static pid_t public_pid; /* 0: our own */

enum process_state { PROCESS_ALIVE, PROCESS_DYING, PROCESS_GONE };

static enum process_state
process_look(pid_t pid)
{
    char path[64], text[1024], state;
    unsigned int flags;
    int n_threads;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT ? PROCESS_GONE : PROCESS_ALIVE;
    }
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    /* The name, in parentheses, may hold anything. */
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL) {
        return n == 0 ? PROCESS_GONE : PROCESS_ALIVE; /* It went between open and read. */
    }
    if (sscanf(after_name, ") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
               &state, &flags, &n_threads) != 3) {
        return PROCESS_ALIVE;
    }
    /* A zombie whose threads are all gone holds nothing any more, even if nobody ever reaps it. */
    if (state == 'Z' && n_threads <= 1) {
        return PROCESS_GONE;
    }
    return state == 'Z' || flags & EXITING_FLAG ? PROCESS_DYING : PROCESS_ALIVE;
}

bool
process_is_dying(pid_t pid)
{
    return process_look(pid) == PROCESS_DYING;
}

bool
process_await_death(pid_t pid)
{
    for (int ms = 0; ms < DEATH_MS_MAX; ms += POLL_MS) {
        enum process_state state = process_look(pid);

        if (state == PROCESS_GONE) {
            return true;
        }
        if (state == PROCESS_ALIVE && ms >= GRACE_MS) {
            return false;
        }
        usleep(POLL_MS * 1000);
    }
    return false;
}

pid_t
process_public_pid(void)
{
    return public_pid != 0 ? public_pid : getpid();
}

void
process_set_public_pid(pid_t pid)
{
    public_pid = pid;
}
