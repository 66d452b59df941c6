// SPDX-License-Identifier: Apache-2.0
/*
 * test_learn_limit.c - room for flows of learn(limit=N,result_dst=FIELD): what is promised before
 * main makes the flows, what main keeps or cannot keep, and who counts when flows come and go.
 */
#include "xlate_fixture.h"

enum { LIMIT = 3 };

/* The flow for a host, as such an action makes it. */
struct host_flow {
    struct match match;
    struct ofpacts acts;
    struct ofproto_learned learned;
};

static void
host_flow_init(struct host_flow *h, unsigned host, uint16_t port)
{
    char text[64];
    char *error;

    memset(h, 0, sizeof *h);
    snprintf(text, sizeof text, "dl_dst=02:00:00:00:00:%02x", host);
    error = match_parse(&h->match, text, NULL, NULL);
    assert_null(error);
    fx_output(&h->acts, port);
    h->learned = (struct ofproto_learned){
        .table_id = 5,
        .priority = 32768,
        .cookie = 9,
        .limit = LIMIT,
        .tells_room = true,
        .match = &h->match,
        .acts = ofpacts_data(&h->acts),
        .acts_size = h->acts.size,
    };
}

static bool
promise(struct ofproto *p, unsigned host)
{
    struct host_flow h;
    bool promised;

    host_flow_init(&h, host, 1);
    promised = ofproto_learn_promise(p, &h.learned);
    ofpacts_fini(&h.acts);
    return promised;
}

/* What a translation does that was promised room. */
static void
ask_main(struct ofproto *p, unsigned host)
{
    struct host_flow h;

    host_flow_init(&h, host, 1);
    ofproto_learn(p, &h.learned);
    ofpacts_fini(&h.acts);
}

static bool
learn(struct ofproto *p, unsigned host)
{
    bool promised = promise(p, host);

    if (promised) {
        ask_main(p, host);
    }
    return promised;
}

static enum learn_room
room(struct ofproto *p, unsigned host)
{
    struct host_flow h;
    enum learn_room answer;

    host_flow_init(&h, host, 1);
    answer = ofproto_learn_room(p, &h.learned);
    ofpacts_fini(&h.acts);
    return answer;
}

/* What main says when it is done with a promise. */
static void
keep(struct ofproto *p, unsigned host)
{
    struct host_flow h;

    host_flow_init(&h, host, 1);
    learn_limit_kept(p, &h.learned);
    ofpacts_fini(&h.acts);
}

/* Adds the flow by whose action the room for those of cookie 9 in table 5 is kept. */
static void
teach(struct ofproto *p)
{
    fx_flow_mod(p,
                "table=0,priority=7,cookie=1,actions=learn(table=5,cookie=9,limit=3,"
                "result_dst=NXM_NX_REG1[0],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                "output:NXM_OF_IN_PORT[])",
                OFPFC_ADD);
}

static void
host_flow_add(struct ofproto *p, unsigned host)
{
    char text[96];

    snprintf(text, sizeof text, "table=5,cookie=9,dl_dst=02:00:00:00:00:%02x,actions=output:1",
             host);
    fx_flow_mod(p, text, OFPFC_ADD);
}

/* Main does nothing meanwhile: what counts are the promises alone. */
static void
no_more_is_promised_than_the_limit(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);
    unsigned n = 0;

    (void)state;
    teach(p);
    for (unsigned host = 0; host < 20; host++) {
        n += learn(p, host);
    }
    assert_int_equal(n, LIMIT);
    assert_int_equal(p->tables[5].n_flows, 0);
    /* A flow that is promised already needs no more room, a new one has none. */
    assert_true(learn(p, 0));
    assert_int_equal(room(p, 0), LEARN_ROOM);
    assert_int_equal(room(p, 10), LEARN_NO_ROOM);
    handler_jobs_run(fx.all);
    assert_int_equal(p->tables[5].n_flows, LIMIT);
    assert_int_equal(room(p, 0), LEARN_THERE);
    assert_false(learn(p, 10));
    fx_fini(&fx);
}

/* One that main cannot keep, or that the queue has no room for, is room again. */
static void
what_is_not_made_is_room_again(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);

    (void)state;
    teach(p);
    p->tables[5].max_flows = 1;
    for (unsigned host = 0; host < LIMIT; host++) {
        assert_true(learn(p, host));
    }
    assert_false(promise(p, LIMIT));
    handler_jobs_run(fx.all);
    assert_int_equal(p->tables[5].n_flows, 1);
    p->tables[5].max_flows = UINT32_MAX;
    for (unsigned host = 10; host < 10 + LIMIT - 1; host++) {
        assert_true(learn(p, host));
    }
    assert_false(promise(p, 20));
    handler_jobs_forget(fx.all, NULL);
    assert_int_equal(room(p, 20), LEARN_ROOM);
    fx_fini(&fx);
}

