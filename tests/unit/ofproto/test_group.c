// SPDX-License-Identifier: Apache-2.0
/*
 * Groups of a transaction: nobody sees them before it ends, translations that began earlier go on
 * with those of their version, and what is undone leaves no trace; groups that lead to groups.
 */
#include "../unit.h"

#include "xlate_fixture.h"

enum { N_IDS = 6, LEVELS = 200 };

/* Buckets that are alike, of a type "all" group or, if they watch a group, of a fast-failover one.
 */
static enum ofperr
change_watching(struct flow_txn *txn, uint16_t command, uint32_t id, const char *actions,
                size_t n_buckets, uint32_t watch_group)
{
    const struct mf_port_names names = {.options = ofproto_options(txn->ofproto)};
    struct ofp_group group = {
        .command = command,
        .group_id = id,
        .type = watch_group == OFP_GROUP_ANY ? OFPGT_ALL : OFPGT_FF,
        .command_bucket_id = OFPG_BUCKET_ALL,
        .buckets = xcalloc(n_buckets + 1, sizeof(struct ofp_bucket)),
        .n_buckets = n_buckets,
    };
    enum ofperr error;

    for (size_t i = 0; i < n_buckets; i++) {
        struct ofp_bucket *b = &group.buckets[i];

        b->bucket_id = (uint32_t)i;
        b->weight = 1;
        b->watch_port = OFPP_NONE;
        b->watch_group = watch_group;
        assert_null(ofpacts_parse(actions, &names, false, &b->actions));
    }
    error = group_mod_apply(txn, &group);
    ofp_group_fini(&group);
    return error;
}

static enum ofperr
change(struct flow_txn *txn, uint16_t command, uint32_t id, const char *actions, size_t n_buckets)
{
    return change_watching(txn, command, id, actions, n_buckets, OFP_GROUP_ANY);
}

static void
put(struct ofproto *p, uint32_t id, const char *actions, size_t n_buckets)
{
    struct flow_txn txn;

    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_ADD_OR_MOD, id, actions, n_buckets), 0);
    flow_txn_commit(&txn);
}

/* A flow in a table that nothing looks at: the transaction gets a version of its own. */
static void
add_flow(struct flow_txn *txn)
{
    struct ofp_flow_mod fm = {.command = OFPFC_ADD,
                              .table_id = 9,
                              .buffer_id = OFP_BUFFER_NONE,
                              .out_port = OFPP_NONE,
                              .out_group = OFP_GROUP_ANY};

    match_init_any(&fm.match);
    assert_int_equal(flow_mod_apply(txn, &fm), 0);
}

/* The port that group 'id' leads to in 'version', 0 if there is no such group. */
static int
leads_to(const struct ofproto *p, cls_version_t version, uint32_t id)
{
    const struct ofgroup *g = ofproto_group_lookup(p, version, id);

    return g ? OFPACT_CAST(ofpact_output, rule_acts(g->buckets[0].actions))->port : 0;
}

static void
is_seen_when_its_transaction_ends(void **state)
{
    struct flow_txn txn;
    cls_version_t before;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    put(p, 1, "output:1", 1);
    put(p, 2, "output:2", 1);
    before = ofproto_version(p);

    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_DELETE, 2, "", 0), 0);
    assert_int_equal(change(&txn, OFPGC_MODIFY, 1, "output:5", 1), 0);
    assert_int_equal(change(&txn, OFPGC_ADD, 3, "output:3", 1), 0);
    assert_int_equal(change(&txn, OFPGC_ADD, 3, "output:4", 1), OFPERR_OFPGMFC_GROUP_EXISTS);
    add_flow(&txn);
    assert_int_equal(leads_to(p, before, 1), 1);
    assert_int_equal(leads_to(p, before, 2), 2);
    assert_int_equal(leads_to(p, before, 3), 0);
    flow_txn_commit(&txn);

    assert_true(ofproto_version(p) > before);
    for (int version = 0; version < 2; version++) { /* Who began earlier, and who begins now. */
        cls_version_t v = version ? ofproto_version(p) : before;

        assert_int_equal(leads_to(p, v, 1), version ? 5 : 1);
        assert_int_equal(leads_to(p, v, 2), version ? 0 : 2);
        assert_int_equal(leads_to(p, v, 3), version ? 3 : 0);
    }
    fx_fini(&fx);
}

