// SPDX-License-Identifier: Apache-2.0
/*
 * The datapath follows the tables: random megaflows, random changes of rules; after each the
 * installed flows must be what a fresh translation says (the slow twin of the index).  And the
 * index alone: it must name exactly the flows whose dependencies, asked one by one, say that the
 * change matters.
 */
#include "../ofproto/xlate_fixture.h"

#include "../pmd/fake_ports.h"
#include "base/random.h"
#include "flow/key.h"
#include "slowpath/flow_index_int.h"
#include "slowpath/slowpath_int.h"

enum { N_PORTS = 3, N_RULES = 60, N_TABLES = 3 };

static struct fx fx;
static struct dp *dp;
static struct ofproto *br;
static struct slowpath *sp; /* NULL: the index is driven by the test */
static struct flow_index *flow_index;

/* Rules by text, so that they can be deleted again. */
static char *rules[N_RULES];
static unsigned next_priority;
static bool broad; /* many of them match nearly everything */

/* --- random rules and packets ----------------------------------------------------------------- */

static void
add_match(struct text *t)
{
    if (broad && random_range(4)) {
        text_printf(t, random_range(2) ? ",udp" : ",udp,tp_dst=%u", random_range(4));
        return;
    }
    if (random_range(3) == 0) {
        text_printf(t, ",in_port=%u", 1 + random_range(N_PORTS));
    }
    if (random_range(3) == 0) {
        text_printf(t, ",reg0=%u", random_range(3));
    }
    if (random_range(4) == 0) {
        text_printf(t, ",metadata=%u", random_range(2));
    }
    text_printf(t, ",udp");
    if (random_range(2)) {
        text_printf(t, ",nw_src=10.0.%u.%u/%u", random_range(4), random_range(4),
                    16 + 4 * random_range(5));
    }
    if (random_range(2)) {
        text_printf(t, ",nw_dst=10.1.%u.%u/%u", random_range(4), random_range(4),
                    16 + 4 * random_range(5));
    }
    if (random_range(3) == 0) {
        text_printf(t, ",tp_dst=%u", random_range(4));
    }
}

static void
add_actions(struct text *t, unsigned table)
{
    if (random_range(8) == 0) {
        text_printf(t, "drop");
        return;
    }
    switch (random_range(6)) {
    case 0:
        text_printf(t, "load:%u->NXM_NX_REG0[],", random_range(3));
        break;
    case 1:
        text_printf(t, "mod_nw_dst:10.1.%u.%u,", random_range(4), random_range(4));
        break;
    case 2:
        text_printf(t, "load:%u->OXM_OF_METADATA[],", random_range(2));
        break;
    default:
        break;
    }
    if (table + 1 < N_TABLES && random_range(2)) {
        text_printf(t, "resubmit(,%u)", table + 1);
    } else {
        text_printf(t, "output:%u", 1 + random_range(N_PORTS));
    }
}

static void
run_flow_mod(const char *text, int command)
{
    struct ofp_flow_mod fm;
    char *error = ofp_flow_mod_parse(text, command, NULL, &fm);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
    assert_int_equal(flow_mod_run(br, &fm), 0);
    ofp_flow_mod_fini(&fm);
}

/* Priorities are unique: between equals that overlap no one says which one wins. */
static void
change_rule(void)
{
    unsigned i = random_range(N_RULES), table = random_range(N_TABLES);
    struct text match = {0}, all = {0};

    if (rules[i] && random_range(3)) {
        text_printf(&all, "%s,actions=drop", rules[i]);
        run_flow_mod(text_cstr(&all), OFPFC_DELETE_STRICT);
        text_fini(&all);
        free(rules[i]);
        rules[i] = NULL;
        return;
    }
    if (rules[i]) { /* Other actions for the same match. */
        text_printf(&all, "%s,actions=", rules[i]);
        add_actions(&all, (unsigned)atoi(rules[i] + strlen("table=")));
        run_flow_mod(text_cstr(&all), OFPFC_MODIFY_STRICT);
        text_fini(&all);
        return;
    }
    /* A permutation of 1...65535, so that new rules come above and below old ones. */
    next_priority = next_priority % 65535 + 1;
    text_printf(&match, "table=%u,priority=%u", table, next_priority * 40503u % 65537 % 65536);
    add_match(&match);
    rules[i] = text_steal(&match);
    text_printf(&all, "%s,actions=", rules[i]);
    if (random_range(12) == 0) {
        text_printf(&all, "conjunction(%u,%u/2)", 1 + random_range(2), 1 + random_range(2));
    } else {
        add_actions(&all, table);
    }
    run_flow_mod(text_cstr(&all), OFPFC_ADD);
    text_fini(&all);
}

