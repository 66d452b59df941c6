// SPDX-License-Identifier: Apache-2.0
//
// The rules are those of RFC 9293's numbers and of the virtio specification (5.1.6.4): all segments
// but the last have the size of the first.  A connection has at most one open super-frame; whatever
// does not continue it closes it, so that nothing overtakes.
//
// Checksums are verified before they are given up for the pseudo-header's: what is broken stays
// alone and reaches the receiver as it is.  Whoever made a segment from a super-frame, or a NIC,
// has said that TCP's is right (rewrites keep it so), which saves reading the payload once more.
#include "netdev/netdev_gro.h"

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "base/util.h"
#include "netdev/netdev.h"

enum {
    GRO_FLOWS = 8, // connections with an open super-frame; more close the oldest
    GRO_IP_MAX = 65535,
    IP4_DF = 0x4000,
    TCP_FIXED = 12, // bytes before the flags: ports and numbers
};

// What 'parse' found: TCP, and whether it may be part of a super-frame.
struct segment {
    uint32_t l3, l4, payload, payload_len;
    uint32_t seq;
    bool is_v6;
    bool joinable;
};

struct super {
    struct rte_mbuf *head, *tail;
    struct segment first;
    uint32_t next_seq;
    uint32_t ip_len; // of the network packet so far
    uint16_t n;
    bool closed;
};

static uint32_t
find_l3(const uint8_t *p, uint32_t len, uint16_t *ethertype)
{
    uint32_t ofs = RTE_ETHER_HDR_LEN;

    *ethertype = get_be16(p + 12);
    for (int i = 0; i < 2 && ofs + RTE_VLAN_HLEN <= len &&
                    (*ethertype == RTE_ETHER_TYPE_VLAN || *ethertype == RTE_ETHER_TYPE_QINQ);
         i++) {
        *ethertype = get_be16(p + ofs + 2);
        ofs += RTE_VLAN_HLEN;
    }
    return ofs;
}

// Where the TCP header of the network packet at 's->l3' begins and where it ends; false when there
// is none that fills the frame exactly.
static bool
find_l4(struct segment *s, const uint8_t *p, uint32_t len, uint16_t ethertype)
{
    const uint8_t *ip = p + s->l3;
    uint32_t left = len - s->l3;

    if (ethertype == RTE_ETHER_TYPE_IPV4) {
        s->l4 = s->l3 + (uint32_t)sizeof(struct rte_ipv4_hdr);
        return left >= sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_tcp_hdr) && ip[0] == 0x45 &&
               get_be16(ip + 2) == left && ip[9] == IPPROTO_TCP &&
               (get_be16(ip + 6) & ~IP4_DF) == 0;
    }
    s->is_v6 = true;
    s->l4 = s->l3 + (uint32_t)sizeof(struct rte_ipv6_hdr);
    return ethertype == RTE_ETHER_TYPE_IPV6 &&
           left >= sizeof(struct rte_ipv6_hdr) + sizeof(struct rte_tcp_hdr) && ip[0] >> 4 == 6 &&
           get_be16(ip + 4) == left - sizeof(struct rte_ipv6_hdr) && ip[6] == IPPROTO_TCP;
}

static bool
parse(struct rte_mbuf *m, unsigned int families, struct segment *s)
{
    const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
    uint32_t len = m->pkt_len;
    uint16_t ethertype;

    *s = (struct segment){0};
    if (m->nb_segs != 1 || len < RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr)) {
        return false;
    }
    s->l3 = find_l3(p, len, &ethertype);
    if (s->l3 >= len || !find_l4(s, p, len, ethertype) ||
        (families & (s->is_v6 ? NETDEV_GRO_IP6 : NETDEV_GRO_IP4)) == 0) {
        return false;
    }
    const uint8_t *tcp = p + s->l4;
    uint32_t tcp_len = (tcp[TCP_FIXED] >> 4) * 4u;
    s->payload = s->l4 + tcp_len;
    if (tcp_len < sizeof(struct rte_tcp_hdr) || s->payload > len) {
        return false;
    }
    s->payload_len = len - s->payload;
    s->seq = get_be32(tcp + 4);
    s->joinable = s->payload_len > 0 && (tcp[13] & ~RTE_TCP_PSH_FLAG) == RTE_TCP_ACK_FLAG &&
                  RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
    return true;
}

