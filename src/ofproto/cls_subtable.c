// SPDX-License-Identifier: Apache-2.0
/*
 * cls_subtable.c - the rules of one mask: an open-addressed hash of their values, whose slots lead
 * to lists of rules with the same match in descending order of priority, newest first; the stages'
 * filters; the trie of L4 ports.
 *
 * Main only; readers follow slots and lists meanwhile (cls.h).
 */
#include <stdlib.h>

#include "ofproto/cls_int.h"

const struct cls_trie_field_info cls_trie_fields[CLS_N_TRIES] = {
    [CLS_TRIE_IP_DST] = {offsetof(struct flow, nw_dst), 32},
    [CLS_TRIE_IP_SRC] = {offsetof(struct flow, nw_src), 32},
    [CLS_TRIE_IPV6_DST] = {offsetof(struct flow, ipv6_dst), 128},
    [CLS_TRIE_IPV6_SRC] = {offsetof(struct flow, ipv6_src), 128},
};

#define WORDS_FROM(FIRST, LAST) (FLOW_WORD_BIT(LAST) | (FLOW_WORD_BIT(LAST) - FLOW_WORD_BIT(FIRST)))

/* Which words are looked at in which stage; the first gets what the others leave. */
#define STAGE_L2 (FLOW_WORD_BIT(dl_dst) | FLOW_WORD_BIT(vlans))
#define STAGE_L3                                                                        \
    (FLOW_WORD_BIT(dl_src) | FLOW_WORD_BIT(nw_src) | WORDS_FROM(ipv6_src, ipv6_label) | \
     WORDS_FROM(mpls_lse, packet_type))
#define STAGE_L4 \
    (FLOW_WORD_BIT(tp_src) | WORDS_FROM(arp_sha, nd_target.s6_addr[15]) | FLOW_WORD_BIT(igmp_group))
static const uint64_t stage_words[CLS_N_STAGES] = {
    [CLS_STAGE_META] = ~(STAGE_L2 | STAGE_L3 | STAGE_L4),
    [CLS_STAGE_L2] = STAGE_L2,
    [CLS_STAGE_L3] = STAGE_L3,
    [CLS_STAGE_L4] = STAGE_L4,
};

/* Length of the mask of a field if it is a prefix, else 0. */
static unsigned
prefix_len(enum cls_trie_field field, const struct flow_mask *mask)
{
    uint32_t key[4];
    unsigned len = 0, n_bits = cls_trie_fields[field].n_bits;

    cls_trie_key(field, &mask->bits, key);
    while (len < n_bits && key[len / 32] >> (31 - len % 32) & 1) {
        len++;
    }
    for (unsigned i = len; i < n_bits; i++) {
        if (key[i / 32] >> (31 - i % 32) & 1) {
            return 0;
        }
    }
    return len;
}

/* Fills in what follows from the mask alone. */
static void
subtable_init(struct cls_subtable *st, const struct flow_mask *mask)
{
    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        st->map |= (uint64_t)(mask->bits.w[w] != 0) << w;
    }
    for (int s = 0; s < CLS_N_STAGES; s++) {
        for (uint64_t map = st->map & stage_words[s]; map; map &= map - 1) {
            unsigned w = (unsigned)__builtin_ctzll(map);

            st->mask[st->n_words] = mask->bits.w[w];
            st->word[st->n_words++] = (uint8_t)w;
            st->last_stage = (uint8_t)s;
        }
        st->stage_end[s] = (uint8_t)st->n_words;
    }
}

static unsigned
key_size(const struct cls_subtable *st)
{
    return (unsigned)sizeof st->map + st->n_words * (unsigned)sizeof st->mask[0];
}

static unsigned
key_hash(const struct cls_subtable *st)
{
    uint64_t hash = hash_add(0, st->map);

    for (unsigned i = 0; i < st->n_words; i++) {
        hash = hash_add(hash, st->mask[i]);
    }
    return (unsigned)hash_finish(hash);
}

static void
remember(struct cls_recent *recent, const struct flow_mask *mask, struct cls_subtable *st)
{
    recent->mask = *mask;
    recent->subtable = st;
}

