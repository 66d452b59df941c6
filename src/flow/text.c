// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - growing text and the scanners.
 */
#include "flow/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"

static void
reserve(struct text *t, size_t n)
{
    if (t->len + n + 1 > t->cap) {
        t->cap = MAX(t->cap * 2, t->len + n + 64);
        t->str = xrealloc(t->str, t->cap);
    }
}

void
text_fini(struct text *t)
{
    free(t->str);
    *t = (struct text){0};
}

const char *
text_cstr(const struct text *t)
{
    return t->str ? t->str : "";
}

char *
text_steal(struct text *t)
{
    char *s = t->str ? t->str : xstrdup("");

    *t = (struct text){0};
    return s;
}

void
text_clear(struct text *t)
{
    t->len = 0;
    if (t->str) {
        t->str[0] = '\0';
    }
}

void
text_put_n(struct text *t, const char *s, size_t n)
{
    reserve(t, n);
    memcpy(t->str + t->len, s, n);
    t->len += n;
    t->str[t->len] = '\0';
}

void
text_put(struct text *t, const char *s)
{
    text_put_n(t, s, strlen(s));
}

void
text_putc(struct text *t, char c)
{
    text_put_n(t, &c, 1);
}

void
text_vprintf(struct text *t, const char *fmt, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n > 0) {
        reserve(t, (size_t)n);
        vsnprintf(t->str + t->len, (size_t)n + 1, fmt, args);
        t->len += (size_t)n;
    }
}

void
text_printf(struct text *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    text_vprintf(t, fmt, args);
    va_end(args);
}

void
text_chomp(struct text *t, char c)
{
    if (t->len && t->str[t->len - 1] == c) {
        t->str[--t->len] = '\0';
    }
}

char *
text_error(const char *fmt, ...)
{
    struct text t = {0};
    va_list args;

    va_start(args, fmt);
    text_vprintf(&t, fmt, args);
    va_end(args);
    return text_steal(&t);
}

/* --- addresses ---------------------------------------------------------------------------- */

void
text_put_eth(struct text *t, const struct rte_ether_addr *mac)
{
    text_printf(t, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(mac));
}

void
text_put_ipv4(struct text *t, rte_be32_t ip)
{
    uint8_t b[4];

    memcpy(b, &ip, sizeof b);
    text_printf(t, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

void
text_put_ipv6(struct text *t, const struct in6_addr *ip)
{
    char s[INET6_ADDRSTRLEN];

    text_put(t, inet_ntop(AF_INET6, ip, s, sizeof s));
}

/* Number of leading ones if 'mask' (of 'size' bytes) is a prefix, else -1. */
static int
prefix_len(const uint8_t *mask, unsigned size)
{
    unsigned n = 0;

    while (n < size * 8 && mask[n / 8] >> (7 - n % 8) & 1) {
        n++;
    }
    for (unsigned i = n; i < size * 8; i++) {
        if (mask[i / 8] >> (7 - i % 8) & 1) {
            return -1;
        }
    }
    return (int)n;
}

void
text_put_eth_masked(struct text *t, const struct rte_ether_addr *mac,
                    const struct rte_ether_addr *mask)
{
    text_put_eth(t, mac);
    if (!rte_is_broadcast_ether_addr(mask)) {
        text_putc(t, '/');
        text_put_eth(t, mask);
    }
}

void
text_put_ipv4_masked(struct text *t, rte_be32_t ip, rte_be32_t mask)
{
    int len = prefix_len((const uint8_t *)&mask, sizeof mask);

    text_put_ipv4(t, ip);
    if (len < 0) {
        text_putc(t, '/');
        text_put_ipv4(t, mask);
    } else if (len < 32) {
        text_printf(t, "/%d", len);
    }
}

void
text_put_ipv6_masked(struct text *t, const struct in6_addr *ip, const struct in6_addr *mask)
{
    int len = prefix_len(mask->s6_addr, sizeof *mask);

    text_put_ipv6(t, ip);
    if (len < 0) {
        text_putc(t, '/');
        text_put_ipv6(t, mask);
    } else if (len < 128) {
        text_printf(t, "/%d", len);
    }
}

/* --- scanners ----------------------------------------------------------------------------- */

bool
scan_literal(const char **s, const char *literal)
{
    size_t n = strlen(literal);

    if (strncmp(*s, literal, n)) {
        return false;
    }
    *s += n;
    return true;
}

bool
scan_u64(const char **s, uint64_t max, uint64_t *value)
{
    char *end;
    unsigned long long n;

    if (**s < '0' || **s > '9') {
        return false;
    }
    errno = 0;
    n = strtoull(*s, &end, 0);
    if (errno || end == *s || n > max) {
        return false;
    }
    *s = end;
    *value = n;
    return true;
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool
scan_eth(const char **s, struct rte_ether_addr *mac)
{
    const char *p = *s;

    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
        int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

        if (high < 0) {
            return false;
        }
        if (low < 0) {
            mac->addr_bytes[i] = (uint8_t)high;
            p++;
        } else {
            mac->addr_bytes[i] = (uint8_t)(high << 4 | low);
            p += 2;
        }
        if (i < RTE_ETHER_ADDR_LEN - 1 && *p++ != ':') {
            return false;
        }
    }
    *s = p;
    return true;
}

/* The address of 'family' at '*s', made of characters of 'set'. */
static bool
scan_address(const char **s, int family, const char *set, void *address)
{
    char copy[INET6_ADDRSTRLEN];
    size_t n = strspn(*s, set);

    if (!n || n >= sizeof copy) {
        return false;
    }
    memcpy(copy, *s, n);
    copy[n] = '\0';
    if (inet_pton(family, copy, address) != 1) {
        return false;
    }
    *s += n;
    return true;
}

bool
scan_ipv4(const char **s, rte_be32_t *ip)
{
    return scan_address(s, AF_INET, "0123456789.", ip);
}

bool
scan_ipv6(const char **s, struct in6_addr *ip)
{
    return scan_address(s, AF_INET6, "0123456789abcdefABCDEF:.", ip);
}
