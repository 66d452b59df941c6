// SPDX-License-Identifier: Apache-2.0
/*
 * cls_order.c - the order in which subtables are searched: descending bounds of their priorities.
 *
 * Readers walk an immutable array.  Changes gather in a list of dirty subtables, and cls_publish()
 * makes the next array of them all at once: a bundle of a million rules costs one array, not one
 * for each rule.  A single rule still costs a copy of the array when it raises its subtable's
 * bound, so bounds are rounded up, the more coarsely the more subtables there are: that keeps the
 * sum of these copies in proportion to the number of rules.
 *
 * Main only.
 */
#include <stdlib.h>

#include "ofproto/cls_int.h"

/* Bounds are rounded up to one less than a multiple of a power of two, this at least. */
#define MIN_STEP 64u
/* So many subtables share each value that a step has. */
#define TABLES_PER_STEP 4u
#define MAX_STEP 8192u

static int32_t
bound_for(const struct cls *cls, int32_t priority)
{
    uint32_t step = MIN_STEP, n = HASH_COUNT(cls->subtables);

    while (step < MAX_STEP && step * TABLES_PER_STEP < n) {
        step *= 2;
    }
    return (int32_t)((uint32_t)priority | (step - 1));
}

void
cls_order_touch(struct cls *cls, struct cls_subtable *st)
{
    if (st->is_dirty) {
        return;
    }
    if (cls->n_dirty >= cls->allocated_dirty) {
        cls->allocated_dirty = MAX(cls->allocated_dirty * 2, (size_t)16);
        cls->dirty = xreallocarray(cls->dirty, cls->allocated_dirty, sizeof *cls->dirty);
    }
    cls->dirty[cls->n_dirty++] = st;
    st->is_dirty = true;
}

void
cls_order_raise(struct cls *cls, struct cls_subtable *st, int32_t priority)
{
    if (priority > st->bound) {
        st->bound = bound_for(cls, priority);
        cls_order_touch(cls, st);
    }
}

void
cls_order_lower(struct cls *cls, struct cls_subtable *st)
{
    int32_t bound = bound_for(cls, cls_subtable_max_priority(st));

    if (bound < st->bound) {
        st->bound = bound;
        cls_order_touch(cls, st);
    }
}

/* Empty ones last, else by descending bounds. */
static int
compare_dirty(const void *a_, const void *b_)
{
    const struct cls_subtable *a = *(struct cls_subtable *const *)a_;
    const struct cls_subtable *b = *(struct cls_subtable *const *)b_;

    if (!a->n_rules != !b->n_rules) {
        return a->n_rules ? -1 : 1;
    }
    return a->bound > b->bound ? -1 : a->bound < b->bound;
}

/* A single one, the common case, is known without a look into each subtable. */
static bool
is_dirty(const struct cls *cls, const struct cls_subtable *st)
{
    return cls->n_dirty == 1 ? st == cls->dirty[0] : st->is_dirty;
}

/* Merges the 'n' first dirty subtables, which are sorted, with those of the old order that are
 * clean. */
static struct cls_order *
order_create(const struct cls *cls, const struct cls_order *old, size_t n)
{
    size_t n_old = old ? old->n : 0, next = 0;
    struct cls_order *new = xmalloc(sizeof *new + (n_old + n) * sizeof new->e[0]);

    new->n = 0;
    for (size_t i = 0; i < n_old; i++) {
        if (is_dirty(cls, old->e[i].subtable)) {
            continue;
        }
        for (; next < n && cls->dirty[next]->bound > old->e[i].bound; next++) {
            new->e[new->n].bound = cls->dirty[next]->bound;
            new->e[new->n++].subtable = cls->dirty[next];
        }
        new->e[new->n++] = old->e[i];
    }
    for (; next < n; next++) {
        new->e[new->n].bound = cls->dirty[next]->bound;
        new->e[new->n++].subtable = cls->dirty[next];
    }
    return new;
}

void
cls_publish(struct cls *cls)
{
    struct cls_order *old = rcu_get_protected(&cls->order);
    size_t n = cls->n_dirty;

    if (!cls->n_dirty) {
        return;
    }
    qsort(cls->dirty, cls->n_dirty, sizeof *cls->dirty, compare_dirty);
    while (n && !cls->dirty[n - 1]->n_rules) {
        n--;
    }
    rcu_assign(&cls->order, order_create(cls, old, n));
    if (old) {
        rcu_free(old);
    }
    for (size_t i = 0; i < cls->n_dirty; i++) {
        cls->dirty[i]->is_dirty = false;
        if (i >= n) {
            cls_subtable_destroy(cls, cls->dirty[i]);
        }
    }
    cls->n_dirty = 0;
}
