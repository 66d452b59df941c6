// SPDX-License-Identifier: Apache-2.0
//
// Frames to and from a guest, on DPDK's vhost library, which copies them; and what is counted.
//
// A guest that does not empty its ring costs a bounded number of retries, then its frames are
// dropped.  All checks of rings and descriptors are the library's.  Guests may leave checksums and
// segmentation to us only with userspace-tso-enable: then super-frames are cut on their way in
// (netdev_vhost_cut.c) and joined on their way to a guest that takes them (netdev_gro.c).
#include "netdev/netdev_vhost.h"

#include <stdlib.h>

#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "base/log.h"
#include "netdev/netdev_gro.h"
#include "netdev/netdev_steer.h"
#include "netdev/netdev_vhost_call.h"

LOG_MODULE(netdev_dpdk);

// Takes a burst out of the guest's ring.
static uint16_t
dequeue(struct netdev_vhost *vhost, uint16_t qid, struct rte_mbuf **mbufs)
{
    int vid = atomic_load_explicit(&vhost->vid, memory_order_acquire);

    if (UNLIKELY(vid < 0 || qid >= VHOST_MAX_PAIRS ||
                 !atomic_load_explicit(&vhost->rx_enabled[qid], memory_order_relaxed) ||
                 !atomic_load_explicit(&vhost->is_up, memory_order_relaxed))) {
        return 0;
    }
    netdev_vhost_caller = vhost;
    uint16_t n = rte_vhost_dequeue_burst(vid, (uint16_t)(qid * VHOST_VRINGS_PER_PAIR + 1),
                                         vhost->mempool, mbufs, NETDEV_MAX_BURST);
    netdev_vhost_caller = NULL;
    return n;
}

int
netdev_vhost_rxq_length(const struct netdev *netdev, uint16_t qid)
{
    const struct netdev_vhost *vhost = netdev_vhost_cast((struct netdev *)netdev);
    int vid = atomic_load_explicit(&vhost->vid, memory_order_acquire);

    if (vid < 0 || qid >= VHOST_MAX_PAIRS) {
        return -1;
    }
    return (int)rte_vhost_rx_queue_count(vid, (uint16_t)(qid * VHOST_VRINGS_PER_PAIR + 1));
}

uint16_t
netdev_vhost_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    uint16_t n = dequeue(vhost, qid, mbufs);

    if (n == 0) {
        return 0;
    }
    struct netdev_queue_counts *counts = &vhost->rx_counts[qid];
    uint64_t bytes = 0;
    uint16_t kept = 0;
    for (uint16_t i = 0; i < n; i++) {
        struct rte_mbuf *m = mbufs[i];
        if (UNLIKELY(m->pkt_len < RTE_ETHER_HDR_LEN || m->pkt_len > vhost->max_frame)) {
            rte_pktmbuf_free(m);
            netdev_count(&counts->errors, 1);
            continue;
        }
        bytes += m->pkt_len;
        mbufs[kept++] = m;
    }
    netdev_count(&counts->packets, kept);
    netdev_count(&counts->bytes, bytes);
    return kept;
}

uint16_t
netdev_vhost_rx_cut(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    struct netdev_vhost_cut *cut = qid < VHOST_MAX_PAIRS ? vhost->cuts[qid] : NULL;
    uint64_t bytes = 0;

    if (UNLIKELY(cut == NULL)) {
        return 0;
    }
    if (!netdev_vhost_cut_pending(cut)) {
        cut->next = 0;
        cut->n_waiting = dequeue(vhost, qid, cut->waiting);
        if (cut->n_waiting == 0) {
            return 0;
        }
    }
    struct netdev_queue_counts *counts = &vhost->rx_counts[qid];
    uint16_t n = netdev_vhost_cut_deliver(cut, vhost->mempool, vhost->max_frame, counts, mbufs);
    for (uint16_t i = 0; i < n; i++) {
        bytes += mbufs[i]->pkt_len;
    }
    netdev_count(&counts->packets, n);
    netdev_count(&counts->bytes, bytes);
    return n;
}

