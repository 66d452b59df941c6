// SPDX-License-Identifier: Apache-2.0
/*
 * cls.c - the classifier's life and its search; cls.h tells how it works, cls_subtable.c holds the
 * rules of one mask.
 *
 * The reported bits: a subtable that is skipped because no prefix of its length matches costs the
 * leading bits of the address that show this; one that fails in a stage costs the mask of the
 * stages up to there; one that fails at the end costs its whole mask, but of the L4 ports only the
 * leading bits that tell the packet's ports from all those in the subtable.
 */
#include "ofproto/cls.h"

#include <stdlib.h>

#include "ofproto/cls_int.h"

struct cls *
cls_create(void)
{
    struct cls *cls = xzalloc(sizeof *cls);

    atomic_init(&cls->tries_enabled, (1u << CLS_N_TRIES) - 1);
    return cls;
}

void
cls_destroy(struct cls *cls)
{
    if (!cls) {
        return;
    }
    while (cls->subtables) {
        cls_subtable_destroy(cls, cls->subtables);
    }
    for (int t = 0; t < CLS_N_TRIES; t++) {
        cls_trie_clear(&cls->tries[t]);
    }
    cls_order_destroy(cls);
    free(cls->dirty);
    free(cls->recent);
    rcu_free(cls);
}

void
cls_set_tries(struct cls *cls, unsigned fields)
{
    atomic_store_explicit(&cls->tries_enabled, fields, memory_order_relaxed);
}

size_t
cls_n_rules(const struct cls *cls)
{
    return cls->n_rules;
}

size_t
cls_n_subtables(const struct cls *cls)
{
    return HASH_COUNT(cls->subtables);
}

/* --- writing
 * -------------------------------------------------------------------------------------- */

size_t
cls_values_size(const struct match *match)
{
    size_t n = 0;

    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        n += match->mask.bits.w[w] != 0;
    }
    return n * sizeof(uint64_t);
}

/* The part of a rule that stands in a trie; false if none does. */
static bool
rule_prefix(const struct cls *cls, const struct cls_rule *rule, enum cls_trie_field t,
            struct cls_trie_prefix *prefix)
{
    const struct cls_subtable *st = rule->subtable;
    const uint8_t *p = (const uint8_t *)&rule->values[st->trie_word[t]];

    if (!st->plen[t]) {
        return false;
    }
    /* Words that follow are in the mask if the prefix reaches into them. */
    p += cls_trie_fields[t].ofs % sizeof(uint64_t);
    prefix->trie = &cls->tries[t];
    prefix->plen = st->plen[t];
    for (unsigned i = 0; i < ARRAY_SIZE(prefix->key); i++) {
        prefix->key[i] = 32 * i < prefix->plen ? get_be32(p + 4 * i) : 0;
    }
    return true;
}

static void
index_tries(struct cls *cls, const struct cls_rule *rule, bool add)
{
    struct cls_trie_prefix prefix;

    for (int t = 0; rule->subtable->has_tries && t < CLS_N_TRIES; t++) {
        if (!rule_prefix(cls, rule, (enum cls_trie_field)t, &prefix)) {
            continue;
        }
        if (add) {
            cls_trie_insert(&cls->tries[t], prefix.key, prefix.plen);
        } else {
            cls_trie_remove(&cls->tries[t], prefix.key, prefix.plen);
        }
    }
}

void
cls_rule_init(struct cls *cls, struct cls_rule *rule, const struct match *match, int priority,
              cls_version_t version)
{
    struct cls_subtable *st = cls_subtable_by_mask(cls, &match->mask);

    if (!st) {
        st = cls_subtable_create(cls, &match->mask);
    }
    rule->subtable = st;
    atomic_fetch_add_explicit(&st->n_refs, 1, memory_order_relaxed);
    rule->priority = priority;
    for (unsigned i = 0; i < st->n_words; i++) {
        rule->values[i] = match->flow.w[st->word[i]] & st->mask[i];
    }
    rule->hash = cls_hash32(cls_hash_words(st, &match->flow, 0, st->n_words, 0));
    atomic_store_explicit(&rule->next, NULL, memory_order_relaxed);
    atomic_store_explicit(&rule->remove, CLS_VERSION_NEVER, memory_order_relaxed);
    atomic_store_explicit(&rule->add, version, memory_order_release);
    st->n_rules++; /* So that the mask stays. */
}

