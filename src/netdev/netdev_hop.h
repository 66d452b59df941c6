// SPDX-License-Identifier: Apache-2.0
//
// Whom this host sends packets for an address to.  Main thread.
#ifndef NETDEV_NETDEV_HOP_H
#define NETDEV_NETDEV_HOP_H

#include <rte_byteorder.h>
#include <rte_ether.h>

// The MAC address to which the kernel, by its routes and its table of neighbours, would send a
// packet for 'ip': that of the address itself or of a gateway, on whichever device.  0, or a
// negative errno: -ENOENT while the neighbour has not answered yet, -EADDRNOTAVAIL for an address
// of this host's own.  Asks the kernel and waits for its answer.
int netdev_next_hop_mac(rte_be32_t ip, struct rte_ether_addr *mac);

#endif
