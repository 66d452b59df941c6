// SPDX-License-Identifier: Apache-2.0
//
// Types dummy, dummy-internal (served by the kernel-port thread, woken by an eventfd) and dummy-pmd
// (polled).  Main puts frames into a ring per queue, the poller takes them out.  What is sent goes
// to the file of options:tx_pcap, what is received to rxq_pcap, both to pcap
// (netdev_dummy_pcap.c); options:stream and
// pstream join ports of two processes (netdev_dummy_stream.c).  Test code: the fast path writes
// files under a lock here, and nowhere else.
#include "netdev/netdev_dummy.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ip.h>
#include <rte_ring.h>

#include "base/log.h"
#include "base/thread.h"
#include "netdev/netdev_dummy_pcap.h"
#include "netdev/netdev_dummy_stream.h"
#include "netdev/netdev_pool.h"
#include "netdev/netdev_private.h"
#include "packet/build.h"
#include "packet/packet.h"

LOG_MODULE(netdev_dummy);

enum { RING_LEN = 1024, MAX_RXQ = 8, MTU_MAX = 65535 };

// All dummies have the ordinary buffers, whatever their MTU: longer frames are chains of them.  Few
// for each, since most of what a dummy receives is typed by hand, and there may be thousands.
static const struct netdev_pool_wish pool_wish = {
    .mtu = RTE_ETHER_MTU, .numa_id = -1, .n_mbufs = 8};

struct dummy_rxq {
    struct rte_ring *ring; // main and sending threads: producers, poller: consumer
    int event_fd;
    struct netdev_queue_counts counts; // poller: w, main: r
};

struct netdev_dummy {
    struct netdev up;
    struct rte_ether_addr mac;
    int mtu, want_mtu;
    int ifindex;
    int numa_id;
    uint16_t n_rxq;
    uint16_t n_txq;       // as far as anybody is told: each thread has one of its own
    _Atomic bool is_up;   // main: w, pollers: r
    _Atomic uint32_t ip4; // whose ARP requests we answer, network order; main: w, senders: r
    _Atomic bool has_ip6;
    struct in6_addr ip6;                 // likewise for neighbour solicitations; under 'lock'
    unsigned int ip4_prefix, ip6_prefix; // of their networks; main only
    uint64_t link_resets;
    struct dummy_rxq rxqs[MAX_RXQ];
    struct netdev_queue_counts *tx_counts; // [queues.n_txq]; each its thread's: w, main: r
    unsigned int n_tx_counts;
    struct netdev_pool *pool;
    struct dummy_pcap pcap;
    pthread_mutex_t lock;        // 'ip6' and 'stream'
    struct dummy_stream *stream; // changes under 'lock', with no sender in it; or NULL
};

static struct netdev_dummy *
dummy_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_dummy, up);
}

bool
netdev_is_dummy(const struct netdev *netdev)
{
    return netdev->class == &netdev_dummy_class || netdev->class == &netdev_dummy_internal_class ||
           netdev->class == &netdev_dummy_pmd_class;
}

// --- streams -------------------------------------------------------------------------------

// A frame from the other end of options:stream.
static void
stream_receive(void *dummy_, const void *frame, size_t size)
{
    struct netdev_dummy *dummy = dummy_;

    if (size >= sizeof(struct rte_ether_hdr)) {
        netdev_dummy_receive(&dummy->up, 0, frame, size);
    }
}

static void
stream_send(struct netdev_dummy *dummy, const struct rte_mbuf *m)
{
    uint8_t copy[MTU_MAX];

    pthread_mutex_lock(&dummy->lock);
    if (dummy->stream && m->pkt_len <= sizeof(copy)) {
        dummy_stream_send(dummy->stream, rte_pktmbuf_read(m, 0, m->pkt_len, copy), m->pkt_len);
    }
    pthread_mutex_unlock(&dummy->lock);
}

static int
stream_follow(struct netdev_dummy *dummy, const char *name, char **errorp)
{
    struct dummy_stream *old = dummy->stream;
    int error = 0;

    if ((!name && !old) || (name && old && !strcmp(name, dummy_stream_name(old)))) {
        return 0;
    }
    pthread_mutex_lock(&dummy->lock);
    dummy->stream = NULL;
    pthread_mutex_unlock(&dummy->lock);
    dummy_stream_destroy(old);
    if (name) {
        struct dummy_stream *ds = dummy_stream_create(name, stream_receive, dummy, errorp);
        error = ds ? 0 : -EINVAL;
        pthread_mutex_lock(&dummy->lock);
        dummy->stream = ds;
        pthread_mutex_unlock(&dummy->lock);
    }
    return error;
}