static struct flow
random_packet(void)
{
    struct text t = {0};
    struct flow flow;

    text_printf(&t, "udp,nw_src=10.0.%u.%u,nw_dst=10.1.%u.%u,tp_src=%u,tp_dst=%u", random_range(4),
                random_range(4), random_range(4), random_range(4), random_range(100),
                random_range(4));
    flow = fx_flow_of(text_cstr(&t));
    flow.in_port = broad ? 1 : 1 + random_range(N_PORTS);
    text_fini(&t);
    return flow;
}

/* --- megaflows ---------------------------------------------------------------------------------
 */

static void
set_true(void *flag)
{
    *(bool *)flag = true;
}

static void
drop_changes(void)
{
    uint64_t seq;
    size_t n;
    struct ofproto_change *changes = ofprotos_take_changes(fx.all, &n, &seq);

    ofproto_changes_free(changes, n);
}

/* Until the flows are right for all changes: what a barrier waits for. */
static void
follow(void)
{
    bool done = false;

    if (!sp) {
        drop_changes();
        flow_index_set_seq(flow_index, ofprotos_seq(fx.all));
        return;
    }
    sync_follow(sp, set_true, &done);
    while (!done) {
        loop_run_once(fx.loop, -1);
    }
}

/* What a handler does; 'late': rules change between translation and installation. */
static void
install(bool late)
{
    uint64_t seq = ofprotos_seq(fx.all), state_seq = xlate_state_seq();
    struct flow flow = random_packet();
    struct xlate_in in = {.ofprotos = fx.all, .flow = &flow, .want_cache = true};
    struct xlate_out out;
    struct dp_flow *dp_flow;
    struct dp_flow_put put = {
        .key = &flow,
        .mask = &out.mask,
        .shape = flow_words_map(&flow),
        .actions = &out.actions,
    };

    xlate(&in, &out);
    if (late) {
        change_rule();
        follow();
    }
    if (!dp_flow_put(dp, &put, &dp_flow)) {
        struct ukey *ukey = ukey_create(dp_flow, &out, seq, state_seq);

        assert_int_equal(flow_index_add(flow_index, ukey), late);
        dp_flow_set_aux(dp_flow, ukey);
    }
    xlate_out_fini(&out);
}

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
    const struct smap config = SMAP_INIT;
    unsigned n_in_place = 0;

    (void)state;
    sp = slowpath_create(fx.loop, fx.all);
    slowpath_start(sp, dp, &config);
    flow_index = sp->index;
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
    slowpath_destroy(sp);
    sp = NULL;
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
    run_flow_mod(text_cstr(&t), command);
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
    struct smap config = SMAP_INIT;

    (void)state;
    smap_put(&config, "max-revalidator", "60000");
    sp = slowpath_create(fx.loop, fx.all);
    slowpath_start(sp, dp, &config);
    flow_index = sp->index;
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
    slowpath_destroy(sp);
    sp = NULL;
    smap_destroy(&config);
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
    const struct smap config = SMAP_INIT;
    unsigned long total = 0;

    (void)state;
    broad = true;
    sp = slowpath_create(fx.loop, fx.all);
    slowpath_start(sp, dp, &config);
    flow_index = sp->index;
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
    slowpath_destroy(sp);
    sp = NULL;
    broad = false;
}

/* Changes that come one by one, and nobody waits: they are followed all the same, and not each by
 * itself. */
static void
a_stream_is_followed_together(void **state)
{
    const struct smap config = SMAP_INIT;
    unsigned n = 0;
    uint64_t last = 0;

    (void)state;
    sp = slowpath_create(fx.loop, fx.all);
    slowpath_start(sp, dp, &config);
    flow_index = sp->index;
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
    slowpath_destroy(sp);
    sp = NULL;
}

/* --- the index alone ---------------------------------------------------------------------------
 */

struct census {
    const struct ofproto_change *changes;
    size_t n_changes;
    size_t n_affected;
};

static bool
count_affected(struct dp *d, struct dp_flow *flow, void *census_)
{
    struct census *c = census_;
    struct ukey *ukey = dp_flow_aux(flow);
    struct flow_mask mask;
    struct flow key;
    bool affected;

    (void)d;
    dp_flow_get_key(flow, &key, &mask);
    affected = xlate_deps_affected(ukey_deps(ukey), &key, &mask, c->changes, c->n_changes);
    assert_int_equal(affected, ukey->suspect);
    c->n_affected += affected;
    return true;
}

