// SPDX-License-Identifier: Apache-2.0
/*
 * flow_mod.c - what a flow-mod means (OpenFlow 1.0 section 4.6, 1.3 section 6.4), and which rules a
 * request for statistics asks for.
 *
 * Main thread.  Actions have been checked before (ofpacts_check()); what is here depends on tables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ofproto/ofproto_priv.h"

/* The tables that "table_id" means; false if there is no such table. */
static bool
table_range(uint8_t table_id, int *first, int *last)
{
    if (table_id == OFP_TABLE_ALL) {
        *first = 0;
        *last = OFPROTO_N_TABLES - 1;
    } else {
        *first = *last = table_id;
    }
    return table_id == OFP_TABLE_ALL || table_id < OFPROTO_N_TABLES;
}

/* --- choosing rules
 * ------------------------------------------------------------------------------- */

/* What filters a loose visit. */
struct choice {
    uint64_t cookie, cookie_mask;
    ofp_port_t out_port;
    uint32_t out_group;
    const struct flow_mask *looks_at; /* bits of which its match has one at least; NULL: any */
    struct rule **rules;
    size_t n, allocated;
};

static bool
is_chosen(const struct choice *c, const struct rule *r)
{
    const struct rule_actions *a = r->actions;

    return r->cls.priority <= UINT16_MAX && !((r->cookie ^ c->cookie) & c->cookie_mask) &&
           (!c->looks_at || cls_rule_looks_at(&r->cls, c->looks_at)) &&
           (c->out_port == OFPP_NONE ||
            ofpacts_output_to_port(rule_acts(a), a->size, (uint16_t)c->out_port)) &&
           (c->out_group == OFP_GROUP_ANY ||
            (a->has_groups && ofpacts_output_to_group(rule_acts(a), a->size, c->out_group)));
}

static bool
choose_rule(struct cls_rule *cls_rule, void *c_)
{
    struct choice *c = c_;
    struct rule *r = rule_from_cls(cls_rule);

    if (is_chosen(c, r)) {
        if (c->n >= c->allocated) {
            c->allocated = MAX(c->allocated * 2, (size_t)16);
            c->rules = xreallocarray(c->rules, c->allocated, sizeof *c->rules);
        }
        c->rules[c->n++] = r;
    }
    return true;
}

/* The bits that only a frame has, and that a packet is one. */
static void
set_frame_bits(struct flow_mask *m)
{
    memset(m, 0, sizeof *m);
    for (size_t w = FLOW_WORD_OF(dl_dst); w <= FLOW_WORD_OF(nd_reserved); w++) {
        m->bits.w[w] = UINT64_MAX;
    }
    FLOW_MASK_CLEAR(m, pkt_mark);
    FLOW_MASK_CLEAR(m, dp_hash);
    FLOW_MASK_CLEAR(m, skb_priority);
}

static void
choose_loose(struct ofproto *p, cls_version_t version, uint8_t table_id, const struct match *match,
             struct choice *c)
{
    struct flow_mask frame_bits;
    struct match rest;
    int first, last;

    /* A match of any field of a frame says that packets are frames, whether it names packet_type
     * or not: a request that asks for packet_type=(0,0) means all of those. */
    if (match && match->mask.bits.packet_type && !match->flow.packet_type) {
        rest = *match;
        FLOW_MASK_CLEAR(&rest.mask, packet_type);
        match = &rest;
        set_frame_bits(&frame_bits);
        c->looks_at = &frame_bits;
    }
    table_range(table_id, &first, &last);
    for (int i = first; i <= last; i++) {
        if (p->tables[i].n_flows || i == OFPROTO_TABLE_HIDDEN) { /* Hidden flows are not counted. */
            cls_visit_loose(p->tables[i].cls, version, match, choose_rule, c);
        }
    }
    c->looks_at = NULL;
}

static void
choose_strict(struct ofproto *p, cls_version_t version, const struct ofp_flow_mod *fm,
              struct choice *c)
{
    int first, last;

