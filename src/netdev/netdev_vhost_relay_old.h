// SPDX-License-Identifier: Apache-2.0
//
// Relays that this switch does not use: what an earlier one has left and those that hang.  Called
// by netdev_vhost_relay.c.  Main thread only.
#ifndef NETDEV_NETDEV_VHOST_RELAY_OLD_H
#define NETDEV_NETDEV_VHOST_RELAY_OLD_H

#include <stdbool.h>

// The names of the sockets of a relay: the library's, which this returns as a new string, and with
// ".ctl" behind it the switch's.
char *netdev_vhost_relay_inner_path(const char *dir, const char *name, int version, bool is_server);
// A connection to it that does not wait, of SOCK_STREAM or SOCK_SEQPACKET; -1 and errno.
int netdev_vhost_relay_connect(const char *path, int type);
// Lets the relays of port 'name' go, and waits until they have, or ends them.  The one with the
// control socket 'own' stays; may be NULL.
void netdev_vhost_relay_dismiss_others(const char *name, const char *dir, const char *own);
// Ends the relay of port 'name' with this control socket, which does not hear, and removes its
// sockets' files but for a front-end's.  One that waits for a file system ends when that answers:
// its files go all the same.
void netdev_vhost_relay_kill(const char *name, const char *control_path);

#endif
