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

static void
remove_flows(struct flow_txn *txn, const struct learned_key *key)
{
    struct ofp_flow_mod fm = {
        .command = OFPFC_DELETE,
        .table_id = (uint8_t)key->table_id,
        .cookie = key->cookie,
        .cookie_mask = UINT64_MAX,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
        .buffer_id = OFP_BUFFER_NONE,
    };

    match_init_any(&fm.match);
    (void)flow_mod_apply(txn, &fm); /* Fails for the hidden table only, whose flows stay. */
}

static void
remove_holder(struct flow_txn *txn, const struct learned_key *key)
{
    struct ofproto *p = txn->ofproto;
    struct learned *l;

    HASH_FIND(hh, p->learned, key, sizeof *key, l);
    if (l && !--l->n_holders) {
        HASH_DEL(p->learned, l);
        remove_flows(txn, &l->key);
        free(l);
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
            const struct learned_key key = {a->cookie, a->table_id};

            if (!(a->flags & OFPACT_LEARN_DELETE_LEARNED)) {
                continue;
            }
            if (added) {
                add_holder(txn->ofproto, &key);
            } else {
                remove_holder(txn, &key);
            }
        }
    }
}

/* Those of the operations [from, to) that add rules, or those that remove some. */
static void
visit_ops(struct flow_txn *txn, size_t from, size_t to, bool added)
{
    for (size_t i = from; i < to; i++) {
        const struct rule_actions *a = txn->ops[i].rule->actions;

        if (a->deletes_learned && (txn->ops[i].kind == FLOW_OP_ADD) == added) {
            visit_actions(txn, rule_acts(a), a->size, added);
        }
    }
}

void
learned_run(struct flow_txn *txn)
{
    size_t from = 0, to = txn->n_ops;

    /* Who comes is counted first: a flow that is replaced by one that holds the same loses nothing.
     */
    visit_ops(txn, from, to, true);
    while (from < to && txn->ofproto->learned) {
        visit_ops(txn, from, to, false);
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
