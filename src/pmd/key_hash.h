// SPDX-License-Identifier: Apache-2.0
//
// Hash of a key's words under a mask, for the caches and the subtables.  Words are mixed in pairs
// by folded 64x64->128 multiplications with secret operands, random per process, so that nobody can
// aim at a bucket; the products of the pairs do not depend on each other, which keeps the latency
// of five words at that of two multiplications.
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
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline __attribute__((always_inline)) uint64_t
key_hash_n(const uint64_t *w, const uint64_t *mask, uint32_t n, const uint64_t *k, uint64_t h)
{
    uint32_t i;

    for (i = 0; i + 2 <= n; i += 2) {
        h ^= key_hash_mix((w[i] & mask[i]) ^ k[i], (w[i + 1] & mask[i + 1]) ^ k[i + 1]);
    }
    if (i < n) {
        h ^= key_hash_mix((w[i] & mask[i]) ^ k[i], k[i + 1]);
    }
    return h;
}

// 'basis' keeps tables apart that share the secret (a lane's or a subtable's own random number).
// The lengths of the most common shapes (IPv4, IPv4 with a tag, IPv6) are unrolled.
static inline uint32_t
key_hash(const uint64_t *w, const uint64_t *mask, uint32_t n, const struct key_secret *secret,
         uint64_t basis)
{
    uint64_t h = LIKELY(n == 4) ? key_hash_n(w, mask, 4, secret->k, basis)
                 : n == 5       ? key_hash_n(w, mask, 5, secret->k, basis)
                 : n == 8       ? key_hash_n(w, mask, 8, secret->k, basis)
                                : key_hash_n(w, mask, n, secret->k, basis);

    return (uint32_t)key_hash_mix(h, secret->k[FLOW_KEY_MAX] | 1);
}

// Do two keys agree in the bits of 'mask'?
static inline __attribute__((always_inline)) bool
key_same_n(const uint64_t *a, const uint64_t *b, const uint64_t *mask, uint32_t n)
{
    uint64_t diff = 0;

    for (uint32_t i = 0; i < n; i++) {
        diff |= (a[i] ^ b[i]) & mask[i];
    }
    return !diff;
}

static inline bool
key_same(const uint64_t *a, const uint64_t *b, const uint64_t *mask, uint32_t n)
{
    return LIKELY(n == 4) ? key_same_n(a, b, mask, 4)
           : n == 5       ? key_same_n(a, b, mask, 5)
           : n == 8       ? key_same_n(a, b, mask, 8)
                          : key_same_n(a, b, mask, n);
}

#endif