/* Promised twice: the first that main keeps, or cannot keep, does not take the other's room. */
static void
each_promise_counts(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);

    (void)state;
    teach(p);
    for (unsigned host = 1; host <= LIMIT; host++) {
        assert_true(promise(p, host));
    }
    assert_true(promise(p, 1));
    keep(p, 1);
    assert_int_equal(room(p, 10), LEARN_NO_ROOM);
    keep(p, 1);
    assert_int_equal(room(p, 10), LEARN_ROOM);
    keep(p, 1); /* Nobody was promised that. */
    assert_true(promise(p, 10));
    assert_int_equal(room(p, 11), LEARN_NO_ROOM);
    fx_fini(&fx);
}

/* Flows that others made, before the action was there and after, count; those that go do not. */
static void
flows_count_while_they_are_there(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);

    (void)state;
    host_flow_add(p, 1);
    teach(p);
    assert_int_equal(room(p, 1), LEARN_THERE);
    host_flow_add(p, 2);
    host_flow_add(p, 2); /* Replaced by its equal. */
    fx_flow_mod(p, "table=5,cookie=8,dl_src=02:00:00:00:00:01,actions=drop", OFPFC_ADD);
    assert_true(learn(p, 3));
    assert_false(promise(p, 4));
    handler_jobs_run(fx.all);
    /* Other actions make another flow of it, which takes the place of the one before. */
    fx_flow_mod(p, "table=5,dl_dst=02:00:00:00:00:02,actions=output:2", OFPFC_MODIFY_STRICT);
    assert_int_equal(room(p, 2), LEARN_NO_ROOM);
    assert_false(promise(p, 4));
    /* Another cookie is another's. */
    fx_flow_mod(p, "table=5,cookie=8,dl_dst=02:00:00:00:00:02,actions=output:2", OFPFC_ADD);
    assert_int_equal(room(p, 4), LEARN_ROOM);
    fx_flow_mod(p, "table=5,actions=drop", OFPFC_DELETE);
    for (unsigned host = 10; host < 10 + LIMIT; host++) {
        assert_true(learn(p, host));
    }
    assert_false(promise(p, 20));
    fx_fini(&fx);
}

/* Without such an action nothing is noted, and what was promised before it went harms nobody. */
static void
quotas_go_with_their_actions(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);

    (void)state;
    assert_true(promise(p, 1));
    assert_null(p->quotas);
    teach(p);
    teach(p); /* Replaced by its equal. */
    assert_non_null(p->quotas);
    assert_true(learn(p, 1));
    fx_flow_mod(p, "table=0,actions=drop", OFPFC_DELETE);
    assert_null(p->quotas);
    teach(p);
    handler_jobs_run(fx.all);
    assert_int_equal(room(p, 1), LEARN_THERE);
    assert_true(learn(p, 2));
    assert_true(learn(p, 3));
    assert_false(promise(p, 4));
    fx_fini(&fx);
}

/* A transaction that is given up changes nobody's room. */
static void
what_is_aborted_does_not_count(void **state)
{
    struct fx fx;
    struct ofproto *p = fx_start(&fx, 2);
    struct flow_txn txn;
    const struct cls_rule *c;
    struct match match;
    char *error = match_parse(&match, "dl_dst=02:00:00:00:00:01", NULL, NULL);

    (void)state;
    assert_null(error);
    teach(p);
    for (unsigned host = 1; host <= LIMIT; host++) {
        host_flow_add(p, host);
    }
    c = cls_find_exactly(p->tables[5].cls, ofproto_version(p), &match, 32768);
    assert_non_null(c);
    flow_txn_begin(&txn, p);
    flow_txn_remove(&txn, rule_from_cls(c), OFPRR_DELETE, false);
    flow_txn_abort(&txn);
    assert_int_equal(room(p, 1), LEARN_THERE);
    assert_int_equal(room(p, 10), LEARN_NO_ROOM);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_is_promised_than_the_limit),
        cmocka_unit_test(what_is_not_made_is_room_again),
        cmocka_unit_test(each_promise_counts),
        cmocka_unit_test(flows_count_while_they_are_there),
        cmocka_unit_test(quotas_go_with_their_actions),
        cmocka_unit_test(what_is_aborted_does_not_count),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
