// SPDX-License-Identifier: Apache-2.0
//
// What a device type implements.  Included by the types, by netdev.c and by folders that register
// types of their own (src/tunnel); users of devices include netdev.h only.
//
// All functions run in the main thread, except rx and tx, which stand in struct netdev.  A NULL
// function means that the type has nothing to say: netdev_dispatch.c returns -EOPNOTSUPP or
// leaves the result as it was initialised.
#ifndef NETDEV_NETDEV_PROVIDER_H
#define NETDEV_NETDEV_PROVIDER_H

#include "netdev/netdev.h"

struct netdev_class {
    const char *type;
    enum netdev_poll poll;
    bool hidden;     // not in netdev_types()
    bool needs_dpdk; // netdev_open() starts EAL first
    bool can_share;  // two processes may have the device open at once
    bool is_quick;   // one can close it and another open it within a few milliseconds
    size_t size;     // of the type's struct, which begins with a struct netdev; zeroed by netdev.c

    // Finds or makes the device.  'netdev' has its name, type and class.  On failure a negative
    // errno and, when the plain text of the errno would not do, a new '*errorp'; netdev.c frees
    // 'netdev', and close() is not called.
    int (*open)(struct netdev *, char **errorp);
    void (*close)(struct netdev *);

    int (*set_config)(struct netdev *, const struct smap *options, const struct smap *other_config,
                      bool *needs_reconfigure, char **errorp);
    void (*get_config)(const struct netdev *, struct smap *);

    // Sets rx, tx, ethdev_id and queues.  May be called again with other wishes.
    int (*reconfigure)(struct netdev *, uint16_t n_txq_wanted, char **errorp);
    bool (*rxq_enabled)(const struct netdev *, uint16_t qid); // NULL: always
    // Frames that wait in a guest's queue; NULL: not known.  On the polling thread.
    int (*rxq_length)(const struct netdev *, uint16_t qid);
    int (*rx_fd)(const struct netdev *, uint16_t qid); // NETDEV_POLL_EPOLL

    int (*get_mac)(const struct netdev *, struct rte_ether_addr *);
    int (*set_mac)(struct netdev *, const struct rte_ether_addr *);
    int (*get_mtu)(const struct netdev *);
    int (*set_mtu)(struct netdev *, int mtu);
    int (*get_flags)(const struct netdev *);
    int (*set_flags)(struct netdev *, int off, int on);
    int (*get_ifindex)(const struct netdev *);
    void (*get_addresses)(const struct netdev *, netdev_address_fn *cb, void *aux);
    void (*get_link)(const struct netdev *, struct netdev_link *); // '*link' is zeroed
    void (*set_miimon)(struct netdev *, int interval_ms);
    void (*get_status)(const struct netdev *, struct smap *);
    void (*get_stats)(const struct netdev *, struct netdev_stats *); // all "not known"
    void (*get_custom_stats)(const struct netdev *,
                             void (*cb)(const char *name, uint64_t value, void *aux), void *aux);
    void (*add_counts)(struct netdev *, bool rx, uint64_t packets, uint64_t bytes);

    // A kernel device changed: 'name' or 'ifindex' may be this one's.  netdev_watch.h.
    void (*link_event)(struct netdev *, const char *name, int ifindex);
};

// One line for each type in netdev_classes.def.
#define NETDEV_CLASS(NAME) extern const struct netdev_class netdev_##NAME##_class;
#include "netdev/netdev_classes.def"
#undef NETDEV_CLASS

// Link, flags, MTU, MAC or status may have changed.  Any thread; wakes the main loop.
void netdev_changed(struct netdev *);
// The queues must be set up anew (netdev_reconfigure()).  Any thread; wakes the main loop.
void netdev_want_reconfigure(struct netdev *);

// rx and tx of a device without queues: nothing comes, everything goes and is freed.
uint16_t netdev_rx_nothing(struct netdev *, uint16_t qid, struct rte_mbuf **);
void netdev_tx_nothing(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);

// Counters of one queue, kept by its only thread and read by main.
struct netdev_queue_counts {
    _Atomic uint64_t packets, bytes, dropped, errors;
} CACHE_ALIGNED;

static inline void
netdev_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

// Packets that policing dropped between device and datapath; in rx_dropped, tx_dropped already.
uint64_t netdev_policed_rx_bytes(const struct netdev *);

// Sums the tx counters of 'n' queues into 'stats'.
void netdev_sum_tx(const struct netdev_queue_counts *, unsigned int n, struct netdev_stats *);
// Makes '*counts' at least 'n' long, keeping what was counted.  While nobody sends.
void netdev_grow_counts(struct netdev_queue_counts **counts, unsigned int *n_counts,
                        unsigned int n);

#endif
