// SPDX-License-Identifier: Apache-2.0
/*
 * packet.c - moving bytes of a packet: tags in and out, truncation, copies.
 */
#include "packet/packet.h"

#include <errno.h>
#include <string.h>

enum { MPLS_ENTRY_SIZE = 4, MPLS_ENTRY_BOS = 0x100, TAG_OFS = 2 * RTE_ETHER_ADDR_LEN };

static void
shift_layer(uint16_t *ofs, int delta)
{
    if (*ofs != PACKET_LAYER_NONE) {
        *ofs = (uint16_t)(*ofs + delta);
    }
}

void
packet_layers_shift(struct packet_layers *ly, int delta)
{
    shift_layer(&ly->l2_5, delta);
    shift_layer(&ly->l3, delta);
    shift_layer(&ly->l4, delta);
}

/* Makes room for 'size' bytes before offset 'ofs' (<= 64): what lies before moves forward. */
static int
insert_at(struct rte_mbuf *m, uint32_t ofs, uint16_t size)
{
    uint8_t *old = packet_data(m);
    uint8_t *new;

    if (rte_pktmbuf_data_len(m) < ofs) {
        return -EINVAL;
    }
    new = (uint8_t *)rte_pktmbuf_prepend(m, size);
    if (!new) {
        return -ENOBUFS;
    }
    memmove(new, old, ofs);
    return 0;
}

/* Takes the 'size' bytes at 'ofs' out. */
static void
remove_at(struct rte_mbuf *m, uint32_t ofs, uint16_t size)
{
    uint8_t *data = packet_data(m);

    memmove(data + size, data, ofs);
    rte_pktmbuf_adj(m, size);
}

static uint16_t
read_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool
is_vlan_type(uint16_t type)
{
    return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
}

/* The bytes before a tag, between places that overlap: all are read before one is written, in
 * registers. */
static void
move_addresses(uint8_t *to, const uint8_t *from)
{
    struct {
        uint8_t bytes[TAG_OFS];
    } both;

    memcpy(&both, from, sizeof both);
    memcpy(to, &both, sizeof both);
}

int
packet_push_vlan(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t tpid, rte_be16_t tci)
{
    const rte_be16_t tag[2] = {tpid, (rte_be16_t)(tci & ~rte_cpu_to_be_16(VLAN_CFI))};

    if (rte_pktmbuf_data_len(m) < ETH_HEADER_SIZE) {
        return -EINVAL;
    }
    uint8_t *data = (uint8_t *)rte_pktmbuf_prepend(m, VLAN_TAG_SIZE);
    if (!data) {
        return -ENOBUFS;
    }
    move_addresses(data, data + VLAN_TAG_SIZE);
    memcpy(data + TAG_OFS, tag, sizeof tag);
    packet_layers_shift(ly, VLAN_TAG_SIZE);
    return 0;
}

int
packet_pop_vlan(struct rte_mbuf *m, struct packet_layers *ly)
{
    const uint8_t *type = packet_at(m, TAG_OFS, VLAN_TAG_SIZE);
    uint8_t *data = packet_data(m);

    if (!type || !is_vlan_type(read_be16(type))) {
        return -EINVAL;
    }
    move_addresses(data + VLAN_TAG_SIZE, data);
    rte_pktmbuf_adj(m, VLAN_TAG_SIZE);
    packet_layers_shift(ly, -VLAN_TAG_SIZE);
    return 0;
}

/* The offset of the EtherType behind the VLAN tags, as many as are headers, or 0 if the frame is
 * cut before it. */
static uint32_t
ethertype_ofs(struct rte_mbuf *m, const struct packet_layers *ly)
{
    uint32_t end = ly->l2_5 != PACKET_LAYER_NONE ? ly->l2_5 : ly->l3;

    if (end == PACKET_LAYER_NONE || end < RTE_ETHER_HDR_LEN || !packet_at(m, end - 2, 2)) {
        return 0;
    }
    return end - 2;
}

