// SPDX-License-Identifier: Apache-2.0
//
// For tests of the fast path: packets from a small mempool, a device whose queues are the test's
// own functions, and a PMD that the test drives itself instead of a thread.
#ifndef TEST_PMD_FAKE_PORTS_H
#define TEST_PMD_FAKE_PORTS_H

#include "netdev/netdev.h"
#include "pmd/dp_int.h"

// Starts EAL without huge pages, once; the pool is netdev_default_pool().
void fake_start(void);
// The same for a group of tests in a process that has RCU to itself, with this thread in it.  The
// datapath's own threads run beside a test: memory waits for all of them.
int fake_group_start(void **state);

// A device of this name; 'tx' gets what is sent to it and must consume it.
struct netdev *fake_netdev(const char *name,
                           void (*tx)(struct netdev *, uint16_t, struct rte_mbuf **, uint16_t));
void fake_netdev_free(struct netdev *);

// A PMD without a thread in dp->pmds[1], with the datapath's settings.
struct pmd *fake_pmd(struct dp *);
void fake_pmd_free(struct dp *, struct pmd *);
// Sends to 'port' go to 'netdev'.
void fake_pmd_connect(struct pmd *, odp_port_t port, struct netdev *);

// One iteration with 'n' packets from 'in_port'.
void fake_pmd_receive(struct pmd *, odp_port_t in_port, struct rte_mbuf **, unsigned n);
// Iterations without packets until nothing is left to do.
void fake_pmd_settle(struct pmd *);

struct rte_mbuf *fake_packet(const void *data, uint32_t size);

#endif