const char *
netdev_dummy_conn_state(const struct netdev *netdev)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);

    return dummy->stream ? dummy_stream_state(dummy->stream) : "unknown";
}

// --- fast path -----------------------------------------------------------------------------

static uint16_t
dummy_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);
    struct dummy_rxq *rxq = &dummy->rxqs[qid];
    uint64_t bytes = 0;
    eventfd_t ignored;

    // Cleared before the ring is looked at: what comes in between sets it again.
    if (rxq->event_fd >= 0) {
        eventfd_read(rxq->event_fd, &ignored);
    }
    unsigned int n = rte_ring_sc_dequeue_burst(rxq->ring, (void **)mbufs, NETDEV_MAX_BURST, NULL);
    for (unsigned int i = 0; i < n; i++) {
        bytes += mbufs[i]->pkt_len;
        dummy_pcap_write(&dummy->pcap, true, mbufs[i]);
    }
    if (rxq->event_fd >= 0 && !rte_ring_empty(rxq->ring)) {
        thread_wake(rxq->event_fd);
    }
    netdev_count(&rxq->counts.packets, n);
    netdev_count(&rxq->counts.bytes, bytes);
    return (uint16_t)n;
}

static int
put_in_ring(struct netdev_dummy *dummy, uint16_t qid, const void *bytes, size_t size)
{
    if (size > netdev_frame_size(dummy->mtu)) {
        return -EMSGSIZE;
    }
    struct rte_mbuf *m = packet_from_bytes(netdev_pool_mempool(dummy->pool), bytes, (uint32_t)size);
    if (m == NULL) {
        return -ENOBUFS;
    }
    struct dummy_rxq *rxq = &dummy->rxqs[qid];
    if (rte_ring_enqueue(rxq->ring, m) != 0) {
        rte_pktmbuf_free(m);
        return -ENOBUFS;
    }
    if (rxq->event_fd >= 0) {
        thread_wake(rxq->event_fd);
    }
    return 0;
}

// A host with the address of netdev-dummy/ip4addr would answer requests for it.
_Static_assert(sizeof(struct rte_ether_hdr) % _Alignof(struct rte_arp_hdr) == 0,
               "the two headers lie side by side");
static void
answer_arp(struct netdev_dummy *dummy, const struct rte_mbuf *m)
{
    struct {
        struct rte_ether_hdr eth;
        struct rte_arp_hdr arp;
    } f;
    uint32_t ip4 = atomic_load_explicit(&dummy->ip4, memory_order_relaxed);

    if (ip4 == 0 || m->data_len < sizeof(f)) {
        return;
    }
    memcpy(&f, rte_pktmbuf_mtod(m, void *), sizeof(f));
    if (f.eth.ether_type != htobe16_(RTE_ETHER_TYPE_ARP) ||
        f.arp.arp_opcode != htobe16_(RTE_ARP_OP_REQUEST) || f.arp.arp_data.arp_tip != ip4) {
        return;
    }
    f.eth.dst_addr = f.eth.src_addr;
    f.eth.src_addr = dummy->mac;
    f.arp.arp_opcode = htobe16_(RTE_ARP_OP_REPLY);
    f.arp.arp_data.arp_tha = f.arp.arp_data.arp_sha;
    f.arp.arp_data.arp_tip = f.arp.arp_data.arp_sip;
    f.arp.arp_data.arp_sha = dummy->mac;
    f.arp.arp_data.arp_sip = ip4;
    put_in_ring(dummy, 0, &f, sizeof(f));
}

// Likewise for that of netdev-dummy/ip6addr.
static void
answer_nd(struct netdev_dummy *dummy, const struct rte_mbuf *m)
{
    _Static_assert(_Alignof(struct rte_ipv6_hdr) <= 2, "the headers lie side by side");
    struct {
        struct rte_ether_hdr eth;
        struct rte_ipv6_hdr ip6;
        uint8_t icmp6[8]; // type first
        uint8_t target[16];
    } f;
    uint8_t reply[128];
    struct in6_addr target, asker;

    if (!atomic_load_explicit(&dummy->has_ip6, memory_order_acquire) || m->data_len < sizeof(f)) {
        return;
    }
    memcpy(&f, rte_pktmbuf_mtod(m, void *), sizeof(f));
    memcpy(&target, f.target, sizeof(target));
    memcpy(&asker, f.ip6.src_addr, sizeof(asker));
    pthread_mutex_lock(&dummy->lock);
    bool is_ours = !memcmp(&target, &dummy->ip6, sizeof(target));
    pthread_mutex_unlock(&dummy->lock);
    if (f.eth.ether_type != htobe16_(RTE_ETHER_TYPE_IPV6) || f.ip6.proto != IPPROTO_ICMPV6 ||
        f.icmp6[0] != ND_NEIGHBOR_SOLICIT || !is_ours) {
        return;
    }
    uint32_t size = compose_nd_na(reply, sizeof(reply), &dummy->mac, &f.eth.src_addr, &target,
                                  &asker, ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE);
    put_in_ring(dummy, 0, reply, size);
}

