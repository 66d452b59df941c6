// SPDX-License-Identifier: Apache-2.0
/* The fixed-size matches of OpenFlow 1.0 (40 bytes) and OpenFlow 1.1 (88 bytes).
 *
 * There is no rule against matching, say, a TCP port without the IP protocol: in a flow such fields
 * are ignored.  As what OpenFlow 1.0's statistics are asked for they count.  Layouts:
 * OpenFlow 1.0.0 section 5.2.3, OpenFlow 1.1.0 section A.2.3.
 */
#include "openflow/nxm.h"

/* OpenFlow 1.0 wildcards. */
#define FW10_IN_PORT (1u << 0)
#define FW10_DL_VLAN (1u << 1)
#define FW10_DL_SRC (1u << 2)
#define FW10_DL_DST (1u << 3)
#define FW10_DL_TYPE (1u << 4)
#define FW10_NW_PROTO (1u << 5)
#define FW10_TP_SRC (1u << 6)
#define FW10_TP_DST (1u << 7)
#define FW10_NW_SRC_SHIFT 8
#define FW10_NW_DST_SHIFT 14
#define FW10_NW_MASK 0x3fu
#define FW10_DL_VLAN_PCP (1u << 20)
#define FW10_NW_TOS (1u << 21)

/* OpenFlow 1.1 wildcards. */
#define FW11_IN_PORT (1u << 0)
#define FW11_DL_VLAN (1u << 1)
#define FW11_DL_VLAN_PCP (1u << 2)
#define FW11_DL_TYPE (1u << 3)
#define FW11_NW_TOS (1u << 4)
#define FW11_NW_PROTO (1u << 5)
#define FW11_TP_SRC (1u << 6)
#define FW11_TP_DST (1u << 7)
#define FW11_MPLS_LABEL (1u << 8)
#define FW11_MPLS_TC (1u << 9)

#define OFPMT_STANDARD 0u
#define OFP11_MATCH_SIZE 88u

#define VLAN10_NONE 0xffffu
#define VLAN11_ANY 0xfffeu

static void
set_all(const struct mf_field *mf, const union mf_value *value, struct match *match)
{
    mf_set(mf, value, NULL, match);
}

/* Netmask of 'n_wild' wildcarded low bits; 32 and above: nothing matches. */
static rte_be32_t
wild_to_mask(unsigned int n_wild)
{
    return n_wild >= 32 ? 0 : rte_cpu_to_be_32(UINT32_MAX << n_wild);
}

static unsigned int
mask_to_wild(rte_be32_t mask)
{
    return mask ? (unsigned int)__builtin_ctz(rte_be_to_cpu_32(mask)) : 32;
}

void
ofp10_match_normalize(struct match *m)
{
    struct flow_mask *w = &m->mask;
    bool ip = flow_is_ip(&m->flow);
    bool arp = flow_is_arp(&m->flow);
    uint8_t proto = m->flow.nw_proto;
    bool v6 = flow_dl_type_is(&m->flow, ETH_TYPE_IPV6);
    bool l4 = ip && w->bits.nw_proto == 0xff &&
              (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_SCTP ||
               (proto == IP_PROTO_ICMP && !v6) || (proto == IP_PROTO_ICMPV6 && v6));

    if (!l4) {
        FLOW_MASK_CLEAR(w, tp_src);
        FLOW_MASK_CLEAR(w, tp_dst);
    }
    if (!ip) {
        FLOW_MASK_CLEAR(w, nw_tos);
    }
    if (!ip && !arp) {
        FLOW_MASK_CLEAR(w, nw_proto);
    }
    if ((!ip || v6) && !arp) {
        FLOW_MASK_CLEAR(w, nw_src);
        FLOW_MASK_CLEAR(w, nw_dst);
    }
    flow_apply_mask(&m->flow, w);
}

static void
set_vlan10(uint32_t wild, uint16_t dl_vlan, uint8_t pcp, struct match *m)
{
    uint16_t tci = 0, mask = 0;

    if (!(wild & FW10_DL_VLAN)) {
        if (dl_vlan == VLAN10_NONE) {
            match_set_vlan_tci_masked(m, 0, rte_cpu_to_be_16(UINT16_MAX));
            return;
        }
        tci |= (dl_vlan & VLAN_VID_MASK) | VLAN_CFI;
        mask |= VLAN_VID_MASK | VLAN_CFI;
    }
    if (!(wild & FW10_DL_VLAN_PCP)) {
        tci |= (uint16_t)((pcp << VLAN_PCP_SHIFT) & VLAN_PCP_MASK) | VLAN_CFI;
        mask |= VLAN_PCP_MASK | VLAN_CFI;
    }
    if (mask) {
        match_set_vlan_tci_masked(m, rte_cpu_to_be_16(tci), rte_cpu_to_be_16(mask));
    }
}

