// SPDX-License-Identifier: Apache-2.0
/*
 * The datapath follows the tables: random megaflows, random changes of rules; after each the
 * installed flows must be what a fresh translation says (the slow twin of the index).
 */
#include "follow_fixture.h"

#include <malloc.h>

#include "base/coverage.h"

static unsigned n_checked;

/* Random packets of the megaflow: each gets what is installed. */
static bool
check_flow(struct dp *d, struct dp_flow *flow, void *aux)
{
    const struct dp_actions *installed = dp_flow_actions(flow);
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(flow, &key, &mask);
    for (int i = 0; i < 3; i++) {
        struct flow packet = random_packet();
        struct xlate_in in = {.ofprotos = fx.all, .flow = &packet};
        struct xlate_out out;

        for (unsigned w = 0; w < FLOW_KEY_WORDS; w++) {
            packet.w[w] = (key.w[w] & mask.bits.w[w]) | (packet.w[w] & ~mask.bits.w[w]);
        }
        xlate(&in, &out);
        assert_int_equal(out.actions.size, installed->size);
        if (installed->size) {
            assert_memory_equal(out.actions.data, installed->data, installed->size);
        }
        xlate_out_fini(&out);
        n_checked++;
    }
    return true;
}

static void
datapath_equals_fresh_translation(void **state)
{
    unsigned n_in_place = 0;

    (void)state;
    start_slowpath(500);
    for (int round = 0; round < 500; round++) {
        for (unsigned i = random_range(5); i; i--) {
            install(random_range(8) == 0);
        }
        for (unsigned i = 1 + random_range(round % 10 ? 3 : 100); i; i--) {
            change_rule();
        }
        if (round % 2 && sync_try(sp)) {
            n_in_place++;
        }
        follow();
        dp_flow_walk(dp, 0, 1, check_flow, NULL);
        rcu_quiesce();
    }
    assert_true(n_checked > 5000);
    assert_true(n_in_place > 50);
    stop_slowpath();
    assert_int_equal(dp_n_flows(dp), 0);
}

/* --- suspects that wait ---------------------------------------------------------------------- */

/* Looks at both addresses: each pair gets a megaflow of its own. */
static const char rule_below[] = "table=0,priority=65533,udp";
static const char first_rule[] = "table=0,priority=65534,udp";
static const char rule_above[] = "table=0,priority=65535,udp";

static void
run_rule(const char *match, const char *actions, int command)
{
    struct text t = {0};

    text_printf(&t, "%s,actions=%s", match, actions);
    fx_flow_mod(br, text_cstr(&t), command);
    text_fini(&t);
}

static bool
count_by_a_rule(struct dp *d, struct dp_flow *flow, void *n)
{
    const struct ukey *ukey = dp_flow_aux(flow);

    *(unsigned *)n += ukey->by != NULL;
    return true;
}

/* What comes after the rule, but for what becomes of the rule itself. */
enum company {
    ALONE,
    A_VIEW,
    A_CROWD, /* more changes than are looked at one by one */
    N_COMPANIES,
};

static void
come_along(enum company company)
{
    if (company == A_VIEW) {
        changes_put(fx.all, OFPROTO_CHANGE_VIEW, br, 0);
    }
    for (unsigned i = 0; company == A_CROWD && i < 600; i++) {
        run_rule("table=9,priority=1,udp", "drop", OFPFC_ADD);
        run_rule("table=9,priority=1,udp", "drop", OFPFC_DELETE_STRICT);
    }
}

/* More suspects than main takes wait for a pass because of one rule.  Before the pass comes, that
 * rule goes or another beats it. */
static void
a_waiting_suspect_does_not_keep_its_rule(void **state)
{
    (void)state;
    start_slowpath(60000);
    run_rule(rule_below, "push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],output:1", OFPFC_ADD);
    for (unsigned round = 0; round < 2 * N_COMPANIES; round++) {
        bool beaten = round % 2;
        unsigned n_by = 0;

        for (unsigned i = 0; i < 300; i++) {
            install(false);
        }
        follow();
        run_rule(first_rule, "output:1,output:2,output:3", OFPFC_ADD);
        assert_false(revalidator_follow(sp));
        dp_flow_walk(dp, 0, 1, count_by_a_rule, &n_by);
        assert_true(n_by > 64);
        if (beaten) {
            run_rule(rule_above, "output:3,output:2", OFPFC_ADD);
        } else {
            run_rule(first_rule, "drop", OFPFC_DELETE_STRICT);
        }
        come_along((enum company)(round / 2));
        follow();
        dp_flow_walk(dp, 0, 1, check_flow, NULL);
        run_rule(first_rule, "drop", OFPFC_DELETE_STRICT);
        run_rule(rule_above, "drop", OFPFC_DELETE_STRICT);
        follow();
        rcu_quiesce();
    }
    run_rule(rule_below, "drop", OFPFC_DELETE_STRICT);
    stop_slowpath();
}