/* Who begins between the groups of a transaction and its version has the old version, and keeps the
 * groups of it however long it takes. */
static void
the_old_groups_live_until_the_version_is_there(void **state)
{
    struct flow_txn txn;
    cls_version_t before;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    put(p, 1, "output:1", 1);
    before = ofproto_version(p);
    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_MODIFY, 1, "output:5", 1), 0);
    groups_publish(p, txn.version);
    rcu_barrier(); /* A grace period, while nobody knows of the version. */
    assert_int_equal(leads_to(p, before, 1), 1);
    assert_int_equal(leads_to(p, txn.version, 1), 5);
    atomic_store(&p->version, txn.version);
    groups_tell(p);
    flow_txn_abort(&txn);
    fx_fini(&fx);
}

/* Transactions of several changes against a list; every other one is undone. */
static void
agrees_with_a_list(void **state)
{
    int ports[N_IDS + 1] = {0};
    uint64_t seed = 7;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    for (int i = 0; i < 3000; i++) {
        int next[N_IDS + 1];
        struct flow_txn txn;

        memcpy(next, ports, sizeof next);
        flow_txn_begin(&txn, p);
        for (int n = 0; n < 4; n++) {
            char text[32];
            uint32_t id;
            int port;

            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            id = 1 + (uint32_t)(seed >> 33) % N_IDS;
            port = (int)(seed >> 40) % 5;
            snprintf(text, sizeof text, "output:%d", port);
            if ((seed >> 50) % 20 == 0) {
                memset(next, 0, sizeof next);
                assert_int_equal(change(&txn, OFPGC_DELETE, OFP_GROUP_ALL, "", 0), 0);
            } else {
                next[id] = port;
                assert_int_equal(
                    change(&txn, port ? OFPGC_ADD_OR_MOD : OFPGC_DELETE, id, text, port ? 1 : 0),
                    0);
            }
        }
        if (i % 4 == 0) {
            add_flow(&txn);
        }
        if (i % 2) {
            flow_txn_abort(&txn);
        } else {
            flow_txn_commit(&txn);
            memcpy(ports, next, sizeof ports);
        }
        for (uint32_t id = 1; id <= N_IDS; id++) {
            assert_int_equal(group_exists(p, id), ports[id] != 0);
            assert_int_equal(leads_to(p, ofproto_version(p), id), ports[id]);
        }
    }
    fx_fini(&fx);
}

/* Each level leads twice to the next one: as many ways as 2 to the 200th lead to the last. */
static void
chains_of_groups_are_followed_once(void **state)
{
    struct flow_txn txn;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    put(p, LEVELS, "output:1", 2);
    for (uint32_t id = LEVELS - 1; id > 0; id--) {
        char text[32];

        snprintf(text, sizeof text, "group:%u", id + 1);
        put(p, id, text, 2);
    }
    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_MODIFY, LEVELS, "group:1", 1), OFPERR_OFPGMFC_LOOP);
    assert_int_equal(change(&txn, OFPGC_MODIFY, LEVELS, "group:999", 1), 0);
    assert_int_equal(change(&txn, OFPGC_ADD, 999, "group:1", 1), OFPERR_OFPGMFC_LOOP);
    flow_txn_abort(&txn);
    fx_fini(&fx);
}

/* One transaction does not follow a chain for ever: a bundle could hold a million such groups. */
static void
long_chains_are_not_followed_for_ever(void **state)
{
    enum { N = 8192 };
    struct flow_txn txn;
    enum ofperr error = 0;
    struct ofproto *p;
    uint32_t id = 1;
    char text[32];
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_ADD, 0, "output:1", 1), 0);
    for (; !error && id < N; id++) {
        snprintf(text, sizeof text, "group:%u", id - 1);
        error = change(&txn, OFPGC_ADD, id, text, 1);
    }
    assert_int_equal(error, OFPERR_OFPGMFC_CHAINING_UNSUPPORTED);
    assert_true(id > 1000);
    flow_txn_abort(&txn);
    assert_false(group_exists(p, 0));
    /* Group by group it is well. */
    for (id = 0; id < 3000; id++) {
        snprintf(text, sizeof text, id ? "group:%u" : "output:1", id - 1);
        put(p, id, text, 1);
    }
    fx_fini(&fx);
}