enum ofperr
ofp10_match_pull(struct rd *in, struct match *m)
{
    struct flow_mask *w = &m->mask;
    struct flow *f = &m->flow;
    uint32_t wild = rd_u32(in);
    uint16_t dl_vlan;
    uint8_t pcp;

    match_init_any(m);
    f->ofp_in_port = rd_u16(in);
    rd_copy(in, &f->dl_src, sizeof f->dl_src);
    rd_copy(in, &f->dl_dst, sizeof f->dl_dst);
    dl_vlan = rd_u16(in);
    pcp = rd_u8(in);
    rd_skip(in, 1);
    f->dl_type = rte_cpu_to_be_16(rd_u16(in));
    f->nw_tos = rd_u8(in);
    f->nw_proto = rd_u8(in);
    rd_skip(in, 2);
    rd_copy(in, &f->nw_src, sizeof f->nw_src);
    rd_copy(in, &f->nw_dst, sizeof f->nw_dst);
    f->tp_src = rte_cpu_to_be_16(rd_u16(in));
    f->tp_dst = rte_cpu_to_be_16(rd_u16(in));
    if (!rd_ok(in)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!(wild & FW10_IN_PORT)) {
        FLOW_MASK_SET(w, ofp_in_port);
    }
    if (!(wild & FW10_DL_SRC)) {
        FLOW_MASK_SET(w, dl_src);
    }
    if (!(wild & FW10_DL_DST)) {
        FLOW_MASK_SET(w, dl_dst);
    }
    if (!(wild & FW10_DL_TYPE)) {
        FLOW_MASK_SET(w, dl_type);
    }
    if (!(wild & FW10_NW_TOS)) {
        w->bits.nw_tos = IP_DSCP_MASK;
    }
    if (!(wild & FW10_NW_PROTO)) {
        FLOW_MASK_SET(w, nw_proto);
    }
    if (!(wild & FW10_TP_SRC)) {
        FLOW_MASK_SET(w, tp_src);
    }
    if (!(wild & FW10_TP_DST)) {
        FLOW_MASK_SET(w, tp_dst);
    }
    w->bits.nw_src = wild_to_mask((wild >> FW10_NW_SRC_SHIFT) & FW10_NW_MASK);
    w->bits.nw_dst = wild_to_mask((wild >> FW10_NW_DST_SHIFT) & FW10_NW_MASK);
    flow_apply_mask(f, w);
    set_vlan10(wild, dl_vlan, pcp, m);
    return 0;
}

static uint32_t
put_vlan10(const struct match *m, uint16_t *dl_vlan, uint8_t *pcp)
{
    uint16_t tci = rte_be_to_cpu_16(m->flow.vlans[0].tci);
    uint16_t mask = rte_be_to_cpu_16(m->mask.bits.vlans[0].tci);
    uint32_t wild = 0;

    *dl_vlan = 0;
    *pcp = 0;
    if ((mask & VLAN_CFI) && !(tci & VLAN_CFI)) {
        *dl_vlan = VLAN10_NONE;
        return 0;
    }
    if (mask & VLAN_VID_MASK) {
        *dl_vlan = tci & VLAN_VID_MASK;
    } else {
        wild |= FW10_DL_VLAN;
    }
    if (mask & VLAN_PCP_MASK) {
        *pcp = (uint8_t)((tci & VLAN_PCP_MASK) >> VLAN_PCP_SHIFT);
    } else {
        wild |= FW10_DL_VLAN_PCP;
    }
    return wild;
}

