// SPDX-License-Identifier: Apache-2.0
//
// The library reads the guest's virtio_net_hdr once and leaves its sense in the mbuf: a checksum
// that is only begun, a segment size.  Where the headers lie we read from the frame, by then in our
// own memory, and everything is checked against its length (netdev_gso.h).
#include "netdev/netdev_vhost_cut.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <rte_mbuf.h>

#include "base/util.h"

struct netdev_vhost_cut *
netdev_vhost_cut_create(void)
{
    return xzalloc_cacheline(ROUND_UP(sizeof(struct netdev_vhost_cut), CACHE_LINE_SIZE));
}

void
netdev_vhost_cut_clear(struct netdev_vhost_cut *cut)
{
    for (uint16_t i = cut->next; i < cut->n_waiting; i++) {
        rte_pktmbuf_free(cut->waiting[i]);
    }
    cut->n_waiting = cut->next = 0;
    cut->cutting = false;
}

void
netdev_vhost_cut_destroy(struct netdev_vhost_cut *cut)
{
    if (cut != NULL) {
        netdev_vhost_cut_clear(cut);
        free(cut);
    }
}

// Where the transport header begins and its protocol; 0 when the frame has none that we know.
static uint32_t
find_l4(const uint8_t *p, uint32_t len, uint8_t *proto, bool *is_v6)
{
    uint32_t ofs = RTE_ETHER_HDR_LEN;
    uint16_t ethertype = get_be16(p + 12);

    for (int i = 0; i < 2 && (ethertype == RTE_ETHER_TYPE_VLAN || ethertype == RTE_ETHER_TYPE_QINQ);
         i++) {
        if (ofs + RTE_VLAN_HLEN > len) {
            return 0;
        }
        ethertype = get_be16(p + ofs + 2);
        ofs += RTE_VLAN_HLEN;
    }
    *is_v6 = ethertype == RTE_ETHER_TYPE_IPV6;
    if (ethertype == RTE_ETHER_TYPE_IPV4 && ofs + 20 <= len) {
        *proto = p[ofs + 9];
        return ofs + (p[ofs] & 0xfu) * 4;
    }
    if (!*is_v6 || ofs + 40 > len) {
        return 0;
    }
    *proto = p[ofs + 6];
    ofs += 40;
    // Hop-by-hop, routing and destination options may stand before it (RFC 8200 section 4.1).
    for (int i = 0; i < 4 && (*proto == IPPROTO_HOPOPTS || *proto == IPPROTO_ROUTING ||
                              *proto == IPPROTO_DSTOPTS);
         i++) {
        if (ofs + 8 > len) {
            return 0;
        }
        *proto = p[ofs];
        ofs += (p[ofs + 1] + 1u) * 8;
    }
    return ofs;
}

// The header that the guest must have sent for this frame.  0, or -EINVAL for what it cannot ask.
static int
rebuild_header(const struct rte_mbuf *m, const uint8_t *p, uint32_t len, struct virtio_net_hdr *hdr)
{
    bool is_super = (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0, is_v6;
    uint8_t proto = 0;
    uint32_t l4 = find_l4(p, len, &proto, &is_v6);

    if (l4 == 0 || l4 >= len) {
        return -EINVAL;
    }
    *hdr =
        (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = (uint16_t)l4};
    if (is_super) {
        hdr->gso_type = is_v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        hdr->gso_size = m->tso_segsz;
    }
    switch (proto) {
    case IPPROTO_TCP:
        hdr->csum_offset = 16;
        return 0;
    case IPPROTO_UDP:
        hdr->csum_offset = 6;
        break;
    case IPPROTO_SCTP:
        hdr->csum_offset = 8;
        break;
    default:
        return -EINVAL;
    }
    return is_super ? -EINVAL : 0; // only TCP's segmentation was agreed upon
}

// A frame that needs no cutting.  False when it is bad.
static bool
complete(struct rte_mbuf *m, uint32_t max_frame)
{
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
    struct virtio_net_hdr hdr;

    if (m->nb_segs != 1 || m->pkt_len < RTE_ETHER_HDR_LEN || m->pkt_len > max_frame) {
        return false;
    }
    if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE &&
        (rebuild_header(m, p, m->pkt_len, &hdr) != 0 ||
         netdev_complete_csum(p, m->pkt_len, &hdr) != 0)) {
        return false;
    }
    m->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    return true;
}

static int
start_cutting(struct netdev_vhost_cut *cut, const struct rte_mbuf *m, uint32_t max_frame)
{
    struct virtio_net_hdr hdr;
    uint32_t len = m->pkt_len;

    if (len < RTE_ETHER_HDR_LEN || len > sizeof(cut->area)) {
        return -EINVAL;
    }
    const uint8_t *p = rte_pktmbuf_read(m, 0, len, cut->area);
    if (p != cut->area) {
        memcpy(cut->area, p, len);
    }
    int error = rebuild_header(m, cut->area, len, &hdr);
    error = error != 0 ? error : netdev_super_init(&cut->super, cut->area, len, &hdr);
    if (error == 0 && netdev_super_next_len(&cut->super) > max_frame) {
        error = -EMSGSIZE;
    }
    cut->cutting = error == 0;
    return error;
}

static struct rte_mbuf *
cut_next(struct netdev_vhost_cut *cut, struct rte_mempool *pool)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    if (m == NULL) {
        cut->cutting = false; // the rest is lost as one
        return NULL;
    }
    uint32_t len = netdev_super_next_len(&cut->super);
    m->data_len = (uint16_t)len;
    m->pkt_len = len;
    netdev_super_next(&cut->super, rte_pktmbuf_mtod(m, uint8_t *));
    m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD; // for netdev_gro_join()
    cut->cutting = netdev_super_next_len(&cut->super) != 0;
    return m;
}

uint16_t
netdev_vhost_cut_deliver(struct netdev_vhost_cut *cut, struct rte_mempool *pool, uint32_t max_frame,
                         struct netdev_queue_counts *counts, struct rte_mbuf **mbufs)
{
    uint64_t errors = 0, dropped = 0;
    uint16_t n = 0;

    while (n < NETDEV_MAX_BURST && netdev_vhost_cut_pending(cut)) {
        if (cut->cutting) {
            struct rte_mbuf *segment = cut_next(cut, pool);
            dropped += segment == NULL;
            mbufs[n] = segment;
            n += segment != NULL;
            continue;
        }
        struct rte_mbuf *m = cut->waiting[cut->next++];
        if ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
            errors += start_cutting(cut, m, max_frame) != 0;
            rte_pktmbuf_free(m);
        } else if (complete(m, max_frame)) {
            mbufs[n++] = m;
        } else {
            errors++;
            rte_pktmbuf_free(m);
        }
    }
    if (UNLIKELY(errors != 0 || dropped != 0)) {
        netdev_count(&counts->errors, errors);
        netdev_count(&counts->dropped, dropped);
    }
    return n;
}
