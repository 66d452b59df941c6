// SPDX-License-Identifier: Apache-2.0
/*
 * test_xlate.c - translation: limits, patch ports, statistics, dependencies.
 */
#include "xlate_fixture.h"

#include "base/clock.h"

static void
resubmits_are_limited(void **state)
{
    struct fx fx;
    struct ofproto *br0;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("ip,nw_src=1.1.1.1");
    struct xlate_out out;

    (void)state;
    br0 = fx_start(&fx, 2);

    /* For ever: too deep.  Nothing of it is sent. */
    fx_output(&acts, 2);
    fx_resubmit(&acts, 0);
    fx_flow_acts(br0, 0, "", 1, &acts);
    fx_xlate(&fx, 1, &flow, false, &out);
    assert_string_equal(xlate_out_error_text(&out), "Recursion too deep");
    xlate_out_fini(&out);
    fx_expect(&fx, 1, "ip", false, "drop");

    /* Twice from each table to the next one: 2^n resubmits. */
    for (uint8_t t = 0; t < 30; t++) {
        fx_resubmit(&acts, (uint8_t)(t + 1));
        fx_resubmit(&acts, (uint8_t)(t + 1));
        fx_flow_acts(br0, t, "", 1, &acts);
    }
    fx_xlate(&fx, 1, &flow, false, &out);
    assert_string_equal(xlate_out_error_text(&out), "Too many resubmits");
    xlate_out_fini(&out);

    /* A pipeline of 200 tables is nothing special. */
    for (uint8_t t = 0; t < 200; t++) {
        fx_resubmit(&acts, (uint8_t)(t + 1));
        fx_flow_acts(br0, t, "", 1, &acts);
    }
    fx_output(&acts, 2);
    fx_flow_acts(br0, 200, "", 1, &acts);
    fx_expect(&fx, 1, "ip", false, "2");
    fx_fini(&fx);
}

static void
patch_ports_join_bridges_and_loops_end(void **state)
{
    struct fx fx;
    struct ofproto *br0, *br1;
    struct ofpacts acts = {0};
    char *text;

    (void)state;
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    br1 = fx_bridge(&fx, "br1");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "a0", ODPP_NONE, "a1", NULL);
    fx_port(&fx, br1, "a1", ODPP_NONE, "a0", NULL);
    fx_port(&fx, br1, "q1", 11, NULL, NULL);
    ofproto_port_set_peer(br0, ofproto_port_by_name(br0, "a0"), "a1");
    ofproto_commit(br0);
    for (int i = 0; i < 2; i++) {
        fx_output(&acts, OFPP_NORMAL);
        fx_flow_acts(i ? br1 : br0, 0, "", 1, &acts);
    }
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", true, "11");
    /* Both bridges learned; the way back is known. */
    fx_expect(&fx, 11, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01", true, "1");

    /* A second pair makes a ring.  Each bridge sends what comes in on one pair out on the other. */
    fx_port(&fx, br0, "b0", ODPP_NONE, "b1", NULL);
    fx_port(&fx, br1, "b1", ODPP_NONE, "b0", NULL);
    ofproto_port_set_peer(br0, ofproto_port_by_name(br0, "b0"), "b1");
    ofproto_commit(br0);
    fx_output(&acts, (uint16_t)ofproto_port_by_name(br0, "a0"));
    fx_flow_acts(br0, 0, "", 5, &acts);
    fx_output(&acts, OFPP_ALL);
    fx_flow_acts(br1, 0, "", 5, &acts);
    text = fx_actions(&fx, 1, "dl_src=00:00:00:00:00:01", false);
    assert_string_equal(text, "11"); /* Once, not 64 times. */
    free(text);
    fx_fini(&fx);
}

/* A flow with 'actions', as text. */
static void
put_actions(struct ofproto *p, uint8_t table_id, const char *match, const char *actions)
{
    struct ofpacts acts = {0};

    assert_null(ofpacts_parse(actions, NULL, true, &acts));
    fx_flow_acts(p, table_id, match, 1, &acts);
}

#define LOAD_3 "load:3->NXM_NX_REG1[],push:NXM_NX_REG1[],load:2->NXM_NX_REG5[],"
#define TO_POPPED ",pop:NXM_NX_REG3[],output:NXM_NX_REG3[]"
#define WRITE(PORT) "write_actions(output:" PORT ")"

