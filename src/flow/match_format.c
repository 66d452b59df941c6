// SPDX-License-Identifier: Apache-2.0
/*
 * Matches and flows as text, in the order and the forms of ovs-ofctl.  See match.h.
 *
 * Protocol keywords ("tcp", "icmp6") stand for dl_type and nw_proto; tp_src and tp_dst for the
 * ports of whichever protocol it is.
 */
#include <inttypes.h>

#include "base/util.h"
#include "flow/flags.h"
#include "flow/match.h"
#include "flow/option.h"
#include "flow/text.h"

#define DEFAULT_PRIORITY 32768

/* What is being written. */
struct out {
    struct text *t;
    const struct match *m;
    const struct flow *f;
    const struct flow *w; /* the mask's bits */
    const struct mf_port_names *ports;
};

/* "name=value," through the field table, if the field is matched. */
static void
put_field(const struct out *o, enum mf_id id, const char *name)
{
    const struct mf_field *mf = mf_from_id(id);
    union mf_value value, mask;

    mf_get(mf, o->m, &value, &mask);
    if (!mf_is_zero(mf, &mask)) {
        text_printf(o->t, "%s=", name ? name : mf->name);
        mf_format(mf, &value, &mask, o->ports, o->t);
        text_putc(o->t, ',');
    }
}

static void
put_hex32(const struct out *o, const char *name, uint32_t value, uint32_t mask)
{
    if (mask == UINT32_MAX) {
        text_printf(o->t, "%s=%#" PRIx32 ",", name, value);
    } else if (mask) {
        text_printf(o->t, "%s=%#" PRIx32 "/%#" PRIx32 ",", name, value, mask);
    }
}

static void
put_hex64(const struct out *o, const char *name, rte_be64_t value, rte_be64_t mask)
{
    if (mask == UINT64_MAX) {
        text_printf(o->t, "%s=%#" PRIx64 ",", name, be64toh_(value));
    } else if (mask) {
        text_printf(o->t, "%s=%#" PRIx64 "/%#" PRIx64 ",", name, be64toh_(value), be64toh_(mask));
    }
}

/* Decimal where exact, hexadecimal where masked. */
static void
put_port16(const struct out *o, const char *name, rte_be16_t value, rte_be16_t mask)
{
    if (mask == UINT16_MAX) {
        text_printf(o->t, "%s=%" PRIu16 ",", name, be16toh_(value));
    } else if (mask) {
        text_printf(o->t, "%s=0x%" PRIx16 "/0x%" PRIx16 ",", name, be16toh_(value), be16toh_(mask));
    }
}

static void
put_conntrack(const struct out *o)
{
    bool v6 = flow_dl_type_is(o->f, ETH_TYPE_IPV6);

    if (o->w->ct_state) {
        text_put(o->t, "ct_state=");
        flags_format(&flags_ct_state, o->f->ct_state, o->w->ct_state, o->t);
        text_putc(o->t, ',');
    }
    if (o->w->ct_zone) {
        text_printf(o->t, "ct_zone=%" PRIu16, o->f->ct_zone);
        if (o->w->ct_zone != UINT16_MAX) {
            text_printf(o->t, "/%#" PRIx16, o->w->ct_zone);
        }
        text_putc(o->t, ',');
    }
    put_hex32(o, "ct_mark", o->f->ct_mark, o->w->ct_mark);
    put_field(o, MF_CT_LABEL, NULL);
    put_field(o, v6 ? MF_CT_IPV6_SRC : MF_CT_NW_SRC, NULL);
    put_field(o, v6 ? MF_CT_IPV6_DST : MF_CT_NW_DST, NULL);
    put_field(o, MF_CT_NW_PROTO, NULL);
    put_port16(o, "ct_tp_src", o->f->ct_tp_src, o->w->ct_tp_src);
    put_port16(o, "ct_tp_dst", o->f->ct_tp_dst, o->w->ct_tp_dst);
}

static const char *
ip_keyword(const struct flow *f, bool v6)
{
    switch (f->nw_proto) {
    case IP_PROTO_ICMP:
        return v6 ? NULL : "icmp,";
    case IP_PROTO_ICMPV6:
        return v6 ? "icmp6," : NULL;
    case IP_PROTO_TCP:
        return v6 ? "tcp6," : "tcp,";
    case IP_PROTO_UDP:
        return v6 ? "udp6," : "udp,";
    case IP_PROTO_SCTP:
        return v6 ? "sctp6," : "sctp,";
    default:
        return NULL;
    }
}

