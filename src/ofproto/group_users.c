// SPDX-License-Identifier: Apache-2.0
/*
 * group_users.c - flows go with the groups that they lead to.
 *
 * The first group that a transaction deletes pays for a look at all rules.  What it finds is kept
 * by group until the transaction ends, and with each deletion that follows the rules come in
 * addition that the transaction made since.  A group's rules go with it and are looked at no more:
 * whatever a bundle does, each of its messages is looked at once.  Main thread.
 */
#include <stdlib.h>

#include "ofproto/ofproto_priv.h"

struct group_user {
    uint32_t group_id;
    size_t n, allocated;
    struct rule **rules; /* some are removed already, some are there twice */
    UT_hash_handle hh;
};

struct group_users {
    struct group_user *all; /* by group_id */
    size_t n_ops;           /* of the transaction: so many were looked at */
    struct rule *rule;      /* that is being looked at */
};

static void
put_user(uint32_t group_id, void *users_)
{
    struct group_users *users = users_;
    struct group_user *u;

    HASH_FIND(hh, users->all, &group_id, sizeof group_id, u);
    if (!u) {
        u = xzalloc(sizeof *u);
        u->group_id = group_id;
        HASH_ADD(hh, users->all, group_id, sizeof group_id, u);
    }
    if (u->n >= u->allocated) {
        u->allocated = MAX(u->allocated * 2, (size_t)2);
        u->rules = xreallocarray(u->rules, u->allocated, sizeof(struct rule *));
    }
    u->rules[u->n++] = users->rule;
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

static void
put_all_rules(struct flow_txn *txn, struct group_users *users)
{
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        struct oftable *t = &txn->ofproto->tables[i];

        if (t->n_flows) {
            cls_visit_loose(t->cls, txn->version, NULL, put_rule, users);
        }
    }
}

static struct group_users *
users_get(struct flow_txn *txn)
{
    struct group_users *users = txn->users;

    if (!users) {
        users = txn->users = xzalloc(sizeof *users);
        put_all_rules(txn, users);
    } else {
        for (size_t i = users->n_ops; i < txn->n_ops; i++) {
            if (txn->ops[i].kind == FLOW_OP_ADD) {
                put_rule(&txn->ops[i].rule->cls, users);
            }
        }
    }
    users->n_ops = txn->n_ops;
    return users;
}

static void
forget_user(struct group_users *users, struct group_user *u)
{
    HASH_DEL(users->all, u);
    free(u->rules);
    free(u);
}

void
flow_txn_forget_users(struct flow_txn *txn)
{
    struct group_users *users = txn->users;
    struct group_user *u, *next;

    if (users) {
        HASH_ITER (hh, users->all, u, next) {
            forget_user(users, u);
        }
        free(users);
        txn->users = NULL;
    }
}

static void
remove_rules(struct flow_txn *txn, const struct group_user *u)
{
    for (size_t i = 0; i < u->n; i++) {
        if (!rule_is_removed(u->rules[i], txn->version)) {
            flow_txn_remove(txn, u->rules[i], OFPRR_GROUP_DELETE, false);
        }
    }
}

void
flow_txn_remove_by_group(struct flow_txn *txn, uint32_t group_id)
{
    struct group_users *users = users_get(txn);
    struct group_user *u, *next;

    if (group_id == OFP_GROUP_ALL) {
        HASH_ITER (hh, users->all, u, next) {
            remove_rules(txn, u);
            forget_user(users, u);
        }
        return;
    }
    HASH_FIND(hh, users->all, &group_id, sizeof group_id, u);
    if (u) {
        remove_rules(txn, u);
        forget_user(users, u);
    }
}
