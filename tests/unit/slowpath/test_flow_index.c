// SPDX-License-Identifier: Apache-2.0
/*
 * The index from rules to megaflows, alone: it must name exactly the flows whose dependencies,
 * asked one by one, say that the change matters.
 */
#include "follow_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_names_who_is_affected),
        cmocka_unit_test(who_comes_late_is_a_suspect),
    };

    return cmocka_run_group_tests(tests, follow_setup, follow_teardown);
}
