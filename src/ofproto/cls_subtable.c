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
    st->map = flow_words_map(&mask->bits);
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

/* Where a mask stands among those looked up last. */
static struct cls_subtable **
recent_place(struct cls *cls, const struct flow_mask *mask, uint64_t map)
{
    uint64_t mixed = map;

    if (!cls->recent) {
        cls->recent = xcalloc(CLS_N_RECENT, sizeof *cls->recent);
    }
    for (uint64_t left = map; left; left &= left - 1) {
        mixed = (mixed ^ mask->bits.w[__builtin_ctzll(left)]) * UINT64_C(0x9e3779b97f4a7c15);
        mixed ^= mixed >> 29;
    }
    return &cls->recent[mixed % CLS_N_RECENT];
}

static void
forget(struct cls *cls, const struct cls_subtable *st)
{
    for (unsigned i = 0; i < CLS_N_RECENT; i++) {
        if (cls->recent[i] == st) {
            cls->recent[i] = NULL;
        }
    }
}

static bool
has_mask(const struct cls_subtable *st, const struct flow_mask *mask, uint64_t map)
{
    unsigned i = 0;

    if (!st || st->map != map) {
        return false;
    }
    while (i < st->n_words && st->mask[i] == mask->bits.w[st->word[i]]) {
        i++;
    }
    return i == st->n_words;
}