void
ofp10_match_put(struct wr *out, const struct match *m)
{
    static const struct rte_ether_addr zero;
    const struct flow *w = &m->mask.bits;
    const struct flow *f = &m->flow;
    uint16_t dl_vlan;
    uint8_t pcp;
    uint32_t wild = put_vlan10(m, &dl_vlan, &pcp);

    wild |= w->ofp_in_port ? 0 : FW10_IN_PORT;
    wild |= memcmp(&w->dl_src, &zero, sizeof zero) ? 0 : FW10_DL_SRC;
    wild |= memcmp(&w->dl_dst, &zero, sizeof zero) ? 0 : FW10_DL_DST;
    wild |= w->dl_type ? 0 : FW10_DL_TYPE;
    wild |= w->nw_tos & IP_DSCP_MASK ? 0 : FW10_NW_TOS;
    wild |= w->nw_proto ? 0 : FW10_NW_PROTO;
    wild |= w->tp_src ? 0 : FW10_TP_SRC;
    wild |= w->tp_dst ? 0 : FW10_TP_DST;
    wild |= mask_to_wild(w->nw_src) << FW10_NW_SRC_SHIFT;
    wild |= mask_to_wild(w->nw_dst) << FW10_NW_DST_SHIFT;
    wr_u32(out, wild);
    wr_u16(out, (uint16_t)f->ofp_in_port);
    wr_bytes(out, &f->dl_src, sizeof f->dl_src);
    wr_bytes(out, &f->dl_dst, sizeof f->dl_dst);
    wr_u16(out, dl_vlan);
    wr_u8(out, pcp);
    wr_u8(out, 0);
    wr_bytes(out, &f->dl_type, sizeof f->dl_type);
    wr_u8(out, f->nw_tos & IP_DSCP_MASK);
    wr_u8(out, f->nw_proto);
    wr_u16(out, 0);
    wr_bytes(out, &f->nw_src, sizeof f->nw_src);
    wr_bytes(out, &f->nw_dst, sizeof f->nw_dst);
    wr_bytes(out, &f->tp_src, sizeof f->tp_src);
    wr_bytes(out, &f->tp_dst, sizeof f->tp_dst);
}

/* The fields of OpenFlow 1.1's match that need a second look. */
struct match11 {
    uint32_t wild;
    uint16_t dl_vlan;
    uint8_t pcp;
    uint8_t nw_tos;
    uint8_t nw_proto;
    rte_be32_t nw_src, nw_src_mask, nw_dst, nw_dst_mask;
    uint16_t tp_src, tp_dst;
    uint32_t mpls_label;
    uint8_t mpls_tc;
};

static enum ofperr
set_vlan11(const struct match11 *o, struct match *m)
{
    uint16_t tci = VLAN_CFI, mask = VLAN_CFI;

    if (o->wild & FW11_DL_VLAN) {
        return 0;
    }
    if (o->dl_vlan == VLAN10_NONE) {
        match_set_vlan_tci_masked(m, 0, rte_cpu_to_be_16(UINT16_MAX));
        return 0;
    }
    if (o->dl_vlan != VLAN11_ANY) {
        if (o->dl_vlan > VLAN_VID_MASK) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        tci |= o->dl_vlan;
        mask |= VLAN_VID_MASK;
    }
    if (!(o->wild & FW11_DL_VLAN_PCP)) {
        if (o->pcp > 7) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        tci |= (uint16_t)(o->pcp << VLAN_PCP_SHIFT);
        mask |= VLAN_PCP_MASK;
    }
    match_set_vlan_tci_masked(m, rte_cpu_to_be_16(tci), rte_cpu_to_be_16(mask));
    return 0;
}

static enum ofperr
set_port11(const struct match11 *o, bool src, struct match *m)
{
    uint16_t port = src ? o->tp_src : o->tp_dst;
    union mf_value value = {.b = {0}};
    enum mf_id id;

    if (o->wild & (src ? FW11_TP_SRC : FW11_TP_DST)) {
        return 0;
    }
    if (!flow_dl_type_is(&m->flow, ETH_TYPE_IP) || m->mask.bits.nw_proto != 0xff) {
        return 0;
    }
    value.be16 = rte_cpu_to_be_16(port);
    switch (m->flow.nw_proto) {
    case IP_PROTO_TCP:
        id = src ? MF_TCP_SRC : MF_TCP_DST;
        break;
    case IP_PROTO_UDP:
        id = src ? MF_UDP_SRC : MF_UDP_DST;
        break;
    case IP_PROTO_SCTP:
        id = src ? MF_SCTP_SRC : MF_SCTP_DST;
        break;
    case IP_PROTO_ICMP:
        if (port > UINT8_MAX) {
            return OFPERR_OFPBMC_BAD_FIELD;
        }
        value.b[0] = (uint8_t)port;
        id = src ? MF_ICMPV4_TYPE : MF_ICMPV4_CODE;
        break;
    default:
        return 0;
    }
    set_all(mf_from_id(id), &value, m);
    return 0;
}