static void
dummy_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);
    struct netdev_queue_counts *counts = &dummy->tx_counts[qid % netdev->queues.n_txq];
    uint64_t n_sent = 0, bytes = 0;

    for (uint16_t i = 0; i < n; i++) {
        if (mbufs[i]->pkt_len <= netdev_frame_size(dummy->mtu)) {
            n_sent++;
            bytes += mbufs[i]->pkt_len;
            dummy_pcap_write(&dummy->pcap, false, mbufs[i]);
            stream_send(dummy, mbufs[i]);
            answer_arp(dummy, mbufs[i]);
            answer_nd(dummy, mbufs[i]);
        }
    }
    rte_pktmbuf_free_bulk(mbufs, n);
    netdev_count(&counts->packets, n_sent);
    netdev_count(&counts->bytes, bytes);
    netdev_count(&counts->dropped, n - n_sent);
}

int
netdev_dummy_receive(struct netdev *netdev, uint16_t qid, const void *bytes, size_t size)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);

    if (qid >= netdev->queues.n_rxq || dummy->pool == NULL) {
        return -EINVAL;
    }
    if (!atomic_load(&dummy->is_up)) {
        return -ENETDOWN;
    }
    return put_in_ring(dummy, qid, bytes, size);
}

void
netdev_dummy_set_ip4(struct netdev *netdev, be32_t ip4, unsigned int plen)
{
    dummy_cast(netdev)->ip4_prefix = plen;
    atomic_store(&dummy_cast(netdev)->ip4, ip4);
}

void
netdev_dummy_set_ip6(struct netdev *netdev, const struct in6_addr *ip6, unsigned int plen)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);

    dummy->ip6_prefix = plen;
    pthread_mutex_lock(&dummy->lock);
    dummy->ip6 = *ip6;
    pthread_mutex_unlock(&dummy->lock);
    atomic_store(&dummy->has_ip6, !IN6_IS_ADDR_UNSPECIFIED(ip6));
}

// --- life and configuration ----------------------------------------------------------------

static int
dummy_open(struct netdev *netdev, char **errorp)
{
    static uint32_t n_made; // addresses count up, so that tests can foretell them
    struct netdev_dummy *dummy = dummy_cast(netdev);
    uint32_t n = n_made++;

    dummy->mac =
        (struct rte_ether_addr){{0xaa, 0x55, (uint8_t)(0xaa ^ (n >> 24)),
                                 (uint8_t)(0x55 ^ (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n}};
    dummy->mtu = dummy->want_mtu = RTE_ETHER_MTU;
    dummy->ifindex = 0;
    dummy->numa_id = -1;
    dummy->n_rxq = dummy->n_txq = 1;
    dummy->is_up = true;
    dummy_pcap_init(&dummy->pcap);
    pthread_mutex_init(&dummy->lock, NULL);
    for (unsigned int i = 0; i < MAX_RXQ; i++) {
        dummy->rxqs[i].event_fd = -1;
    }
    return 0;
}

static void
rxq_fini(struct dummy_rxq *rxq)
{
    void *m;

    while (rxq->ring != NULL && rte_ring_dequeue(rxq->ring, &m) == 0) {
        rte_pktmbuf_free(m);
    }
    free(rxq->ring);
    rxq->ring = NULL;
    if (rxq->event_fd >= 0) {
        close(rxq->event_fd);
        rxq->event_fd = -1;
    }
}

static void
dummy_close(struct netdev *netdev)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);

    for (unsigned int i = 0; i < MAX_RXQ; i++) {
        rxq_fini(&dummy->rxqs[i]);
    }
    dummy_pcap_fini(&dummy->pcap);
    stream_follow(dummy, NULL, NULL);
    netdev_pool_put(dummy->pool, &pool_wish);
    free(dummy->tx_counts);
    pthread_mutex_destroy(&dummy->lock);
}

