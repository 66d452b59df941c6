// SPDX-License-Identifier: Apache-2.0
/*
 * flow_table.c - transactions on a bridge's tables: rules are linked for the version to come and
 * others marked for removal in it; a commit advances the version that readers begin with.
 *
 * A removed rule stays linked until a grace period has passed, because a translation that began
 * with the version before must still find it (flow_garbage.c).
 *
 * Main thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_monitor.h"

COVERAGE_DEFINE(ofproto_flush);
COVERAGE_DEFINE(rev_flow_table);

/* --- transactions --------------------------------------------------------------------------------
 */

static bool
is_hidden(const struct rule *r)
{
    return r->cls.priority > UINT16_MAX || r->table_id >= OFPROTO_N_TABLES;
}

void
flow_txn_begin(struct flow_txn *txn, struct ofproto *ofproto)
{
    *txn = (struct flow_txn){
        .ofproto = ofproto,
        .version = ofproto_version(ofproto) + 1,
        .now_ms = clock_now_ms(),
    };
}

static void
txn_log(struct flow_txn *txn, struct flow_txn_op op)
{
    if (txn->n_ops >= txn->allocated_ops) {
        txn->allocated_ops = MAX(txn->allocated_ops * 2, (size_t)4);
        txn->ops = xreallocarray(txn->ops, txn->allocated_ops, sizeof *txn->ops);
    }
    txn->ops[txn->n_ops++] = op;
    txn->n_removals += op.kind == FLOW_OP_REMOVE;
    txn->touched[op.rule->table_id / 64] |= UINT64_C(1) << op.rule->table_id % 64;
}

void
flow_txn_add(struct flow_txn *txn, const struct rule_new *rn)
{
    struct ofproto *p = txn->ofproto;
    struct rule_new timed = *rn;
    timed.now_ms = txn->now_ms;
    struct rule *r = rule_create(p, &timed);
    struct oftable *t = &p->tables[rn->table_id];

    if (r->actions->has_conj) {
        atomic_store_explicit(&t->had_clauses, true, memory_order_relaxed);
    }
    txn->has_holders |= r->actions->deletes_learned;
    txn->has_quotas |= r->actions->learn_tells_room;
    cls_insert(t->cls, &r->cls, rn->match, rn->priority, txn->version);
    t->n_flows += !is_hidden(r);
    txn_log(txn,
            (struct flow_txn_op){.rule = r, .kind = FLOW_OP_ADD, .is_modify = rn->created_ms != 0});
}

void
flow_txn_show(struct flow_txn *txn, struct rule *r)
{
    struct oftable *t = &txn->ofproto->tables[r->table_id];

    if (r->actions->has_conj) {
        atomic_store_explicit(&t->had_clauses, true, memory_order_relaxed);
    }
    txn->has_holders |= r->actions->deletes_learned;
    txn->has_quotas |= r->actions->learn_tells_room;
    cls_show(&r->cls, txn->version);
    t->n_flows += !is_hidden(r);
    txn_log(txn, (struct flow_txn_op){.rule = r, .kind = FLOW_OP_ADD});
}

void
flow_discard(struct ofproto *p, struct rule *const *rules, size_t n)
{
    struct flow_garbage *g = flow_garbage_create(p, n);

    for (size_t i = 0; i < n; i++) {
        if (rules[i]) {
            flow_garbage_put(g, rules[i]);
        }
    }
    flow_garbage_is_ripe(g);
}

void
flow_txn_remove(struct flow_txn *txn, struct rule *r, uint8_t reason, bool silent)
{
    struct ofproto *p = txn->ofproto;

    cls_mark_removed(&r->cls, txn->version);
    evict_take(&p->tables[r->table_id], r);
    p->tables[r->table_id].n_flows -= !is_hidden(r);
    txn_log(txn, (struct flow_txn_op){
                     .rule = r, .kind = FLOW_OP_REMOVE, .reason = reason, .silent = silent});
}

void
flow_txn_rollback(struct flow_txn *txn, size_t mark)
{
    flow_txn_forget_users(txn);
    while (txn->n_ops > mark) {
        struct flow_txn_op *op = &txn->ops[--txn->n_ops];
        struct rule *r = op->rule;
        struct oftable *t = &txn->ofproto->tables[r->table_id];

        if (op->kind == FLOW_OP_REMOVE) {
            txn->n_removals--;
            if (r->expire_pos) {
                evict_put(t, r);
            }
            cls_unmark_removed(&r->cls);
            t->n_flows += !is_hidden(r);
        } else {
            /* No reader's version has it: unlink at once.  A mask that is left without rules goes
             * with the table's next cls_publish(). */
            cls_unlink(t->cls, &r->cls);
            t->n_flows -= !is_hidden(r);
            rule_unref(r);
        }
    }
}

