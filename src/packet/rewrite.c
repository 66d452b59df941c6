// SPDX-License-Identifier: Apache-2.0
/*
 * rewrite.c - set Ethernet, IP and transport fields, checksums following.  ARP, neighbour discovery
 * and MPLS are in rewrite_other.c.
 */
#include "packet/rewrite.h"

#include <errno.h>
#include <string.h>

#include <rte_ip.h>

#include "packet/csum.h"
#include "packet/ip6.h"

enum {
    TCP_SIZE = 20,
    TCP_CSUM = 16,
    UDP_SIZE = 8,
    UDP_CSUM = 6,
    ICMP_SIZE = 4,
    ICMP_CSUM = 2,
    SCTP_SIZE = 12,
    SCTP_CSUM = 8,
};

/* 'size' bytes of 'out': those of 'old' with the masked bits of 'value'. */
static inline void
merge(void *out, const void *old, const void *value, const void *mask, uint32_t size)
{
    const uint8_t *o = old, *v = value, *k = mask;
    uint8_t *r = out;
    uint32_t i = 0;

    for (; i + sizeof(uint32_t) <= size; i += sizeof(uint32_t)) {
        uint32_t word, set, bits;
        memcpy(&word, o + i, sizeof word);
        memcpy(&set, v + i, sizeof set);
        memcpy(&bits, k + i, sizeof bits);
        word = (word & ~bits) | (set & bits);
        memcpy(r + i, &word, sizeof word);
    }
    for (; i < size; i++) {
        r[i] = (uint8_t)((o[i] & ~k[i]) | (v[i] & k[i]));
    }
}

int
packet_set_eth(struct rte_mbuf *m, const struct set_eth *value, const struct set_eth *mask)
{
    struct rte_ether_hdr *eth = packet_at(m, 0, sizeof *eth);

    if (!eth) {
        return -EINVAL;
    }
    merge(&eth->src_addr, &eth->src_addr, &value->src, &mask->src, RTE_ETHER_ADDR_LEN);
    merge(&eth->dst_addr, &eth->dst_addr, &value->dst, &mask->dst, RTE_ETHER_ADDR_LEN);
    return 0;
}

/* --- transport checksums after a change of what they cover -------------------------------------
 */

/* The checksum at 'field' after bytes that it covers changed.  With 'is_pseudo' the field holds the
 * plain sum of the pseudo-header for a NIC to finish.  'is_udp': zero has a meaning. */
static void
adjust(uint8_t *field, const void *from, const void *to, uint32_t size, bool is_pseudo, bool is_udp)
{
    rte_be16_t csum;

    memcpy(&csum, field, sizeof csum);
    if (is_pseudo) {
        csum = (rte_be16_t)~csum_update((rte_be16_t)~csum, from, to, size);
    } else {
        if (is_udp && !csum) {
            return;
        }
        csum = csum_update(csum, from, to, size);
        if (is_udp && !csum) {
            csum = UINT16_MAX;
        }
    }
    memcpy(field, &csum, sizeof csum);
}

/* Addresses of the pseudo-header changed: the transport checksum follows, where there is one. */
static void
adjust_for_address(struct rte_mbuf *m, const struct packet_layers *ly, uint8_t proto,
                   const void *from, const void *to, uint32_t size)
{
    const uint64_t asked = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
    uint8_t *l4;

    switch (proto) {
    case IP_PROTO_TCP:
        l4 = packet_at(m, ly->l4, TCP_SIZE);
        if (l4) {
            adjust(l4 + TCP_CSUM, from, to, size, asked == RTE_MBUF_F_TX_TCP_CKSUM, false);
        }
        break;
    case IP_PROTO_UDP:
        l4 = packet_at(m, ly->l4, UDP_SIZE);
        if (l4) {
            adjust(l4 + UDP_CSUM, from, to, size, asked == RTE_MBUF_F_TX_UDP_CKSUM, true);
        }
        break;
    case IP_PROTO_ICMPV6:
        l4 = packet_at(m, ly->l4, ICMP_SIZE);
        if (l4) {
            adjust(l4 + ICMP_CSUM, from, to, size, false, false);
        }
        break;
    default:
        break;
    }
}

/* --- IPv4 --------------------------------------------------------------------------------- */

static struct rte_ipv4_hdr *
ipv4_at(struct rte_mbuf *m, const struct packet_layers *ly)
{
    struct rte_ipv4_hdr *ip = packet_at(m, ly->l3, sizeof *ip);

    return ip && ip->version == 4 ? ip : NULL;
}

/* Sets the address at byte 'ofs' of the header. */
static void
set_ipv4_address(struct rte_mbuf *m, const struct packet_layers *ly, struct rte_ipv4_hdr *ip,
                 uint32_t ofs, rte_be32_t value, rte_be32_t mask)
{
    uint8_t *field = (uint8_t *)ip + ofs;
    rte_be32_t old, new;

    memcpy(&old, field, sizeof old);
    new = (old & ~mask) | (value & mask);
    if (old == new) {
        return;
    }
    ip->hdr_checksum = csum_update32(ip->hdr_checksum, old, new);
    adjust_for_address(m, ly, ip->next_proto_id, &old, &new, sizeof old);
    memcpy(field, &new, sizeof new);
}

