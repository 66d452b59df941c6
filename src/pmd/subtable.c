// SPDX-License-Identifier: Apache-2.0
//
// The flows of one mask: an array of buckets of seven words, written under the flow lock and read
// by PMDs without one (subtable_find() in megaflow.h).  A flow lies in the bucket of its hash or in
// one of the next; word 7 of the home bucket says how far to look, and never shrinks before the
// array is rebuilt.  An array is at most 4/7 full, so almost every lookup reads one line.
#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "pmd/megaflow.h"

enum { SUBTABLE_FILL = 4 }; // flows for each bucket before the array doubles

const struct subtable dead_subtable;

static struct subtable_map
subtable_map_create(uint32_t n_buckets)
{
    return (struct subtable_map){
        .b = xzalloc_cacheline(n_buckets * sizeof(struct bucket)),
        .bucket_mask = n_buckets - 1,
    };
}

static void
subtable_set_map(struct subtable *st, struct subtable_map map)
{
    uintptr_t log2 = (uintptr_t)__builtin_popcount(map.bucket_mask);

    atomic_store_explicit(&st->map, (uintptr_t)map.b | log2, memory_order_release);
}

struct subtable *
subtable_create(struct lane *lane, const uint64_t *mask, uint32_t n_words)
{
    struct subtable *st = xzalloc_cacheline(sizeof *st);

    st->lane = lane;
    st->basis = random_u64();
    st->n_words = n_words;
    if (n_words) {
        memcpy(st->mask, mask, n_words * sizeof *mask);
    }
    for (unsigned half = 0; lane && half < 2; half++) {
        uint64_t h = hash_2u64(lane->w0, lane->map, half + 1);
        st->ufid_basis[half] = hash_bytes(st->mask, n_words * sizeof *st->mask, h);
    }
    subtable_set_map(st, subtable_map_create(1));
    return st;
}

void
subtable_free(void *st_)
{
    struct subtable *st = st_;

    free(subtable_get_map(st).b);
    free(st->wild_mask);
    free(st);
}

static void
subtable_map_insert(struct subtable_map map, uint32_t hash, uint32_t slot)
{
    struct bucket *home = &map.b[hash & map.bucket_mask];

    for (uint32_t d = 0;; d++) {
        struct bucket *b = &map.b[(hash + d) & map.bucket_mask];
        for (unsigned i = 0; i < SUBTABLE_BUCKET_FLOWS; i++) {
            if (!bucket_get(b, i)) {
                // The reach first, so that no reader stops short of the word.
                if (bucket_get(home, SUBTABLE_BUCKET_FLOWS) < d) {
                    bucket_set(home, SUBTABLE_BUCKET_FLOWS, d);
                }
                bucket_set(b, i, bucket_word(hash, slot));
                return;
            }
        }
    }
}

static void
subtable_resize(struct subtable *st, uint32_t n_buckets)
{
    struct subtable_map old = subtable_get_map(st);
    struct subtable_map map = subtable_map_create(n_buckets);

    for (uint32_t i = 0; i <= old.bucket_mask; i++) {
        for (unsigned j = 0; j < SUBTABLE_BUCKET_FLOWS; j++) {
            uint64_t word = bucket_get(&old.b[i], j);
            if (word) {
                subtable_map_insert(map, bucket_word_hash(word), bucket_word_slot(word));
            }
        }
    }
    subtable_set_map(st, map);
    st->n_resizes++;
    rcu_free(old.b);
}

void
subtable_insert(struct subtable *st, uint32_t hash, uint32_t slot)
{
    struct subtable_map map = subtable_get_map(st);

    if (st->n_flows >= (map.bucket_mask + 1) * SUBTABLE_FILL) {
        subtable_resize(st, (map.bucket_mask + 1) * 2);
        map = subtable_get_map(st);
    }
    subtable_map_insert(map, hash, slot);
    st->n_flows++;
}

void
subtable_remove(struct subtable *st, uint32_t hash, uint32_t slot)
{
    struct subtable_map map = subtable_get_map(st);
    uint64_t word = bucket_word(hash, slot);

    for (uint32_t d = 0; d <= map.bucket_mask; d++) {
        struct bucket *b = &map.b[(hash + d) & map.bucket_mask];
        for (unsigned i = 0; i < SUBTABLE_BUCKET_FLOWS; i++) {
            if (bucket_get(b, i) == word) {
                bucket_set(b, i, 0);
                st->n_flows--;
                if (map.bucket_mask && st->n_flows < (map.bucket_mask + 1) / 2) {
                    subtable_resize(st, (map.bucket_mask + 1) / 2);
                }
                return;
            }
        }
    }
}
