// SPDX-License-Identifier: Apache-2.0
/*
 * Growing text, the output of every formatter of flow/, and the helpers that format and scan the
 * small things (addresses, numbers with masks).  Control path only: it allocates.
 */
#ifndef SLUICE_FLOW_TEXT_H
#define SLUICE_FLOW_TEXT_H 1

#include <stdarg.h>

#include "flow/flow.h"

/* Zero-initialise; free with text_fini().  'str' is NUL-terminated once anything was appended. */
struct text {
    char *str;
    size_t len;
    size_t cap;
};

void text_fini(struct text *t);
/* The string, never NULL ("" when empty); still owned by 't'. */
const char *text_cstr(const struct text *t);
/* Returns the string for the caller to free() and empties 't'. */
char *text_steal(struct text *t);
void text_clear(struct text *t);
void text_put(struct text *t, const char *s);
void text_put_n(struct text *t, const char *s, size_t n);
void text_putc(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Removes 's' from the end, if it is there. */
void text_chomp(struct text *t, char c);
/* A new malloc'd string for error texts; aborts on exhaustion. */
char *text_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Append "aa:bb:cc:dd:ee:ff", "1.2.3.4", "fe80::1". */
void text_put_eth(struct text *t, const struct rte_ether_addr *mac);
void text_put_ipv4(struct text *t, rte_be32_t ip);
void text_put_ipv6(struct text *t, const struct in6_addr *ip);
/* With mask: nothing after an exact one, "/len" for a prefix, "/mask" else. */
void text_put_eth_masked(struct text *t, const struct rte_ether_addr *mac,
                         const struct rte_ether_addr *mask);
void text_put_ipv4_masked(struct text *t, rte_be32_t ip, rte_be32_t mask);
void text_put_ipv6_masked(struct text *t, const struct in6_addr *ip, const struct in6_addr *mask);

/*
 * Scanners: move '*s' behind what they read and return true, or leave it and return false. Integers
 * are decimal, 0x hexadecimal or 0 octal and must not exceed 'max'.
 */
bool scan_literal(const char **s, const char *literal);
bool scan_u64(const char **s, uint64_t max, uint64_t *value);
bool scan_eth(const char **s, struct rte_ether_addr *mac);
bool scan_ipv4(const char **s, rte_be32_t *ip);
bool scan_ipv6(const char **s, struct in6_addr *ip);

#endif
