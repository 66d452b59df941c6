// SPDX-License-Identifier: Apache-2.0
/*
 * test_xlate.c - translation: limits, patch ports, statistics, dependencies; and the property that
 * makes megaflows right: packets that agree in the mask get the same actions.
 */
#include "xlate_fixture.h"

#include "base/clock.h"
#include "ofproto/mac_table.h"

static void
resubmits_are_limited(void **state)
{
    struct fx fx;
    struct ofproto *br0;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("ip,nw_src=1.1.1.1");
    struct xlate_out out;

    (void)state;
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "p2", 2, NULL, NULL);

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

/* Translates a packet of 100 bytes in a batch. */
static void
xlate_shared(struct fx *fx, const char *text, struct xlate_share *share, struct xlate_out *out)
{
    struct flow flow = fx_flow_of(text);
    const struct xlate_in in = {
        .ofprotos = fx->all,
        .flow = &flow,
        .side_effects = true,
        .n_packets = 1,
        .n_bytes = 100,
        .want_cache = true,
        .share = share,
    };

    flow.in_port = 1;
    xlate(&in, out);
}

static void
rules_for_sharing(struct ofproto *p)
{
    struct ofpacts acts = {0};

    fx_resubmit(&acts, 1);
    fx_flow_acts(p, 0, "udp", 1, &acts);
    fx_output(&acts, 2);
    fx_flow_acts(p, 1, "udp,nw_src=10.0.0.0/8", 2, &acts);
    fx_output(&acts, 2);
    fx_flow_acts(p, 1, "udp", 1, &acts);
    fx_output(&acts, OFPP_NORMAL);
    fx_flow_acts(p, 0, "arp", 1, &acts);
}

static void
equal_results_of_a_batch_are_one(void **state)
{
    struct fx fx;
    struct xlate_share share = {0};
    struct xlate_out a, b, c, macs[2];
    struct flow flow = fx_flow_of("udp,nw_src=10.0.0.1");

    (void)state;
    fx_init(&fx);
    struct ofproto *p = fx_bridge(&fx, "br0");
    for (uint16_t i = 1; i <= 2; i++) {
        fx_port(&fx, p, i == 1 ? "p1" : "p2", i, NULL, NULL);
    }
    ofproto_commit(p);
    rules_for_sharing(p);
    xlate_shared(&fx, "udp,nw_src=10.0.0.1,tp_src=1", &share, &a);
    xlate_shared(&fx, "udp,nw_src=10.0.0.2,tp_src=2", &share, &b);
    xlate_shared(&fx, "udp,nw_src=11.0.0.2,tp_src=2", &share, &c);
    assert_ptr_equal(a.cache, b.cache);
    assert_ptr_equal(a.deps, b.deps);
    assert_ptr_not_equal(a.cache, c.cache);
    assert_ptr_not_equal(a.deps, c.deps); /* It fell through to a lower priority. */

    /* A MAC to learn is a packet's own. */
    xlate_shared(&fx, "arp,dl_src=02:00:00:00:00:01", &share, &macs[0]);
    xlate_shared(&fx, "arp,dl_src=02:00:00:00:00:01", &share, &macs[1]);
    assert_ptr_not_equal(macs[0].cache, macs[1].cache);

    /* The second packet's credit waited; what comes later is credited as ever. */
    struct rule *rule = ofproto_lookup(p, ofproto_version(p), 1, &flow, NULL);
    assert_non_null(rule);
    assert_int_equal(atomic_load(&rule->stats->packets), 1);
    xlate_share_fini(&share);
    assert_int_equal(atomic_load(&rule->stats->packets), 2);
    assert_int_equal(atomic_load(&rule->stats->bytes), 200);
    xlate_out_fini(&a);
    xlate_cache_credit(b.cache, 5, 500, clock_now_ms(), 0);
    assert_int_equal(atomic_load(&rule->stats->packets), 7);
    xlate_out_fini(&b);
    xlate_out_fini(&c);
    xlate_out_fini(&macs[0]);
    xlate_out_fini(&macs[1]);
    fx_fini(&fx);
}

