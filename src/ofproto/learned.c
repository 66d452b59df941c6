// SPDX-License-Identifier: Apache-2.0
/*
 * learned.c - flows that go with those that taught them: delete_learned of learn()
 * (ovs-actions(7)).
 *
 * A flow whose actions say so holds a table and a cookie.  With the last holder the flows of that
 * cookie go from that table, in the same transaction; they may be holders, too.
 *
 * Main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/uthash.h"
#include "ofproto/ofproto_priv.h"

struct learned_key {
    uint64_t cookie;
    uint64_t table_id;
};

struct learned {
    UT_hash_handle hh; /* in ofproto->learned */
    struct learned_key key;
    size_t n_holders; /* learn() actions of flows; one flow may have several */
};

static void
add_holder(struct ofproto *p, const struct learned_key *key)
{
    struct learned *l;

    HASH_FIND(hh, p->learned, key, sizeof *key, l);
    if (!l) {
        l = xzalloc(sizeof *l);
        l->key = *key;
        HASH_ADD(hh, p->learned, key, sizeof l->key, l);
    }
    l->n_holders++;
}

/* Flows of one table whose cookie nobody holds any more. */
struct dead_flows {
    struct learned *dead;
    uint8_t table_id;
    struct rule **rules;
    size_t n, allocated;
};

static bool
choose_dead(struct cls_rule *c, void *d_)
{
    struct dead_flows *d = d_;
    struct rule *r = rule_from_cls(c);
    const struct learned_key key = {r->cookie, d->table_id};
    struct learned *l;

    HASH_FIND(hh, d->dead, &key, sizeof key, l);
    if (l && r->cls.priority <= UINT16_MAX) { /* others are the switch's own */
        if (d->n >= d->allocated) {
            d->allocated = MAX(d->allocated * 2, (size_t)16);
            d->rules = xreallocarray(d->rules, d->allocated, sizeof *d->rules);
        }
        d->rules[d->n++] = r;
    }
    return true;
}

/* Takes 'dead'.  Each table is walked once, however many cookies there are. */
static void
remove_flows(struct flow_txn *txn, struct learned *dead)
{
    bool has[OFPROTO_TABLE_HIDDEN] = {false};
    struct learned *l, *next;

    for (l = dead; l; l = l->hh.next) {
        if (l->key.table_id < OFPROTO_TABLE_HIDDEN) {
            has[l->key.table_id] = true;
        }
    }
    for (int i = 0; i < OFPROTO_TABLE_HIDDEN; i++) {
        const struct oftable *t = &txn->ofproto->tables[i];
        struct dead_flows d = {.dead = dead, .table_id = (uint8_t)i};

        if (has[i] && t->n_flows) {
            cls_visit_loose(t->cls, txn->version, NULL, choose_dead, &d);
        }
        for (size_t j = 0; j < d.n; j++) {
            flow_txn_remove(txn, d.rules[j], OFPRR_DELETE, false);
        }
        free(d.rules);
    }
    HASH_ITER (hh, dead, l, next) {
        HASH_DEL(dead, l);
        free(l);
    }
}

static void
remove_holder(struct ofproto *p, const struct learned_key *key, struct learned **dead)
{
    struct learned *l;

    HASH_FIND(hh, p->learned, key, sizeof *key, l);
    if (l && !--l->n_holders) {
        HASH_DEL(p->learned, l);
        HASH_ADD(hh, *dead, key, sizeof l->key, l);
    }
}

/* 'dead' gets what nobody holds any more; NULL: these actions are added. */
static void
visit_actions(struct ofproto *p, const struct ofpact *acts, size_t size, struct learned **dead)
{
    OFPACT_FOR_EACH(act, acts, size)
    {
        if (act->type == OFPACT_WRITE_ACTIONS || act->type == OFPACT_CLONE) {
            size_t inner_size;
            const struct ofpact *inner =
                ofpact_nest_actions(OFPACT_CAST(ofpact_nest, act), &inner_size);

            visit_actions(p, inner, inner_size, dead); /* Depth: OFPACTS_MAX_DEPTH. */
        } else if (act->type == OFPACT_LEARN) {
            const struct ofpact_learn *a = OFPACT_CAST(ofpact_learn, act);
            const struct learned_key key = {a->cookie, a->table_id};

            if (!(a->flags & OFPACT_LEARN_DELETE_LEARNED)) {
                continue;
            }
            if (dead) {
                remove_holder(p, &key, dead);
            } else {
                add_holder(p, &key);
            }
        }
    }
}

/* Those of the operations [from, to) that remove rules, or with NULL those that add some. */
static void
visit_ops(struct flow_txn *txn, size_t from, size_t to, struct learned **dead)
{
    for (size_t i = from; i < to; i++) {
        const struct rule_actions *a = txn->ops[i].rule->actions;

        if (a->deletes_learned && (txn->ops[i].kind == FLOW_OP_ADD) == !dead) {
            visit_actions(txn->ofproto, rule_acts(a), a->size, dead);
        }
    }
}

void
learned_run(struct flow_txn *txn)
{
    size_t from = 0, to = txn->n_ops;

    /* Who comes is counted first: a flow that is replaced by one that holds the same loses nothing.
     */
    visit_ops(txn, from, to, NULL);
    while (from < to && txn->ofproto->learned) {
        struct learned *dead = NULL;

        visit_ops(txn, from, to, &dead);
        remove_flows(txn, dead);
        from = to;
        to = txn->n_ops; /* What went because of them. */
    }
}

void
learned_destroy(struct ofproto *p)
{
    struct learned *l, *next;

    HASH_ITER (hh, p->learned, l, next) {
        HASH_DEL(p->learned, l);
        free(l);
    }
}
