// SPDX-License-Identifier: Apache-2.0
/*
 * flow/commit.c together with packet/: the actions that flow_commit() emits, run on the packet of
 * the base flow, give a packet whose flow is the wanted one, with right checksums; and every packet
 * that the mask lets into the same megaflow comes out as OpenFlow asks, too.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/util.h"
#include "flow/compose.h"
#include "flow/dp_action.h"
#include "flow/text.h"
#include "packet/csum.h"
#include "twin_extract.h"

#define HEADROOM 128
#define CAP 2048

/* What translation may do to a packet: a list of writes of values to fields, chosen at random. */
struct change {
    bool eth_src, eth_dst, nw_src, nw_dst, tos, ttl, tp_src, tp_dst, vlan, nd, arp, mark, mpls;
    int vlan_op; /* 0 none, 1 push, 2 pop, 3 set vid */
    struct flow values;
};

static bool
half(struct frame_gen *g)
{
    return frame_gen_below(g, 2);
}

static void
gen_change(struct frame_gen *g, struct change *c)
{
    memset(c, 0, sizeof *c);
    c->eth_src = half(g);
    c->eth_dst = half(g);
    c->nw_src = half(g);
    c->nw_dst = half(g);
    c->tos = half(g);
    c->ttl = half(g);
    c->tp_src = half(g);
    c->tp_dst = half(g);
    c->nd = half(g);
    c->arp = half(g);
    c->mark = half(g);
    c->mpls = half(g);
    c->vlan_op = (int)frame_gen_below(g, 4);
    for (int i = 0; i < FLOW_KEY_WORDS; i++) {
        c->values.w[i] = frame_gen_u64(g);
    }
}

#define WRITE(F, W, C, MEMBER)                                        \
    do {                                                              \
        memcpy(&(F)->MEMBER, &(C)->values.MEMBER, sizeof(F)->MEMBER); \
        FLOW_MASK_SET(W, MEMBER);                                     \
    } while (0)

static void
change_ip(const struct change *c, struct flow *f, struct flow_mask *w)
{
    bool v6 = flow_dl_type_is(f, ETH_TYPE_IPV6);
    if (c->nw_src && v6) {
        WRITE(f, w, c, ipv6_src);
    } else if (c->nw_src) {
        WRITE(f, w, c, nw_src);
    }
    if (c->nw_dst && v6) {
        WRITE(f, w, c, ipv6_dst);
    } else if (c->nw_dst) {
        WRITE(f, w, c, nw_dst);
    }
    if (c->tos) {
        WRITE(f, w, c, nw_tos);
    }
    if (c->ttl) {
        WRITE(f, w, c, nw_ttl);
    }
    FLOW_MASK_SET(w, nw_proto);
    FLOW_MASK_SET(w, nw_frag);
    bool ports = flow_has_l4(f, IP_PROTO_TCP) || flow_has_l4(f, IP_PROTO_UDP) ||
                 flow_has_l4(f, IP_PROTO_SCTP);
    if (ports && c->tp_src) {
        WRITE(f, w, c, tp_src);
    }
    if (ports && c->tp_dst) {
        WRITE(f, w, c, tp_dst);
    }
    FLOW_MASK_SET(w, tp_src);
    FLOW_MASK_SET(w, tp_dst);
    if (c->nd && flow_is_nd(f)) {
        WRITE(f, w, c, nd_target);
    }
}

/* Changes 'f', marking in 'w' what an OpenFlow pipeline consults: what it writes and what it asks.
 */
static void
apply_change(const struct change *c, struct flow *f, struct flow_mask *w)
{
    FLOW_MASK_SET(w, in_port);
    FLOW_MASK_SET(w, dl_type);
    FLOW_MASK_SET(w, vlans);
    if (c->eth_src) {
        WRITE(f, w, c, dl_src);
    }
    if (c->eth_dst) {
        WRITE(f, w, c, dl_dst);
    }
    if (flow_is_ip(f)) {
        change_ip(c, f, w);
    } else if (flow_is_arp(f) && c->arp) {
        WRITE(f, w, c, nw_src);
        WRITE(f, w, c, arp_tha);
        WRITE(f, w, c, nw_proto);
    }
    if (c->vlan_op == 1 && flow_n_vlans(f) < FLOW_MAX_VLANS) {
        flow_push_vlan(f, RTE_BE16(ETH_TYPE_VLAN), c->values.vlans[0].tci);
    } else if (c->vlan_op == 2) {
        flow_pop_vlan(f);
    } else if (c->vlan_op == 3 && flow_n_vlans(f)) {
        f->vlans[0].tci = c->values.vlans[0].tci | RTE_BE16(VLAN_CFI);
    }
}

/* An executor of the few actions that this test makes. */
static void
execute(const struct dp_actions *acts, struct rte_mbuf *m, struct packet_layers *ly,
        struct packet_md *md)
{
#define RUN(ACT, CALL)                               \
    do {                                             \
        const struct ACT *s = (const struct ACT *)a; \
        assert_int_equal(CALL, 0);                   \
    } while (0)

