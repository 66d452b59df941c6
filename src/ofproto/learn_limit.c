// SPDX-License-Identifier: Apache-2.0
/*
 * learn_limit.c - room for the flows of learn(limit=N,result_dst=FIELD) (ovs-actions(7)).
 *
 * Translations in any thread must say at once whether there is room, and main makes the flow later.
 * So for each table and cookie that such an action of a flow names, main notes which flows are
 * there, and a translation that finds room is promised it until main has done what it asked for.
 * Flows are known by a hash of all that makes them: with one that is there already nothing changes,
 * and it needs no room.
 *
 * A lock of each bridge, a leaf, protects all of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/uthash.h"
#include "ofproto/ofproto_priv.h"

struct quota_key {
    uint64_t cookie;
    uint64_t table_id;
};

struct quota_flow {
    UT_hash_handle hh; /* in learn_quota->flows */
    uint64_t id;
    bool is_there;
    unsigned n_promised; /* jobs for main */
};

struct learn_quota {
    UT_hash_handle hh; /* in ofproto->quotas */
    struct quota_key key;
    size_t n_users; /* actions of flows */
    struct quota_flow *flows;
};

static uint64_t
flow_id(const struct match *match, int priority, const struct ofpact *acts, size_t size)
{
    uint64_t id = (uint64_t)priority;

    for (unsigned i = 0; i < FLOW_WORDS; i++) {
        if (match->mask.bits.w[i]) {
            id = hash_2u64(match->mask.bits.w[i], match->flow.w[i] & match->mask.bits.w[i], id + i);
        }
    }
    return hash_bytes(acts, size, id);
}

static uint64_t
rule_id(const struct rule *r)
{
    struct match match;

    cls_rule_get_match(&r->cls, &match);
    return flow_id(&match, r->cls.priority, rule_acts(r->actions), r->actions->size);
}

static uint64_t
learned_id(const struct ofproto_learned *l)
{
    return flow_id(l->match, l->priority, l->acts, l->acts_size);
}

/* --- under the lock ---------------------------------------------------------------------------
 */

static struct learn_quota *
find_quota(struct ofproto *p, uint8_t table_id, uint64_t cookie)
{
    const struct quota_key key = {cookie, table_id};
    struct learn_quota *q;

    HASH_FIND(hh, p->quotas, &key, sizeof key, q);
    return q;
}

static struct quota_flow *
find_flow(const struct learn_quota *q, uint64_t id)
{
    struct quota_flow *f;

    HASH_FIND(hh, q->flows, &id, sizeof id, f);
    return f;
}

static struct quota_flow *
get_flow(struct learn_quota *q, uint64_t id)
{
    struct quota_flow *f = find_flow(q, id);

    if (!f) {
        f = xzalloc(sizeof *f);
        f->id = id;
        HASH_ADD(hh, q->flows, id, sizeof f->id, f);
    }
    return f;
}

static void
drop_if_unused(struct learn_quota *q, struct quota_flow *f)
{
    if (!f->is_there && !f->n_promised) {
        HASH_DEL(q->flows, f);
        free(f);
    }
}

static void
quota_destroy(struct ofproto *p, struct learn_quota *q)
{
    struct quota_flow *f, *next;

    HASH_ITER (hh, q->flows, f, next) {
        HASH_DEL(q->flows, f);
        free(f);
    }
    HASH_DEL(p->quotas, q);
    free(q);
}

static bool
note_present(struct cls_rule *c, void *q_)
{
    const struct rule *r = rule_from_cls(c);
    struct learn_quota *q = q_;

    if (r->cookie == q->key.cookie && r->cls.priority <= UINT16_MAX) {
        get_flow(q, rule_id(r))->is_there = true;
    }
    return true;
}

static void
add_user(struct flow_txn *txn, const struct ofpact_learn *a)
{
    struct ofproto *p = txn->ofproto;
    struct learn_quota *q = find_quota(p, a->table_id, a->cookie);

    if (!q) {
        q = xzalloc(sizeof *q);
        q->key = (struct quota_key){a->cookie, a->table_id};
        HASH_ADD(hh, p->quotas, key, sizeof q->key, q);
        cls_visit_loose(p->tables[a->table_id].cls, txn->version, NULL, note_present, q);
    }
    q->n_users++;
}

static void
remove_user(struct ofproto *p, const struct ofpact_learn *a)
{
    struct learn_quota *q = find_quota(p, a->table_id, a->cookie);

    if (q && !--q->n_users) {
        quota_destroy(p, q);
    }
}

