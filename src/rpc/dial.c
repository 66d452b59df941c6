// SPDX-License-Identifier: Apache-2.0
/*
 * dial.c - connects to a host by its name: looks it up, then tries one address after the other, see
 * lookup.h.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/lookup.h"

#define TRY_MS 3000

struct dial {
    struct loop *loop;
    char *host;
    uint16_t port;
    dial_fn *fn;
    void *arg;
    struct lookup *lookup; /* NULL once answered */
    int64_t answered_ms;
    struct sockaddr_storage addresses[LOOKUP_MAX_ADDRESSES];
    size_t n, next; /* 'next' one to be tried */
    int fd;         /* -1: none is being tried */
    struct loop_fd watch;
    struct loop_timer timer;
};

static void try_next(struct dial *dial, int error);

int
dial_address(const struct sockaddr_storage *address, int *fdp)
{
    socklen_t len =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (const struct sockaddr *)address, len) != 0 && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        return -error;
    }
    *fdp = fd;
    return 0;
}

/* Stops what is under way with the present address. */
static void
hang_up(struct dial *dial)
{
    loop_timer_stop(&dial->timer);
    loop_fd_stop(&dial->watch);
    if (dial->fd >= 0) {
        close(dial->fd);
        dial->fd = -1;
    }
}

void
dial_cancel(struct dial *dial)
{
    if (dial == NULL) {
        return;
    }
    lookup_cancel(dial->lookup);
    hang_up(dial);
    free(dial->host);
    free(dial);
}

/* The end: 'fd' or a negative errno goes to the owner. */
static void
finish(struct dial *dial, int fd, const char *error)
{
    dial_fn *fn = dial->fn;
    void *arg = dial->arg;

    dial_cancel(dial);
    fn(fd, error, arg);
}

static void
on_ready(int fd, unsigned int events, void *dial_)
{
    struct dial *dial = dial_;
    int error = 0;
    socklen_t len = sizeof error;

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        try_next(dial, -error);
        return;
    }
    loop_fd_stop(&dial->watch);
    dial->fd = -1;
    finish(dial, fd, NULL);
}

static void
on_timer(void *dial_)
{
    try_next(dial_, -ETIMEDOUT);
}

/* 'error' is what came of the last one. */
static void
try_next(struct dial *dial, int error)
{
    hang_up(dial);
    while (dial->next < dial->n) {
        error = dial_address(&dial->addresses[dial->next++], &dial->fd);
        if (error == 0) {
            error = loop_fd_start(&dial->watch, dial->loop, dial->fd, LOOP_WRITE, on_ready, dial);
        }
        if (error == 0) {
            if (dial->next < dial->n) {
                loop_timer_once(&dial->timer, dial->loop, TRY_MS, on_timer, dial);
            }
            return;
        }
        hang_up(dial);
    }
    finish(dial, error, err_str(error));
}

static void
set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET) {
        ((struct sockaddr_in *)address)->sin_port = htobe16_(port);
    } else {
        ((struct sockaddr_in6 *)address)->sin6_port = htobe16_(port);
    }
}

static void
on_addresses(const struct sockaddr_storage *addresses, size_t n, const char *error, void *dial_)
{
    struct dial *dial = dial_;

    dial->lookup = NULL;
    dial->answered_ms = clock_now_ms();
    for (size_t i = 0; i < n; i++) {
        if (addresses[i].ss_family == AF_INET || addresses[i].ss_family == AF_INET6) {
            dial->addresses[dial->n] = addresses[i];
            set_port(&dial->addresses[dial->n++], dial->port);
        }
    }
    if (dial->n == 0) {
        char *text = xasprintf("no address of host %s is known: %s", dial->host,
                               error != NULL ? error : "none of IPv4 or IPv6");

        finish(dial, -EHOSTUNREACH, text);
        free(text);
        return;
    }
    try_next(dial, 0);
}

struct dial *
dial_start(struct loop *loop, const char *host, uint16_t port, bool is_vital, dial_fn *fn,
           void *arg)
{
    struct dial *dial = xzalloc(sizeof *dial);

    dial->loop = loop;
    dial->host = xstrdup(host);
    dial->port = port;
    dial->fn = fn;
    dial->arg = arg;
    dial->fd = -1;
    dial->lookup = lookup_start(loop, host, is_vital, on_addresses, dial);
    return dial;
}

int64_t
dial_started_ms(const struct dial *dial)
{
    return dial->lookup != NULL ? lookup_started_ms(dial->lookup) : dial->answered_ms;
}
