// SPDX-License-Identifier: Apache-2.0
/*
 * cls_list.c - rules with the same match: a list in descending order of priority, newest first
 * among equals, to which a slot of the subtable leads.
 *
 * Most lists have one rule.  One that was found to be long gets an index, an array of the
 * priorities in it with the first rule of each, so that adding the ten thousandth rule of one match
 * does not walk over all others; the slot's bit CLS_LONG says that there is one.  Only the first
 * rule of a match can ever take a packet, so readers need no index: they stop at the first rule
 * that is visible.
 *
 * A bundle may hold thousands of rules with one match and one priority, too, each of which replaces
 * the one before, or comes when that has gone: an entry remembers what was found the last time, so
 * that only rules which came since are looked at.  Of those before none can have become visible but
 * the one that somebody asked for in order to show it, unless removals were undone.
 *
 * Main only; readers follow slots and lists meanwhile.
 */
#include <stdlib.h>

#include "ofproto/cls_int.h"

/* Steps of a walk that make a list long, and rules that are left when it is short again. */
#define LONG_STEPS 32u
#define SHORT_RULES 8u

struct list_entry {
    int32_t priority;
    struct cls_rule *first;        /* of this priority */
    const struct cls_rule *recent; /* of this priority: that is visible, or was to be, or NULL */
    /* Of this priority: the first rule that was there when the entry was last asked, NULL: none is
     * left of those; of them none but 'recent' is visible in 'version' and later. */
    const struct cls_rule *asked;
    bool was_asked;
    cls_version_t version;
    uint64_t n_undone; /* the subtable's, then */
};

struct cls_long {
    UT_hash_handle hh; /* in the subtable's 'longs', by values */
    size_t n_rules;
    size_t n, allocated;
    struct list_entry *entries; /* in descending order of priority */
    uint64_t values[];
};

static struct cls_rule *
next_of(const struct cls_rule *r)
{
    return atomic_load_explicit(&r->next, memory_order_relaxed);
}

static struct cls_rule *
slot_first(const _Atomic uint64_t *slot)
{
    return cls_slot_rule(atomic_load_explicit(slot, memory_order_relaxed));
}

static bool
slot_is_long(const _Atomic uint64_t *slot)
{
    return atomic_load_explicit(slot, memory_order_relaxed) & CLS_LONG;
}

/* --- the index of a long list
 * ------------------------------------------------------------------------ */

static struct cls_long *
long_find(const struct cls_subtable *st, const struct cls_rule *like)
{
    struct cls_long *l;

    HASH_FIND_BYHASHVALUE(hh, st->longs, like->values, st->n_words * sizeof like->values[0],
                          like->hash, l);
    return l;
}

/* The place of the first entry whose priority is not above 'priority'. */
static size_t
long_place(const struct cls_long *l, int32_t priority)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (l->entries[middle].priority > priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct list_entry *
long_entry(const struct cls_long *l, int32_t priority)
{
    size_t i = long_place(l, priority);

    return i < l->n && l->entries[i].priority == priority ? &l->entries[i] : NULL;
}

static void
long_put(struct cls_long *l, size_t place, struct cls_rule *first)
{
    if (l->n >= l->allocated) {
        l->allocated = MAX(l->allocated * 2, (size_t)LONG_STEPS);
        l->entries = xreallocarray(l->entries, l->allocated, sizeof *l->entries);
    }
    memmove(&l->entries[place + 1], &l->entries[place], (l->n - place) * sizeof *l->entries);
    l->entries[place] = (struct list_entry){.priority = first->priority, .first = first};
    l->n++;
}

static void
long_create(struct cls_subtable *st, _Atomic uint64_t *slot)
{
    struct cls_rule *r = slot_first(slot);
    size_t size = st->n_words * sizeof r->values[0];
    struct cls_long *l = xzalloc(sizeof *l + size);

    memcpy(l->values, r->values, size);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, st->longs, l->values, size, r->hash, l);
    for (; r; r = next_of(r)) {
        l->n_rules++;
        if (!l->n || l->entries[l->n - 1].priority != r->priority) {
            long_put(l, l->n, r);
        }
    }
    atomic_fetch_or_explicit(slot, CLS_LONG, memory_order_relaxed);
}

static void
long_destroy(struct cls_subtable *st, struct cls_long *l)
{
    HASH_DEL(st->longs, l);
    free(l->entries);
    free(l);
}

void
cls_longs_destroy(struct cls_subtable *st)
{
    while (st->longs) {
        long_destroy(st, st->longs);
    }
}

/* --- the list --------------------------------------------------------------------------------- */

