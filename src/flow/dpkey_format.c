// SPDX-License-Identifier: Apache-2.0
/*
 * Datapath keys to text: see dpkey.h.  Called by dpctl and dpif dumps, trace and log lines.
 */
#include "flow/dp_text.h"

struct key_out {
    const struct flow *f;
    const struct flow_mask *mask; /* NULL: exact */
    bool verbose;
    struct text *out;
};

/* "name(%#x/%#x)", if it is to be printed at all. */
static void
put_hex(const struct key_out *k, const char *name, uint64_t value, uint64_t mask, uint64_t exact)
{
    if (!k->mask) {
        mask = exact;
    }
    if (mask || k->verbose) {
        text_printf(k->out, "%s(", name);
        dp_put_masked(k->out, value, mask, exact, true);
        text_put(k->out, "),");
    }
}

#define PUT_HEX(K, NAME, MEMBER)                                             \
    put_hex(K, NAME, (K)->f->MEMBER, (K)->mask ? (K)->mask->bits.MEMBER : 0, \
            (uint64_t)(__typeof__((K)->f->MEMBER))~0ull)

static void
put_attr(const struct key_out *k, enum dp_attr_id id)
{
    if (k->verbose || dp_attr_is_masked(id, k->mask)) {
        dp_attr_format(k->out, id, k->f, k->mask, false, k->verbose);
        text_putc(k->out, ',');
    }
}

static void
put_ct_state(const struct key_out *k)
{
    uint32_t mask = k->mask ? k->mask->bits.ct_state & CT_STATE_MASK : CT_STATE_MASK;
    if (!k->mask) {
        text_put(k->out, "ct_state(");
        if (k->verbose) {
            text_printf(k->out, "%#x", k->f->ct_state);
        } else {
            dp_put_flags(k->out, dp_ct_states, k->f->ct_state);
        }
        text_put(k->out, "),");
    } else if (k->verbose) {
        put_hex(k, "ct_state", k->f->ct_state, mask, UINT32_MAX);
    } else if (mask) {
        text_put(k->out, "ct_state(");
        dp_put_flags_masked(k->out, dp_ct_states, k->f->ct_state, mask);
        text_put(k->out, "),");
    }
}

static void
put_ct_label(const struct key_out *k)
{
    static const uint8_t zero[16];
    const uint8_t *mask = k->mask ? k->mask->bits.ct_label : NULL;
    if (mask && !k->verbose && !memcmp(mask, zero, 16)) {
        return;
    }
    uint8_t ones[16];
    memset(ones, 0xff, sizeof ones);
    text_put(k->out, "ct_label(");
    dp_put_u128(k->out, k->f->ct_label);
    if (mask && memcmp(mask, ones, 16)) {
        text_putc(k->out, '/');
        dp_put_u128(k->out, mask);
    }
    text_put(k->out, "),");
}

static void
put_conntrack(const struct key_out *k)
{
    put_ct_state(k);
    PUT_HEX(k, "ct_zone", ct_zone);
    PUT_HEX(k, "ct_mark", ct_mark);
    put_ct_label(k);
    if (k->f->ct_nw_proto || k->f->ct_tp_src || k->f->ct_tp_dst) {
        enum dp_attr_id id =
            flow_dl_type_is(k->f, ETH_TYPE_IPV6) ? DP_ATTR_CT_TUPLE6 : DP_ATTR_CT_TUPLE4;
        struct key_out quiet = *k;
        quiet.verbose = false;
        put_attr(&quiet, id);
    }
}

static void
put_tunnel(const struct key_out *k)
{
    if (!flow_tnl_dst_is_set(&k->f->tunnel)) {
        return;
    }
    size_t before = k->out->len;
    text_put(k->out, "tunnel(");
    size_t start = k->out->len;
    dp_put_tunnel_text(k->out, &k->f->tunnel, k->mask ? &k->mask->bits.tunnel : NULL, k->verbose);
    if (k->out->len == start) {
        k->out->len = before;
        k->out->str[before] = '\0';
    } else {
        text_put(k->out, "),");
    }
}

static void
put_in_port(const struct key_out *k, const struct dp_port_names *ports)
{
    uint32_t mask = k->mask ? k->mask->bits.in_port : UINT32_MAX;
    if (!mask && !k->verbose) {
        return;
    }
    const char *name =
        mask == UINT32_MAX && ports && ports->name ? ports->name(ports->aux, k->f->in_port) : NULL;
    text_put(k->out, "in_port(");
    if (name) {
        text_put(k->out, name);
    } else {
        dp_put_masked(k->out, k->f->in_port, mask, UINT32_MAX, false);
    }
    text_put(k->out, "),");
}