    table_range(fm->table_id, &first, &last);
    for (int i = first; i <= last; i++) {
        const struct cls_rule *r =
            cls_find_exactly(p->tables[i].cls, version, &fm->match, fm->priority);
        if (r) {
            choose_rule((struct cls_rule *)(uintptr_t)r, c);
        }
    }
}

static void
choose(struct flow_txn *txn, const struct ofp_flow_mod *fm, struct choice *c)
{
    bool is_delete = fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;

    *c = (struct choice){
        .cookie = fm->cookie,
        .cookie_mask = fm->cookie_mask,
        .out_port = is_delete ? fm->out_port : OFPP_NONE,
        .out_group = is_delete ? fm->out_group : OFP_GROUP_ANY,
    };
    if (fm->command == OFPFC_MODIFY || fm->command == OFPFC_DELETE) {
        choose_loose(txn->ofproto, txn->version, fm->table_id, &fm->match, c);
    } else {
        choose_strict(txn->ofproto, txn->version, fm, c);
    }
}

/* --- commands
 * -------------------------------------------------------------------------------------- */

/* Makes room in a full table; false if there is no rule that may go. */
static bool
evict_one(struct flow_txn *txn, struct oftable *t)
{
    struct rule *victim = evict_choose(txn->ofproto, t, txn->version);

    if (victim) {
        flow_txn_remove(txn, victim, OFPRR_EVICTION, false);
    }
    return victim != NULL;
}

void
flow_tables_shrink(struct ofproto *p)
{
    struct flow_txn txn;

    flow_txn_begin(&txn, p);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        struct oftable *t = &p->tables[i];

        while (t->n_flows > t->max_flows && oftable_evicts(t) && evict_one(&txn, t)) {
        }
    }
    flow_txn_commit(&txn);
}

/* Before a rule comes: the one that it replaces goes, or a full table makes room. */
static enum ofperr
make_way(struct flow_txn *txn, struct oftable *t, struct rule *old)
{
    if (old) {
        flow_txn_remove(txn, old, OFPRR_DELETE, true);
    } else if (t->n_flows >= t->max_flows && !(oftable_evicts(t) && evict_one(txn, t))) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    return OFPERR_OK;
}

static struct rule *
rule_or_null(const struct cls_rule *r)
{
    return r ? rule_from_cls(r) : NULL;
}

static uint8_t
table_for_add(const struct ofp_flow_mod *fm)
{
    return fm->table_id == OFP_TABLE_ALL ? 0 : fm->table_id;
}

static struct rule_new
new_rule(struct ofproto *p, const struct ofp_flow_mod *fm, struct rule *stats_from)
{
    return (struct rule_new){
        .table_id = table_for_add(fm),
        .priority = fm->priority,
        .cookie = fm->new_cookie,
        .idle_timeout = fm->idle_timeout,
        .hard_timeout = fm->hard_timeout,
        .importance = fm->importance,
        .flags = fm->flags,
        .match = &fm->match,
        .actions = rule_actions_get(p->all, ofpacts_data(&fm->actions), fm->actions.size),
        .stats_from = stats_from,
    };
}

static enum ofperr
add_flow(struct flow_txn *txn, const struct ofp_flow_mod *fm)
{
    struct ofproto *p = txn->ofproto;
    struct oftable *t = &p->tables[table_for_add(fm)];
    struct rule *old =
        rule_or_null(cls_find_exactly(t->cls, txn->version, &fm->match, fm->priority));
    struct rule_new rn;
    enum ofperr error;

    if (!old && (fm->flags & OFPFF_CHECK_OVERLAP) && !txn->is_restore &&
        cls_overlaps(t->cls, txn->version, &fm->match, fm->priority)) {
        return OFPERR_OFPFMFC_OVERLAP;
    }
    error = make_way(txn, t, old);
    if (error) {
        return error;
    }
    rn = new_rule(p, fm, fm->flags & OFPFF_RESET_COUNTS ? NULL : old);
    flow_txn_add(txn, &rn);
    return OFPERR_OK;
}

