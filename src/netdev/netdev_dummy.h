// SPDX-License-Identifier: Apache-2.0
//
// Ports for hermetic tests: frames arrive by command (netdev_dummy_ctl.c) and leave into pcap
// files.
#ifndef NETDEV_NETDEV_DUMMY_H
#define NETDEV_NETDEV_DUMMY_H

#include <netinet/in.h>

#include "netdev/netdev_provider.h"

bool netdev_is_dummy(const struct netdev *);
// Queues 'n' frames of 'size' bytes ('bytes' is copied) on 'qid', as if they had come from the
// wire. 0; -EINVAL for a queue that is not there; -ENOBUFS when the queue is full; -ENETDOWN.
int netdev_dummy_receive(struct netdev *, uint16_t qid, const void *bytes, size_t size);

// Of options:stream: "connected", "disconnected"; "unknown" without, and for one that listens.
const char *netdev_dummy_conn_state(const struct netdev *);

// The port has the address 'ip4' in a network of 'plen' bits and answers ARP requests for it; 0:
// none.
void netdev_dummy_set_ip4(struct netdev *, be32_t ip4, unsigned int plen);
// Likewise neighbour solicitations for 'ip6'; "::": for none.
void netdev_dummy_set_ip6(struct netdev *, const struct in6_addr *ip6, unsigned int plen);

#endif
