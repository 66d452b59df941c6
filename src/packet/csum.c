// SPDX-License-Identifier: Apache-2.0
/*
 * csum.c - checksums over packets, whole ones.  Incremental updates are inline in the header.
 */
#include "packet/csum.h"

#include <errno.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_ip.h>

#include "packet/ip6.h"

enum { UDP_CSUM_OFS = 6, TCP_CSUM_OFS = 16, ICMP_CSUM_OFS = 2, SCTP_CSUM_OFS = 8 };

uint32_t
csum_add(uint32_t sum, const void *data, uint32_t size)
{
    const uint8_t *p = data;
    uint64_t wide = sum;

    for (; size >= 4; p += 4, size -= 4) {
        uint32_t word;

        memcpy(&word, p, sizeof word);
        wide += word;
    }
    if (size >= 2) {
        uint16_t half;

        memcpy(&half, p, sizeof half);
        wide += half;
        p += 2;
        size -= 2;
    }
    if (size) {
        uint8_t last[2] = {*p, 0};
        uint16_t half;

        memcpy(&half, last, sizeof half);
        wide += half;
    }
    wide = (wide & UINT32_MAX) + (wide >> 32);
    wide = (wide & UINT32_MAX) + (wide >> 32);
    /* Leave room for further additions without an overflow. */
    return (uint32_t)((wide & 0xffff) + (wide >> 16));
}

rte_be16_t
csum_block(const void *data, uint32_t size)
{
    return csum_fold(csum_add(0, data, size));
}

rte_be16_t
csum_update(rte_be16_t csum, const void *from, const void *to, uint32_t size)
{
    const uint8_t *a = from, *b = to;

    for (uint32_t i = 0; i + 2 <= size; i += 2) {
        uint16_t x, y;

        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x != y) {
            csum = csum_update16(csum, x, y);
        }
    }
    return csum;
}

/* The sum over 'size' bytes from 'ofs', across segments. */
static uint32_t
sum_packet(const struct rte_mbuf *m, uint32_t ofs, uint32_t size)
{
    uint32_t sum = 0;
    bool odd = false;

    for (; m && size; m = m->next) {
        uint32_t n, part;

        if (ofs >= m->data_len) {
            ofs -= m->data_len;
            continue;
        }
        n = RTE_MIN(size, m->data_len - ofs);
        part = csum_add(0, packet_data_const(m) + ofs, n);
        if (odd) {
            /* Each byte lies in the other half of its word. */
            part = (part & 0xffff) + (part >> 16);
            part = (part & 0xff) << 8 | (part >> 8 & 0xff) | (part & 0x10000) >> 8;
        }
        sum += part;
        sum = (sum & 0xffff) + (sum >> 16);
        odd ^= n & 1;
        size -= n;
        ofs = 0;
    }
    return sum;
}

/* --- where things are ----------------------------------------------------------------------- */

static const struct rte_ipv4_hdr *
ipv4_of(const struct rte_mbuf *m, const struct packet_layers *ly)
{
    const struct rte_ipv4_hdr *ip = packet_at((struct rte_mbuf *)m, ly->l3, sizeof *ip);

    return ip && ip->version == 4 && ip->ihl >= 5 ? ip : NULL;
}

static const struct rte_ipv6_hdr *
ipv6_of(const struct rte_mbuf *m, const struct packet_layers *ly)
{
    const struct rte_ipv6_hdr *ip = packet_at((struct rte_mbuf *)m, ly->l3, sizeof *ip);

    return ip && (*(const uint8_t *)ip >> 4) == 6 ? ip : NULL;
}

/* A transport message: which protocol, where its checksum is, how long it is, and its
 * pseudo-header's sum without the length and protocol. */
struct l4_msg {
    uint8_t proto;
    uint32_t size;
    uint32_t csum_ofs; /* from the start of the packet */
    uint32_t address_sum;
    bool is_v4;
};

static bool
l4_msg_find(const struct rte_mbuf *m, const struct packet_layers *ly, struct l4_msg *msg)
{
    const struct rte_ipv4_hdr *ip4 = ipv4_of(m, ly);
    const struct rte_ipv6_hdr *ip6 = ip4 ? NULL : ipv6_of(m, ly);
    uint32_t end = rte_pktmbuf_pkt_len(m) - ly->l2_pad, min;
    uint16_t frag;

    if (ly->l4 == PACKET_LAYER_NONE || ly->l4 >= end) {
        return false;
    }
    if (ip4) {
        frag = rte_be_to_cpu_16(ip4->fragment_offset);
        if (frag & 0x3fff) {
            return false; /* The sum covers what is not here. */
        }
        msg->proto = ip4->next_proto_id;
        msg->address_sum = csum_add(0, &ip4->src_addr, 8);
    } else if (ip6) {
        struct ip6_chain chain;

        if (!ip6_chain_walk(m, ly->l3, &chain) || chain.is_fragment) {
            return false;
        }
        msg->proto = chain.proto;
        msg->address_sum = csum_add(0, ip6->src_addr, 32);
    } else {
        return false;
    }
    msg->is_v4 = ip4 != NULL;
    msg->size = end - ly->l4;
    switch (msg->proto) {
    case IP_PROTO_TCP:
        msg->csum_ofs = ly->l4 + TCP_CSUM_OFS;
        min = 20;
        break;
    case IP_PROTO_UDP:
        msg->csum_ofs = ly->l4 + UDP_CSUM_OFS;
        min = 8;
        break;
    case IP_PROTO_SCTP:
        msg->csum_ofs = ly->l4 + SCTP_CSUM_OFS;
        min = 12;
        break;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        if (msg->is_v4 != (msg->proto == IP_PROTO_ICMP)) {
            return false;
        }
        msg->csum_ofs = ly->l4 + ICMP_CSUM_OFS;
        min = 4;
        break;
    default:
        return false;
    }
    return msg->size >= min && packet_at((struct rte_mbuf *)m, ly->l4, min);
}

