// SPDX-License-Identifier: Apache-2.0
//
// bucket_match_plain() with SSE: the upper halves of eight words become two vectors that are
// compared at once.  The loads are not atomic as a whole, but each 8-byte half is on x86-64, and
// whatever they saw is checked again on the flow itself.  test_bucket holds the two against each
// other.
#ifndef PMD_BUCKET_SSE_H
#define PMD_BUCKET_SSE_H

#include <emmintrin.h>

static inline unsigned
bucket_match(const struct bucket *b, uint32_t hash)
{
    const __m128 *line = (const __m128 *)(const void *)b;
    const __m128i sig = _mm_set1_epi32((int)hash);
    __m128 lo = _mm_shuffle_ps(line[0], line[1], _MM_SHUFFLE(3, 1, 3, 1));
    __m128 hi = _mm_shuffle_ps(line[2], line[3], _MM_SHUFFLE(3, 1, 3, 1));
    __m128i lo_eq = _mm_cmpeq_epi32(_mm_castps_si128(lo), sig);
    __m128i hi_eq = _mm_cmpeq_epi32(_mm_castps_si128(hi), sig);

    return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(lo_eq)) |
           (unsigned)_mm_movemask_ps(_mm_castsi128_ps(hi_eq)) << 4;
}

#endif
