// SPDX-License-Identifier: Apache-2.0
//
// The struct of vhost-user ports, shared by netdev_vhost.c (life, configuration),
// netdev_vhost_events.c (what the guest does) and netdev_vhost_io.c (receiving, sending, counters,
// status).
//
// A guest connects, goes and comes back whenever it likes; DPDK's vhost thread tells us.  `vid` is
// the connection: a PMD uses the value that it loaded until its next quiescent state, and the vhost
// thread waits for a grace period before the library may free what stands behind it.
#ifndef NETDEV_NETDEV_VHOST_H
#define NETDEV_NETDEV_VHOST_H

#include <pthread.h>

#include "base/log.h"
#include "netdev/netdev_pool.h"
#include "netdev/netdev_provider.h"
#include "netdev/netdev_vhost_cut.h"
#include "netdev/netdev_vhost_rings.h"

enum {
    VHOST_NO_VID = -1,
    VHOST_MAX_PAIRS = NETDEV_MAX_RXQ,
    VHOST_VRINGS_PER_PAIR = 2, // the guest's receive ring, then its send ring
    VHOST_RETRIES_DEFAULT = 8,
    VHOST_RETRIES_MAX = 32,
};

// What one sending thread counts, by its qid.
struct netdev_vhost_tx_counts {
    _Atomic uint64_t packets, bytes; // its thread: w, main: r
    _Atomic uint64_t failure_drops, mtu_drops, retries;
} CACHE_ALIGNED;

struct netdev_vhost {
    struct netdev up;

    // vhost thread: w, pmd: r
    _Atomic int vid;
    _Atomic uint16_t n_tx; // enabled rings of 'tx_map'
    _Atomic uint16_t tx_map[VHOST_MAX_PAIRS];
    _Atomic bool rx_enabled[VHOST_MAX_PAIRS];
    // A part of the guest's memory was not there: 'vid' stays VHOST_NO_VID until the front-end
    // connects again.  Handler of SIGBUS in any thread and vhost thread: w, main: r.
    _Atomic bool is_broken;
    _Atomic uint64_t n_breaks;   // how often so far
    _Atomic unsigned int supers; // enum netdev_gro_families that the guest takes

    // main: w while nobody polls, pmd: r
    struct rte_mempool *mempool;
    uint32_t max_frame;
    bool offloads;                                         // userspace-tso-enable; never changes
    struct netdev_vhost_cut *cuts[VHOST_MAX_PAIRS];        // with 'offloads'; poller: rw
    _Atomic uint32_t tx_retries_max;                       // main: w any time, pmd: r
    struct netdev_queue_counts rx_counts[VHOST_MAX_PAIRS]; // poller: w, main: r
    struct netdev_vhost_tx_counts *tx_counts;
    unsigned int n_tx_counts;
    _Atomic uint64_t n_bad_calls; // interrupts that nobody can be sent; any thread: w, main: r

    // under 'lock': vhost thread and main.  Taken before the library is asked about 'vid', so that
    // the connection cannot end meanwhile; never held across a grace period.
    pthread_mutex_t lock;
    bool tx_enabled[VHOST_MAX_PAIRS];
    uint16_t n_pairs; // that the guest has
    int numa_id;
    int64_t ended_ms;                // when its last connection did
    int served;                      // the connection (vid) that is listened to, or VHOST_NO_VID
    int waiting;                     // another one, until that ends
    bool is_advised;                 // of postcopy, by 'served', which has not ended it
    struct netdev_vhost_rings rings; // of 'served'
    uint64_t link_resets;
    struct log_rate comings; // of lines about its connections

    // main: w before there is a connection, vhost thread: r
    bool offers_postcopy;

    // main only
    bool is_client, is_registered;
    bool is_steered;                  // tx-steering=hash
    bool is_deferred;                 // to netdev_begin_guests(), which may have to try again
    struct loop_timer begin_again;    // then
    bool has_failed_to_begin;         // and said so
    char *path;                       // of the front-end's socket
    struct netdev_vhost_relay *relay; // NULL: the library has that socket itself
    int mtu;
    uint64_t reported_bad_calls;
    uint64_t reported_breaks;
    struct rte_ether_addr mac; // of the port, not of the guest
    _Atomic bool is_up;        // main: w, pmd: r
    struct netdev_pool *pool;
    struct netdev_pool_wish pool_wish;
    struct netdev_vhost *next; // list of all, under its own lock
};

static inline struct netdev_vhost *
netdev_vhost_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_vhost, up);
}

// Removes a socket file that a daemon before us left; a live one stays.
void netdev_vhost_remove_stale_socket(const char *path);

// --- netdev_vhost_events.c ---
// For rte_vhost_driver_callback_register(); ports are found while they are listed.
extern const struct rte_vhost_device_ops netdev_vhost_ops;
void netdev_vhost_list(struct netdev_vhost *, bool listed); // main
bool netdev_vhost_has_path(const char *path);               // a listed port has that socket; main
// The socket of which the library knows: with a relay that one's, else the front-end's.
const char *netdev_vhost_library_path(const struct netdev_vhost *);

// --- netdev_vhost_io.c ---
int netdev_vhost_rxq_length(const struct netdev *, uint16_t qid);
uint16_t netdev_vhost_rx(struct netdev *, uint16_t qid, struct rte_mbuf **);
uint16_t netdev_vhost_rx_cut(struct netdev *, uint16_t qid, struct rte_mbuf **); // with 'offloads'
void netdev_vhost_tx(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);
void netdev_vhost_tx_steered(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);
void netdev_vhost_get_stats(const struct netdev *, struct netdev_stats *);
void netdev_vhost_get_custom_stats(const struct netdev *,
                                   void (*cb)(const char *name, uint64_t value, void *aux),
                                   void *aux);
void netdev_vhost_get_status(const struct netdev *, struct smap *);
void netdev_vhost_get_config(const struct netdev *, struct smap *);

// --- netdev_vhost_stats.c ---
// Counters of the guest's rings, while it is connected.
void netdev_vhost_get_ring_stats(const struct netdev *,
                                 void (*cb)(const char *name, uint64_t value, void *aux),
                                 void *aux);

#endif
