// SPDX-License-Identifier: Apache-2.0
/*
 * build.c - frames from nothing.
 */
#include "packet/build.h"

#include <string.h>

#include <rte_ip.h>

#include "packet/csum.h"

enum { IPV4_SIZE = 20, IPV6_SIZE = 40, DEFAULT_HLIMIT = 255 };

void *
frame_put_zeros(struct frame_buf *f, uint32_t size)
{
    uint8_t *p;

    if (f->overflow || size > f->cap - f->size) {
        f->overflow = true;
        return NULL;
    }
    p = f->data + f->size;
    memset(p, 0, size);
    f->size += size;
    return p;
}

void
frame_put(struct frame_buf *f, const void *data, uint32_t size)
{
    void *p = frame_put_zeros(f, size);

    if (p && size) {
        memcpy(p, data, size);
    }
}

static void
put_be16(struct frame_buf *f, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    frame_put(f, bytes, sizeof bytes);
}

void
frame_put_eth(struct frame_buf *f, const struct rte_ether_addr *src,
              const struct rte_ether_addr *dst, uint16_t type)
{
    frame_put(f, dst, sizeof *dst);
    frame_put(f, src, sizeof *src);
    put_be16(f, type);
}

uint32_t
frame_put_ipv4(struct frame_buf *f, rte_be32_t src, rte_be32_t dst, uint8_t proto, uint8_t tos,
               uint8_t ttl)
{
    uint32_t ofs = f->size;
    struct rte_ipv4_hdr ip = {
        .version_ihl = RTE_IPV4_VHL_DEF,
        .type_of_service = tos,
        .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
        .time_to_live = ttl,
        .next_proto_id = proto,
        .src_addr = src,
        .dst_addr = dst,
    };

    frame_put(f, &ip, sizeof ip);
    return ofs;
}

uint32_t
frame_put_ipv6(struct frame_buf *f, const struct in6_addr *src, const struct in6_addr *dst,
               uint8_t proto, uint8_t tclass, uint8_t hlimit)
{
    uint32_t ofs = f->size;
    struct rte_ipv6_hdr ip = {
        .vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)tclass << 20),
        .proto = proto,
        .hop_limits = hlimit,
    };

    memcpy(ip.src_addr, src, sizeof ip.src_addr);
    memcpy(ip.dst_addr, dst, sizeof ip.dst_addr);
    frame_put(f, &ip, sizeof ip);
    return ofs;
}

/* Offset of the checksum in a message of 'proto', and the size of its header; 0 if it has none. */
static uint32_t
l4_csum_ofs(uint8_t proto, uint32_t *header_size)
{
    switch (proto) {
    case IP_PROTO_TCP:
        *header_size = 20;
        return 16;
    case IP_PROTO_UDP:
        *header_size = 8;
        return 6;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        *header_size = 4;
        return 2;
    case IP_PROTO_SCTP:
        *header_size = 12;
        return 8;
    default:
        return 0;
    }
}

static void
finish_l4(uint8_t *l4, uint32_t size, uint8_t proto, uint32_t address_sum)
{
    uint32_t header_size = 0, ofs = l4_csum_ofs(proto, &header_size), sum, be_size;
    uint16_t csum = 0;

    if (!ofs || size < header_size) {
        return;
    }
    if (proto == IP_PROTO_SCTP) {
        uint32_t crc;

        memset(l4 + ofs, 0, sizeof crc);
        crc = rte_cpu_to_le_32(~csum_crc32c_add(UINT32_MAX, l4, size));
        memcpy(l4 + ofs, &crc, sizeof crc);
        return;
    }
    if (proto == IP_PROTO_UDP) {
        l4[4] = (uint8_t)(size >> 8);
        l4[5] = (uint8_t)size;
    }
    memcpy(l4 + ofs, &csum, sizeof csum);
    sum = csum_add(0, l4, size);
    if (proto != IP_PROTO_ICMP) {
        be_size = rte_cpu_to_be_32(size);
        sum += address_sum + (be_size & 0xffff) + (be_size >> 16) + rte_cpu_to_be_16(proto);
    }
    csum = csum_fold(sum);
    if (!csum && proto == IP_PROTO_UDP) {
        csum = UINT16_MAX;
    }
    memcpy(l4 + ofs, &csum, sizeof csum);
}

