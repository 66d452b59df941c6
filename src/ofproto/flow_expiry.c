// SPDX-License-Identifier: Apache-2.0
/*
 * flow_expiry.c - flows that end by themselves: the list of a bridge's rules with timeouts, and the
 * removal of those whose time has come.  Main thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"

COVERAGE_DEFINE(ofproto_dpif_expired);

int64_t
flow_rule_deadline(const struct rule *r, uint8_t *reason)
{
    int64_t deadline = INT64_MAX;

    if (r->hard_timeout) {
        deadline = r->modified_ms + r->hard_timeout * INT64_C(1000);
        *reason = OFPRR_HARD_TIMEOUT;
    }
    if (r->idle_timeout) {
        int64_t used = atomic_load_explicit(&r->stats->used_ms, memory_order_relaxed);
        int64_t idle = used + r->idle_timeout * INT64_C(1000);

        if (idle < deadline) {
            deadline = idle;
            *reason = OFPRR_IDLE_TIMEOUT;
        }
    }
    return deadline;
}

void
flow_expirable_add(struct ofproto *p, struct rule *r)
{
    if (r->expire_pos || (!r->idle_timeout && !r->hard_timeout)) {
        return;
    }
    if (p->n_expirable >= p->allocated_expirable) {
        p->allocated_expirable = MAX(p->allocated_expirable * 2, (size_t)64);
        p->expirable = xreallocarray(p->expirable, p->allocated_expirable, sizeof *p->expirable);
    }
    p->expirable[p->n_expirable++] = r;
    r->expire_pos = (uint32_t)p->n_expirable;
    evict_put(&p->tables[r->table_id], r);
}

void
flow_expirable_del(struct ofproto *p, struct rule *r)
{
    if (r->expire_pos) {
        struct rule *last = p->expirable[--p->n_expirable];

        p->expirable[r->expire_pos - 1] = last;
        last->expire_pos = r->expire_pos;
        r->expire_pos = 0;
        evict_take(&p->tables[r->table_id], r);
    }
}

void
flow_rule_made_expirable(struct rule *r)
{
    if (r->expire_pos) {
        evict_put(&r->ofproto->tables[r->table_id], r);
    } else {
        flow_expirable_add(r->ofproto, r);
    }
}

void
flow_tables_expire(struct ofproto *p)
{
    int64_t now = clock_now_ms();
    struct flow_txn txn;

    if (!p->n_expirable) {
        return;
    }
    flow_txn_begin(&txn, p);
    for (size_t i = 0; i < p->n_expirable; i++) {
        uint8_t reason = OFPRR_HARD_TIMEOUT;

        if (flow_rule_deadline(p->expirable[i], &reason) <= now) {
            coverage_inc(ofproto_dpif_expired);
            flow_txn_remove(&txn, p->expirable[i], reason, false);
        }
    }
    flow_txn_commit(&txn);
}
