// SPDX-License-Identifier: Apache-2.0
/*
 * test_xlate_mask.c - the property that makes megaflows right: packets that agree in the mask get
 * the same actions, whatever the rules are, and whatever came before them in a batch.
 */
#include "xlate_fixture.h"

#include "ofproto/mac_table.h"

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
                                        MF_METADATA, MF_ETH_SRC, MF_ETH_DST,
                                        MF_IP_DSCP,  MF_IP_ECN,  MF_IP_TTL};

    value[pick(4)] = (uint8_t)pick(3);
    ofpacts_put_set_field(acts, fields[pick(ARRAY_SIZE(fields))], value, NULL);
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

/* Something for registers, and on to a later table: most of a pipeline is such rules. */
static void
random_link(struct ofpacts *acts, uint8_t table_id)
{
    uint8_t value[16] = {0};

    value[0] = (uint8_t)pick(3);
    if (pick(2)) {
        ofpacts_put_set_field(acts, pick(2) ? MF_REG0 : MF_METADATA, value, NULL);
    }
    if (!pick(3)) {
        random_move(acts);
    }
    fx_resubmit(acts, (uint8_t)(table_id + 1 + pick(2)));
    if (!pick(5)) {
        fx_output(acts, (uint16_t)(1 + pick(4)));
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
    if (table_id < 5 && !pick(3)) {
        random_link(&acts, table_id);
    } else {
        random_actions(&acts, table_id);
    }
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
expect_equal(const struct flow *a, const struct xlate_out *out_a, const struct flow *b,
             const struct xlate_out *out_b)
{
    struct text t = {0};

    if (out_a->actions.size == out_b->actions.size &&
        !memcmp(out_a->actions.data, out_b->actions.data, out_a->actions.size)) {
        return;
    }
    text_put(&t, "\n");
    flow_format(a, NULL, &t);
    text_put(&t, "\n");
    dp_actions_format(out_a->actions.data, out_a->actions.size, NULL, &t);
    text_put(&t, "\n");
    flow_format(b, NULL, &t);
    text_put(&t, "\n");
    dp_actions_format(out_b->actions.data, out_b->actions.size, NULL, &t);
    fail_msg("%s", text_cstr(&t));
}

/* In a batch: what tables answered to the packets before may be used for this one. */
static void
xlate_in_batch(struct fx *fx, odp_port_t port, struct flow *flow, struct xlate_share *share,
               struct xlate_out *out)
{
    const struct xlate_in in = {
        .ofprotos = fx->all, .flow = flow, .want_cache = true, .share = share};
    struct xlate_out alone;

    fx_xlate(fx, port, flow, false, &alone);
    xlate(&in, out);
    expect_equal(flow, &alone, flow, out);
    xlate_out_fini(&alone);
}

/* 'share' is NULL for a packet that is no batch's. */
static void
check_property(struct fx *fx, struct xlate_share *share)
{
    static const uint16_t types[] = {ETH_TYPE_IP, ETH_TYPE_IP, ETH_TYPE_ARP, 0x1234};
    uint16_t dl_type = types[pick(4)];
    odp_port_t port = 1 + pick(4);
    struct flow a, b, mixed;
    struct xlate_out out_a, out_b;

    random_flow(&a, dl_type);
    if (share) {
        xlate_in_batch(fx, port, &a, share, &out_a);
    } else {
        fx_xlate(fx, port, &a, false, &out_a);
    }
    for (int i = 0; i < 8; i++) {
        random_flow(&b, dl_type);
        if (!i) {
            memset(&b, 0,
                   sizeof b); /* what revalidators know of a megaflow: the bits that it matches */
        }
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
        if (share && i) {
            xlate_in_batch(fx, port, &mixed, share, &out_b);
        } else {
            fx_xlate(fx, port, &mixed, false, &out_b);
        }
        expect_equal(&a, &out_a, &mixed, &out_b);
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
            check_property(&fx, NULL);
        }
        for (int i = 0; i < 5; i++) {
            struct xlate_share share;

            xlate_share_init(&share);
            for (int j = 0; j < 40; j++) {
                check_property(&fx, &share);
            }
            xlate_share_fini(&share);
        }
        fx_fini(&fx);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_a_megaflow_are_alike),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
