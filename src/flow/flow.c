// SPDX-License-Identifier: Apache-2.0
/*
 * Operations on the dense flow and its masks: comparison, VLAN and MPLS stacks, what an exact match
 * of a packet's shape means.  Translation and the upcall handlers call these; hashes are in
 * flow_hash.c.
 */
#include "flow/flow.h"

bool
flow_equal_masked(const struct flow *a, const struct flow *b, const struct flow_mask *mask)
{
    uint64_t diff = 0;
    for (int i = 0; i < FLOW_WORDS; i++) {
        diff |= (a->w[i] ^ b->w[i]) & mask->bits.w[i];
    }
    return !diff;
}

void
flow_apply_mask(struct flow *flow, const struct flow_mask *mask)
{
    for (int i = 0; i < FLOW_WORDS; i++) {
        flow->w[i] &= mask->bits.w[i];
    }
}

void
flow_mask_or(struct flow_mask *dst, const struct flow_mask *src)
{
    for (int i = 0; i < FLOW_WORDS; i++) {
        dst->bits.w[i] |= src->bits.w[i];
    }
}

void
flow_mask_and(struct flow_mask *dst, const struct flow_mask *src)
{
    flow_apply_mask(&dst->bits, src);
}

bool
flow_mask_is_subset(const struct flow_mask *a, const struct flow_mask *b)
{
    uint64_t extra = 0;
    for (int i = 0; i < FLOW_WORDS; i++) {
        extra |= a->bits.w[i] & ~b->bits.w[i];
    }
    return !extra;
}

uint64_t
flow_words_map(const struct flow *f)
{
    uint64_t map = 0;
    static_assert(FLOW_WORDS % 4 == 0, "four at once: most are zero");
    for (int i = 0; i < FLOW_WORDS; i += 4) {
        const uint64_t *w = &f->w[i];
        if (w[0] | w[1] | w[2] | w[3]) {
            map |= ((uint64_t)(w[0] != 0) | (uint64_t)(w[1] != 0) << 1 |
                    (uint64_t)(w[2] != 0) << 2 | (uint64_t)(w[3] != 0) << 3)
                   << i;
        }
    }
    return map;
}

int
flow_mask_n_bits(const struct flow_mask *m)
{
    int n = 0;
    for (int i = 0; i < FLOW_WORDS; i++) {
        n += __builtin_popcountll(m->bits.w[i]);
    }
    return n;
}

static void
exact_tunnel(const struct flow_tnl *t, struct flow_mask *mask)
{
    if (!flow_tnl_dst_is_set(t)) {
        return;
    }
    FLOW_MASK_SET(mask, tunnel.tun_id);
    if (t->ip_dst) {
        FLOW_MASK_SET(mask, tunnel.ip_src);
        FLOW_MASK_SET(mask, tunnel.ip_dst);
    } else {
        FLOW_MASK_SET(mask, tunnel.ipv6_src);
        FLOW_MASK_SET(mask, tunnel.ipv6_dst);
    }
    FLOW_MASK_SET(mask, tunnel.flags);
    FLOW_MASK_SET(mask, tunnel.ip_tos);
    FLOW_MASK_SET(mask, tunnel.ip_ttl);
    FLOW_MASK_SET(mask, tunnel.tp_src);
    FLOW_MASK_SET(mask, tunnel.tp_dst);
    FLOW_MASK_SET(mask, tunnel.gbp_id);
    FLOW_MASK_SET(mask, tunnel.gbp_flags);
    FLOW_MASK_SET(mask, tunnel.gtpu_flags);
    FLOW_MASK_SET(mask, tunnel.gtpu_msgtype);
    FLOW_MASK_SET(mask, tunnel.erspan_ver);
    FLOW_MASK_SET(mask, tunnel.erspan_dir);
    FLOW_MASK_SET(mask, tunnel.erspan_hwid);
    FLOW_MASK_SET(mask, tunnel.erspan_idx);
}

static void
exact_conntrack(const struct flow *flow, struct flow_mask *mask)
{
    FLOW_MASK_SET(mask, ct_state);
    FLOW_MASK_SET(mask, ct_zone);
    FLOW_MASK_SET(mask, ct_mark);
    FLOW_MASK_SET(mask, ct_label);
    if (!flow->ct_state) {
        return;
    }
    FLOW_MASK_SET(mask, ct_tp_src);
    FLOW_MASK_SET(mask, ct_tp_dst);
    FLOW_MASK_SET(mask, ct_nw_proto);
    if (flow_dl_type_is(flow, ETH_TYPE_IPV6)) {
        FLOW_MASK_SET(mask, ct_ipv6_src);
        FLOW_MASK_SET(mask, ct_ipv6_dst);
    } else {
        FLOW_MASK_SET(mask, ct_nw_src);
        FLOW_MASK_SET(mask, ct_nw_dst);
    }
}

