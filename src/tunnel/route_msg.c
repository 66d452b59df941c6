// SPDX-License-Identifier: Apache-2.0
/* See route_msg.h.  The kernel's side is in include/uapi/linux/rtnetlink.h. */
#include "tunnel/route_msg.h"

#include <time.h>

#include <linux/rtnetlink.h>

struct decoded {
    struct route *route;
    uint32_t ifindex, table;
    int family;
    bool is_bad;
};

/* An address of 'family' in an attribute. */
static bool
get_address(const void *bytes, size_t size, int family, struct in6_addr *a)
{
    be32_t ip4;

    if (family == AF_INET && size == sizeof(ip4)) {
        memcpy(&ip4, bytes, sizeof(ip4));
        *a = address_from_ip4(ip4);
        return true;
    }
    if (family == AF_INET6 && size == sizeof(*a)) {
        memcpy(a, bytes, sizeof(*a));
        return true;
    }
    return false;
}

static bool
get_u32(const struct nlattr *attr, uint32_t *value)
{
    if (mnl_attr_get_payload_len(attr) != sizeof(*value)) {
        return false;
    }
    *value = mnl_attr_get_u32(attr);
    return true;
}

/* A gateway of the other family. */
static bool
get_via(const struct nlattr *attr, struct in6_addr *a)
{
    const struct rtvia *via = mnl_attr_get_payload(attr);
    size_t size = mnl_attr_get_payload_len(attr);

    return size >= sizeof(*via) &&
           get_address(via->rtvia_addr, size - sizeof(*via), via->rtvia_family, a);
}

static int
attr_cb(const struct nlattr *attr, void *decoded_)
{
    struct decoded *d = decoded_;
    struct route *r = d->route;
    const void *bytes = mnl_attr_get_payload(attr);
    size_t size = mnl_attr_get_payload_len(attr);
    bool ok = true;

    switch (mnl_attr_get_type(attr)) {
    case RTA_DST:
        ok = get_address(bytes, size, d->family, &r->dst);
        break;
    case RTA_GATEWAY:
        ok = get_address(bytes, size, d->family, &r->gw);
        break;
    case RTA_VIA:
        ok = get_via(attr, &r->gw);
        break;
    case RTA_OIF:
        ok = get_u32(attr, &d->ifindex);
        break;
    case RTA_TABLE:
        ok = get_u32(attr, &d->table);
        break;
    case RTA_MARK:
        ok = get_u32(attr, &r->mark);
        break;
    case RTA_PRIORITY:
        ok = get_u32(attr, &r->metric);
        break;
    default:
        break;
    }
    d->is_bad |= !ok;
    return MNL_CB_OK;
}

static bool
is_our_table(uint32_t table)
{
    return table == RT_TABLE_UNSPEC || table == RT_TABLE_DEFAULT || table == RT_TABLE_MAIN ||
           table == RT_TABLE_LOCAL;
}

bool
route_msg_decode(const struct nlmsghdr *nlh, struct route *route, uint32_t *ifindex)
{
    struct decoded d = {.route = route};

    memset(route, 0, sizeof(*route));
    if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(struct rtmsg)) {
        return false;
    }
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    bool is_ip4 = rtm->rtm_family == AF_INET;
    unsigned int offset = is_ip4 ? ADDRESS_IP4_PLEN : 0;

    if ((!is_ip4 && rtm->rtm_family != AF_INET6) || rtm->rtm_dst_len + offset > ADDRESS_BITS ||
        (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL) ||
        rtm->rtm_scope == RT_SCOPE_NOWHERE || (rtm->rtm_flags & RTM_F_CLONED) != 0) {
        return false;
    }
    d.family = rtm->rtm_family;
    d.table = rtm->rtm_table;
    if (is_ip4) {
        route->dst = address_from_ip4(0);
    }
    mnl_attr_parse(nlh, sizeof(*rtm), attr_cb, &d);
    if (d.is_bad || d.ifindex == 0 || !is_our_table(d.table)) {
        return false;
    }
    route->plen = (uint8_t)(rtm->rtm_dst_len + offset);
    route->dst = address_prefix(&route->dst, route->plen);
    route->kind = rtm->rtm_type == RTN_LOCAL ? ROUTE_LOCAL : ROUTE_CACHED;
    *ifindex = d.ifindex;
    return true;
}
