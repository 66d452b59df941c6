// SPDX-License-Identifier: Apache-2.0
/*
 * Text to datapath keys: see dpkey.h.  The text comes from operators ('dpctl/add-flow',
 * 'netdev-dummy/receive', 'ofproto/trace'); any bytes give a key or an error text.
 */
#include "base/util.h"
#include "flow/dp_text.h"

#define MAX_ENCAP FLOW_MAX_VLANS

struct key_in {
    const char *s;
    struct flow *f;
    struct flow_mask *mask; /* never NULL here */
    bool may_mask;          /* the caller accepts masks */
    const struct dp_port_names *ports;
    int n_encap;                  /* encap( that are open */
    uint64_t seen[MAX_ENCAP + 1]; /* attributes read at each depth, a bit each */
    int n_vlans;                  /* tags whose eth_type(tpid) was read */
    bool has_eth_type;
    bool may_be_tpid; /* the last eth_type() can be that of a tag */
    bool has_recirc_id;
    rte_be16_t last_type; /* EtherType at this depth */
};

/* Everything is as it was asked for, or exact where masks are not allowed. */
static bool
mask_ok(const struct key_in *k, uint64_t mask, uint64_t exact)
{
    return k->may_mask || mask == exact;
}

/* "NAME(value[/mask])" of an integer member. */
static bool
parse_int(struct key_in *k, uint64_t max, uint64_t *value, uint64_t *mask)
{
    if (!dp_scan_masked(&k->s, max, max, value, mask) || !mask_ok(k, *mask, max)) {
        return false;
    }
    *value &= *mask;
    return scan_literal(&k->s, ")");
}

static bool
parse_u32(struct key_in *k, uint32_t *value, uint32_t *mask)
{
    uint64_t v;
    uint64_t m;
    bool ok = parse_int(k, UINT32_MAX, &v, &m);
    if (ok) {
        *value = (uint32_t)v;
        *mask = (uint32_t)m;
    }
    return ok;
}

static bool
parse_u16(struct key_in *k, uint16_t *value, uint16_t *mask)
{
    uint64_t v;
    uint64_t m;
    bool ok = parse_int(k, UINT16_MAX, &v, &m);
    if (ok) {
        *value = (uint16_t)v;
        *mask = (uint16_t)m;
    }
    return ok;
}

static bool
parse_in_port(struct key_in *k)
{
    const char *start = k->s;
    if (parse_u32(k, &k->f->in_port, &k->mask->bits.in_port)) {
        return true;
    }
    k->s = start;
    size_t n = strcspn(start, "()");
    char name[64];
    if (!n || n >= sizeof name || start[n] != ')' || !k->ports || !k->ports->lookup) {
        return false;
    }
    memcpy(name, start, n);
    name[n] = '\0';
    if (!k->ports->lookup(k->ports->aux, name, &k->f->in_port)) {
        return false;
    }
    FLOW_MASK_SET(k->mask, in_port);
    k->s = start + n + 1;
    return true;
}

static bool
parse_ct_label(struct key_in *k)
{
    uint8_t *v = k->f->ct_label;
    uint8_t *m = k->mask->bits.ct_label;
    if (!dp_scan_u128(&k->s, v)) {
        return false;
    }
    memset(m, 0xff, 16);
    if (scan_literal(&k->s, "/") && (!k->may_mask || !dp_scan_u128(&k->s, m))) {
        return false;
    }
    for (int i = 0; i < 16; i++) {
        v[i] &= m[i];
    }
    return scan_literal(&k->s, ")");
}

static bool
parse_ct_state(struct key_in *k)
{
    uint32_t v;
    uint32_t m;
    if (!dp_scan_flags(&k->s, dp_ct_states, CT_STATE_MASK, &v, &m)) {
        return false;
    }
    k->f->ct_state = (uint16_t)v;
    k->mask->bits.ct_state = (uint16_t)(m & CT_STATE_MASK);
    return scan_literal(&k->s, ")");
}

static bool
parse_tcp_flags(struct key_in *k)
{
    uint32_t v;
    uint32_t m;
    if (!dp_scan_flags(&k->s, dp_tcp_flags, TCP_FLAGS_MASK, &v, &m)) {
        return false;
    }
    k->f->tcp_flags = rte_cpu_to_be_16((uint16_t)v);
    k->mask->bits.tcp_flags = rte_cpu_to_be_16((uint16_t)(m & TCP_FLAGS_MASK));
    return scan_literal(&k->s, ")");
}

