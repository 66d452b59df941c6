// SPDX-License-Identifier: Apache-2.0
//
// The struct of ports of type dpdk, shared by netdev_dpdk.c (configuration, queues, sending),
// netdev_dpdk_attach.c (finding and attaching devices), netdev_dpdk_stats.c (counters and status)
// and the commands.
#ifndef NETDEV_NETDEV_DPDK_H
#define NETDEV_NETDEV_DPDK_H

#include <rte_spinlock.h>

#include "netdev/netdev_pool.h"
#include "netdev/netdev_provider.h"

#define DPDK_NO_PORT RTE_MAX_ETHPORTS

// One sending queue.  The lock is taken only when several threads have the queue.
struct netdev_dpdk_txq {
    rte_spinlock_t lock;
    _Atomic uint64_t failure_drops, mtu_drops; // its thread or lock holder: w, main: r
} CACHE_ALIGNED;

struct netdev_dpdk_settings {
    int mtu;
    uint16_t n_rxq, n_rxq_desc, n_txq_desc;
    bool lsc_interrupt;
    bool is_steered;
    bool flow_ctrl_set; // one of the three was ever asked for
    bool rx_flow_ctrl, tx_flow_ctrl, flow_ctrl_autoneg;
};

struct netdev_dpdk {
    struct netdev up;
    // main: w while nobody polls, pmd: r
    uint16_t port_id; // DPDK_NO_PORT before the first set_config
    uint16_t n_txq;
    bool txq_shared;
    uint32_t max_frame;
    struct netdev_dpdk_txq *txqs;

    // main only
    struct netdev_dpdk_settings want, have;
    char *devargs;
    bool attached; // by us: is removed at close
    bool started, is_up;
    bool hw_rx_csum;
    struct rte_eth_dev_info info;
    struct netdev_pool *pool;
    struct netdev_pool_wish pool_wish;
    struct rte_eth_link link; // of the last look
    uint64_t link_resets;
    struct loop_timer link_timer;
    _Atomic bool wants_reset; // interrupt thread: w, main: rw
};

static inline struct netdev_dpdk *
netdev_dpdk_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_dpdk, up);
}

bool netdev_is_dpdk(const struct netdev *);
// The open netdev of an ethdev port other than 'except', or NULL.
struct netdev_dpdk *netdev_dpdk_by_port(uint16_t port_id, const struct netdev_dpdk *except);

// --- netdev_dpdk_tx.c ---
void netdev_dpdk_tx(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);
void netdev_dpdk_tx_steered(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);

// --- netdev_dpdk_attach.c ---
// The ethdev port that 'devargs' names, attached now if it was not there ('*attached').  0, or a
// negative errno and a new '*errorp'.
int netdev_dpdk_attach(const char *devargs, uint16_t *port_id, bool *attached, char **errorp);
// The port that 'devargs' names if it is attached, else DPDK_NO_PORT.
uint16_t netdev_dpdk_find_port(const char *devargs);
// Closes a port; with 'remove' takes its device away unless another open netdev is of it.
void netdev_dpdk_detach(uint16_t port_id, bool remove);
// mbufs that the driver keeps beyond its rings: net_pcap with infinite_rx loads the file into them.
unsigned int netdev_dpdk_devargs_mbufs(const char *devargs);

// --- netdev_dpdk_stats.c ---
void netdev_dpdk_get_status(const struct netdev *, struct smap *);
void netdev_dpdk_get_stats(const struct netdev *, struct netdev_stats *);
void netdev_dpdk_get_custom_stats(const struct netdev *,
                                  void (*cb)(const char *name, uint64_t value, void *aux),
                                  void *aux);
void netdev_dpdk_get_link(const struct netdev *, struct netdev_link *);
void netdev_dpdk_get_config(const struct netdev *, struct smap *);

#endif
