// SPDX-License-Identifier: Apache-2.0
/*
 * Actions and flows from text and back: what is printed for a list reads as the same list; what is
 * wrong is named.
 */
#include "../unit.h"

#include "flow/text.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_text.h"

static void
check_round(const char *text, const char *printed)
{
    struct ofpacts acts = {0}, again = {0};
    struct text t = {0};
    char *error = ofpacts_parse(text, NULL, true, &acts);

    if (error) {
        print_message("%s: %s\n", text, error);
    }
    assert_null(error);
    ofpacts_format(ofpacts_data(&acts), acts.size, NULL, &t);
    assert_string_equal(text_cstr(&t), printed);
    error = ofpacts_parse(text_cstr(&t), NULL, true, &again);
    assert_null(error);
    if (!ofpacts_equal(ofpacts_data(&acts), acts.size, ofpacts_data(&again), again.size)) {
        fail_msg("%s reads back as something else", text);
    }
    text_fini(&t);
    ofpacts_fini(&acts);
    ofpacts_fini(&again);
}

static void
test_round_trips(void **state)
{
    static const char *const same[] = {
        "output:1",
        "NORMAL",
        "IN_PORT",
        "LOCAL",
        "FLOOD",
        "ALL",
        "CONTROLLER:65535",
        "drop",
        "mod_vlan_vid:5",
        "mod_vlan_pcp:3",
        "strip_vlan",
        "push_vlan:0x8100",
        "mod_dl_src:02:00:00:00:00:01",
        "mod_nw_dst:10.0.0.1",
        "mod_nw_tos:32",
        "mod_tp_dst:80",
        "dec_ttl",
        "resubmit(,1)",
        "resubmit(2,3)",
        "resubmit:7",
        "load:0x5->NXM_NX_REG0[0..7]",
        "set_field:0x7->reg1",
        "move:NXM_NX_REG1[0..15]->NXM_OF_ETH_DST[0..15]",
        "set_queue:3",
        "group:9",
        "goto_table:4",
        "write_metadata:0x12/0xff",
        "conjunction(10,1/2)",
        "clone(output:1,output:2)",
        "output:1,output:2,LOCAL",
        "set_tunnel:0x9",
        "exit",
        "enqueue:1:5",
        "push_mpls:0x8847",
        "pop_mpls:0x0800",
        "meter:1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        check_round(same[i], same[i]);
    }
    check_round("3", "output:3");
    check_round("normal, in_port", "NORMAL,IN_PORT");
    check_round("controller(max_len=128)", "CONTROLLER:128");
}

static void
test_errors(void **state)
{
    static const char *const bad[] = {
        "bogus",
        "output:",
        "output:x",
        "mod_vlan_vid:4096",
        "mod_dl_src:zz",
        "resubmit(,256)",
        "load:5",
        "load:0x100->NXM_NX_REG0[0..7]",
        "set_field:1->nosuch",
        "move:reg0->reg1[",
        "push_vlan:0x800",
        "conjunction(1,3/2)",
        "clone(output:1",
        "strip_vlan:1",
        "mod_nw_tos:3",
        "ct(commit)",
        "learn(table=1)",
        "enqueue:1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ofpacts acts = {0};
        char *error = ofpacts_parse(bad[i], NULL, true, &acts);

        if (!error) {
            print_message("accepted: %s\n", bad[i]);
        }
        assert_non_null(error);
        assert_int_equal(acts.size, 0);
        free(error);
        ofpacts_fini(&acts);
    }
}

static void
test_instructions_are_no_actions(void **state)
{
    struct ofpacts acts = {0};
    char *error = ofpacts_parse("goto_table:3", NULL, false, &acts);

    (void)state;
    assert_non_null(error);
    free(error);
    ofpacts_fini(&acts);
}

static void
test_flow(void **state)
{
    struct ofp_flow_mod fm;
    char *error = ofp_flow_mod_parse("table=3,priority=7,tcp,tp_dst=80,idle_timeout=5,cookie=0x9,"
                                     "send_flow_rem,actions=output:2",
                                     0, NULL, &fm);

    (void)state;
    assert_null(error);
    assert_int_equal(fm.table_id, 3);
    assert_int_equal(fm.priority, 7);
    assert_int_equal(fm.idle_timeout, 5);
    assert_int_equal(fm.new_cookie, 9);
    assert_int_equal(fm.flags & OFPFF_SEND_FLOW_REM, OFPFF_SEND_FLOW_REM);
    assert_int_equal(fm.match.flow.nw_proto, 6);
    assert_int_not_equal(fm.actions.size, 0);
    ofp_flow_mod_fini(&fm);
    error = ofp_flow_mod_parse("priority=7,tcp", 0, NULL, &fm);
    assert_non_null(error);
    free(error);
    error = ofp_flow_mod_parse("priority=70000,actions=drop", 0, NULL, &fm);
    assert_non_null(error);
    free(error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_instructions_are_no_actions),
        cmocka_unit_test(test_flow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
