// SPDX-License-Identifier: Apache-2.0
/*
 * group_hash.c - a select group's table from dp_hash to bucket.
 *
 * Slots are dealt out by Webster's method (divisors 1, 3, 5...), which gives each bucket its share
 * to within one slot and spreads the slots of a bucket.  The number of slots is a power of two, at
 * least 16 and so many that the lightest bucket gets one; groups for which 256 would not do have no
 * table, and choose for each flow.  Main thread.
 */
#include <stdlib.h>

#include "base/util.h"
#include "ofproto/ofproto_priv.h"

enum { MIN_SLOTS = 16 };

struct share {
    uint32_t bucket;
    uint64_t weight;
    uint64_t divisor;
};

/* The buckets that have a weight, in a new array. */
static struct share *
shares_create(const struct ofgroup *g, size_t *n, uint64_t *min_slots)
{
    struct share *shares = xcalloc(g->n_buckets + 1, sizeof *shares);
    uint64_t total = 0, least = UINT64_MAX;

    *n = 0;
    for (size_t i = 0; i < g->n_buckets; i++) {
        uint64_t weight = g->buckets[i].weight;

        if (weight) {
            shares[(*n)++] = (struct share){(uint32_t)i, weight, 1};
            total += weight;
            least = MIN(least, weight);
        }
    }
    *min_slots = total ? (total + least - 1) / least : 0;
    return shares;
}

static uint32_t
next_winner(struct share *shares, size_t n)
{
    struct share *best = shares;

    for (struct share *s = shares + 1; s < shares + n; s++) {
        if (s->weight * best->divisor > best->weight * s->divisor) {
            best = s;
        }
    }
    best->divisor += 2;
    return best->bucket;
}

bool
group_hash_init(struct ofgroup *g)
{
    uint32_t n_slots = MIN_SLOTS;
    uint64_t min_slots;
    size_t n;
    struct share *shares = shares_create(g, &n, &min_slots);
    bool fits = n && min_slots <= OFGROUP_MAX_SLOTS;

    while (fits && n_slots < min_slots) {
        n_slots *= 2;
    }
    if (fits) {
        g->slots = xcalloc(n_slots, sizeof *g->slots);
        g->n_slots = n_slots;
        for (uint32_t i = 0; i < n_slots; i++) {
            g->slots[i] = next_winner(shares, n);
        }
    }
    free(shares);
    return fits;
}