static bool
has_packet_type(const struct key_out *k)
{
    return !k->mask || k->mask->bits.packet_type;
}

static void
put_packet_type(const struct key_out *k)
{
    if (!has_packet_type(k)) {
        text_put(k->out, k->verbose ? "packet_type(ns=0/0,id=0/0)," : "");
        return;
    }
    uint32_t type = rte_be_to_cpu_32(k->f->packet_type);
    text_printf(k->out, type & 0xffff ? "packet_type(ns=%u,id=%#x)," : "packet_type(ns=%u,id=%u),",
                type >> 16, type & 0xffff);
}

static void
put_eth_type(const struct key_out *k, rte_be16_t type, rte_be16_t mask)
{
    if (!mask && (!k->verbose || !type)) {
        return;
    }
    if (type == RTE_BE16(ETH_TYPE_NONE)) {
        /* An 802.2 frame has no EtherType; only a mask can say so. */
        if (k->mask) {
            text_printf(k->out, "eth_type(0/0x%04x),", rte_be_to_cpu_16(mask));
        }
        return;
    }
    text_printf(k->out, "eth_type(0x%04x", rte_be_to_cpu_16(type));
    if (mask != UINT16_MAX) {
        text_printf(k->out, "/0x%04x", rte_be_to_cpu_16(mask));
    }
    text_put(k->out, "),");
}

static void
put_vlan(const struct key_out *k, const struct flow_vlan *vlan, const struct flow_vlan *vlan_mask)
{
    uint16_t tci = rte_be_to_cpu_16(vlan->tci);
    uint16_t mask = vlan_mask ? rte_be_to_cpu_16(vlan_mask->tci) : UINT16_MAX;
    if (!mask && !k->verbose) {
        return;
    }
    text_put(k->out, "vlan(");
    if (k->verbose || (tci | mask) & VLAN_VID_MASK) {
        text_put(k->out, "vid=");
        text_printf(k->out, "%d", tci & VLAN_VID_MASK);
        if ((mask & VLAN_VID_MASK) != VLAN_VID_MASK) {
            text_printf(k->out, "/0x%x", mask & VLAN_VID_MASK);
        }
        text_putc(k->out, ',');
    }
    if (k->verbose || (tci | mask) & VLAN_PCP_MASK) {
        text_printf(k->out, "pcp=%d", tci >> VLAN_PCP_SHIFT);
        if ((mask & VLAN_PCP_MASK) != VLAN_PCP_MASK) {
            text_printf(k->out, "/0x%x", mask >> VLAN_PCP_SHIFT);
        }
        text_putc(k->out, ',');
    }
    text_chomp(k->out, ',');
    text_put(k->out, "),");
}

static void
put_mpls(const struct key_out *k)
{
    size_t start = k->out->len;
    for (int i = 0; i < FLOW_MAX_MPLS; i++) {
        rte_be32_t mask = k->mask ? k->mask->bits.mpls_lse[i] : UINT32_MAX;
        if (i && !k->f->mpls_lse[i]) {
            break; /* an entry below the bottom of the stack */
        }
        if (mask || (k->verbose && !i)) {
            text_put(k->out, k->out->len == start ? "mpls(" : ",");
            dp_put_mpls_lse(k->out, k->f->mpls_lse[i], mask, k->verbose);
        }
        if (k->f->mpls_lse[i] & RTE_BE32(MPLS_BOS_MASK)) {
            break;
        }
    }
    if (k->out->len != start) {
        text_put(k->out, "),");
    }
}

static void
put_tcp(const struct key_out *k)
{
    put_attr(k, DP_ATTR_TCP);
    uint16_t flags = rte_be_to_cpu_16(k->f->tcp_flags);
    uint16_t mask =
        k->mask ? rte_be_to_cpu_16(k->mask->bits.tcp_flags) & TCP_FLAGS_MASK : TCP_FLAGS_MASK;
    if (!mask && !k->verbose) {
        return;
    }
    text_put(k->out, "tcp_flags(");
    if (mask == TCP_FLAGS_MASK) {
        dp_put_flags(k->out, dp_tcp_flags, flags);
    } else {
        dp_put_flags_masked(k->out, dp_tcp_flags, flags, mask);
    }
    text_put(k->out, "),");
}