static bool
parse_packet_type(struct key_in *k)
{
    uint64_t ns;
    uint64_t ns_mask;
    uint64_t id;
    uint64_t id_mask;
    if (!dp_scan_masked(&k->s, UINT16_MAX, UINT16_MAX, &ns, &ns_mask) ||
        !scan_literal(&k->s, ",id=") ||
        !dp_scan_masked(&k->s, UINT16_MAX, UINT16_MAX, &id, &id_mask)) {
        return false;
    }
    k->f->packet_type = rte_cpu_to_be_32(PACKET_TYPE(ns & ns_mask, id & id_mask));
    k->mask->bits.packet_type = rte_cpu_to_be_32(PACKET_TYPE(ns_mask, id_mask));
    return scan_literal(&k->s, ")");
}

static bool
parse_eth_type(struct key_in *k)
{
    uint64_t v;
    uint64_t m;
    if (!parse_int(k, UINT16_MAX, &v, &m)) {
        return false;
    }
    k->has_eth_type = true;
    if (m == UINT16_MAX && !v) {
        v = ETH_TYPE_NONE; /* "no EtherType" is how an 802.2 frame prints */
    }
    /* A tag is looked for by its whole TPID: a part of one, or none, is not a tag's type. */
    k->may_be_tpid = m == UINT16_MAX && v != ETH_TYPE_NONE;
    k->last_type = rte_cpu_to_be_16((uint16_t)v);
    k->f->dl_type = k->last_type;
    k->mask->bits.dl_type = rte_cpu_to_be_16((uint16_t)m);
    return true;
}

/* vlan(vid=V[/M],pcp=V[/M],cfi=0|1), the tag whose TPID the last eth_type() gave. */
static bool
parse_vlan(struct key_in *k)
{
    if (k->n_vlans != k->n_encap || k->n_vlans >= FLOW_MAX_VLANS || !k->has_eth_type ||
        !k->may_be_tpid) {
        return false;
    }
    uint32_t tci = VLAN_CFI;
    uint32_t mask = VLAN_CFI;
    while (!scan_literal(&k->s, ")")) {
        uint64_t v;
        uint64_t m;
        bool vid = scan_literal(&k->s, "vid=");
        if (vid || scan_literal(&k->s, "pcp=")) {
            uint64_t max = vid ? VLAN_VID_MASK : 7;
            int shift = vid ? 0 : VLAN_PCP_SHIFT;
            if (!dp_scan_masked(&k->s, max, max, &v, &m) || !mask_ok(k, m, max)) {
                return false;
            }
            tci |= (uint32_t)(v & m) << shift;
            mask |= (uint32_t)m << shift;
        } else if (!scan_literal(&k->s, "cfi=1")) {
            return false;
        }
        scan_literal(&k->s, ",");
    }
    struct flow_vlan *tag = &k->f->vlans[k->n_vlans];
    struct flow_vlan *tag_mask = &k->mask->bits.vlans[k->n_vlans];
    tag->tpid = k->last_type;
    tag->tci = rte_cpu_to_be_16((uint16_t)tci);
    tag_mask->tpid = UINT16_MAX;
    tag_mask->tci = rte_cpu_to_be_16((uint16_t)mask);
    k->n_vlans++;
    k->has_eth_type = false;
    k->f->dl_type = 0;
    k->mask->bits.dl_type = 0;
    return true;
}

/* Skipping vlan() in a dump means that any tag of that TPID will do. */
static bool
open_encap(struct key_in *k)
{
    if (k->n_encap >= MAX_ENCAP) {
        return false;
    }
    if (k->n_vlans == k->n_encap) {
        if (!k->has_eth_type || !k->may_be_tpid) {
            return false;
        }
        k->f->vlans[k->n_vlans].tpid = k->last_type;
        k->f->vlans[k->n_vlans].tci = RTE_BE16(VLAN_CFI);
        k->mask->bits.vlans[k->n_vlans].tpid = UINT16_MAX;
        k->mask->bits.vlans[k->n_vlans].tci = RTE_BE16(VLAN_CFI);
        k->n_vlans++;
        k->f->dl_type = 0;
        k->mask->bits.dl_type = 0;
    }
    k->has_eth_type = false;
    k->n_encap++;
    return true;
}

static bool
parse_mpls(struct key_in *k)
{
    for (int i = 0; i < FLOW_MAX_MPLS; i++) {
        if (!dp_scan_mpls_lse(&k->s, &k->f->mpls_lse[i], &k->mask->bits.mpls_lse[i])) {
            return false;
        }
        if (scan_literal(&k->s, ")")) {
            return true;
        }
    }
    return false;
}

static bool
parse_ufid(struct key_in *k)
{
    struct dp_ufid ufid;
    return dp_ufid_parse(&k->s, &ufid);
}

static bool
parse_tunnel(struct key_in *k)
{
    return dp_scan_tunnel(&k->s, &k->f->tunnel, &k->mask->bits.tunnel);
}

static bool
parse_skb_priority(struct key_in *k)
{
    return parse_u32(k, &k->f->skb_priority, &k->mask->bits.skb_priority);
}