struct rule *
flow_mod_prepare(struct ofproto *p, const struct ofp_flow_mod *fm)
{
    struct rule_new rn;
    struct rule *r;

    /* What depends on other rules, or on groups and meters, is looked at when the time has come. */
    if (fm->command != OFPFC_ADD || fm->flags & OFPFF_CHECK_OVERLAP ||
        fm->buffer_id != OFP_BUFFER_NONE) {
        return NULL;
    }
    rn = new_rule(p, fm, NULL);
    if (rn.actions->has_groups || rn.actions->meter_id) {
        rule_actions_unref(rn.actions);
        return NULL;
    }
    r = rule_create(p, &rn);
    cls_rule_init(p->tables[rn.table_id].cls, &r->cls, rn.match, rn.priority, CLS_VERSION_NEVER);
    return r;
}

void
flow_mod_link(struct ofproto *p, struct rule *const *rules, size_t n)
{
    struct cls_rule *run[CLS_LINK_MAX];
    uint8_t table_id = 0;
    size_t n_run = 0;

    for (size_t i = 0; i < n; i++) {
        struct rule *r = rules[i];

        if (!r) {
            continue;
        }
        if (n_run == ARRAY_SIZE(run) || (n_run && r->table_id != table_id)) {
            cls_link_many(p->tables[table_id].cls, run, n_run);
            n_run = 0;
        }
        table_id = r->table_id;
        run[n_run++] = &r->cls;
    }
    cls_link_many(p->tables[table_id].cls, run, n_run);
}

void
flow_mod_prefetch(const struct rule *r)
{
    __builtin_prefetch(r);
    __builtin_prefetch((const char *)r + CACHE_LINE_SIZE);
    __builtin_prefetch(&r->cls.priority);
}

void
flow_mod_prefetch_like(const struct rule *r)
{
    cls_prefetch_like(&r->cls);
}

enum ofperr
flow_mod_apply_prepared(struct flow_txn *txn, struct rule *r)
{
    struct rule *old = rule_or_null(cls_find_like(&r->cls, txn->version));
    enum ofperr error = make_way(txn, &txn->ofproto->tables[r->table_id], old);

    if (error) {
        return error;
    }
    rule_start(r, txn->now_ms);
    if (old && !(r->flags & RULE_RESET_COUNTS)) {
        rule_count_on(r, old);
    }
    flow_txn_show(txn, r);
    return OFPERR_OK;
}

static void
modify_rule(struct flow_txn *txn, struct rule *old, const struct ofp_flow_mod *fm,
            const struct rule_actions *actions)
{
    struct match match;

    cls_rule_get_match(&old->cls, &match);
    rule_actions_ref(actions);
    flow_txn_remove(txn, old, OFPRR_DELETE, true);
    flow_txn_add(txn, &(struct rule_new){
                          .table_id = old->table_id,
                          .priority = old->cls.priority,
                          .cookie = fm->modify_cookie ? fm->new_cookie : old->cookie,
                          .idle_timeout = old->idle_timeout,
                          .hard_timeout = old->hard_timeout,
                          .importance = old->importance,
                          .flags = old->flags,
                          .match = &match,
                          .actions = actions,
                          .stats_from = fm->flags & OFPFF_RESET_COUNTS ? NULL : old,
                          .created_ms = old->created_ms,
                      });
}

static enum ofperr
modify_flows(struct flow_txn *txn, const struct ofp_flow_mod *fm)
{
    const struct rule_actions *actions;
    struct choice c;

    choose(txn, fm, &c);
    if (!c.n) {
        free(c.rules);
        /* OpenFlow 1.0 and 1.1: a modify that changes nothing adds, unless it was for a cookie. */
        return fm->cookie_mask || fm->new_cookie == UINT64_MAX ? OFPERR_OK : add_flow(txn, fm);
    }
    actions = rule_actions_get(txn->ofproto->all, ofpacts_data(&fm->actions), fm->actions.size);
    for (size_t i = 0; i < c.n; i++) {
        modify_rule(txn, c.rules[i], fm, actions);
    }
    rule_actions_unref(actions);
    free(c.rules);
    return OFPERR_OK;
}