static bool
expel(struct dp *d, struct dp_flow *flow, void *one_in)
{
    struct ukey *ukey = dp_flow_aux(flow);
    struct dp_flow_stats stats;

    if (random_range(*(uint32_t *)one_in) == 0) {
        flow_index_remove(flow_index, ukey);
        dp_flow_del(d, flow, &stats);
        rcu_defer(ukey_destroy, ukey);
    }
    return true;
}

/* Takes the suspects and, as a pass does, gives them new dependencies; those that would have to go
 * lose their place. */
static size_t
recheck_all(void)
{
    size_t n;
    struct ukey **suspects = flow_index_take_suspects(flow_index, &n);

    for (size_t i = 0; i < n; i++) {
        struct ukey *ukey = suspects[i];
        struct flow_mask mask;
        struct flow key;
        struct xlate_in in = {.ofprotos = fx.all, .flow = &key, .want_cache = true};
        struct xlate_out out;

        assert_true(ukey->suspect);
        dp_flow_get_key(ukey->flow, &key, &mask);
        xlate(&in, &out);
        xlate_deps_destroy(ukey->deps);
        ukey->deps = out.deps;
        out.deps = NULL;
        flow_index_update(flow_index, ukey);
        assert_false(ukey->suspect);
        xlate_out_fini(&out);
    }
    free(suspects);
    return n;
}

static void
the_index_names_who_is_affected(void **state)
{
    size_t n_affected = 0;
    uint32_t one_in = 20, all = 1;

    (void)state;
    flow_index = flow_index_create();
    drop_changes();
    for (int round = 0; round < 500; round++) {
        struct census c = {0};
        struct ofproto_change *changes;
        uint64_t seq;
        bool of_rules;

        for (unsigned i = random_range(20); i; i--) {
            install(false);
        }
        dp_flow_walk(dp, 0, 1, expel, &one_in);
        for (unsigned i = 1 + random_range(3); i; i--) {
            change_rule();
        }
        ofprotos_n_changes(fx.all, &of_rules);
        assert_true(of_rules);
        changes = ofprotos_take_changes(fx.all, &c.n_changes, &seq);
        c.changes = changes;
        flow_index_mark(flow_index, changes, c.n_changes);
        dp_flow_walk(dp, 0, 1, count_affected, &c);
        assert_int_equal(recheck_all(), c.n_affected);
        n_affected += c.n_affected;
        ofproto_changes_free(changes, c.n_changes);
        rcu_quiesce();
    }
    assert_true(n_affected > 300);
    dp_flow_walk(dp, 0, 1, expel, &all);
    rcu_quiesce();
    flow_index_destroy(flow_index);
}

/* A translation from before a change that was taken already is a suspect when it arrives. */
static void
who_comes_late_is_a_suspect(void **state)
{
    uint32_t all = 1;

    (void)state;
    flow_index = flow_index_create();
    for (int i = 0; i < 20; i++) {
        install(i % 2);
        assert_int_equal(flow_index_n_suspects(flow_index), dp_n_flows(dp) && i % 2);
        dp_flow_walk(dp, 0, 1, expel, &all);
        assert_int_equal(flow_index_n_suspects(flow_index), 0);
    }
    rcu_quiesce();
    flow_index_destroy(flow_index);
}

static int
setup(void **state)
{
    int result = fx_group_setup(state);

    random_set_seed(3);
    fake_start();
    fx_init(&fx);
    dp = dp_create();
    br = fx_bridge(&fx, "br0");
    for (unsigned i = 1; i <= N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%u", i);
        assert_int_equal(fx_port(&fx, br, name, i, NULL, NULL), i);
    }
    return result;
}

static int
teardown(void **state)
{
    for (unsigned i = 0; i < N_RULES; i++) {
        free(rules[i]);
    }
    dp_destroy(dp);
    fx_fini(&fx); // ends RCU, which the datapath's threads use
    return fx_group_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: conjunctions, of which random rules have some, rule out short cuts. */
        cmocka_unit_test(a_waiting_suspect_does_not_keep_its_rule),
        cmocka_unit_test(the_index_names_who_is_affected),
        cmocka_unit_test(who_comes_late_is_a_suspect),
        cmocka_unit_test(datapath_equals_fresh_translation),
        cmocka_unit_test(a_stream_is_followed_together),
        cmocka_unit_test(cohorts_equal_fresh_translation),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
