// SPDX-License-Identifier: Apache-2.0
/*
 * test_evict.c - which rule makes room in a full table, against a search of all rules: flows of
 * random importance and timeouts come in transactions that are kept or undone, packets put ends
 * off, timeouts are cut short; as one group, and in groups by port.
 */
#include "xlate_fixture.h"

#include "base/clock.h"
#include "base/random.h"

enum { LIMIT = 60, N_PRIORITIES = 400, N_PORTS = 4 };

static uint64_t
rank(const struct rule *r)
{
    uint8_t reason;

    return (uint64_t)r->importance << 48 | (uint64_t)flow_rule_deadline(r, &reason);
}

/* The port that a rule matches: its group, if there are groups. */
static unsigned
port_of(const struct rule *r)
{
    struct match match;

    cls_rule_get_match(&r->cls, &match);
    return match.flow.ofp_in_port;
}

struct group {
    size_t n;        /* rules that may go */
    uint64_t lowest; /* rank of those */
};

/* What there is of each group; all are in group 0 if the table has none. */
static void
look(const struct ofproto *p, cls_version_t version, struct group groups[N_PORTS])
{
    memset(groups, 0, N_PORTS * sizeof *groups);
    for (size_t i = 0; i < p->n_expirable; i++) {
        const struct rule *r = p->expirable[i];

        if (r->table_id == 0 && !rule_is_removed(r, version)) {
            struct group *g = &groups[p->tables[0].n_groups ? port_of(r) : 0];

            if (!g->n++ || rank(r) < g->lowest) {
                g->lowest = rank(r);
            }
        }
    }
}

/* It was the lowest of its group, and no group was larger. */
static void
check_victim(const struct rule *r, const struct group groups[N_PORTS])
{
    const struct group *g = &groups[r->ofproto->tables[0].n_groups ? port_of(r) : 0];

    assert_true(rank(r) == g->lowest);
    for (int i = 0; i < N_PORTS; i++) {
        assert_true(groups[i].n <= g->n);
    }
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
    match_set_in_port(&fm->match, (ofp_port_t)random_range(N_PORTS));
}

/* One flow-mod of a transaction; if it had to evict, it took the right rule. */
static void
apply(struct flow_txn *txn)
{
    struct ofproto *p = txn->ofproto;
    struct ofp_flow_mod fm;
    size_t before = txn->n_ops;
    struct group groups[N_PORTS];
    bool full = p->tables[0].n_flows >= LIMIT;
    enum ofperr error;

    look(p, txn->version, groups);
    random_flow_mod(&fm);
    error = flow_mod_apply(txn, &fm);
    if (error) {
        assert_int_equal(error, OFPERR_OFPFMFC_TABLE_FULL);
        assert_true(full);
        for (int i = 0; i < N_PORTS; i++) {
            assert_int_equal(groups[i].n, 0);
        }
    } else if (txn->n_ops > before && txn->ops[before].kind == FLOW_OP_REMOVE &&
               txn->ops[before].reason == OFPRR_EVICTION) {
        assert_true(full);
        check_victim(txn->ops[before].rule, groups);
    }
    assert_true(p->tables[0].n_flows <= LIMIT);
    ofp_flow_mod_fini(&fm);
}

static void
touch_rules(struct ofproto *p)
{
    for (int i = 0; p->n_expirable && i < 5; i++) {
        struct rule *r = p->expirable[random_range((uint32_t)p->n_expirable)];

        if (rule_is_removed(r, ofproto_version(p))) {
            continue;
        }
        if (random_range(3)) {
            rule_credit(r, 1, 64, clock_now_ms());
        } else {
            r->hard_timeout = (uint16_t)(r->hard_timeout ? MAX(r->hard_timeout / 2, 1) : 500);
            flow_rule_made_expirable(r);
        }
    }
}

static void
run(const char *groups)
{
    struct fx fx;
    struct ofproto *p;
    size_t n_evicted = 0;

    fx_init(&fx);
    clock_stop();
    p = fx_bridge(&fx, "br0");
    p->tables[0].max_flows = LIMIT;
    p->tables[0].evict_by_config = true;
    evict_set_groups(&p->tables[0], groups, "br0", 0);
    for (int step = 0; step < 2000; step++) {
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

static void
the_right_rule_goes(void **state)
{
    run(NULL);
}

static void
the_largest_group_pays(void **state)
{
    run("NXM_OF_IN_PORT[]\n");
}

/* A table that may hold fewer flows than it has makes room at once. */
static void
a_lower_limit_evicts(void **state)
{
    struct fx fx;
    struct ofproto *p;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    for (int i = 0; i < 20; i++) {
        struct ofp_flow_mod fm;
        struct flow_txn txn;

        random_flow_mod(&fm);
        fm.command = OFPFC_ADD;
        fm.table_id = 0;
        fm.priority = (uint16_t)i;
        fm.hard_timeout = (uint16_t)(i % 4 ? 100 + i : 0);
        fm.idle_timeout = fm.importance = 0;
        flow_txn_begin(&txn, p);
        assert_int_equal(flow_mod_apply(&txn, &fm), 0);
        flow_txn_commit(&txn);
        ofp_flow_mod_fini(&fm);
    }
    p->tables[0].max_flows = 10;
    flow_tables_shrink(p);
    assert_int_equal(p->tables[0].n_flows, 20); /* It may not evict. */
    p->tables[0].evict_by_controller = true;
    flow_tables_shrink(p);
    assert_int_equal(p->tables[0].n_flows, 10);
    p->tables[0].max_flows = 2;
    flow_tables_shrink(p);
    assert_int_equal(p->tables[0].n_flows, 5); /* Those without a timeout stay. */
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_rule_goes),
        cmocka_unit_test(the_largest_group_pays),
        cmocka_unit_test(a_lower_limit_evicts),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