struct cls_subtable *
cls_subtable_by_mask(const struct cls *cls, const struct flow_mask *mask)
{
    struct cls_recent *recent = cls->recent;
    struct cls_subtable key, *st;

    if (recent->subtable && !memcmp(&recent->mask, mask, sizeof *mask)) {
        return recent->subtable;
    }
    key.map = 0;
    key.n_words = 0;
    key.last_stage = 0;
    subtable_init(&key, mask);
    HASH_FIND_BYHASHVALUE(hh, cls->subtables, &key.map, key_size(&key), key_hash(&key), st);
    if (st) {
        remember(recent, mask, st);
    }
    return st;
}

struct cls_subtable *
cls_subtable_create(struct cls *cls, const struct flow_mask *mask)
{
    struct cls_subtable *st = xzalloc(sizeof *st);
    uint32_t ports = cls_ports_key(mask->bits.w[FLOW_WORD_OF(tp_src)]);

    subtable_init(st, mask);
    for (int t = 0; t < CLS_N_TRIES; t++) {
        st->plen[t] = (uint8_t)prefix_len((enum cls_trie_field)t, mask);
        st->has_tries |= st->plen[t] != 0;
    }
    st->ports_plen = ports ? (uint8_t)(32 - __builtin_ctz(ports)) : 0;
    st->bound = INT32_MIN;
    atomic_init(&st->n_refs, 1);
    st->id = cls->next_id++;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, cls->subtables, &st->map, key_size(st), key_hash(st), st);
    remember(cls->recent, mask, st);
    return st;
}

static void
subtable_unref(struct cls_subtable *st)
{
    if (st && atomic_fetch_sub_explicit(&st->n_refs, 1, memory_order_acq_rel) == 1) {
        free(st);
    }
}

/* The classifier lets go, after a grace period: rules that others still hold know their mask. */
static void
subtable_free(void *st_)
{
    struct cls_subtable *st = st_;

    free(rcu_get_protected(&st->slots));
    subtable_unref(st);
}

void
cls_rule_release(struct cls_rule *rule)
{
    subtable_unref(rule->subtable);
}

void
cls_subtable_destroy(struct cls *cls, struct cls_subtable *st)
{
    HASH_DEL(cls->subtables, st);
    if (cls->recent->subtable == st) {
        cls->recent->subtable = NULL;
    }
    for (int s = 0; s < CLS_N_STAGES - 1; s++) {
        cls_filter_clear(&st->filter[s]);
    }
    cls_trie_clear(&st->ports);
    rcu_defer(subtable_free, st);
}

static struct cls_slots *
slots_create(uint32_t size)
{
    struct cls_slots *s = xzalloc(sizeof *s + size * sizeof s->slot[0]);

    s->mask = size - 1;
    return s;
}

static void
slots_put(struct cls_slots *s, uint32_t hash, struct cls_rule *rule)
{
    uint32_t i = hash & s->mask;

    while (atomic_load_explicit(&s->slot[i], memory_order_relaxed)) {
        i = (i + 1) & s->mask;
    }
    atomic_store_explicit(&s->slot[i],
                          (uint64_t)(hash >> 16) << CLS_PTR_BITS | (uint64_t)(uintptr_t)rule,
                          memory_order_release);
    s->n_used++;
    s->n_live++;
}

/* Makes sure that one more slot can be used: at most two thirds are. */
static struct cls_slots *
slots_reserve(struct cls_subtable *st)
{
    struct cls_slots *old = rcu_get_protected(&st->slots);
    uint32_t size = 4;

    if (old && (old->n_used + 1) * 3 <= (old->mask + 1) * 2) {
        return old;
    }
    while (old && size < (old->n_live + 1) * 2) {
        size *= 2;
    }
    struct cls_slots *s = slots_create(size);
    for (uint32_t i = 0; old && i <= old->mask; i++) {
        struct cls_rule *r =
            cls_slot_rule(atomic_load_explicit(&old->slot[i], memory_order_relaxed));
        if (r) {
            slots_put(s, r->hash, r);
        }
    }
    rcu_assign(&st->slots, s);
    if (old) {
        rcu_free(old);
    }
    return s;
}

