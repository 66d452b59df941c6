// SPDX-License-Identifier: Apache-2.0
//
// Segmentation as RFC 9293 and the virtio specification (5.1.6.4) describe it: every segment gets
// the headers, its part of the payload, its own lengths, IPv4 identification and checksums; FIN and
// PSH stay on the last segment, CWR on the first (RFC 3168 section 6.1.2).
//
// Copying into new buffers rather than pointing into the old one keeps every mbuf linear and owned
// by one device; the copy is the only one between the kernel and the datapath's buffers.
#include "netdev/netdev_gso.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>

enum {
    TCP_HDR_MIN = 20,
    UDP_HDR = 8,
    TCP_FLAGS = 13,
    TCP_CSUM = 16,
    UDP_CSUM = 6,
    SCTP_CSUM = 8,
    IP4_HDR_MIN = 20,
    IP6_HDR = 40,
    FLAG_FIN = 0x01,
    FLAG_PSH = 0x08,
    FLAG_CWR = 0x80,
};

static uint16_t
sum_bytes(const uint8_t *p, uint32_t len, uint32_t initial)
{
    return __rte_raw_cksum_reduce(__rte_raw_cksum(p, len, initial));
}

// rte_hash_crc() reads words where they lie; these may lie anywhere.
static uint32_t
crc32c(const uint8_t *p, uint32_t len, uint32_t crc)
{
    uint64_t word;

    for (; len >= sizeof(word); p += sizeof(word), len -= (uint32_t)sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        crc = rte_hash_crc_8byte(word, crc);
    }
    for (; len > 0; p++, len--) {
        crc = rte_hash_crc_1byte(*p, crc);
    }
    return crc;
}

static void
store_csum(uint8_t *field, uint16_t sum, bool zero_is_none)
{
    uint16_t csum = (uint16_t)~sum;

    if (csum == 0 && zero_is_none) {
        csum = 0xffff;
    }
    memcpy(field, &csum, sizeof(csum));
}

int
netdev_complete_csum(uint8_t *frame, uint32_t len, const struct virtio_net_hdr *hdr)
{
    uint32_t start = hdr->csum_start, field = start + hdr->csum_offset;

    if (start < RTE_ETHER_HDR_LEN || start >= len) {
        return -EINVAL;
    }
    // Of the protocols whose checksum the kernel leaves to devices, only SCTP has it at 8.
    if (hdr->csum_offset == SCTP_CSUM) {
        if (field + 4 > len) {
            return -EINVAL;
        }
        memset(frame + field, 0, 4);
        uint32_t crc = ~crc32c(frame + start, len - start, UINT32_MAX);
        crc = rte_cpu_to_le_32(crc);
        memcpy(frame + field, &crc, 4);
        return 0;
    }
    if (field + 2 > len) {
        return -EINVAL;
    }
    store_csum(frame + field, sum_bytes(frame + start, len - start, 0),
               hdr->csum_offset == UDP_CSUM);
    return 0;
}

// --- finding the headers -------------------------------------------------------------------

// Where the outermost network header begins and its EtherType; 0 when there is none.
static uint32_t
find_outer_l3(const uint8_t *frame, uint32_t len, uint16_t *ethertype)
{
    uint32_t ofs = RTE_ETHER_HDR_LEN;

    *ethertype = get_be16(frame + 12);
    for (int i = 0;
         i < 2 && (*ethertype == RTE_ETHER_TYPE_VLAN || *ethertype == RTE_ETHER_TYPE_QINQ); i++) {
        if (ofs + RTE_VLAN_HLEN > len) {
            return 0;
        }
        *ethertype = get_be16(frame + ofs + 2);
        ofs += RTE_VLAN_HLEN;
    }
    return ofs;
}

