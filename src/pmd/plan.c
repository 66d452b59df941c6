// SPDX-License-Identifier: Apache-2.0
//
// The table of action lists in use (see plan.h).  Control path, under the flow lock.
#include "pmd/plan.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/rcu.h"
#include "pmd/drop.h"

void
plan_table_init(struct plan_table *t)
{
    t->mask = 255;
    t->n = 0;
    t->heads = xcalloc(t->mask + 1, sizeof *t->heads);
}

static void
plan_free(void *plan_)
{
    struct plan *plan = plan_;

    dp_actions_fini(&plan->actions);
    free(plan);
}

void
plan_table_fini(struct plan_table *t)
{
    for (size_t i = 0; i <= t->mask; i++) {
        for (struct plan *p = t->heads[i], *next; p; p = next) {
            next = p->next;
            plan_free(p);
        }
    }
    free(t->heads);
}

static void
plan_table_grow(struct plan_table *t)
{
    size_t mask = t->mask * 2 + 1;
    struct plan **heads = xcalloc(mask + 1, sizeof *heads);

    for (size_t i = 0; i <= t->mask; i++) {
        for (struct plan *p = t->heads[i], *next; p; p = next) {
            next = p->next;
            p->next = heads[p->hash & mask];
            heads[p->hash & mask] = p;
        }
    }
    free(t->heads);
    t->heads = heads;
    t->mask = mask;
}

// A list that starts with a drop ends there.
bool
plan_is_drop(const struct dp_actions *actions, uint32_t *reason)
{
    const struct dp_action *first = (const struct dp_action *)actions->data;

    if (!actions->size) {
        *reason = DROP_NO_ACTION;
        return true;
    }
    if (first->type == DP_ACT_DROP) {
        *reason = drop_from_action(((const struct dp_act_drop *)first)->reason);
        return true;
    }
    return false;
}

bool
plan_is_output(const struct dp_actions *actions, odp_port_t *port)
{
    const struct dp_action *first = (const struct dp_action *)actions->data;

    if (!actions->size || first->type != DP_ACT_OUTPUT ||
        (size_t)first->len8 * 8 != actions->size) {
        return false;
    }
    *port = ((const struct dp_act_port *)first)->port;
    return true;
}

// Decides how the list runs.
static void
plan_classify(struct plan *plan)
{
    if (plan_is_drop(&plan->actions, &plan->drop_reason)) {
        plan->kind = PLAN_DROP;
    } else if (plan_is_output(&plan->actions, &plan->port)) {
        plan->kind = PLAN_OUTPUT;
    } else {
        plan->kind = PLAN_LIST;
    }
}

const struct plan *
plan_get(struct plan_table *t, const struct dp_actions *actions)
{
    uint64_t hash = hash_bytes(actions->data, actions->size, 0);

    for (struct plan *p = t->heads[hash & t->mask]; p; p = p->next) {
        if (p->hash == hash && p->actions.size == actions->size &&
            (!actions->size || !memcmp(p->actions.data, actions->data, actions->size))) {
            p->n_refs++;
            return p;
        }
    }
    struct plan *plan = xzalloc_cacheline(sizeof *plan);
    plan->hash = hash;
    plan->n_refs = 1;
    dp_actions_append(&plan->actions, actions->data, actions->size);
    plan_classify(plan);
    plan->next = t->heads[hash & t->mask];
    t->heads[hash & t->mask] = plan;
    if (++t->n > t->mask) {
        plan_table_grow(t);
    }
    return plan;
}

const struct plan *
plan_ref(const struct plan *plan)
{
    ((struct plan *)plan)->n_refs++;
    return plan;
}

static void
shared_unref(struct plan_table *t, struct dp_shared *shared)
{
    plan_unref(t, rcu_get_protected(&shared->now));
    rcu_free(shared);
}

void
plan_unref(struct plan_table *t, const struct plan *plan_)
{
    struct plan *plan = (struct plan *)plan_;

    if (!plan || --plan->n_refs) {
        return;
    }
    if (plan->kind == PLAN_SHARED) {
        shared_unref(t, (struct dp_shared *)plan);
        return;
    }
    struct plan **p = &t->heads[plan->hash & t->mask];
    while (*p != plan) {
        p = &(*p)->next;
    }
    *p = plan->next;
    t->n--;
    rcu_defer(plan_free, plan);
}

struct dp_shared *
plan_shared_create(struct plan_table *t, const struct dp_actions *actions)
{
    struct dp_shared *shared = xzalloc_cacheline(sizeof *shared);

    shared->plan.kind = PLAN_SHARED;
    shared->plan.n_refs = 1;
    rcu_assign(&shared->now, plan_get(t, actions));
    return shared;
}

void
plan_shared_set(struct plan_table *t, struct dp_shared *shared, const struct dp_actions *actions)
{
    const struct plan *old = rcu_get_protected(&shared->now);

    rcu_assign(&shared->now, plan_get(t, actions));
    plan_unref(t, old);
}
