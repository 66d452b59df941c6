// SPDX-License-Identifier: Apache-2.0
//
// The signature match cache: making, filling, resizing (see cache.h).  smc_insert() runs on the
// owning PMD, everything else on the keeper.
#include "pmd/cache.h"

#include <stdlib.h>

#include "pmd/huge.h"

struct smc *
smc_create(uint32_t n_buckets)
{
    struct smc *smc = xzalloc(sizeof *smc);

    smc->n_buckets = n_buckets;
    smc->mask = n_buckets - 1;
    smc->b = huge_map((size_t)n_buckets * sizeof *smc->b);
    return smc;
}

void
smc_free(void *smc_)
{
    struct smc *smc = smc_;

    if (smc) {
        huge_unmap(smc->b, (size_t)smc->n_buckets * sizeof *smc->b);
        free(smc);
    }
}

void
smc_insert(struct smc *smc, uint32_t hash, uint32_t slot)
{
    struct bucket *b = &smc->b[hash & smc->mask];
    unsigned same = bucket_match(b, hash);
    // Where nothing is free, one of eight by bits that neither choose the line nor repeat.
    unsigned victim = (hash >> 24 ^ slot) % BUCKET_WORDS;

    if (same) {
        victim = (unsigned)__builtin_ctz(same);
    } else {
        unsigned i = 0;
        while (i < BUCKET_WORDS && bucket_get(b, i)) {
            i++;
        }
        if (i < BUCKET_WORDS) {
            victim = i;
        } else {
            uint64_t n = atomic_load_explicit(&smc->n_evicted, memory_order_relaxed);
            atomic_store_explicit(&smc->n_evicted, n + 1, memory_order_relaxed);
        }
    }
    bucket_set(b, victim, bucket_word(hash, slot));
}

struct smc *
smc_create_from(const struct smc *from, uint32_t n_buckets)
{
    struct smc *smc = smc_create(n_buckets);

    for (uint32_t i = 0; i < from->n_buckets; i++) {
        for (unsigned j = 0; j < BUCKET_WORDS; j++) {
            uint64_t word = bucket_get(&from->b[i], j);
            if (word) {
                smc_insert(smc, bucket_word_hash(word), bucket_word_slot(word));
            }
        }
    }
    atomic_store_explicit(&smc->n_evicted, 0, memory_order_relaxed);
    return smc;
}

uint32_t
smc_sweep(struct smc *smc, uint32_t part, uint32_t n_parts)
{
    uint32_t from = (uint32_t)((uint64_t)smc->n_buckets * part / n_parts);
    uint32_t to = (uint32_t)((uint64_t)smc->n_buckets * (part + 1) / n_parts);
    uint32_t n = 0;

    for (uint32_t i = from; i < to; i++) {
        for (unsigned j = 0; j < BUCKET_WORDS; j++) {
            if (bucket_get(&smc->b[i], j)) {
                n++;
                bucket_set(&smc->b[i], j, 0);
            }
        }
    }
    return n;
}
