// SPDX-License-Identifier: Apache-2.0
//
// See netdev_hop.h.  Two requests by netlink: the route to the address, then the neighbour that it
// names.  libmnl frames and parses.
#include "netdev/netdev_hop.h"

#include <errno.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/coverage.h"
#include "base/util.h"

COVERAGE_DEFINE(netdev_arp_lookup);

enum {
    BUFFER_SIZE = 8192,
    // A neighbour in one of these states has an address that the kernel uses.
    NUD_USABLE = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY,
};

struct hop {
    rte_be32_t ip;
    uint32_t ifindex;
    bool is_own; // this host is meant
    bool has_mac;
    struct rte_ether_addr mac;
};

static int
route_attr_cb(const struct nlattr *attr, void *hop_)
{
    struct hop *hop = hop_;

    if (mnl_attr_get_payload_len(attr) < sizeof(uint32_t)) {
        return MNL_CB_OK;
    }
    if (mnl_attr_get_type(attr) == RTA_OIF) {
        hop->ifindex = mnl_attr_get_u32(attr);
    } else if (mnl_attr_get_type(attr) == RTA_GATEWAY) {
        hop->ip = mnl_attr_get_u32(attr);
    }
    return MNL_CB_OK;
}

static int
route_cb(const struct nlmsghdr *nlh, void *hop_)
{
    struct hop *hop = hop_;

    if (nlh->nlmsg_type == RTM_NEWROUTE && mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct rtmsg)) {
        const struct rtmsg *route = mnl_nlmsg_get_payload(nlh);
        hop->is_own = route->rtm_type != RTN_UNICAST;
        mnl_attr_parse(nlh, sizeof(*route), route_attr_cb, hop);
    }
    return MNL_CB_STOP;
}

static int
neighbour_attr_cb(const struct nlattr *attr, void *hop_)
{
    struct hop *hop = hop_;

    if (mnl_attr_get_type(attr) == NDA_LLADDR &&
        mnl_attr_get_payload_len(attr) == sizeof(hop->mac)) {
        memcpy(&hop->mac, mnl_attr_get_payload(attr), sizeof(hop->mac));
        hop->has_mac = !rte_is_zero_ether_addr(&hop->mac);
    }
    return MNL_CB_OK;
}

static int
neighbour_cb(const struct nlmsghdr *nlh, void *hop)
{
    if (nlh->nlmsg_type == RTM_NEWNEIGH && mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ndmsg)) {
        const struct ndmsg *neighbour = mnl_nlmsg_get_payload(nlh);
        if (neighbour->ndm_state & NUD_USABLE) {
            mnl_attr_parse(nlh, sizeof(*neighbour), neighbour_attr_cb, hop);
        }
    }
    return MNL_CB_STOP;
}

// Sends one request and reads its answer.  0, or the negative errno of the kernel.
static int
ask(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb, struct hop *hop)
{
    char answer[BUFFER_SIZE];

    nlh->nlmsg_flags = NLM_F_REQUEST;
    if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
        return -errno;
    }
    ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
    if (n < 0 || mnl_cb_run(answer, (size_t)n, nlh->nlmsg_seq, 0, cb, hop) < 0) {
        return errno != 0 ? -errno : -EIO;
    }
    return 0;
}

static int
ask_route(struct mnl_socket *nl, struct hop *hop)
{
    char request[BUFFER_SIZE];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);

    nlh->nlmsg_type = RTM_GETROUTE;
    nlh->nlmsg_seq = 1;
    struct rtmsg *route = mnl_nlmsg_put_extra_header(nlh, sizeof(*route));
    route->rtm_family = AF_INET;
    route->rtm_dst_len = 32;
    mnl_attr_put_u32(nlh, RTA_DST, hop->ip);
    return ask(nl, nlh, route_cb, hop);
}

static int
ask_neighbour(struct mnl_socket *nl, struct hop *hop)
{
    char request[BUFFER_SIZE];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);

    nlh->nlmsg_type = RTM_GETNEIGH;
    nlh->nlmsg_seq = 2;
    struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(nlh, sizeof(*neighbour));
    neighbour->ndm_family = AF_INET;
    neighbour->ndm_ifindex = (int)hop->ifindex;
    mnl_attr_put_u32(nlh, NDA_DST, hop->ip);
    return ask(nl, nlh, neighbour_cb, hop);
}

int
netdev_next_hop_mac(rte_be32_t ip, struct rte_ether_addr *mac)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct hop hop = {.ip = ip};
    int error = 0;

    coverage_inc(netdev_arp_lookup);
    if (nl == NULL) {
        return -errno;
    }
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
        error = -errno;
    }
    error = error != 0 ? error : ask_route(nl, &hop);
    if (error == 0 && hop.is_own) {
        error = -EADDRNOTAVAIL;
    }
    error = error != 0 ? error : ask_neighbour(nl, &hop);
    mnl_socket_close(nl);
    if (error == 0 && !hop.has_mac) {
        error = -ENOENT;
    }
    *mac = error == 0 ? hop.mac : (struct rte_ether_addr){{0}};
    return error;
}
