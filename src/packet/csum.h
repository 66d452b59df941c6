// SPDX-License-Identifier: Apache-2.0
/*
 * Internet checksums and SCTP's CRC32c: compute, verify, update incrementally (RFC 1071, RFC 1624).
 *
 * Sums are kept as the ones' complement sum of 16-bit words *as they lie in memory*; since the sum
 * is byte-order independent (RFC 1071 §2B), no swap is needed, and results are stored as they come.
 */
#ifndef SLUICE_PACKET_CSUM_H
#define SLUICE_PACKET_CSUM_H 1

#include "packet/packet.h"

/* Adds 'size' bytes to the running sum.  Only the last block of a sum may have an odd size. */
uint32_t csum_add(uint32_t sum, const void *data, uint32_t size);

/* Folds the running sum to the checksum to store. */
static inline rte_be16_t
csum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (rte_be16_t)~sum;
}

/* The checksum of 'size' bytes. */
rte_be16_t csum_block(const void *data, uint32_t size);

/* RFC 1624 equation 3: the checksum after a 16-bit word changed from 'from' to 'to'. */
static inline rte_be16_t
csum_update16(rte_be16_t csum, rte_be16_t from, rte_be16_t to)
{
    return csum_fold((uint32_t)(uint16_t)~csum + (uint16_t)~from + to);
}

static inline rte_be16_t
csum_update32(rte_be16_t csum, rte_be32_t from, rte_be32_t to)
{
    return csum_update16(csum_update16(csum, (rte_be16_t)from, (rte_be16_t)to),
                         (rte_be16_t)(from >> 16), (rte_be16_t)(to >> 16));
}

/* The same for 'size' bytes, 'size' even. */
rte_be16_t csum_update(rte_be16_t csum, const void *from, const void *to, uint32_t size);

enum csum_state {
    CSUM_NONE, /* no such header, a fragment, or a UDP/IPv4 packet without one */
    CSUM_GOOD,
    CSUM_BAD,
};

/* Verify the header checksum of IPv4, and the checksum of TCP, UDP, SCTP, ICMP or ICMPv6. */
enum csum_state packet_verify_l3_csum(const struct rte_mbuf *m, const struct packet_layers *ly);
enum csum_state packet_verify_l4_csum(const struct rte_mbuf *m, const struct packet_layers *ly);

/* Compute and store the same.  0, or -EINVAL where the packet has no such header. */
int packet_fill_l3_csum(struct rte_mbuf *m, const struct packet_layers *ly);
int packet_fill_l4_csum(struct rte_mbuf *m, const struct packet_layers *ly);

/* One step of CRC32c over contiguous bytes of any alignment; starts from and ends in a raw
 * register. */
uint32_t csum_crc32c_add(uint32_t crc, const void *data, uint32_t size);

/* CRC32c as SCTP uses it (RFC 9260 appendix A) over 'size' bytes of the packet from 'ofs'. */
uint32_t packet_crc32c(const struct rte_mbuf *m, uint32_t ofs, uint32_t size);

#endif