static void
link_rule(struct cls *cls, struct cls_rule *rule)
{
    struct cls_subtable *st = rule->subtable;

    /* The tries first: a reader that the rule's version lets see it must find its prefix there. */
    index_tries(cls, rule, true);
    cls_subtable_link(st, rule);
    cls->n_rules++;
    cls_order_raise(cls, st, rule->priority);
}

void
cls_insert(struct cls *cls, struct cls_rule *rule, const struct match *match, int priority,
           cls_version_t version)
{
    cls_rule_init(cls, rule, match, priority, version);
    cls_link_many(cls, &rule, 1); /* Not link_rule(): the walks down the tries wait together. */
}

void
cls_link_many(struct cls *cls, struct cls_rule *const *rules, size_t n)
{
    struct cls_trie_prefix prefixes[CLS_LINK_MAX * (CLS_N_TRIES + 1)];
    size_t n_prefixes = 0;

    prefixes[0].plen = 0;
    _Static_assert(ARRAY_SIZE(prefixes) <= CLS_TRIE_WARM_MAX, "as many as it takes");
    for (size_t i = 0; i < n; i++) {
        const struct cls_rule *r = rules[i];

        cls_subtable_warm(r->subtable, r);
        for (int t = 0; r->subtable->has_tries && t < CLS_N_TRIES; t++) {
            n_prefixes += rule_prefix(cls, r, (enum cls_trie_field)t, &prefixes[n_prefixes]);
        }
        n_prefixes += cls_subtable_ports(r->subtable, r, &prefixes[n_prefixes]);
    }
    cls_trie_warm(prefixes, n_prefixes);
    for (size_t i = 0; i < n; i++) {
        link_rule(cls, rules[i]);
    }
}

void
cls_show(struct cls_rule *rule, cls_version_t version)
{
    atomic_store_explicit(&rule->add, version, memory_order_release);
}

void
cls_mark_removed(struct cls_rule *rule, cls_version_t version)
{
    atomic_store_explicit(&rule->remove, version, memory_order_release);
}

void
cls_unmark_removed(struct cls_rule *rule)
{
    atomic_store_explicit(&rule->remove, CLS_VERSION_NEVER, memory_order_release);
    rule->subtable->n_undone++;
}

void
cls_unlink(struct cls *cls, struct cls_rule *rule)
{
    struct cls_subtable *st = rule->subtable;

    cls_subtable_unlink(st, rule);
    index_tries(cls, rule, false);
    cls->n_rules--;
    if (!st->n_rules) {
        cls_order_touch(cls, st); /* cls_publish() takes it away, unless a rule comes before. */
    } else if (st->n_removed > st->n_rules + 16) {
        st->n_removed = 0;
        cls_order_lower(cls, st);
    }
}

void
cls_unlink_all(struct cls *cls)
{
    struct cls_subtable *st, *next;

    HASH_ITER (hh, cls->subtables, st, next) {
        cls_subtable_unlink_all(st);
        if (!st->n_rules) {
            cls_order_touch(cls, st);
        }
    }
    for (int t = 0; t < CLS_N_TRIES; t++) {
        cls_trie_clear(&cls->tries[t]);
    }
    cls->n_rules = 0;
}

void
cls_rule_get_match(const struct cls_rule *rule, struct match *match)
{
    const struct cls_subtable *st = rule->subtable;

    memset(match, 0, sizeof *match);
    for (unsigned i = 0; i < st->n_words; i++) {
        match->flow.w[st->word[i]] = rule->values[i];
        match->mask.bits.w[st->word[i]] = st->mask[i];
    }
}

