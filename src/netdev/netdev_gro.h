// SPDX-License-Identifier: Apache-2.0
//
// The opposite of netdev_gso.h: TCP segments of one connection that stand in one burst become one
// super-frame, for a receiver that said it takes those.  Nothing is copied: the payloads are
// chained behind the first segment's headers.  Only what cutting would give back unchanged is
// joined, so a receiver that forwards loses nothing: same headers but for lengths, sequence numbers
// and IP identification, right checksums (RTE_MBUF_F_RX_L4_CKSUM_GOOD is taken at its word), no
// flags but ACK and a last PSH.
//
// Any thread, on frames that it owns.
#ifndef NETDEV_NETDEV_GRO_H
#define NETDEV_NETDEV_GRO_H

#include <rte_mbuf.h>

enum netdev_gro_families {
    NETDEV_GRO_IP4 = 1 << 0,
    NETDEV_GRO_IP6 = 1 << 1,
};

// Joins what can be joined among the first 'n' (<= NETDEV_MAX_BURST) of 'mbufs' and moves the rest
// together; the new number.  A super-frame has RTE_MBUF_F_TX_TCP_SEG, its header lengths and
// tso_segsz set, and the sum of its pseudo-header as TCP checksum; it stands where its first
// segment stood.  The order within a connection stays.
uint16_t netdev_gro_join(struct rte_mbuf **mbufs, uint16_t n, unsigned int families);

// How many frames 'm' was before, and how many bytes they had.
static inline uint16_t
netdev_gro_frames(const struct rte_mbuf *m)
{
    return (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 ? m->nb_segs : 1;
}

static inline uint32_t
netdev_gro_bytes(const struct rte_mbuf *m)
{
    uint32_t header_len = (uint32_t)m->l2_len + m->l3_len + m->l4_len;

    return m->pkt_len + (uint32_t)(netdev_gro_frames(m) - 1) * header_len;
}

#endif