/* The sum of pseudo-header and message as they stand, checksum field included. */
static uint32_t
l4_msg_sum(const struct rte_mbuf *m, const struct packet_layers *ly, const struct l4_msg *msg)
{
    uint32_t sum = sum_packet(m, ly->l4, msg->size);

    if (msg->proto != IP_PROTO_ICMP) {
        uint32_t size = rte_cpu_to_be_32(msg->size);

        sum += msg->address_sum + (size & 0xffff) + (size >> 16);
        sum += rte_cpu_to_be_16(msg->proto);
    }
    return sum;
}

/* --- verify and fill ---------------------------------------------------------------------- */

enum csum_state
packet_verify_l3_csum(const struct rte_mbuf *m, const struct packet_layers *ly)
{
    const struct rte_ipv4_hdr *ip = ipv4_of(m, ly);
    const void *whole = ip ? packet_at((struct rte_mbuf *)m, ly->l3, ip->ihl * 4u) : NULL;

    if (!whole) {
        return CSUM_NONE;
    }
    return csum_block(whole, ip->ihl * 4u) ? CSUM_BAD : CSUM_GOOD;
}

/* DPDK's rte_hash_crc() wants aligned data; headers are not. */
uint32_t
csum_crc32c_add(uint32_t crc, const void *data, uint32_t size)
{
    const uint8_t *p = data;

    for (; size >= sizeof(uint64_t); p += sizeof(uint64_t), size -= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        crc = rte_hash_crc_8byte(word, crc);
    }
    for (; size; p++, size--) {
        crc = rte_hash_crc_1byte(*p, crc);
    }
    return crc;
}

uint32_t
packet_crc32c(const struct rte_mbuf *m, uint32_t ofs, uint32_t size)
{
    uint32_t crc = UINT32_MAX;

    for (; m && size; m = m->next) {
        uint32_t n;

        if (ofs >= m->data_len) {
            ofs -= m->data_len;
            continue;
        }
        n = RTE_MIN(size, m->data_len - ofs);
        crc = csum_crc32c_add(crc, packet_data_const(m) + ofs, n);
        size -= n;
        ofs = 0;
    }
    return ~crc;
}

/* The CRC of an SCTP message with its own field taken as zero; the field is put back. */
static uint32_t
sctp_crc(struct rte_mbuf *m, const struct packet_layers *ly, uint32_t size)
{
    uint8_t *field = packet_at(m, ly->l4 + SCTP_CSUM_OFS, 4);
    uint32_t kept, crc;

    memcpy(&kept, field, sizeof kept);
    memset(field, 0, sizeof kept);
    crc = packet_crc32c(m, ly->l4, size);
    memcpy(field, &kept, sizeof kept);
    return rte_cpu_to_le_32(crc);
}

enum csum_state
packet_verify_l4_csum(const struct rte_mbuf *m, const struct packet_layers *ly)
{
    struct l4_msg msg;
    uint32_t stored32;
    uint16_t stored;

    if (!l4_msg_find(m, ly, &msg)) {
        return CSUM_NONE;
    }
    if (msg.proto == IP_PROTO_SCTP) {
        memcpy(&stored32, packet_data_const(m) + msg.csum_ofs, sizeof stored32);
        return sctp_crc((struct rte_mbuf *)m, ly, msg.size) == stored32 ? CSUM_GOOD : CSUM_BAD;
    }
    memcpy(&stored, packet_data_const(m) + msg.csum_ofs, sizeof stored);
    if (msg.proto == IP_PROTO_UDP && msg.is_v4 && !stored) {
        return CSUM_NONE;
    }
    return csum_fold(l4_msg_sum(m, ly, &msg)) ? CSUM_BAD : CSUM_GOOD;
}

int
packet_fill_l3_csum(struct rte_mbuf *m, const struct packet_layers *ly)
{
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(uintptr_t)ipv4_of(m, ly);

    if (!ip || !packet_at(m, ly->l3, ip->ihl * 4u)) {
        return -EINVAL;
    }
    ip->hdr_checksum = 0;
    ip->hdr_checksum = csum_block(ip, ip->ihl * 4u);
    return 0;
}

int
packet_fill_l4_csum(struct rte_mbuf *m, const struct packet_layers *ly)
{
    struct l4_msg msg;
    uint16_t csum = 0;
    uint8_t *field;

    if (!l4_msg_find(m, ly, &msg)) {
        return -EINVAL;
    }
    field = packet_data(m) + msg.csum_ofs;
    if (msg.proto == IP_PROTO_SCTP) {
        uint32_t crc = sctp_crc(m, ly, msg.size);

        memcpy(field, &crc, sizeof crc);
        return 0;
    }
    memcpy(field, &csum, sizeof csum);
    csum = csum_fold(l4_msg_sum(m, ly, &msg));
    if (!csum && msg.proto == IP_PROTO_UDP) {
        csum = UINT16_MAX;
    }
    memcpy(field, &csum, sizeof csum);
    return 0;
}
