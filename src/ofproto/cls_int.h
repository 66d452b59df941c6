// SPDX-License-Identifier: Apache-2.0
/*
 * cls_int.h - the classifier's own structures, shared by cls.c (lookup, life), cls_visit.c (walks
 * over all rules), cls_subtable.c (one mask's hash of rules), cls_list.c (rules of one match) and
 * cls_order.c (which mask is searched first).
 */
#ifndef OFPROTO_CLS_INT_H
#define OFPROTO_CLS_INT_H 1

#include "base/rcu.h"
#include "base/uthash.h"
#include "flow/match.h"
#include "ofproto/cls.h"
#include "ofproto/cls_filter.h"
#include "ofproto/cls_trie.h"

/* In this order the words of a flow are looked at; a miss in one stage says nothing of the later.
 */
enum cls_stage { CLS_STAGE_META, CLS_STAGE_L2, CLS_STAGE_L3, CLS_STAGE_L4, CLS_N_STAGES };

/* A slot is the upper 16 bits of a rule's hash and a pointer to the first of the rules with the
 * same match; 0 is empty, CLS_TOMB was in use. */
#define CLS_TOMB UINT64_C(1)
/* Beside the pointer: the list has an index in 'longs'. */
#define CLS_LONG UINT64_C(2)
#define CLS_PTR_BITS 48
#define CLS_PTR_MASK (((UINT64_C(1) << CLS_PTR_BITS) - 1) & ~(CLS_TOMB | CLS_LONG))
struct cls_slots {
    uint32_t mask;
    uint32_t n_used;         /* not empty; main only */
    uint32_t n_live;         /* with a rule; main only */
    _Atomic uint64_t slot[]; /* w main, r all */
};

/* All rules with one mask.  Constant but where noted. */
struct cls_subtable {
    UT_hash_handle hh; /* in cls->subtables, by map and mask; main only */
    uint32_t id;       /* order of creation */
    uint16_t n_words;
    uint8_t stage_end[CLS_N_STAGES]; /* words [0, stage_end[s]) belong to stages up to s */
    uint8_t last_stage;              /* the last one that has words */
    uint8_t plen[CLS_N_TRIES];       /* prefix length of the field, 0: not one */
    uint8_t trie_word[CLS_N_TRIES];  /* where in 'word' its first word stands */
    bool has_tries;
    bool is_dirty;                   /* main: in cls->dirty */
    bool is_lower;                   /* main: and its bound fell */
    uint8_t ports_plen;              /* bits of tp_src,tp_dst up to the last in the mask */
    uint8_t ports_word;              /* where in 'word' they stand */
    uint8_t word[FLOW_WORDS];        /* which words, in stage order */
    int32_t bound;                   /* main: no rule has a higher priority */
    _Atomic uint32_t n_refs;         /* w all: rules not released, and the classifier */
    size_t n_rules;                  /* main: those that cls_rule_init() made count already */
    size_t n_linked;                 /* main: those of 'n_rules' that cls_link_many() linked */
    size_t n_removed;                /* main: since 'bound' was computed */
    struct cls_long *longs;          /* main: indices of long lists */
    uint64_t n_undone;               /* main: removals, so far */
    RCU_PTR(struct cls_slots) slots; /* w main, r all */
    struct cls_filter filter[CLS_N_STAGES - 1]; /* w main, r all */
    struct cls_trie ports;                      /* w main, r all */
    uint64_t map;              /* bitmap of the words; 'mask' follows: the hash's key */
    uint64_t mask[FLOW_WORDS]; /* of word[i]; zero behind n_words */
};

/* The order of search: two lists of descending bounds, searched as if they were one; replaced as a
 * whole, but 'base' is kept from one to the next.  A subtable of 'raised' may be in 'base', too,
 * with the bound that it had: it is searched twice then, or not that far. */