/* --- a pass in the middle of a commit --------------------------------------------------------- */

/* The clock may start a pass when a change is in the list and nobody was told yet. */
static void
a_pass_before_the_news_loses_no_change(void **state)
{
    struct ofproto_view *old;
    bool done = false;

    (void)state;
    start_slowpath(500);
    run_rule(rule_above, "output:1,output:2,output:3", OFPFC_ADD);
    for (unsigned i = 0; i < 50; i++) {
        install(false);
    }
    follow();
    ofport_find(br, 2)->config |= OFPPC_NO_FWD;
    old = rcu_get_protected(&br->view);
    rcu_assign(&br->view, view_build(br));
    rcu_defer(view_destroy, old);
    changes_put(fx.all, OFPROTO_CHANGE_VIEW, br, 0);
    sync_request(sp, set_true, &done);
    while (!done) {
        loop_run_once(fx.loop, -1);
    }
    changes_publish(fx.all);
    follow();
    n_checked = 0;
    dp_flow_walk(dp, 0, 1, check_flow, NULL);
    assert_true(n_checked > 0);
    ofport_find(br, 2)->config &= ~(uint32_t)OFPPC_NO_FWD;
    ofproto_view_changed(br);
    ofproto_commit(br);
    run_rule(rule_above, "drop", OFPFC_DELETE_STRICT);
    stop_slowpath();
}

/* --- cohorts --------------------------------------------------------------------------------- */

static unsigned n_members;

/* Members are where the index says, have what their cohort says they have in common, and do what it
 * does. */
static bool
check_member(struct dp *d, struct dp_flow *flow, void *aux)
{
    const struct ukey *ukey = dp_flow_aux(flow);
    const struct cohort *c = ukey->cohort;
    struct flow_mask mask;
    struct flow key;

    assert_int_equal(ukey->place.group->cohort_of[ukey->place.pos], c ? c->id : 0);
    if (!c) {
        return true;
    }
    assert_ptr_equal(flow_index->cohorts[c->id - 1], c);
    assert_false(c->suspect);
    dp_flow_get_key(flow, &key, &mask);
    for (unsigned w = 0; w < FLOW_KEY_WORDS; w++) {
        assert_int_equal(c->mask.bits.w[w] & ~mask.bits.w[w], 0);
        assert_int_equal(c->mask.bits.w[w] & (c->key.w[w] ^ key.w[w]), 0);
    }
    assert_ptr_equal(dp_shared_actions(c->shared), dp_flow_actions(flow));
    n_members++;
    return true;
}

static void
check_cohorts(void)
{
    uint32_t n = 0;

    n_members = 0;
    dp_flow_walk(dp, 0, 1, check_member, NULL);
    for (uint32_t i = 0; i < flow_index->n_cohorts; i++) {
        n += flow_index->cohorts[i]->n;
    }
    assert_int_equal(n, n_members);
    assert_true(flow_index->n_cohorts <= COHORTS_MAX);
    assert_int_equal(flow_index->n_suspect_cohorts, 0);
}

/* Many megaflows and broad rules: most are changed as cohorts. */
static void
cohorts_equal_fresh_translation(void **state)
{
    unsigned long total = 0;

    (void)state;
    broad = true;
    start_slowpath(500);
    for (int round = 0; round < 300; round++) {
        for (unsigned i = dp_n_flows(dp) < 300 ? 100 : random_range(10); i; i--) {
            install(random_range(50) == 0);
        }
        for (unsigned i = 1 + random_range(round % 10 ? 2 : 30); i; i--) {
            change_rule();
        }
        follow();
        dp_flow_walk(dp, 0, 1, check_flow, NULL);
        check_cohorts();
        total += n_members;
        rcu_quiesce();
    }
    assert_true(total > 300); /* Some ten thousand, far less where time passes slowly. */
    stop_slowpath();
    broad = false;
}

/* Changes that come one by one, and nobody waits: they are followed all the same, and not each by
 * itself. */
static void
a_stream_is_followed_together(void **state)
{
    unsigned n = 0;
    uint64_t last = 0;

    (void)state;
    start_slowpath(500);
    for (unsigned i = 0; i < 50; i++) {
        install(false);
    }
    for (unsigned i = 0; i < 2000; i++) {
        change_rule();
        loop_run_once(fx.loop, 0);
        n += atomic_load(&sp->followed_seq) != last;
        last = atomic_load(&sp->followed_seq);
    }
    for (unsigned i = 0; i < 1000 && atomic_load(&sp->followed_seq) < ofprotos_seq(fx.all); i++) {
        loop_run_once(fx.loop, 5);
    }
    assert_int_equal(atomic_load(&sp->followed_seq), ofprotos_seq(fx.all));
    assert_true(n < 1000);
    dp_flow_walk(dp, 0, 1, check_flow, NULL);
    stop_slowpath();
}

