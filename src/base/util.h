// SPDX-License-Identifier: Apache-2.0
/*
 * Small helpers that every folder uses: allocation that cannot fail, array and alignment
 * arithmetic, big-endian integer types.
 *
 * Control-path allocation aborts on exhaustion, so callers never check for NULL.  Whatever a peer
 * sizes must have been bounded before it arrives here.  Nothing here is for a PMD after its start.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

/* Distinct names for big-endian integers, compatible with DPDK's header structs. */
typedef rte_be16_t be16_t;
typedef rte_be32_t be32_t;
typedef rte_be64_t be64_t;

#define PRINTF_FORMAT(fmt, first) __attribute__((format(printf, fmt, first)))
#define NO_RETURN __attribute__((noreturn))
#define WARN_UNUSED __attribute__((warn_unused_result))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CACHE_LINE_SIZE 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE_SIZE)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(x, y) (((x) + (y)-1) / (y))
#define ROUND_UP(x, y) (DIV_ROUND_UP(x, y) * (y))
#define IS_POW2(x) ((x) != 0 && ((x) & ((x)-1)) == 0)

/* Each argument is evaluated once; a counter names the temporaries, so that uses may nest. */
#define UTIL_CAT_(a, b) a##b
#define UTIL_CAT(a, b) UTIL_CAT_(a, b)
#define UTIL_PICK_(a, op, b, id)                                                  \
    __extension__({                                                               \
        __typeof__(a) UTIL_CAT(pick_a_, id) = (a);                                \
        __typeof__(b) UTIL_CAT(pick_b_, id) = (b);                                \
        UTIL_CAT(pick_a_, id)                                                     \
        op UTIL_CAT(pick_b_, id) ? UTIL_CAT(pick_a_, id) : UTIL_CAT(pick_b_, id); \
    })
#undef MIN
#undef MAX
#define MIN(a, b) UTIL_PICK_(a, <, b, __COUNTER__)
#define MAX(a, b) UTIL_PICK_(a, >, b, __COUNTER__)

#undef container_of
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Host to network order and back. */
#define htobe16_(x) ((be16_t)rte_cpu_to_be_16(x))
#define htobe32_(x) ((be32_t)rte_cpu_to_be_32(x))
#define htobe64_(x) ((be64_t)rte_cpu_to_be_64(x))
#define be16toh_(x) rte_be_to_cpu_16(x)
#define be32toh_(x) rte_be_to_cpu_32(x)
#define be64toh_(x) rte_be_to_cpu_64(x)

/* Loads and stores that need no alignment, in network order. */
static inline uint16_t
get_be16(const void *p)
{
    be16_t x;

    memcpy(&x, p, sizeof(x));
    return be16toh_(x);
}

static inline uint32_t
get_be32(const void *p)
{
    be32_t x;

    memcpy(&x, p, sizeof(x));
    return be32toh_(x);
}

static inline uint64_t
get_be64(const void *p)
{
    be64_t x;

    memcpy(&x, p, sizeof(x));
    return be64toh_(x);
}

static inline void
put_be16(void *p, uint16_t x)
{
    be16_t be = htobe16_(x);

    memcpy(p, &be, sizeof(be));
}

static inline void
put_be32(void *p, uint32_t x)
{
    be32_t be = htobe32_(x);

    memcpy(p, &be, sizeof(be));
}

static inline void
put_be64(void *p, uint64_t x)
{
    be64_t be = htobe64_(x);

    memcpy(p, &be, sizeof(be));
}

/* Each returns new memory that the caller frees with free(); aborts when there is none. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xzalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* Like xrealloc() for 'n' elements of 'size' bytes; aborts when the product overflows. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
/* Zeroed memory that starts on a cache line (for structs that CACHE_ALIGNED marks). */
void *xzalloc_cacheline(size_t size) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
/* Like xmemdup(), with a null byte after the copy. */
char *xmemdup0(const char *p, size_t len) __attribute__((malloc, returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* NULL for NULL. */
char *xstrdup_null(const char *s) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) PRINTF_FORMAT(1, 2) __attribute__((malloc, returns_nonnull));
char *xvasprintf(const char *fmt, va_list args) PRINTF_FORMAT(1, 0)
    __attribute__((malloc, returns_nonnull));

/* Copies 'src' into 'dst' of 'size' bytes, always terminates it (unless 'size' is 0), and returns
 * strlen(src): a result >= 'size' says that the copy was cut. */
size_t str_copy(char *dst, const char *src, size_t size);

/* Whole-string conversions, no white space, no trailing characters.  False leaves '*value' alone.
 */
bool str_to_int(const char *s, int base, int *value);
bool str_to_uint(const char *s, int base, unsigned int *value);
bool str_to_u64(const char *s, int base, uint64_t *value);
bool str_to_i64(const char *s, int base, int64_t *value);
bool str_to_double(const char *s, double *value);

/* Text of an errno (positive or negative), thread safe; valid until the thread's fourth next call.
 */
const char *err_str(int error);

#endif
