// SPDX-License-Identifier: Apache-2.0
//
// The netlink socket for link events, and the request for one device's counters.  libmnl frames and
// parses; every length is checked by it before an attribute is looked at.
#include "netdev/netdev_watch.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/coverage.h"
#include "base/log.h"

LOG_MODULE(netdev_linux);

COVERAGE_DEFINE(netlink_overflow);
COVERAGE_DEFINE(netlink_received);
COVERAGE_DEFINE(netlink_sent);
COVERAGE_DEFINE(nln_changed);

struct netdev_watch {
    struct mnl_socket *nl;
    struct loop_fd fd;
    netdev_watch_fn *fn;
};

static int
name_attr_cb(const struct nlattr *attr, void *name_)
{
    const char **name = name_;

    if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
        mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0) {
        *name = mnl_attr_get_str(attr);
    }
    return MNL_CB_OK;
}

static int
watch_msg_cb(const struct nlmsghdr *nlh, void *watch_)
{
    struct netdev_watch *watch = watch_;
    const char *name = NULL;

    if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
        mnl_nlmsg_get_payload_len(nlh) < sizeof(struct ifinfomsg)) {
        return MNL_CB_OK;
    }
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
    mnl_attr_parse(nlh, sizeof(*info), name_attr_cb, &name);
    if (name != NULL) {
        coverage_inc(nln_changed);
        watch->fn(name, info->ifi_index);
    }
    return MNL_CB_OK;
}

static void
watch_readable(int fd, unsigned int events, void *watch_)
{
    struct netdev_watch *watch = watch_;
    char buf[32768];

    // A bounded share of one iteration; level triggering brings us back.
    for (int i = 0; i < 64; i++) {
        ssize_t n = mnl_socket_recvfrom(watch->nl, buf, sizeof(buf));
        if (n < 0 && errno == ENOBUFS) {
            coverage_inc(netlink_overflow);
            watch->fn(NULL, 0);
            continue;
        }
        if (n <= 0) {
            return;
        }
        coverage_inc(netlink_received);
        mnl_cb_run(buf, (size_t)n, 0, 0, watch_msg_cb, watch);
    }
}

struct netdev_watch *
netdev_watch_create(struct loop *loop, netdev_watch_fn *fn)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (nl == NULL) {
        log_info("no netlink (%s): kernel devices are not watched", err_str(errno));
        return NULL;
    }
    if (mnl_socket_bind(nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(nl);
        return NULL;
    }
    struct netdev_watch *watch = xzalloc(sizeof(*watch));
    watch->nl = nl;
    watch->fn = fn;
    loop_fd_start(&watch->fd, loop, mnl_socket_get_fd(nl), LOOP_READ, watch_readable, watch);
    return watch;
}

void
netdev_watch_destroy(struct netdev_watch *watch)
{
    if (watch != NULL) {
        loop_fd_stop(&watch->fd);
        mnl_socket_close(watch->nl);
        free(watch);
    }
}

static int
stats_attr_cb(const struct nlattr *attr, void *stats_)
{
    struct rtnl_link_stats64 *stats = stats_;

    // Older and newer kernels have shorter and longer structs.
    if (mnl_attr_get_type(attr) == IFLA_STATS64) {
        size_t n = mnl_attr_get_payload_len(attr);
        memcpy(stats, mnl_attr_get_payload(attr), MIN(n, sizeof(*stats)));
    }
    return MNL_CB_OK;
}

static int
stats_msg_cb(const struct nlmsghdr *nlh, void *stats)
{
    if (nlh->nlmsg_type == RTM_NEWLINK &&
        mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg)) {
        mnl_attr_parse(nlh, sizeof(struct ifinfomsg), stats_attr_cb, stats);
    }
    return MNL_CB_STOP;
}

int
netdev_link_stats(int ifindex, struct rtnl_link_stats64 *stats)
{
    char buf[32768];
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (nl == NULL) {
        return -errno;
    }
    memset(stats, 0, sizeof(*stats));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = RTM_GETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    nlh->nlmsg_seq = 1;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
    info->ifi_index = ifindex;

    int error = 0;
    ssize_t n;
    coverage_inc(netlink_sent);
    coverage_inc(netlink_received);
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
        (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) <= 0 ||
        mnl_cb_run(buf, (size_t)n, 1, 0, stats_msg_cb, stats) < 0) {
        error = errno != 0 ? -errno : -EIO;
    }
    mnl_socket_close(nl);
    return error;
}