/* What a copy does with the stack and the action set, and what "exit" ends. */
static void
clones_change_nothing_behind_them(void **state)
{
    static const char *const CASES[][2] = {
        {LOAD_3 "clone(pop:NXM_NX_REG2[],push:NXM_NX_REG5[])" TO_POPPED, "3"},
        {LOAD_3 "clone(pop:NXM_NX_REG2[],output:NXM_NX_REG2[])" TO_POPPED, "3,3"},
        {"load:3->NXM_NX_REG1[],clone(push:NXM_NX_REG1[])" TO_POPPED, "drop"},
        {LOAD_3 "clone(output:NXM_NX_REG5[],pop:NXM_NX_REG6[],clone(push:NXM_NX_REG5[]))" TO_POPPED,
         "2,3"},
        {"clone(output:2,exit,output:3),output:3", "2"},
        {"clone(resubmit(,2),output:2),output:3", "drop"},
        {"resubmit(,1),clone(output:3)," WRITE("4"), "3,2,4"}, /* the set as it was */
        {"clone(resubmit(,1),output:3),output:4", "3,2,4"},
    };
    struct fx fx;
    struct ofproto *br0;

    (void)state;
    br0 = fx_start(&fx, 4);
    put_actions(br0, 1, "", WRITE("2"));
    put_actions(br0, 2, "", "exit");
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        put_actions(br0, 0, "", CASES[i][0]);
        fx_expect(&fx, 1, "ip", false, CASES[i][1]);
    }
    fx_fini(&fx);
}

#define CHECK "check_pkt_larger(80)->NXM_NX_REG0[0],"

/* Packets above and below a size have an action set and a stack each. */
static void
sizes_have_a_set_of_their_own(void **state)
{
    struct fx fx;
    struct ofproto *br0;

    (void)state;
    br0 = fx_start(&fx, 3);
    put_actions(br0, 1, "reg0=1", WRITE("2"));
    put_actions(br0, 1, "reg0=0", WRITE("3"));
    put_actions(br0, 0, "", CHECK "resubmit(,1)");
    fx_expect(&fx, 1, "ip", false, "check_pkt_len(size=80,gt(2),le(3))");
    put_actions(br0, 2, "reg0=1", "output:2");
    put_actions(br0, 2, "reg0=0", "output:1,output:3");
    put_actions(br0, 3, "", WRITE("3"));
    put_actions(br0, 0, "", "resubmit(,3)," CHECK "resubmit(,2)"); /* each does it once */
    fx_expect(&fx, 1, "ip", false, "check_pkt_len(size=80,gt(2,3),le(3,3))");
    put_actions(br0, 0, "", LOAD_3 CHECK "pop:NXM_NX_REG3[],output:NXM_NX_REG3[]");
    fx_expect(&fx, 1, "ip", false, "check_pkt_len(size=80,gt(3),le(3))");
    put_actions(br0, 4, "", CHECK "output:2");
    put_actions(br0, 0, "", LOAD_3 "resubmit(,4)" TO_POPPED);
    fx_expect(&fx, 1, "ip", false, "check_pkt_len(size=80,gt(2),le(2)),3");
    fx_fini(&fx);
}

static void
peers_have_a_stack_of_their_own(void **state)
{
    struct fx fx;
    struct ofproto *br0, *br1;

    (void)state;
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    br1 = fx_bridge(&fx, "br1");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "p2", 2, NULL, NULL);
    fx_port(&fx, br0, "p3", 3, NULL, NULL);
    fx_port(&fx, br0, "a0", ODPP_NONE, "a1", NULL);
    fx_port(&fx, br1, "a1", ODPP_NONE, "a0", NULL);
    fx_port(&fx, br1, "q2", 12, NULL, NULL);
    fx_port(&fx, br1, "q3", 13, NULL, NULL);
    ofproto_port_set_peer(br0, ofproto_port_by_name(br0, "a0"), "a1");
    ofproto_commit(br0);
    assert_int_equal(ofproto_port_by_name(br0, "a0"), 4);
    assert_int_equal(ofproto_port_by_name(br1, "q3"), 3);
    put_actions(br0, 0, "", LOAD_3 "output:4" TO_POPPED);

    /* There is nothing of ours to pop there, and nothing of theirs is here afterwards. */
    put_actions(br1, 0, "", "pop:NXM_NX_REG4[],output:NXM_NX_REG4[]");
    fx_expect(&fx, 1, "ip", false, "3");
    put_actions(br1, 0, "",
                "load:2->NXM_NX_REG4[],push:NXM_NX_REG4[],push:NXM_NX_REG4[]" TO_POPPED);
    fx_expect(&fx, 1, "ip", false, "12,3");
    fx_fini(&fx);
}