static enum ofperr
set_network11(const struct match11 *o, struct match *m)
{
    bool ip = flow_dl_type_is(&m->flow, ETH_TYPE_IP), arp = flow_is_arp(&m->flow);

    if (ip && !(o->wild & FW11_NW_TOS)) {
        if (o->nw_tos & ~IP_DSCP_MASK) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        m->flow.nw_tos = o->nw_tos;
        m->mask.bits.nw_tos = IP_DSCP_MASK;
    }
    if ((ip || arp) && !(o->wild & FW11_NW_PROTO)) {
        m->flow.nw_proto = o->nw_proto;
        FLOW_MASK_SET(&m->mask, nw_proto);
    }
    if (arp || ip) {
        m->mask.bits.nw_src = ~o->nw_src_mask;
        m->mask.bits.nw_dst = ~o->nw_dst_mask;
        m->flow.nw_src = o->nw_src & ~o->nw_src_mask;
        m->flow.nw_dst = o->nw_dst & ~o->nw_dst_mask;
    }
    return 0;
}

static void
set_mpls11(const struct match11 *o, struct match *m)
{
    union mf_value value = {.b = {0}};

    if (!flow_is_mpls(&m->flow)) {
        return;
    }
    if (!(o->wild & FW11_MPLS_LABEL)) {
        value.be32 = rte_cpu_to_be_32(o->mpls_label & 0xfffff);
        set_all(mf_from_id(MF_MPLS_LABEL), &value, m);
    }
    if (!(o->wild & FW11_MPLS_TC)) {
        memset(&value, 0, sizeof value);
        value.b[0] = o->mpls_tc & 7;
        set_all(mf_from_id(MF_MPLS_TC), &value, m);
    }
}

static void
pull_mac11(struct rd *in, struct rte_ether_addr *mac, struct rte_ether_addr *mask)
{
    rd_copy(in, mac, sizeof *mac);
    rd_copy(in, mask, sizeof *mask);
    for (int i = 0; i < 6; i++) {
        mask->addr_bytes[i] = (uint8_t)~mask->addr_bytes[i];
        mac->addr_bytes[i] &= mask->addr_bytes[i];
    }
}