/* Was the rule made in this very transaction? */
static bool
is_new(const struct flow_txn *txn, const struct rule *r)
{
    return atomic_load_explicit(&r->cls.add, memory_order_relaxed) == txn->version;
}

static bool
is_gone(const struct flow_txn *txn, const struct rule *r)
{
    return atomic_load_explicit(&r->cls.remove, memory_order_relaxed) == txn->version;
}

static void
txn_publish_op(struct flow_txn *txn, const struct flow_txn_op *op, struct flow_garbage *g)
{
    struct ofproto *p = txn->ofproto;
    struct rule *r = op->rule;

    if (op->kind == FLOW_OP_ADD) {
        if (!is_gone(txn, r)) {
            flow_expirable_add(p, r);
            changes_put_rule(p->all, r, true, txn->version);
        }
        return;
    }
    flow_expirable_del(p, r);
    if (!is_new(txn, r)) {
        changes_put_rule(p->all, r, false, txn->version);
    }
    if (!op->silent && (r->flags & RULE_SEND_FLOW_REM) && !is_hidden(r)) {
        connmgr_send_flow_removed(p->connmgr, r, op->reason);
    }
    flow_garbage_put(g, r);
}

/* True if 'before', which may be NULL, took away a rule in favour of the one that was added next.
 */
static bool
replaces(const struct flow_txn *txn, const struct flow_txn_op *before)
{
    return before && before->kind == FLOW_OP_REMOVE && before->silent && !is_new(txn, before->rule);
}

/* What flow monitors are told of operation 'i'. */
static void
report_op(struct flow_txn *txn, size_t i)
{
    const struct flow_txn_op *op = &txn->ops[i], *before = i ? op - 1 : NULL;
    struct rule_event e = {.rule = op->rule, .event = OFPFME_ADDED};

    if (is_hidden(op->rule)) {
        return;
    }
    if (op->kind == FLOW_OP_REMOVE) {
        if (op->silent || is_new(txn, op->rule)) {
            return;
        }
        e.event = OFPFME_REMOVED;
        e.reason = op->reason;
    } else if (is_gone(txn, op->rule)) {
        return;
    } else if (op->is_modify && before && !is_new(txn, before->rule)) {
        const struct rule *old = before->rule;

        if (old->actions == op->rule->actions && old->cookie == op->rule->cookie) {
            return; /* Equal lists are one object. */
        }
        e.event = OFPFME_MODIFIED;
        e.old_actions = old->actions;
    } else if (replaces(txn, before)) {
        e.old_actions = before->rule->actions;
    }
    connmgr_monitor_report(txn->ofproto->connmgr, e);
}

static void
report_to_monitors(struct flow_txn *txn)
{
    struct connmgr *mgr = txn->ofproto->connmgr;

    if (mgr && connmgr_has_monitors(mgr)) {
        for (size_t i = 0; i < txn->n_ops; i++) {
            report_op(txn, i);
        }
        connmgr_monitor_flush(mgr);
    }
}

static void
publish_tables(const struct flow_txn *txn)
{
    for (size_t i = 0; i < ARRAY_SIZE(txn->touched); i++) {
        for (uint64_t left = txn->touched[i]; left; left &= left - 1) {
            cls_publish(txn->ofproto->tables[i * 64 + (size_t)__builtin_ctzll(left)].cls);
        }
    }
}

/* Rules of a large transaction are fetched from memory so many operations ahead. */
#define PUBLISH_AHEAD 16u

void
flow_txn_commit(struct flow_txn *txn)
{
    struct ofproto *p = txn->ofproto;
    struct flow_garbage *g = NULL;
    bool has_groups;

    if (txn->has_holders || p->learned) {
        learned_run(txn);
    }
    learn_limit_run(txn);
    flow_txn_forget_users(txn);
    groups_publish(p, txn->n_ops ? txn->version : txn->version - 1);
    if (txn->n_ops) {
        coverage_inc(rev_flow_table);
        if (txn->n_removals) {
            g = flow_garbage_create(p, txn->n_removals);
        }
        publish_tables(txn);
        atomic_store_explicit(&p->version, txn->version, memory_order_release);
    }
    has_groups = groups_tell(p);
    flow_journal_txn(txn); /* Before anybody is told: what goes out below is sent at once. */
    if (txn->n_ops) {
        for (size_t i = 0; i < txn->n_ops; i++) {
            if (i + PUBLISH_AHEAD < txn->n_ops) {
                flow_mod_prefetch(txn->ops[i + PUBLISH_AHEAD].rule);
            }
            txn_publish_op(txn, &txn->ops[i], g);
        }
        changes_publish(p->all);
        report_to_monitors(txn);
        vacancy_run(p, txn);
    } else if (has_groups) {
        changes_publish(p->all);
    }
    if (g) {
        rcu_defer(flow_garbage_is_ripe, g);
    }
    free(txn->ops);
    txn->ops = NULL;
    txn->n_ops = 0;
}

