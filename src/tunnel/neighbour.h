/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neighbours of tunnels: which MAC address an IP address has on a bridge.  tnl/neigh/set puts
 * entries in, tnl/neigh/show shows them.  Main thread.
 *
 * An entry lives for the time of tnl/neigh/aging after it was put.  What goes beyond NEIGHBOURS_MAX
 * is refused, not exchanged for another.
 */
#ifndef TUNNEL_NEIGHBOUR_H
#define TUNNEL_NEIGHBOUR_H

#include <net/if.h>

#include <rte_ether.h>

#include "tunnel/address.h"

enum {
    NEIGHBOURS_MAX = 16384,
    NEIGHBOURS_AGING_S = 900, /* the default */
    NEIGHBOURS_MAX_AGING_S = 3600,
};

struct neighbours;

struct neighbours *neighbours_create(void);
/* NULL is fine. */
void neighbours_destroy(struct neighbours *);

/* Puts an entry or replaces it, and begins its life.  0, or -ENOSPC.  Of 'bridge' IFNAMSIZ - 1
 * bytes count. */
int neighbours_put(struct neighbours *, const char *bridge, const struct in6_addr *ip,
                   const struct rte_ether_addr *mac);
/* Removes all entries. */
void neighbours_flush(struct neighbours *);

/* Seconds, 1 to NEIGHBOURS_MAX_AGING_S.  A shorter time counts for what is there already. */
void neighbours_set_aging(struct neighbours *, unsigned int seconds);
unsigned int neighbours_aging(const struct neighbours *);

/* The table that tnl/neigh/show prints, by IP address. */
void neighbours_format(struct neighbours *, struct str *);

#endif
