// SPDX-License-Identifier: Apache-2.0
/*
 * Arrays of bits in 64-bit words: VLAN trunks, CPU masks, id pools.  Not atomic.
 */
#ifndef BASE_BITMAP_H
#define BASE_BITMAP_H

#include "base/util.h"

#define BITMAP_WORDS(n_bits) DIV_ROUND_UP((size_t)(n_bits), 64)

/* Returns new zeroed memory for 'n_bits'; free() it. */
static inline uint64_t *
bitmap_create(size_t n_bits)
{
    return xcalloc(MAX(BITMAP_WORDS(n_bits), (size_t)1), sizeof(uint64_t));
}

static inline bool
bitmap_is_set(const uint64_t *bitmap, size_t bit)
{
    return bitmap[bit / 64] >> (bit % 64) & 1;
}

static inline void
bitmap_set(uint64_t *bitmap, size_t bit)
{
    bitmap[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void
bitmap_clear(uint64_t *bitmap, size_t bit)
{
    bitmap[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* First bit in [start, n_bits) that is 'value', or 'n_bits'. */
size_t bitmap_scan(const uint64_t *bitmap, bool value, size_t start, size_t n_bits);
size_t bitmap_count(const uint64_t *bitmap, size_t n_bits);

#define BITMAP_FOREACH_SET(BIT, BITMAP, N_BITS)                             \
    for (size_t BIT = bitmap_scan(BITMAP, true, 0, N_BITS); BIT < (N_BITS); \
         BIT = bitmap_scan(BITMAP, true, BIT + 1, N_BITS))

#endif
