// SPDX-License-Identifier: Apache-2.0
//
// Watches the kernel's devices by netlink (RTMGRP_LINK) in the main loop, and tells every open
// device whose class has a link_event function.
#ifndef NETDEV_NETDEV_WATCH_H
#define NETDEV_NETDEV_WATCH_H

#include <linux/if_link.h>

#include "base/loop.h"

// 'fn' gets the device's name and index; 'name' NULL: events were lost, look at everything.
typedef void netdev_watch_fn(const char *name, int ifindex);

struct netdev_watch;
// Returns NULL where there is no netlink (then nothing is watched).
struct netdev_watch *netdev_watch_create(struct loop *, netdev_watch_fn *);
void netdev_watch_destroy(struct netdev_watch *);

// The kernel's counters of a device; 0 or a negative errno.
int netdev_link_stats(int ifindex, struct rtnl_link_stats64 *);

#endif
