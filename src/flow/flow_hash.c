// SPDX-License-Identifier: Apache-2.0
/*
 * Hashes over the fields of a dense flow, for load balancing (select groups, bonds, dp_hash).  All
 * are seeded per process through base/hash.h.  Called by translation and by the hash() action.
 */
#include "base/hash.h"
#include "flow/flow.h"

static uint64_t
load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t
load48(const void *p)
{
    uint64_t v = 0;
    memcpy(&v, p, 6);
    return v;
}

/* Ports of the protocols that have them, in one word. */
static bool
has_ports(const struct flow *f)
{
    return flow_is_ip(f) && !(f->nw_frag & NW_FRAG_LATER) &&
           (f->nw_proto == IP_PROTO_TCP || f->nw_proto == IP_PROTO_UDP ||
            f->nw_proto == IP_PROTO_SCTP);
}

uint32_t
flow_hash_5tuple(const struct flow *flow, uint32_t basis)
{
    if (!flow_is_ip(flow)) {
        return 0;
    }
    uint64_t h = basis;
    if (flow_dl_type_is(flow, ETH_TYPE_IPV6)) {
        const uint8_t *src = flow->ipv6_src.s6_addr;
        const uint8_t *dst = flow->ipv6_dst.s6_addr;
        h = hash_add(hash_add(h, load64(src)), load64(src + 8));
        h = hash_add(hash_add(h, load64(dst)), load64(dst + 8));
    } else {
        h = hash_add(h, flow->nw_src | (uint64_t)flow->nw_dst << 32);
    }
    uint64_t ports = has_ports(flow) ? flow->tp_src | (uint64_t)flow->tp_dst << 16 : 0;
    return (uint32_t)hash_2u64(ports, flow->nw_proto, h);
}

/* Addresses of L3 folded so that swapping source and destination changes nothing. */
static uint64_t
symmetric_ip(const struct flow *flow, uint64_t h)
{
    if (flow_dl_type_is(flow, ETH_TYPE_IPV6)) {
        const uint8_t *src = flow->ipv6_src.s6_addr;
        const uint8_t *dst = flow->ipv6_dst.s6_addr;
        h = hash_add(h, load64(src) ^ load64(dst));
        return hash_add(h, load64(src + 8) ^ load64(dst + 8));
    }
    return hash_add(h, flow->nw_src ^ flow->nw_dst);
}

uint32_t
flow_hash_symmetric_l4(const struct flow *flow, uint32_t basis)
{
    uint64_t h = hash_add(basis, load48(&flow->dl_src) ^ load48(&flow->dl_dst));
    uint64_t vids = 0;
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        vids = vids << 16 | (flow->vlans[i].tci & RTE_BE16(VLAN_VID_MASK));
    }
    h = hash_add(h, vids << 16 | flow->dl_type);
    uint64_t last = 0;
    if (flow_is_ip(flow)) {
        h = symmetric_ip(flow, h);
        last = flow->nw_proto;
        if (has_ports(flow)) {
            last |= (uint64_t)(flow->tp_src ^ flow->tp_dst) << 16;
        }
    }
    return (uint32_t)hash_u64(last, h);
}

uint32_t
flow_hash_symmetric_l3l4(const struct flow *flow, uint32_t basis, bool inc_udp_ports)
{
    if (!flow_is_ip(flow)) {
        return 0;
    }
    uint64_t last = flow->nw_proto;
    if (has_ports(flow) && (inc_udp_ports || flow->nw_proto != IP_PROTO_UDP)) {
        last |= (uint64_t)(flow->tp_src ^ flow->tp_dst) << 16;
    }
    return (uint32_t)hash_u64(last, symmetric_ip(flow, basis));
}

uint32_t
flow_hash_masked(const struct flow *flow, const struct flow_mask *mask, uint32_t basis)
{
    uint64_t h = basis;
    for (int i = 0; i < FLOW_WORDS; i++) {
        if (mask->bits.w[i]) {
            h = hash_add(h, flow->w[i] & mask->bits.w[i]);
        }
    }
    return (uint32_t)hash_finish(h);
}
