// SPDX-License-Identifier: Apache-2.0
/*
 * The general parser: any stack of headers that the flow knows, with every read checked.  extract.c
 * calls it for the packets that its straight-line code does not recognise; extract.h says what
 * malformed headers leave out.
 */
#include "flow/parse.h"

#include <stdatomic.h>

#define MAX_EXT_HEADERS 16

/* Written by main, seldom; read by all for packets with tags that extract_fast() does not know. */
static atomic_int vlan_limit = FLOW_MAX_VLANS;

/* A cursor over the bytes of one packet. */
struct cursor {
    const uint8_t *data;
    uint32_t ofs;
    uint32_t end;   /* parsing stops here: the frame's, later the IP packet's end */
    uint32_t avail; /* bytes that can be read at 'data' */
    bool want_more; /* something ended beyond 'avail' that lies within 'end' and the window */
};

static uint32_t
left(const struct cursor *c)
{
    return c->end - c->ofs;
}

/* The next 'n' bytes, not consumed; NULL if they are not there. */
static const uint8_t *
peek(struct cursor *c, uint32_t n)
{
    if (n > c->end - c->ofs || c->ofs + n > PARSE_WINDOW) {
        return NULL;
    }
    if (c->ofs + n > c->avail) {
        c->want_more = true;
        return NULL;
    }
    return c->data + c->ofs;
}

static const uint8_t *
pull(struct cursor *c, uint32_t n)
{
    const uint8_t *p = peek(c, n);
    if (p) {
        c->ofs += n;
    }
    return p;
}

int
extract_vlan_limit(void)
{
    return atomic_load_explicit(&vlan_limit, memory_order_relaxed);
}

bool
extract_set_vlan_limit(int limit)
{
    int n = limit <= 0 || limit > FLOW_MAX_VLANS ? FLOW_MAX_VLANS : limit;

    return atomic_exchange_explicit(&vlan_limit, n, memory_order_relaxed) != n;
}

static void
parse_vlans(struct cursor *c, struct flow *f)
{
    int limit = atomic_load_explicit(&vlan_limit, memory_order_relaxed);

    for (int i = 0; i < limit; i++) {
        const uint8_t *p = peek(c, VLAN_TAG_SIZE + 2);
        if (!p || (load16(p) != BE16(ETH_TYPE_VLAN) && load16(p) != BE16(ETH_TYPE_QINQ))) {
            return;
        }
        f->w[FLOW_WORD_OF(vlans)] |= (uint64_t)(load32(p) | (uint32_t)BE16(VLAN_CFI) << 16)
                                     << (32 * i);
        c->ofs += VLAN_TAG_SIZE;
    }
}

/* Consumes the EtherType, or the length and an 802.2 SNAP header that carries one. */
static rte_be16_t
parse_ethertype(struct cursor *c)
{
    const uint8_t *p = pull(c, 2);
    if (!p) {
        return BE16(ETH_TYPE_NONE);
    }
    rte_be16_t type = load16(p);
    if (rte_be_to_cpu_16(type) >= ETH_TYPE_MIN) {
        return type;
    }
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    p = peek(c, 8);
    if (!p || memcmp(p, snap, sizeof snap)) {
        return BE16(ETH_TYPE_NONE);
    }
    c->ofs += 8;
    type = load16(p + 6);
    return rte_be_to_cpu_16(type) >= ETH_TYPE_MIN ? type : BE16(ETH_TYPE_NONE);
}

/* Walks the label stack to its bottom, or to where it is cut; the first FLOW_MAX_MPLS go to the
 * key. */
static void
parse_mpls(struct cursor *c, struct flow *f)
{
    const uint8_t *p;
    for (int i = 0; (p = pull(c, 4)); i++) {
        if (i < FLOW_MAX_MPLS) {
            f->mpls_lse[i] = load32(p);
        }
        if (p[2] & 1) {
            return;
        }
    }
}

static void
parse_arp(struct cursor *c, struct flow *f)
{
    static const uint8_t ethernet_ip[6] = {0, 1, 8, 0, 6, 4};
    const uint8_t *p = peek(c, 28);
    if (!p || memcmp(p, ethernet_ip, sizeof ethernet_ip)) {
        return;
    }
    if (!p[6]) { /* an opcode above 255 does not fit, and none exists */
        f->nw_proto = p[7];
    }
    memcpy(&f->arp_sha, p + 8, 6);
    f->nw_src = load32(p + 14);
    memcpy(&f->arp_tha, p + 18, 6);
    f->nw_dst = load32(p + 24);
}