/* The slot that leads to rules with the values of 'rule', or NULL. */
static _Atomic uint64_t *
slot_of(struct cls_subtable *st, const struct cls_rule *rule)
{
    struct cls_slots *s = rcu_get_protected(&st->slots);

    if (!s) {
        return NULL;
    }
    for (uint32_t i = rule->hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t x = atomic_load_explicit(&s->slot[i], memory_order_relaxed);
        struct cls_rule *r = cls_slot_rule(x);

        if (!x) {
            return NULL;
        }
        if (r && r->hash == rule->hash &&
            !memcmp(r->values, rule->values, st->n_words * sizeof r->values[0])) {
            return &s->slot[i];
        }
    }
}

const struct cls_rule *
cls_subtable_like(struct cls_subtable *st, const struct cls_rule *rule)
{
    return cls_slot_rule(atomic_load_explicit(slot_of(st, rule), memory_order_relaxed));
}

static void
slot_set(_Atomic uint64_t *slot, struct cls_rule *rule)
{
    atomic_store_explicit(slot,
                          (uint64_t)(rule->hash >> 16) << CLS_PTR_BITS | (uint64_t)(uintptr_t)rule,
                          memory_order_release);
}

/* Filters, tries of ports: the first rule of a match comes, the last one goes. */
static void
index_values(struct cls_subtable *st, const struct cls_rule *rule, bool add)
{
    uint64_t hash = 0;
    unsigned from = 0;

    for (int s = 0; s < st->last_stage; s++) {
        if (st->stage_end[s] == from) {
            continue;
        }
        for (unsigned i = from; i < st->stage_end[s]; i++) {
            hash = hash_add(hash, rule->values[i]);
        }
        from = st->stage_end[s];
        if (add) {
            cls_filter_add(&st->filter[s], cls_hash32(hash));
        } else {
            cls_filter_del(&st->filter[s], cls_hash32(hash));
        }
    }
    if (st->ports_plen) {
        uint32_t key = 0;

        for (unsigned i = 0; i < st->n_words; i++) {
            if (st->word[i] == FLOW_WORD_OF(tp_src)) {
                key = cls_ports_key(rule->values[i]);
            }
        }
        if (add) {
            cls_trie_insert(&st->ports, &key, st->ports_plen);
        } else {
            cls_trie_remove(&st->ports, &key, st->ports_plen);
        }
    }
}

void
cls_subtable_link(struct cls_subtable *st, struct cls_rule *rule)
{
    _Atomic uint64_t *slot = slot_of(st, rule);

    st->n_rules++;
    if (!slot) {
        index_values(st, rule, true);
        slots_put(slots_reserve(st), rule->hash, rule);
        return;
    }

    struct cls_rule *r = cls_slot_rule(atomic_load_explicit(slot, memory_order_relaxed));
    struct cls_rule *prev = NULL;
    while (r && r->priority > rule->priority) {
        prev = r;
        r = atomic_load_explicit(&r->next, memory_order_relaxed);
    }
    atomic_store_explicit(&rule->next, r, memory_order_relaxed);
    if (prev) {
        atomic_store_explicit(&prev->next, rule, memory_order_release);
    } else {
        slot_set(slot, rule);
    }
}

void
cls_subtable_unlink(struct cls_subtable *st, struct cls_rule *rule)
{
    _Atomic uint64_t *slot = slot_of(st, rule);
    struct cls_rule *r = cls_slot_rule(atomic_load_explicit(slot, memory_order_relaxed));
    struct cls_rule *next = atomic_load_explicit(&rule->next, memory_order_relaxed);

    st->n_rules--;
    st->n_removed++;
    if (r != rule) {
        while (atomic_load_explicit(&r->next, memory_order_relaxed) != rule) {
            r = atomic_load_explicit(&r->next, memory_order_relaxed);
        }
        atomic_store_explicit(&r->next, next, memory_order_release);
    } else if (next) {
        slot_set(slot, next);
    } else {
        atomic_store_explicit(slot, CLS_TOMB, memory_order_release);
        rcu_get_protected(&st->slots)->n_live--;
        index_values(st, rule, false);
    }
}

int32_t
cls_subtable_max_priority(const struct cls_subtable *st)
{
    const struct cls_slots *s = rcu_get_protected(&st->slots);
    int32_t max = INT32_MIN;

    for (uint32_t i = 0; s && i <= s->mask; i++) {
        struct cls_rule *r = cls_slot_rule(atomic_load_explicit(&s->slot[i], memory_order_relaxed));
        if (r) {
            max = MAX(max, r->priority);
        }
    }
    return max;
}
