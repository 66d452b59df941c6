// SPDX-License-Identifier: Apache-2.0
/* See address.h. */
#include "tunnel/address.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct in6_addr
address_from_ip4(be32_t ip)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    memcpy(&a.s6_addr[12], &ip, sizeof(ip));
    return a;
}

struct in6_addr
address_prefix(const struct in6_addr *a, unsigned int plen)
{
    struct in6_addr prefix = {.s6_addr = {0}};

    memcpy(&prefix, a, plen / 8);
    if (plen % 8 != 0) {
        prefix.s6_addr[plen / 8] = (uint8_t)(a->s6_addr[plen / 8] & (0xff << (8 - plen % 8)));
    }
    return prefix;
}

bool
address_parse(const char *s, struct in6_addr *a)
{
    struct in_addr ip4;

    if (inet_pton(AF_INET, s, &ip4) == 1) {
        *a = address_from_ip4(ip4.s_addr);
        return true;
    }
    return inet_pton(AF_INET6, s, a) == 1;
}

/* The length of a mask; -1 if it has holes. */
static int
mask_plen(const struct in6_addr *mask)
{
    unsigned int plen = 0;

    while (plen < ADDRESS_BITS && (mask->s6_addr[plen / 8] & (0x80 >> plen % 8)) != 0) {
        plen++;
    }
    struct in6_addr prefix = address_prefix(mask, plen);
    return memcmp(&prefix, mask, sizeof(prefix)) == 0 ? (int)plen : -1;
}

/* What stands behind the slash. */
static bool
parse_plen(const char *s, bool is_ip4, unsigned int *plen)
{
    unsigned int offset = is_ip4 ? ADDRESS_IP4_PLEN : 0;
    struct in6_addr mask;

    if (str_to_uint(s, 10, plen)) {
        *plen += offset;
        return *plen >= offset && *plen <= ADDRESS_BITS;
    }
    if (inet_pton(is_ip4 ? AF_INET : AF_INET6, s, is_ip4 ? (void *)&mask.s6_addr[12] : &mask) !=
        1) {
        return false;
    }
    if (is_ip4) {
        memset(&mask, 0xff, ADDRESS_IP4_PLEN / 8);
    }
    int n = mask_plen(&mask);
    *plen = (unsigned int)n;
    return n >= 0;
}

bool
address_parse_prefix(const char *s, struct in6_addr *a, unsigned int *plen)
{
    const char *slash = strchr(s, '/');

    *plen = ADDRESS_BITS;
    if (slash == NULL) {
        return address_parse(s, a);
    }
    char *address = xmemdup0(s, (size_t)(slash - s));
    bool is_ip4 = strchr(address, ':') == NULL;
    bool ok = address_parse(address, a) && parse_plen(slash + 1, is_ip4, plen);
    free(address);
    return ok;
}

void
address_format(struct str *s, const struct in6_addr *a)
{
    if (address_is_ip4(a)) {
        be32_t ip4;
        memcpy(&ip4, &a->s6_addr[12], sizeof(ip4));
        str_put_ip4(s, ip4);
    } else {
        str_put_ip6(s, a);
    }
}
