/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tunnels need before there is one: routes, neighbours, and the range of UDP source ports.
 * Made and destroyed by main.c, in the main thread; its commands are in tunnel_ctl.c.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include "base/loop.h"
#include "tunnel/neighbour.h"
#include "tunnel/route.h"

struct tunnel;

/* Registers tnl/... and ovs/route/....  Without 'follow_kernel' (--disable-system-route) only the
 * routes of users are known. */
struct tunnel *tunnel_create(struct loop *loop, bool follow_kernel);
/* NULL is fine.  No other thread may use the tables any more. */
void tunnel_destroy(struct tunnel *);

/* Lookups in both are for any thread: see their headers. */
const struct routes *tunnel_routes(const struct tunnel *);
struct neighbours *tunnel_neighbours(struct tunnel *);
/* The UDP source ports of encapsulated packets, in host order, both ends included.  Any thread. */
void tunnel_source_ports(const struct tunnel *, uint16_t *min, uint16_t *max);

#endif
