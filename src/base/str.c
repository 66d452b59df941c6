// SPDX-License-Identifier: Apache-2.0
/*
 * The growable string of str.h.  Capacity doubles, so appending is linear in the final length.
 */
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

void
str_init(struct str *s)
{
    *s = STR_INIT;
}

void
str_free(struct str *s)
{
    free(s->buf);
    *s = STR_INIT;
}

void
str_clear(struct str *s)
{
    str_truncate(s, 0);
}

void
str_truncate(struct str *s, size_t len)
{
    if (len < s->len) {
        s->len = len;
        s->buf[len] = '\0';
    }
}

char *
str_put_uninit(struct str *s, size_t len)
{
    size_t need = s->len + len + 1;

    if (need > s->capacity) {
        s->capacity = MAX(need, MAX(s->capacity * 2, (size_t)64));
        s->buf = xrealloc(s->buf, s->capacity);
    }
    char *p = s->buf + s->len;
    s->len += len;
    s->buf[s->len] = '\0';
    return p;
}

void
str_put_mem(struct str *s, const void *p, size_t len)
{
    if (len > 0) {
        memcpy(str_put_uninit(s, len), p, len);
    }
}

void
str_put(struct str *s, const char *text)
{
    str_put_mem(s, text, strlen(text));
}

void
str_putc(struct str *s, char c)
{
    *str_put_uninit(s, 1) = c;
}

void
str_putc_n(struct str *s, char c, size_t n)
{
    if (n > 0) {
        memset(str_put_uninit(s, n), c, n);
    }
}

void
str_vprintf(struct str *s, const char *fmt, va_list args)
{
    va_list again;
    size_t room = s->capacity - s->len;

    va_copy(again, args);
    int len = vsnprintf(s->buf ? s->buf + s->len : NULL, s->buf ? room : 0, fmt, args);
    if (len >= 0 && (size_t)len < room) {
        s->len += (size_t)len;
    } else if (len >= 0) {
        char *p = str_put_uninit(s, (size_t)len);
        vsnprintf(p, (size_t)len + 1, fmt, again);
    } else if (s->buf) {
        s->buf[s->len] = '\0';
    }
    va_end(again);
}

void
str_printf(struct str *s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    str_vprintf(s, fmt, args);
    va_end(args);
}

const char *
str_cstr(const struct str *s)
{
    return s->buf ? s->buf : "";
}

char *
str_steal(struct str *s)
{
    char *text = s->buf ? s->buf : xstrdup("");

    *s = STR_INIT;
    return text;
}

bool
str_chomp(struct str *s, char c)
{
    if (s->len == 0 || s->buf[s->len - 1] != c) {
        return false;
    }
    str_truncate(s, s->len - 1);
    return true;
}

void
str_trim_end(struct str *s)
{
    size_t len = s->len;

    while (len > 0 && isspace((unsigned char)s->buf[len - 1])) {
        len--;
    }
    str_truncate(s, len);
}

bool
str_ends_with(const struct str *s, const char *suffix)
{
    size_t len = strlen(suffix);

    return s->len >= len && memcmp(str_cstr(s) + s->len - len, suffix, len) == 0;
}

bool
str_starts_with(const struct str *s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s->len >= len && memcmp(str_cstr(s), prefix, len) == 0;
}

void
str_put_hex(struct str *s, const void *p, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = p;

    if (len == 0) {
        return;
    }
    char *out = str_put_uninit(s, len * 2);
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void
str_put_hexdump(struct str *s, const void *p, size_t len, size_t offset)
{
    const uint8_t *bytes = p;

    for (size_t line = 0; line < len; line += 16) {
        size_t n = MIN(len - line, (size_t)16);

        str_printf(s, "%08zx  ", offset + line);
        for (size_t i = 0; i < 16; i++) {
            if (i < n) {
                str_printf(s, "%02x", bytes[line + i]);
            } else {
                str_put(s, "  ");
            }
            str_putc(s, i == 7 ? '-' : ' ');
        }
        str_put(s, " |");
        for (size_t i = 0; i < 16; i++) {
            int c = i < n ? bytes[line + i] : ' ';
            str_putc(s, isprint(c) && c < 128 ? (char)c : '.');
        }
        str_put(s, "|\n");
    }
}

void
str_put_eth(struct str *s, const uint8_t mac[6])
{
    str_printf(s, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void
str_put_ip4(struct str *s, be32_t ip)
{
    uint32_t host = be32toh_(ip);

    str_printf(s, "%u.%u.%u.%u", host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255);
}

/* Finds the longest run of at least two zero groups, the first of equals (RFC 5952 section 4.2). */
static unsigned int
longest_zero_run(const uint16_t groups[8], unsigned int *run_len)
{
    unsigned int best = 8, best_len = 1;

    for (unsigned int i = 0; i < 8;) {
        unsigned int j = i;
        while (j < 8 && groups[j] == 0) {
            j++;
        }
        if (j - i > best_len) {
            best = i;
            best_len = j - i;
        }
        i = j + 1;
    }
    *run_len = best_len;
    return best;
}

void
str_put_ip6(struct str *s, const struct in6_addr *ip)
{
    uint16_t groups[8];
    unsigned int run_len;

    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        be32_t ip4;
        memcpy(&ip4, &ip->s6_addr[12], sizeof(ip4));
        str_put(s, "::ffff:");
        str_put_ip4(s, ip4);
        return;
    }
    for (unsigned int i = 0; i < 8; i++) {
        groups[i] = get_be16(&ip->s6_addr[2 * i]);
    }
    unsigned int run = longest_zero_run(groups, &run_len);
    for (unsigned int i = 0; i < 8; i++) {
        if (i == run) {
            str_put(s, "::");
            i += run_len - 1;
            continue;
        }
        if (i > 0 && i != run + run_len) {
            str_putc(s, ':');
        }
        str_printf(s, "%x", groups[i]);
    }
}

void
str_put_ip4_masked(struct str *s, be32_t ip, be32_t mask)
{
    uint32_t host_mask = be32toh_(mask);

    str_put_ip4(s, ip);
    if (host_mask == UINT32_MAX) {
        return;
    }
    str_putc(s, '/');
    if (((~host_mask + 1) & ~host_mask) == 0) {
        str_printf(s, "%d", __builtin_popcount(host_mask));
    } else {
        str_put_ip4(s, mask);
    }
}

/* Prefix length of a contiguous mask, -1 otherwise. */
static int
ip6_mask_len(const struct in6_addr *mask)
{
    int len = 0;

    while (len < 128 && mask->s6_addr[len / 8] & (0x80 >> len % 8)) {
        len++;
    }
    for (int i = len; i < 128; i++) {
        if (mask->s6_addr[i / 8] & (0x80 >> i % 8)) {
            return -1;
        }
    }
    return len;
}

void
str_put_ip6_masked(struct str *s, const struct in6_addr *ip, const struct in6_addr *mask)
{
    int len = ip6_mask_len(mask);

    str_put_ip6(s, ip);
    if (len == 128) {
        return;
    }
    str_putc(s, '/');
    if (len >= 0) {
        str_printf(s, "%d", len);
    } else {
        str_put_ip6(s, mask);
    }
}

void
str_put_uuid(struct str *s, const uint8_t uuid[16])
{
    static const uint8_t group_ends[] = {4, 6, 8, 10, 16};
    unsigned int start = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(group_ends); i++) {
        str_put_hex(s, uuid + start, group_ends[i] - start);
        start = group_ends[i];
        if (start < 16) {
            str_putc(s, '-');
        }
    }
}
