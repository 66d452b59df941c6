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
        "clone(drop)",
        "output:1,output:2,LOCAL",
        "set_tunnel:0x9",
        "exit",
        "enqueue:1:5",
        "push_mpls:0x8847",
        "pop_mpls:0x0800",
        "meter:1",
        "set_vlan_vid:5",
        "set_vlan_pcp:3",
        "output(port=1,max_len=100)",
        "controller(max_len=100,id=5)",
        "controller(reason=no_match,userdata=01.02.ff,pause,meter_id=7)",
        "resubmit(1,2,ct)",
        "write_actions(set_field:10.0.0.9->ip_dst,output:2)",
        "write_actions(group:1)",
        "note:00.01.02.03.04.05",
        "multipath(symmetric_l3l4+udp,50,hash_threshold,4,7,NXM_NX_REG0[0..15])",
        "bundle(nw_src,0,hrw,ofport,members:1,2,LOCAL)",
        "bundle_load(eth_src,9,active_backup,ofport,NXM_NX_REG0[],members:4,8)",
        "sample(probability=12345,collector_set_id=1,obs_domain_id=2,obs_point_id=3)",
        "sample(probability=1,collector_set_id=1,obs_domain_id=2,obs_point_id=3,sampling_port=5,"
        "egress)",
        "fin_timeout(idle_timeout=5,hard_timeout=6)",
        "fin_timeout(hard_timeout=6)",
        "check_pkt_larger(1000)->NXM_NX_REG0[5],output:1",
        "learn(table=1)",
        "learn(table=5,idle_timeout=10,hard_timeout=60,fin_idle_timeout=1,priority=9,send_flow_rem,"
        "delete_learned,cookie=0x12,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        "eth_type=0x800,NXM_NX_REG2[0..3]=0x5,load:NXM_NX_REG1[0..7]->NXM_NX_REG0[0..7],"
        "load:0x7->NXM_NX_REG3[],output:NXM_OF_IN_PORT[])",
        "learn(table=1,limit=10,result_dst=NXM_NX_REG0[8],ipv6_dst=fe80::1)",
        "ct(table=1)",
        "ct(commit,force,zone=5,exec(set_field:0x1->ct_mark,"
        "move:NXM_NX_REG0[]->NXM_NX_CT_LABEL[0..31]),alg=ftp)",
        "ct(commit,table=3,zone=NXM_NX_REG0[0..15],nat(src=10.0.0.1-10.0.0.9:5000-6000,random))",
        "ct(commit,nat(dst=10.0.0.1))",
        "ct(commit,nat(src=:80))",
        "ct(commit,nat(src=fe80::1-fe80::9,persistent,hash))",
        "ct(commit,nat(dst=[fe80::1]-[fe80::9]:80))",
        "ct(table=0,nat)",
        "ct_clear",
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        check_round(same[i], same[i]);
    }
    check_round("3", "output:3");
    check_round("normal, in_port", "NORMAL,IN_PORT");
    check_round("controller(max_len=128)", "CONTROLLER:128");
    check_round("note:0102", "note:01.02.00.00.00.00");
    check_round("bundle(eth_src,0,hrw,ofport,slaves:1)", "bundle(eth_src,0,hrw,ofport,members:1)");
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
        "ct(exec(set_field:1->ct_mark))",
        "ct(commit,exec(output:1))",
        "ct(force)",
        "ct(commit,zone=65536)",
        "ct(commit,table=255)",
        "ct(commit,zone=NXM_NX_REG0[0..7])",
        "ct(commit,nat(src,dst))",
        "ct(commit,nat(src=10.0.0.5-10.0.0.1))",
        "ct(commit,nat(src=10.0.0.5:0))",
        "ct(commit,nat(src=10.0.0.5:9-8))",
        "ct(commit,nat(src=10.0.0.5-::1))",
        "ct(commit,nat(src=[::1))",
        "ct(commit,nat(random))",
        "ct(commit,nat(src,hash,random))",
        "ct(commit,alg=irc)",
        "learn(nosuch)",
        "learn(table=255)",
        "learn(eth_type=0x10000)",
        "learn(load:0x100->NXM_NX_REG0[0..7])",
        "learn(load:NXM_NX_REG1[0..8]->NXM_NX_REG0[0..7])",
        "learn(result_dst=NXM_NX_REG0[0..1])",
        "learn(limit=4294967296)",
        "multipath(eth_src,0,modulo_n,0,0,NXM_NX_REG0[])",
        "multipath(eth_src,0,modulo_n,5,0,NXM_NX_REG0[0..1])",
        "multipath(eth_src,0,best,5,0,NXM_NX_REG0[])",
        "multipath(nosuch,0,hrw,5,0,NXM_NX_REG0[])",
        "multipath(eth_src,0,hrw)",
        "bundle(eth_src,0,hrw,ofport)",
        "bundle(eth_src,0,hrw,ofport,1,2)",
        "bundle(eth_src,0,hrw,ofport,members:x)",
        "bundle_load(eth_src,0,hrw,ofport,members:1)",
        "sample(probability=0)",
        "sample(probability=1,nosuch=2)",
        "note:0",
        "note:0g",
        "fin_timeout(idle_timeout)",
        "check_pkt_larger(100)",
        "check_pkt_larger(100)->NXM_NX_REG0[0..1]",
        "check_pkt_larger(x)->NXM_NX_REG0[0]",
        "output(port=1)",
        "output(port=1,max_len=13)",
        "controller(pause=1)",
        "controller(reason=nosuch)",
        "controller(userdata=1)",
        "resubmit(1,2,3)",
        "write_actions(output:x)",
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
