/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message of rtnetlink(7) as a route.  Pure, any thread.
 */
#ifndef TUNNEL_ROUTE_MSG_H
#define TUNNEL_ROUTE_MSG_H

#include <libmnl/libmnl.h>

#include "tunnel/route.h"

/* Decodes an RTM_NEWROUTE, whatever its bytes are; it must lie wholly in its buffer, 4-byte aligned
 * at both ends.  True for a route that packets take: of the main, the local or the default
 * table, to a destination on a link, behind a gateway or of this host itself, by one device,
 * '*ifindex'.  'dev' and 'src' are left empty. */
bool route_msg_decode(const struct nlmsghdr *nlh, struct route *route, uint32_t *ifindex);

#endif
