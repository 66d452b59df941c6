// SPDX-License-Identifier: Apache-2.0
//
// Takes the memory that dpdk-socket-mem or dpdk-alloc-mem asks for, beyond what was needed so far,
// some seconds after the start.  EAL would take it at its start, and while the kernel clears every
// page of it, 0.2 s for 1 GB on a quiet machine, nobody forwards.
//
// See docs/decisions/0034-a-restart-of-the-unit.md.
#ifndef NETDEV_DPDK_FILL_H
#define NETDEV_DPDK_FILL_H

#include "base/smap.h"

// Starts a thread that does it, once per process; nothing when the keys ask for nothing.  EAL runs
// on huge pages and without files.  'share_bytes' of the first number are left to a spare process.
// Main thread.
void dpdk_fill_begin(const struct smap *other_config, uint64_t share_bytes);
// Waits for the thread, which breaks off.  Main thread, before EAL ends.
void dpdk_fill_end(void);

#endif
