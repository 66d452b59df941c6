// SPDX-License-Identifier: Apache-2.0
/*
 * test_evict.c - which rule makes room in a full table, against a search of all rules: flows of
 * random importance and timeouts come in transactions that are kept or undone, packets put ends
 * off, timeouts are cut short.
 */
#include "xlate_fixture.h"

#include "base/clock.h"
#include "base/random.h"

enum { LIMIT = 60, N_PRIORITIES = 400 };

static uint64_t
rank(const struct rule *r)
{
    uint8_t reason;

    return (uint64_t)r->importance << 48 | (uint64_t)flow_rule_deadline(r, &reason);
}

/* The rank of the rule that should go; false if none may. */
static bool
lowest_rank(const struct ofproto *p, cls_version_t version, uint64_t *lowest)
{
    bool any = false;

    for (size_t i = 0; i < p->n_expirable; i++) {
        const struct rule *r = p->expirable[i];

        if (r->table_id == 0 && !rule_is_removed(r, version) && (!any || rank(r) < *lowest)) {
            *lowest = rank(r);
            any = true;
        }
    }
    return any;
}

static void
random_flow_mod(struct ofp_flow_mod *fm)
{
    *fm = (struct ofp_flow_mod){
        .command = random_range(8) ? OFPFC_ADD : OFPFC_DELETE_STRICT,
        .priority = (uint16_t)random_range(N_PRIORITIES),
        .importance = (uint16_t)random_range(3),
        .table_id = random_range(10) ? 0 : 1,
        .hard_timeout = (uint16_t)(random_range(2) ? 100 + random_range(1000) : 0),
        .idle_timeout = (uint16_t)(random_range(2) ? 100 + random_range(1000) : 0),
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    match_init_any(&fm->match);
}

/* One flow-mod of a transaction; if it had to evict, it took the right rule. */
static void
apply(struct flow_txn *txn)
{
    struct ofproto *p = txn->ofproto;
    struct ofp_flow_mod fm;
    size_t before = txn->n_ops;
    uint64_t lowest = 0;
    bool may_evict = lowest_rank(p, txn->version, &lowest);
    bool full = p->tables[0].n_flows >= LIMIT;
    enum ofperr error;

    random_flow_mod(&fm);
    error = flow_mod_apply(txn, &fm);
    if (error) {
        assert_int_equal(error, OFPERR_OFPFMFC_TABLE_FULL);
        assert_true(full && !may_evict);
    } else if (txn->n_ops > before && txn->ops[before].kind == FLOW_OP_REMOVE &&
               txn->ops[before].reason == OFPRR_EVICTION) {
        assert_true(full);
        assert_true(rank(txn->ops[before].rule) == lowest);
    }
    assert_true(p->tables[0].n_flows <= LIMIT);
    ofp_flow_mod_fini(&fm);
}

static void
touch_rules(struct ofproto *p)
{
    for (int i = 0; p->n_expirable && i < 5; i++) {
        struct rule *r = p->expirable[random_range((uint32_t)p->n_expirable)];

        if (random_range(3)) {
            rule_credit(r, 1, 64, clock_now_ms());
        } else {
            r->hard_timeout = (uint16_t)(r->hard_timeout ? MAX(r->hard_timeout / 2, 1) : 500);
            flow_rule_made_expirable(r);
        }
    }
}

static void
the_right_rule_goes(void **state)
{
    struct fx fx;
    struct ofproto *p;
    size_t n_evicted = 0;

    (void)state;
    fx_init(&fx);
    clock_stop();
    p = fx_bridge(&fx, "br0");
    p->tables[0].max_flows = LIMIT;
    p->tables[0].evict = true;
    for (int step = 0; step < 3000; step++) {
        struct flow_txn txn;
        size_t n = 1 + (random_range(10) ? 0 : random_range(100));

        flow_txn_begin(&txn, p);
        while (n--) {
            apply(&txn);
        }
        for (size_t i = 0; i < txn.n_ops; i++) {
            n_evicted += txn.ops[i].reason == OFPRR_EVICTION;
        }
        if (random_range(4)) {
            flow_txn_commit(&txn);
        } else {
            flow_txn_abort(&txn);
        }
        touch_rules(p);
        clock_warp(random_range(2000));
        if (!random_range(20)) {
            flow_tables_expire(p);
        }
        if (!random_range(500)) {
            evict_forget(&p->tables[0]);
        }
        flow_garbage_run(p->all);
    }
    assert_true(n_evicted > 100);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_rule_goes),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
