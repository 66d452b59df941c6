// SPDX-License-Identifier: Apache-2.0
/*
 * Header parsing: see extract.h for what it promises.
 *
 * PMD threads call key_extract() for each packet they receive.  extract_fast() handles the common
 * shapes with a handful of loads and stores; whatever it does not recognise goes to parse.c, which
 * walks the headers with a bounds-checked cursor into a dense struct flow, and is packed here.
 *
 * Both read at most PARSE_WINDOW bytes; a header that ends beyond it counts as cut.  That bound,
 * not the way in which a packet happens to be segmented, decides what is in the key.
 */
#include "flow/extract.h"

#include <rte_branch_prediction.h>

#include "flow/parse.h"

static_assert(sizeof(struct packet_layers) == 8 && offsetof(struct packet_layers, l3) == 2 &&
                  offsetof(struct packet_layers, l4) == 4 &&
                  offsetof(struct packet_layers, l2_pad) == 6,
              "the layers are one word");

/* Words of the shapes that extract_fast() makes. */
#define MAP_IPV4 UINT64_C(0x1f)
#define MAP_VLAN FLOW_WORD_BIT(vlans)
#define MAP_IPV6 \
    (UINT64_C(0x17) | UINT64_C(0xf) << FLOW_WORD_OF(ipv6_src) | FLOW_WORD_BIT(ipv6_label))

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
