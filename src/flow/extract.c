// SPDX-License-Identifier: Apache-2.0
/*
 * Header parsing: see extract.h for what it promises.
 *
 * PMD threads call key_extract() for each packet they receive.  extract_fast() handles the common
 * shapes with a handful of loads and stores; whatever it does not recognise goes to parse(), which
 * walks the headers with a bounds-checked cursor into a dense struct flow and packs that.
 *
 * Both read at most PARSE_WINDOW bytes; a header that ends beyond it counts as cut.  That bound,
 * not the way in which a packet happens to be segmented, decides what is in the key.
 */
#include "flow/extract.h"

#include <rte_branch_prediction.h>

static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "words are composed by shifts");
static_assert(sizeof(struct packet_layers) == 8 && offsetof(struct packet_layers, l3) == 2 &&
                  offsetof(struct packet_layers, l4) == 4 &&
                  offsetof(struct packet_layers, l2_pad) == 6,
              "the layers are one word");

#define PARSE_WINDOW 2048
#define MAX_EXT_HEADERS 16

/* The words that headers fill; the tunnel and what follows are metadata. */
#define N_PACKET_WORDS FLOW_WORD_OF(tunnel)

#define BE16(X) RTE_STATIC_BSWAP16(X)
#define LOW48 UINT64_C(0xffffffffffff)

/* Words of the shapes that extract_fast() makes. */
#define MAP_IPV4 UINT64_C(0x1f)
#define MAP_VLAN FLOW_WORD_BIT(vlans)
#define MAP_IPV6 \
    (UINT64_C(0x17) | UINT64_C(0xf) << FLOW_WORD_OF(ipv6_src) | FLOW_WORD_BIT(ipv6_label))

static inline uint16_t
load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t
load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t
load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
layers_set(struct packet_layers *ly, uint32_t l3, uint32_t l4, uint32_t l2_pad)
{
    ly->l2_5 = PACKET_LAYER_NONE;
    ly->l3 = (uint16_t)l3;
    ly->l4 = (uint16_t)l4;
    ly->l2_pad = (uint16_t)l2_pad;
}

/*
 * The L4 half of word 4, ports and TCP flags, into '*l4w'.  False unless 'proto' is TCP, UDP or
 * 'icmp', the ICMP of the IP version, but not a neighbour message, and its header lies within
 * 'l4_size' bytes.
 */
static __rte_always_inline bool
fast_l4(const uint8_t *l4, uint8_t proto, uint8_t icmp, uint32_t l4_size, uint64_t *l4w)
{
    if (proto == IP_PROTO_UDP && l4_size >= 8) {
        *l4w = load32(l4);
        return true;
    }
    if (proto == IP_PROTO_TCP && l4_size >= 20) {
        uint32_t header = l4[12] >> 4;
        *l4w = load32(l4) | (uint64_t)(load16(l4 + 12) & BE16(TCP_FLAGS_MASK)) << 32;
        return header >= 5 && header * 4 <= l4_size;
    }
    if (proto == icmp && l4_size >= 8) {
        *l4w = (uint32_t)l4[0] << 8 | (uint32_t)l4[1] << 24;
        return icmp == IP_PROTO_ICMP || (l4[0] != 135 && l4[0] != 136);
    }
    return false;
}

/*
 * IPv4 at 'l3', a constant where this is inlined.  The packet's padding wraps around when its total
 * length says more than the frame has, which makes one comparison of two; the four layers are one
 * store.
 */
static __rte_always_inline bool
extract_fast_ip4(const uint8_t *d, uint32_t l3, uint32_t avail, uint32_t size, uint64_t w0,
                 struct flow_key *key, struct packet_layers *ly)
{
    const uint8_t *ip = d + l3;
    const bool tagged = l3 != ETH_HEADER_SIZE;
    /* Version 4, IHL 5, neither MF nor a fragment offset: one masked compare. */
    const uint64_t head = load64(ip);
    const uint32_t total = rte_be_to_cpu_16((uint16_t)(head >> 16));
    const uint32_t pad = size - l3 - total;
    const uint32_t ip_size = RTE_MIN(total, avail - l3);
    const uint64_t proto = ip[9];
    uint64_t *w = key->w;
    uint64_t l4w;

