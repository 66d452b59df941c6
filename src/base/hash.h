// SPDX-License-Identifier: Apache-2.0
/*
 * 64-bit hashes, seeded once per process from the kernel's generator so that nobody outside can aim
 * at a bucket.  A folded 64x64->128 bit multiply mixes; quality is checked in the unit test.  Not
 * for anything that leaves the process, and not stable between runs.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/util.h"

/* Set before main(); constant afterwards. */
extern uint64_t hash_process_seed;

static inline uint64_t
hash_seed(void)
{
    return hash_process_seed;
}

/* Tests that want a run to repeat. */
void hash_set_seed(uint64_t seed);

/* The core: both halves of the product matter, so folding keeps the high bits' mixing. */
static inline uint64_t
hash_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Adds a word to a running hash. */
static inline uint64_t
hash_add(uint64_t hash, uint64_t word)
{
    return hash_mix(hash ^ word ^ UINT64_C(0x8bb84b93962eacc9), hash_process_seed | 1) +
           (word << 32 | word >> 32);
}

static inline uint64_t
hash_finish(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

/* One word, with 'basis' 0 or the hash of what came before. */
static inline uint64_t
hash_u64(uint64_t x, uint64_t basis)
{
    return hash_finish(hash_add(basis ^ hash_process_seed, x));
}

static inline uint64_t
hash_2u64(uint64_t x, uint64_t y, uint64_t basis)
{
    return hash_finish(hash_add(hash_add(basis ^ hash_process_seed, x), y));
}

uint64_t hash_bytes(const void *p, size_t len, uint64_t basis);

static inline uint64_t
hash_string(const char *s, uint64_t basis)
{
    return hash_bytes(s, strlen(s), basis);
}

static inline uint64_t
hash_pointer(const void *p, uint64_t basis)
{
    return hash_u64((uint64_t)(uintptr_t)p, basis);
}

#endif
