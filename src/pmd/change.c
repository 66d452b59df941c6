// SPDX-License-Identifier: Apache-2.0
//
// Actions that change a packet's headers and nothing else.
#include <errno.h>

#include "packet/packet.h"
#include "packet/rewrite.h"
#include "pmd/dp_int.h"
#include "pmd/pmd.h"

bool
pmd_changes_headers(const struct dp_action *a)
{
    switch (a->type) {
    case DP_ACT_PUSH_VLAN:
    case DP_ACT_POP_VLAN:
    case DP_ACT_PUSH_MPLS:
    case DP_ACT_POP_MPLS:
    case DP_ACT_SET_ETH:
    case DP_ACT_SET_IPV4:
    case DP_ACT_SET_IPV6:
    case DP_ACT_SET_TCP:
    case DP_ACT_SET_UDP:
    case DP_ACT_SET_SCTP:
    case DP_ACT_SET_ICMP:
    case DP_ACT_SET_ARP:
    case DP_ACT_SET_ND:
    case DP_ACT_SET_ND_EXT:
    case DP_ACT_SET_MPLS:
        return true;
    default:
        return false;
    }
}

// Header changes need bytes that nobody else sees.  NULL with the loss counted.
static struct rte_mbuf *
make_writable(struct rte_mbuf *m)
{
    if (LIKELY(RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1)) {
        return m;
    }
    m = packet_unshare(m, netdev_default_pool());
    if (UNLIKELY(!m)) {
        drop_count(DROP_NO_MEMORY, 1);
    }
    return m;
}

// A set action on a packet without that header is no error: translation knows the packets of its
// flow, a list run by hand may not.
static int
change(struct rte_mbuf *m, struct packet_layers *ly, const struct dp_action *a)
{
    const struct dp_act_push_vlan *vlan = (const struct dp_act_push_vlan *)a;
    const struct dp_act_push_mpls *push = (const struct dp_act_push_mpls *)a;
    const struct dp_act_pop_mpls *pop = (const struct dp_act_pop_mpls *)a;
    const struct dp_act_set_mpls *mpls = (const struct dp_act_set_mpls *)a;

#define SET(STRUCT, FN, ...)                               \
    {                                                      \
        const struct STRUCT *s = (const struct STRUCT *)a; \
        FN(m, __VA_ARGS__ & s->value, &s->mask);           \
        break;                                             \
    }
    switch (a->type) {
    case DP_ACT_PUSH_VLAN:
        return packet_push_vlan(m, ly, vlan->tpid, vlan->tci);
    case DP_ACT_POP_VLAN:
        packet_pop_vlan(m, ly);
        break;
    case DP_ACT_PUSH_MPLS:
        return packet_push_mpls(m, ly, push->ethertype, push->lse);
    case DP_ACT_POP_MPLS:
        packet_pop_mpls(m, ly, pop->ethertype);
        break;
    case DP_ACT_SET_MPLS:
        packet_set_mpls(m, ly, mpls->value, mpls->mask);
        break;
    case DP_ACT_SET_ETH:
        SET(dp_act_set_eth, packet_set_eth, )
    case DP_ACT_SET_IPV4:
        SET(dp_act_set_ipv4, packet_set_ipv4, ly, )
    case DP_ACT_SET_IPV6:
        SET(dp_act_set_ipv6, packet_set_ipv6, ly, )
    case DP_ACT_SET_TCP:
        SET(dp_act_set_tp, packet_set_tcp, ly, )
    case DP_ACT_SET_UDP:
        SET(dp_act_set_tp, packet_set_udp, ly, )
    case DP_ACT_SET_SCTP:
        SET(dp_act_set_tp, packet_set_sctp, ly, )
    case DP_ACT_SET_ICMP:
        SET(dp_act_set_icmp, packet_set_icmp, ly, )
    case DP_ACT_SET_ARP:
        SET(dp_act_set_arp, packet_set_arp, ly, )
    case DP_ACT_SET_ND:
        SET(dp_act_set_nd, packet_set_nd, ly, )
    case DP_ACT_SET_ND_EXT:
        SET(dp_act_set_nd_ext, packet_set_nd_ext, ly, )
    default: // of pmd_changes_headers(), but not here
        return -EOPNOTSUPP;
    }
#undef SET
    return 0;
}

struct rte_mbuf *
pmd_change_headers(struct rte_mbuf *m, struct packet_layers *ly, const struct dp_action *a)
{
    m = make_writable(m);
    if (UNLIKELY(m != NULL && change(m, ly, a) != 0)) {
        drop_packet(m, DROP_HEADER_ROOM);
        return NULL;
    }
    return m;
}