static bool
sums_to_zero(const uint8_t *p, uint32_t len, uint32_t initial)
{
    return __rte_raw_cksum_reduce(__rte_raw_cksum(p, len, initial)) == 0xffff;
}

static bool
csums_are_right(const struct rte_mbuf *m, const struct segment *s)
{
    const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *ip = p + s->l3;
    uint32_t l4_len = m->pkt_len - s->l4;
    bool l4_is_right = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;

    if (s->is_v6) {
        return l4_is_right ||
               sums_to_zero(p + s->l4, l4_len, rte_ipv6_phdr_cksum((const void *)ip, 0));
    }
    return sums_to_zero(ip, sizeof(struct rte_ipv4_hdr), 0) &&
           (l4_is_right ||
            sums_to_zero(p + s->l4, l4_len, rte_ipv4_phdr_cksum((const void *)ip, 0)));
}

// The same Ethernet header, tags, addresses and ports.
static bool
is_same_connection(const struct super *super, const uint8_t *p, const struct segment *s)
{
    const uint8_t *q = rte_pktmbuf_mtod(super->head, const uint8_t *);
    uint32_t addresses = s->l3 + (s->is_v6 ? 8 : 12);

    return super->first.is_v6 == s->is_v6 && super->first.l3 == s->l3 && memcmp(p, q, s->l3) == 0 &&
           memcmp(p + addresses, q + addresses, s->l4 + 4 - addresses) == 0;
}

static bool
same_ip_fields(const struct super *super, const uint8_t *ip, const uint8_t *first)
{
    if (super->first.is_v6) {
        return memcmp(ip, first, 4) == 0 && ip[7] == first[7]; // class, label; hop limit
    }
    // Type of service; DF; TTL.  The identification counts on, as when a super-frame is cut.
    return ip[1] == first[1] && get_be16(ip + 6) == get_be16(first + 6) && ip[8] == first[8] &&
           get_be16(ip + 4) == (uint16_t)(get_be16(first + 4) + super->n);
}

// Whether the segment continues 'super', its checksum apart.
static bool
continues(const struct super *super, const uint8_t *p, const struct segment *s)
{
    const uint8_t *q = rte_pktmbuf_mtod(super->head, const uint8_t *);
    const uint8_t *tcp = p + s->l4, *first = q + s->l4;

    return !super->closed && s->joinable && s->seq == super->next_seq &&
           s->payload == super->first.payload && s->payload_len <= super->first.payload_len &&
           super->ip_len + s->payload_len <= GRO_IP_MAX &&
           same_ip_fields(super, p + s->l3, q + s->l3) &&
           memcmp(tcp + 8, first + 8, 4) == 0 &&   // acknowledgement
           memcmp(tcp + 14, first + 14, 2) == 0 && // window
           memcmp(tcp + 18, first + 18, s->payload - s->l4 - 18) == 0;
}

static void
append(struct super *super, struct rte_mbuf *m, const struct segment *s)
{
    uint8_t *first = rte_pktmbuf_mtod(super->head, uint8_t *) + super->first.l4;
    uint8_t flags = rte_pktmbuf_mtod(m, const uint8_t *)[s->l4 + 13];

    first[13] |= flags & RTE_TCP_PSH_FLAG;
    super->closed = (flags & RTE_TCP_PSH_FLAG) != 0 || s->payload_len < super->first.payload_len;
    super->next_seq += s->payload_len;
    super->ip_len += s->payload_len;
    super->n++;
    rte_pktmbuf_adj(m, (uint16_t)s->payload);
    super->tail->next = m;
    super->tail = m;
    super->head->nb_segs++;
    super->head->pkt_len += s->payload_len;
}