int
packet_push_mpls(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t ethertype, rte_be32_t lse)
{
    uint32_t ofs = ethertype_ofs(m, ly);
    int retval;

    if (!ofs) {
        return -EINVAL;
    }
    retval = insert_at(m, ofs + 2, MPLS_ENTRY_SIZE);
    if (retval) {
        return retval;
    }
    memcpy(packet_data(m) + ofs, &ethertype, sizeof ethertype);
    memcpy(packet_data(m) + ofs + 2, &lse, sizeof lse);
    packet_layers_shift(ly, MPLS_ENTRY_SIZE);
    ly->l2_5 = (uint16_t)(ofs + 2);
    return 0;
}

int
packet_pop_mpls(struct rte_mbuf *m, struct packet_layers *ly, rte_be16_t ethertype)
{
    uint32_t ofs = ethertype_ofs(m, ly);
    const uint8_t *entry = ofs ? packet_at(m, ofs + 2, MPLS_ENTRY_SIZE) : NULL;
    uint16_t type = entry ? read_be16(packet_data(m) + ofs) : 0;
    bool is_last;

    if (type != ETH_TYPE_MPLS && type != ETH_TYPE_MPLS_MCAST) {
        return -EINVAL;
    }
    is_last = entry[2] & (MPLS_ENTRY_BOS >> 8);
    memcpy(packet_data(m) + ofs, &ethertype, sizeof ethertype);
    remove_at(m, ofs + 2, MPLS_ENTRY_SIZE);
    packet_layers_shift(ly, -MPLS_ENTRY_SIZE);
    ly->l2_5 = is_last ? PACKET_LAYER_NONE : (uint16_t)(ofs + 2);
    return 0;
}

static void
drop_layer_beyond(uint16_t *ofs, uint32_t size)
{
    if (*ofs != PACKET_LAYER_NONE && *ofs >= size) {
        *ofs = PACKET_LAYER_NONE;
    }
}

void
packet_truncate(struct rte_mbuf *m, struct packet_layers *ly, uint32_t max_size)
{
    uint32_t size = rte_pktmbuf_pkt_len(m);

    if (size <= max_size) {
        return;
    }
    struct rte_mbuf *seg = m, *rest;
    uint32_t left = max_size;
    uint16_t n_segs = 1;

    while (seg->next && left > seg->data_len) {
        left -= seg->data_len;
        seg = seg->next;
        n_segs++;
    }
    rest = seg->next;
    seg->next = NULL;
    seg->data_len = (uint16_t)RTE_MIN(left, (uint32_t)seg->data_len);
    m->nb_segs = n_segs;
    m->pkt_len = max_size;
    while (rest) {
        struct rte_mbuf *next = rest->next;

        rest->next = NULL;
        rest->nb_segs = 1;
        rte_pktmbuf_free_seg(rest);
        rest = next;
    }
    ly->l2_pad = (uint16_t)(ly->l2_pad > size - max_size ? ly->l2_pad - (size - max_size) : 0);
    drop_layer_beyond(&ly->l2_5, max_size);
    drop_layer_beyond(&ly->l3, max_size);
    drop_layer_beyond(&ly->l4, max_size);
}

bool
packet_is_shared(const struct rte_mbuf *m)
{
    return !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) > 1;
}

struct rte_mbuf *
packet_copy(const struct rte_mbuf *m, struct rte_mempool *pool)
{
    return rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
}

struct rte_mbuf *
packet_unshare(struct rte_mbuf *m, struct rte_mempool *pool)
{
    struct rte_mbuf *copy;

    if (!packet_is_shared(m)) {
        return m;
    }
    copy = packet_copy(m, pool);
    rte_pktmbuf_free(m);
    return copy;
}

struct rte_mbuf *
packet_from_bytes(struct rte_mempool *pool, const void *data, uint32_t size)
{
    struct rte_mbuf *first = NULL, **link = &first;
    const uint8_t *p = data;

    do {
        struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);
        uint16_t n;

        if (!seg) {
            rte_pktmbuf_free(first);
            return NULL;
        }
        n = (uint16_t)RTE_MIN(size, (uint32_t)rte_pktmbuf_tailroom(seg));
        memcpy(packet_data(seg), p, n);
        seg->data_len = n;
        p += n;
        size -= n;
        *link = seg;
        link = &seg->next;
        if (seg != first) {
            first->nb_segs++;
        }
        first->pkt_len += n;
    } while (size);
    return first;
}
