// SPDX-License-Identifier: Apache-2.0
//
// See netdev_kdev.h.
#include "netdev/netdev_kdev.h"

#include <stdlib.h>
#include <unistd.h>

#include <rte_tcp.h>

#include "base/keep.h"
#include "netdev/netdev_private.h"

struct netdev_kdev *
netdev_kdev_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_kdev, up);
}

static void
keep_name(const struct netdev_kdev *dev, char name[KEEP_NAME_MAX])
{
    snprintf(name, KEEP_NAME_MAX, "%s:%s", dev->up.class->type, dev->up.name);
}

int
netdev_kdev_take(struct netdev_kdev *dev)
{
    char name[KEEP_NAME_MAX];

    keep_name(dev, name);
    return keep_take(name);
}

void
netdev_kdev_keep(struct netdev_kdev *dev)
{
    char name[KEEP_NAME_MAX];

    keep_name(dev, name);
    keep_put(name, dev->fd);
    dev->is_kept = true;
}

void
netdev_kdev_fini(struct netdev_kdev *dev)
{
    char name[KEEP_NAME_MAX];

    loop_timer_stop(&dev->miimon);
    // A tap goes when the last one closes it.  The end of a packet socket nobody notices: at our
    // end the keeper may close it when it has the time.
    if (dev->is_kept && (!netdev_is_ending() || strcmp(dev->up.class->type, "system") != 0)) {
        keep_name(dev, name);
        keep_drop(name);
    }
    if (dev->krx != NULL) {
        netdev_krx_fini(dev->krx);
        free(dev->krx);
    }
    free(dev->tx_counts);
    netdev_kif_fini(&dev->kif);
    if (dev->fd >= 0) {
        netdev_close_fd(dev->fd);
    }
}

int
netdev_kdev_reconfigure(struct netdev_kdev *dev, int mtu, unsigned int n_slots, uint16_t n_txq,
                        char **errorp)
{
    if (dev->krx == NULL) {
        dev->krx = xzalloc_cacheline(ROUND_UP(sizeof(*dev->krx), CACHE_LINE_SIZE));
    }
    if (dev->krx->lent == NULL || (mtu > 0 && !netdev_krx_fits(dev->krx, mtu))) {
        // The loopback device's 65536 is for nobody else: super-frames cover it.
        mtu = mtu > 0 && mtu <= RTE_ETHER_MAX_JUMBO_FRAME_LEN ? mtu : RTE_ETHER_MTU;
        int error = netdev_krx_init(dev->krx, mtu, n_slots, errorp);
        if (error != 0) {
            return error;
        }
    }
    netdev_grow_counts(&dev->tx_counts, &dev->n_tx_counts, n_txq);
    dev->up.queues = (struct netdev_queues){.n_rxq = 1, .n_txq = n_txq, .numa_id = -1};
    return 0;
}

void
netdev_kdev_look(struct netdev_kdev *dev)
{
    netdev_kif_look(&dev->kif);
    int mtu = netdev_kif_get_mtu(&dev->kif);
    if (dev->krx != NULL && mtu > 0 && !netdev_krx_fits(dev->krx, mtu)) {
        netdev_want_reconfigure(&dev->up);
    }
    netdev_changed(&dev->up);
}

// --- sending -------------------------------------------------------------------------------

bool
netdev_kdev_wants_offloads(void)
{
    return smap_get_bool(dpdk_config(), "userspace-tso-enable", false);
}

unsigned int
netdev_kdev_iov(const struct rte_mbuf *m, struct virtio_net_hdr *hdr, struct iovec *iov)
{
    unsigned int n_iov = 1;

    *hdr = (struct virtio_net_hdr){0};
    if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
        *hdr = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                       .gso_type = (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0
                                                       ? VIRTIO_NET_HDR_GSO_TCPV6
                                                       : VIRTIO_NET_HDR_GSO_TCPV4,
                                       .hdr_len = (uint16_t)(m->l2_len + m->l3_len + m->l4_len),
                                       .gso_size = m->tso_segsz,
                                       .csum_start = (uint16_t)(m->l2_len + m->l3_len),
                                       .csum_offset = offsetof(struct rte_tcp_hdr, cksum)};
    }
    iov[0] = (struct iovec){hdr, sizeof(*hdr)};
    for (; m != NULL && n_iov < KDEV_IOVS; m = m->next) {
        iov[n_iov++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
    }
    return m == NULL ? n_iov : 0;
}

void
netdev_kdev_count_tx(struct netdev_kdev *dev, uint16_t qid, uint16_t n, uint64_t n_sent,
                     uint64_t bytes)
{
    struct netdev_queue_counts *counts = &dev->tx_counts[qid % dev->up.queues.n_txq];

    netdev_count(&counts->packets, n_sent);
    netdev_count(&counts->bytes, bytes);
    if (n_sent < n) {
        netdev_count(&counts->dropped, n - n_sent);
    }
}

// --- methods -------------------------------------------------------------------------------

int
netdev_kdev_rx_fd(const struct netdev *netdev, uint16_t qid)
{
    return netdev_kdev_cast(netdev)->fd;
}

int
netdev_kdev_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    return netdev_kif_get_mac(&netdev_kdev_cast(netdev)->kif, mac);
}

int
netdev_kdev_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    return netdev_kif_set_mac(&netdev_kdev_cast(netdev)->kif, mac);
}

int
netdev_kdev_get_mtu(const struct netdev *netdev)
{
    return netdev_kif_get_mtu(&netdev_kdev_cast(netdev)->kif);
}

int
netdev_kdev_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_kdev *dev = netdev_kdev_cast(netdev);
    int error = netdev_kif_set_mtu(&dev->kif, mtu);

    if (error == 0 && dev->krx != NULL && !netdev_krx_fits(dev->krx, mtu)) {
        netdev_want_reconfigure(netdev);
    }
    return error;
}

int
netdev_kdev_get_flags(const struct netdev *netdev)
{
    return netdev_kif_get_flags(&netdev_kdev_cast(netdev)->kif);
}

int
netdev_kdev_set_flags(struct netdev *netdev, int off, int on)
{
    return netdev_kif_set_flags(&netdev_kdev_cast(netdev)->kif, off, on);
}

int
netdev_kdev_get_ifindex(const struct netdev *netdev)
{
    return netdev_kif_ifindex(&netdev_kdev_cast(netdev)->kif);
}

void
netdev_kdev_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    netdev_kif_get_link(&netdev_kdev_cast(netdev)->kif, link);
}

static void
ask_phy(void *dev_)
{
    struct netdev_kdev *dev = dev_;
    bool before = dev->kif.last_carrier;

    netdev_kif_look(&dev->kif);
    if (dev->kif.last_carrier != before) {
        netdev_changed(&dev->up);
    }
}

void
netdev_kdev_set_miimon(struct netdev *netdev, int interval_ms)
{
    struct netdev_kdev *dev = netdev_kdev_cast(netdev);

    dev->kif.asks_phy = interval_ms > 0;
    if (interval_ms == dev->miimon_ms) {
        return;
    }
    dev->miimon_ms = interval_ms;
    loop_timer_stop(&dev->miimon);
    if (interval_ms > 0 && netdev_loop() != NULL) {
        loop_timer_every(&dev->miimon, netdev_loop(), interval_ms, ask_phy, dev);
    }
    ask_phy(dev);
}

void
netdev_kdev_get_status(const struct netdev *netdev, struct smap *status)
{
    netdev_kif_get_status(&netdev_kdev_cast(netdev)->kif, status);
}
