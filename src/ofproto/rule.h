// SPDX-License-Identifier: Apache-2.0
/*
 * rule.h - one OpenFlow flow entry, and its actions.
 *
 * The main thread makes, changes and removes rules.  Changing a rule's actions makes a new rule in
 * a new version (its statistics object is the same), so that what a translation found stays as it
 * was. Handlers find rules by ofproto_lookup() under RCU and may keep one longer with rule_ref().
 */
#ifndef OFPROTO_RULE_H
#define OFPROTO_RULE_H 1

#include "ofproto/cls.h"

struct ofproto;
struct ofpact;

/* An immutable list of actions.  Equal lists are shared: a table of 100,000 ACL rules with the same
 * few outcomes holds a handful of these. */
struct rule_actions {
    _Atomic uint32_t n_refs;
    uint32_t size;         /* bytes of 'acts' */
    uint32_t meter_id;     /* first meter, or 0 */
    bool has_groups;       /* some action leads to a group */
    bool has_learn;        /* translation has side effects */
    bool has_conj;         /* conjunction(): the rule is one clause of a match */
    bool deletes_learned;  /* learn(delete_learned): learned.c */
    bool learn_tells_room; /* learn(limit=N,result_dst=FIELD): learn_limit.c */
    bool has_options;      /* tunnel options are named: ofpacts_options() */
    uint64_t acts[];       /* struct ofpact list: rule_acts() */
};

/* What was counted for a flow entry.  Lives on when a modify replaces the rule. */
struct rule_stats {
    _Atomic uint64_t packets; /* w revalidators and handlers, r main */
    _Atomic uint64_t bytes;
    _Atomic int64_t used_ms; /* clock_now_ms() of the last packet; at first: of creation */
};

struct rule {
    struct ofproto *ofproto;            /* constant */
    const struct rule_actions *actions; /* constant */
    uint64_t cookie;                    /* constant: a modify makes a new rule */
    struct rule_stats *stats;           /* constant; own_stats, or those of 'stats_from' */
    struct rule_stats own_stats;
    struct rule *stats_from; /* constant; the rule that this one modified, or NULL */
    int64_t created_ms;      /* constant */
    int64_t modified_ms;     /* constant; clock_now_ms() of the last add or modify */
    _Atomic uint32_t n_refs;
    uint16_t idle_timeout; /* seconds; w main (fin_timeout), r main */
    uint16_t hard_timeout;
    uint16_t importance;
    uint16_t flags;      /* constant: enum rule_flags */
    uint8_t table_id;    /* constant */
    uint8_t journal[3];  /* main: its number in flow_journal.c, or 0 */
    uint32_t expire_pos; /* main: place in the bridge's 'expirable' + 1, or 0 */
    uint32_t evict_pos;  /* main: place in the table's 'evictable' + 1, or 0 */
    struct cls_rule cls; /* last: values follow */
};

enum rule_flags {
    RULE_SEND_FLOW_REM = 1 << 0,
    RULE_CHECK_OVERLAP = 1 << 1,
    RULE_RESET_COUNTS = 1 << 2,
    RULE_NO_PKT_COUNTS = 1 << 3,
    RULE_NO_BYT_COUNTS = 1 << 4,
    RULE_HIDDEN_READONLY = 1 << 5, /* ours: table-miss, fail-open, in-band */
};

static inline const struct ofpact *
rule_acts(const struct rule_actions *a)
{
    return (const struct ofpact *)(const void *)a->acts;
}

static inline struct rule *
rule_from_cls(const struct cls_rule *c)
{
    return (struct rule *)(uintptr_t)((const char *)c - offsetof(struct rule, cls));
}

/* Takes a reference; only on a rule found under RCU in the same quiescent period, or one already
 * referenced.  False if the rule is on its way to be freed: treat it as not found.  Any thread. */
bool rule_ref(struct rule *);
void rule_unref(struct rule *); /* NULL is fine; any thread */

/* Counts packets for the rule; 'used_ms' is when the last of them came, or 0.  Any thread. */
void rule_credit(struct rule *, uint64_t packets, uint64_t bytes, int64_t used_ms);

/* True once the rule was removed from its table (or replaced) as of 'version'. */
static inline bool
rule_is_removed(const struct rule *r, cls_version_t version)
{
    return !cls_rule_is_visible(&r->cls, version);
}

#endif /* ofproto/rule.h */