static void
exact_nd(const struct flow *flow, struct flow_mask *mask)
{
    if (flow_is_nd(flow)) {
        FLOW_MASK_SET(mask, nd_target);
        FLOW_MASK_SET(mask, nd_reserved);
        FLOW_MASK_SET(mask, nd_options_type);
        FLOW_MASK_SET(mask, arp_sha);
        FLOW_MASK_SET(mask, arp_tha);
    }
}

/* Protocols of which the key has more than the number. */
static bool
has_l4_fields(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_SCTP ||
           proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6 || proto == IP_PROTO_IGMP;
}

static void
exact_ip(const struct flow *flow, struct flow_mask *mask)
{
    FLOW_MASK_SET(mask, nw_proto);
    FLOW_MASK_SET(mask, nw_frag);
    FLOW_MASK_SET(mask, nw_tos);
    FLOW_MASK_SET(mask, nw_ttl);
    if (flow_dl_type_is(flow, ETH_TYPE_IPV6)) {
        FLOW_MASK_SET(mask, ipv6_src);
        FLOW_MASK_SET(mask, ipv6_dst);
        FLOW_MASK_SET(mask, ipv6_label);
    } else {
        FLOW_MASK_SET(mask, nw_src);
        FLOW_MASK_SET(mask, nw_dst);
    }
    if (flow->nw_frag & NW_FRAG_LATER || !has_l4_fields(flow->nw_proto)) {
        return;
    }
    FLOW_MASK_SET(mask, tp_src);
    FLOW_MASK_SET(mask, tp_dst);
    if (flow->nw_proto == IP_PROTO_TCP) {
        FLOW_MASK_SET(mask, tcp_flags);
    } else if (flow->nw_proto == IP_PROTO_IGMP) {
        FLOW_MASK_SET(mask, igmp_group);
    }
    exact_nd(flow, mask);
}

void
flow_mask_exact_for(const struct flow *flow, struct flow_mask *mask)
{
    FLOW_MASK_SET(mask, in_port);
    FLOW_MASK_SET(mask, recirc_id);
    FLOW_MASK_SET(mask, pkt_mark);
    FLOW_MASK_SET(mask, dp_hash);
    FLOW_MASK_SET(mask, skb_priority);
    FLOW_MASK_SET(mask, packet_type);
    FLOW_MASK_SET(mask, dl_src);
    FLOW_MASK_SET(mask, dl_dst);
    FLOW_MASK_SET(mask, dl_type);
    FLOW_MASK_SET(mask, vlans);
    exact_tunnel(&flow->tunnel, mask);
    exact_conntrack(flow, mask);
    if (flow_is_ip(flow)) {
        exact_ip(flow, mask);
    } else if (flow_is_arp(flow)) {
        FLOW_MASK_SET(mask, nw_proto);
        FLOW_MASK_SET(mask, nw_src);
        FLOW_MASK_SET(mask, nw_dst);
        FLOW_MASK_SET(mask, arp_sha);
        FLOW_MASK_SET(mask, arp_tha);
    } else if (flow_is_mpls(flow)) {
        FLOW_MASK_SET(mask, mpls_lse);
    }
}

static struct flow_vlan *
vlan_at(struct flow *flow, int i)
{
    return i < FLOW_MAX_VLANS ? &flow->vlans[i] : &flow->deep_vlans[i - FLOW_MAX_VLANS];
}

static bool
is_tag(const struct flow_vlan *v)
{
    return v->tci & RTE_BE16(VLAN_CFI);
}

bool
flow_push_vlan(struct flow *flow, rte_be16_t tpid, rte_be16_t tci)
{
    if (is_tag(vlan_at(flow, FLOW_VLAN_STACK - 1))) {
        return false;
    }
    for (int i = FLOW_VLAN_STACK - 1; i > 0; i--) {
        *vlan_at(flow, i) = *vlan_at(flow, i - 1);
    }
    flow->vlans[0].tpid = tpid;
    flow->vlans[0].tci = tci | RTE_BE16(VLAN_CFI);
    return true;
}

void
flow_pop_vlan(struct flow *flow)
{
    for (int i = 0; i < FLOW_VLAN_STACK - 1; i++) {
        *vlan_at(flow, i) = *vlan_at(flow, i + 1);
    }
    memset(vlan_at(flow, FLOW_VLAN_STACK - 1), 0, sizeof flow->vlans[0]);
}

int
flow_vlan_stack(const struct flow *flow, struct flow_vlan stack[FLOW_VLAN_STACK])
{
    int n = flow_n_vlans(flow);

    memcpy(stack, flow->vlans, sizeof flow->vlans);
    for (int i = 0; n >= FLOW_MAX_VLANS && i < FLOW_MAX_DEEP_VLANS; i++) {
        if (!is_tag(&flow->deep_vlans[i])) {
            break;
        }
        stack[n++] = flow->deep_vlans[i];
    }
    return n;
}

