// SPDX-License-Identifier: Apache-2.0
/*
 * Scans over bitmaps, a word at a time.
 */
#include "base/bitmap.h"

size_t
bitmap_scan(const uint64_t *bitmap, bool value, size_t start, size_t n_bits)
{
    uint64_t flip = value ? 0 : UINT64_MAX;

    while (start < n_bits) {
        uint64_t word = (bitmap[start / 64] ^ flip) >> (start % 64);
        if (word != 0) {
            return MIN(start + (size_t)__builtin_ctzll(word), n_bits);
        }
        start = (start / 64 + 1) * 64;
    }
    return n_bits;
}

size_t
bitmap_count(const uint64_t *bitmap, size_t n_bits)
{
    size_t count = 0;

    for (size_t i = 0; i < n_bits / 64; i++) {
        count += (size_t)__builtin_popcountll(bitmap[i]);
    }
    if (n_bits % 64 != 0) {
        uint64_t mask = (UINT64_C(1) << (n_bits % 64)) - 1;
        count += (size_t)__builtin_popcountll(bitmap[n_bits / 64] & mask);
    }
    return count;
}
