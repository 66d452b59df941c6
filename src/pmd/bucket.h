// SPDX-License-Identifier: Apache-2.0
//
// The cache line that EMC's relatives are made of: eight words, each the 32-bit hash of a key in
// its upper half and the slot of a flow in its lower half.  Slot 0 is never a flow, so an empty
// word needs no test of its own.  A 32-bit signature makes a false candidate rare even in a line
// that many keys share, it holds the bits that choose the line (so a table can be resized without
// the keys), and a slot needs no dependent load before the flow's line can be prefetched.
#ifndef PMD_BUCKET_H
#define PMD_BUCKET_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/util.h"

#define BUCKET_WORDS 8

struct bucket {
    _Atomic uint64_t w[BUCKET_WORDS];
} CACHE_ALIGNED;

static_assert(sizeof(struct bucket) == 64, "one cache line");

static inline uint64_t
bucket_word(uint32_t hash, uint32_t slot)
{
    return (uint64_t)hash << 32 | slot;
}

static inline uint32_t
bucket_word_hash(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t
bucket_word_slot(uint64_t word)
{
    return (uint32_t)word;
}

static inline uint64_t
bucket_get(const struct bucket *b, unsigned i)
{
    return atomic_load_explicit(&b->w[i], memory_order_acquire);
}

static inline void
bucket_set(struct bucket *b, unsigned i, uint64_t word)
{
    atomic_store_explicit(&b->w[i], word, memory_order_release);
}

// Bit i is set for each word with this hash: the reference of what the CPU variants compute.
static inline unsigned
bucket_match_plain(const struct bucket *b, uint32_t hash)
{
    unsigned hits = 0;

    for (unsigned i = 0; i < BUCKET_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&b->w[i], memory_order_relaxed);
        hits |= (unsigned)(bucket_word_hash(word) == hash) << i;
    }
    return hits;
}

#if defined(__SSE4_1__) && !defined(__SANITIZE_THREAD__)
#include "pmd/bucket_sse.h"
#else
#define bucket_match bucket_match_plain
#endif

#endif