// The IPv4 header that ends at 'l4' and covers the rest of the frame; 0 when there is none.
static uint32_t
find_ip4_before(const uint8_t *frame, uint32_t len, uint32_t l4, uint32_t min, uint8_t proto)
{
    for (uint32_t ihl = 5; ihl <= 15 && l4 >= min + ihl * 4; ihl++) {
        uint32_t ofs = l4 - ihl * 4;
        if (frame[ofs] == (0x40 | ihl) && get_be16(frame + ofs + 2) == len - ofs &&
            frame[ofs + 9] == proto) {
            return ofs;
        }
    }
    return 0;
}

// The same for IPv6, whose extension headers are multiples of 8 bytes.
static uint32_t
find_ip6_before(const uint8_t *frame, uint32_t len, uint32_t l4, uint32_t min)
{
    for (uint32_t ext = 0; ext <= 128 && l4 >= min + IP6_HDR + ext; ext += 8) {
        uint32_t ofs = l4 - IP6_HDR - ext;
        if (frame[ofs] >> 4 == 6 && get_be16(frame + ofs + 4) == len - ofs - IP6_HDR) {
            return ofs;
        }
    }
    return 0;
}

static int
find_tunnel(struct netdev_super *super, uint32_t outer, uint16_t ethertype)
{
    const uint8_t *frame = super->frame;
    uint32_t l4;
    uint8_t proto;

    super->outer_l3 = outer;
    if (ethertype == RTE_ETHER_TYPE_IPV4 && outer + IP4_HDR_MIN <= super->l3) {
        l4 = outer + (frame[outer] & 0xfu) * 4;
        proto = frame[outer + 9];
    } else if (ethertype == RTE_ETHER_TYPE_IPV6 && outer + IP6_HDR <= super->l3) {
        l4 = outer + IP6_HDR;
        proto = frame[outer + 6];
        super->outer_is_v6 = true;
    } else {
        return -EINVAL;
    }
    if (proto == IPPROTO_UDP && l4 + UDP_HDR <= super->l3) {
        super->outer_udp = l4;
        return 0;
    }
    // GRE with a checksum of its own (RFC 2784) is not among what kernels leave to devices.
    bool gre = proto == IPPROTO_GRE && l4 + 4 <= super->l3 && (frame[l4] & 0x80) == 0;
    return gre || proto == IPPROTO_IPIP || proto == IPPROTO_IPV6 ? 0 : -EINVAL;
}

static int
find_network(struct netdev_super *super, bool v4, bool v6)
{
    uint16_t ethertype;
    uint32_t outer = find_outer_l3(super->frame, super->len, &ethertype);
    uint8_t proto = super->is_tcp ? IPPROTO_TCP : IPPROTO_UDP;

    if (outer == 0) {
        return -EINVAL;
    }
    if (v4) {
        super->l3 = find_ip4_before(super->frame, super->len, super->l4, outer, proto);
    }
    if (super->l3 == 0 && v6) {
        super->l3 = find_ip6_before(super->frame, super->len, super->l4, outer);
        super->is_v6 = super->l3 != 0;
    }
    if (super->l3 == 0) {
        return -EINVAL;
    }
    return super->l3 == outer ? 0 : find_tunnel(super, outer, ethertype);
}

int
netdev_super_init(struct netdev_super *super, const uint8_t *frame, uint32_t len,
                  const struct virtio_net_hdr *hdr)
{
    uint8_t type = hdr->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    bool v4 = type != VIRTIO_NET_HDR_GSO_TCPV6, v6 = type != VIRTIO_NET_HDR_GSO_TCPV4;

    *super = (struct netdev_super){
        .frame = frame, .len = len, .l4 = hdr->csum_start, .segment_size = hdr->gso_size};
    if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || hdr->gso_size == 0 ||
        super->l4 < RTE_ETHER_HDR_LEN + IP4_HDR_MIN || super->l4 >= len) {
        return -EINVAL;
    }
    if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6) {
        super->is_tcp = true;
        if (hdr->csum_offset != TCP_CSUM || super->l4 + TCP_HDR_MIN > len) {
            return -EINVAL;
        }
        uint32_t tcp_len = (frame[super->l4 + 12] >> 4) * 4u;
        super->header_len = super->l4 + tcp_len;
        if (tcp_len < TCP_HDR_MIN) {
            return -EINVAL;
        }
    } else if (type == VIRTIO_NET_HDR_GSO_UDP_L4) {
        super->header_len = super->l4 + UDP_HDR;
        if (hdr->csum_offset != UDP_CSUM) {
            return -EINVAL;
        }
    } else {
        return -EINVAL;
    }
    if (super->header_len >= len) {
        return -EINVAL;
    }
    super->payload = super->header_len;
    return find_network(super, v4, v6);
}

