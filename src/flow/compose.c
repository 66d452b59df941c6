// SPDX-License-Identifier: Apache-2.0
/*
 * Packets from flows: see compose.h.  Headers are written outermost first through struct frame_buf;
 * the IP lengths and all checksums are filled in at the end.
 */
#include "flow/compose.h"

#include "packet/build.h"

#define IPV6_FRAGMENT_HEADER 44

static void
put_bytes16(struct frame_buf *b, rte_be16_t v)
{
    frame_put(b, &v, sizeof v);
}

static void
put_bytes32(struct frame_buf *b, rte_be32_t v)
{
    frame_put(b, &v, sizeof v);
}

static void
put_l2(const struct flow *f, struct frame_buf *b)
{
    frame_put(b, &f->dl_dst, 6);
    frame_put(b, &f->dl_src, 6);
    for (int i = 0; i < flow_n_vlans(f); i++) {
        /* The flow's "there is a tag" bit is the frame's DEI, which the parser ignores. */
        put_bytes16(b, f->vlans[i].tpid ? f->vlans[i].tpid : RTE_BE16(ETH_TYPE_VLAN));
        put_bytes16(b, f->vlans[i].tci & ~RTE_BE16(VLAN_CFI));
    }
    if (f->dl_type == RTE_BE16(ETH_TYPE_NONE) || rte_be_to_cpu_16(f->dl_type) < ETH_TYPE_MIN) {
        static const uint8_t llc[5] = {0, 3, 0x42, 0x42, 3}; /* length, then spanning tree's SAPs */
        frame_put(b, llc, sizeof llc);
    } else {
        put_bytes16(b, f->dl_type);
    }
}

static void
put_mpls(const struct flow *f, struct frame_buf *b)
{
    int n = flow_n_mpls(f, NULL);
    for (int i = 0; i < n; i++) {
        put_bytes32(b, f->mpls_lse[i]);
    }
    static const rte_be32_t bottom = RTE_BE32(MPLS_BOS_MASK);
    if (n == FLOW_MAX_MPLS && !(f->mpls_lse[n - 1] & bottom)) {
        put_bytes32(b, bottom);
    }
}

static void
put_arp(const struct flow *f, struct frame_buf *b)
{
    static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
    frame_put(b, head, sizeof head);
    put_bytes16(b, rte_cpu_to_be_16(f->nw_proto));
    frame_put(b, &f->arp_sha, 6);
    put_bytes32(b, f->nw_src);
    frame_put(b, &f->arp_tha, 6);
    put_bytes32(b, f->nw_dst);
}

static void
put_nd(const struct flow *f, struct frame_buf *b)
{
    static const struct rte_ether_addr zero;
    const struct rte_ether_addr *lla[2] = {&f->arp_sha, &f->arp_tha};
    /* The option whose type the flow names comes first. */
    int first = f->nd_options_type == 2;
    frame_put(b, &f->nd_target, 16);
    for (int i = 0; i < 2; i++) {
        int which = i ^ first;
        if (memcmp(lla[which], &zero, 6)) {
            uint8_t option[2] = {(uint8_t)(which + 1), 1};
            frame_put(b, option, sizeof option);
            frame_put(b, lla[which], 6);
        }
    }
}

/* Bytes that count up, so that a misplaced one shows. */
static void
put_payload(struct frame_buf *b, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)i;
        frame_put(b, &byte, 1);
    }
}

static bool
is_echo(const struct flow *f)
{
    uint16_t type = rte_be_to_cpu_16(f->tp_src);
    bool v4 = f->nw_proto == IP_PROTO_ICMP && (type == 0 || type == 8);
    bool v6 = f->nw_proto == IP_PROTO_ICMPV6 && (type == 128 || type == 129);
    return (v4 || v6) && !f->tp_dst;
}

static void
put_icmp(const struct flow *f, struct frame_buf *b, uint32_t payload_size)
{
    uint8_t head[4] = {(uint8_t)rte_be_to_cpu_16(f->tp_src), (uint8_t)rte_be_to_cpu_16(f->tp_dst)};
    frame_put(b, head, sizeof head);
    if (flow_is_nd(f)) {
        put_bytes32(b, f->nd_reserved);
        put_nd(f, b);
        return;
    }
    put_bytes32(b, f->nw_proto == IP_PROTO_IGMP ? f->igmp_group : 0);
    if (is_echo(f)) {
        put_payload(b, payload_size);
    }
}