struct cls_order_entry {
    int32_t bound;
    struct cls_subtable *subtable;
};
struct cls_order_base {
    size_t n;
    struct cls_order_entry e[];
};
struct cls_order {
    const struct cls_order_base *base;
    size_t n_raised;
    struct cls_order_entry raised[];
};

/* A walk over an order, from '(struct cls_order_walk){0}' on. */
struct cls_order_walk {
    size_t base, raised; /* next places */
};

/* The next entry, or NULL.  Any thread. */
static inline const struct cls_order_entry *
cls_order_next(const struct cls_order *order, struct cls_order_walk *walk)
{
    const struct cls_order_base *base = order->base;

    if (walk->raised < order->n_raised &&
        (walk->base >= base->n || order->raised[walk->raised].bound > base->e[walk->base].bound)) {
        return &order->raised[walk->raised++];
    }
    return walk->base < base->n ? &base->e[walk->base++] : NULL;
}

/* Is the entry of 'base' a second one of its subtable? */
static inline bool
cls_order_is_second(const struct cls_order *order, const struct cls_order_entry *e)
{
    for (size_t i = 0; i < order->n_raised; i++) {
        if (order->raised[i].subtable == e->subtable && &order->raised[i] != e) {
            return true;
        }
    }
    return false;
}

/* So many masks that were looked up last are found at once, for a rule's insertion follows the
 * search for its like, and most tables have few masks. */
enum { CLS_N_RECENT = 256 };

struct cls {
    RCU_PTR(struct cls_order) order;    /* w main, r all */
    struct cls_trie tries[CLS_N_TRIES]; /* w main, r all */
    _Atomic unsigned tries_enabled;     /* bits of enum cls_trie_field; w main, r all */
    struct cls_subtable *subtables;     /* main only */
    struct cls_subtable **dirty;        /* main only: whose place in the order is out of date */
    size_t n_dirty, allocated_dirty;    /* main only */
    struct cls_subtable **recent;       /* main only: by a hash of their masks; NULL: none */
    size_t n_rules;                     /* main only */
    uint32_t next_id;                   /* main only */
};

/* --- cls_subtable.c: main only unless noted ----------------------------------------------------
 */

struct cls_subtable *cls_subtable_create(struct cls *, const struct flow_mask *);
/* Frees after a grace period. */
void cls_subtable_destroy(struct cls *, struct cls_subtable *);
/* The subtable of exactly this mask, or NULL. */
struct cls_subtable *cls_subtable_by_mask(struct cls *, const struct flow_mask *);
/* The rule with this priority and the values of 'flow' that is visible, or NULL. */
const struct cls_rule *cls_subtable_find_exactly(struct cls_subtable *, const struct flow *,
                                                 cls_version_t, int32_t priority);
/* The same for the values and priority of 'rule', which is linked. */
const struct cls_rule *cls_subtable_find_like(struct cls_rule *rule, cls_version_t);
void cls_subtable_link(struct cls_subtable *, struct cls_rule *);
/* The rule's part in the trie of L4 ports; false if it has none. */
bool cls_subtable_ports(const struct cls_subtable *, const struct cls_rule *,
                        struct cls_trie_prefix *);
/* Fetches what linking the rule will look at into the processor's cache. */
void cls_subtable_warm(const struct cls_subtable *, const struct cls_rule *);
void cls_subtable_unlink(struct cls_subtable *, struct cls_rule *);
/* Unlinks all that is linked, without a look at the rules. */
void cls_subtable_unlink_all(struct cls_subtable *);
/* The highest priority that is really there; INT32_MIN when empty. */
int32_t cls_subtable_max_priority(const struct cls_subtable *);

/* --- cls_list.c: main only ----------------------------------------------------------------------
 */