/* Many different results in one batch push each other out, and none is credited twice or not. */
static void
a_share_is_bounded(void **state)
{
    struct fx fx;
    struct xlate_share share = {0};
    struct ofpacts acts = {0};
    char text[64];

    (void)state;
    fx_init(&fx);
    struct ofproto *p = fx_bridge(&fx, "br0");
    fx_port(&fx, p, "p1", 1, NULL, NULL);
    fx_port(&fx, p, "p2", 2, NULL, NULL);
    ofproto_commit(p);
    for (int i = 0; i < 3 * XLATE_SHARED; i++) {
        snprintf(text, sizeof text, "udp,tp_src=%d", i);
        fx_output(&acts, 2);
        fx_flow_acts(p, 0, text, 1, &acts);
    }
    for (int i = 0; i < 60 * XLATE_SHARED; i++) {
        struct xlate_out out;

        snprintf(text, sizeof text, "udp,tp_src=%d", i / 5 % (3 * XLATE_SHARED));
        xlate_shared(&fx, text, &share, &out);
        xlate_out_fini(&out);
    }
    xlate_share_fini(&share);
    for (int i = 0; i < 3 * XLATE_SHARED; i++) {
        snprintf(text, sizeof text, "udp,tp_src=%d", i);
        struct flow flow = fx_flow_of(text);
        struct rule *rule = ofproto_lookup(p, ofproto_version(p), 0, &flow, NULL);
        assert_non_null(rule);
        assert_int_equal(atomic_load(&rule->stats->packets), 20);
    }
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
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "p2", 2, NULL, NULL);
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

static void
a_moved_mac_affects_who_sends_to_it(void **state)
{
    struct fx fx;
    struct ofproto *br0;
    struct ofpacts acts = {0};
    struct flow flow = fx_flow_of("dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02");
    struct xlate_out out;

    (void)state;
    fx_init(&fx);
    br0 = fx_bridge(&fx, "br0");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "p2", 2, NULL, NULL);
    fx_port(&fx, br0, "p3", 3, NULL, NULL);
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

/* --- the mask property -------------------------------------------------------------------------
 */

static uint32_t
pick(uint32_t n)
{
    return (uint32_t)random() % n;
}

static void
random_set(struct ofpacts *acts)
{
    uint8_t value[16] = {0};
    static const enum mf_id fields[] = {MF_REG0,     MF_REG1,    MF_PKT_MARK,
                                        MF_METADATA, MF_ETH_SRC, MF_ETH_DST};

    value[pick(4)] = (uint8_t)pick(3);
    ofpacts_put_set_field(acts, fields[pick(6)], value, NULL);
}

static void
random_move(struct ofpacts *acts)
{
    struct ofpact_reg_move *m = ofpacts_put_struct(acts, REG_MOVE, struct ofpact_reg_move);
    static const enum mf_id src[] = {MF_ETH_SRC, MF_ETH_DST, MF_REG0, MF_REG1};
    static const enum mf_id dst[] = {MF_REG0, MF_REG1, MF_ETH_DST};

    m->src.field = mf_from_id(src[pick(4)]);
    m->dst.field = mf_from_id(dst[pick(3)]);
    m->src.n_bits = m->dst.n_bits = (uint16_t)(1 + pick(16));
    m->src.ofs = (uint16_t)pick(16);
    m->dst.ofs = (uint16_t)pick(16);
}