static void
packets_are_credited(void **state)
{
    struct fx fx;
    struct ofproto *br0, *br1;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("ip");
    struct xlate_out out;
    struct rule *rule;
    struct netdev_stats st;

    (void)state;
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    br1 = fx_bridge(&fx, "br1");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    ofp_port_t a0 = fx_port(&fx, br0, "a0", ODPP_NONE, "a1", NULL);
    ofp_port_t a1 = fx_port(&fx, br1, "a1", ODPP_NONE, "a0", NULL);
    ofproto_port_set_peer(br0, a0, "a1");
    ofproto_commit(br0);
    fx_output(&acts, (uint16_t)a0);
    fx_flow_acts(br0, 0, "", 1, &acts);
    fx_xlate(&fx, 1, &flow, true, &out);
    rule = ofproto_lookup(br0, ofproto_version(br0), 0, &flow, NULL);
    assert_non_null(rule);
    assert_int_equal(atomic_load(&rule->stats->packets), 1);
    xlate_cache_credit(out.cache, 10, 1000, clock_now_ms(), 0);
    assert_int_equal(atomic_load(&rule->stats->packets), 11);
    assert_int_equal(atomic_load(&rule->stats->bytes), 1100);
    ofproto_port_get_stats(br0, a0, &st);
    assert_int_equal(st.tx_packets, 11);
    ofproto_port_get_stats(br1, a1, &st);
    assert_int_equal(st.rx_packets, 11);

    /* The bridge goes away: crediting late harms nobody. */
    ofproto_destroy(br1);
    ofproto_destroy(br0);
    rcu_synchronize();
    rcu_barrier();
    xlate_cache_credit(out.cache, 10, 1000, clock_now_ms(), 0);
    xlate_out_fini(&out);
    fx_fini(&fx);
}

/* True if what was translated for 'flow' is affected by the changes that were made since. */
static bool
is_affected(struct fx *fx, const struct flow *flow, const struct xlate_out *out)
{
    size_t n;
    uint64_t seq;
    struct ofproto_change *changes = ofprotos_take_changes(fx->all, &n, &seq);
    bool affected = xlate_deps_affected(out->deps, flow, &out->mask, changes, n);

    for (size_t i = 0; i < n; i++) {
        rule_unref(changes[i].rule);
    }
    free(changes);
    return affected;
}

static void
only_what_a_change_can_affect(void **state)
{
    struct fx fx;
    struct ofproto *br0;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_dst=80");
    struct xlate_out out;

    (void)state;
    br0 = fx_start(&fx, 2);
    uint32_t reg = htonl(7);
    ofpacts_put_set_field(&acts, MF_REG0, &reg, NULL);
    fx_resubmit(&acts, 3);
    fx_flow_acts(br0, 0, "ip,nw_dst=10.0.0.2", 10, &acts);
    fx_output(&acts, 2);
    fx_flow_acts(br0, 3, "", 1, &acts);
    fx_xlate(&fx, 1, &flow, false, &out);
    is_affected(&fx, &flow, &out); /* What was before. */
    assert_false(is_affected(&fx, &flow, &out));

    fx_flow_acts(br0, 0, "ip,nw_dst=10.0.0.3", 20, &acts);
    assert_false(is_affected(&fx, &flow, &out)); /* Another destination. */
    fx_flow_acts(br0, 4, "ip,nw_dst=10.0.0.2", 20, &acts);
    assert_false(is_affected(&fx, &flow, &out)); /* Another table. */
    fx_flow_acts(br0, 3, "reg0=8", 20, &acts);
    assert_false(is_affected(&fx, &flow, &out)); /* The register is known to be 7. */
    fx_flow_acts(br0, 0, "in_port=2", 20, &acts);
    assert_false(is_affected(&fx, &flow, &out)); /* Another port. */
    fx_flow_acts(br0, 3, "reg0=7", 20, &acts);
    assert_true(is_affected(&fx, &flow, &out));
    fx_flow_acts(br0, 0, "tcp,tp_dst=443", 20, &acts);
    assert_true(is_affected(&fx, &flow, &out)); /* The port was not looked at: it may be 443. */
    fx_port(&fx, br0, "p3", 3, NULL, NULL);
    assert_true(is_affected(&fx, &flow, &out));
    xlate_out_fini(&out);
    fx_fini(&fx);
}

