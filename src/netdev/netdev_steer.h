// SPDX-License-Identifier: Apache-2.0
//
// other_config:tx-steering=hash: what one thread sends goes to all of a device's queues, each
// connection to one of them.  By default (tx-steering=thread) a thread has one queue for
// everything. PMD threads, but for the first function.
#ifndef NETDEV_NETDEV_STEER_H
#define NETDEV_NETDEV_STEER_H

#include "netdev/netdev.h"

// A burst that is dealt out to queues.
struct netdev_steer {
    struct rte_mbuf **mbufs;
    uint16_t queues[NETDEV_MAX_BURST]; // of each; UINT16_MAX: has been dealt
    uint16_t n, next;
};

// Sets '*by_hash' as Interface.other_config says, and tells the log when that is another way.  Main
// thread.
void netdev_steer_configure(const struct netdev *, const struct smap *other_config, bool *by_hash);
// Chooses one of 'n_queues' (> 0) for each of the 'n' packets: by the hash that a NIC has left, or
// by addresses, protocol and ports; fragments without ports, what is no IP by its MAC addresses.
void netdev_steer_begin(struct netdev_steer *, struct rte_mbuf **mbufs, uint16_t n,
                        uint16_t n_queues);
// Puts the packets of the next queue into 'out' (NETDEV_MAX_BURST), in order, and returns how many
// these are; 0: there are no more.
uint16_t netdev_steer_next(struct netdev_steer *, struct rte_mbuf **out, uint16_t *queue);

#endif
