// SPDX-License-Identifier: Apache-2.0
/*
 * Compose packets: ARP requests and replies, ICMP errors' relatives, frames for tests, and (through
 * flow/compose.h) the packet of 'ofproto/trace -generate'.  Every composer writes into caller's
 * memory and returns the frame's size, or 0 if it did not fit.  Checksums are filled in.
 */
#ifndef SLUICE_PACKET_BUILD_H
#define SLUICE_PACKET_BUILD_H 1

#include <stddef.h>

#include "packet/types.h"

/* Bytes under construction.  'overflow' is sticky; appends after it do nothing. */
struct frame_buf {
    uint8_t *data;
    uint32_t size;
    uint32_t cap;
    bool overflow;
};

static inline struct frame_buf
frame_buf_init(void *mem, uint32_t cap)
{
    return (struct frame_buf){.data = mem, .cap = cap};
}

/* Appends zeroed room for 'size' bytes and returns it, or NULL on overflow. */
void *frame_put_zeros(struct frame_buf *f, uint32_t size);
void frame_put(struct frame_buf *f, const void *data, uint32_t size);
void frame_put_eth(struct frame_buf *f, const struct rte_ether_addr *src,
                   const struct rte_ether_addr *dst, uint16_t type);
/* Total length and checksum are zero until frame_finish_ipv4(). */
uint32_t frame_put_ipv4(struct frame_buf *f, rte_be32_t src, rte_be32_t dst, uint8_t proto,
                        uint8_t tos, uint8_t ttl);
uint32_t frame_put_ipv6(struct frame_buf *f, const struct in6_addr *src, const struct in6_addr *dst,
                        uint8_t proto, uint8_t tclass, uint8_t hlimit);
/* Fill lengths and checksums of the IP header at 'ip_ofs' (as the put functions returned it) and of
 * the TCP, UDP, SCTP, ICMP or ICMPv6 header after it, whose message ends at the end of the frame.
 */
void frame_finish_ip(struct frame_buf *f, uint32_t ip_ofs);

/* Ethernet/IPv4/UDP with 'payload_size' bytes of payload. */
uint32_t compose_udp4(void *mem, uint32_t cap, const struct rte_ether_addr *src,
                      const struct rte_ether_addr *dst, rte_be32_t ip_src, rte_be32_t ip_dst,
                      uint16_t sport, uint16_t dport, const void *payload, uint32_t payload_size);
/* A neighbour advertisement. */
uint32_t compose_nd_na(void *mem, uint32_t cap, const struct rte_ether_addr *src,
                       const struct rte_ether_addr *dst, const struct in6_addr *ip_src,
                       const struct in6_addr *ip_dst, rte_be32_t flags);

#endif
