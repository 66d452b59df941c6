// SPDX-License-Identifier: Apache-2.0
//
// The switch's side of the relay (src/relay/): a process for each vhost-user port that keeps the
// front-end's connection while the switch is away.  Main thread only.
//
// DPDK's library is a client of the relay's inner socket, whichever side listens outside.
#ifndef NETDEV_NETDEV_VHOST_RELAY_H
#define NETDEV_NETDEV_VHOST_RELAY_H

#include <stdbool.h>

struct loop;
struct netdev_vhost_relay;

// Starts a relay for port 'name', or takes over the one that an earlier switch left, if it is of
// our version and for this side; others are let go.  'outer' is the front-end's socket; the relay
// listens on it if 'is_server'.  NULL when there can be none: the port then works without.
struct netdev_vhost_relay *netdev_vhost_relay_open(const char *name, const char *outer,
                                                   bool is_server, struct loop *);
// Lets all relays go that an earlier switch left for port 'name': it does without.
void netdev_vhost_relay_dismiss(const char *name);
// The socket for the library; borrowed.
const char *netdev_vhost_relay_path(const struct netdev_vhost_relay *);
// Before the library's end of the connection is closed: the relay closes the front-end's, or, after
// netdev_keep_guests(), stops the rings and keeps it.  Waits for the vhost thread for a short
// while: the caller is offline for RCU.
void netdev_vhost_relay_release(struct netdev_vhost_relay *);
// The same for all ports, which are waited for together.
void netdev_vhost_relay_release_all(void);
// After it.  NULL is fine.
void netdev_vhost_relay_close(struct netdev_vhost_relay *);

#endif
