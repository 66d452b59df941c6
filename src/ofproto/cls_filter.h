// SPDX-License-Identifier: Apache-2.0
/*
 * cls_filter.h - a counted set of 32-bit hashes: which partial hashes do the rules of a subtable
 * have after a stage.  "Not in the set" is certain, "in the set" may be a coincidence.
 *
 * One writer; lock-free readers under RCU.  A slot is hash << 32 | count; a count of zero keeps the
 * slot's hash until the next rebuild, so that probe sequences stay whole.
 */
#ifndef OFPROTO_CLS_FILTER_H
#define OFPROTO_CLS_FILTER_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/rcu.h"

struct cls_filter_slots {
    uint32_t mask;
    uint32_t n_used; /* slots that are not empty; main only */
    uint32_t n_live; /* slots with a count; main only */
    _Atomic uint64_t slot[];
};

struct cls_filter {
    RCU_PTR(struct cls_filter_slots) slots;
};

void cls_filter_add(struct cls_filter *, uint32_t hash);
void cls_filter_del(struct cls_filter *, uint32_t hash);
/* Memory goes after a grace period. */
void cls_filter_clear(struct cls_filter *);

/* Any thread. */
static inline bool
cls_filter_has(const struct cls_filter *f, uint32_t hash)
{
    const struct cls_filter_slots *s = rcu_get(&f->slots);

    if (!s) {
        return false;
    }
    hash += !hash;
    for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t x = atomic_load_explicit(&s->slot[i], memory_order_acquire);

        if (x >> 32 == hash) {
            return (uint32_t)x != 0;
        }
        if (!x) {
            return false;
        }
    }
}

#endif /* ofproto/cls_filter.h */
