// SPDX-License-Identifier: Apache-2.0
//
// Closing descriptors of kernel devices.  In each close() of a tap or packet socket the kernel
// waits for a grace period of its own, 10-30 ms.  At the daemon's end, when nobody forwards any
// more, they are closed by many threads at once, which wait for the same one.
#include <stdlib.h>
#include <unistd.h>

#include "base/rcu.h"
#include "base/thread.h"
#include "netdev/netdev_private.h"

enum { CLOSERS_MAX = 32 };

static struct {
    bool is_ending;
    int *fds;
    size_t n;
} end; // main: rw; closers: r

void
netdev_end(void)
{
    end.is_ending = true;
}

bool
netdev_is_ending(void)
{
    return end.is_ending;
}

void
netdev_close_fd(int fd)
{
    if (!end.is_ending) {
        close(fd);
        return;
    }
    end.fds = xreallocarray(end.fds, end.n + 1, sizeof(*end.fds));
    end.fds[end.n++] = fd;
}

// 'first' is the place of the first of its descriptors.
static void *
close_some(void *first)
{
    for (size_t i = (size_t)(uintptr_t)first; i < end.n; i += CLOSERS_MAX) {
        close(end.fds[i]);
    }
    return NULL;
}

void
netdev_close_rest(void)
{
    pthread_t closers[CLOSERS_MAX];
    size_t n = MIN(end.n, (size_t)CLOSERS_MAX);

    if (n == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        closers[i] = thread_create_plain("closer", close_some, (void *)(uintptr_t)i);
    }
    rcu_offline();
    for (size_t i = 0; i < n; i++) {
        pthread_join(closers[i], NULL);
    }
    rcu_online();
    free(end.fds);
    end.fds = NULL;
    end.n = 0;
}
