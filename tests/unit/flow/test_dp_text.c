// SPDX-License-Identifier: Apache-2.0
/*
 * Datapath keys and actions as text: the genuine switch's own words come out, everything printed
 * can be read back, and bad text is an error.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/util.h"
#include "dp_text_goldens.h"
#include "flow/dp_action.h"
#include "flow/dpkey.h"
#include "twin_extract.h"

static bool
port_lookup(const void *aux, const char *name, odp_port_t *port)
{
    (void)aux;
    if (name[0] != 'p' || name[1] < '0' || name[1] > '9' || name[2]) {
        return false;
    }
    *port = (odp_port_t)(name[1] - '0');
    return true;
}

static const char *
port_name(const void *aux, odp_port_t port)
{
    static char name[16];
    (void)aux;
    snprintf(name, sizeof name, "p%u", port);
    return name;
}

static const struct dp_port_names numbers = {.lookup = port_lookup};
static const struct dp_port_names names = {.lookup = port_lookup, .name = port_name};

static char *
actions_text(const struct dp_actions *acts)
{
    struct text t = {0};
    dp_actions_format(acts->data, acts->size, NULL, &t);
    return text_steal(&t);
}

static void
test_action_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(action_goldens); i++) {
        struct dp_actions acts = {0};
        char *error = dp_actions_parse(action_goldens[i].text, &numbers, &acts);
        if (error) {
            print_error("%s: %s\n", action_goldens[i].text, error);
        }
        assert_null(error);
        char *got = actions_text(&acts);
        assert_string_equal(got, action_goldens[i].want);
        free(got);
        dp_actions_fini(&acts);
    }
}

/* What only we can parse: the genuine tool prints these and refuses to read them. */
static void
test_action_roundtrip(void **state)
{
    static const char *const texts[] = {
        "recirc(0x2)",
        "hash(l4(5)),recirc(0x3)",
        "hash(sym_l4(0)),recirc(0xffffffff)",
        "push_mpls(label=3,tc=1,ttl=64,bos=1,eth_type=0x8847),1",
        "pop_mpls(eth_type=0x800),1",
        "clone(drop),3",
        "clone(clone(clone(1),2),3),4",
        "sample(sample=33.3%,actions(drop)),1",
        "check_pkt_len(size=1500,gt(drop),le(push_vlan(vid=1,pcp=0),2)),3",
        "set(eth(src=02:00:00:00:00:01)),set(ipv4(dst=1.0.0.0/255.0.0.0)),set(tcp(dst=1)),1",
        "tnl_push(tnl_port(2),header(size=58,type=5,eth(dst=02:00:00:00:00:01,src=02:00:00:00:00:"
        "02,"
        "dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag=0x4000),udp(src="
        "0,"
        "dst=6081,csum=0x0),geneve(crit,vni=0x1c7,options({class=0xffff,type=0x80,len=4,0x0000000a}"
        ")))"
        ",out_port(1))",
        "set(tunnel(tun_id=0x7,dst=1.1.2.92,ttl=0,flags(df|key))),4",
        "userspace(pid=0,slow_path(controller))",
        "ct(commit,zone=1,nat(src=fe80::1-fe80::9)),recirc(0x1)",
        "ct(commit,nat(dst=1.2.3.4-1.2.3.9:80-90,hash))",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct dp_actions acts = {0};
        char *error = dp_actions_parse(texts[i], &numbers, &acts);
        if (error) {
            print_error("%s: %s\n", texts[i], error);
        }
        assert_null(error);
        char *got = actions_text(&acts);
        assert_string_equal(got, texts[i]);
        free(got);
        dp_actions_fini(&acts);
    }
}

static void
test_bad_actions(void **state)
{
    static const char *const texts[] = {
        "bogus",
        "meter(1)2",
        "clone(1)clone(2)",
        "push_vlan(vid=5,pcp=0,cfi=)",
        "set(eth(src=00:00:00:00:00))",
        "set(ipv4(proto=6))",
        "push_vlan(vid=4096,pcp=0)",
        "push_vlan(vid=1,pcp=8)",
        "clone(1",
        "clone(1))",
        "check_pkt_len(size=1,gt(1))",
        "sample(sample=101%,actions(1))",
        "sample(sample=nan%,actions(1))",
        "userspace(pid=0)",
        "userspace(pid=0,slow_path(nonsense))",
        "ct(nat(src=1.1.1.1:9-5))",
        "ct(helper=averyveryverylongname)",
        "ct(label=0x123456789012345678901234567890123)",
        "hash(l4(5)",
        "set(tunnel(ttl=256))",
        "tnl_push(tnl_port(2),header(size=9,type=4,eth(dst=02:00:00:00:00:01,src=02:00:00:00:00:02,"
        "dl_type=0x0800)),out_port(1))",
        "4294967296",
        "1,drop(",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct dp_actions acts = {0};
        char *error = dp_actions_parse(texts[i], &numbers, &acts);
        if (!error) {
            print_error("accepted: %s\n", texts[i]);
        }
        assert_non_null(error);
        free(error);
        dp_actions_fini(&acts);
    }
}