/* Puts the rule before 'next', which may be NULL, and behind 'prev', NULL: first. */
static void
link_between(_Atomic uint64_t *slot, struct cls_rule *prev, struct cls_rule *rule,
             struct cls_rule *next)
{
    rule->prev = prev;
    atomic_store_explicit(&rule->next, next, memory_order_relaxed);
    if (next) {
        next->prev = rule;
    }
    if (prev) {
        atomic_store_explicit(&prev->next, rule, memory_order_release);
    } else {
        cls_slot_set(slot, rule);
    }
}

static void
link_in_long(struct cls_subtable *st, _Atomic uint64_t *slot, struct cls_rule *rule)
{
    struct cls_long *l = long_find(st, rule);
    size_t i = long_place(l, rule->priority);
    struct cls_rule *next = i < l->n ? l->entries[i].first : NULL, *prev;

    if (next) {
        prev = next->prev;
    } else {
        /* The lowest of all: behind the last rule of the last priority. */
        prev = l->entries[l->n - 1].first;
        while (next_of(prev)) {
            prev = next_of(prev);
        }
    }
    link_between(slot, prev, rule, next);
    l->n_rules++;
    if (next && next->priority == rule->priority) {
        l->entries[i].first = rule;
    } else {
        long_put(l, i, rule);
    }
}

void
cls_list_link(struct cls_subtable *st, _Atomic uint64_t *slot, struct cls_rule *rule)
{
    struct cls_rule *next = slot_first(slot), *prev = NULL;
    unsigned n_steps = 0;

    if (slot_is_long(slot)) {
        link_in_long(st, slot, rule);
        return;
    }
    while (next && next->priority > rule->priority) {
        prev = next;
        next = next_of(next);
        n_steps++;
    }
    link_between(slot, prev, rule, next);
    if (n_steps > LONG_STEPS) {
        long_create(st, slot);
    }
}

static void
unlink_from_long(struct cls_subtable *st, _Atomic uint64_t *slot, struct cls_rule *rule)
{
    struct cls_long *l = long_find(st, rule);
    struct list_entry *e = long_entry(l, rule->priority);
    struct cls_rule *next = next_of(rule);

    l->n_rules--;
    if (e->recent == rule) {
        e->recent = NULL;
    }
    if (e->asked == rule) {
        e->asked = next && next->priority == rule->priority ? next : NULL;
    }
    if (e->first == rule) {
        if (next && next->priority == rule->priority) {
            e->first = next;
        } else {
            l->n--;
            memmove(e, e + 1, (size_t)(&l->entries[l->n] - e) * sizeof *e);
        }
    }
    if (l->n_rules < SHORT_RULES) {
        long_destroy(st, l);
        atomic_fetch_and_explicit(slot, ~CLS_LONG, memory_order_relaxed);
    }
}

bool
cls_list_unlink(struct cls_subtable *st, _Atomic uint64_t *slot, struct cls_rule *rule)
{
    struct cls_rule *next = next_of(rule);

    if (slot_is_long(slot)) {
        unlink_from_long(st, slot, rule);
    }
    if (next) {
        next->prev = rule->prev;
    }
    if (rule->prev) {
        atomic_store_explicit(&rule->prev->next, next, memory_order_release);
    } else if (next) {
        cls_slot_set(slot, next);
    }
    return next || rule->prev;
}

/* As cls_list_find(), with the index. */
static const struct cls_rule *
find_in_long(const struct cls_subtable *st, struct list_entry *e, cls_version_t version,
             const struct cls_rule *recent)
{
    bool knows = e->was_asked && e->n_undone == st->n_undone && version >= e->version;
    const struct cls_rule *stop = knows ? e->asked : NULL, *r = e->first, *found = NULL;

    if (e->recent && cls_rule_is_visible(e->recent, version)) {
        found = e->recent;
    }
    for (; !found && r && r != stop && r->priority == e->priority; r = next_of(r)) {
        found = cls_rule_is_visible(r, version) ? r : NULL;
    }
    e->recent = recent ? recent : found;
    e->asked = e->first;
    e->was_asked = true;
    e->version = version;
    e->n_undone = st->n_undone;
    return found;
}

const struct cls_rule *
cls_list_find(struct cls_subtable *st, _Atomic uint64_t *slot, cls_version_t version,
              int32_t priority, const struct cls_rule *recent)
{
    const struct cls_rule *r = slot_first(slot);
    unsigned n_steps = 0;

    if (slot_is_long(slot)) {
        struct list_entry *e = long_entry(long_find(st, r), priority);

        return e ? find_in_long(st, e, version, recent) : NULL;
    }
    for (; r && r->priority >= priority; r = next_of(r)) {
        if (r->priority == priority && cls_rule_is_visible(r, version)) {
            break;
        }
        n_steps++;
    }
    if (n_steps > LONG_STEPS) {
        long_create(st, slot);
    }
    return r && r->priority == priority ? r : NULL;
}
