// SPDX-License-Identifier: Apache-2.0
/*
 * cls_visit.c - the classifier's walks over all rules, for flow-mods, dumps and revalidation: those
 * that overlap a match, that a match covers, that look at some bits.  cls.c has the search for one
 * packet.
 *
 * Threads: main only, as the writer.
 */
#include "ofproto/cls.h"

#include <stdlib.h>

#include "ofproto/cls_int.h"

/* Do some packets match both? */
static bool
values_overlap(const struct cls_rule *r, const struct match *match)
{
    const struct cls_subtable *st = r->subtable;

    for (unsigned i = 0; i < st->n_words; i++) {
        uint64_t both = st->mask[i] & match->mask.bits.w[st->word[i]];

        if ((r->values[i] ^ match->flow.w[st->word[i]]) & both) {
            return false;
        }
    }
    return true;
}

bool
cls_overlaps(struct cls *cls, cls_version_t version, const struct match *match, int priority)
{
    const struct cls_subtable *same = cls_subtable_by_mask(cls, &match->mask);

    for (const struct cls_subtable *st = cls->subtables; st; st = st->hh.next) {
        const struct cls_slots *s = rcu_get_protected(&st->slots);

        /* Within one mask, matches are equal or disjoint. */
        if (st == same || st->bound < priority || !s) {
            continue;
        }
        for (uint32_t i = 0; i <= s->mask; i++) {
            struct cls_rule *r =
                cls_slot_rule(atomic_load_explicit(&s->slot[i], memory_order_relaxed));

            for (; r; r = atomic_load_explicit(&r->next, memory_order_relaxed)) {
                if (r->priority == priority && cls_rule_is_visible(r, version) &&
                    values_overlap(r, match)) {
                    return true;
                }
            }
        }
    }
    return false;
}

struct rule_array {
    struct cls_rule **rules;
    size_t n, allocated;
};

static void
collect_list(struct rule_array *a, struct cls_rule *r, cls_version_t version)
{
    for (; r; r = atomic_load_explicit(&r->next, memory_order_relaxed)) {
        if (!cls_rule_is_visible(r, version)) {
            continue;
        }
        if (a->n >= a->allocated) {
            a->allocated = MAX(a->allocated * 2, (size_t)64);
            a->rules = xreallocarray(a->rules, a->allocated, sizeof *a->rules);
        }
        a->rules[a->n++] = r;
    }
}

/* Is every bit of the match in the subtable's mask? */
static bool
subtable_is_within(const struct cls_subtable *st, const struct match *match, uint64_t map)
{
    if (map & ~st->map) {
        return false;
    }
    for (unsigned i = 0; i < st->n_words; i++) {
        if (match->mask.bits.w[st->word[i]] & ~st->mask[i]) {
            return false;
        }
    }
    return true;
}

static void
collect_subtable(struct rule_array *a, const struct cls_subtable *st, cls_version_t version,
                 const struct match *match)
{
    const struct cls_slots *s = rcu_get_protected(&st->slots);

    for (uint32_t i = 0; s && i <= s->mask; i++) {
        struct cls_rule *r = cls_slot_rule(atomic_load_explicit(&s->slot[i], memory_order_relaxed));
        if (r && (!match || values_overlap(r, match))) {
            collect_list(a, r, version);
        }
    }
}

void
cls_visit_loose(struct cls *cls, cls_version_t version, const struct match *match, cls_visit_fn *cb,
                void *aux)
{
    struct rule_array a = {NULL, 0, 0};
    struct cls_subtable *same = match ? cls_subtable_by_mask(cls, &match->mask) : NULL;
    uint64_t map = 0;

    for (unsigned w = 0; match && w < FLOW_WORDS; w++) {
        map |= match->mask.bits.w[w] ? UINT64_C(1) << w : 0;
    }
    for (struct cls_subtable *st = cls->subtables; st; st = st->hh.next) {
        if (match && st == same) {
            uint64_t hash = cls_hash_words(st, &match->flow, 0, st->n_words, 0);

            collect_list(&a, cls_subtable_find(st, &match->flow, cls_hash32(hash)), version);
        } else if (!match || subtable_is_within(st, match, map)) {
            collect_subtable(&a, st, version, match);
        }
    }
    for (size_t i = 0; i < a.n && cb(a.rules[i], aux); i++) {
        continue;
    }
    free(a.rules);
}

static bool
subtable_looks_at(const struct cls_subtable *st, const struct flow_mask *bits)
{
    for (unsigned i = 0; i < st->n_words; i++) {
        if (st->mask[i] & bits->bits.w[st->word[i]]) {
            return true;
        }
    }
    return false;
}

bool
cls_rule_looks_at(const struct cls_rule *r, const struct flow_mask *bits)
{
    return subtable_looks_at(r->subtable, bits);
}

/* False if 'cb' wants no more. */
static bool
visit_subtable(const struct cls_subtable *st, cls_version_t version, cls_visit_fn *cb, void *aux)
{
    const struct cls_slots *s = rcu_get_protected(&st->slots);

    for (uint32_t i = 0; s && i <= s->mask; i++) {
        struct cls_rule *r = cls_slot_rule(atomic_load_explicit(&s->slot[i], memory_order_relaxed));

        for (; r; r = atomic_load_explicit(&r->next, memory_order_relaxed)) {
            if (cls_rule_is_visible(r, version) && !cb(r, aux)) {
                return false;
            }
        }
    }
    return true;
}

void
cls_visit_looking(const struct cls *cls, cls_version_t version, const struct flow_mask *bits,
                  cls_visit_fn *cb, void *aux)
{
    for (const struct cls_subtable *st = cls->subtables; st; st = st->hh.next) {
        if ((!bits || subtable_looks_at(st, bits)) && !visit_subtable(st, version, cb, aux)) {
            return;
        }
    }
}
