// SPDX-License-Identifier: Apache-2.0
//
// Hash of a key's words under a mask, for the caches and the subtables.  Words are mixed in pairs by
// folded 64x64->128 multiplications with secret operands, random per process, so that nobody can
// aim at a bucket; the products of the pairs do not depend on each other, which keeps the latency of
// five words at that of two multiplications.
#ifndef PMD_KEY_HASH_H
#define PMD_KEY_HASH_H

#include "base/hash.h"
#include "flow/key.h"

// Drawn by dp_create(); read by everybody.
struct key_secret {
    uint64_t k[FLOW_KEY_MAX + 2];
};

static inline uint64_t
key_hash_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t) a * b;

    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

// 'basis' keeps tables apart that share the secret (a lane's or a subtable's own random number).
static inline uint32_t
key_hash(const uint64_t *w, const uint64_t *mask, uint32_t n, const struct key_secret *secret,
         uint64_t basis)
{
    uint64_t h = basis;
    uint32_t i;

    for (i = 0; i + 2 <= n; i += 2) {
        h ^= key_hash_mix((w[i] & mask[i]) ^ secret->k[i], (w[i + 1] & mask[i + 1]) ^ secret->k[i + 1]);
    }
    if (i < n) {
        h ^= key_hash_mix((w[i] & mask[i]) ^ secret->k[i], secret->k[i + 1]);
    }
    h = key_hash_mix(h, secret->k[FLOW_KEY_MAX] | 1);
    return (uint32_t) h;
}

#endif
