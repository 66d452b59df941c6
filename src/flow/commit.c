// SPDX-License-Identifier: Apache-2.0
/*
 * The difference between two flows as datapath actions.
 *
 * Translation changes its struct flow as OpenFlow actions say, and calls flow_commit() when a
 * packet is about to leave.  'base' is what the packet looks like to the datapath after the actions
 * emitted so far, 'flow' is what it shall look like.
 *
 * The mask: a megaflow's actions are right for all its packets if each bit that made us emit (or
 * not emit) an action is part of the mask.  Translation marks the bits that an action writes; here
 * the bits that differ, and the fields that say which header they are in, are added.  A set action
 * then writes all marked bits of the fields that differ.
 */
#include "flow/dp_action.h"

/* A masked set under construction: one header's value and mask, filled field by field. */
struct field_ref {
    void *base;
    const void *flow;
    void *mask;  /* of the megaflow */
    void *value; /* of the action */
    void *act_mask;
    size_t size;
};

/* Takes one field over if it differs; true if it did. */
static bool
commit_field(const struct field_ref *r)
{
    if (!memcmp(r->base, r->flow, r->size)) {
        return false;
    }
    const uint8_t *base = r->base;
    const uint8_t *flow = r->flow;
    uint8_t *mask = r->mask;
    uint8_t *value = r->value;
    uint8_t *act_mask = r->act_mask;
    for (size_t i = 0; i < r->size; i++) {
        mask[i] |= base[i] ^ flow[i];
        act_mask[i] = mask[i];
        value[i] = flow[i] & mask[i];
    }
    memcpy(r->base, flow, r->size);
    return true;
}

/* The field MEMBER of the flows as FIELD of the set_* struct. */
#define COMMIT(ACT, MEMBER, FIELD)                                                     \
    commit_field(&(struct field_ref){&base->MEMBER, &flow->MEMBER, &mask->bits.MEMBER, \
                                     &(ACT).value.FIELD, &(ACT).mask.FIELD,            \
                                     sizeof(ACT).value.FIELD})

/* Appends a copy of the action built in 'ACT', whose header is not set. */
#define PUT(ACTS, TYPE, ACT)                                                              \
    memcpy((uint8_t *)dp_actions_put(ACTS, TYPE, sizeof(ACT)) + sizeof(struct dp_action), \
           (const uint8_t *)&(ACT) + sizeof(struct dp_action),                            \
           sizeof(ACT) - sizeof(struct dp_action))

static void
commit_eth(struct flow *base, const struct flow *flow, struct dp_actions *acts,
           struct flow_mask *mask)
{
    struct dp_act_set_eth a = {0};
    bool src = COMMIT(a, dl_src, src);
    bool dst = COMMIT(a, dl_dst, dst);
    if (src || dst) {
        PUT(acts, DP_ACT_SET_ETH, a);
    }
}

static void
commit_ipv4(struct flow *base, const struct flow *flow, struct dp_actions *acts,
            struct flow_mask *mask)
{
    struct dp_act_set_ipv4 a = {0};
    bool changed = COMMIT(a, nw_src, src);
    changed |= COMMIT(a, nw_dst, dst);
    changed |= COMMIT(a, nw_tos, tos);
    changed |= COMMIT(a, nw_ttl, ttl);
    if (changed) {
        FLOW_MASK_SET(mask, dl_type);
        PUT(acts, DP_ACT_SET_IPV4, a);
    }
}

static void
commit_ipv6(struct flow *base, const struct flow *flow, struct dp_actions *acts,
            struct flow_mask *mask)
{
    struct dp_act_set_ipv6 a = {0};
    bool changed = COMMIT(a, ipv6_src, src);
    changed |= COMMIT(a, ipv6_dst, dst);
    changed |= COMMIT(a, ipv6_label, label);
    changed |= COMMIT(a, nw_tos, tclass);
    changed |= COMMIT(a, nw_ttl, hlimit);
    if (changed) {
        FLOW_MASK_SET(mask, dl_type);
        PUT(acts, DP_ACT_SET_IPV6, a);
    }
}

static void
commit_arp(struct flow *base, const struct flow *flow, struct dp_actions *acts,
           struct flow_mask *mask)
{
    struct dp_act_set_arp a = {0};
    bool changed = COMMIT(a, nw_src, spa);
    changed |= COMMIT(a, nw_dst, tpa);
    changed |= COMMIT(a, arp_sha, sha);
    changed |= COMMIT(a, arp_tha, tha);
    if (base->nw_proto != flow->nw_proto) {
        /* The opcode is 16 bits on the wire and 8 in the flow. */
        FLOW_MASK_SET(mask, nw_proto);
        a.value.op = rte_cpu_to_be_16(flow->nw_proto);
        a.mask.op = UINT16_MAX;
        base->nw_proto = flow->nw_proto;
        changed = true;
    }
    if (changed) {
        FLOW_MASK_SET(mask, dl_type);
        PUT(acts, DP_ACT_SET_ARP, a);
    }
}