/* In which order they come does not matter: each is put in its place when all are there. */
static void
many_groups_of_one_transaction(void **state)
{
    enum { N = 100000 };
    struct flow_txn txn;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    put(p, 2 * N + 1, "output:9", 1);
    flow_txn_begin(&txn, p);
    for (uint32_t id = 2 * N; id > 0; id -= 2) {
        assert_int_equal(change(&txn, OFPGC_ADD, id, "output:1", 1), 0);
    }
    for (uint32_t id = 4; id <= 2 * N; id += 4) {
        assert_int_equal(change(&txn, OFPGC_DELETE, id, "", 0), 0);
    }
    flow_txn_commit(&txn);
    for (uint32_t id = 1; id <= 2 * N + 1; id++) {
        int port = id == 2 * N + 1 ? 9 : id % 4 == 2 ? 1 : 0;

        assert_int_equal(leads_to(p, ofproto_version(p), id), port);
    }
    put(p, 3, "output:3", 1);
    assert_int_equal(leads_to(p, ofproto_version(p), 2), 1);
    assert_int_equal(leads_to(p, ofproto_version(p), 3), 3);
    flow_txn_begin(&txn, p);
    for (int i = 0; i < N; i++) {
        assert_int_equal(change(&txn, OFPGC_ADD_OR_MOD, 5, "output:5", 1), 0);
        assert_int_equal(change(&txn, OFPGC_DELETE, OFP_GROUP_ALL, "", 0), 0);
    }
    assert_int_equal(change(&txn, OFPGC_ADD, 6, "output:6", 1), 0);
    flow_txn_commit(&txn);
    assert_int_equal(leads_to(p, ofproto_version(p), 2), 0);
    assert_int_equal(leads_to(p, ofproto_version(p), 5), 0);
    assert_int_equal(leads_to(p, ofproto_version(p), 6), 6);
    fx_fini(&fx);
}

/* Ports, and a flow that leads to group 1 and then to port 2. */
static struct ofproto *
bridge_to_groups(struct fx *fx)
{
    struct ofproto *p = fx_bridge(fx, "br0");
    struct ofpacts acts = {0};

    fx_port(fx, p, "p1", 1, NULL, NULL);
    fx_port(fx, p, "p2", 2, NULL, NULL);
    put(p, 1, "output:2", 1);
    assert_null(ofpacts_parse("group:1,output:2", NULL, false, &acts));
    fx_flow_acts(p, 0, "", 1, &acts);
    fx_expect(fx, 1, "", false, "2,2");
    return p;
}

/* 60 ways to group 2, each with 60 to group 3, each with 1000 buckets. */
static void
buckets_of_a_translation_are_limited(void **state)
{
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = bridge_to_groups(&fx);
    put(p, 3, "output:2", 1000);
    put(p, 2, "group:3", 1);
    put(p, 1, "group:2", 60);
    fx_expect(&fx, 1, "", false, "drop"); /* Too many actions. */
    put(p, 3, "load:1->NXM_NX_REG0[]", 1000);
    put(p, 2, "group:3", 60);
    put(p, 1, "group:2", 60);
    fx_expect(&fx, 1, "", false, "drop"); /* Too many buckets. */
    put(p, 1, "group:2", 1);
    put(p, 2, "group:3", 40);
    fx_expect(&fx, 1, "", false, "2");
    fx_fini(&fx);
}

/* By 60 buckets each: without a limit as many questions as 60 to the 16th. */
static void
groups_that_watch_each_other_end(void **state)
{
    struct flow_txn txn;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = bridge_to_groups(&fx);
    flow_txn_begin(&txn, p);
    assert_int_equal(change_watching(&txn, OFPGC_MODIFY, 1, "output:2", 60, 2), 0);
    assert_int_equal(change_watching(&txn, OFPGC_ADD, 2, "output:2", 60, 1), 0);
    flow_txn_commit(&txn);
    fx_expect(&fx, 1, "", false, "2");
    put(p, 2, "output:2", 1); /* Alive, for it watches nothing. */
    fx_expect(&fx, 1, "", false, "2,2");
    fx_fini(&fx);
}