// Moves what is beyond the MTU behind the rest; the number that may be sent.
static uint16_t
sort_out_long(const struct netdev_vhost *vhost, struct rte_mbuf **mbufs, uint16_t n)
{
    for (uint16_t i = 0; i < n;) {
        if (LIKELY(mbufs[i]->pkt_len <= vhost->max_frame)) {
            i++;
            continue;
        }
        // Order matters among those that are sent: shift, do not swap.
        struct rte_mbuf *m = mbufs[i];
        memmove(&mbufs[i], &mbufs[i + 1], (size_t)(n - i - 1) * sizeof(mbufs[0]));
        mbufs[--n] = m;
    }
    return n;
}

static uint16_t
enqueue(struct netdev_vhost *vhost, struct netdev_vhost_tx_counts *counts, int vid, uint16_t vring,
        struct rte_mbuf **mbufs, uint16_t n)
{
    uint32_t max_retries = atomic_load_explicit(&vhost->tx_retries_max, memory_order_relaxed);
    uint32_t retries = 0;
    uint16_t n_sent = 0, now;

    netdev_vhost_caller = vhost;
    // The guest empties the ring while we fill it: worth another look as long as it makes room.
    while ((now = rte_vhost_enqueue_burst(vid, vring, mbufs + n_sent, n - n_sent)) > 0) {
        n_sent += now;
        if (n_sent == n || retries++ == max_retries) {
            break;
        }
    }
    netdev_vhost_caller = NULL;
    if (UNLIKELY(retries != 0)) {
        netdev_count(&counts->retries, MIN(retries, max_retries));
    }
    return n_sent;
}

// Sends 'n' frames, super-frames among them, to a ring that is on: 'ring' counts them, and may be
// any number.  How many went.
static uint16_t
send_frames(struct netdev_vhost *vhost, struct netdev_vhost_tx_counts *counts, uint16_t ring,
            struct rte_mbuf **mbufs, uint16_t n)
{
    int vid = atomic_load_explicit(&vhost->vid, memory_order_acquire);
    uint16_t n_rings = atomic_load_explicit(&vhost->n_tx, memory_order_relaxed);

    if (UNLIKELY(vid < 0 || n_rings == 0 ||
                 !atomic_load_explicit(&vhost->is_up, memory_order_relaxed))) {
        return 0;
    }
    uint16_t index = ring < n_rings ? ring : ring % n_rings;
    uint16_t pair = atomic_load_explicit(&vhost->tx_map[index], memory_order_relaxed);
    return enqueue(vhost, counts, vid, (uint16_t)(pair * VHOST_VRINGS_PER_PAIR), mbufs, n);
}

static inline void
send_to_ring(struct netdev_vhost *vhost, struct netdev_vhost_tx_counts *counts, uint16_t ring,
             struct rte_mbuf **mbufs, uint16_t n)
{
    unsigned int supers = atomic_load_explicit(&vhost->supers, memory_order_relaxed);
    uint16_t n_short = sort_out_long(vhost, mbufs, n);
    uint16_t n_joined = UNLIKELY(supers != 0) ? netdev_gro_join(mbufs, n_short, supers) : n_short;
    uint16_t n_sent = send_frames(vhost, counts, ring, mbufs, n_joined), n_frames = 0;
    uint64_t bytes = 0;

    for (uint16_t i = 0; i < n_sent; i++) {
        n_frames += netdev_gro_frames(mbufs[i]);
        bytes += netdev_gro_bytes(mbufs[i]);
    }
    rte_pktmbuf_free_bulk(mbufs, n_joined);
    rte_pktmbuf_free_bulk(mbufs + n_short, n - n_short);
    netdev_count(&counts->packets, n_frames);
    netdev_count(&counts->bytes, bytes);
    if (UNLIKELY(n_frames < n)) {
        netdev_count(&counts->failure_drops, n_short - n_frames);
        netdev_count(&counts->mtu_drops, n - n_short);
    }
}