// --- cutting -------------------------------------------------------------------------------

uint32_t
netdev_super_next_len(const struct netdev_super *super)
{
    uint32_t left = super->len - super->payload;

    return left == 0 ? 0 : super->header_len + MIN(left, (uint32_t)super->segment_size);
}

static void
fix_network(uint8_t *out, uint32_t l3, uint32_t out_len, bool v6, uint32_t n)
{
    if (v6) {
        put_be16(out + l3 + 4, (uint16_t)(out_len - l3 - IP6_HDR));
        return;
    }
    uint32_t header_len = (out[l3] & 0xfu) * 4;
    put_be16(out + l3 + 2, (uint16_t)(out_len - l3));
    put_be16(out + l3 + 4, (uint16_t)(get_be16(out + l3 + 4) + n));
    memset(out + l3 + 10, 0, 2);
    store_csum(out + l3 + 10, sum_bytes(out + l3, header_len, 0), false);
}

static void
fix_l4_csum(uint8_t *out, uint32_t l3, uint32_t l4, uint32_t out_len, bool v6, uint8_t proto)
{
    uint32_t l4_len = out_len - l4;
    uint8_t pseudo[4] = {0, proto};
    uint8_t *field = out + l4 + (proto == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM);

    put_be16(pseudo + 2, (uint16_t)l4_len);
    memset(field, 0, 2);
    uint32_t sum = v6 ? __rte_raw_cksum(out + l3 + 8, 32, 0) : __rte_raw_cksum(out + l3 + 12, 8, 0);
    sum = __rte_raw_cksum(pseudo, sizeof(pseudo), sum);
    store_csum(field, sum_bytes(out + l4, l4_len, sum), proto == IPPROTO_UDP);
}

void
netdev_super_next(struct netdev_super *super, uint8_t *out)
{
    uint32_t out_len = netdev_super_next_len(super);
    uint32_t payload_len = out_len - super->header_len;
    uint32_t n = super->n_made++;

    memcpy(out, super->frame, super->header_len);
    memcpy(out + super->header_len, super->frame + super->payload, payload_len);
    super->payload += payload_len;
    bool last = super->payload == super->len;

    if (super->is_tcp) {
        uint8_t *tcp = out + super->l4;
        put_be32(tcp + 4, get_be32(tcp + 4) + n * super->segment_size);
        tcp[TCP_FLAGS] &= (uint8_t) ~(last ? 0 : FLAG_FIN | FLAG_PSH);
        tcp[TCP_FLAGS] &= (uint8_t) ~(n == 0 ? 0 : FLAG_CWR);
    } else {
        put_be16(out + super->l4 + 4, (uint16_t)(payload_len + UDP_HDR));
    }
    fix_network(out, super->l3, out_len, super->is_v6, n);
    fix_l4_csum(out, super->l3, super->l4, out_len, super->is_v6,
                super->is_tcp ? IPPROTO_TCP : IPPROTO_UDP);
    if (super->outer_l3 != 0) {
        fix_network(out, super->outer_l3, out_len, super->outer_is_v6, n);
    }
    if (super->outer_udp != 0) {
        uint8_t *udp = out + super->outer_udp;
        put_be16(udp + 4, (uint16_t)(out_len - super->outer_udp));
        if (get_be16(udp + UDP_CSUM) != 0) {
            fix_l4_csum(out, super->outer_l3, super->outer_udp, out_len, super->outer_is_v6,
                        IPPROTO_UDP);
        }
    }
}