/* A change that a barrier's answer followed leaves nothing to wake a revalidator for. */
static void
what_main_followed_wakes_nobody(void **state)
{
    (void)state;
    start_slowpath(60000);
    for (unsigned i = 0; i < 10; i++) {
        install(false);
    }
    follow();
    loop_run_once(fx.loop, 0);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t requested = sp->requested;

        run_rule(rule_above, i % 2 ? "output:1" : "output:2", OFPFC_ADD);
        assert_true(sync_try(sp));
        loop_run_once(fx.loop, 0);
        pthread_mutex_lock(&sp->lock);
        assert_false(sp->soon);
        assert_int_equal(sp->requested, requested);
        pthread_mutex_unlock(&sp->lock);
        rcu_quiesce();
    }
    dp_flow_walk(dp, 0, 1, check_flow, NULL);
    run_rule(rule_above, "drop", OFPFC_DELETE_STRICT);
    stop_slowpath();
}

/* --- memory that is given back ---------------------------------------------------------------- */

static _Atomic unsigned n_trims;

/* Instead of libc's. */
int
malloc_trim(size_t pad)
{
    n_trims++;
    return pad == 0;
}

static void
put_flow(uint32_t i)
{
    struct flow flow = random_packet();
    struct xlate_in in = {.ofprotos = fx.all, .flow = &flow, .want_cache = true};
    struct xlate_out out;
    struct dp_flow *dp_flow;

    flow.in_port = 1 + i % N_PORTS;
    flow.nw_src = htonl(i);
    xlate(&in, &out);
    out.mask.bits.nw_src = UINT32_MAX;
    assert_int_equal(put_translated(&flow, &out, &dp_flow), 0);
    dp_flow_set_aux(dp_flow, ukey_create(dp_flow, &out, ofprotos_seq(fx.all), xlate_state_seq()));
    flow_index_add(flow_index, dp_flow_aux(dp_flow));
    xlate_out_fini(&out);
}

/* A pass; the one before has done all that it does. */
static void
pass_of_kind(enum pass_kind kind)
{
    uint64_t pass = revalidators_request(sp, kind);
    bool done = false;

    while (!done) {
        loop_run_once(fx.loop, 1);
        pthread_mutex_lock(&sp->lock);
        done = sp->finished >= pass;
        pthread_mutex_unlock(&sp->lock);
    }
    rcu_quiesce();
}

static void
handle_a_miss(void)
{
    uint64_t n = atomic_load(&sp->n_upcalls);
    struct pmd *pmd = fake_pmd(dp);
    struct rte_mbuf *m = fake_packet("not a frame that a rule knows, but one", 38);

    fake_pmd_receive(pmd, 1, &m, 1);
    for (unsigned i = 0; i < 2000 && atomic_load(&sp->n_upcalls) == n; i++) {
        loop_run_once(fx.loop, 5);
    }
    assert_int_equal(atomic_load(&sp->n_upcalls), n + 1);
    fake_pmd_free(dp, pmd);
}

/* When a great many megaflows have gone malloc() is told to let go, once, and not while handlers
 * have much to do: it would make them wait. */
static void
memory_of_many_flows_is_given_back(void **state)
{
    uint64_t n;

    (void)state;
    start_slowpath(60000);
    n_trims = 0;
    for (uint32_t i = 0; i < TRIM_FLOWS + 100; i++) {
        put_flow(i);
    }
    pass_of_kind(PASS_WALK);
    pass_of_kind(PASS_PURGE);
    assert_int_equal(dp_n_flows(dp), 0);
    for (unsigned i = 0; i < 3 * TRIM_WALKS; i++) {
        atomic_fetch_add(&sp->n_upcalls, 1000000);
        pass_of_kind(PASS_WALK);
    }
    assert_int_equal(n_trims, 0);
    handle_a_miss();
    for (unsigned i = 0; i < 3 * TRIM_WALKS; i++) {
        pass_of_kind(PASS_WALK);
    }
    assert_int_equal(n_trims, 1);
    assert_true(coverage_read("revalidator_trim", &n));
    assert_int_equal(n, 1);
    stop_slowpath();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: conjunctions, of which random rules have some, rule out short cuts. */
        cmocka_unit_test(a_waiting_suspect_does_not_keep_its_rule),
        cmocka_unit_test(a_pass_before_the_news_loses_no_change),
        cmocka_unit_test(what_main_followed_wakes_nobody),
        cmocka_unit_test(memory_of_many_flows_is_given_back),
        cmocka_unit_test(datapath_equals_fresh_translation),
        cmocka_unit_test(a_stream_is_followed_together),
        cmocka_unit_test(cohorts_equal_fresh_translation),
    };

    return cmocka_run_group_tests(tests, follow_setup, follow_teardown);
}