int
packet_set_ipv4(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_ipv4 *value,
                const struct set_ipv4 *mask)
{
    struct rte_ipv4_hdr *ip = ipv4_at(m, ly);
    rte_be16_t words[2];

    if (!ip) {
        return -EINVAL;
    }
    set_ipv4_address(m, ly, ip, offsetof(struct rte_ipv4_hdr, src_addr), value->src, mask->src);
    set_ipv4_address(m, ly, ip, offsetof(struct rte_ipv4_hdr, dst_addr), value->dst, mask->dst);
    if (mask->tos) {
        memcpy(&words[0], ip, sizeof words[0]);
        ip->type_of_service =
            (uint8_t)((ip->type_of_service & ~mask->tos) | (value->tos & mask->tos));
        memcpy(&words[1], ip, sizeof words[1]);
        ip->hdr_checksum = csum_update16(ip->hdr_checksum, words[0], words[1]);
    }
    if (mask->ttl) {
        memcpy(&words[0], &ip->time_to_live, sizeof words[0]);
        ip->time_to_live = (uint8_t)((ip->time_to_live & ~mask->ttl) | (value->ttl & mask->ttl));
        memcpy(&words[1], &ip->time_to_live, sizeof words[1]);
        ip->hdr_checksum = csum_update16(ip->hdr_checksum, words[0], words[1]);
    }
    return 0;
}

/* --- IPv6 --------------------------------------------------------------------------------- */

static void
set_ipv6_address(struct rte_mbuf *m, const struct packet_layers *ly, uint8_t proto, uint8_t *field,
                 const struct in6_addr *value, const struct in6_addr *mask, bool in_pseudo_header)
{
    uint8_t old[16];

    memcpy(old, field, sizeof old);
    merge(field, old, value, mask, sizeof old);
    if (in_pseudo_header && memcmp(old, field, sizeof old)) {
        adjust_for_address(m, ly, proto, old, field, sizeof old);
    }
}

int
packet_set_ipv6(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_ipv6 *value,
                const struct set_ipv6 *mask)
{
    struct rte_ipv6_hdr *ip = packet_at(m, ly->l3, sizeof *ip);
    struct ip6_chain chain;
    uint32_t first, first_mask, first_value;

    if (!ip || *(uint8_t *)ip >> 4 != 6) {
        return -EINVAL;
    }
    if (!ip6_chain_walk(m, ly->l3, &chain)) {
        chain = (struct ip6_chain){.proto = IPPROTO_NONE};
    }
    set_ipv6_address(m, ly, chain.proto, ip->src_addr, &value->src, &mask->src, true);
    /* With segments left, the pseudo-header's destination is the last one of the routing header. */
    set_ipv6_address(m, ly, chain.proto, ip->dst_addr, &value->dst, &mask->dst, !chain.has_routing);
    first = rte_be_to_cpu_32(ip->vtc_flow);
    first_mask = (uint32_t)mask->tclass << 20 | (rte_be_to_cpu_32(mask->label) & IPV6_LABEL_MASK);
    first_value =
        (uint32_t)value->tclass << 20 | (rte_be_to_cpu_32(value->label) & IPV6_LABEL_MASK);
    ip->vtc_flow = rte_cpu_to_be_32((first & ~first_mask) | (first_value & first_mask));
    ip->hop_limits = (uint8_t)((ip->hop_limits & ~mask->hlimit) | (value->hlimit & mask->hlimit));
    return 0;
}

/* --- ports -------------------------------------------------------------------------------- */

int
packet_set_tcp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
               const struct set_tp *mask)
{
    uint8_t *tcp = packet_at(m, ly->l4, TCP_SIZE);
    uint8_t old[4];

    if (!tcp) {
        return -EINVAL;
    }
    memcpy(old, tcp, sizeof old);
    merge(tcp, old, value, mask, sizeof old);
    if (!(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM)) {
        adjust(tcp + TCP_CSUM, old, tcp, sizeof old, false, false);
    }
    return 0;
}

int
packet_set_udp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
               const struct set_tp *mask)
{
    uint8_t *udp = packet_at(m, ly->l4, UDP_SIZE);
    uint8_t old[4];

    if (!udp) {
        return -EINVAL;
    }
    memcpy(old, udp, sizeof old);
    merge(udp, old, value, mask, sizeof old);
    if ((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != RTE_MBUF_F_TX_UDP_CKSUM) {
        adjust(udp + UDP_CSUM, old, udp, sizeof old, false, true);
    }
    return 0;
}

int
packet_set_sctp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
                const struct set_tp *mask)
{
    uint8_t *sctp = packet_at(m, ly->l4, SCTP_SIZE);
    uint32_t size, stored, before, after;
    uint8_t old[4];

    if (!sctp || rte_pktmbuf_pkt_len(m) < (uint32_t)ly->l4 + ly->l2_pad + SCTP_SIZE) {
        return -EINVAL;
    }
    size = rte_pktmbuf_pkt_len(m) - ly->l4 - ly->l2_pad;
    memcpy(&stored, sctp + SCTP_CSUM, sizeof stored);
    memset(sctp + SCTP_CSUM, 0, sizeof stored);
    before = rte_cpu_to_le_32(packet_crc32c(m, ly->l4, size));
    memcpy(old, sctp, sizeof old);
    merge(sctp, old, value, mask, sizeof old);
    after = rte_cpu_to_le_32(packet_crc32c(m, ly->l4, size));
    /* A CRC that was wrong stays wrong by the same bits. */
    stored ^= before ^ after;
    memcpy(sctp + SCTP_CSUM, &stored, sizeof stored);
    return 0;
}

int
packet_set_icmp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_icmp *value,
                const struct set_icmp *mask)
{
    uint8_t *icmp = packet_at(m, ly->l4, ICMP_SIZE);
    uint8_t old[2];

    if (!icmp) {
        return -EINVAL;
    }
    memcpy(old, icmp, sizeof old);
    merge(icmp, old, value, mask, sizeof old);
    adjust(icmp + ICMP_CSUM, old, icmp, sizeof old, false, false);
    return 0;
}
