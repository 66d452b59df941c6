// SPDX-License-Identifier: Apache-2.0
/*
 * flow/match*.c: texts as the deployed switch prints them, texts that must be refused, and the
 * relations between matches that flow tables rely on.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/match.h"
#include "flow/text.h"
#include "twin_extract.h"

/* What 'ovs-ofctl add-flow' was given, and what the switch's own bridge/dump-flows then said. */
static const struct {
    const char *text;
    const char *want;
} goldens[] = {
    {"priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80", "priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80"},
    {"ip,nw_src=10.0.0.1", "ip,nw_src=10.0.0.1"},
    {"icmp,icmp_type=8,icmp_code=0", "icmp,icmp_type=8,icmp_code=0"},
    {"icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=00:00:00:00:00:01",
     "icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=00:00:00:00:00:01"},
    {"icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::/64,nd_tll=00:00:00:00:00:01",
     "icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::/64,nd_tll=00:00:00:00:00:01"},
    {"arp,arp_spa=1.2.3.4,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02",
     "arp,arp_spa=1.2.3.4,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02"},
    {"arp,nw_src=1.2.3.0/24", "arp,arp_spa=1.2.3.0/24"},
    {"rarp", "rarp"},
    {"dl_vlan=5", "dl_vlan=5"},
    {"dl_vlan_pcp=3", "dl_vlan_pcp=3"},
    {"dl_vlan=5,dl_vlan_pcp=3", "dl_vlan=5,dl_vlan_pcp=3"},
    {"vlan_tci=0x1005/0x1fff", "dl_vlan=5"},
    {"vlan_tci=0x1000/0x1000", "vlan_tci=0x1000/0x1000"},
    {"vlan_vid=0x1005", "dl_vlan=5"},
    {"vlan_vid=0x1005/0x100f", "vlan_tci=0x1005/0x100f"},
    {"dl_type=0x1234", "dl_type=0x1234"},
    {"dl_type=0x0800,nw_proto=6", "tcp"},
    {"dl_type=0x0800,nw_proto=50", "ip,nw_proto=50"},
    {"dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"},
    {"dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02",
     "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02"},
    {"reg0=0x1,reg5=0x1/0xff,reg15=7", "reg0=0x1,reg5=0x1/0xff,reg15=0x7"},
    {"xreg0=0x100000005", "reg0=0x1,reg1=0x5"},
    {"xreg1=0x5/0xff", "reg3=0x5/0xff"},
    {"xxreg0=0x123", "reg0=0,reg1=0,reg2=0,reg3=0x123"},
    {"xxreg3=0x123/0xfff", "reg15=0x123/0xfff"},
    {"metadata=0x5", "metadata=0x5"},
    {"metadata=0x5/0xff", "metadata=0x5/0xff"},
    {"in_port=1", "in_port=1"},
    {"in_port=LOCAL", "in_port=LOCAL"},
    {"tun_id=0x5", "tun_id=0x5"},
    {"tun_id=0x5/0xff,tun_src=1.2.3.4,tun_dst=5.6.7.0/24",
     "tun_id=0x5/0xff,tun_src=1.2.3.4,tun_dst=5.6.7.0/24"},
    {"tun_ipv6_src=::1,tun_ipv6_dst=::2/64", "tun_ipv6_src=::1,tun_ipv6_dst=::/64"},
    {"tun_flags=+oam", "tun_flags=+oam"},
    {"tun_flags=-oam", "tun_flags=-oam"},
    {"tun_gbp_id=5,tun_gbp_flags=0x8", "tun_gbp_id=5,tun_gbp_flags=0x8"},
    {"pkt_mark=0x5/0xf", "pkt_mark=0x5/0xf"},
    {"ip,nw_tos=32", "ip,nw_tos=32"},
    {"ip,nw_ecn=2", "ip,nw_ecn=2"},
    {"ip,ip_dscp=8", "ip,nw_tos=32"},
    {"ip,nw_ttl=5", "ip,nw_ttl=5"},
    {"ip,ip_frag=no", "ip,nw_frag=no"},
    {"ip,ip_frag=later", "ip,nw_frag=later"},
    {"ip,ip_frag=not_later", "ip,nw_frag=not_later"},
    {"ip,ip_frag=first", "ip,nw_frag=first"},
    {"ip,ip_frag=yes", "ip,nw_frag=yes"},
    {"tcp,tcp_flags=+syn-ack", "tcp,tcp_flags=+syn-ack"},
    {"tcp,tcp_flags=0x12/0x3f", "tcp,tcp_flags=-fin+syn-rst-psh+ack-urg"},
    {"tcp,tcp_flags=syn|ack", "tcp,tcp_flags=syn|ack"},
    {"tcp,tp_src=0x1000/0xf000", "tcp,tp_src=0x1000/0xf000"},
    {"tcp6,tp_src=80,ipv6_src=2001:db8::/32", "tcp6,ipv6_src=2001:db8::/32,tp_src=80"},
    {"udp6,ipv6_dst=::1,ipv6_label=0x12345", "udp6,ipv6_dst=::1,ipv6_label=0x12345"},
    {"ipv6,ipv6_label=0x5/0xff", "ipv6,ipv6_label=0x00005/0x000ff"},
    {"sctp,tp_dst=5", "sctp,tp_dst=5"},
    {"sctp6", "sctp6"},
    {"ct_state=+trk-new,ip", "ct_state=-new+trk,ip"},
    {"ct_state=0x21/0x23", "ct_state=+new-est+trk"},
    {"ct_zone=5,ct_mark=0x5/0xff,ct_label=0x1/0xf", "ct_zone=5,ct_mark=0x5/0xff,ct_label=0x1/0xf"},
    {"mpls,mpls_label=5,mpls_tc=1,mpls_bos=1", "mpls,mpls_label=5,mpls_tc=1,mpls_bos=1"},
    {"mpls,mpls_ttl=5", "mpls,mpls_ttl=5"},
    {"mplsm", "mplsm"},
    {"conj_id=5", "conj_id=5"},
    {"actset_output=5", "actset_output=5"},
    {"actset_output=LOCAL", "actset_output=LOCAL"},
    {"packet_type=(1,0x800)", "packet_type=(1,0x800)"},
    {"packet_type=(0,0)", ""},
    {"icmp6", "icmp6"},
    {"icmp6,icmpv6_type=128", "icmp6,icmp_type=128"},
    {"nd_target=fe80::1,icmp6,icmp_type=135,nd_reserved=5",
     "icmp6,icmp_type=135,nd_target=fe80::1,nd_reserved=5"},
    {"ip,nw_proto=2", "ip,nw_proto=2"},
    {"udp,tp_src=1,tp_dst=2", "udp,tp_src=1,tp_dst=2"},
    {"tcp,tcp_src=5,tcp_dst=6", "tcp,tp_src=5,tp_dst=6"},
    {"udp,udp_src=0x10/0xfff0", "udp,tp_src=0x10/0xfff0"},
    {"ip,nw_dst=1.2.3.4/255.0.255.0", "ip,nw_dst=1.0.3.0/255.0.255.0"},
    {"ipv6,ipv6_src=fe80::1/ffff::ffff", "ipv6,ipv6_src=fe80::1/ffff::ffff"},
    {"eth_type=0x86dd,ip_proto=58", "icmp6"},
    {"table=3,priority=32768,ip", "ip"},
    {"cookie=0x5,ip", "ip"},
    {"priority=0", "priority=0"},
};