void
frame_finish_ip(struct frame_buf *f, uint32_t ip_ofs)
{
    uint8_t *ip = f->data + ip_ofs;
    uint32_t size;

    if (f->overflow || ip_ofs >= f->size) {
        return;
    }
    size = f->size - ip_ofs;
    if (ip[0] >> 4 == 4 && size >= IPV4_SIZE) {
        uint16_t csum;

        ip[2] = (uint8_t)(size >> 8);
        ip[3] = (uint8_t)size;
        memset(ip + 10, 0, 2);
        csum = csum_block(ip, IPV4_SIZE);
        memcpy(ip + 10, &csum, sizeof csum);
        if (!((ip[6] << 8 | ip[7]) & 0x3fff)) {
            finish_l4(ip + IPV4_SIZE, size - IPV4_SIZE, ip[9], csum_add(0, ip + 12, 8));
        }
    } else if (ip[0] >> 4 == 6 && size >= IPV6_SIZE) {
        ip[4] = (uint8_t)((size - IPV6_SIZE) >> 8);
        ip[5] = (uint8_t)(size - IPV6_SIZE);
        finish_l4(ip + IPV6_SIZE, size - IPV6_SIZE, ip[6], csum_add(0, ip + 8, 32));
    }
}

static uint32_t
finished_size(const struct frame_buf *f)
{
    return f->overflow ? 0 : f->size;
}

uint32_t
compose_udp4(void *mem, uint32_t cap, const struct rte_ether_addr *src,
             const struct rte_ether_addr *dst, rte_be32_t ip_src, rte_be32_t ip_dst, uint16_t sport,
             uint16_t dport, const void *payload, uint32_t payload_size)
{
    struct frame_buf f = frame_buf_init(mem, cap);
    uint32_t ip_ofs;

    frame_put_eth(&f, src, dst, ETH_TYPE_IP);
    ip_ofs = frame_put_ipv4(&f, ip_src, ip_dst, IP_PROTO_UDP, 0, 64);
    put_be16(&f, sport);
    put_be16(&f, dport);
    frame_put_zeros(&f, 4);
    frame_put(&f, payload, payload_size);
    frame_finish_ip(&f, ip_ofs);
    return finished_size(&f);
}

/* Type, code, reserved word, target, one link-layer option. */
static void
put_nd(struct frame_buf *f, uint8_t type, rte_be32_t flags, const struct in6_addr *target,
       uint8_t option, const struct rte_ether_addr *mac)
{
    const uint8_t head[4] = {type};
    const uint8_t opt[2] = {option, 1};

    frame_put(f, head, sizeof head);
    frame_put(f, &flags, sizeof flags);
    frame_put(f, target, sizeof *target);
    frame_put(f, opt, sizeof opt);
    frame_put(f, mac, sizeof *mac);
}

uint32_t
compose_nd_na(void *mem, uint32_t cap, const struct rte_ether_addr *src,
              const struct rte_ether_addr *dst, const struct in6_addr *ip_src,
              const struct in6_addr *ip_dst, rte_be32_t flags)
{
    struct frame_buf f = frame_buf_init(mem, cap);
    uint32_t ip_ofs;

    frame_put_eth(&f, src, dst, ETH_TYPE_IPV6);
    ip_ofs = frame_put_ipv6(&f, ip_src, ip_dst, IP_PROTO_ICMPV6, 0, DEFAULT_HLIMIT);
    put_nd(&f, 136, flags, ip_src, 2, src);
    frame_finish_ip(&f, ip_ofs);
    return finished_size(&f);
}
