// SPDX-License-Identifier: Apache-2.0
/*
 * The datapath's form of a flow: only the words that a packet has, with a bitmap.
 *
 * Bit i of 'map' says that word i of struct flow is in 'w', after the words of all lower bits.  A
 * word that is not there is zero.  key_extract() gives equal packets equal maps and words, so that
 * exact matching may compare map and words as they stand; a word of 'w' may nevertheless be zero.
 *
 * A megaflow is a mask (struct flow_key whose words are masks, none zero) and a value with the same
 * map.  PMD threads build these per packet; everything here is inline and allocates nothing.
 */
#ifndef SLUICE_FLOW_KEY_H
#define SLUICE_FLOW_KEY_H 1

#include "flow/flow.h"

#define FLOW_KEY_MAX FLOW_KEY_WORDS

struct flow_key {
    uint64_t map;
    uint32_t hash; /* the owner's: key_extract() leaves it alone */
    uint32_t n;    /* words in 'w', == popcount(map) */
    uint64_t w[FLOW_KEY_MAX];
};

static_assert(offsetof(struct flow_key, w) == 16, "a common key is one and a half cache lines");

static inline uint32_t
flow_key_size(const struct flow_key *k)
{
    return (uint32_t)offsetof(struct flow_key, w) + k->n * 8;
}

/* The position in 'w' of word 'i', whose bit must be set in 'map'. */
static inline uint32_t
flow_key_index(uint64_t map, uint32_t i)
{
    return (uint32_t)__builtin_popcountll(map & ((UINT64_C(1) << i) - 1));
}

/* Word 'i' of the flow, zero if the key does not have it. */
static inline uint64_t
flow_key_word(const struct flow_key *k, uint32_t i)
{
    return k->map >> i & 1 ? k->w[flow_key_index(k->map, i)] : 0;
}

static inline bool
flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    return a->map == b->map && !memcmp(a->w, b->w, a->n * 8);
}

/*
 * The word of 'k' for each set bit of 'mask->map' in turn, ANDed with the mask's word, is what
 * masked hash and compare work on.  flow_key_mask() writes them to 'out' (mask->n words).
 */
static inline void
flow_key_mask(const struct flow_key *k, const struct flow_key *mask, uint64_t *out)
{
    uint64_t map = mask->map;
    for (uint32_t i = 0; map; i++, map &= map - 1) {
        out[i] = flow_key_word(k, (uint32_t)__builtin_ctzll(map)) & mask->w[i];
    }
}

/* True if 'k' under 'mask' equals 'value', whose map is the mask's. */
static inline bool
flow_key_match(const struct flow_key *k, const struct flow_key *mask, const struct flow_key *value)
{
    uint64_t map = mask->map;
    uint64_t diff = 0;
    for (uint32_t i = 0; map; i++, map &= map - 1) {
        diff |= (flow_key_word(k, (uint32_t)__builtin_ctzll(map)) & mask->w[i]) ^ value->w[i];
    }
    return !diff;
}

/* One step of the words' hash: a 64x64->128 multiply folded (seeded; not for persistent use). */
static inline uint64_t
flow_hash_word(uint64_t h, uint64_t w)
{
    __uint128_t p = (__uint128_t)(h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint32_t
flow_hash_finish(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

/*
 * The hash of the whole key under 'seed', which must be secret per process.  Words are mixed in
 * pairs, each offset by the seed, so that an attacker cannot cancel a multiplication.
 */
static inline uint32_t
flow_key_hash(const struct flow_key *k, uint64_t seed)
{
    uint64_t h = seed ^ k->map;
    for (uint32_t i = 0; i < k->n; i++) {
        h = flow_hash_word(h, k->w[i]);
    }
    return flow_hash_finish(h);
}

/* The hash of 'k' under 'mask'; equal to that of the masked words with flow_key_hash_words(). */
static inline uint32_t
flow_key_hash_masked(const struct flow_key *k, const struct flow_key *mask, uint64_t seed)
{
    uint64_t map = mask->map;
    uint64_t h = seed;
    for (uint32_t i = 0; map; i++, map &= map - 1) {
        h = flow_hash_word(h, flow_key_word(k, (uint32_t)__builtin_ctzll(map)) & mask->w[i]);
    }
    return flow_hash_finish(h);
}

static inline uint32_t
flow_key_hash_words(const uint64_t *w, uint32_t n, uint64_t seed)
{
    uint64_t h = seed;
    for (uint32_t i = 0; i < n; i++) {
        h = flow_hash_word(h, w[i]);
    }
    return flow_hash_finish(h);
}

/* The dense form; words beyond FLOW_KEY_WORDS become zero. */
void flow_from_key(const struct flow_key *k, struct flow *flow);

/* The sparse form of the key words of 'flow' that are not zero. */
void flow_key_from_flow(const struct flow *flow, struct flow_key *k);

/* The sparse form of a mask, and of the value under it (same map). */
void flow_key_from_mask(const struct flow_mask *mask, struct flow_key *k);
/* The same of some words: 'map' of them. */
void flow_key_from_mask_words(const struct flow_mask *mask, uint64_t map, struct flow_key *k);
void flow_key_value(const struct flow *flow, const struct flow_key *mask, struct flow_key *value);

#endif