static void
random_actions(struct ofpacts *acts, uint8_t table_id)
{
    unsigned n = pick(5);

    for (unsigned i = 0; i < n; i++) {
        switch (pick(12)) {
        case 0:
        case 1:
            fx_output(acts, (uint16_t)(1 + pick(4)));
            break;
        case 2:
            fx_output(acts, OFPP_NORMAL);
            break;
        case 3:
            random_set(acts);
            break;
        case 4:
            random_move(acts);
            break;
        case 5:
            ofpacts_put_struct(acts, STRIP_VLAN, struct ofpact_null);
            break;
        case 6: {
            struct ofpact_vlan_vid *v =
                ofpacts_put_struct(acts, SET_VLAN_VID, struct ofpact_vlan_vid);
            v->vid = (uint16_t)(1 + pick(3));
            v->push_vlan_if_needed = true;
            break;
        }
        case 7: {
            struct ofpact_ipv4 *a =
                pick(2) ? ofpacts_put_struct(acts, SET_IPV4_DST, struct ofpact_ipv4)
                        : ofpacts_put_struct(acts, SET_IPV4_SRC, struct ofpact_ipv4);
            a->ipv4 = htonl(0x0a000000 + pick(4));
            break;
        }
        case 8: {
            struct ofpact_l4_port *a =
                ofpacts_put_struct(acts, SET_L4_DST_PORT, struct ofpact_l4_port);
            a->port = (uint16_t)(80 + pick(3));
            break;
        }
        case 9: {
            size_t ofs = ofpacts_open(acts, OFPACT_CLONE, offsetof(struct ofpact_nest, actions));
            random_set(acts);
            fx_output(acts, (uint16_t)(1 + pick(4)));
            ofpacts_close(acts, ofs);
            break;
        }
        case 10: {
            struct ofpact_push_vlan *v =
                ofpacts_put_struct(acts, PUSH_VLAN, struct ofpact_push_vlan);
            v->ethertype = ETH_TYPE_VLAN;
            break;
        }
        default:
            if (table_id < 5) {
                fx_resubmit(acts, (uint8_t)(table_id + 1 + pick(2)));
            }
            break;
        }
    }
}

static void
random_rule(struct ofproto *p)
{
    static const char *const matches[] = {
        "",
        "ip",
        "arp",
        "tcp",
        "udp",
        "in_port=#",
        "ip,nw_dst=10.0.0.#",
        "ip,nw_src=10.0.#.0/24",
        "tcp,tp_dst=8#",
        "udp,tp_src=8#/0xfffe",
        "dl_vlan=#",
        "vlan_tci=0",
        "dl_dst=00:00:00:00:00:0#",
        "dl_src=00:00:00:00:00:0#",
        "reg0=0x#000000",
        "reg1=#",
        "icmp,icmp_type=#",
        "ip,nw_tos=4",
        "ip,nw_tos=8",
        "dl_vlan=1,dl_vlan_pcp=#",
        "ip,nw_frag=no,nw_dst=10.0.0.#",
    };
    struct ofpacts acts = {0};
    uint8_t table_id = (uint8_t)pick(7);
    char match[64];

    /* '#' stands for a small number. */
    str_copy(match, matches[pick(ARRAY_SIZE(matches))], sizeof match);
    for (char *s = match; *s; s++) {
        *s = *s == '#' ? (char)('0' + pick(4)) : *s;
    }
    random_actions(&acts, table_id);
    fx_flow_acts(p, table_id, match, (uint16_t)pick(20), &acts);
}

static void
random_flow(struct flow *flow, uint16_t dl_type)
{
    memset(flow, 0, sizeof *flow);
    flow->dl_dst.addr_bytes[5] = (uint8_t)pick(4);
    flow->dl_src.addr_bytes[5] = (uint8_t)pick(4);
    flow->dl_src.addr_bytes[0] = (uint8_t)(pick(2) * 2);
    flow->dl_type = htons(dl_type);
    for (uint32_t i = 0, n = pick(3); i < n; i++) {
        flow_push_vlan(flow, htons(ETH_TYPE_VLAN),
                       htons((uint16_t)(VLAN_CFI | pick(4) | pick(3) << VLAN_PCP_SHIFT)));
    }
    flow->nw_src = htonl(0x0a000000 + (pick(3) << 8) + pick(4));
    flow->nw_dst = htonl(0x0a000000 + (pick(3) << 8) + pick(4));
    if (dl_type == ETH_TYPE_ARP) {
        flow->nw_proto = (uint8_t)(1 + pick(2));
        flow->arp_sha.addr_bytes[5] = (uint8_t)pick(4);
    } else if (dl_type == ETH_TYPE_IP) {
        static const uint8_t protos[] = {IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMP, 47};
        flow->nw_proto = protos[pick(4)];
        flow->nw_ttl = (uint8_t)(2 + pick(60));
        flow->nw_tos = (uint8_t)(pick(4) << 2);
        flow->nw_frag = (uint8_t)(pick(8) == 0 ? NW_FRAG_ANY | (pick(2) ? NW_FRAG_LATER : 0) : 0);
        if (flow->nw_proto != 47 && !(flow->nw_frag & NW_FRAG_LATER)) {
            bool icmp = flow->nw_proto == IP_PROTO_ICMP;
            flow->tp_src = htons((uint16_t)(icmp ? pick(4) : 80 + pick(4)));
            flow->tp_dst = htons((uint16_t)(icmp ? pick(4) : 80 + pick(4)));
        }
    } else {
        flow->nw_src = flow->nw_dst = 0;
    }
}

