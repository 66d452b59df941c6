// SPDX-License-Identifier: Apache-2.0
//
// A start of EAL that does only what this daemon needs (docs/decisions/0009-a-quick-start.md).
//
// EAL reads 128 driver libraries (60 ms), sleeps 100 ms to measure the processor's clock where the
// processor does not tell it, and asks 4096 times which CPU is on which NUMA node (8 ms).  Packets
// wait meanwhile whenever the switch starts again.  Between begin and end, in the calling thread
// only: drivers are not read (dpdk_load_driver() reads them when a port needs one), the sleep is a
// tenth, nodes that do not exist are not asked about, and memory files of huge pages are those of
// dpdk_ahead.h where it has some.  Main thread only.
#ifndef NETDEV_DPDK_QUICK_H
#define NETDEV_DPDK_QUICK_H

#include <stdbool.h>

// With 'lazy_drivers' EAL finds no drivers of its own.
void dpdk_quick_begin(bool lazy_drivers);
void dpdk_quick_end(void);

// Reads the library of the driver that 'devargs' (as in options:dpdk-devargs) names; all drivers of
// network devices when that is not one of the simple virtual ones.  What cannot be read is logged;
// the probe that follows says that nobody knows the device.  Nothing when EAL read all at start.
void dpdk_load_driver(const char *devargs);

#endif
