/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of routes by which a tunnel finds its way: those of the kernel (route_kernel.h) and
 * those that a user put in with ovs/route/add.  Which of several that fit counts is as in Open
 * vSwitch: the one with the highest rank, where a route's rank is its prefix length, 32 more for a
 * user's and 64 more for one of the host's own addresses.
 *
 * The main thread writes; any thread that is online for RCU looks up.  The table that readers see
 * never changes: a change makes another one.
 */
#ifndef TUNNEL_ROUTE_H
#define TUNNEL_ROUTE_H

#include <net/if.h>

#include "tunnel/address.h"

enum { ROUTES_MAX_USER = 4096, ROUTES_MAX_CACHED = 65536 };

enum route_kind {
    ROUTE_CACHED, /* the kernel's */
    ROUTE_USER,
    ROUTE_LOCAL, /* the kernel's, to an address of this host */
};

struct route {
    struct in6_addr dst; /* bits beyond 'plen' are 0 */
    struct in6_addr gw;  /* "::": the destination is on the link */
    struct in6_addr src; /* that packets sent by it have */
    uint32_t mark;       /* only packets with this mark */
    uint32_t metric;     /* of routes with the same rank, prefix and mark the lowest counts... */
    uint32_t order;      /* ...and of these the last one; set by routes_set_cached() */
    uint8_t plen;        /* 0 to 128; at least 96 for IPv4 */
    uint8_t kind;        /* enum route_kind */
    char dev[IFNAMSIZ];
};

struct routes;

struct routes *routes_create(void);
/* NULL is fine.  Nobody may look up any more. */
void routes_destroy(struct routes *);

/* Puts a user's route, in the place of the one with its prefix and mark if there is one.  'kind'
 * and bits of 'dst' beyond 'plen' do not matter.  0, or -ENOSPC with ROUTES_MAX_USER. */
int routes_put_user(struct routes *, const struct route *);
/* False: there is none. */
bool routes_del_user(struct routes *, const struct in6_addr *dst, unsigned int plen, uint32_t mark);
/* Puts the kernel's routes in the place of all that it had.  Sorts 'cached', else borrowed.  No
 * more than ROUTES_MAX_CACHED. */
void routes_set_cached(struct routes *, struct route *cached, size_t n);

/* The route of a packet to 'dst'; NULL: there is none.  Valid until this thread's next quiescent
 * state.  An IPv4 address never takes an IPv6 route. */
const struct route *routes_lookup(const struct routes *, uint32_t mark, const struct in6_addr *dst);

/* A line for each route, as ovs/route/show has them: by rank, then by address. */
void routes_format(const struct routes *, struct str *);

#endif
