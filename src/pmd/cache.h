// SPDX-License-Identifier: Apache-2.0
//
// The two caches of a PMD in front of the subtables.  Both hold words of hash and slot (bucket.h);
// the hash covers only the bits that some megaflow of the packet's lane looks at, so packets that
// no flow tells apart share an entry.
//
//   EMC  one word for each index, as many as emc-entries says; by default small enough for the
//        first levels of the CPU's cache.  Fed with a probability of 1/emc-insert-inv-prob, and
//        left alone while it thrashes.
//   SMC  lines of eight words, sized to the active flows by the keeper (keeper.c).
//
// Only the owner writes; the keeper reads and clears words of the SMC (that is what the words are
// atomic for) and replaces the whole table under RCU.
#ifndef PMD_CACHE_H
#define PMD_CACHE_H

#include "base/rcu.h"
#include "pmd/bucket.h"

enum {
    EMC_ENTRIES_MIN = 1 << 10,
    EMC_ENTRIES_DEFAULT = 1 << 13,
    EMC_ENTRIES_MAX = 1 << 20,
    EMC_WINDOW = 8192, // lookups after which the hit rate is judged: so many, or one for each word
    EMC_REST = 32,     // windows' lookups to skip after a bad one
    SMC_MIN_BUCKETS = 1 << 10,
    SMC_MAX_BUCKETS_DEFAULT = 1 << 18, // 2 M words in 16 MB
    SMC_MAX_BUCKETS_LIMIT = 1 << 19,   // twice the flows that can be there
};

// The words of an EMC; replaced as a whole, by an empty one, when there are to be more or fewer.
struct emc_table {
    uint32_t n_entries;         // a power of two
    uint32_t n_lookups, n_hits; // in this window
    uint32_t rest;              // lookups to skip
    uint64_t *w;                // mapped; the PMD writes atomically: main counts those in use
};

struct emc {
    RCU_PTR(struct emc_table) table; /* main: w, pmd: r; the table is the PMD's */
    uint32_t inv_prob;               // that 'countdown' is of
    int64_t countdown;               // candidates until the next insertion
    _Atomic uint64_t n_evicted;      /* pmd: w, main: r; words that had to go for another */
};

struct emc_table *emc_table_create(uint32_t n_entries);
void emc_table_free(void *table);

struct smc {
    uint32_t mask;
    uint32_t n_buckets;
    _Atomic uint64_t n_evicted; /* pmd: w, keeper, main: r */
    struct bucket *b;           // mapped
};

struct smc *smc_create(uint32_t n_buckets);
// With the words of 'from' in it, while its owner goes on using that.
struct smc *smc_create_from(const struct smc *from, uint32_t n_buckets);
void smc_free(void *smc);
// Words in use; clears 'part' of 'n_parts', so that words of flows no longer active go.
uint32_t smc_sweep(struct smc *, uint32_t part, uint32_t n_parts);

static inline void
smc_prefetch(const struct smc *smc, uint32_t hash)
{
    __builtin_prefetch(&smc->b[hash & smc->mask]);
}

void smc_insert(struct smc *, uint32_t hash, uint32_t slot);

#endif
