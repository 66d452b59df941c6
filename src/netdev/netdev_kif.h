// SPDX-License-Identifier: Apache-2.0
//
// Asks and changes a kernel device by ioctl: what tap and system devices share.  The socket says in
// which network namespace the name is looked up, so that a device that has moved is still found.
// Main thread only.
#ifndef NETDEV_NETDEV_KIF_H
#define NETDEV_NETDEV_KIF_H

#include <net/if.h>

#include "netdev/netdev.h"

struct netdev_kif {
    char name[IFNAMSIZ];
    int fd;            // AF_INET socket in the device's namespace
    bool asks_phy;     // for the carrier, but only by netdev_kif_look()
    bool last_carrier; // of the last look, to count changes, and for who asks between two looks
    uint64_t resets;
};

// -EINVAL for a name that the kernel cannot have ("", too long, with a slash or space).
int netdev_kif_init(struct netdev_kif *, const char *name);
void netdev_kif_fini(struct netdev_kif *);

// Each: 0 (or the value), or a negative errno.
int netdev_kif_ifindex(const struct netdev_kif *);
int netdev_kif_get_mac(const struct netdev_kif *, struct rte_ether_addr *);
int netdev_kif_set_mac(const struct netdev_kif *, const struct rte_ether_addr *);
int netdev_kif_get_mtu(const struct netdev_kif *);
int netdev_kif_set_mtu(const struct netdev_kif *, int mtu);
int netdev_kif_get_flags(const struct netdev_kif *); // enum netdev_flags
int netdev_kif_set_flags(const struct netdev_kif *, int off, int on);
// Asks now, the PHY too.
bool netdev_kif_carrier(const struct netdev_kif *);
// Does not ask the PHY: its carrier is that of the last look, which 'resets' counts.
void netdev_kif_get_link(const struct netdev_kif *, struct netdev_link *);
// driver_name, driver_version, firmware_version.
void netdev_kif_get_status(const struct netdev_kif *, struct smap *);
// Looks at the carrier, after a link event or when it is time to ask the PHY, and counts changes.
void netdev_kif_look(struct netdev_kif *);

#endif