/*
 * Link-layer address options of a neighbour message.  A message that gives the same address twice
 * is ambiguous: none of it counts.
 */
static bool
parse_nd_options(struct cursor *c, struct flow *f)
{
    const uint8_t *p;
    while ((p = peek(c, 8))) {
        uint32_t size = p[1] * 8u;
        if (!size || size > left(c)) {
            return true;
        }
        if (size == 8 && (p[0] == 1 || p[0] == 2)) {
            struct rte_ether_addr *lla = p[0] == 1 ? &f->arp_sha : &f->arp_tha;
            if (!rte_is_zero_ether_addr(lla)) {
                return false;
            }
            memcpy(lla, p + 2, 6);
            if (!f->nd_options_type) {
                f->nd_options_type = p[0];
            }
        }
        c->ofs += size;
    }
    return true;
}

/* ICMP type and code in the place of ports: big-endian 16-bit numbers. */
static uint64_t
type_and_code(const uint8_t *p)
{
    return (uint64_t)p[0] << 8 | (uint64_t)p[1] << 24;
}

static bool
parse_icmpv6(struct cursor *c, struct flow *f)
{
    const uint8_t *p = pull(c, 8);
    if (!p) {
        return false;
    }
    f->w[4] |= type_and_code(p);
    if (p[1] || (p[0] != 135 && p[0] != 136)) {
        return true;
    }
    f->nd_reserved = load32(p + 4);
    const uint8_t *target = pull(c, 16);
    if (!target) {
        return true;
    }
    memcpy(&f->nd_target, target, 16);
    if (!parse_nd_options(c, f)) {
        memset(&f->nd_target, 0, sizeof f->nd_target);
        memset(&f->arp_sha, 0, sizeof f->arp_sha);
        memset(&f->arp_tha, 0, sizeof f->arp_tha);
        f->nd_options_type = 0;
    }
    return true;
}

/* The L4 header at the cursor.  False if it is cut; an unknown protocol is whole by definition. */
static bool
parse_l4(struct cursor *c, struct flow *f, bool ipv6)
{
    const uint8_t *p;
    switch (f->nw_proto) {
    case IP_PROTO_TCP:
        p = peek(c, 20);
        if (!p || p[12] >> 4 < 5 || (p[12] >> 4) * 4u > left(c)) {
            return false;
        }
        f->w[4] |= load32(p) | (uint64_t)(load16(p + 12) & BE16(TCP_FLAGS_MASK)) << 32;
        return true;
    case IP_PROTO_UDP:
    case IP_PROTO_SCTP:
        p = pull(c, f->nw_proto == IP_PROTO_UDP ? 8 : 12);
        if (p) {
            f->w[4] |= load32(p);
        }
        return p;
    case IP_PROTO_ICMP:
        p = ipv6 ? NULL : pull(c, 8);
        if (p) {
            f->w[4] |= type_and_code(p);
        }
        return p || ipv6;
    case IP_PROTO_IGMP:
        p = ipv6 ? NULL : pull(c, 8);
        if (p) {
            f->w[4] |= type_and_code(p);
            f->igmp_group = load32(p + 4);
        }
        return p || ipv6;
    case IP_PROTO_ICMPV6:
        return ipv6 ? parse_icmpv6(c, f) : true;
    default:
        return true;
    }
}

static void
parse_l4_at(struct cursor *c, struct flow *f, struct packet_layers *ly, bool ipv6)
{
    if (!(f->nw_frag & NW_FRAG_LATER)) {
        uint32_t l4 = c->ofs;
        if (parse_l4(c, f, ipv6)) {
            ly->l4 = (uint16_t)l4;
        }
    }
}

/* Ends the packet where L3 says, if that is possible at all: 'total' counts from the cursor. */
static bool
trim_to(struct cursor *c, uint32_t total, struct packet_layers *ly)
{
    if (total > left(c) || left(c) - total > UINT16_MAX) {
        return false;
    }
    ly->l2_pad = (uint16_t)(left(c) - total);
    c->end = c->ofs + total;
    return true;
}

static void
parse_ipv4(struct cursor *c, struct flow *f, struct packet_layers *ly)
{
    const uint8_t *p = peek(c, 20);
    if (!p) {
        return;
    }
    uint32_t header = (p[0] & 0xf) * 4u;
    uint32_t total = rte_be_to_cpu_16(load16(p + 2));
    if (header < 20 || header > total || !trim_to(c, total, ly)) {
        return;
    }
    uint16_t frag_ofs = rte_be_to_cpu_16(load16(p + 6)) & 0x3fff;
    uint64_t frag = !frag_ofs ? 0 : frag_ofs & 0x1fff ? NW_FRAG_ANY | NW_FRAG_LATER : NW_FRAG_ANY;
    f->w[2] |= (uint64_t)p[9] << 48 | frag << 56;
    f->w[3] = load64(p + 12);
    f->w[4] = (uint64_t)p[1] << 48 | (uint64_t)p[8] << 56;
    if (pull(c, header)) {
        parse_l4_at(c, f, ly, false);
    }
}