static enum ofperr
delete_flows(struct flow_txn *txn, const struct ofp_flow_mod *fm)
{
    bool may = fm->table_id != OFPROTO_TABLE_HIDDEN; /* Those flows are the switch's own. */
    enum ofperr error;
    struct choice c;

    choose(txn, fm, &c);
    error = may || !c.n ? OFPERR_OK : OFPERR_OFPBRC_EPERM;
    for (size_t i = 0; may && i < c.n; i++) {
        flow_txn_remove(txn, c.rules[i], OFPRR_DELETE, false);
    }
    free(c.rules);
    return error;
}

void
flow_txn_remove_by_meter(struct flow_txn *txn, uint32_t meter_id)
{
    struct choice c = {.out_port = OFPP_NONE, .out_group = OFP_GROUP_ANY};

    choose_loose(txn->ofproto, txn->version, OFP_TABLE_ALL, NULL, &c);
    for (size_t i = 0; i < c.n; i++) {
        uint32_t id = c.rules[i]->actions->meter_id;

        if (id && (id == meter_id || meter_id == OFP_METER_ALL)) {
            flow_txn_remove(txn, c.rules[i], OFPRR_METER_DELETE, false);
        }
    }
    free(c.rules);
}

/* Counts rules by what they lead to. */
struct target_count {
    const uint32_t *ids; /* sorted */
    size_t n;
    uint32_t *counts;
    const struct rule **last; /* that was counted, for each id */
    const struct rule *rule;
};

static int
compare_ids(const void *a_, const void *b_)
{
    const uint32_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static void
count_target(uint32_t id, void *count_)
{
    struct target_count *count = count_;
    const uint32_t *found = bsearch(&id, count->ids, count->n, sizeof id, compare_ids);
    size_t i = found ? (size_t)(found - count->ids) : 0;

    if (found && count->last[i] != count->rule) {
        count->last[i] = count->rule;
        count->counts[i]++;
    }
}

static bool
count_groups_of_rule(struct cls_rule *cls_rule, void *count_)
{
    struct target_count *count = count_;
    const struct rule *r = rule_from_cls(cls_rule);

    if (r->actions->has_groups) {
        count->rule = r;
        ofpacts_for_each_group(rule_acts(r->actions), r->actions->size, count_target, count);
    }
    return true;
}

static bool
count_meter_of_rule(struct cls_rule *cls_rule, void *count_)
{
    struct target_count *count = count_;

    count->rule = rule_from_cls(cls_rule);
    if (count->rule->actions->meter_id) {
        count_target(count->rule->actions->meter_id, count);
    }
    return true;
}

static void
count_rules(struct ofproto *p, struct target_count count, cls_visit_fn *visit)
{
    count.last = xcalloc(count.n + 1, sizeof *count.last);
    memset(count.counts, 0, count.n * sizeof *count.counts);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        if (p->tables[i].n_flows) {
            cls_visit_loose(p->tables[i].cls, ofproto_version(p), NULL, visit, &count);
        }
    }
    free(count.last);
}

void
rules_count_groups(struct ofproto *p, const uint32_t *ids, size_t n, uint32_t *counts)
{
    count_rules(p, (struct target_count){.ids = ids, .n = n, .counts = counts},
                count_groups_of_rule);
}

void
rules_count_meters(struct ofproto *p, const uint32_t *ids, size_t n, uint32_t *counts)
{
    count_rules(p, (struct target_count){.ids = ids, .n = n, .counts = counts},
                count_meter_of_rule);
}