/* --- searching
 * ------------------------------------------------------------------------------------ */

/* What one search has learned from the tries so far. */
struct lookup {
    const struct cls *cls;
    const struct flow *flow;
    struct flow_mask *wc;
    cls_version_t version;
    unsigned tries_enabled;
    unsigned tries_done;
    struct cls_trie_result tries[CLS_N_TRIES];
};

static const struct cls_rule *
first_visible(const struct cls_rule *r, cls_version_t version)
{
    while (r && !cls_rule_is_visible(r, version)) {
        r = atomic_load_explicit(&r->next, memory_order_acquire);
    }
    return r;
}

/* Adds the leading 'n_bits' of 'size_bits' bits at 'p' to a mask. */
static void
add_prefix(uint8_t *p, unsigned n_bits)
{
    memset(p, 0xff, n_bits / 8);
    if (n_bits % 8) {
        p[n_bits / 8] |= (uint8_t)(0xff00 >> n_bits % 8);
    }
}

static void
add_words(struct flow_mask *wc, const struct cls_subtable *st, unsigned to)
{
    for (unsigned i = 0; i < to; i++) {
        wc->bits.w[st->word[i]] |= st->mask[i];
    }
}

/* True if the tries say that no rule of 'st' matches; the bits that show it are added then. */
static bool
tries_exclude(struct lookup *l, const struct cls_subtable *st)
{
    for (int t = 0; t < CLS_N_TRIES; t++) {
        unsigned plen = st->plen[t], bit = 1u << t;

        if (!plen || !(l->tries_enabled & bit)) {
            continue;
        }
        if (!(l->tries_done & bit)) {
            uint32_t key[4];

            cls_trie_key((enum cls_trie_field)t, l->flow, key);
            cls_trie_lookup(&l->cls->tries[t], key, cls_trie_fields[t].n_bits, &l->tries[t]);
            l->tries_done |= bit;
        }
        if (!cls_trie_result_has(&l->tries[t], plen)) {
            if (l->wc) {
                add_prefix((uint8_t *)&l->wc->bits + cls_trie_fields[t].ofs,
                           MIN(plen, l->tries[t].n_bits));
            }
            return true;
        }
    }
    return false;
}

/* The last stage failed: all of the mask, but only as much of the ports as was needed. */
static void
add_miss(struct lookup *l, const struct cls_subtable *st)
{
    uint64_t *ports = &l->wc->bits.w[FLOW_WORD_OF(tp_src)];
    uint64_t before = *ports;
    struct cls_trie_result r;
    struct flow_mask masked;
    uint32_t key;

    add_words(l->wc, st, st->n_words);
    if (!st->ports_plen) {
        return;
    }
    for (unsigned i = 0; i < st->n_words; i++) {
        if (st->word[i] != FLOW_WORD_OF(tp_src)) {
            continue;
        }
        key = cls_ports_key(l->flow->w[st->word[i]] & st->mask[i]);
        cls_trie_lookup(&st->ports, &key, st->ports_plen, &r);
        if (cls_trie_result_has(&r, st->ports_plen)) {
            return;
        }
        /* Other bits of that word in full; of the ports, the prefix. */
        memset(&masked.bits.tp_src, 0, 8);
        add_prefix((uint8_t *)&masked.bits.tp_src, r.n_bits);
        memset((uint8_t *)&masked.bits.tp_src + 4, 0xff, 4);
        *ports = before | (st->mask[i] & masked.bits.w[FLOW_WORD_OF(tp_src)]);
    }
}

