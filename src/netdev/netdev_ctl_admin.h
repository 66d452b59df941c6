// SPDX-License-Identifier: Apache-2.0
//
// What netdev-dpdk/set-admin-state and netdev-dummy/set-admin-state share.  Main thread.
#ifndef NETDEV_NETDEV_CTL_ADMIN_H
#define NETDEV_NETDEV_CTL_ADMIN_H

#include "netdev/netdev.h"

struct unixctl_conn;

// [netdev] up|down: of one device, or of all that 'is_ours' accepts; 'not_ours' answers a name that
// is none.
void netdev_ctl_set_admin_state(struct unixctl_conn *, int argc, const char *argv[],
                                bool (*is_ours)(const struct netdev *), const char *not_ours);

#endif
