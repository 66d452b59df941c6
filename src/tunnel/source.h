/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of this host's devices at one time, from which a route gets the source of its
 * packets.  Main thread.
 */
#ifndef TUNNEL_SOURCE_H
#define TUNNEL_SOURCE_H

#include "tunnel/address.h"

struct sources;

/* Asks the kernel, unless dummies stand in for its devices (--enable-dummy=override).  Returns a
 * new one. */
struct sources *sources_read(void);
void sources_free(struct sources *);

/* The name of the kernel's device 'ifindex'; NULL: none.  Borrowed. */
const char *sources_device(const struct sources *, unsigned int ifindex);

/* The address of device 'dev', an open port or a device of the kernel's, whose own prefix is the
 * longest that 'dst' lies in, or else that the gateway 'gw' ("::": none) lies in.  False: there is
 * none. */
bool sources_find(const struct sources *, const char *dev, const struct in6_addr *dst,
                  const struct in6_addr *gw, struct in6_addr *src);

#endif