/* The TCP, UDP, SCTP, ICMP... header, and payload where the deployed switch's packets have some:
 * tests that count bytes rely on it. */
static void
put_l4(const struct flow *f, struct frame_buf *b, uint32_t payload_size)
{
    switch (f->nw_proto) {
    case IP_PROTO_TCP:
        put_bytes16(b, f->tp_src);
        put_bytes16(b, f->tp_dst);
        frame_put_zeros(b, 8);
        put_bytes16(b, (f->tcp_flags & RTE_BE16(TCP_FLAGS_MASK)) | RTE_BE16(5 << 12));
        frame_put_zeros(b, 6);
        if (!(f->tcp_flags & RTE_BE16(TCP_FIN | TCP_SYN | TCP_RST))) {
            put_payload(b, payload_size);
        }
        break;
    case IP_PROTO_UDP:
        put_bytes16(b, f->tp_src);
        put_bytes16(b, f->tp_dst);
        frame_put_zeros(b, 4);
        put_payload(b, payload_size);
        break;
    case IP_PROTO_SCTP:
        put_bytes16(b, f->tp_src);
        put_bytes16(b, f->tp_dst);
        frame_put_zeros(b, 8);
        break;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
    case IP_PROTO_IGMP:
        put_icmp(f, b, payload_size);
        break;
    default:
        break;
    }
}

/* A later fragment has no L4 header. */
static void
put_l4_or_fragment(const struct flow *f, struct frame_buf *b, uint32_t payload_size)
{
    if (!(f->nw_frag & NW_FRAG_LATER)) {
        put_l4(f, b, payload_size);
    }
}

static void
put_ipv4(const struct flow *f, struct frame_buf *b, uint32_t payload_size)
{
    uint32_t ip = frame_put_ipv4(b, f->nw_src, f->nw_dst, f->nw_proto, f->nw_tos, f->nw_ttl);
    if (f->nw_frag && !b->overflow) {
        rte_be16_t frag = f->nw_frag & NW_FRAG_LATER ? RTE_BE16(100) : RTE_BE16(0x2000);
        memcpy(b->data + ip + 6, &frag, sizeof frag);
    }
    put_l4_or_fragment(f, b, payload_size);
    frame_finish_ip(b, ip);
}

static void
put_ipv6(const struct flow *f, struct frame_buf *b, uint32_t payload_size)
{
    uint8_t proto = f->nw_frag ? IPV6_FRAGMENT_HEADER : f->nw_proto;
    uint32_t ip = frame_put_ipv6(b, &f->ipv6_src, &f->ipv6_dst, proto, f->nw_tos, f->nw_ttl);
    if (!b->overflow) {
        rte_be32_t first;
        memcpy(&first, b->data + ip, sizeof first);
        first |= f->ipv6_label & RTE_BE32(IPV6_LABEL_MASK);
        memcpy(b->data + ip, &first, sizeof first);
    }
    if (f->nw_frag) {
        bool later = f->nw_frag & NW_FRAG_LATER;
        uint8_t frag[8] = {later ? IP_PROTO_UDP : f->nw_proto, 0, 0, later ? 0x08 : 0x01};
        frame_put(b, frag, sizeof frag);
    }
    put_l4_or_fragment(f, b, payload_size);
    frame_finish_ip(b, ip);
}

uint32_t
flow_compose(const struct flow *flow, void *mem, uint32_t cap, uint32_t payload_size)
{
    struct frame_buf b = frame_buf_init(mem, cap);
    uint32_t payload = payload_size;
    if (!flow->packet_type) {
        put_l2(flow, &b);
    }
    if (flow_is_mpls(flow)) {
        put_mpls(flow, &b);
    } else if (flow_dl_type_is(flow, ETH_TYPE_IP)) {
        put_ipv4(flow, &b, payload);
    } else if (flow_dl_type_is(flow, ETH_TYPE_IPV6)) {
        put_ipv6(flow, &b, payload);
    } else if (flow_is_arp(flow)) {
        put_arp(flow, &b);
    }
    return b.overflow ? 0 : b.size;
}