static void
start(struct super *super, struct rte_mbuf *m, const struct segment *s)
{
    const uint8_t *tcp = rte_pktmbuf_mtod(m, const uint8_t *) + s->l4;

    *super = (struct super){.head = m,
                            .tail = m,
                            .first = *s,
                            .next_seq = s->seq + s->payload_len,
                            .ip_len = m->pkt_len - s->l3,
                            .n = 1,
                            .closed = !s->joinable || (tcp[13] & RTE_TCP_PSH_FLAG) != 0};
}

// Lengths and checksums of what has become longer.
static void
finish(const struct super *super)
{
    struct rte_mbuf *m = super->head;
    const struct segment *s = &super->first;
    uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + s->l3;
    uint16_t sum;

    if (s->is_v6) {
        struct rte_ipv6_hdr *ip6 = (void *)ip;
        put_be16(ip + 4, (uint16_t)(super->ip_len - sizeof(*ip6)));
        sum = rte_ipv6_phdr_cksum(ip6, 0);
    } else {
        struct rte_ipv4_hdr *ip4 = (void *)ip;
        put_be16(ip + 2, (uint16_t)super->ip_len);
        memset(ip + 10, 0, 2);
        uint16_t csum = rte_ipv4_cksum(ip4);
        memcpy(ip + 10, &csum, sizeof(csum));
        sum = rte_ipv4_phdr_cksum(ip4, 0);
    }
    memcpy(rte_pktmbuf_mtod(m, uint8_t *) + s->l4 + 16, &sum, sizeof(sum));
    m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (s->is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
    m->l2_len = s->l3 & 0x7f;
    m->l3_len = (s->l4 - s->l3) & 0x1ff;
    m->l4_len = (s->payload - s->l4) & 0xff;
    m->tso_segsz = (uint16_t)s->payload_len;
}

// The open super-frames of one burst, the youngest in slots[(n - 1) % GRO_FLOWS].
struct supers {
    struct super slots[GRO_FLOWS];
    unsigned int n;
};

static struct super *
find(struct supers *supers, const uint8_t *p, const struct segment *s)
{
    for (unsigned int i = 0; i < MIN(supers->n, (unsigned int)GRO_FLOWS); i++) {
        if (is_same_connection(&supers->slots[i], p, s)) {
            return &supers->slots[i];
        }
    }
    return NULL;
}

static void
end(const struct super *super)
{
    if (super->n > 1) {
        finish(super);
    }
}

// Adds the frame to a super-frame that is open, or begins one with it.  True when it was added.
static bool
take(struct supers *supers, struct rte_mbuf *m, const struct segment *s)
{
    const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
    struct super *super = find(supers, p, s);

    if (super != NULL && continues(super, p, s)) {
        if (super->n == 1 && !csums_are_right(super->head, &super->first)) {
            super->closed = true;
        } else if (csums_are_right(m, s)) {
            append(super, m, s);
            return true;
        }
    }
    if (super == NULL) {
        super = &supers->slots[supers->n++ % GRO_FLOWS];
        if (supers->n > GRO_FLOWS) {
            end(super);
        }
    } else {
        end(super);
    }
    start(super, m, s);
    return false;
}

uint16_t
netdev_gro_join(struct rte_mbuf **mbufs, uint16_t n, unsigned int families)
{
    struct supers supers;
    struct segment s;
    uint16_t n_out = 0;

    if (n < 2) {
        return n;
    }
    supers.n = 0;
    for (uint16_t i = 0; i < n; i++) {
        if (!parse(mbufs[i], families, &s) || !take(&supers, mbufs[i], &s)) {
            mbufs[n_out++] = mbufs[i];
        }
    }
    for (unsigned int i = 0; i < MIN(supers.n, (unsigned int)GRO_FLOWS); i++) {
        end(&supers.slots[i]);
    }
    return n_out;
}
