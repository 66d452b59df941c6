// SPDX-License-Identifier: Apache-2.0
//
// What a guest sends that was told to leave checksums and segmentation to us
// (userspace-tso-enable): begun checksums are completed, super-frames are cut, so that frames in
// the datapath are whole as everywhere.  One struct for each receiving queue, owned by the thread
// that polls it; main makes and frees it while nobody polls.
#ifndef NETDEV_NETDEV_VHOST_CUT_H
#define NETDEV_NETDEV_VHOST_CUT_H

#include "netdev/netdev_gso.h"
#include "netdev/netdev_provider.h"

enum { VHOST_SUPER_MAX = 65535 + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN };

struct netdev_vhost_cut {
    struct rte_mbuf *waiting[NETDEV_MAX_BURST]; // as the library delivered them
    uint16_t n_waiting, next;
    bool cutting;
    struct netdev_super super; // lies in 'area'
    uint8_t area[VHOST_SUPER_MAX];
};

struct netdev_vhost_cut *netdev_vhost_cut_create(void);
void netdev_vhost_cut_destroy(struct netdev_vhost_cut *); // NULL is fine; frees what waits
// Forgets what waits: it came from a guest that is gone.
void netdev_vhost_cut_clear(struct netdev_vhost_cut *);

static inline bool
netdev_vhost_cut_pending(const struct netdev_vhost_cut *cut)
{
    return cut->cutting || cut->next < cut->n_waiting;
}

// Makes whole frames of at most 'max_frame' bytes of what waits, with buffers of 'pool', until
// 'mbufs' has NETDEV_MAX_BURST or nothing waits; how many.  Bad frames are freed and counted.
uint16_t netdev_vhost_cut_deliver(struct netdev_vhost_cut *, struct rte_mempool *pool,
                                  uint32_t max_frame, struct netdev_queue_counts *,
                                  struct rte_mbuf **mbufs);

#endif
