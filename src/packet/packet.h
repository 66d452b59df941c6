// SPDX-License-Identifier: Apache-2.0
/*
 * The view that the switch has of an mbuf: where its headers start, and the elementary operations
 * that keep mbuf and view in step (VLAN tags, MPLS entries, truncation, copies).
 *
 * A packet is a plain struct rte_mbuf.  Where its layers start is computed by key_extract()
 * (flow/extract.h) into a struct packet_layers that the caller keeps beside the mbuf; nothing is
 * stored in the mbuf itself.  Every function here that moves bytes updates the layers.
 *
 * Any thread may call these on a packet that it owns.  The header bytes (data of the first segment)
 * must be writable: a clone made by rte_pktmbuf_clone() goes through packet_unshare() first.
 * Functions that return an int return 0 or a negative errno and leave the packet unchanged on
 * error.
 *
 * Next: packet/rewrite.h (set fields), packet/csum.h (checksums), packet/build.h (compose packets).
 */
#ifndef SLUICE_PACKET_PACKET_H
#define SLUICE_PACKET_PACKET_H 1

#include <rte_mbuf.h>

#include "packet/types.h"

#define PACKET_LAYER_NONE UINT16_MAX

/*
 * Offsets from the start of the packet data.  PACKET_LAYER_NONE where the packet has no such layer,
 * or where the bytes there failed validation and were not parsed.
 */
struct packet_layers {
    uint16_t l2_5;   /* first MPLS label stack entry */
    uint16_t l3;     /* IPv4, IPv6, ARP or other header after the last VLAN tag or MPLS entry */
    uint16_t l4;     /* TCP, UDP, SCTP, ICMP, ICMPv6...; NONE for later fragments */
    uint16_t l2_pad; /* bytes of Ethernet padding after the end of the IP packet */
};

static inline void
packet_layers_clear(struct packet_layers *ly)
{
    ly->l2_5 = ly->l3 = ly->l4 = PACKET_LAYER_NONE;
    ly->l2_pad = 0;
}

/* Moves each layer by 'delta' bytes, after headers were inserted (positive) before all of them. */
void packet_layers_shift(struct packet_layers *ly, int delta);

static inline uint8_t *
packet_data(struct rte_mbuf *m)
{
    return rte_pktmbuf_mtod(m, uint8_t *);
}

static inline const uint8_t *
packet_data_const(const struct rte_mbuf *m)
{
    return rte_pktmbuf_mtod(m, const uint8_t *);
}

/*
 * Bytes from 'ofs' of the first segment, or NULL unless 'size' bytes lie there contiguously.
 * 'ofs' may be PACKET_LAYER_NONE (the answer is NULL).
 */
static inline void *
packet_at(struct rte_mbuf *m, uint32_t ofs, uint32_t size)
{
    return ofs != PACKET_LAYER_NONE && (uint64_t)ofs + size <= rte_pktmbuf_data_len(m)
               ? packet_data(m) + ofs
               : NULL;
}

/*
 * Inserts an outermost VLAN tag.  'tpid' and 'tci' in network order; VLAN_CFI in 'tci' is not
 * written to the wire.  Uses headroom; -ENOBUFS if there is less than 4 bytes of it, -EINVAL for a
 * frame shorter than an Ethernet header.
 */
int packet_push_vlan(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t tpid, rte_be16_t tci);

/* Removes the outermost VLAN tag; -EINVAL if there is none. */
int packet_pop_vlan(struct rte_mbuf *m, struct packet_layers *ly);

/*
 * Inserts 'lse' (network order, with its BoS bit as given) before any MPLS entry, after the VLAN
 * tags that 'ly' counts as headers, and makes 'ethertype' the packet's EtherType.  Sets l2_5.
 * Errors as packet_push_vlan().
 */
int packet_push_mpls(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t ethertype,
                     rte_be32_t lse);

/* Removes the outermost MPLS entry and makes 'ethertype' the EtherType; -EINVAL if there is none.
 */
int packet_pop_mpls(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t ethertype);

/* Cuts the packet to 'max_size' bytes, if it is longer.  Layers that no longer exist become NONE.
 */
void packet_truncate(struct rte_mbuf *m, struct packet_layers *ly, uint32_t max_size);

/* True if somebody else sees the same bytes (indirect, external shared, or referenced twice). */
bool packet_is_shared(const struct rte_mbuf *m);

/*
 * Returns a packet with the same bytes and metadata that nobody else sees: 'm' itself where it is
 * not shared, else a copy from 'pool' ('m' is then freed).  NULL, with 'm' freed, when 'pool' is
 * empty.
 */
struct rte_mbuf *packet_unshare(struct rte_mbuf *m, struct rte_mempool *pool);

/* Returns a new deep copy from 'pool', with the usual headroom, or NULL when the pool is empty. */
struct rte_mbuf *packet_copy(const struct rte_mbuf *m, struct rte_mempool *pool);

/* Returns a new packet from 'pool' that holds 'size' bytes of 'data', chained if need be, or NULL.
 */
struct rte_mbuf *packet_from_bytes(struct rte_mempool *pool, const void *data, uint32_t size);

#endif
