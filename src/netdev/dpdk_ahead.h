// SPDX-License-Identifier: Apache-2.0
//
// Huge pages that several threads clear before EAL asks for them
// (docs/decisions/0040-pages-cleared-by-many-threads.md).
//
// Without files in a file system (--in-memory) EAL makes a memory file for each huge page, maps it
// and touches it, one after the other in one thread, and the kernel clears each page in that touch:
// 0.2 s for each gigabyte in which nobody forwards.  Here a few threads make the same files, with
// pages in them, and EAL's memfd_create() (dpdk_quick.c) is given one of those.  Never more than
// EAL is going to take, and on the NUMA node that EAL has chosen; whatever cannot be had so is left
// to EAL's own way, which says what is wrong.
//
// All but dpdk_ahead_make() is for the thread that starts EAL.
#ifndef NETDEV_DPDK_AHEAD_H
#define NETDEV_DPDK_AHEAD_H

#include "base/util.h"

enum { DPDK_AHEAD_NODES = 32 }; // as EAL

// What EAL is about to take.
struct dpdk_ahead_plan {
    uint64_t bytes[DPDK_AHEAD_NODES]; // on each NUMA node
    unsigned int n_threads;           // less than 2: EAL does all by itself
    // Makes a memory file with 'flags' as of memfd_create(2) whose 'bytes' have been cleared; -1
    // when that is not to be had.  Any thread.
    int (*make)(unsigned int flags, uint64_t bytes);
};

void dpdk_ahead_begin(const struct dpdk_ahead_plan *);
// In place of memfd_create(name, flags): a file of ours, which is the caller's now; -1: it has to
// make its own.
int dpdk_ahead_take(const char *name, unsigned int flags);
// Gives back what nobody took.  Waits for pages that are being cleared.
void dpdk_ahead_end(void);

// For dpdk_ahead_plan.make.
int dpdk_ahead_make(unsigned int flags, uint64_t bytes);

#endif