/* The protocol keyword; says which of dl_type and nw_proto it leaves to be said. */
static void
put_protocol(const struct out *o, bool *say_type, bool *say_proto)
{
    const char *keyword = NULL;
    bool v6 = flow_dl_type_is(o->f, ETH_TYPE_IPV6);

    *say_type = o->w->dl_type != 0;
    *say_proto = o->w->nw_proto != 0;
    if (!*say_type) {
        return;
    }
    if (flow_is_ip(o->f)) {
        keyword = *say_proto && o->w->nw_proto == UINT8_MAX ? ip_keyword(o->f, v6) : NULL;
        *say_proto = *say_proto && !keyword;
        keyword = keyword ? keyword : v6 ? "ipv6," : "ip,";
    } else if (flow_dl_type_is(o->f, ETH_TYPE_ARP)) {
        keyword = "arp,";
    } else if (flow_dl_type_is(o->f, ETH_TYPE_RARP)) {
        keyword = "rarp,";
    } else if (flow_dl_type_is(o->f, ETH_TYPE_MPLS)) {
        keyword = "mpls,";
    } else if (flow_dl_type_is(o->f, ETH_TYPE_MPLS_MCAST)) {
        keyword = "mplsm,";
    }
    if (keyword) {
        *say_type = false;
        text_put(o->t, keyword);
    }
}

/* A match on tun_flags knows only "oam"; a megaflow also says which header bits it depends on. */
static const char *const tnl_flag_names[] = {"oam", "df", "csum", "key"};
static const struct flag_set tnl_flags = {tnl_flag_names, ARRAY_SIZE(tnl_flag_names), 0xf};

/* One of which only the presence is asked for prints as a bare name. */
static void
put_options(const struct out *o)
{
    MF_OPTION_FOR_EACH(mf, o->f)
    {
        union mf_value value, mask;

        if (mf_is_all_wild(mf, &o->m->mask)) {
            continue;
        }
        mf_get(mf, o->m, &value, &mask);
        text_put(o->t, mf->name);
        if (!mf_is_zero(mf, &mask)) {
            text_putc(o->t, '=');
            mf_format(mf, &value, &mask, NULL, o->t);
        }
        text_putc(o->t, ',');
    }
}

static void
put_tunnel(const struct out *o)
{
    static const enum mf_id ids[] = {
        MF_TUN_SRC,        MF_TUN_DST,        MF_TUN_IPV6_SRC,   MF_TUN_IPV6_DST,
        MF_TUN_GBP_ID,     MF_TUN_GBP_FLAGS,  MF_TUN_TOS,        MF_TUN_TTL,
        MF_TUN_ERSPAN_VER, MF_TUN_ERSPAN_IDX, MF_TUN_ERSPAN_DIR, MF_TUN_ERSPAN_HWID,
    };

    put_hex64(o, "tun_id", o->f->tunnel.tun_id, o->w->tunnel.tun_id);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        put_field(o, ids[i], NULL);
    }
    put_field(o, MF_TUN_GTPU_FLAGS, "gtpu_flags");
    put_field(o, MF_TUN_GTPU_MSGTYPE, "gtpu_msgtype");
    uint16_t mask = o->w->tunnel.flags & tnl_flags.all;
    if (mask) {
        text_put(o->t, "tun_flags=");
        flags_format(&tnl_flags, o->f->tunnel.flags, mask, o->t);
        text_putc(o->t, ',');
    }
    put_options(o);
}

static void
put_vlan(const struct out *o, int i)
{
    uint16_t tci = be16toh_(o->f->vlans[i].tci), mask = be16toh_(o->w->vlans[i].tci);
    uint16_t vid = mask & VLAN_VID_MASK, pcp = mask & VLAN_PCP_MASK;
    char suffix[4] = "";

    if (i) {
        suffix[0] = (char)('0' + i);
    }
    if ((mask & VLAN_CFI) && (tci & VLAN_CFI) && (!vid || vid == VLAN_VID_MASK) &&
        (!pcp || pcp == VLAN_PCP_MASK) && (vid || pcp)) {
        if (vid) {
            text_printf(o->t, "dl_vlan%s=%d,", suffix, tci & VLAN_VID_MASK);
        }
        if (pcp) {
            text_printf(o->t, "dl_vlan_pcp%s=%d,", suffix, tci >> VLAN_PCP_SHIFT);
        }
    } else if (mask == UINT16_MAX) {
        text_printf(o->t, "vlan_tci%s=0x%04" PRIx16 ",", suffix, tci);
    } else if (mask) {
        text_printf(o->t, "vlan_tci%s=0x%04" PRIx16 "/0x%04" PRIx16 ",", suffix, tci, mask);
    }
}