enum ofperr
flow_mod_apply(struct flow_txn *txn, const struct ofp_flow_mod *fm)
{
    size_t mark = txn->n_ops;
    bool is_delete = fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;
    enum ofperr error = OFPERR_OFPFMFC_BAD_COMMAND;
    int first, last;

    if (!table_range(fm->table_id, &first, &last) &&
        !(is_delete && fm->table_id == OFPROTO_TABLE_HIDDEN)) {
        return OFPERR_OFPBRC_BAD_TABLE_ID;
    }
    if (fm->buffer_id != OFP_BUFFER_NONE && !is_delete) {
        return OFPERR_OFPBRC_BUFFER_UNKNOWN;
    }
    switch ((enum ofp_flow_mod_command)fm->command) {
    case OFPFC_ADD:
        error = add_flow(txn, fm);
        break;
    case OFPFC_MODIFY:
    case OFPFC_MODIFY_STRICT:
        error = modify_flows(txn, fm);
        break;
    case OFPFC_DELETE:
    case OFPFC_DELETE_STRICT:
        error = delete_flows(txn, fm);
        break;
    }
    if (error) {
        flow_txn_rollback(txn, mark);
    }
    return error;
}

enum ofperr
flow_mod_run(struct ofproto *p, const struct ofp_flow_mod *fm)
{
    struct flow_txn txn;
    enum ofperr error;

    flow_txn_begin(&txn, p);
    error = flow_mod_apply(&txn, fm);
    flow_txn_commit(&txn);
    return error;
}

/* --- statistics
 * ------------------------------------------------------------------------------------ */

enum ofperr
rules_collect(struct ofproto *p, const struct ofp_flow_stats_request *fsr, struct rule ***rules,
              size_t *n)
{
    struct choice c = {
        .cookie = fsr->cookie,
        .cookie_mask = fsr->cookie_mask,
        .out_port = fsr->out_port,
        .out_group = fsr->out_group,
    };
    int first, last;

    *rules = NULL;
    *n = 0;
    /* The hidden table may be looked at, if by its number only. */
    if (!table_range(fsr->table_id, &first, &last) && fsr->table_id != OFPROTO_TABLE_HIDDEN) {
        return OFPERR_OFPBRC_BAD_TABLE_ID;
    }
    choose_loose(p, ofproto_version(p), fsr->table_id, &fsr->match, &c);
    for (size_t i = 0; i < c.n; i++) {
        rule_ref(c.rules[i]);
    }
    *rules = c.rules;
    *n = c.n;
    return OFPERR_OK;
}

void
rules_unref(struct rule **rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rule_unref(rules[i]);
    }
    free(rules);
}

void
rule_get_stats(const struct rule *r, struct match *match, struct ofp_flow_stats *fs)
{
    int64_t now = clock_now_ms();
    int64_t used = atomic_load_explicit(&r->stats->used_ms, memory_order_relaxed);

    cls_rule_get_match(&r->cls, match);
    *fs = (struct ofp_flow_stats){
        .match = match,
        .actions = rule_acts(r->actions),
        .actions_size = r->actions->size,
        .cookie = r->cookie,
        .n_packets = atomic_load_explicit(&r->stats->packets, memory_order_relaxed),
        .n_bytes = atomic_load_explicit(&r->stats->bytes, memory_order_relaxed),
        .duration_sec = (uint32_t)((now - r->created_ms) / 1000),
        .duration_nsec = (uint32_t)((now - r->created_ms) % 1000 * 1000000),
        .idle_age = (int32_t)(MAX(now - used, (int64_t)0) / 1000),
        .hard_age = (int32_t)((now - r->modified_ms) / 1000),
        .priority = (uint32_t)r->cls.priority,
        .idle_timeout = r->idle_timeout,
        .hard_timeout = r->hard_timeout,
        .importance = r->importance,
        .flags = r->flags & (uint16_t)~RULE_HIDDEN_READONLY,
        .table_id = r->table_id,
    };
}
