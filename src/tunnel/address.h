/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of both families as one type: an IPv4 address a.b.c.d is ::ffff:a.b.c.d, and an IPv4
 * prefix of n bits one of 96 + n.  Pure functions, any thread.
 */
#ifndef TUNNEL_ADDRESS_H
#define TUNNEL_ADDRESS_H

#include <netinet/in.h>

#include "base/str.h"

enum { ADDRESS_BITS = 128, ADDRESS_IP4_PLEN = 96 };

static inline bool
address_is_ip4(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

static inline bool
address_is_set(const struct in6_addr *a)
{
    return !IN6_IS_ADDR_UNSPECIFIED(a);
}

struct in6_addr address_from_ip4(be32_t ip);
/* 'a' with all but its first 'plen' (0 to 128) bits zero. */
struct in6_addr address_prefix(const struct in6_addr *a, unsigned int plen);

/* "1.2.3.4" or "fc00::1"; false leaves '*a' undefined. */
bool address_parse(const char *s, struct in6_addr *a);
/* The same, with "/LENGTH" or "/MASK" behind it or not; '*plen' is out of 128. */
bool address_parse_prefix(const char *s, struct in6_addr *a, unsigned int *plen);

void address_format(struct str *s, const struct in6_addr *a);

#endif
