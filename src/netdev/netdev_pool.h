// SPDX-License-Identifier: Apache-2.0
//
// Packet buffers: pools of mbufs, shared by all devices of one frame size and NUMA node as long as
// the pool has room for what they may hold at once.  Main thread only (mbufs themselves come and go
// on any thread).
#ifndef NETDEV_NETDEV_POOL_H
#define NETDEV_NETDEV_POOL_H

#include <rte_ether.h>
#include <rte_mempool.h>

#include "base/str.h"

struct netdev_pool;

struct netdev_pool_wish {
    int mtu;
    int numa_id;
    unsigned int n_mbufs; // that the device's queues may hold at once
    const char *owner;    // a pool of this device's own, or NULL: shared
};

// Returns a pool that fits, counted; NULL and a new '*errorp' when memory is short.
struct netdev_pool *netdev_pool_get(const struct netdev_pool_wish *, char **errorp);
// Gives it back ('wish' as it was got).  The memory goes once the last mbuf has come home.
void netdev_pool_put(struct netdev_pool *, const struct netdev_pool_wish *);
struct rte_mempool *netdev_pool_mempool(const struct netdev_pool *);
// The largest frame, without FCS, that fits into one mbuf for an MTU.
static inline unsigned int
netdev_frame_size(int mtu)
{
    return (unsigned int)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
}
// Text of netdev-dpdk/get-mempool-info: all pools, or the one of 'only'.
void netdev_pool_dump(const struct rte_mempool *only, struct str *);
void netdev_pool_fini(void);

#endif