static const struct cls_rule *
search_subtable(struct lookup *l, const struct cls_subtable *st)
{
    const struct cls_rule *r;
    uint64_t hash = 0;
    unsigned from = 0;

    for (int s = 0; s <= st->last_stage; s++) {
        unsigned to = st->stage_end[s];

        if (s == CLS_STAGE_L3 && st->has_tries && tries_exclude(l, st)) {
            if (l->wc) {
                add_words(l->wc, st, from);
            }
            return NULL;
        }
        if (to == from) {
            continue;
        }
        hash = cls_hash_words(st, l->flow, from, to, hash);
        from = to;
        if (s < st->last_stage && !cls_filter_has(&st->filter[s], cls_hash32(hash))) {
            if (l->wc) {
                add_words(l->wc, st, to);
            }
            return NULL;
        }
    }

    r = cls_subtable_find(st, l->flow, cls_hash32(hash));
    if (r) {
        r = first_visible(r, l->version);
        if (l->wc) {
            add_words(l->wc, st, st->n_words);
        }
    } else if (l->wc) {
        add_miss(l, st);
    }
    return r;
}

static void
lookup_init(struct lookup *l, const struct cls *cls, cls_version_t version, const struct flow *flow,
            struct flow_mask *wc)
{
    l->cls = cls;
    l->flow = flow;
    l->wc = wc;
    l->version = version;
    l->tries_enabled = atomic_load_explicit(&cls->tries_enabled, memory_order_relaxed);
    l->tries_done = 0;
}

const struct cls_rule *
cls_lookup(const struct cls *cls, cls_version_t version, const struct flow *flow,
           struct flow_mask *wc)
{
    const struct cls_order *order = rcu_get(&cls->order);
    struct cls_order_walk walk = {0};
    const struct cls_order_entry *e;
    struct lookup l;
    const struct cls_rule *best = NULL;

    if (!order) {
        return NULL;
    }
    lookup_init(&l, cls, version, flow, wc);
    while ((e = cls_order_next(order, &walk)) && !(best && best->priority >= e->bound)) {
        const struct cls_rule *r = search_subtable(&l, e->subtable);
        if (r && (!best || r->priority > best->priority)) {
            best = r;
        }
    }
    return best;
}

static int
compare_priorities(const void *a_, const void *b_)
{
    const struct cls_rule *const *a = a_, *const *b = b_;

    return (*a)->priority > (*b)->priority ? -1 : (*a)->priority < (*b)->priority;
}

const struct cls_rule **
cls_lookup_all(const struct cls *cls, cls_version_t version, const struct flow *flow,
               struct flow_mask *wc, size_t *n)
{
    const struct cls_order *order = rcu_get(&cls->order);
    struct cls_order_walk walk = {0};
    const struct cls_order_entry *e;
    const struct cls_rule **rules = NULL;
    size_t allocated = 0;
    struct lookup l;

    *n = 0;
    lookup_init(&l, cls, version, flow, wc);
    while (order && (e = cls_order_next(order, &walk))) {
        const struct cls_rule *r =
            cls_order_is_second(order, e) ? NULL : search_subtable(&l, e->subtable);

        while (r) {
            if (*n >= allocated) {
                allocated = MAX(allocated * 2, (size_t)16);
                rules = xreallocarray(rules, allocated, sizeof *rules);
            }
            rules[(*n)++] = r;
            r = first_visible(atomic_load_explicit(&r->next, memory_order_acquire), version);
        }
    }
    if (*n) {
        qsort(rules, *n, sizeof *rules, compare_priorities);
    }
    return rules;
}

const struct cls_rule *
cls_find_exactly(struct cls *cls, cls_version_t version, const struct match *match, int priority)
{
    struct cls_subtable *st = cls_subtable_by_mask(cls, &match->mask);

    if (!st) {
        return NULL;
    }
    return cls_subtable_find_exactly(st, &match->flow, version, priority);
}

void
cls_prefetch_like(const struct cls_rule *rule)
{
    cls_subtable_warm(rule->subtable, rule);
}

const struct cls_rule *
cls_find_like(struct cls_rule *rule, cls_version_t version)
{
    return cls_subtable_find_like(rule, version);
}