static void
parse(const char *text, struct match *m, struct match_extra *extra)
{
    char *error = match_parse(m, text, NULL, extra);
    if (error) {
        print_error("%s: %s\n", text, error);
    }
    assert_null(error);
}

static void
test_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
        struct match m;
        struct match_extra extra;
        struct text t = {0};
        parse(goldens[i].text, &m, &extra);
        match_format(&m, NULL, &t, extra.has_priority ? extra.priority : 32768);
        assert_string_equal(text_cstr(&t), goldens[i].want);
        text_fini(&t);
    }
}

static void
test_refused(void **state)
{
    static const char *const texts[] = {
        "bogus",
        "bogus=1",
        "tcp=1",
        "nw_dst=1.2.3.4",
        "tp_dst=80",
        "tcp,tp_dst=65536",
        "ip,nw_dst=1.2.3",
        "ip,nw_dst=1.2.3.4/33",
        "dl_vlan=4096",
        "dl_vlan=5,dl_vlan_pcp=8",
        "in_port=nobody",
        "tcp,tcp_flags=+bogus",
        "ct_state=+trk-trk",
        "ct_state=bogus",
        "ip,nw_tos=1",
        "ip,nw_ecn=4",
        "reg16=1",
        "reg0=0x100000000",
        "dl_dst=00:00:00:00:00",
        "ip,ip_frag=maybe",
        "mpls_label=5",
        "mpls,mpls_label=0x100000",
        "nd_target=::1",
        "ipv6,ipv6_label=0x100000",
        "priority=65536",
        "table=256",
        "cookie=x",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct match m;
        struct match_extra extra;
        char *error = match_parse(&m, texts[i], NULL, &extra);
        if (!error) {
            print_error("accepted: %s\n", texts[i]);
        }
        assert_non_null(error);
        assert_int_equal(strcspn(error, "\n"), strlen(error));
        free(error);
    }
    /* Without room for them, what is not a match is an error, too. */
    struct match m;
    char *error = match_parse(&m, "priority=5,ip", NULL, NULL);
    assert_non_null(error);
    free(error);
}