static void
check_property(struct fx *fx)
{
    static const uint16_t types[] = {ETH_TYPE_IP, ETH_TYPE_IP, ETH_TYPE_ARP, 0x1234};
    uint16_t dl_type = types[pick(4)];
    odp_port_t port = 1 + pick(4);
    struct flow a, b, mixed;
    struct xlate_out out_a, out_b;

    random_flow(&a, dl_type);
    fx_xlate(fx, port, &a, false, &out_a);
    for (int i = 0; i < 8; i++) {
        random_flow(&b, dl_type);
        b.in_port = port;
        for (unsigned w = 0; w < FLOW_WORDS; w++) {
            uint64_t m = out_a.mask.bits.w[w];

            mixed.w[w] = (a.w[w] & m) | (b.w[w] & ~m);
        }
        /* Halves of tags are no tags. */
        for (int v = 0; v < FLOW_MAX_VLANS; v++) {
            mixed.vlans[v].tpid = mixed.vlans[v].tci & htons(VLAN_CFI) ? htons(ETH_TYPE_VLAN) : 0;
            if (!mixed.vlans[v].tpid) {
                mixed.vlans[v].tci = 0;
            }
        }
        if (mixed.vlans[1].tci && !mixed.vlans[0].tci) {
            continue;
        }
        fx_xlate(fx, port, &mixed, false, &out_b);
        if (out_a.actions.size != out_b.actions.size ||
            memcmp(out_a.actions.data, out_b.actions.data, out_a.actions.size)) {
            struct text t = {0};

            text_put(&t, "\n");
            flow_format(&a, NULL, &t);
            text_put(&t, "\n");
            dp_actions_format(out_a.actions.data, out_a.actions.size, NULL, &t);
            text_put(&t, "\n");
            flow_format(&mixed, NULL, &t);
            text_put(&t, "\n");
            dp_actions_format(out_b.actions.data, out_b.actions.size, NULL, &t);
            fail_msg("%s", text_cstr(&t));
        }
        xlate_out_fini(&out_b);
    }
    xlate_out_fini(&out_a);
}

static void
packets_of_a_megaflow_are_alike(void **state)
{
    const char *seed = getenv("XLATE_SEED");

    (void)state;
    srandom(seed ? (unsigned)atoi(seed) : 1);
    for (int round = 0; round < 60; round++) {
        struct fx fx;
        struct ofproto *br0;

        fx_init(&fx);
        br0 = fx_bridge(&fx, "br0");
        for (odp_port_t i = 1; i <= 4; i++) {
            static const struct ofproto_bundle_cfg access = {.vlan_mode = OFPROTO_VLAN_ACCESS,
                                                             .tag = 1};
            char name[8];

            snprintf(name, sizeof name, "p%u", i);
            fx_port(&fx, br0, name, i, NULL, pick(3) ? NULL : &access);
        }
        for (uint32_t i = 0, n = 1 + pick(40); i < n; i++) {
            random_rule(br0);
        }
        for (uint32_t i = 0; i < 4; i++) {
            const struct mac_source src = {.mac = {{0, 0, 0, 0, 0, (uint8_t)i}},
                                           .vlan = (uint16_t)pick(3),
                                           .bundle_id =
                                               view_port(ofproto_view(br0), 1 + i)->bundle->id};

            mac_table_learn(ofproto_view(br0)->mac_table, &src);
        }
        for (int i = 0; i < 200; i++) {
            check_property(&fx);
        }
        fx_fini(&fx);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resubmits_are_limited),
        cmocka_unit_test(patch_ports_join_bridges_and_loops_end),
        cmocka_unit_test(packets_are_credited),
        cmocka_unit_test(equal_results_of_a_batch_are_one),
        cmocka_unit_test(a_share_is_bounded),
        cmocka_unit_test(only_what_a_change_can_affect),
        cmocka_unit_test(a_moved_mac_affects_who_sends_to_it),
        cmocka_unit_test(packets_of_a_megaflow_are_alike),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