    if (unlikely((head & UINT64_C(0xff3f0000000000ff)) != 0x45 || pad > UINT16_MAX ||
                 ip_size < 20 + 8 ||
                 !fast_l4(ip + 20, (uint8_t)proto, IP_PROTO_ICMP, ip_size - 20, &l4w))) {
        return false;
    }
    w[0] = w0;
    w[1] = (load64(d) & LOW48) | (uint64_t)BE16(ETH_TYPE_IP) << 48;
    w[2] = (load64(d + 6) & LOW48) | proto << 48;
    w[3] = load64(ip + 12);
    w[4] = l4w | (head >> 8 & 0xff) << 48 | (uint64_t)ip[8] << 56;
    if (tagged) {
        w[5] = load32(d + 12) | (uint32_t)BE16(VLAN_CFI) << 16;
    }
    key->map = MAP_IPV4 | (tagged ? MAP_VLAN : 0);
    key->n = 5 + tagged;
    uint64_t layers =
        PACKET_LAYER_NONE | (uint64_t)l3 << 16 | (uint64_t)(l3 + 20) << 32 | (uint64_t)pad << 48;
    memcpy(ly, &layers, sizeof layers);
    return true;
}

/*
 * Ethernet, at most one tag, IPv4 without options and not a fragment or IPv6 without extension
 * headers, TCP or UDP, all whole.  'avail' bytes are readable at 'd', the packet has 'size'. False,
 * with nothing written but maybe parts of the key, for anything else.
 */
static __rte_always_inline bool
extract_fast(const uint8_t *d, uint32_t avail, uint32_t size, uint64_t w0, struct flow_key *key,
             struct packet_layers *ly)
{
    if (unlikely(avail < ETH_HEADER_SIZE + 20 + 8)) {
        return false;
    }
    uint32_t l3 = ETH_HEADER_SIZE;
    uint64_t type = load16(d + 12);
    if (likely(type == BE16(ETH_TYPE_IP))) {
        return extract_fast_ip4(d, ETH_HEADER_SIZE, avail, size, w0, key, ly);
    }
    bool tagged = type == BE16(ETH_TYPE_VLAN);
    if (tagged) {
        type = load16(d + 16);
        l3 += VLAN_TAG_SIZE;
    }
    if (type == BE16(ETH_TYPE_IP)) {
        return extract_fast_ip4(d, ETH_HEADER_SIZE + VLAN_TAG_SIZE, avail, size, w0, key, ly);
    }
    const uint8_t *ip = d + l3;
    uint64_t *w = key->w;
    uint64_t l4w;
    if (type == BE16(ETH_TYPE_IPV6)) {
        if (unlikely(avail < l3 + 40)) {
            return false;
        }
        uint32_t flow_word = rte_be_to_cpu_32(load32(ip));
        uint32_t total = 40 + rte_be_to_cpu_16(load16(ip + 4));
        uint8_t proto = ip[6];
        if (unlikely(
                l3 + total > size || size - l3 - total > UINT16_MAX ||
                !fast_l4(ip + 40, proto, IP_PROTO_ICMPV6, RTE_MIN(total, avail - l3) - 40, &l4w))) {
            return false;
        }
        w[0] = w0;
        w[1] = (load64(d) & LOW48) | type << 48;
        w[2] = (load64(d + 6) & LOW48) | (uint64_t)proto << 48;
        w[3] = l4w | (uint64_t)(flow_word >> 20 & 0xff) << 48 | (uint64_t)ip[7] << 56;
        w[4] = tagged ? load32(d + 12) | (uint32_t)BE16(VLAN_CFI) << 16 : 0;
        w += 4 + tagged;
        memcpy(w, ip + 8, 32);
        w[4] = rte_cpu_to_be_32(flow_word & IPV6_LABEL_MASK);
        key->map = MAP_IPV6 | (uint64_t)tagged << FLOW_WORD_OF(vlans);
        key->n = 9 + tagged;
        layers_set(ly, l3, l3 + 40, size - l3 - total);
        return true;
    }
    return false;
}

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

