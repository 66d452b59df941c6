// SPDX-License-Identifier: Apache-2.0
//
// Starts sluice-vhost-relay (src/relay/), as a relay or as an inspector.  Any thread.
#ifndef NETDEV_NETDEV_VHOST_SPAWN_H
#define NETDEV_NETDEV_VHOST_SPAWN_H

// The program with the arguments 'argv' (up to NULL) and the 'n' descriptors 'fds', RELAY_N_FDS at
// most, which it has from RELAY_FD_CONTROL on, and nothing else beside standard streams.  They stay
// the caller's.  0 when it runs, as nobody's child; or a negative errno.
int netdev_vhost_spawn(char *const argv[], const int fds[], int n);

#endif
