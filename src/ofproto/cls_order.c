// SPDX-License-Identifier: Apache-2.0
/*
 * cls_order.c - the order in which subtables are searched: descending bounds of their priorities.
 *
 * Readers walk immutable arrays.  Changes gather in a list of dirty subtables, and cls_publish()
 * makes the next order of them all at once: a bundle of a million rules costs one array, not one
 * for each rule.  A single rule changes the order when it raises its subtable's bound, or brings a
 * mask.  It costs a copy of a short list then, the one of what was raised since the long list was
 * made; the long one follows when the short one is full.  Bounds are rounded up besides, the more
 * coarsely the more subtables there are.
 *
 * Main only.
 */
#include <stdlib.h>
#include <string.h>

#include "ofproto/cls_int.h"

/* Bounds are rounded up to one less than a multiple of a power of two, this at least. */
#define MIN_STEP 64u
/* So many subtables share each value that a step has. */
#define TABLES_PER_STEP 4u
#define MAX_STEP 8192u
/* Below so many subtables there is one list only; else so many may stand in the short one. */
#define MIN_BASE 256u
#define MAX_RAISED 64u

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
        st->is_lower = true;
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

/* Copies entries [from, to) of 'list'; returns how many there are in 'out' then. */
static size_t
copy_entries(struct cls_order_entry *out, size_t n_out, const struct cls_order_entry *list,
             size_t from, size_t to)
{
    if (from < to) {
        memcpy(&out[n_out], &list[from], (to - from) * sizeof *list);
    }
    return n_out + (to - from);
}

/* merge() of a single dirty subtable, the common case: a rule came alone.  It looks into no
 * subtable, and copies what is before, between and behind the places of the old entry and the new
 * one at a stretch. */
static size_t
move_one(struct cls_subtable *st, bool stays, const struct cls_order_entry *list, size_t n_list,
         struct cls_order_entry *to)
{
    size_t old = 0, place = 0, n_to;

    while (old < n_list && list[old].subtable != st) {
        old++;
    }
    while (place < n_list && list[place].bound >= st->bound) {
        place++;
    }
    n_to = copy_entries(to, 0, list, 0, MIN(old, place));
    if (old < place) {
        n_to = copy_entries(to, n_to, list, old + 1, place);
    }
    if (stays) {
        to[n_to++] = (struct cls_order_entry){st->bound, st};
    }
    if (old >= place) {
        n_to = copy_entries(to, n_to, list, place, old);
        place = MIN(old + 1, n_list);
    }
    return copy_entries(to, n_to, list, place, n_list);
}

/* Merges the 'n' first dirty subtables, which are sorted, with the clean ones of a list; returns
 * how many there are in 'to'. */
static size_t
merge(const struct cls *cls, size_t n, const struct cls_order_entry *list, size_t n_list,
      struct cls_order_entry *to)
{
    size_t next = 0, n_to = 0;

    if (cls->n_dirty == 1) {
        return move_one(cls->dirty[0], n == 1, list, n_list, to);
    }
    for (size_t i = 0; i < n_list; i++) {
        if (list[i].subtable->is_dirty) {
            continue;
        }
        for (; next < n && cls->dirty[next]->bound > list[i].bound; next++) {
            to[n_to++] = (struct cls_order_entry){cls->dirty[next]->bound, cls->dirty[next]};
        }
        to[n_to++] = list[i];
    }
    for (; next < n; next++) {
        to[n_to++] = (struct cls_order_entry){cls->dirty[next]->bound, cls->dirty[next]};
    }
    return n_to;
}

/* Sorts the dirty subtables; returns how many of them, the first ones, have rules. */
static size_t
sort_dirty(struct cls *cls)
{
    size_t n = cls->n_dirty;

    if (n > 1) {
        qsort(cls->dirty, n, sizeof *cls->dirty, compare_dirty);
    }
    while (n && !cls->dirty[n - 1]->n_rules) {
        n--;
    }
    return n;
}

/* No bound fell and no subtable is empty, and few of them are dirty. */
static bool
fits_short_list(const struct cls *cls, const struct cls_order *old, size_t n)
{
    if (!old || old->base->n < MIN_BASE || n < cls->n_dirty || old->n_raised + n > MAX_RAISED) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (cls->dirty[i]->is_lower) {
            return false;
        }
    }
    return true;
}

static struct cls_order *
order_create(size_t max_raised)
{
    struct cls_order *order = xmalloc(sizeof *order + max_raised * sizeof order->raised[0]);

    order->n_raised = 0;
    return order;
}

/* A new long list of everything; the short one is empty then. */
static struct cls_order *
rebuild(struct cls *cls, const struct cls_order *old, size_t *n)
{
    size_t n_old = old ? old->base->n : 0;
    struct cls_order *order = order_create(0);
    struct cls_order_base *base;

    for (size_t i = 0; old && i < old->n_raised; i++) {
        cls_order_touch(cls, old->raised[i].subtable);
    }
    *n = sort_dirty(cls);
    base = xmalloc(sizeof *base + (n_old + *n) * sizeof base->e[0]);
    base->n = merge(cls, *n, old ? old->base->e : NULL, n_old, base->e);
    order->base = base;
    return order;
}

void
cls_publish(struct cls *cls)
{
    struct cls_order *old = rcu_get_protected(&cls->order), *new;
    size_t n;

    if (!cls->n_dirty) {
        return;
    }
    n = sort_dirty(cls);
    if (fits_short_list(cls, old, n)) {
        new = order_create(old->n_raised + n);
        new->base = old->base;
        new->n_raised = merge(cls, n, old->raised, old->n_raised, new->raised);
    } else {
        new = rebuild(cls, old, &n);
    }
    rcu_assign(&cls->order, new);
    if (old) {
        if (old->base != new->base) {
            rcu_free((void *)(uintptr_t)old->base);
        }
        rcu_free(old);
    }
    for (size_t i = 0; i < cls->n_dirty; i++) {
        cls->dirty[i]->is_dirty = cls->dirty[i]->is_lower = false;
        if (i >= n) {
            cls_subtable_destroy(cls, cls->dirty[i]);
        }
    }
    cls->n_dirty = 0;
}

void
cls_order_destroy(struct cls *cls)
{
    struct cls_order *order = rcu_get_protected(&cls->order);

    if (order) {
        rcu_free((void *)(uintptr_t)order->base);
        rcu_free(order);
    }
}
