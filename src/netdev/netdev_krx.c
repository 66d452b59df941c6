// SPDX-License-Identifier: Apache-2.0
//
// From what the kernel wrote to mbufs.  Bad frames (checksum offsets outside the frame,
// super-frames that are none, frames beyond the MTU) are dropped and counted as errors.
#include "netdev/netdev_krx.h"

#include <errno.h>
#include <stdlib.h>

enum { AREA_SIZE = ROUND_UP(KRX_MARGIN + KRX_FRAME_MAX, CACHE_LINE_SIZE) };

int
netdev_krx_init(struct netdev_krx *krx, int mtu, unsigned int n_slots, char **errorp)
{
    netdev_krx_fini(krx);
    krx->wish = (struct netdev_pool_wish){.mtu = mtu, .numa_id = -1, .n_mbufs = n_slots + 8};
    krx->lent = netdev_pool_get(&krx->wish, errorp);
    if (krx->lent == NULL) {
        return -ENOMEM;
    }
    atomic_store(&krx->outgrown, false);
    krx->reported = false;
    krx->pool = netdev_pool_mempool(krx->lent);
    krx->room = rte_pktmbuf_data_room_size(krx->pool) - RTE_PKTMBUF_HEADROOM;
    // Not touched before the first super-frame arrives.
    krx->areas = aligned_alloc(CACHE_LINE_SIZE, (size_t)AREA_SIZE * n_slots);
    if (krx->areas == NULL) {
        netdev_krx_fini(krx);
        return -ENOMEM;
    }
    for (unsigned int i = 0; i < n_slots; i++) {
        krx->slots[i].area = krx->areas + (size_t)i * AREA_SIZE;
    }
    return 0;
}

void
netdev_krx_fini(struct netdev_krx *krx)
{
    for (unsigned int i = 0; i < KRX_SLOTS; i++) {
        rte_pktmbuf_free(krx->slots[i].mbuf);
        krx->slots[i].mbuf = NULL;
    }
    krx->n_slots = krx->next_slot = 0;
    krx->cutting = false;
    free(krx->areas);
    krx->areas = NULL;
    netdev_pool_put(krx->lent, &krx->wish);
    krx->lent = NULL;
}

unsigned int
netdev_krx_prepare(struct netdev_krx *krx, unsigned int n)
{
    krx->n_slots = krx->next_slot = 0;
    for (unsigned int i = 0; i < n; i++) {
        struct netdev_krx_slot *slot = &krx->slots[i];
        if (slot->mbuf == NULL) {
            slot->mbuf = rte_pktmbuf_alloc(krx->pool);
            if (slot->mbuf == NULL) {
                return i;
            }
            slot->iov[0] = (struct iovec){&slot->hdr, sizeof(slot->hdr)};
            slot->iov[1] = (struct iovec){rte_pktmbuf_mtod(slot->mbuf, void *), krx->room};
            slot->iov[2] =
                (struct iovec){slot->area + KRX_MARGIN + krx->room, KRX_FRAME_MAX - krx->room};
        }
        slot->has_vlan = false;
    }
    return n;
}

static void
put_vlan(uint8_t *frame, const struct netdev_krx_slot *slot)
{
    // 'frame' is where the tagged frame begins, 4 bytes before the untagged one.
    memmove(frame, frame + RTE_VLAN_HLEN, 2 * RTE_ETHER_ADDR_LEN);
    put_be16(frame + 12, slot->vlan_tpid);
    put_be16(frame + 14, slot->vlan_tci);
}

