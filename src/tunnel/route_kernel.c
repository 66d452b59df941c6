// SPDX-License-Identifier: Apache-2.0
/*
 * See route_kernel.h.  One socket hears of changes and is read only to know whether there were
 * some: a device that goes takes routes along of which the kernel does not speak.  Nobody waits for
 * it; what does not fit there the kernel drops, and says that it did.  Another one, for the time of
 * a dump, reads the routes.  libmnl frames and checks the messages.
 */
#include "tunnel/route_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <linux/rtnetlink.h>

#include "base/coverage.h"
#include "base/log.h"
#include "tunnel/route_msg.h"
#include "tunnel/source.h"

LOG_MODULE(route_table);

COVERAGE_DEFINE(netlink_overflow);
COVERAGE_DEFINE(netlink_received);
COVERAGE_DEFINE(netlink_sent);
COVERAGE_DEFINE(route_table_dump);

enum {
    MAX_TRIES = 3, /* of a dump that changes interrupt */
    MAX_NEWS = 4096,
    BUFFER_SIZE = 32768,
    GROUPS = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR |
             RTMGRP_IPV6_IFADDR,
};

struct route_kernel {
    struct routes *routes;
    struct mnl_socket *nl; /* news */
    bool is_stale;
    bool is_full_told;
};

/* One reading of all routes. */
struct dump {
    const struct sources *sources;
    struct route *routes;
    size_t n, allocated;
    bool is_full;
};

static int
dump_cb(const struct nlmsghdr *nlh, void *dump_)
{
    struct dump *dump = dump_;
    struct route route;
    uint32_t ifindex;

    if (!route_msg_decode(nlh, &route, &ifindex)) {
        return MNL_CB_OK;
    }
    const char *dev = sources_device(dump->sources, ifindex);
    if (dev == NULL) {
        return MNL_CB_OK;
    }
    str_copy(route.dev, dev, sizeof(route.dev));
    if (!sources_find(dump->sources, dev, &route.dst, &route.gw, &route.src)) {
        return MNL_CB_OK;
    }
    if (dump->n >= ROUTES_MAX_CACHED) {
        dump->is_full = true;
        return MNL_CB_STOP;
    }
    if (dump->n == dump->allocated) {
        dump->allocated = dump->allocated * 2 + 64;
        dump->routes = xreallocarray(dump->routes, dump->allocated, sizeof(route));
    }
    dump->routes[dump->n++] = route;
    return MNL_CB_OK;
}

/* Reads all routes into 'dump'.  0 or a negative errno; -EINTR: they changed meanwhile. */
static int
dump_routes(struct mnl_socket *nl, struct dump *dump)
{
    char buffer[BUFFER_SIZE];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
    int result = MNL_CB_OK;

    nlh->nlmsg_type = RTM_GETROUTE;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = 1;
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
    rtm->rtm_family = AF_UNSPEC;
    coverage_inc(netlink_sent);
    if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
        return -errno;
    }
    while (result == MNL_CB_OK) {
        ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        coverage_inc(netlink_received);
        result = mnl_cb_run(buffer, (size_t)n, 1, 0, dump_cb, dump);
    }
    return result < 0 ? -errno : 0;
}

static int
dump_once(struct dump *dump)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (nl == NULL) {
        return -errno;
    }
    dump->n = 0;
    dump->is_full = false;
    int error = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump_routes(nl, dump);
    mnl_socket_close(nl);
    return error;
}

static void
read_routes(struct route_kernel *rk)
{
    static struct log_rate rate = LOG_RATE_INIT(1, 5);
    struct sources *sources = sources_read();
    struct dump dump = {.sources = sources};
    int error = -EINTR;

    for (int i = 0; i < MAX_TRIES && error == -EINTR; i++) {
        coverage_inc(route_table_dump);
        error = dump_once(&dump);
    }
    sources_free(sources);
    rk->is_stale = false;
    if (error != 0 && error != -EINTR) {
        log_warn_rl(&rate, "cannot read the kernel's routes (%s)", err_str(error));
    } else {
        routes_set_cached(rk->routes, dump.routes, dump.n);
    }
    if (error == -EINTR) { /* What changed is news for the next time. */
        log_dbg("the kernel's routes change while they are read");
    }
    if (dump.is_full && !rk->is_full_told) {
        log_warn("the kernel has more than %d routes: the others are left out", ROUTES_MAX_CACHED);
    }
    rk->is_full_told = dump.is_full;
    free(dump.routes);
}

/* Reads news away. */
static void
drain(struct route_kernel *rk)
{
    char buffer[BUFFER_SIZE];

    /* Bounded, if they come as fast as they are read: the others are there the next time. */
    for (int i = 0; i < MAX_NEWS; i++) {
        ssize_t n = mnl_socket_recvfrom(rk->nl, buffer, sizeof(buffer));

        if (n <= 0 && errno != ENOBUFS && errno != ENOSPC) {
            return;
        }
        if (n > 0) {
            coverage_inc(netlink_received);
        } else {
            coverage_inc(netlink_overflow);
        }
        rk->is_stale = true;
    }
}

struct route_kernel *
route_kernel_create(struct routes *routes)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (nl == NULL || mnl_socket_bind(nl, GROUPS, MNL_SOCKET_AUTOPID) < 0) {
        log_info("no netlink (%s): the kernel's routes are not known", err_str(errno));
        if (nl != NULL) {
            mnl_socket_close(nl);
        }
        return NULL;
    }
    struct route_kernel *rk = xzalloc(sizeof(*rk));
    rk->routes = routes;
    rk->nl = nl;
    rk->is_stale = true;
    return rk;
}

void
route_kernel_destroy(struct route_kernel *rk)
{
    if (rk != NULL) {
        mnl_socket_close(rk->nl);
        free(rk);
    }
}

void
route_kernel_refresh(struct route_kernel *rk)
{
    if (rk != NULL) {
        drain(rk);
        if (rk->is_stale) {
            read_routes(rk);
        }
    }
}