void
netdev_vhost_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    send_to_ring(vhost, &vhost->tx_counts[qid % vhost->n_tx_counts], qid, mbufs, n);
}

// The library locks the rings.
void
netdev_vhost_tx_steered(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    struct netdev_vhost_tx_counts *counts = &vhost->tx_counts[qid % vhost->n_tx_counts];
    uint16_t n_rings = atomic_load_explicit(&vhost->n_tx, memory_order_relaxed), ring;
    struct rte_mbuf *part[NETDEV_MAX_BURST];
    struct netdev_steer steer;

    netdev_steer_begin(&steer, mbufs, n, MAX(n_rings, (uint16_t)1));
    while ((n = netdev_steer_next(&steer, part, &ring)) > 0) {
        send_to_ring(vhost, counts, ring, part, n);
    }
}

// --- counters ------------------------------------------------------------------------------

struct tx_sums {
    uint64_t packets, bytes, failure_drops, mtu_drops, retries;
};

static struct tx_sums
sum_tx(const struct netdev_vhost *vhost)
{
    struct tx_sums sums = {0};

    for (unsigned int i = 0; i < vhost->n_tx_counts; i++) {
        const struct netdev_vhost_tx_counts *c = &vhost->tx_counts[i];
        sums.packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        sums.bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
        sums.failure_drops += atomic_load_explicit(&c->failure_drops, memory_order_relaxed);
        sums.mtu_drops += atomic_load_explicit(&c->mtu_drops, memory_order_relaxed);
        sums.retries += atomic_load_explicit(&c->retries, memory_order_relaxed);
    }
    return sums;
}

// Forwarding threads do not log: this is where main comes by.
static void
report_guest(struct netdev_vhost *vhost)
{
    static struct log_rate calls_rl = LOG_RATE_INIT(6, 6), broken_rl = LOG_RATE_INIT(6, 6);
    uint64_t n = atomic_load_explicit(&vhost->n_bad_calls, memory_order_relaxed);
    uint64_t breaks = atomic_load_explicit(&vhost->n_breaks, memory_order_relaxed);

    if (UNLIKELY(n != vhost->reported_bad_calls)) {
        log_warn_rl(&calls_rl,
                    "%s: %llu interrupts not sent: what the guest gave for them is no eventfd",
                    vhost->up.name, (unsigned long long)(n - vhost->reported_bad_calls));
        vhost->reported_bad_calls = n;
    }
    if (UNLIKELY(breaks != vhost->reported_breaks)) {
        log_warn_rl(&broken_rl,
                    "%s: the guest's memory is not all there: unused until it connects again",
                    vhost->up.name);
        vhost->reported_breaks = breaks;
        netdev_changed(&vhost->up);
    }
}

void
netdev_vhost_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    struct tx_sums tx = sum_tx(vhost);

    report_guest(vhost);
    stats->rx_packets = stats->rx_bytes = stats->rx_errors = stats->rx_dropped = 0;
    for (unsigned int i = 0; i < VHOST_MAX_PAIRS; i++) {
        const struct netdev_queue_counts *c = &vhost->rx_counts[i];
        stats->rx_packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        stats->rx_bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
        stats->rx_errors += atomic_load_explicit(&c->errors, memory_order_relaxed);
        stats->rx_dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
    }
    // The device is the datapath's own: what was policed was never received.
    stats->rx_packets -= netdev_policed(netdev, true);
    stats->rx_bytes -= netdev_policed_rx_bytes(netdev);
    stats->tx_packets = tx.packets;
    stats->tx_bytes = tx.bytes;
    stats->tx_dropped = tx.failure_drops + tx.mtu_drops;
    stats->tx_errors = 0;
}