/* What says that the packet has this L4 header. */
static void
mask_l4_prereqs(struct flow_mask *mask)
{
    FLOW_MASK_SET(mask, dl_type);
    FLOW_MASK_SET(mask, nw_proto);
    mask->bits.nw_frag |= NW_FRAG_LATER;
}

static void
commit_ports(struct flow *base, const struct flow *flow, struct dp_actions *acts,
             struct flow_mask *mask, enum dp_action_type type)
{
    struct dp_act_set_tp a = {0};
    bool src = COMMIT(a, tp_src, src);
    bool dst = COMMIT(a, tp_dst, dst);
    if (src || dst) {
        mask_l4_prereqs(mask);
        PUT(acts, type, a);
    }
}

static void
commit_nd(struct flow *base, const struct flow *flow, struct dp_actions *acts,
          struct flow_mask *mask)
{
    struct dp_act_set_nd a = {0};
    bool changed = COMMIT(a, nd_target, target);
    changed |= COMMIT(a, arp_sha, sll);
    changed |= COMMIT(a, arp_tha, tll);
    struct dp_act_set_nd_ext ext = {0};
    bool ext_changed = COMMIT(ext, nd_reserved, reserved);
    ext_changed |= COMMIT(ext, nd_options_type, options_type);
    if (changed || ext_changed) {
        mask_l4_prereqs(mask);
        FLOW_MASK_SET(mask, tp_src);
        FLOW_MASK_SET(mask, tp_dst);
    }
    if (changed) {
        PUT(acts, DP_ACT_SET_ND, a);
    }
    if (ext_changed) {
        PUT(acts, DP_ACT_SET_ND_EXT, ext);
    }
}

static void
commit_icmp(struct flow *base, const struct flow *flow, struct dp_actions *acts,
            struct flow_mask *mask)
{
    if (base->tp_src == flow->tp_src && base->tp_dst == flow->tp_dst) {
        return;
    }
    /* Type and code are the low bytes of the port fields. */
    struct dp_act_set_icmp a = {.value.is_ipv6 = flow_dl_type_is(base, ETH_TYPE_IPV6)};
    if (base->tp_src != flow->tp_src) {
        FLOW_MASK_SET(mask, tp_src);
        a.value.type = (uint8_t)rte_be_to_cpu_16(flow->tp_src);
        a.mask.type = UINT8_MAX;
    }
    if (base->tp_dst != flow->tp_dst) {
        FLOW_MASK_SET(mask, tp_dst);
        a.value.code = (uint8_t)rte_be_to_cpu_16(flow->tp_dst);
        a.mask.code = UINT8_MAX;
    }
    base->tp_src = flow->tp_src;
    base->tp_dst = flow->tp_dst;
    mask_l4_prereqs(mask);
    PUT(acts, DP_ACT_SET_ICMP, a);
}

static void
commit_l4(struct flow *base, const struct flow *flow, struct dp_actions *acts,
          struct flow_mask *mask)
{
    if (base->nw_frag & NW_FRAG_LATER) {
        return;
    }
    switch (base->nw_proto) {
    case IP_PROTO_TCP:
        commit_ports(base, flow, acts, mask, DP_ACT_SET_TCP);
        break;
    case IP_PROTO_UDP:
        commit_ports(base, flow, acts, mask, DP_ACT_SET_UDP);
        break;
    case IP_PROTO_SCTP:
        commit_ports(base, flow, acts, mask, DP_ACT_SET_SCTP);
        break;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        if (flow_is_nd(base)) {
            commit_nd(base, flow, acts, mask);
        }
        commit_icmp(base, flow, acts, mask);
        break;
    default:
        break;
    }
}

static void
commit_l3_l4(struct flow *base, const struct flow *flow, struct dp_actions *acts,
             struct flow_mask *mask)
{
    if (base->dl_type != flow->dl_type) {
        return; /* what is below a pushed or popped MPLS stack is not known */
    }
    if (flow_dl_type_is(base, ETH_TYPE_IP)) {
        commit_ipv4(base, flow, acts, mask);
        commit_l4(base, flow, acts, mask);
    } else if (flow_dl_type_is(base, ETH_TYPE_IPV6)) {
        commit_ipv6(base, flow, acts, mask);
        commit_l4(base, flow, acts, mask);
    } else if (flow_is_arp(base)) {
        commit_arp(base, flow, acts, mask);
    }
}

