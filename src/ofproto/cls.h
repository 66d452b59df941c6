// SPDX-License-Identifier: Apache-2.0
/*
 * cls.h - the classifier of one OpenFlow table: from a packet's flow to the rule of highest
 * priority that matches it, and which of the packet's bits decided that.
 *
 * Rules with one mask form a subtable, an open-addressed hash of their values.  Subtables are
 * searched in descending order of the highest priority they hold, until no better rule can come.
 * Three things keep the reported bits few and the search short: a subtable is probed in stages
 * (metadata, L2, L3, L4; a miss in an early stage reports the bits of that stage only), tries of
 * the address prefixes in use say which prefix lengths can match at all, and a trie of L4 ports
 * says how many bits of a port tell it from all rules'.
 *
 * Versions: a rule is visible in versions [add, remove).  A writer inserts rules for the next
 * version, marks others for removal in it, says cls_publish(), and then advances the version that
 * readers begin with: readers see all of that or nothing.  A removed rule stays linked until no
 * reader can be at an older version.
 *
 * Threads: one writer (main).  Readers anywhere, lock-free, online in RCU (base/rcu.h).
 */
#ifndef OFPROTO_CLS_H
#define OFPROTO_CLS_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

struct cls;
struct cls_subtable;
struct match;

typedef uint64_t cls_version_t;
#define CLS_VERSION_MIN UINT64_C(1)
#define CLS_VERSION_NEVER UINT64_MAX /* as 'remove': not removed; as 'add': not yet visible */

/* A rule as the classifier sees it; embedded as the LAST member of struct rule, because the values
 * follow it: 'n_words' words of the match, those whose bit is set in the subtable's mask map. */
struct cls_rule {
    _Atomic(struct cls_rule *) next; /* w main, r all: same match; lower priority, or older */
    struct cls_rule *prev;           /* main: the one before in that list, or NULL */
    struct cls_subtable *subtable;   /* constant once inserted; until cls_rule_release() */
    _Atomic cls_version_t add;       /* w main, r all */
    _Atomic cls_version_t remove;    /* w main, r all */
    int32_t priority;                /* constant; above 65535: hidden */
    uint32_t hash;                   /* constant: of the values */
    uint64_t values[];               /* constant */
};

struct cls *cls_create(void);
/* The table must be empty.  NULL is fine.  Memory goes after a grace period. */
void cls_destroy(struct cls *);

/* Bytes of 'values' that a rule with this match needs. */
size_t cls_values_size(const struct match *);
/* Fills in 'rule' (zeroed, with room for the values) and links it, visible from 'version' on; a
 * search finds it after cls_publish(). */
void cls_insert(struct cls *, struct cls_rule *rule, const struct match *, int priority,
                cls_version_t version);
/* The same in two steps, for many rules: cls_rule_init() fills a rule in, and cls_link_many() must
 * follow for it, before anything else is done with the rule.  Rules come together, because each of
 * them alone waits for memory at each step.  Between the two the table may change. */
void cls_rule_init(struct cls *, struct cls_rule *rule, const struct match *, int priority,
                   cls_version_t version);
enum { CLS_LINK_MAX = 16 };
void cls_link_many(struct cls *, struct cls_rule *const *rules, size_t n); /* 'n': CLS_LINK_MAX */
/* Says that cls_find_like() is about to come. */
void cls_prefetch_like(const struct cls_rule *);
/* Makes a rule that was inserted for CLS_VERSION_NEVER visible from 'version' on, in which
 * cls_find_like() for it was the last question about its match and priority. */
void cls_show(struct cls_rule *, cls_version_t version);
/* The rule is no longer visible from 'version' on. */
void cls_mark_removed(struct cls_rule *, cls_version_t version);
/* Undoes cls_mark_removed() of a version that was not published. */
void cls_unmark_removed(struct cls_rule *);
/* Unlinks.  The memory must live until a grace period has passed. */
void cls_unlink(struct cls *, struct cls_rule *);
/* The same for all rules that are linked, cls_n_rules() of them, none of which is visible in a
 * version that a reader may have.  Takes a time for each mask, not for each rule. */
void cls_unlink_all(struct cls *);
/* Brings the order of search up to date with what was inserted and unlinked: once for all of that,
 * because it costs a walk over the masks.  Nearly free when nothing is to be done. */
void cls_publish(struct cls *);
/* Before the memory of a rule that was inserted once is freed: lets go of its mask, which stays
 * readable until then.  Any thread. */
void cls_rule_release(struct cls_rule *);

static inline bool
cls_rule_is_visible(const struct cls_rule *r, cls_version_t version)
{
    return atomic_load_explicit(&r->add, memory_order_acquire) <= version &&
           version < atomic_load_explicit(&r->remove, memory_order_acquire);
}

/* The match of a rule, in full. */
void cls_rule_get_match(const struct cls_rule *, struct match *);

/* The rule of highest priority that matches 'flow' in 'version', or NULL.  Bits of 'flow' that
 * were consulted are added to 'wc' (may be NULL): every flow that agrees with 'flow' in the bits
 * so added gets the same answer from this table in this version.  Any thread. */
const struct cls_rule *cls_lookup(const struct cls *, cls_version_t, const struct flow *,
                                  struct flow_mask *wc);

/* Puts all rules that match 'flow' in 'version' into a new array, in descending order of priority;
 * the caller frees it.  Adds to 'wc' what was consulted in every subtable.  Any thread. */
const struct cls_rule **cls_lookup_all(const struct cls *, cls_version_t, const struct flow *,
                                       struct flow_mask *wc, size_t *n);

/* The rule with exactly this match and priority, visible in 'version'.  Writer. */
const struct cls_rule *cls_find_exactly(struct cls *, cls_version_t, const struct match *,
                                        int priority);
/* The same for the match and priority of a rule that is linked, and about to be shown.  Writer. */
const struct cls_rule *cls_find_like(struct cls_rule *, cls_version_t);
/* True if a rule of that priority, other than one with exactly this match, can match a packet that
 * 'match' matches (CHECK_OVERLAP). */
bool cls_overlaps(struct cls *, cls_version_t, const struct match *, int priority);

/* Calls 'cb' for each rule visible in 'version' whose match is 'match' or more specific (NULL: all
 * rules).  Stops when it returns false.  'cb' may mark and unlink the rule it is given, and
 * insert. */
typedef bool cls_visit_fn(struct cls_rule *, void *aux);
void cls_visit_loose(struct cls *, cls_version_t, const struct match *, cls_visit_fn *, void *aux);

/* True if the rule's match looks at any of 'bits'. */
bool cls_rule_looks_at(const struct cls_rule *, const struct flow_mask *bits);

/* Calls 'cb' for each rule visible in 'version' whose match looks at any of 'bits' (NULL: all
 * rules), until it returns false.  Masks that do not look there cost one look each.  'cb' must
 * leave the table as it is. */
void cls_visit_looking(const struct cls *, cls_version_t, const struct flow_mask *bits,
                       cls_visit_fn *, void *aux);

size_t cls_n_rules(const struct cls *); /* linked ones, of any version */
size_t cls_n_subtables(const struct cls *);

/* Which fields have tries: MFF ids as bits of enum cls_trie_field; default all. */
enum cls_trie_field {
    CLS_TRIE_IP_DST,
    CLS_TRIE_IP_SRC,
    CLS_TRIE_IPV6_DST,
    CLS_TRIE_IPV6_SRC,
    CLS_N_TRIES,
};
void cls_set_tries(struct cls *, unsigned fields);

#endif /* ofproto/cls.h */