static void
visit_actions(struct flow_txn *txn, const struct ofpact *acts, size_t size, bool added)
{
    OFPACT_FOR_EACH(act, acts, size)
    {
        if (act->type == OFPACT_WRITE_ACTIONS || act->type == OFPACT_CLONE) {
            size_t inner_size;
            const struct ofpact *inner =
                ofpact_nest_actions(OFPACT_CAST(ofpact_nest, act), &inner_size);

            visit_actions(txn, inner, inner_size, added); /* Depth: OFPACTS_MAX_DEPTH. */
        } else if (act->type == OFPACT_LEARN) {
            const struct ofpact_learn *a = OFPACT_CAST(ofpact_learn, act);

            if (!ofpact_learn_tells_room(a) || a->table_id >= OFPROTO_N_TABLES) {
                continue;
            }
            if (added) {
                add_user(txn, a);
            } else {
                remove_user(txn->ofproto, a);
            }
        }
    }
}

/* Those of the operations that are about flows with such actions, of one kind. */
static void
visit_users(struct flow_txn *txn, bool added)
{
    for (size_t i = 0; i < txn->n_ops; i++) {
        const struct rule_actions *a = txn->ops[i].rule->actions;

        if (a->learn_tells_room && (txn->ops[i].kind == FLOW_OP_ADD) == added) {
            visit_actions(txn, rule_acts(a), a->size, added);
        }
    }
}

static void
note_op(struct ofproto *p, const struct flow_txn_op *op)
{
    const struct rule *r = op->rule;
    struct learn_quota *q = find_quota(p, r->table_id, r->cookie);
    struct quota_flow *f;

    if (!q || r->cls.priority > UINT16_MAX) {
        return;
    }
    f = get_flow(q, rule_id(r));
    f->is_there = op->kind == FLOW_OP_ADD;
    drop_if_unused(q, f);
}

static enum learn_room
ask(const struct learn_quota *q, const struct ofproto_learned *l, uint64_t id)
{
    const struct quota_flow *f = q ? find_flow(q, id) : NULL;

    if (f && f->is_there) {
        return LEARN_THERE;
    }
    return !q || f || HASH_COUNT(q->flows) < l->limit ? LEARN_ROOM : LEARN_NO_ROOM;
}

/* --- main
 * -------------------------------------------------------------------------------------------- */

void
learn_limit_run(struct flow_txn *txn)
{
    struct ofproto *p = txn->ofproto;

    if (!p->quotas && !txn->has_quotas) {
        return;
    }
    pthread_mutex_lock(&p->quotas_lock);
    visit_users(txn, true);
    for (size_t i = 0; i < txn->n_ops && p->quotas; i++) {
        note_op(p, &txn->ops[i]);
    }
    visit_users(txn, false);
    pthread_mutex_unlock(&p->quotas_lock);
}

void
learn_limit_kept(struct ofproto *p, const struct ofproto_learned *l)
{
    struct learn_quota *q;
    struct quota_flow *f;

    pthread_mutex_lock(&p->quotas_lock);
    q = find_quota(p, l->table_id, l->cookie);
    f = q ? find_flow(q, learned_id(l)) : NULL;
    if (f && f->n_promised) {
        f->n_promised--;
        drop_if_unused(q, f);
    }
    pthread_mutex_unlock(&p->quotas_lock);
}

void
learn_limit_destroy(struct ofproto *p)
{
    struct learn_quota *q, *next;

    HASH_ITER (hh, p->quotas, q, next) {
        quota_destroy(p, q);
    }
    pthread_mutex_destroy(&p->quotas_lock);
}

/* --- any thread
 * -------------------------------------------------------------------------------------- */

enum learn_room
ofproto_learn_room(struct ofproto *p, const struct ofproto_learned *l)
{
    enum learn_room room;

    pthread_mutex_lock(&p->quotas_lock);
    room = ask(find_quota(p, l->table_id, l->cookie), l, learned_id(l));
    pthread_mutex_unlock(&p->quotas_lock);
    return room;
}

bool
ofproto_learn_promise(struct ofproto *p, const struct ofproto_learned *l)
{
    uint64_t id = learned_id(l);
    struct learn_quota *q;
    enum learn_room room;

    pthread_mutex_lock(&p->quotas_lock);
    q = find_quota(p, l->table_id, l->cookie);
    room = ask(q, l, id);
    if (q && room != LEARN_NO_ROOM) {
        get_flow(q, id)->n_promised++;
    }
    pthread_mutex_unlock(&p->quotas_lock);
    return room != LEARN_NO_ROOM;
}