static void
put_l4(const struct key_out *k)
{
    bool ipv6 = flow_dl_type_is(k->f, ETH_TYPE_IPV6);
    if (k->f->nw_frag & NW_FRAG_LATER) {
        return;
    }
    switch (k->f->nw_proto) {
    case IP_PROTO_TCP:
        put_tcp(k);
        break;
    case IP_PROTO_UDP:
        put_attr(k, DP_ATTR_UDP);
        break;
    case IP_PROTO_SCTP:
        put_attr(k, DP_ATTR_SCTP);
        break;
    case IP_PROTO_ICMP:
        if (!ipv6) {
            put_attr(k, DP_ATTR_ICMP);
        }
        break;
    case IP_PROTO_ICMPV6:
        if (ipv6) {
            put_attr(k, DP_ATTR_ICMPV6);
            if (flow_is_nd(k->f)) {
                put_attr(k, DP_ATTR_ND);
                if (k->mask && dp_attr_is_masked(DP_ATTR_ND_EXT, k->mask)) {
                    put_attr(k, DP_ATTR_ND_EXT);
                }
            }
        }
        break;
    default:
        break;
    }
}

static void
put_l3(const struct key_out *k)
{
    if (flow_dl_type_is(k->f, ETH_TYPE_IP)) {
        put_attr(k, DP_ATTR_IPV4);
        put_l4(k);
    } else if (flow_dl_type_is(k->f, ETH_TYPE_IPV6)) {
        put_attr(k, DP_ATTR_IPV6);
        put_l4(k);
    } else if (flow_is_arp(k->f)) {
        put_attr(k, DP_ATTR_ARP);
    } else if (flow_is_mpls(k->f)) {
        put_mpls(k);
    }
}

/* eth(), VLAN tags with their nested encap(), EtherType and what follows. */
static void
put_l2(const struct key_out *k)
{
    if (k->f->packet_type == 0) {
        if (!k->verbose && !has_packet_type(k) && !dp_attr_is_masked(DP_ATTR_ETH, k->mask)) {
            text_put(k->out, "eth(),"); /* what says that it is Ethernet */
        } else {
            put_attr(k, DP_ATTR_ETH);
        }
    }
    int n = flow_n_vlans(k->f);
    for (int i = 0; i < n; i++) {
        put_eth_type(k, k->f->vlans[i].tpid, UINT16_MAX);
        put_vlan(k, &k->f->vlans[i], k->mask ? &k->mask->bits.vlans[i] : NULL);
        text_put(k->out, "encap(");
    }
    put_eth_type(k, k->f->dl_type, k->mask ? k->mask->bits.dl_type : UINT16_MAX);
    put_l3(k);
    text_chomp(k->out, ',');
    for (int i = 0; i < n; i++) {
        text_putc(k->out, ')');
    }
}

void
dpkey_format(const struct flow *flow, const struct flow_mask *mask,
             const struct dp_port_names *ports, bool verbose, struct text *out)
{
    struct key_out k = {flow, mask, verbose, out};
    PUT_HEX(&k, "skb_priority", skb_priority);
    put_tunnel(&k);
    PUT_HEX(&k, "skb_mark", pkt_mark);
    put_conntrack(&k);
    PUT_HEX(&k, "recirc_id", recirc_id);
    PUT_HEX(&k, "dp_hash", dp_hash);
    put_in_port(&k, ports);
    put_packet_type(&k);
    put_l2(&k);
}

void
dp_ufid_format(const struct dp_ufid *ufid, struct text *out)
{
    const uint32_t *u = ufid->u32;
    text_printf(out, "%08x-%04x-%04x-%04x-%04x%08x", u[0], u[1] >> 16, u[1] & 0xffff, u[2] >> 16,
                u[2] & 0xffff, u[3]);
}

bool
dp_ufid_parse(const char **s, struct dp_ufid *ufid)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    uint32_t words[4] = {0};
    unsigned n = 0;
    const char *p = *s;
    for (const char *c = shape; *c; c++, p++) {
        if (*c == '-') {
            if (*p != '-') {
                return false;
            }
            continue;
        }
        static const char digits[] = "0123456789abcdef";
        const char *d = *p ? strchr(digits, *p | 0x20) : NULL;
        if (!d) {
            return false;
        }
        words[n / 8] = words[n / 8] << 4 | (uint32_t)(d - digits);
        n++;
    }
    memcpy(ufid->u32, words, sizeof words);
    *s = p;
    return true;
}