static int
dummy_set_config(struct netdev *netdev, const struct smap *options, const struct smap *other_config,
                 bool *needs_reconfigure, char **errorp)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);
    const char *both = smap_get(options, "pcap");
    uint16_t n_rxq =
        (uint16_t)MAX(MIN(smap_get_uint(options, "n_rxq", 1), (unsigned int)MAX_RXQ), 1u);

    dummy_pcap_set(&dummy->pcap, both ? both : smap_get(options, "tx_pcap"),
                   both ? both : smap_get(options, "rxq_pcap"));
    dummy->ifindex = smap_get_int(options, "ifindex", 0);
    const char *stream = smap_get(options, "stream");
    int error = stream_follow(dummy, stream ? stream : smap_get(options, "pstream"), errorp);
    if (error != 0) {
        return error;
    }
    if (netdev->class->poll == NETDEV_POLL_SPIN) {
        int numa_id = smap_get_int(options, "numa_id", -1);
        *needs_reconfigure = n_rxq != dummy->n_rxq || numa_id != dummy->numa_id;
        dummy->n_rxq = n_rxq;
        dummy->n_txq =
            (uint16_t)MAX(MIN(smap_get_uint(options, "n_txq", 1), (unsigned int)MAX_RXQ), 1u);
        dummy->numa_id = numa_id;
    }
    return 0;
}

static void
dummy_get_config(const struct netdev *netdev, struct smap *config)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);

    if (dummy->ifindex > 0) {
        smap_put_format(config, "ifindex", "%d", dummy->ifindex);
    }
    if (netdev->class->poll == NETDEV_POLL_SPIN) {
        smap_put_format(config, "requested_rx_queues", "%u", dummy->n_rxq);
        smap_put_format(config, "configured_rx_queues", "%u", netdev->queues.n_rxq);
        smap_put_format(config, "requested_tx_queues", "%u", dummy->n_txq);
        smap_put_format(config, "configured_tx_queues", "%u", dummy->n_txq);
    }
}

static int
rxq_init(struct dummy_rxq *rxq, bool with_fd)
{
    if (rxq->ring == NULL) {
        ssize_t size = rte_ring_get_memsize(RING_LEN);
        rxq->ring = xzalloc_cacheline((size_t)size);
        rte_ring_init(rxq->ring, "dummy", RING_LEN, RING_F_SC_DEQ);
    }
    if (with_fd && rxq->event_fd < 0) {
        rxq->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        return rxq->event_fd < 0 ? -errno : 0;
    }
    return 0;
}

static int
dummy_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);

    if (dummy->pool == NULL) {
        dummy->pool = netdev_pool_get(&pool_wish, errorp);
        if (dummy->pool == NULL) {
            return -ENOMEM;
        }
    }
    dummy->mtu = dummy->want_mtu;
    for (unsigned int i = 0; i < dummy->n_rxq; i++) {
        int error = rxq_init(&dummy->rxqs[i], netdev->class->poll == NETDEV_POLL_EPOLL);
        if (error != 0) {
            return error;
        }
    }
    netdev_grow_counts(&dummy->tx_counts, &dummy->n_tx_counts, n_txq);
    netdev->queues =
        (struct netdev_queues){.n_rxq = dummy->n_rxq, .n_txq = n_txq, .numa_id = dummy->numa_id};
    netdev->rx = dummy_rx;
    netdev->tx = dummy_tx;
    return 0;
}

static int
dummy_rx_fd(const struct netdev *netdev, uint16_t qid)
{
    return dummy_cast(netdev)->rxqs[qid].event_fd;
}

// --- properties ----------------------------------------------------------------------------

static int
dummy_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    *mac = dummy_cast(netdev)->mac;
    return 0;
}

static int
dummy_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    dummy_cast(netdev)->mac = *mac;
    return 0;
}

static int
dummy_get_mtu(const struct netdev *netdev)
{
    return dummy_cast(netdev)->mtu;
}

static int
dummy_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);

    if (mtu < RTE_ETHER_MIN_MTU || mtu > MTU_MAX) {
        return -EINVAL;
    }
    if (dummy->want_mtu != mtu) {
        dummy->want_mtu = mtu;
        netdev_want_reconfigure(netdev);
    }
    return 0;
}

static int
dummy_get_flags(const struct netdev *netdev)
{
    return atomic_load(&dummy_cast(netdev)->is_up) ? NETDEV_UP | NETDEV_PROMISC : NETDEV_PROMISC;
}