struct cls_subtable *
cls_subtable_by_mask(struct cls *cls, const struct flow_mask *mask)
{
    uint64_t map = flow_words_map(&mask->bits);
    struct cls_subtable **recent = recent_place(cls, mask, map);
    struct cls_subtable key, *st;

    if (has_mask(*recent, mask, map)) {
        return *recent;
    }
    key.n_words = 0;
    key.last_stage = 0;
    subtable_init(&key, mask);
    HASH_FIND_BYHASHVALUE(hh, cls->subtables, &key.map, key_size(&key), key_hash(&key), st);
    if (st) {
        *recent = st;
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
    for (unsigned i = 0; i < st->n_words; i++) {
        if (st->word[i] == FLOW_WORD_OF(tp_src)) {
            st->ports_word = (uint8_t)i;
        }
        for (int t = 0; t < CLS_N_TRIES; t++) {
            if (st->word[i] == cls_trie_fields[t].ofs / sizeof(uint64_t)) {
                st->trie_word[t] = (uint8_t)i;
            }
        }
    }
    st->ports_plen = ports ? (uint8_t)(32 - __builtin_ctz(ports)) : 0;
    st->bound = INT32_MIN;
    atomic_init(&st->n_refs, 1);
    st->id = cls->next_id++;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, cls->subtables, &st->map, key_size(st), key_hash(st), st);
    *recent_place(cls, mask, st->map) = st;
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

/* Empties what is made of the values of rules, but for the slots. */
static void
clear_indexes(struct cls_subtable *st)
{
    for (int s = 0; s < CLS_N_STAGES - 1; s++) {
        cls_filter_clear(&st->filter[s]);
    }
    cls_trie_clear(&st->ports);
    cls_longs_destroy(st);
}

void
cls_subtable_unlink_all(struct cls_subtable *st)
{
    struct cls_slots *old = rcu_get_protected(&st->slots);

    clear_indexes(st);
    rcu_assign(&st->slots, NULL);
    if (old) {
        rcu_free(old);
    }
    st->n_rules -= st->n_linked;
    st->n_linked = st->n_removed = 0;
}

void
cls_subtable_destroy(struct cls *cls, struct cls_subtable *st)
{
    HASH_DEL(cls->subtables, st);
    forget(cls, st);
    clear_indexes(st);
    rcu_defer(subtable_free, st);
}

static struct cls_slots *
slots_create(uint32_t size)
{
    struct cls_slots *s = xzalloc(sizeof *s + size * sizeof s->slot[0]);

    s->mask = size - 1;
    return s;
}

static uint64_t
slot_value(const struct cls_rule *rule)
{
    return (uint64_t)(rule->hash >> 16) << CLS_PTR_BITS | (uint64_t)(uintptr_t)rule;
}

static void
slots_put(struct cls_slots *s, uint32_t hash, uint64_t value)
{
    uint32_t i = hash & s->mask;

    while (atomic_load_explicit(&s->slot[i], memory_order_relaxed)) {
        i = (i + 1) & s->mask;
    }
    atomic_store_explicit(&s->slot[i], value, memory_order_release);
    s->n_used++;
    s->n_live++;
}

/* The rules' hashes are far apart in memory: fetched so many slots ahead. */
#define REHASH_AHEAD 8u

static void
prefetch_hash(uint64_t slot)
{
    const struct cls_rule *r = cls_slot_rule(slot);

    if (r) {
        __builtin_prefetch(&r->hash);
    }
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
        uint64_t x = atomic_load_explicit(&old->slot[i], memory_order_relaxed);
        const struct cls_rule *r = cls_slot_rule(x);

        if (i + REHASH_AHEAD <= old->mask) {
            prefetch_hash(atomic_load_explicit(&old->slot[i + REHASH_AHEAD], memory_order_relaxed));
        }
        if (r) {
            slots_put(s, r->hash, x);
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

        if (!x) {
            return NULL;
        }
        /* The rule itself is in the cache, others hardly ever are. */
        if (x >> CLS_PTR_BITS == rule->hash >> 16 && x != CLS_TOMB) {
            const struct cls_rule *r = cls_slot_rule(x);

            if (r == rule || !memcmp(r->values, rule->values, st->n_words * sizeof r->values[0])) {
                return &s->slot[i];
            }
        }
    }
}

const struct cls_rule *
cls_subtable_find_exactly(struct cls_subtable *st, const struct flow *flow, cls_version_t version,
                          int32_t priority)
{
    struct cls_rule *r =
        cls_subtable_find(st, flow, cls_hash32(cls_hash_words(st, flow, 0, st->n_words, 0)));

    return r ? cls_list_find(st, slot_of(st, r), version, priority, NULL) : NULL;
}

const struct cls_rule *
cls_subtable_find_like(struct cls_rule *rule, cls_version_t version)
{
    struct cls_subtable *st = rule->subtable;

    return cls_list_find(st, slot_of(st, rule), version, rule->priority, rule);
}

bool
cls_subtable_ports(const struct cls_subtable *st, const struct cls_rule *rule,
                   struct cls_trie_prefix *prefix)
{
    if (!st->ports_plen) {
        return false;
    }
    prefix->trie = &st->ports;
    prefix->plen = st->ports_plen;
    prefix->key[0] = cls_ports_key(rule->values[st->ports_word]);
    return true;
}

/* Filters, tries of ports: the first rule of a match comes, the last one goes. */
static void
index_values(struct cls_subtable *st, const struct cls_rule *rule, bool add)
{
    struct cls_trie_prefix ports;
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
    if (cls_subtable_ports(st, rule, &ports)) {
        if (add) {
            cls_trie_insert(&st->ports, ports.key, ports.plen);
        } else {
            cls_trie_remove(&st->ports, ports.key, ports.plen);
        }
    }
}

void
cls_subtable_warm(const struct cls_subtable *st, const struct cls_rule *rule)
{
    const struct cls_slots *s = rcu_get_protected(&st->slots);

    if (s) {
        __builtin_prefetch(&s->slot[rule->hash & s->mask]);
    }
}

void
cls_subtable_link(struct cls_subtable *st, struct cls_rule *rule)
{
    _Atomic uint64_t *slot = slot_of(st, rule);

    st->n_linked++;
    if (!slot) {
        index_values(st, rule, true);
        slots_put(slots_reserve(st), rule->hash, slot_value(rule));
    } else {
        cls_list_link(st, slot, rule);
    }
}

void
cls_subtable_unlink(struct cls_subtable *st, struct cls_rule *rule)
{
    _Atomic uint64_t *slot = slot_of(st, rule);

    st->n_rules--;
    st->n_linked--;
    st->n_removed++;
    if (!cls_list_unlink(st, slot, rule)) {
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
