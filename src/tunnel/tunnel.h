/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tunnels need before there is one: routes, neighbours, and the range of UDP source ports.
 * Made and destroyed by main.c, in the main thread; its commands are in tunnel_ctl.c.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include <stdbool.h>

#include "tunnel/neighbour.h"
#include "tunnel/route.h"

struct tunnel;

/* Registers tnl/... and ovs/route/....  Without 'follow_kernel' (--disable-system-route) only the
 * routes of users are known. */
struct tunnel *tunnel_create(bool follow_kernel);
/* NULL is fine. */
void tunnel_destroy(struct tunnel *);

#endif