/* Flows of packets, as ofproto/trace takes them, and how they print; or what is wrong with them. */
static const struct {
    const char *text;
    const char *want;
    const char *error;
} packets[] = {
    {"in_port=1,tcp,nw_src=1.2.3.4,tp_dst=80,tcp_flags=syn|ack",
     "tcp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=1.2.3."
     "4,nw_dst=0.0."
     "0.0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=syn|ack",
     NULL},
    {" in_port:1\tdl_src(00:00:00:00:00:01)dl_vlan=5",
     "in_port=1,dl_vlan=5,dl_vlan_pcp=0,vlan_tci1=0x0000,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:"
     "00:00:00,dl_"
     "type=0x0000",
     NULL},
    {"ip,nw_src=1.2.3.0/24", NULL, "bad value for nw_src (1.2.3.0/24: wildcards not allowed here)"},
    {"tcp,tcp_flags=+syn", NULL, "bad value for tcp_flags (+syn: wildcards not allowed here)"},
    {"tun_flags=+oam", NULL, "bad value for tun_flags (+oam: wildcards not allowed here)"},
    {"tcp,tcp_flags=+syn-x", NULL, "bad value for tcp_flags (x: unknown TCP flag(s))"},
    {"ct_state=new|x", NULL, "bad value for ct_state (new|x: unknown ct_state flag(s))"},
    {"in_port=1,in_port=2", NULL, "field in_port set multiple times"},
    {"ip,tcp", NULL, "Ethernet type set multiple times"},
    {"nw_src=1.2.3.4,ip", NULL, "prerequisites not met for setting nw_src"},
    {"reg0=4294967296", NULL,
     "bad value for reg0 (4294967296: value too large for 4-byte field reg0)"},
    {"metadata=99999999999999999999999", NULL,
     "bad value for metadata (99999999999999999999999: value too large for 8-byte field metadata)"},
    {"reg0=5/0x1ffffffff", NULL,
     "bad value for reg0 (5/0x1ffffffff: mask too large for 4-byte field reg0)"},
    {"reg0=5/x", NULL, "bad value for reg0 (5/x: bad syntax for reg0 mask)"},
    {"reg0", NULL, "bad value for reg0 (: bad syntax for reg0 value)"},
    {"dl_type=5/0xf", NULL, "bad value for dl_type (5/0xf: invalid mask for field eth_type)"},
    {"dl_src=1", NULL, "bad value for dl_src (1: invalid Ethernet address)"},
    {"ip,nw_dst=1.2.3.4/", NULL, "bad value for nw_dst (1.2.3.4/: invalid IP address)"},
    {"ip,nw_dst=1.2.3.4/33", NULL,
     "bad value for nw_dst (1.2.3.4/33: IPv4 network prefix bits not between 0 and 32, inclusive)"},
    {"ipv6,ipv6_src=fe80::g", NULL, "bad value for ipv6_src (fe80::g: invalid IPv6 address)"},
    {"in_port=nobody", NULL, "bad value for in_port (nobody: invalid or unknown port for in_port)"},
    {"in_port(1",
     "in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000",
     NULL},
    {"(x", NULL, "unknown field "},
    {"priority=5", NULL, "unknown field priority"},
};

static void
test_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct flow flow;
        struct text t = {0};
        char *error = flow_parse(&flow, packets[i].text, NULL);

        if (packets[i].error) {
            assert_string_equal(error, packets[i].error);
        } else {
            assert_null(error);
            flow_format(&flow, NULL, &t);
            assert_string_equal(text_cstr(&t), packets[i].want);
        }
        text_fini(&t);
        free(error);
    }
}