enum ofperr
ofp11_match_pull(struct rd *in, struct match *m)
{
    uint16_t type = rd_u16(in);
    uint16_t len = rd_u16(in);
    uint32_t in_port = rd_u32(in);
    struct match11 o = {.wild = rd_u32(in)};
    uint64_t metadata, metadata_wild;
    enum ofperr error;
    uint16_t dl_type;

    match_init_any(m);
    if (!rd_ok(in) || (type == OFPMT_STANDARD && len != OFP11_MATCH_SIZE)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (type != OFPMT_STANDARD) {
        return OFPERR_OFPBMC_BAD_TYPE;
    }
    pull_mac11(in, &m->flow.dl_src, &m->mask.bits.dl_src);
    pull_mac11(in, &m->flow.dl_dst, &m->mask.bits.dl_dst);
    o.dl_vlan = rd_u16(in);
    o.pcp = rd_u8(in);
    rd_skip(in, 1);
    dl_type = rd_u16(in);
    o.nw_tos = rd_u8(in);
    o.nw_proto = rd_u8(in);
    rd_copy(in, &o.nw_src, 4);
    rd_copy(in, &o.nw_src_mask, 4);
    rd_copy(in, &o.nw_dst, 4);
    rd_copy(in, &o.nw_dst_mask, 4);
    o.tp_src = rd_u16(in);
    o.tp_dst = rd_u16(in);
    o.mpls_label = rd_u32(in);
    o.mpls_tc = rd_u8(in);
    rd_skip(in, 3);
    metadata = rd_u64(in);
    metadata_wild = rd_u64(in);
    if (!rd_ok(in)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (!(o.wild & FW11_IN_PORT)) {
        ofp_port_t port;

        if (!ofp_port_from_wire32(in_port, &port)) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        match_set_in_port(m, port);
    }
    if (!(o.wild & FW11_DL_TYPE)) {
        match_set_dl_type(m, dl_type);
    }
    m->mask.bits.metadata = rte_cpu_to_be_64(~metadata_wild);
    m->flow.metadata = rte_cpu_to_be_64(metadata & ~metadata_wild);
    error = set_vlan11(&o, m);
    error = error ? error : set_network11(&o, m);
    error = error ? error : set_port11(&o, true, m);
    error = error ? error : set_port11(&o, false, m);
    if (!error) {
        set_mpls11(&o, m);
    }
    return error;
}

static void
put_mac11(struct wr *out, const struct rte_ether_addr *mac, const struct rte_ether_addr *mask)
{
    wr_bytes(out, mac, sizeof *mac);
    for (int i = 0; i < 6; i++) {
        wr_u8(out, (uint8_t)~mask->addr_bytes[i]);
    }
}

static uint32_t
put_vlan11(const struct match *m, struct match11 *o)
{
    uint16_t tci = rte_be_to_cpu_16(m->flow.vlans[0].tci);
    uint16_t mask = rte_be_to_cpu_16(m->mask.bits.vlans[0].tci);

    if (!(mask & VLAN_CFI)) {
        return FW11_DL_VLAN | FW11_DL_VLAN_PCP;
    }
    if (!(tci & VLAN_CFI)) {
        o->dl_vlan = VLAN10_NONE;
        return FW11_DL_VLAN_PCP;
    }
    o->dl_vlan = mask & VLAN_VID_MASK ? tci & VLAN_VID_MASK : VLAN11_ANY;
    if (!(mask & VLAN_PCP_MASK)) {
        return FW11_DL_VLAN_PCP;
    }
    o->pcp = (uint8_t)(tci >> VLAN_PCP_SHIFT);
    return 0;
}

void
ofp11_match_put(struct wr *out, const struct match *m)
{
    const struct flow *f = &m->flow;
    const struct flow *w = &m->mask.bits;
    struct match11 o = {0};
    uint32_t lse = rte_be_to_cpu_32(f->mpls_lse[0]), lse_mask = rte_be_to_cpu_32(w->mpls_lse[0]);

    o.wild = put_vlan11(m, &o);
    o.wild |= w->ofp_in_port ? 0 : FW11_IN_PORT;
    o.wild |= w->dl_type ? 0 : FW11_DL_TYPE;
    o.wild |= w->nw_tos & IP_DSCP_MASK ? 0 : FW11_NW_TOS;
    o.wild |= w->nw_proto ? 0 : FW11_NW_PROTO;
    o.wild |= w->tp_src ? 0 : FW11_TP_SRC;
    o.wild |= w->tp_dst ? 0 : FW11_TP_DST;
    o.wild |= lse_mask >> 12 ? 0 : FW11_MPLS_LABEL;
    o.wild |= lse_mask & 0xe00 ? 0 : FW11_MPLS_TC;
    wr_u16(out, OFPMT_STANDARD);
    wr_u16(out, OFP11_MATCH_SIZE);
    wr_u32(out, w->ofp_in_port ? ofp_port_to_wire32(f->ofp_in_port) : 0);
    wr_u32(out, o.wild);
    put_mac11(out, &f->dl_src, &w->dl_src);
    put_mac11(out, &f->dl_dst, &w->dl_dst);
    wr_u16(out, o.dl_vlan);
    wr_u8(out, o.pcp);
    wr_u8(out, 0);
    wr_bytes(out, &f->dl_type, 2);
    wr_u8(out, f->nw_tos & IP_DSCP_MASK);
    wr_u8(out, f->nw_proto);
    wr_bytes(out, &f->nw_src, 4);
    wr_u32(out, ~rte_be_to_cpu_32(w->nw_src));
    wr_bytes(out, &f->nw_dst, 4);
    wr_u32(out, ~rte_be_to_cpu_32(w->nw_dst));
    wr_bytes(out, &f->tp_src, 2);
    wr_bytes(out, &f->tp_dst, 2);
    wr_u32(out, lse >> 12);
    wr_u8(out, (lse >> 9) & 7);
    wr_zeros(out, 3);
    wr_u64(out, rte_be_to_cpu_64(f->metadata));
    wr_u64(out, ~rte_be_to_cpu_64(w->metadata));
}

enum ofperr
ofp_match_pull(struct rd *in, struct match *match)
{
    struct rd type = *in;

    return rd_u16(&type) == OFPMT_STANDARD ? ofp11_match_pull(in, match)
                                           : oxm_pull_match(in, false, match);
}

void
ofp_match_put(struct wr *out, const struct match *match, enum ofp_version version)
{
    if (version == OFP11_VERSION) {
        ofp11_match_put(out, match);
    } else {
        oxm_put_match(out, match, version);
    }
}