static void
put_network(const struct out *o, bool say_proto)
{
    bool arp = flow_is_arp(o->f), v6 = flow_dl_type_is(o->f, ETH_TYPE_IPV6);

    if (v6) {
        put_field(o, MF_IPV6_SRC, NULL);
        put_field(o, MF_IPV6_DST, NULL);
        if (o->w->ipv6_label) {
            uint32_t mask = be32toh_(o->w->ipv6_label) & IPV6_LABEL_MASK;

            text_printf(o->t, "ipv6_label=0x%05" PRIx32, be32toh_(o->f->ipv6_label));
            if (mask != IPV6_LABEL_MASK) {
                text_printf(o->t, "/0x%05" PRIx32, mask);
            }
            text_putc(o->t, ',');
        }
    } else {
        put_field(o, arp ? MF_ARP_SPA : MF_IPV4_SRC, arp ? "arp_spa" : "nw_src");
        put_field(o, arp ? MF_ARP_TPA : MF_IPV4_DST, arp ? "arp_tpa" : "nw_dst");
    }
    if (say_proto) {
        text_printf(o->t, "%s=%" PRIu8 ",", arp ? "arp_op" : "nw_proto", o->f->nw_proto);
    }
    if (arp) {
        put_field(o, MF_ARP_SHA, NULL);
        put_field(o, MF_ARP_THA, NULL);
    }
    if (o->w->nw_tos & IP_DSCP_MASK) {
        text_printf(o->t, "nw_tos=%d,", o->f->nw_tos & IP_DSCP_MASK);
    }
    if (o->w->nw_tos & IP_ECN_MASK) {
        text_printf(o->t, "nw_ecn=%d,", o->f->nw_tos & IP_ECN_MASK);
    }
    if (o->w->nw_ttl) {
        text_printf(o->t, "nw_ttl=%" PRIu8 ",", o->f->nw_ttl);
    }
    if (o->w->mpls_lse[0]) {
        put_field(o, MF_MPLS_LABEL, NULL);
        put_field(o, MF_MPLS_TC, NULL);
        put_field(o, MF_MPLS_TTL, NULL);
        put_field(o, MF_MPLS_BOS, NULL);
    }
    for (int i = 1; i < FLOW_MAX_MPLS; i++) {
        if (o->w->mpls_lse[i]) {
            text_printf(o->t, "mpls_lse%d=%" PRIu32 ",", i, be32toh_(o->f->mpls_lse[i]));
        }
    }
    if (o->w->nw_frag & NW_FRAG_MASK) {
        put_field(o, MF_IP_FRAG, "nw_frag");
    }
}

static void
put_transport(const struct out *o)
{
    bool ip4 = flow_dl_type_is(o->f, ETH_TYPE_IP), ip6 = flow_dl_type_is(o->f, ETH_TYPE_IPV6);

    if (ip4 && o->f->nw_proto == IP_PROTO_ICMP) {
        put_port16(o, "icmp_type", o->f->tp_src, o->w->tp_src);
        put_port16(o, "icmp_code", o->f->tp_dst, o->w->tp_dst);
    } else if (ip6 && o->f->nw_proto == IP_PROTO_ICMPV6) {
        put_port16(o, "icmp_type", o->f->tp_src, o->w->tp_src);
        put_port16(o, "icmp_code", o->f->tp_dst, o->w->tp_dst);
        if (flow_is_nd(o->f)) {
            put_field(o, MF_ND_TARGET, NULL);
            put_field(o, MF_ND_SLL, NULL);
            put_field(o, MF_ND_TLL, NULL);
            put_field(o, MF_ND_RESERVED, NULL);
            put_field(o, MF_ND_OPTIONS_TYPE, NULL);
        }
    } else {
        put_port16(o, "tp_src", o->f->tp_src, o->w->tp_src);
        put_port16(o, "tp_dst", o->f->tp_dst, o->w->tp_dst);
    }
    if ((ip4 || ip6) && o->f->nw_proto == IP_PROTO_TCP && o->w->tcp_flags) {
        text_put(o->t, "tcp_flags=");
        flags_format(&flags_tcp, be16toh_(o->f->tcp_flags),
                     be16toh_(o->w->tcp_flags) & TCP_FLAGS_MASK, o->t);
        text_putc(o->t, ',');
    }
}

static void
put_pipeline(const struct out *o)
{
    put_hex32(o, "pkt_mark", o->f->pkt_mark, o->w->pkt_mark);
    put_hex32(o, "recirc_id", o->f->recirc_id, o->w->recirc_id);
    put_hex32(o, "dp_hash", o->f->dp_hash, o->w->dp_hash);
    if (o->w->conj_id) {
        text_printf(o->t, "conj_id=%" PRIu32 ",", o->f->conj_id);
    }
    put_hex32(o, "skb_priority", o->f->skb_priority, o->w->skb_priority);
    put_field(o, MF_ACTSET_OUTPUT, NULL);
    put_conntrack(o);
    if (o->w->packet_type && o->f->packet_type) {
        put_field(o, MF_PACKET_TYPE, NULL);
    } else if (o->w->packet_type && o->w->recirc_id) {
        text_put(o->t,
                 "eth,"); /* a megaflow says it; in an OpenFlow match it goes without saying */
    }
}