/*
 * Skips extension headers (RFC 8200 §4).  '*proto' becomes what follows them; for later fragments,
 * whose upper layer is not there, it is 44.  False if they are cut or more than MAX_EXT_HEADERS.
 */
static bool
skip_ipv6_ext_headers(struct cursor *c, uint8_t *proto, uint8_t *frag)
{
    for (int i = 0; i <= MAX_EXT_HEADERS; i++) {
        const uint8_t *p;
        switch (*proto) {
        case 0:  /* hop-by-hop options */
        case 43: /* routing */
        case 60: /* destination options */
        case 51: /* authentication: its length is in 4-byte units, less 2 */
            p = peek(c, 8);
            if (!p || !pull(c, *proto == 51 ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8)) {
                return false;
            }
            *proto = p[0];
            break;
        case 44:
            p = pull(c, 8);
            if (!p) {
                return false;
            }
            *proto = p[0];
            if (load16(p + 2)) {
                *frag = NW_FRAG_ANY;
                if (load16(p + 2) & BE16(0xfff8)) {
                    *frag |= NW_FRAG_LATER;
                    *proto = 44;
                    return true;
                }
            }
            break;
        default:
            return true;
        }
    }
    return false;
}

static void
parse_ipv6(struct cursor *c, struct flow *f, struct packet_layers *ly)
{
    const uint8_t *p = peek(c, 40);
    if (!p || !trim_to(c, 40u + rte_be_to_cpu_16(load16(p + 4)), ly)) {
        return;
    }
    c->ofs += 40;
    memcpy(&f->ipv6_src, p + 8, 16);
    memcpy(&f->ipv6_dst, p + 24, 16);
    uint8_t proto = p[6];
    uint8_t frag = 0;
    if (!skip_ipv6_ext_headers(c, &proto, &frag)) {
        return;
    }
    uint32_t flow_word = rte_be_to_cpu_32(load32(p));
    f->ipv6_label = rte_cpu_to_be_32(flow_word & IPV6_LABEL_MASK);
    f->w[2] |= (uint64_t)proto << 48 | (uint64_t)frag << 56;
    f->w[4] = (uint64_t)(flow_word >> 20 & 0xff) << 48 | (uint64_t)p[7] << 56;
    parse_l4_at(c, f, ly, true);
}

/* The general path: fills the header fields of 'f', which is zero, and 'ly'. */
static enum extract_result
parse(struct cursor *c, rte_be32_t packet_type, struct flow *f, struct packet_layers *ly)
{
    packet_layers_clear(ly);
    f->packet_type = packet_type;
    if (!packet_type) {
        const uint8_t *p = peek(c, ETH_HEADER_SIZE);
        if (!p) {
            return EXTRACT_RUNT;
        }
        c->ofs = 12;
        parse_vlans(c, f);
        f->w[1] = (load64(p) & LOW48) | (uint64_t)parse_ethertype(c) << 48;
        f->w[2] = load64(p + 6) & LOW48;
    } else {
        /* Namespace 1: the low 16 bits are the EtherType and the packet starts at L3. */
        f->dl_type = (rte_be16_t)(packet_type >> 16);
    }
    if (flow_is_mpls(f)) {
        ly->l2_5 = (uint16_t)c->ofs;
        parse_mpls(c, f);
    }
    ly->l3 = (uint16_t)c->ofs;
    if (f->dl_type == BE16(ETH_TYPE_IP)) {
        parse_ipv4(c, f, ly);
    } else if (f->dl_type == BE16(ETH_TYPE_IPV6)) {
        parse_ipv6(c, f, ly);
    } else if (flow_is_arp(f)) {
        parse_arp(c, f);
    }
    return EXTRACT_OK;
}

enum extract_result
parse_bytes(const uint8_t *data, uint32_t avail, uint32_t size, rte_be32_t packet_type,
            struct flow *f, struct packet_layers *ly, bool *want_more)
{
    struct cursor c = {.data = data, .end = size, .avail = avail};
    memset(f, 0, N_PACKET_WORDS * 8);
    enum extract_result r = parse(&c, packet_type, f, ly);
    *want_more = c.want_more;
    return r;
}