// A frame that lies in the slot's mbuf.  NULL when it is bad.
static struct rte_mbuf *
take_small(struct netdev_krx *krx, struct netdev_krx_slot *slot)
{
    struct rte_mbuf *m = slot->mbuf;
    uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

    if (slot->len < RTE_ETHER_HDR_LEN ||
        ((slot->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 &&
         netdev_complete_csum(frame, slot->len, &slot->hdr) != 0)) {
        return NULL;
    }
    slot->mbuf = NULL;
    m->data_len = (uint16_t)slot->len;
    m->pkt_len = slot->len;
    if (slot->has_vlan) {
        m->data_off -= RTE_VLAN_HLEN;
        m->data_len = (uint16_t)(m->data_len + RTE_VLAN_HLEN);
        m->pkt_len += RTE_VLAN_HLEN;
        put_vlan(frame - RTE_VLAN_HLEN, slot);
    }
    return m;
}

// A super-frame: makes it contiguous in the overflow area and starts to cut it.
static int
start_cutting(struct netdev_krx *krx, struct netdev_krx_slot *slot)
{
    uint8_t *frame = slot->area + KRX_MARGIN;
    uint32_t in_mbuf = MIN(slot->len, krx->room);

    memcpy(frame, rte_pktmbuf_mtod(slot->mbuf, uint8_t *), in_mbuf);
    uint32_t len = slot->len;
    if (slot->has_vlan) {
        frame -= RTE_VLAN_HLEN;
        len += RTE_VLAN_HLEN;
        put_vlan(frame, slot);
        slot->hdr.csum_start = (uint16_t)(slot->hdr.csum_start + RTE_VLAN_HLEN);
    }
    int error = netdev_super_init(&krx->super, frame, len, &slot->hdr);
    // One segment must fit into an mbuf, whatever the sender thinks of our MTU.
    if (error == 0 && netdev_super_next_len(&krx->super) > krx->room) {
        error = -EMSGSIZE;
    }
    krx->cutting = error == 0;
    return error;
}

static struct rte_mbuf *
cut_next(struct netdev_krx *krx)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(krx->pool);

    if (m != NULL) {
        uint32_t len = netdev_super_next_len(&krx->super);
        m->data_len = (uint16_t)len;
        m->pkt_len = len;
        netdev_super_next(&krx->super, rte_pktmbuf_mtod(m, uint8_t *));
        m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD; // for netdev_gro_join()
    }
    return m;
}

uint16_t
netdev_krx_deliver(struct netdev_krx *krx, struct rte_mbuf **mbufs, uint16_t n)
{
    uint64_t bytes = 0, errors = 0, dropped = 0;
    uint16_t n_before = n;

    while (n < NETDEV_MAX_BURST && netdev_krx_pending(krx)) {
        if (krx->cutting) {
            struct rte_mbuf *m = cut_next(krx);
            if (m == NULL) {
                // No buffers: the rest of the super-frame is lost as one.
                dropped++;
                krx->cutting = false;
                continue;
            }
            bytes += m->pkt_len;
            mbufs[n++] = m;
            krx->cutting = netdev_super_next_len(&krx->super) != 0;
            continue;
        }
        struct netdev_krx_slot *slot = &krx->slots[krx->next_slot++];
        if (slot->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
            errors += start_cutting(krx, slot) != 0;
            continue;
        }
        struct rte_mbuf *m = slot->len <= krx->room ? take_small(krx, slot) : NULL;
        if (m == NULL) {
            if (slot->len > krx->room) {
                atomic_store_explicit(&krx->outgrown, true, memory_order_relaxed);
            }
            errors++;
            continue;
        }
        bytes += m->pkt_len;
        mbufs[n++] = m;
    }
    netdev_count(&krx->counts.packets, (uint64_t)n - n_before);
    netdev_count(&krx->counts.bytes, bytes);
    if (UNLIKELY(errors != 0 || dropped != 0)) {
        netdev_count(&krx->counts.errors, errors);
        netdev_count(&krx->counts.dropped, dropped);
    }
    return n;
}

void
netdev_krx_stats(const struct netdev_krx *krx, struct netdev_stats *stats)
{
    stats->rx_packets = stats->rx_bytes = stats->rx_dropped = stats->rx_errors = 0;
    if (krx != NULL) {
        stats->rx_packets = atomic_load_explicit(&krx->counts.packets, memory_order_relaxed);
        stats->rx_bytes = atomic_load_explicit(&krx->counts.bytes, memory_order_relaxed);
        stats->rx_dropped = atomic_load_explicit(&krx->counts.dropped, memory_order_relaxed);
        stats->rx_errors = atomic_load_explicit(&krx->counts.errors, memory_order_relaxed);
    }
}