int
flow_n_vlans(const struct flow *flow)
{
    int n = 0;
    while (n < FLOW_MAX_VLANS && flow->vlans[n].tci & RTE_BE16(VLAN_CFI)) {
        n++;
    }
    return n;
}

int
flow_n_mpls(const struct flow *flow, struct flow_mask *mask)
{
    if (mask) {
        FLOW_MASK_SET(mask, dl_type);
    }
    if (!flow_is_mpls(flow)) {
        return 0;
    }
    int n = 0;
    for (int i = 0; i < FLOW_MAX_MPLS; i++) {
        if (mask) {
            mask->bits.mpls_lse[i] |= RTE_BE32(MPLS_BOS_MASK);
        }
        if (flow->mpls_lse[i] & RTE_BE32(MPLS_BOS_MASK)) {
            return i + 1;
        }
        n += flow->mpls_lse[i] != 0;
    }
    return n; /* no bottom: more than the key holds, or all were popped, "to MPLS" */
}

/* The first entry of a stack over what the packet is now. */
static rte_be32_t
first_lse(const struct flow *flow, struct flow_mask *mask)
{
    uint32_t label = flow_dl_type_is(flow, ETH_TYPE_IPV6) ? 2 : 0; /* explicit null */
    uint32_t tc = 0;
    uint32_t ttl = 64;
    if (flow_is_ip(flow)) {
        tc = (flow->nw_tos & IP_DSCP_MASK) >> 2 & 7;
        ttl = flow->nw_ttl ? flow->nw_ttl : ttl;
        if (mask) {
            mask->bits.nw_tos |= IP_DSCP_MASK;
            FLOW_MASK_SET(mask, nw_ttl);
        }
    }
    return rte_cpu_to_be_32(label << MPLS_LABEL_SHIFT | tc << MPLS_TC_SHIFT | MPLS_BOS_MASK | ttl);
}

bool
flow_push_mpls(struct flow *flow, rte_be16_t ethertype, struct flow_mask *mask)
{
    int n = flow_n_mpls(flow, mask);
    if (n >= FLOW_MAX_MPLS) {
        return false;
    }
    if (n) {
        for (int i = 0; mask && i < n; i++) {
            FLOW_MASK_SET(mask, mpls_lse[i]);
        }
        for (int i = n; i > 0; i--) {
            flow->mpls_lse[i] = flow->mpls_lse[i - 1];
        }
        flow->mpls_lse[0] &= ~RTE_BE32(MPLS_BOS_MASK);
    } else {
        flow->mpls_lse[0] = first_lse(flow, mask);
        flow_clear_l3_l4(flow);
        flow->dp_hash = 0;
    }
    flow->dl_type = ethertype;
    return true;
}

bool
flow_pop_mpls(struct flow *flow, rte_be16_t ethertype, struct flow_mask *mask)
{
    int n = flow_n_mpls(flow, mask);
    if (!n || (n == FLOW_MAX_MPLS && !(flow->mpls_lse[n - 1] & RTE_BE32(MPLS_BOS_MASK)))) {
        /* With more entries than the key holds, what would become the last one is unknown. */
        return false;
    }
    for (int i = 1; i < n; i++) {
        if (mask) {
            FLOW_MASK_SET(mask, mpls_lse[i]);
        }
        flow->mpls_lse[i - 1] = flow->mpls_lse[i];
    }
    flow->mpls_lse[n - 1] = 0;
    flow->dl_type = ethertype;
    return true;
}

void
flow_clear_conntrack(struct flow *flow)
{
    memset(&flow->ct_state, 0, (FLOW_KEY_WORDS - FLOW_WORD_OF(ct_state)) * 8);
}

void
flow_clear_l3_l4(struct flow *flow)
{
    flow->nw_proto = 0;
    flow->nw_frag = 0;
    flow->nw_src = flow->nw_dst = 0;
    flow->tp_src = flow->tp_dst = 0;
    flow->tcp_flags = 0;
    flow->nw_tos = flow->nw_ttl = 0;
    memset(&flow->ipv6_src, 0, sizeof flow->ipv6_src);
    memset(&flow->ipv6_dst, 0, sizeof flow->ipv6_dst);
    flow->ipv6_label = 0;
    memset(&flow->arp_sha, 0, sizeof flow->arp_sha);
    memset(&flow->arp_tha, 0, sizeof flow->arp_tha);
    memset(&flow->nd_target, 0, sizeof flow->nd_target);
    flow->nd_options_type = 0;
    flow->igmp_group = 0;
    flow->nd_reserved = 0;
}
