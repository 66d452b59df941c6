// SPDX-License-Identifier: Apache-2.0
//
// A plan is an action list made ready to run: shared by all flows with the same actions, so that
// the packets of a burst can be grouped by what is done with them rather than by flow.  A hundred
// flows to one port then leave in one piece.  Plans are immutable; the table is written under the
// owner's lock, and a plan that nobody refers to is freed after a grace period.
//
// A dp_shared stands in a flow's place for a plan: many flows refer to it, and what it stands for
// changes for all of them with one store.
#ifndef PMD_PLAN_H
#define PMD_PLAN_H

#include "base/rcu.h"
#include "base/util.h"
#include "flow/dp_action.h"

enum plan_kind {
    PLAN_OUTPUT, // exactly one output
    PLAN_DROP,   // an empty list or an explicit drop
    PLAN_LIST,   // everything else: see actions.c
    PLAN_SHARED, // the first member of a dp_shared: see plan_resolve()
};

struct plan {
    enum plan_kind kind;
    odp_port_t port;      // PLAN_OUTPUT
    uint32_t drop_reason; // PLAN_DROP: enum drop_reason
    struct dp_actions actions;
    // Under the table's lock, and changed by every flow that comes or goes: not in line with what
    // PMDs read.
    uint32_t n_refs CACHE_ALIGNED;
    uint64_t hash;
    struct plan *next; // in the table's chain
};

struct dp_shared {
    struct plan plan;               // kind and n_refs only
    RCU_PTR(const struct plan) now; /* control: w, pmd: r */
};

// What is to be run for a flow's plan.
static inline const struct plan *
plan_resolve(const struct plan *plan)
{
    return plan->kind == PLAN_SHARED ? rcu_get(&((const struct dp_shared *)plan)->now) : plan;
}

struct plan_table {
    struct plan **heads;
    size_t mask;
    size_t n;
};

// Does the list do nothing but drop?  Then '*reason' is an enum drop_reason.
bool plan_is_drop(const struct dp_actions *, uint32_t *reason);
/* True if the list is an output to '*port' and nothing else. */
bool plan_is_output(const struct dp_actions *, odp_port_t *port);
void plan_table_init(struct plan_table *);
void plan_table_fini(struct plan_table *); // all plans, referred to or not
const struct plan *plan_get(struct plan_table *, const struct dp_actions *);
const struct plan *plan_ref(const struct plan *);
void plan_unref(struct plan_table *, const struct plan *); // NULL is fine
// Stands for 'actions'; one reference, to '->plan'.
struct dp_shared *plan_shared_create(struct plan_table *, const struct dp_actions *);
void plan_shared_set(struct plan_table *, struct dp_shared *, const struct dp_actions *);

#endif
