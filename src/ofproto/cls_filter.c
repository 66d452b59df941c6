// SPDX-License-Identifier: Apache-2.0
/*
 * cls_filter.c - see cls_filter.h.  Open addressing with linear probing, at most three quarters
 * full; a rebuild makes a new array and leaves the old one to readers until a grace period has
 * passed.
 */
#include "ofproto/cls_filter.h"

#include <stdlib.h>

#include "base/util.h"

static struct cls_filter_slots *
slots_create(uint32_t size)
{
    struct cls_filter_slots *s = xzalloc(sizeof *s + size * sizeof s->slot[0]);

    s->mask = size - 1;
    return s;
}

static void
slots_put(struct cls_filter_slots *s, uint64_t x)
{
    uint32_t i = (uint32_t)(x >> 32) & s->mask;

    while (atomic_load_explicit(&s->slot[i], memory_order_relaxed)) {
        i = (i + 1) & s->mask;
    }
    atomic_store_explicit(&s->slot[i], x, memory_order_release);
    s->n_used++;
    s->n_live++;
}

static struct cls_filter_slots *
slots_rebuild(struct cls_filter *f, struct cls_filter_slots *old)
{
    uint32_t size = 4;

    while (size < (old->n_live + 1) * 2) {
        size *= 2;
    }
    struct cls_filter_slots *s = slots_create(size);
    for (uint32_t i = 0; i <= old->mask; i++) {
        uint64_t x = atomic_load_explicit(&old->slot[i], memory_order_relaxed);
        if ((uint32_t)x) {
            slots_put(s, x);
        }
    }
    rcu_assign(&f->slots, s);
    rcu_free(old);
    return s;
}

void
cls_filter_add(struct cls_filter *f, uint32_t hash)
{
    struct cls_filter_slots *s = rcu_get_protected(&f->slots);

    if (!s) {
        s = slots_create(4);
        rcu_assign(&f->slots, s);
    }
    hash += !hash;
    for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t x = atomic_load_explicit(&s->slot[i], memory_order_relaxed);

        if (x >> 32 == hash) {
            s->n_live += !(uint32_t)x;
            atomic_store_explicit(&s->slot[i], x + 1, memory_order_release);
            return;
        }
        if (!x) {
            break;
        }
    }
    if ((s->n_used + 1) * 4 > (s->mask + 1) * 3) {
        s = slots_rebuild(f, s);
    }
    slots_put(s, (uint64_t)hash << 32 | 1);
}

void
cls_filter_del(struct cls_filter *f, uint32_t hash)
{
    struct cls_filter_slots *s = rcu_get_protected(&f->slots);

    hash += !hash;
    for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t x = atomic_load_explicit(&s->slot[i], memory_order_relaxed);

        if (x >> 32 == hash) {
            if ((uint32_t)x) {
                atomic_store_explicit(&s->slot[i], x - 1, memory_order_release);
                s->n_live -= (uint32_t)x == 1;
            }
            return;
        }
        if (!x) {
            return;
        }
    }
}

void
cls_filter_clear(struct cls_filter *f)
{
    struct cls_filter_slots *s = rcu_get_protected(&f->slots);

    rcu_assign(&f->slots, NULL);
    if (s) {
        rcu_free(s);
    }
}
