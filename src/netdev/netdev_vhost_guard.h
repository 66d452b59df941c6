// SPDX-License-Identifier: Apache-2.0
//
// Survives guests whose memory is not there.  A guest's memory is a file that its front-end gave
// us; DPDK maps it without asking how long it is, and the front-end may cut it at any time.  A
// touch beyond its end is a SIGBUS, which would end the daemon and the traffic of everybody else.
#ifndef NETDEV_NETDEV_VHOST_GUARD_H
#define NETDEV_NETDEV_VHOST_GUARD_H

#include <stdint.h>

// Catches SIGBUS from now on; again is harmless.  Main thread.
void netdev_vhost_guard_start(void);
// How many pages have been put in place of missing ones.
uint64_t netdev_vhost_guard_count(void);

#endif