void
flow_txn_abort(struct flow_txn *txn)
{
    flow_txn_rollback(txn, 0);
    groups_abort(txn->ofproto);
    free(txn->ops);
    txn->ops = NULL;
}

/* --- tables as a whole
 * ------------------------------------------------------------------------------ */

/* The hidden table's rules, where translation sends packets that need a verdict of their own:
 * reg0=1 to the controller, reg0=2 and 3 to nowhere. */
static void
add_hidden_rule(struct flow_txn *txn, int priority, uint32_t reg0, const struct ofpacts *acts)
{
    struct match m;

    match_init_any(&m);
    if (reg0) {
        match_set_reg_masked(&m, 0, reg0, UINT32_MAX);
    } else {
        m.mask.bits.recirc_id = UINT32_MAX;
    }
    flow_txn_add(txn,
                 &(struct rule_new){
                     .table_id = OFPROTO_TABLE_HIDDEN,
                     .priority = priority,
                     .match = &m,
                     .flags = RULE_HIDDEN_READONLY,
                     .actions = rule_actions_get(txn->ofproto->all, ofpacts_data(acts), acts->size),
                 });
}

void
flow_tables_init(struct ofproto *p)
{
    struct ofpacts acts = {0};
    struct flow_txn txn;
    struct ofpact_controller *c;

    for (int i = 0; i <= OFPROTO_N_TABLES; i++) {
        p->tables[i].cls = cls_create();
        p->tables[i].max_flows = UINT32_MAX;
    }
    atomic_store(&p->version, CLS_VERSION_MIN);
    flow_txn_begin(&txn, p);
    add_hidden_rule(&txn, 2, 0, &acts);
    add_hidden_rule(&txn, 0, 2, &acts);
    add_hidden_rule(&txn, 0, 3, &acts);
    c = ofpacts_put_struct(&acts, CONTROLLER, struct ofpact_controller);
    c->max_len = UINT16_MAX;
    c->reason = OFPR_IMPLICIT_MISS;
    c->meter_id = OFP_METER_NONE;
    add_hidden_rule(&txn, 0, 1, &acts);
    flow_txn_commit(&txn);
    ofpacts_fini(&acts);
}

static bool
unlink_rule(struct cls_rule *c, void *table_)
{
    struct oftable *t = table_;
    struct rule *r = rule_from_cls(c);

    cls_unlink(t->cls, c);
    r->expire_pos = 0;
    rule_unref(r);
    return true;
}

void
flow_tables_destroy(struct ofproto *p)
{
    /* No reader may be in the tables any more. */
    rcu_synchronize();
    free(p->expirable);
    if (p->all->is_ending) {
        return;
    }
    flow_garbage_collect(p);
    for (int i = 0; i <= OFPROTO_N_TABLES; i++) {
        struct oftable *t = &p->tables[i];

        evict_forget(t);
        cls_visit_loose(t->cls, ofproto_version(p), NULL, unlink_rule, t);
        cls_destroy(t->cls);
        free(t->name);
        free(t->prefixes);
        free(t->groups_text);
        free(t->groups);
    }
}

struct flush {
    struct flow_txn txn;
    bool hidden;
};

static bool
flush_rule(struct cls_rule *c, void *flush_)
{
    struct flush *f = flush_;

    if (!is_hidden(rule_from_cls(c))) {
        flow_txn_remove(&f->txn, rule_from_cls(c), OFPRR_DELETE, true);
    }
    return true;
}

void
flow_tables_flush(struct ofproto *p)
{
    struct flush f = {0};

    coverage_inc(ofproto_flush);
    flow_txn_begin(&f.txn, p);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        if (p->tables[i].n_flows) {
            cls_visit_loose(p->tables[i].cls, f.txn.version, NULL, flush_rule, &f);
        }
    }
    flow_txn_commit(&f.txn);
}