/* Filters have masks; the rest is as for packets. */
static void
test_filters(void **state)
{
    static const char *const texts[] = {"ip,nw_src=1.2.3.0/24", "tcp,tcp_flags=+syn-ack",
                                        "in_port=LOCAL"};
    struct match a, b;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_null(match_parse_filter(&a, texts[i], NULL));
        parse(texts[i], &b, NULL);
        assert_true(match_equal(&a, &b));
    }
    assert_null(match_parse_filter(&a, "reg0=*", NULL));
    assert_true(match_is_any(&a));
    char *error = match_parse_filter(&a, "tcp,udp", NULL);
    assert_string_equal(error, "Ethernet type set multiple times");
    free(error);
}

/* A match of random fields of a random packet: the packet matches, its text reads back as the same.
 */
static void
random_match(struct frame_gen *g, const struct flow *f, struct match *m)
{
    struct flow_mask mask = {0};
    flow_mask_exact_for(f, &mask);
    for (int i = 0; i < FLOW_WORDS; i++) {
        if (frame_gen_below(g, 2)) {
            mask.bits.w[i] = 0;
        }
    }
    FLOW_MASK_SET(&mask, dl_type);
    match_init(m, f, &mask);
}

static void
test_relations(void **state)
{
    struct frame_gen g = {9};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct flow f;
        struct flow other;
        struct match a;
        struct match b;
        frame_gen_flow(&g, &f);
        frame_gen_flow(&g, &other);
        random_match(&g, &f, &a);
        random_match(&g, &f, &b);
        assert_true(match_flow(&a, &f));
        /* Both match 'f', so they overlap; a tighter one lies within a wider one. */
        assert_true(match_overlaps(&a, &b));
        struct flow_mask both = a.mask;
        struct match tight;
        flow_mask_or(&both, &b.mask);
        match_init(&tight, &f, &both);
        assert_true(match_is_within(&tight, &a));
        assert_true(match_is_within(&tight, &b));
        assert_int_equal(match_is_within(&a, &tight), flow_mask_equal(&a.mask, &tight.mask));
        assert_true(match_is_within(&a, &a));
        /* Equal matches hash alike, and differ from one that asks for another value. */
        struct match copy = a;
        assert_true(match_equal(&a, &copy));
        assert_int_equal(match_hash(&a, 1), match_hash(&copy, 1));
        if (!flow_equal_masked(&f, &other, &a.mask)) {
            struct match differs;
            match_init(&differs, &other, &a.mask);
            assert_false(match_equal(&a, &differs));
            assert_false(match_overlaps(&a, &differs));
            assert_false(match_is_within(&differs, &a));
            assert_false(match_flow(&a, &other));
        }
    }
    struct match any;
    struct match ip;
    match_init_any(&any);
    parse("ip", &ip, NULL);
    assert_true(match_is_any(&any));
    assert_true(match_is_within(&ip, &any));
    assert_false(match_is_within(&any, &ip));
}

static void
test_setters(void **state)
{
    struct match a;
    struct match b;
    (void)state;
    match_init_any(&a);
    match_set_in_port(&a, 5);
    match_set_dl_type(&a, ETH_TYPE_IP);
    match_set_nw_proto(&a, 0); /* zero is a protocol */
    match_set_reg_masked(&a, 3, 0x1234, 0xff);
    match_set_dl_vlan(&a, 7);
    match_set_dl_vlan_pcp(&a, 0);
    parse("in_port=5,ip,nw_proto=0,reg3=0x34/0xff,dl_vlan=7,dl_vlan_pcp=0", &b, NULL);
    assert_true(match_equal(&a, &b));
    match_init_any(&a);
    match_set_dl_vlan(&a, 0xffff);
    parse("vlan_tci=0", &b, NULL);
    struct flow tagged = {.vlans[0] = {RTE_BE16(0x8100), RTE_BE16(VLAN_CFI)}};
    struct flow plain = {.in_port = 1};
    assert_true(match_flow(&a, &plain) && match_flow(&b, &plain));
    assert_false(match_flow(&a, &tagged) || match_flow(&b, &tagged));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_packets),   cmocka_unit_test(test_filters),
        cmocka_unit_test(test_relations), cmocka_unit_test(test_setters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