static int
dummy_set_flags(struct netdev *netdev, int off, int on)
{
    struct netdev_dummy *dummy = dummy_cast(netdev);
    bool is_up = on & NETDEV_UP ? true : off & NETDEV_UP ? false : atomic_load(&dummy->is_up);

    if (is_up != atomic_load(&dummy->is_up)) {
        atomic_store(&dummy->is_up, is_up);
        dummy->link_resets++;
    }
    return 0;
}

static int
dummy_get_ifindex(const struct netdev *netdev)
{
    return dummy_cast(netdev)->ifindex;
}

static void
dummy_get_addresses(const struct netdev *netdev, netdev_address_fn *cb, void *aux)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);
    be32_t ip4 = atomic_load(&dummy->ip4);

    if (ip4 != 0) {
        struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&mapped.s6_addr[12], &ip4, sizeof(ip4));
        cb(&mapped, 96 + dummy->ip4_prefix, aux);
    }
    if (atomic_load(&dummy->has_ip6)) {
        cb(&dummy->ip6, dummy->ip6_prefix, aux);
    }
}

static void
dummy_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);

    link->carrier = atomic_load(&dummy->is_up);
    link->resets = dummy->link_resets;
}

static void
dummy_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);

    stats->rx_packets = stats->rx_bytes = 0;
    for (unsigned int i = 0; i < MAX_RXQ; i++) {
        const struct netdev_queue_counts *c = &dummy->rxqs[i].counts;
        stats->rx_packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        stats->rx_bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
    }
    netdev_sum_tx(dummy->tx_counts, dummy->n_tx_counts, stats);
    stats->tx_dropped = stats->tx_errors = UINT64_MAX; // a dummy knows only packets and bytes
}

static void
dummy_get_custom_stats(const struct netdev *netdev,
                       void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    const struct netdev_dummy *dummy = dummy_cast(netdev);
    uint64_t rx_packets = 0;
    char name[32];

    for (unsigned int i = 0; i < MAX_RXQ; i++) {
        rx_packets += atomic_load_explicit(&dummy->rxqs[i].counts.packets, memory_order_relaxed);
    }
    // Two that say nothing new: tests of the statistics column look for them.
    cb("rx_custom_packets_1", rx_packets, aux);
    cb("rx_custom_packets_2", rx_packets, aux);
    for (unsigned int i = 0; i < netdev->queues.n_rxq; i++) {
        const struct netdev_queue_counts *c = &dummy->rxqs[i].counts;
        snprintf(name, sizeof(name), "rx_q%u_bytes", i);
        cb(name, atomic_load_explicit(&c->bytes, memory_order_relaxed), aux);
        snprintf(name, sizeof(name), "rx_q%u_packets", i);
        cb(name, atomic_load_explicit(&c->packets, memory_order_relaxed), aux);
    }
    for (unsigned int qid = 0; qid < dummy->n_txq && dummy->n_tx_counts > 0; qid++) {
        uint64_t bytes = 0, packets = 0;
        for (unsigned int i = qid; i < dummy->n_tx_counts; i += dummy->n_txq) {
            const struct netdev_queue_counts *c = &dummy->tx_counts[i];
            bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
            packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        }
        snprintf(name, sizeof(name), "tx_q%u_bytes", qid);
        cb(name, bytes, aux);
        snprintf(name, sizeof(name), "tx_q%u_packets", qid);
        cb(name, packets, aux);
    }
}

#define DUMMY_CLASS(NAME, POLL)                                                                 \
    {                                                                                           \
        .type = NAME, .poll = POLL, .needs_dpdk = true, .size = sizeof(struct netdev_dummy),    \
        .open = dummy_open, .close = dummy_close, .set_config = dummy_set_config,               \
        .get_config = dummy_get_config, .reconfigure = dummy_reconfigure, .rx_fd = dummy_rx_fd, \
        .get_mac = dummy_get_mac, .set_mac = dummy_set_mac, .get_mtu = dummy_get_mtu,           \
        .set_mtu = dummy_set_mtu, .get_flags = dummy_get_flags, .set_flags = dummy_set_flags,   \
        .get_ifindex = dummy_get_ifindex, .get_addresses = dummy_get_addresses,                 \
        .get_link = dummy_get_link, .get_stats = dummy_get_stats,                               \
        .get_custom_stats = dummy_get_custom_stats,                                             \
    }

const struct netdev_class netdev_dummy_class = DUMMY_CLASS("dummy", NETDEV_POLL_EPOLL);
const struct netdev_class netdev_dummy_internal_class =
    DUMMY_CLASS("dummy-internal", NETDEV_POLL_EPOLL);
const struct netdev_class netdev_dummy_pmd_class = DUMMY_CLASS("dummy-pmd", NETDEV_POLL_SPIN);