void
netdev_vhost_get_custom_stats(const struct netdev *netdev,
                              void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    const struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    struct tx_sums tx = sum_tx(vhost);
    char name[32];

    for (uint16_t i = 0; i < netdev->queues.n_rxq; i++) {
        const struct netdev_queue_counts *c = &vhost->rx_counts[i];
        snprintf(name, sizeof(name), "rx_q%u_good_packets", i);
        cb(name, atomic_load_explicit(&c->packets, memory_order_relaxed), aux);
        snprintf(name, sizeof(name), "rx_q%u_good_bytes", i);
        cb(name, atomic_load_explicit(&c->bytes, memory_order_relaxed), aux);
    }
    netdev_vhost_get_ring_stats(netdev, cb, aux);
    cb("ovs_tx_retries", tx.retries, aux);
    cb("ovs_tx_failure_drops", tx.failure_drops, aux);
    cb("ovs_tx_mtu_exceeded_drops", tx.mtu_drops, aux);
    cb("ovs_tx_qos_drops", netdev_policed(netdev, false), aux);
    cb("ovs_rx_qos_drops", netdev_policed(netdev, true), aux);
    cb("ovs_tx_invalid_hwol_drops", 0, aux);
}

// --- status --------------------------------------------------------------------------------

static void
put_connection(const char *path, int vid, struct smap *status)
{
    uint64_t features = 0;
    uint16_t mtu = 0, n_vrings = rte_vhost_get_vring_num(vid);

    smap_put(status, "socket", path);
    if (rte_vhost_get_negotiated_features(vid, &features) == 0) {
        smap_put_format(status, "features", "0x%016llx", (unsigned long long)features);
    }
    if (rte_vhost_get_mtu(vid, &mtu) == 0) {
        smap_put_format(status, "mtu", "%u", mtu);
    }
    int numa_id = rte_vhost_get_numa_node(vid);
    if (numa_id >= 0) {
        smap_put_format(status, "numa", "%d", numa_id);
    }
    smap_put_format(status, "num_of_vrings", "%u", n_vrings);
    for (uint16_t i = 0; i < n_vrings; i++) {
        struct rte_vhost_vring vring;
        char key[32];
        if (rte_vhost_get_vhost_vring(vid, i, &vring) == 0) {
            snprintf(key, sizeof(key), "vring_%u_size", i);
            smap_put_format(status, key, "%u", vring.size);
        }
    }
}

void
netdev_vhost_get_status(const struct netdev *netdev, struct smap *status)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    smap_put(status, "mode", vhost->is_client ? "client" : "server");
    smap_put_format(status, "n_rxq", "%u", netdev->queues.n_rxq);
    smap_put_format(status, "n_txq", "%u", netdev->queues.n_txq);
    pthread_mutex_lock(&vhost->lock);
    int vid = atomic_load(&vhost->vid);
    smap_put(status, "status", vid >= 0 ? "connected" : "disconnected");
    if (vid >= 0) {
        put_connection(vhost->path, vid, status);
    }
    pthread_mutex_unlock(&vhost->lock);
}

void
netdev_vhost_get_config(const struct netdev *netdev, struct smap *config)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    pthread_mutex_lock(&vhost->lock);
    smap_put_format(config, "requested_rx_queues", "%u", vhost->n_pairs);
    pthread_mutex_unlock(&vhost->lock);
    smap_put_format(config, "configured_rx_queues", "%u", netdev->queues.n_rxq);
    smap_put_format(config, "requested_tx_queues", "%u", netdev->queues.n_txq);
    smap_put_format(config, "configured_tx_queues", "%u", netdev->queues.n_txq);
    smap_put_format(config, "mtu", "%d", vhost->mtu);
    if (vhost->is_client) {
        smap_put_format(config, "tx-retries-max", "%u", atomic_load(&vhost->tx_retries_max));
        if (vhost->path != NULL) {
            smap_put(config, "vhost-server-path", vhost->path);
        }
    }
}
