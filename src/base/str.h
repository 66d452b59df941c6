// SPDX-License-Identifier: Apache-2.0
/*
 * A string that grows: build text piece by piece, then borrow it (str_cstr) or take it (str_steal).
 *
 *     struct str s = STR_INIT;
 *     str_printf(&s, "port %u", port);
 *     puts(str_cstr(&s));
 *     str_free(&s);
 *
 * Not thread safe; one owner at a time.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <netinet/in.h>

#include "base/util.h"

struct str {
    char *buf;       /* NULL until something is put; then always null terminated. */
    size_t len;      /* Bytes before the terminator. */
    size_t capacity; /* Bytes allocated, with the terminator's. */
};

#define STR_INIT ((struct str){NULL, 0, 0})

void str_init(struct str *s);
void str_free(struct str *s);
/* Length becomes 0; the memory is kept. */
void str_clear(struct str *s);
/* Cuts to 'len' bytes when it is longer. */
void str_truncate(struct str *s, size_t len);

void str_put(struct str *s, const char *text);
void str_put_mem(struct str *s, const void *p, size_t len);
void str_putc(struct str *s, char c);
void str_putc_n(struct str *s, char c, size_t n);
void str_printf(struct str *s, const char *fmt, ...) PRINTF_FORMAT(2, 3);
void str_vprintf(struct str *s, const char *fmt, va_list args) PRINTF_FORMAT(2, 0);
/* Makes room for 'len' uninitialised bytes at the end and returns them. */
char *str_put_uninit(struct str *s, size_t len);

/* The text, "" when empty.  Borrowed: valid until the next change. */
const char *str_cstr(const struct str *s);
/* Returns the text as new memory that the caller frees; 's' is empty again. */
char *str_steal(struct str *s);

/* Drops one trailing 'c' and says whether there was one. */
bool str_chomp(struct str *s, char c);
/* Drops all trailing white space. */
void str_trim_end(struct str *s);
bool str_ends_with(const struct str *s, const char *suffix);
bool str_starts_with(const struct str *s, const char *prefix);

/* Lower-case hex digits, two for each byte, no separator. */
void str_put_hex(struct str *s, const void *p, size_t len);
/* Like hexdump -C: offset, 16 bytes, ASCII; one line for each 16 bytes. */
void str_put_hexdump(struct str *s, const void *p, size_t len, size_t offset);
/* aa:bb:cc:dd:ee:ff */
void str_put_eth(struct str *s, const uint8_t mac[6]);
void str_put_ip4(struct str *s, be32_t ip);
/* The canonical form of RFC 5952 (with an embedded dotted quad only for ::ffff:0:0/96). */
void str_put_ip6(struct str *s, const struct in6_addr *ip);
/* 'ip' with "/mask" unless exact: a prefix length when contiguous, an address otherwise. */
void str_put_ip4_masked(struct str *s, be32_t ip, be32_t mask);
void str_put_ip6_masked(struct str *s, const struct in6_addr *ip, const struct in6_addr *mask);
/* 8-4-4-4-12 lower-case hex digits from 16 bytes. */
void str_put_uuid(struct str *s, const uint8_t uuid[16]);

#endif