/* Nesting is bounded, whatever the text says; so is the length. */
static void
test_hostile_nesting(void **state)
{
    (void)state;
    for (int depth = 1; depth < 2000; depth += depth < 20 ? 1 : 400) {
        struct text t = {0};
        for (int i = 0; i < depth; i++) {
            text_put(&t, "clone(");
        }
        text_put(&t, "1");
        for (int i = 0; i < depth; i++) {
            text_put(&t, ")");
        }
        struct dp_actions acts = {0};
        char *error = dp_actions_parse(text_cstr(&t), NULL, &acts);
        assert_int_equal(error == NULL, depth <= DP_ACTIONS_MAX_DEPTH);
        free(error);
        dp_actions_fini(&acts);
        text_fini(&t);
    }
    struct text t = {0};
    for (int i = 0; i < 20000; i++) {
        text_put(&t, "1,");
    }
    struct dp_actions acts = {0};
    char *error = dp_actions_parse(text_cstr(&t), NULL, &acts);
    assert_string_equal(error, "the actions are too long");
    free(error);
    assert_true(acts.size <= DP_ACTIONS_MAX_SIZE);
    dp_actions_fini(&acts);
    text_fini(&t);
}

static void
test_key_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(key_goldens); i++) {
        struct flow f;
        struct flow_mask m;
        struct text t = {0};
        char *error = dpkey_parse(key_goldens[i].text, &numbers, &f, &m);
        assert_null(error);
        FLOW_MASK_SET(&m, packet_type); /* as the flow of a packet has it */
        dpkey_format(&f, &m, NULL, false, &t);
        assert_string_equal(text_cstr(&t), key_goldens[i].want);
        text_clear(&t);
        dpkey_format(&f, &m, &names, true, &t);
        assert_string_equal(text_cstr(&t), key_goldens[i].verbose);
        text_fini(&t);
    }
}

static void
test_bad_keys(void **state)
{
    static const char *const texts[] = {
        "in_port(",
        "in_port(nobody)",
        "eth(src=1)",
        "vlan(vid=1)",
        "eth_type(0x8100),vlan(vid=1,pcp=0),vlan(vid=2,pcp=0)",
        "eth_type(0x8100),vlan(vid=1,pcp=0),encap(eth_type(0x800)",
        "encap(encap(encap(encap(",
        "eth_type(0x8847),mpls(label=1,label=2,label=3,label=4)",
        "ipv4(src=1.2.3.4.5)",
        "tunnel(src=1.2.3.4",
        "ct_state(+nonsense)",
        "tcp_flags(+syn+syn)",
        ")",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct flow f;
        struct flow_mask m;
        char *error = dpkey_parse(texts[i], &numbers, &f, &m);
        if (!error) {
            print_error("accepted: %s\n", texts[i]);
        }
        assert_non_null(error);
        assert_non_null(strstr(error, "syntax error"));
        free(error);
    }
}

/* A random flow, exact for its shape, survives being printed and read. */
static void
test_key_roundtrip(void **state)
{
    struct frame_gen g = {77};
    (void)state;
    for (int i = 0; i < 50000; i++) {
        struct flow f;
        struct flow back;
        struct flow_mask m = {0};
        struct flow_mask back_mask;
        struct text t = {0};
        frame_gen_flow(&g, &f);
        flow_mask_exact_for(&f, &m);
        flow_apply_mask(&f, &m);
        if (f.nw_proto == IP_PROTO_IGMP && flow_is_ip(&f)) {
            continue; /* its type, code and group have no text */
        }
        dpkey_format(&f, &m, NULL, i & 1, &t);
        char *error = dpkey_parse(text_cstr(&t), NULL, &back, &back_mask);
        if (error || !flow_equal(&f, &back)) {
            print_error("%s: %s\n", text_cstr(&t), error ? error : "differs");
            for (int w = 0; w < FLOW_WORDS; w++) {
                if (f.w[w] != back.w[w]) {
                    print_error("word %d: %016llx, read %016llx\n", w, (unsigned long long)f.w[w],
                                (unsigned long long)back.w[w]);
                }
            }
            fail();
        }
        text_fini(&t);
    }
}

static void
test_ufid(void **state)
{
    const char *s = "01234567-89ab-cdef-0123-456789abcdef, in_port(1)";
    struct dp_ufid ufid;
    struct text t = {0};
    (void)state;
    assert_true(dp_ufid_parse(&s, &ufid));
    assert_string_equal(s, ", in_port(1)");
    dp_ufid_format(&ufid, &t);
    assert_string_equal(text_cstr(&t), "01234567-89ab-cdef-0123-456789abcdef");
    text_fini(&t);
    s = "01234567-89ab-cdef-0123-456789abcdeg";
    assert_false(dp_ufid_parse(&s, &ufid));
    s = "";
    assert_false(dp_ufid_parse(&s, &ufid));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_action_goldens), cmocka_unit_test(test_action_roundtrip),
        cmocka_unit_test(test_bad_actions),    cmocka_unit_test(test_hostile_nesting),
        cmocka_unit_test(test_key_goldens),    cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_key_roundtrip),  cmocka_unit_test(test_ufid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
