// SPDX-License-Identifier: Apache-2.0
//
// Huge pages as EAL finds them.  Main thread only.
#ifndef NETDEV_DPDK_HUGE_H
#define NETDEV_DPDK_HUGE_H

#include <stdbool.h>
#include <stdint.h>

// In huge pages of any size that nobody uses.
uint64_t dpdk_huge_free_bytes(void);
// Megabytes in those of NUMA node 'node'; of all with -1.  0 when there is no such node.
uint64_t dpdk_huge_free_mb(int node);
// The largest size of which some are free, which EAL takes first; 0: there are none.
uint64_t dpdk_huge_page_bytes(void);
// The machine has no NUMA node but 0.
bool dpdk_huge_has_one_node(void);
// Waits for DPDK processes that are starting: each holds EAL's lock on its directories of huge
// pages until it has taken its pages, and EAL would wait for it, too, but with a choice made before
// and for ever.  'only': a directory, or NULL for all.  False if somebody keeps a lock.
bool dpdk_huge_wait(const char *only);
// NULL if every mounted directory of huge pages can be opened; else one that can, or "/", which is
// none: EAL does not start when it chooses one that another mount hides, and without files
// (--in-memory) it needs none.  The caller frees it.
char *dpdk_huge_dir(void);
// Gives up EAL's locks on directories of huge pages, which it keeps when its start fails: no other
// DPDK process on the machine could start any more.
void dpdk_huge_unlock(void);

#endif
