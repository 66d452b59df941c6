// SPDX-License-Identifier: Apache-2.0
/*
 * Allocation that aborts, strict number parsing, error texts.  See util.h for the contracts.
 * Thread safe; nothing here is for a PMD after its start.
 */
#include "base/util.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/coverage.h"

COVERAGE_DEFINE(util_xalloc);

static NO_RETURN void
out_of_memory(void)
{
    static const char text[] = "ovs-vswitchd: virtual memory exhausted\n";

    fputs(text, stderr);
    abort();
}

/* A thread's first allocation may be that of its counters. */
static void
count_allocation(void)
{
    if (coverage_slots != NULL) {
        coverage_inc(util_xalloc);
    }
}

void *
xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    count_allocation();
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *
xcalloc(size_t n, size_t size)
{
    void *p = n && size ? calloc(n, size) : calloc(1, 1);

    count_allocation();
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *
xzalloc(size_t size)
{
    return xcalloc(1, size);
}

void *
xrealloc(void *p, size_t size)
{
    count_allocation();
    p = realloc(p, size ? size : 1);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        out_of_memory();
    }
    return xrealloc(p, bytes);
}

void *
xzalloc_cacheline(size_t size)
{
    size_t rounded = ROUND_UP(size ? size : 1, CACHE_LINE_SIZE);
    void *p = aligned_alloc(CACHE_LINE_SIZE, rounded);

    count_allocation();
    if (p == NULL) {
        out_of_memory();
    }
    memset(p, 0, rounded);
    return p;
}

void *
xmemdup(const void *p, size_t size)
{
    void *copy = xmalloc(size);

    if (size > 0) {
        memcpy(copy, p, size);
    }
    return copy;
}

char *
xmemdup0(const char *p, size_t len)
{
    char *copy = xmalloc(len + 1);

    if (len > 0) {
        memcpy(copy, p, len);
    }
    copy[len] = '\0';
    return copy;
}

char *
xstrdup(const char *s)
{
    return xmemdup0(s, strlen(s));
}

char *
xstrdup_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

char *
xvasprintf(const char *fmt, va_list args)
{
    char *s;

    if (vasprintf(&s, fmt, args) < 0) {
        out_of_memory();
    }
    return s;
}

char *
xasprintf(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *s = xvasprintf(fmt, args);
    va_end(args);
    return s;
}

size_t
str_copy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src);

    if (size > 0) {
        size_t n = MIN(len, size - 1);
        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}

/* Accepts what strtoull() and strtoll() do, except for leading white space. */
static bool
starts_like_number(const char *s)
{
    return s != NULL && ((s[0] >= '0' && s[0] <= '9') || s[0] == '-' || s[0] == '+' ||
                         (s[0] >= 'a' && s[0] <= 'f') || (s[0] >= 'A' && s[0] <= 'F'));
}

bool
str_to_i64(const char *s, int base, int64_t *value)
{
    char *end;

    if (!starts_like_number(s)) {
        return false;
    }
    errno = 0;
    long long x = strtoll(s, &end, base);
    if (errno != 0 || end == s || *end != '\0') {
        return false;
    }
    *value = x;
    return true;
}

bool
str_to_u64(const char *s, int base, uint64_t *value)
{
    char *end;

    if (!starts_like_number(s) || s[0] == '-') {
        return false;
    }
    errno = 0;
    unsigned long long x = strtoull(s, &end, base);
    if (errno != 0 || end == s || *end != '\0') {
        return false;
    }
    *value = x;
    return true;
}

bool
str_to_int(const char *s, int base, int *value)
{
    int64_t x;

    if (!str_to_i64(s, base, &x) || x < INT_MIN || x > INT_MAX) {
        return false;
    }
    *value = (int)x;
    return true;
}

bool
str_to_uint(const char *s, int base, unsigned int *value)
{
    uint64_t x;

    if (!str_to_u64(s, base, &x) || x > UINT_MAX) {
        return false;
    }
    *value = (unsigned int)x;
    return true;
}

bool
str_to_double(const char *s, double *value)
{
    char *end;

    if (s == NULL || s[0] == '\0' || strchr(" \t\n\v\f\r", s[0])) {
        return false;
    }
    errno = 0;
    double x = strtod(s, &end);
    if (end == s || *end != '\0' || errno == EINVAL || (errno == ERANGE && isinf(x))) {
        return false;
    }
    *value = x;
    return true;
}

const char *
err_str(int error)
{
    static _Thread_local char bufs[4][96];
    static _Thread_local unsigned int next;
    char *buf = bufs[next++ % ARRAY_SIZE(bufs)];

    return strerror_r(abs(error), buf, sizeof(bufs[0]));
}
