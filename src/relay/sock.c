// SPDX-License-Identifier: Apache-2.0
//
// The relay's sockets: what all of them need.  relay.h has the contracts.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/relay.h"

enum {
    SEND_TIMEOUT_S = 2, // for a message to the switch
    NO_ROOM_MS = 100,   // between tries to accept when no descriptor is free
};

int64_t
relay_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
relay_close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

// What waits in a listening socket stays ready: without a pause a relay without room would take a
// processor.
int
relay_accept(int sock, int flags)
{
    const struct timespec pause = {.tv_nsec = NO_ROOM_MS * 1000000L};
    int fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC | flags);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

void
relay_limit_sends(int sock)
{
    const struct timeval tv = {.tv_sec = SEND_TIMEOUT_S};

    (void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)); // Without: it may wait on.
}

bool
relay_tell(struct relay *r, char op, const char *text)
{
    char message[RELAY_CONTROL_MAX];
    int n = snprintf(message, sizeof(message), "%c%s", op, text);

    n = n < (int)sizeof(message) ? n : (int)sizeof(message) - 1;
    return r->control >= 0 &&
           send(r->control, message, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

void
relay_log(struct relay *r, const char *text)
{
    relay_tell(r, RELAY_LOG, text);
}