/* Of a packet that came in on port 1 of br0, which has these rules and one that outputs in table 2:
 * does a rule that comes to table 2 matter? */
static bool
new_rule_matters(const char *const *rules, const char *new_rule)
{
    struct flow flow = fx_flow_of("udp,nw_src=10.0.0.1");
    struct xlate_out out;
    struct fx fx;
    bool matters;

    struct ofproto *br0 = fx_start(&fx, 2);
    for (; *rules; rules++) {
        fx_flow_mod(br0, *rules, OFPFC_ADD);
    }
    fx_flow_mod(br0, "table=2,priority=1,actions=output:2", OFPFC_ADD);
    fx_xlate(&fx, 1, &flow, false, &out);
    is_affected(&fx, &flow, &out); /* What was before. */
    fx_flow_mod(br0, new_rule, OFPFC_ADD);
    matters = is_affected(&fx, &flow, &out);
    xlate_out_fini(&out);
    fx_fini(&fx);
    return matters;
}

/* A clone gives back what it changed, also if its last lookup found nothing to do: table 1 saw the
 * register as packets come, table 2 does not. */
static void
what_a_clone_changed_is_not_known_after_it(void **state)
{
    static const char *const rules[] = {
        "table=0,actions=load:7->NXM_NX_REG0[],clone(load:0->NXM_NX_REG0[],resubmit(,1)),"
        "resubmit(,2)",
        NULL,
    };

    (void)state;
    assert_true(new_rule_matters(rules, "table=2,priority=5,reg0=7,actions=drop"));
    assert_false(new_rule_matters(rules, "table=2,priority=5,reg0=0,actions=drop"));
}

/* Table 2 sees the port that its resubmit names, also if nothing else was done since table 1 saw
 * port 0, which with that port in the action set is as packets come, with no port in either. */
static void
the_port_of_a_resubmit_is_known(void **state)
{
    static const char *const rules[] = {
        "table=0,actions=write_actions(output:0),goto_table:3",
        "table=3,actions=load:7->NXM_NX_REG0[],resubmit(0,1)",
        "table=1,actions=resubmit(2,2)",
        NULL,
    };

    (void)state;
    assert_true(new_rule_matters(rules, "table=2,priority=5,in_port=2,actions=drop"));
    assert_false(new_rule_matters(rules, "table=2,priority=5,in_port=1,actions=drop"));
}

static void
a_moved_mac_affects_who_sends_to_it(void **state)
{
    struct fx fx;
    struct ofproto *br0;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02");
    struct xlate_out out;

    (void)state;
    br0 = fx_start(&fx, 3);
    fx_output(&acts, OFPP_NORMAL);
    fx_flow_acts(br0, 0, "", 1, &acts);
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:09", true, "1,3");
    fx_xlate(&fx, 1, &flow, true, &out);
    is_affected(&fx, &flow, &out);
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:07,dl_dst=00:00:00:00:00:09", true, "1,2");
    assert_false(is_affected(&fx, &flow, &out));
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01", true, "1");
    assert_true(is_affected(&fx, &flow, &out));
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", true, "3");
    xlate_out_fini(&out);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resubmits_are_limited),
        cmocka_unit_test(patch_ports_join_bridges_and_loops_end),
        cmocka_unit_test(clones_change_nothing_behind_them),
        cmocka_unit_test(sizes_have_a_set_of_their_own),
        cmocka_unit_test(peers_have_a_stack_of_their_own),
        cmocka_unit_test(packets_are_credited),
        cmocka_unit_test(only_what_a_change_can_affect),
        cmocka_unit_test(what_a_clone_changed_is_not_known_after_it),
        cmocka_unit_test(the_port_of_a_resubmit_is_known),
        cmocka_unit_test(a_moved_mac_affects_who_sends_to_it),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