    DP_ACTION_FOREACH (a, acts->data, acts->size) {
        switch (a->type) {
        case DP_ACT_SET_ETH:
            RUN(dp_act_set_eth, packet_set_eth(m, &s->value, &s->mask));
            break;
        case DP_ACT_SET_IPV4:
            RUN(dp_act_set_ipv4, packet_set_ipv4(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_IPV6:
            RUN(dp_act_set_ipv6, packet_set_ipv6(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_TCP:
            RUN(dp_act_set_tp, packet_set_tcp(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_UDP:
            RUN(dp_act_set_tp, packet_set_udp(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_SCTP:
            RUN(dp_act_set_tp, packet_set_sctp(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_ARP:
            RUN(dp_act_set_arp, packet_set_arp(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_SET_ND:
            RUN(dp_act_set_nd, packet_set_nd(m, ly, &s->value, &s->mask));
            break;
        case DP_ACT_PUSH_VLAN:
            RUN(dp_act_push_vlan, packet_push_vlan(m, ly, s->tpid, s->tci));
            break;
        case DP_ACT_POP_VLAN:
            assert_int_equal(packet_pop_vlan(m, ly), 0);
            break;
        case DP_ACT_SET_MPLS:
            RUN(dp_act_set_mpls, packet_set_mpls(m, ly, s->value, s->mask));
            break;
        case DP_ACT_PUSH_MPLS:
            RUN(dp_act_push_mpls, packet_push_mpls(m, ly, s->ethertype, s->lse));
            break;
        case DP_ACT_POP_MPLS:
            RUN(dp_act_pop_mpls, packet_pop_mpls(m, ly, s->ethertype));
            break;
        case DP_ACT_SET_MARK:
            md->pkt_mark = (md->pkt_mark & ~((const struct dp_act_set_u32 *)a)->mask) |
                           ((const struct dp_act_set_u32 *)a)->value;
            break;
        default:
            fail();
        }
    }
#undef RUN
}

struct frame {
    uint8_t buf[HEADROOM + CAP];
    struct rte_mbuf m;
};

static void
frame_init(struct frame *fr, const struct flow *f)
{
    uint32_t size = flow_compose(f, fr->buf + HEADROOM, CAP, 20);
    assert_true(size);
    frame_mbuf(&fr->m, fr->buf, size);
    fr->m.data_off = HEADROOM;
    fr->m.buf_len = sizeof fr->buf;
}

static void
explain(const struct flow *base, const struct flow *want, const struct flow *got,
        const struct dp_actions *acts)
{
    struct text t = {0};
    dp_actions_format(acts->data, acts->size, NULL, &t);
    print_error("actions %s\n", text_cstr(&t));
    for (int i = 0; i < FLOW_WORDS; i++) {
        if (want->w[i] != got->w[i]) {
            print_error("word %d: base %016llx want %016llx got %016llx\n", i,
                        (unsigned long long)base->w[i], (unsigned long long)want->w[i],
                        (unsigned long long)got->w[i]);
        }
    }
    text_fini(&t);
    fail();
}

/* Runs the actions on the packet of 'start' and compares with 'want'. */
static void
check_actions(const struct flow *start, const struct flow *want, const struct dp_actions *acts)
{
    struct frame fr;
    struct packet_layers ly;
    struct packet_md md = {.in_port = start->in_port};
    struct flow got;
    frame_init(&fr, start);
    assert_int_equal(flow_extract(&fr.m, &md, &got, &ly), EXTRACT_OK);
    execute(acts, &fr.m, &ly, &md);
    assert_int_equal(flow_extract(&fr.m, &md, &got, &ly), EXTRACT_OK);
    if (!flow_equal(&got, want)) {
        explain(start, want, &got, acts);
    }
    assert_int_not_equal(packet_verify_l3_csum(&fr.m, &ly), CSUM_BAD);
    assert_int_not_equal(packet_verify_l4_csum(&fr.m, &ly), CSUM_BAD);
}

static void
test_random_changes(void **state)
{
    struct frame_gen g = {2024};
    int n_others = 0;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct flow start;
        struct change c;
        struct flow_mask mask = {0};
        struct dp_actions acts = {0};
        frame_gen_flow(&g, &start);
        gen_change(&g, &c);
        struct flow want = start;
        apply_change(&c, &want, &mask);
        struct flow base = start;
        assert_int_equal(flow_commit(&base, &want, &acts, &mask, true), 0);
        assert_true(flow_equal(&base, &want));
        check_actions(&start, &want, &acts);
        /* Committing again changes nothing. */
        uint32_t size = acts.size;
        flow_commit(&base, &want, &acts, &mask, true);
        assert_int_equal(acts.size, size);

        /* Another packet of the same megaflow: random where the mask is zero, the same shape. */
        struct flow other;
        frame_gen_flow(&g, &other);
        for (int w = 0; w < FLOW_WORDS; w++) {
            other.w[w] = (start.w[w] & mask.bits.w[w]) | (other.w[w] & ~mask.bits.w[w]);
        }
        struct frame fr;
        struct packet_md md = {.in_port = other.in_port};
        struct packet_layers ly;
        frame_init(&fr, &other);
        assert_int_equal(flow_extract(&fr.m, &md, &other, &ly), EXTRACT_OK);
        if (flow_equal_masked(&other, &start, &mask)) {
            struct flow other_want = other;
            struct flow_mask ignored = {0};
            apply_change(&c, &other_want, &ignored);
            check_actions(&other, &other_want, &acts);
            n_others++;
        }
        dp_actions_fini(&acts);
    }
    assert_true(n_others > 10000);
}

static void
test_mpls(void **state)
{
    struct frame_gen g = {5};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct flow start;
        struct flow_mask mask = {0};
        struct dp_actions acts = {0};
        frame_gen_flow(&g, &start);
        struct flow want = start;
        int n = flow_n_mpls(&start, NULL);
        bool pushed = n < FLOW_MAX_MPLS && half(&g);
        if (pushed) {
            assert_true(flow_push_mpls(&want, RTE_BE16(ETH_TYPE_MPLS), &mask));
            want.mpls_lse[0] ^= RTE_BE32(0x12345000);
        } else if (n > 1) {
            assert_true(flow_pop_mpls(&want, RTE_BE16(ETH_TYPE_MPLS), &mask));
        } else if (n) {
            want.mpls_lse[0] ^= RTE_BE32(0x00001a07);
        }
        struct flow base = start;
        flow_commit(&base, &want, &acts, &mask, true);
        check_actions(&start, &want, &acts);
        dp_actions_fini(&acts);
    }
}

/* A megaflow that is translated anew has zeros where it does not match: that is no reason to write
 * nothing.  A stack that was pushed and popped is one, and only the caller knows. */
static void
test_l3_known_or_not(void **state)
{
    struct flow base = {.dl_type = RTE_BE16(ETH_TYPE_IP)}, f = base;
    struct flow_mask mask = {0};
    struct dp_actions acts = {0};
    struct text t = {0};
    (void)state;
    f.nw_tos = 8;
    flow_commit(&base, &f, &acts, &mask, true);
    dp_actions_format(acts.data, acts.size, NULL, &t);
    assert_string_equal(text_cstr(&t), "set(ipv4(tos=0x8/0x8))");
    f.nw_tos = 0;
    acts.size = 0;
    flow_commit(&base, &f, &acts, &mask, false);
    assert_int_equal(acts.size, 0);
    text_fini(&t);
    dp_actions_fini(&acts);
}

/* A write of the value that is there already emits nothing, and an unchanged flow emits nothing. */
static void
test_nothing_to_do(void **state)
{
    struct flow f = {.dl_type = RTE_BE16(ETH_TYPE_IP), .nw_proto = 6, .tp_dst = RTE_BE16(80)};
    struct flow base = f;
    struct flow_mask mask = {0};
    struct dp_actions acts = {0};
    (void)state;
    flow_commit(&base, &f, &acts, &mask, true);
    assert_int_equal(acts.size, 0);
    assert_true(flow_mask_is_any(&mask));
    dp_actions_fini(&acts);
}

/* The text of typical rewrites, as a genuine megaflow has them. */
static void
test_text(void **state)
{
    struct flow base = {.dl_type = RTE_BE16(ETH_TYPE_IP),
                        .nw_proto = 17,
                        .nw_ttl = 64,
                        .nw_dst = RTE_BE32(0x0a000001),
                        .tp_dst = RTE_BE16(53)};
    struct flow f = base;
    struct flow_mask mask = {0};
    struct dp_actions acts = {0};
    struct text t = {0};
    (void)state;
    FLOW_MASK_SET(&mask, dl_src);
    FLOW_MASK_SET(&mask, nw_ttl);
    FLOW_MASK_SET(&mask, tp_dst);
    mask.bits.nw_dst = RTE_BE32(0xff);
    f.dl_src.addr_bytes[5] = 1;
    f.nw_ttl = 63;
    f.nw_dst = RTE_BE32(0x0a000009);
    f.tp_dst = RTE_BE16(5353);
    f.pkt_mark = 7;
    flow_push_vlan(&f, RTE_BE16(ETH_TYPE_VLAN), RTE_BE16(100));
    flow_commit(&base, &f, &acts, &mask, true);
    dp_actions_format(acts.data, acts.size, NULL, &t);
    assert_string_equal(text_cstr(&t),
                        "set(eth(src=00:00:00:00:00:01)),set(ipv4(dst=0.0.0.9/0.0.0.255,ttl=63)),"
                        "set(udp(dst=5353)),push_vlan(vid=100,pcp=0),set(skb_mark(0x7/0x7))");
    assert_int_equal(mask.bits.nw_proto, 0xff);
    assert_int_equal(mask.bits.dl_type, 0xffff);
    text_fini(&t);
    dp_actions_fini(&acts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_mpls),
        cmocka_unit_test(test_l3_known_or_not),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