static void
parse_vlans(struct cursor *c, struct flow *f)
{
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
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

static enum extract_result
parse_bytes(const uint8_t *data, uint32_t avail, uint32_t size, rte_be32_t packet_type,
            struct flow *f, struct packet_layers *ly, bool *want_more)
{
    struct cursor c = {.data = data, .end = size, .avail = avail};
    memset(f, 0, N_PACKET_WORDS * 8);
    enum extract_result r = parse(&c, packet_type, f, ly);
    *want_more = c.want_more;
    return r;
}

/*
 * Packs the packet words that are not zero.  One word at a time: the words were just written, and a
 * vector load over several of them would wait until the stores have left for the cache.
 */
static void
pack(const struct flow *f, struct flow_key *key)
{
    uint64_t map = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < N_PACKET_WORDS; i++) {
        uint64_t w = f->w[i];
        __asm__("" : "+r"(w)); /* keeps the compiler from vectorising */
        if (w) {
            map |= UINT64_C(1) << i;
            key->w[n++] = w;
        }
    }
    key->map = map;
    key->n = n;
}

/* Everything that extract_fast() does not do.  'w0' is word 0 of the key. */
static __attribute__((noinline)) enum extract_result
extract_general(const struct rte_mbuf *m, rte_be32_t packet_type, uint64_t w0, struct flow_key *key,
                struct packet_layers *ly)
{
    uint8_t copy[PARSE_WINDOW];
    struct flow f;
    bool want_more;
    uint32_t size = rte_pktmbuf_pkt_len(m);
    enum extract_result r = parse_bytes(packet_data_const(m), rte_pktmbuf_data_len(m), size,
                                        packet_type, &f, ly, &want_more);
    if (want_more) {
        /* The headers span segments. */
        uint32_t avail = RTE_MIN(size, (uint32_t)sizeof copy);
        const void *data = rte_pktmbuf_read(m, 0, avail, copy);
        if (!data) {
            return EXTRACT_RUNT;
        }
        if (!packet_type && extract_fast(data, avail, size, w0, key, ly)) {
            return EXTRACT_OK;
        }
        r = parse_bytes(data, avail, size, packet_type, &f, ly, &want_more);
    }
    if (r == EXTRACT_OK) {
        f.w[0] = w0;
        pack(&f, key);
    }
    return r;
}

static inline uint64_t
make_w0(odp_port_t in_port, uint32_t recirc_id)
{
    return in_port | (uint64_t)recirc_id << 32;
}

enum extract_result
key_extract(const struct rte_mbuf *m, odp_port_t in_port, struct flow_key *key,
            struct packet_layers *ly)
{
    uint64_t w0 = make_w0(in_port, 0);
    if (likely(extract_fast(packet_data_const(m), rte_pktmbuf_data_len(m), rte_pktmbuf_pkt_len(m),
                            w0, key, ly))) {
        return EXTRACT_OK;
    }
    return extract_general(m, 0, w0, key, ly);
}

/* Adds 'value' to word 'i', inserting the word if the key does not have it. */
static void
key_or_word(struct flow_key *key, uint32_t i, uint64_t value)
{
    if (!value) {
        return;
    }
    uint32_t idx = flow_key_index(key->map, i);
    if (key->map >> i & 1) {
        key->w[idx] |= value;
        return;
    }
    memmove(&key->w[idx + 1], &key->w[idx], (key->n - idx) * sizeof key->w[0]);
    key->w[idx] = value;
    key->map |= UINT64_C(1) << i;
    key->n++;
}

/* 'size' bytes (a multiple of 8) of metadata to the words from 'first' on. */
static void
key_or_words(struct flow_key *key, uint32_t first, const void *data, uint32_t size)
{
    for (uint32_t i = 0; i < size / 8; i++) {
        key_or_word(key, first + i, load64((const uint8_t *)data + i * 8));
    }
}