/* How many entries at the bottoms of both stacks are the same. */
static int
n_common_mpls(const struct flow *a, int a_n, const struct flow *b, int b_n)
{
    int n = 0;
    while (n < a_n && n < b_n && a->mpls_lse[a_n - 1 - n] == b->mpls_lse[b_n - 1 - n]) {
        n++;
    }
    return n;
}

static void
commit_mpls(struct flow *base, const struct flow *flow, struct dp_actions *acts,
            struct flow_mask *mask)
{
    if (!flow_is_mpls(base) && !flow_is_mpls(flow)) {
        return;
    }
    int base_n = flow_n_mpls(base, mask);
    int flow_n = flow_n_mpls(flow, NULL);
    int common = n_common_mpls(flow, flow_n, base, base_n);
    while (base_n > common) {
        if (base_n == common + 1 && flow_n > common) {
            /* One entry became another one. */
            struct dp_act_set_mpls a = {.mask = UINT32_MAX};
            a.value = flow->mpls_lse[flow_n - base_n];
            PUT(acts, DP_ACT_SET_MPLS, a);
            FLOW_MASK_SET(mask, mpls_lse[0]);
            base->mpls_lse[0] = a.value;
            common++;
        } else {
            rte_be16_t type = base_n > 1 ? base->dl_type : flow->dl_type;
            dp_put_pop_mpls(acts, type);
            if (!flow_pop_mpls(base, type, mask)) {
                return; /* translation does not pop more than the key holds */
            }
            base_n--;
        }
    }
    for (; base_n < flow_n; base_n++) {
        rte_be32_t lse = flow->mpls_lse[flow_n - base_n - 1];
        if (!flow_push_mpls(base, flow->dl_type, NULL)) {
            return;
        }
        base->mpls_lse[0] = lse;
        dp_put_push_mpls(acts, lse, flow->dl_type);
    }
}

static bool
same_vlan(const struct flow_vlan *a, const struct flow_vlan *b)
{
    return a->tci == b->tci && a->tpid == b->tpid;
}

static void
commit_vlans(struct flow *base, const struct flow *flow, struct dp_actions *acts,
             struct flow_mask *mask)
{
    struct flow_vlan was[FLOW_VLAN_STACK], is[FLOW_VLAN_STACK];
    int base_n = flow_vlan_stack(base, was);
    int flow_n = flow_vlan_stack(flow, is);
    while (base_n && flow_n && same_vlan(&was[base_n - 1], &is[flow_n - 1])) {
        base_n--;
        flow_n--;
    }
    for (int i = 0; i < base_n; i++) {
        dp_put_pop_vlan(acts);
        if (i < FLOW_MAX_VLANS) {
            FLOW_MASK_SET(mask, vlans[i]);
        }
    }
    while (flow_n) {
        flow_n--;
        dp_put_push_vlan(acts, is[flow_n].tpid, is[flow_n].tci);
    }
    memcpy(base->deep_vlans, flow->deep_vlans, sizeof base->deep_vlans);
    memcpy(base->vlans, flow->vlans, sizeof base->vlans);
}

static void
commit_u32(uint32_t *base, uint32_t flow, uint32_t *mask, enum dp_action_type type,
           struct dp_actions *acts)
{
    struct dp_act_set_u32 a = {0};
    if (commit_field(&(struct field_ref){base, &flow, mask, &a.value, &a.mask, sizeof a.value})) {
        PUT(acts, type, a);
    }
}

uint32_t
flow_commit(struct flow *base, const struct flow *flow, struct dp_actions *acts,
            struct flow_mask *mask, bool knows_l3)
{
    if (!flow_is_mpls(base) && !memcmp(base->w, flow->w, FLOW_KEY_WORDS * sizeof flow->w[0]) &&
        !memcmp(base->deep_vlans, flow->deep_vlans, sizeof flow->deep_vlans)) {
        return 0; /* Nothing was done to the packet, as mostly. */
    }
    commit_eth(base, flow, acts, mask);
    bool pops_all = flow_is_mpls(base) && !flow_is_mpls(flow);
    if (pops_all) {
        commit_mpls(base, flow, acts, mask); /* so that L3 below is within reach */
    }
    if (knows_l3) {
        commit_l3_l4(base, flow, acts, mask);
    }
    if (!pops_all) {
        commit_mpls(base, flow, acts, mask);
    }
    commit_vlans(base, flow, acts, mask);
    commit_u32(&base->skb_priority, flow->skb_priority, &mask->bits.skb_priority,
               DP_ACT_SET_PRIORITY, acts);
    commit_u32(&base->pkt_mark, flow->pkt_mark, &mask->bits.pkt_mark, DP_ACT_SET_MARK, acts);
    return 0;
}