/* Into the list of a slot that leads to a rule with the same values. */
void cls_list_link(struct cls_subtable *, _Atomic uint64_t *slot, struct cls_rule *);
/* False if no rule is left: the slot then still leads to this one. */
bool cls_list_unlink(struct cls_subtable *, _Atomic uint64_t *slot, struct cls_rule *);
/* The rule of that priority that is visible, or NULL.  'recent', one of that priority or NULL, is
 * a good guess for the next call. */
const struct cls_rule *cls_list_find(struct cls_subtable *, _Atomic uint64_t *slot, cls_version_t,
                                     int32_t priority, const struct cls_rule *recent);
void cls_longs_destroy(struct cls_subtable *);

/* --- cls_order.c: main only --------------------------------------------------------------------
 */

/* The subtable's place in the order changes with the next cls_publish(). */
void cls_order_touch(struct cls *, struct cls_subtable *);
/* A rule of this priority came. */
void cls_order_raise(struct cls *, struct cls_subtable *, int32_t priority);
/* Many rules went: finds the bound anew. */
void cls_order_lower(struct cls *, struct cls_subtable *);
/* Frees the order after a grace period. */
void cls_order_destroy(struct cls *);

static inline struct cls_rule *
cls_slot_rule(uint64_t slot)
{
    return (struct cls_rule *)(uintptr_t)(slot & CLS_PTR_MASK);
}

/* Continues a hash over the words [from, to) of the subtable's mask.  Any thread. */
static inline uint64_t
cls_hash_words(const struct cls_subtable *st, const struct flow *flow, unsigned from, unsigned to,
               uint64_t hash)
{
    for (unsigned i = from; i < to; i++) {
        hash = hash_add(hash, flow->w[st->word[i]] & st->mask[i]);
    }
    return hash;
}

/* What filters and slots keep of a running hash. */
static inline uint32_t
cls_hash32(uint64_t hash)
{
    return (uint32_t)(hash_finish(hash) >> 32);
}

/* Makes a slot lead to another rule of the same values.  Main. */
static inline void
cls_slot_set(_Atomic uint64_t *slot, struct cls_rule *rule)
{
    uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

    atomic_store_explicit(slot, (old & ~CLS_PTR_MASK) | (uint64_t)(uintptr_t)rule,
                          memory_order_release);
}

/* The first of the rules whose values are those of 'flow' under the mask, or NULL.  Any thread. */
static inline struct cls_rule *
cls_subtable_find(const struct cls_subtable *st, const struct flow *flow, uint32_t hash)
{
    const struct cls_slots *s = rcu_get(&st->slots);

    if (!s) {
        return NULL;
    }
    for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t x = atomic_load_explicit(&s->slot[i], memory_order_acquire);

        if (!x) {
            return NULL;
        }
        if (x >> CLS_PTR_BITS == hash >> 16 && x != CLS_TOMB) {
            struct cls_rule *r = cls_slot_rule(x);
            unsigned w = 0;

            while (w < st->n_words && (flow->w[st->word[w]] & st->mask[w]) == r->values[w]) {
                w++;
            }
            if (w == st->n_words) {
                return r;
            }
        }
    }
}

/* tp_src and tp_dst as one key for the ports trie. */
static inline uint32_t
cls_ports_key(uint64_t word)
{
    uint8_t b[8];

    memcpy(b, &word, sizeof b);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Where the tries' fields stand in a flow, and how many bits they have. */
struct cls_trie_field_info {
    uint16_t ofs;
    uint16_t n_bits;
};
extern const struct cls_trie_field_info cls_trie_fields[CLS_N_TRIES];

/* Fetches a trie's key from a flow: words in host order. */
static inline void
cls_trie_key(enum cls_trie_field field, const struct flow *flow, uint32_t key[4])
{
    const uint8_t *p = (const uint8_t *)flow + cls_trie_fields[field].ofs;

    for (unsigned i = 0; i < cls_trie_fields[field].n_bits / 32; i++) {
        key[i] = get_be32(p + 4 * i);
    }
}

#endif /* ofproto/cls_int.h */