static void
key_put_conntrack(struct flow_key *key, const struct packet_md *md)
{
    key_or_word(key, FLOW_WORD_OF(ct_state),
                md->ct_state | (uint64_t)md->ct_zone << 16 | (uint64_t)md->ct_mark << 32);
    key_or_words(key, FLOW_WORD_OF(ct_label), md->ct_label, sizeof md->ct_label);
    if (md->ct_is_ipv6) {
        key_or_words(key, FLOW_WORD_OF(ct_ipv6_src), &md->ct_ipv6_src, 16);
        key_or_words(key, FLOW_WORD_OF(ct_ipv6_dst), &md->ct_ipv6_dst, 16);
    } else {
        key_or_word(key, FLOW_WORD_OF(ct_nw_src), md->ct_nw_src | (uint64_t)md->ct_nw_dst << 32);
    }
    key_or_word(key, FLOW_WORD_OF(ct_tp_src),
                md->ct_tp_src | (uint64_t)md->ct_tp_dst << 16 | (uint64_t)md->ct_nw_proto << 32);
}

enum extract_result
key_extract_md(const struct rte_mbuf *m, const struct packet_md *md, struct flow_key *key,
               struct packet_layers *ly)
{
    uint64_t w0 = make_w0(md->in_port, md->recirc_id);
    if (md->packet_type || !extract_fast(packet_data_const(m), rte_pktmbuf_data_len(m),
                                         rte_pktmbuf_pkt_len(m), w0, key, ly)) {
        enum extract_result r = extract_general(m, md->packet_type, w0, key, ly);
        if (r != EXTRACT_OK) {
            return r;
        }
    }
    key_or_word(key, FLOW_WORD_OF(pkt_mark), md->pkt_mark | (uint64_t)md->dp_hash << 32);
    key_or_word(key, FLOW_WORD_OF(skb_priority), (uint64_t)md->skb_priority << 32);
    if (md->has_tunnel) {
        key_or_words(key, FLOW_WORD_OF(tunnel), &md->tunnel, sizeof md->tunnel);
    }
    if (md->ct_state) {
        key_put_conntrack(key, md);
    }
    return EXTRACT_OK;
}

enum extract_result
flow_extract(const struct rte_mbuf *m, const struct packet_md *md, struct flow *flow,
             struct packet_layers *ly)
{
    struct flow_key key;
    enum extract_result r = key_extract_md(m, md, &key, ly);
    if (r == EXTRACT_OK) {
        flow_from_key(&key, flow);
    }
    return r;
}

enum extract_result
flow_extract_bytes(const void *data, uint32_t size, const struct packet_md *md, struct flow *flow,
                   struct packet_layers *ly)
{
    /* A stack mbuf around the bytes: only the fields that extraction reads are set. */
    if (size > UINT16_MAX) {
        return EXTRACT_RUNT;
    }
    struct rte_mbuf m;
    memset(&m, 0, sizeof m);
    m.buf_addr = (void *)(uintptr_t)data;
    m.buf_len = m.data_len = (uint16_t)size;
    m.pkt_len = size;
    m.nb_segs = 1;
    return flow_extract(&m, md, flow, ly);
}

void
packet_md_from_flow(const struct flow *flow, struct packet_md *md)
{
    memset(md, 0, sizeof *md);
    md->in_port = flow->in_port;
    md->recirc_id = flow->recirc_id;
    md->pkt_mark = flow->pkt_mark;
    md->dp_hash = flow->dp_hash;
    md->skb_priority = flow->skb_priority;
    md->packet_type = flow->packet_type;
    md->ct_state = flow->ct_state;
    md->ct_zone = flow->ct_zone;
    md->ct_mark = flow->ct_mark;
    memcpy(md->ct_label, flow->ct_label, sizeof md->ct_label);
    md->ct_is_ipv6 = flow_dl_type_is(flow, ETH_TYPE_IPV6);
    memcpy(&md->ct_ipv6_src, &flow->ct_ipv6_src, sizeof md->ct_ipv6_src);
    memcpy(&md->ct_ipv6_dst, &flow->ct_ipv6_dst, sizeof md->ct_ipv6_dst);
    md->ct_tp_src = flow->ct_tp_src;
    md->ct_tp_dst = flow->ct_tp_dst;
    md->ct_nw_proto = flow->ct_nw_proto;
    md->tunnel = flow->tunnel;
    md->has_tunnel = flow_tnl_dst_is_set(&flow->tunnel);
}

void
packet_md_from_key(const struct flow_key *key, struct packet_md *md)
{
    struct flow flow;
    flow_from_key(key, &flow);
    packet_md_from_flow(&flow, md);
}