static void
add_flow_to(struct flow_txn *txn, uint16_t priority, const char *actions)
{
    struct ofp_flow_mod fm = {.command = OFPFC_ADD,
                              .priority = priority,
                              .buffer_id = OFP_BUFFER_NONE,
                              .out_port = OFPP_NONE,
                              .out_group = OFP_GROUP_ANY};

    match_init_any(&fm.match);
    assert_null(ofpacts_parse(actions, NULL, true, &fm.actions));
    assert_int_equal(flow_mod_apply(txn, &fm), 0);
    ofp_flow_mod_fini(&fm);
}

/* Those that were there, those of the same transaction, and those that lead to several groups. */
static void
flows_go_with_their_groups(void **state)
{
    struct flow_txn txn;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    for (uint32_t id = 1; id <= 4; id++) {
        put(p, id, "output:1", 1);
    }
    flow_txn_begin(&txn, p);
    add_flow_to(&txn, 1, "group:1,group:2");
    add_flow_to(&txn, 2, "write_actions(group:2)");
    add_flow_to(&txn, 3, "group:3");
    add_flow_to(&txn, 4, "clone(group:4)");
    add_flow_to(&txn, 5, "output:1");
    flow_txn_commit(&txn);
    assert_int_equal(p->tables[0].n_flows, 5);

    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_DELETE, 1, "", 0), 0);
    assert_int_equal(p->tables[0].n_flows, 4);
    add_flow_to(&txn, 6, "group:2");
    add_flow_to(&txn, 3, "group:2"); /* In place of the one that leads to group 3. */
    assert_int_equal(change(&txn, OFPGC_DELETE, 3, "", 0), 0);
    assert_int_equal(p->tables[0].n_flows, 5);
    assert_int_equal(change(&txn, OFPGC_DELETE, 2, "", 0), 0);
    assert_int_equal(p->tables[0].n_flows, 2);
    flow_txn_abort(&txn);
    assert_int_equal(p->tables[0].n_flows, 5);

    flow_txn_begin(&txn, p);
    assert_int_equal(change(&txn, OFPGC_DELETE, 4, "", 0), 0);
    add_flow_to(&txn, 7, "group:1");
    assert_int_equal(change(&txn, OFPGC_DELETE, OFP_GROUP_ALL, "", 0), 0);
    flow_txn_commit(&txn);
    assert_int_equal(p->tables[0].n_flows, 1);
    fx_fini(&fx);
}

/* Each message is looked at once: with a look at all that came before, this would take long. */
static void
a_group_comes_and_goes_with_its_flow(void **state)
{
    struct flow_txn txn;
    struct ofproto *p;
    struct fx fx;

    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    put(p, 1, "output:1", 1);
    put(p, 2, "output:1", 1);
    flow_txn_begin(&txn, p);
    add_flow_to(&txn, 1, "group:1");
    add_flow_to(&txn, 2, "group:2");
    flow_txn_commit(&txn);

    flow_txn_begin(&txn, p);
    for (int i = 0; i < 50000; i++) {
        assert_int_equal(change(&txn, OFPGC_DELETE, 1, "", 0), 0);
        assert_int_equal(p->tables[0].n_flows, 1);
        assert_int_equal(change(&txn, OFPGC_ADD, 1, "output:1", 1), 0);
        add_flow_to(&txn, 1, "group:1,group:2");
    }
    assert_int_equal(p->tables[0].n_flows, 2);
    assert_int_equal(change(&txn, OFPGC_DELETE, 2, "", 0), 0);
    assert_int_equal(p->tables[0].n_flows, 0);
    flow_txn_commit(&txn);
    assert_int_equal(p->tables[0].n_flows, 0);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_seen_when_its_transaction_ends),
        cmocka_unit_test(the_old_groups_live_until_the_version_is_there),
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(chains_of_groups_are_followed_once),
        cmocka_unit_test(long_chains_are_not_followed_for_ever),
        cmocka_unit_test(many_groups_of_one_transaction),
        cmocka_unit_test(buckets_of_a_translation_are_limited),
        cmocka_unit_test(groups_that_watch_each_other_end),
        cmocka_unit_test(flows_go_with_their_groups),
        cmocka_unit_test(a_group_comes_and_goes_with_its_flow),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