static void
put_registers(const struct out *o)
{
    for (int i = 0; i < FLOW_N_REGS; i++) {
        char name[8] = "reg";

        name[3] = (char)(i < 10 ? '0' + i : '1');
        name[4] = (char)(i < 10 ? '\0' : '0' + i - 10);
        put_hex32(o, name, o->f->regs[i], o->w->regs[i]);
    }
}

void
match_format(const struct match *m, const struct mf_port_names *ports, struct text *t, int priority)
{
    const struct out o = {t, m, &m->flow, &m->mask.bits, ports};
    bool say_type, say_proto;
    size_t start = t->len;

    if (priority != DEFAULT_PRIORITY && priority != MATCH_NO_PRIORITY) {
        text_printf(t, "priority=%d,", priority);
    }
    put_pipeline(&o);
    put_protocol(&o, &say_type, &say_proto);
    put_registers(&o);
    put_tunnel(&o);
    put_hex64(&o, "metadata", o.f->metadata, o.w->metadata);
    put_field(&o, MF_IN_PORT, NULL);
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        put_vlan(&o, i);
    }
    put_field(&o, MF_ETH_SRC, "dl_src");
    put_field(&o, MF_ETH_DST, "dl_dst");
    if (say_type) {
        text_printf(t, "dl_type=0x%04" PRIx16 ",", be16toh_(o.f->dl_type));
    }
    put_network(&o, say_proto);
    put_transport(&o);
    if (t->len > start) {
        text_chomp(t, ',');
    }
}

/* Leaves out of the mask what a packet's flow does not say by being zero. */
static void
forget_zero_context(struct match *m)
{
    struct flow_mask *w = &m->mask;
    const struct flow *f = &m->flow;

    bool tunnel = flow_tnl_dst_is_set(&f->tunnel);
    memset(&w->bits.tunnel, tunnel ? 0xff : 0, sizeof w->bits.tunnel);
    w->bits.tunnel.erspan_idx = w->bits.tunnel.erspan_dir = w->bits.tunnel.erspan_hwid = 0;
    bool key = tunnel ? f->tunnel.flags & FLOW_TNL_F_KEY : f->tunnel.tun_id != 0;
    w->bits.tunnel.tun_id = key ? UINT64_MAX : 0;
    for (int i = 0; i < FLOW_N_REGS; i++) {
        w->bits.regs[i] = f->regs[i] ? UINT32_MAX : 0;
    }
    w->bits.metadata = f->metadata ? UINT64_MAX : 0;
    w->bits.pkt_mark = f->pkt_mark ? UINT32_MAX : 0;
    w->bits.recirc_id = f->recirc_id ? UINT32_MAX : 0;
    w->bits.dp_hash = f->dp_hash ? UINT32_MAX : 0;
    w->bits.skb_priority = f->skb_priority ? UINT32_MAX : 0;
    w->bits.conj_id = f->conj_id ? UINT32_MAX : 0;
    w->bits.actset_output = 0;
    w->bits.ct_state = f->ct_state ? CT_STATE_MASK : 0;
    w->bits.ct_zone = f->ct_zone ? UINT16_MAX : 0;
    w->bits.ct_mark = f->ct_mark ? UINT32_MAX : 0;
    memset(w->bits.ct_label, 0, sizeof w->bits.ct_label);
    for (size_t i = 0; i < sizeof f->ct_label; i++) {
        if (f->ct_label[i]) {
            memset(w->bits.ct_label, 0xff, sizeof w->bits.ct_label);
        }
    }
    if (!f->ct_nw_proto) {
        memset(&w->bits.ct_ipv6_src, 0, 2 * sizeof w->bits.ct_ipv6_src);
        w->bits.ct_tp_src = w->bits.ct_tp_dst = 0;
        w->bits.ct_nw_proto = 0;
    }
    w->bits.ofp_in_port = UINT32_MAX;
    for (int i = flow_n_mpls(f, NULL); i < FLOW_MAX_MPLS; i++) {
        w->bits.mpls_lse[i] = 0;
    }
    w->bits.nd_reserved = 0;
    w->bits.nd_options_type = 0;
}

void
flow_format(const struct flow *flow, const struct mf_port_names *ports, struct text *out)
{
    struct match m;

    match_init_any(&m);
    m.flow = *flow;
    flow_mask_exact_for(flow, &m.mask);
    forget_zero_context(&m);
    if (flow_tnl_dst_is_set(&flow->tunnel)) {
        mf_options_to_match(flow, &m); /* Else they only wait to be sent. */
    }
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        m.mask.bits.vlans[i].tci = i == 0 || flow->vlans[i - 1].tci ? UINT16_MAX : 0;
    }
    match_format(&m, ports, out, MATCH_NO_PRIORITY);
}
