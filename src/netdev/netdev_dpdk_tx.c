// SPDX-License-Identifier: Apache-2.0
//
// Sending on ports of type dpdk: the only code of the type on the fast path (receiving is
// rte_eth_rx_burst() itself, netdev.h).  Everything is consumed; what the device does not take at
// once is dropped and counted, since waiting for one device would cost all others.
#include "netdev/netdev_dpdk.h"
#include "netdev/netdev_steer.h"

static void
drop_from(struct rte_mbuf **mbufs, uint16_t n, _Atomic uint64_t *counter)
{
    rte_pktmbuf_free_bulk(mbufs, n);
    netdev_count(counter, n);
}

// Takes out what the device could not send: beyond the MTU, or in pieces that cannot be joined.
static uint16_t
filter_burst(const struct netdev_dpdk *dev, struct netdev_dpdk_txq *txq, struct rte_mbuf **mbufs,
             uint16_t n)
{
    uint16_t kept = 0;

    for (uint16_t i = 0; i < n; i++) {
        struct rte_mbuf *m = mbufs[i];
        if (UNLIKELY(m->pkt_len > dev->max_frame) ||
            (UNLIKELY(m->nb_segs > 1) && rte_pktmbuf_linearize(m) != 0)) {
            drop_from(&m, 1, &txq->mtu_drops);
            continue;
        }
        mbufs[kept++] = m;
    }
    return kept;
}

static void
send_burst(struct netdev_dpdk *dev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_dpdk_txq *txq = &dev->txqs[qid];
    uint16_t n_sent = 0, now;

    n = filter_burst(dev, txq, mbufs, n);
    // A device that takes nothing is full; one that takes some may have made room since.
    while (n_sent < n &&
           (now = rte_eth_tx_burst(dev->port_id, qid, mbufs + n_sent, n - n_sent)) > 0) {
        n_sent += now;
    }
    if (UNLIKELY(n_sent < n)) {
        drop_from(mbufs + n_sent, n - n_sent, &txq->failure_drops);
    }
}

static void
send_locked(struct netdev_dpdk *dev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    rte_spinlock_lock(&dev->txqs[qid].lock);
    send_burst(dev, qid, mbufs, n);
    rte_spinlock_unlock(&dev->txqs[qid].lock);
}

void
netdev_dpdk_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    if (UNLIKELY(qid >= dev->n_txq)) {
        qid %= dev->n_txq;
    }
    if (LIKELY(!dev->txq_shared)) {
        send_burst(dev, qid, mbufs, n);
        return;
    }
    send_locked(dev, qid, mbufs, n);
}

// Every thread sends on every queue.
void
netdev_dpdk_tx_steered(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    struct rte_mbuf *part[NETDEV_MAX_BURST];
    struct netdev_steer steer;

    netdev_steer_begin(&steer, mbufs, n, dev->n_txq);
    while ((n = netdev_steer_next(&steer, part, &qid)) > 0) {
        send_locked(dev, qid, part, n);
    }
}
