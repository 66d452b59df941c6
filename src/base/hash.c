// SPDX-License-Identifier: Apache-2.0
/*
 * Seeding and hashing of byte strings: eight bytes for each multiply, the length mixed in at the
 * end so that padded tails differ.
 */
#include "base/hash.h"

#include "base/random.h"

uint64_t hash_process_seed;

/* Early, so that tables made by other constructors are keyed as well. */
__attribute__((constructor(101))) static void
hash_seed_init(void)
{
    random_bytes(&hash_process_seed, sizeof(hash_process_seed));
}

void
hash_set_seed(uint64_t seed)
{
    hash_process_seed = seed;
}

static inline uint64_t
load_u64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
    return x;
}

static inline uint64_t
load_tail(const uint8_t *p, size_t len)
{
    uint64_t x = 0;

    memcpy(&x, p, len);
    return x;
}

uint64_t
hash_bytes(const void *data, size_t len, uint64_t basis)
{
    const uint8_t *p = data;
    uint64_t hash = basis ^ hash_process_seed;
    size_t left = len;

    for (; left >= 8; p += 8, left -= 8) {
        hash = hash_add(hash, load_u64(p));
    }
    if (left > 0) {
        hash = hash_add(hash, load_tail(p, left));
    }
    return hash_finish(hash_add(hash, len ^ UINT64_C(0xa0761d6478bd642f)));
}
