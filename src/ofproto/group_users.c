// SPDX-License-Identifier: Apache-2.0
/*
 * group_users.c - flows go with the groups that they lead to.
 *
 * The first group that a transaction deletes pays for a look at all rules.  What it finds is kept
 * in order of groups until the transaction ends, so that a bundle that deletes a thousand of them
 * looks there, and at what itself did since.  Main thread.
 */
#include <stdlib.h>

#include "ofproto/ofproto_priv.h"

struct group_user {
    uint32_t group_id;
    struct rule *rule;
};

struct group_users {
    struct group_user *v; /* by group_id */
    size_t n, allocated;
    size_t n_ops;      /* of the transaction, when this was made */
    struct rule *rule; /* that is being looked at */
};

static void
put_user(uint32_t group_id, void *users_)
{
    struct group_users *users = users_;

    if (users->n >= users->allocated) {
        users->allocated = MAX(users->allocated * 2, (size_t)16);
        users->v = xreallocarray(users->v, users->allocated, sizeof *users->v);
    }
    users->v[users->n++] = (struct group_user){group_id, users->rule};
}

static bool
put_rule(struct cls_rule *cls_rule, void *users_)
{
    struct group_users *users = users_;
    struct rule *r = rule_from_cls(cls_rule);

    if (r->actions->has_groups && r->cls.priority <= UINT16_MAX) {
        users->rule = r;
        ofpacts_for_each_group(rule_acts(r->actions), r->actions->size, put_user, users);
    }
    return true;
}

static int
compare_users(const void *a_, const void *b_)
{
    const struct group_user *a = a_, *b = b_;

    return a->group_id < b->group_id ? -1 : a->group_id > b->group_id;
}

static struct group_users *
users_get(struct flow_txn *txn)
{
    struct group_users *users = txn->users;

    if (users) {
        return users;
    }
    users = txn->users = xzalloc(sizeof *users);
    users->n_ops = txn->n_ops;
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        struct oftable *t = &txn->ofproto->tables[i];

        if (t->n_flows) {
            cls_visit_loose(t->cls, txn->version, NULL, put_rule, users);
        }
    }
    if (users->n) {
        qsort(users->v, users->n, sizeof *users->v, compare_users);
    }
    return users;
}

void
flow_txn_forget_users(struct flow_txn *txn)
{
    if (txn->users) {
        free(txn->users->v);
        free(txn->users);
        txn->users = NULL;
    }
}

/* The first user of a group whose id is not below 'group_id'. */
static size_t
first_user(const struct group_users *users, uint32_t group_id)
{
    size_t lo = 0, hi = users->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (users->v[mid].group_id < group_id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void
remove_user(struct flow_txn *txn, struct rule *r)
{
    if (!rule_is_removed(r, txn->version)) {
        flow_txn_remove(txn, r, OFPRR_GROUP_DELETE, false);
    }
}

void
flow_txn_remove_by_group(struct flow_txn *txn, uint32_t group_id)
{
    const struct group_users *users = users_get(txn);
    bool all = group_id == OFP_GROUP_ALL;
    size_t n_ops = txn->n_ops;

    for (size_t i = all ? 0 : first_user(users, group_id);
         i < users->n && (all || users->v[i].group_id == group_id); i++) {
        remove_user(txn, users->v[i].rule);
    }
    for (size_t i = users->n_ops; i < n_ops; i++) {
        struct rule *r = txn->ops[i].rule;

        if (txn->ops[i].kind == FLOW_OP_ADD && r->actions->has_groups &&
            (all || ofpacts_output_to_group(rule_acts(r->actions), r->actions->size, group_id))) {
            remove_user(txn, r);
        }
    }
}
