/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the table of routes like the kernel's when somebody asks.  Main thread.
 *
 * All routes are read, and only if netlink told of a route, address or device since the last time:
 * routes that flap cost nothing while nobody looks at them.
 */
#ifndef TUNNEL_ROUTE_KERNEL_H
#define TUNNEL_ROUTE_KERNEL_H

#include "tunnel/route.h"

struct route_kernel;

/* 'routes' is borrowed, and empty of the kernel's until the first refresh.  NULL where there is no
 * netlink, which the log says. */
struct route_kernel *route_kernel_create(struct routes *routes);
/* NULL is fine. */
void route_kernel_destroy(struct route_kernel *);

/* Brings the table up to what the kernel has now.  NULL is fine. */
void route_kernel_refresh(struct route_kernel *);

#endif
