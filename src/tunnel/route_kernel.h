/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the table of routes like the kernel's.  Main thread.
 *
 * News of routes, addresses and devices come by netlink; then all routes are read again, soon and
 * not more often than ten times in a second.  What reads the table may ask for it to be fresh.
 */
#ifndef TUNNEL_ROUTE_KERNEL_H
#define TUNNEL_ROUTE_KERNEL_H

#include "base/loop.h"
#include "tunnel/route.h"

struct route_kernel;

/* Follows in 'loop' until it is destroyed; 'routes' is borrowed.  NULL where there is no netlink,
 * which the log says. */
struct route_kernel *route_kernel_create(struct loop *loop, struct routes *routes);
/* NULL is fine. */
void route_kernel_destroy(struct route_kernel *);

/* Brings the table up to what the kernel has now.  NULL is fine. */
void route_kernel_refresh(struct route_kernel *);

#endif