static bool
parse_skb_mark(struct key_in *k)
{
    return parse_u32(k, &k->f->pkt_mark, &k->mask->bits.pkt_mark);
}

static bool
parse_recirc_id(struct key_in *k)
{
    k->has_recirc_id = true;
    /* All of it: no flow serves packets of several passes, and dumps leave out what is not matched.
     */
    return parse_u32(k, &k->f->recirc_id, &k->mask->bits.recirc_id) &&
           k->mask->bits.recirc_id == UINT32_MAX;
}

static bool
parse_dp_hash(struct key_in *k)
{
    return parse_u32(k, &k->f->dp_hash, &k->mask->bits.dp_hash);
}

static bool
parse_ct_zone(struct key_in *k)
{
    return parse_u16(k, &k->f->ct_zone, &k->mask->bits.ct_zone);
}

static bool
parse_ct_mark(struct key_in *k)
{
    return parse_u32(k, &k->f->ct_mark, &k->mask->bits.ct_mark);
}

static const struct {
    const char *prefix;
    bool (*parse)(struct key_in *k);
} special[] = {
    {"ufid:", parse_ufid},         {"skb_priority(", parse_skb_priority},
    {"skb_mark(", parse_skb_mark}, {"recirc_id(", parse_recirc_id},
    {"dp_hash(", parse_dp_hash},   {"ct_state(", parse_ct_state},
    {"ct_zone(", parse_ct_zone},   {"ct_mark(", parse_ct_mark},
    {"ct_label(", parse_ct_label}, {"tunnel(", parse_tunnel},
    {"in_port(", parse_in_port},   {"packet_type(ns=", parse_packet_type},
    {"eth_type(", parse_eth_type}, {"vlan(", parse_vlan},
    {"encap(", open_encap},        {"tcp_flags(", parse_tcp_flags},
    {"mpls(", parse_mpls},
};

_Static_assert(ARRAY_SIZE(special) + DP_N_ATTRS <= 64, "bits of 'seen'");

/* False if this depth has had the attribute already. */
static bool
first_time(struct key_in *k, size_t bit)
{
    uint64_t had = k->seen[k->n_encap];

    k->seen[k->n_encap] |= UINT64_C(1) << bit;
    return !(had >> bit & 1);
}

static bool
parse_attr(struct key_in *k)
{
    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        if (scan_literal(&k->s, special[i].prefix)) {
            return first_time(k, i) && special[i].parse(k);
        }
    }
    size_t n = strcspn(k->s, "(");
    for (int id = 0; id < DP_N_ATTRS; id++) {
        const char *name = dp_attrs[id].name;
        if (strlen(name) == n && !strncmp(name, k->s, n) && k->s[n] == '(') {
            k->s += n + 1;
            return first_time(k, ARRAY_SIZE(special) + (size_t)id) &&
                   dp_attr_parse(&k->s, (enum dp_attr_id)id, k->f, k->may_mask ? k->mask : NULL,
                                 false);
        }
    }
    return false;
}

/*
 * A tag that the text does not mention is one that the packet does not have, once the EtherType is
 * given: eth_type() is that of the frame as it stands.
 */
static void
finish_vlans(struct key_in *k)
{
    if (k->n_vlans < FLOW_MAX_VLANS && k->mask->bits.dl_type == UINT16_MAX) {
        k->mask->bits.vlans[k->n_vlans].tci = UINT16_MAX;
    }
}

char *
dpkey_parse(const char *text, const struct dp_port_names *ports, struct flow *flow,
            struct flow_mask *mask)
{
    struct flow_mask scratch;
    struct key_in k = {
        .s = text,
        .f = flow,
        .mask = mask ? mask : &scratch,
        .may_mask = mask != NULL,
        .ports = ports,
    };
    memset(k.f, 0, sizeof *k.f);
    memset(k.mask, 0, sizeof *k.mask);
    for (;;) {
        k.s += strspn(k.s, ", \t\r\n");
        const char *start = k.s;
        if (!*k.s) {
            break;
        }
        if (k.n_encap && scan_literal(&k.s, ")")) {
            k.seen[k.n_encap--] = 0;
            continue;
        }
        if (!parse_attr(&k)) {
            return text_error("syntax error at %s", start);
        }
    }
    if (k.n_encap) {
        return text_error("syntax error: encap( is not closed");
    }
    if (!mask && !flow->dl_type && !k.has_eth_type && !flow->packet_type) {
        flow->dl_type = RTE_BE16(ETH_TYPE_NONE); /* a key without EtherType is an 802.2 frame's */
    }
    finish_vlans(&k);
    if (!k.has_recirc_id) {
        FLOW_MASK_SET(k.mask, recirc_id); /* not said: straight from a port */
    }
    return NULL;
}
