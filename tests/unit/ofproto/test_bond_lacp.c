// SPDX-License-Identifier: Apache-2.0
/*
 * Bonds with LACP in a bridge: what comes in while a link waits for bond_updelay, who is taught
 * where our hosts are, what PDUs cost, and how packets find the member of their bucket.
 */
#include "../unit.h"

#include "base/clock.h"
#include "netdev/netdev_provider.h"
#include "ofproto/bond.h"
#include "ofproto/frozen.h"
#include "ofproto/mac_table.h"
#include "xlate_fixture.h"

static const struct rte_ether_addr sys_a = {{2, 0, 0, 0, 0, 0xa}}, sys_b = {{2, 0, 0, 0, 0, 0xb}};

static unsigned n_lessons;
static ofp_port_t lesson_port;

static void
packet_out(void *aux, struct ofproto *p, const struct ofproto_packet_out *out)
{
    static const uint8_t rarp[] = {0x80, 0x35};
    const struct ofpact_output *o = (const void *)out->acts;

    (void)aux;
    (void)p;
    if (out->len >= 14 && !memcmp((const uint8_t *)out->data + 12, rarp, sizeof rarp)) {
        n_lessons++;
        lesson_port = o->port;
    }
}

static struct ofproto *
bond_bridge(struct fx *fx, struct ofproto_bond_cfg bond, bool with_lacp)
{
    static const struct ofproto_hooks hooks = {.packet_out = packet_out};
    const struct lacp_cfg lacp = {
        .active = true, .fallback_ab = bond.lacp_fallback_ab, .sys_priority = 9, .sys_id = sys_a};
    const struct lacp_member_cfg members[] = {{.port_id = 1, .port_priority = 1},
                                              {.port_id = 2, .port_priority = 1}};
    ofp_port_t ports[2];
    struct ofproto_bundle_cfg cfg = {
        .name = "bond0",
        .vlan_mode = OFPROTO_VLAN_TRUNK,
        .tag = -1,
        .members = ports,
        .n_members = 2,
        .bond = &bond,
        .lacp = with_lacp ? &lacp : NULL,
        .lacp_members = members,
    };
    struct ofpacts acts = {0};
    struct ofproto *p;

    clock_stop();
    n_lessons = 0;
    ofprotos_set_hooks(fx->all, &hooks, NULL);
    p = fx_bridge(fx, "br0");
    fx_output(&acts, OFPP_NORMAL);
    fx_flow_acts(p, 0, "", 0, &acts);
    ports[0] = fx_port(fx, p, "p1", 1, NULL, NULL);
    ports[1] = fx_port(fx, p, "p2", 2, NULL, NULL);
    fx_port(fx, p, "guest", 3, NULL, NULL);
    ofproto_bundle_set(p, &cfg);
    bonds_run(fx->all);
    return p;
}

static void
hear(struct fx *fx, struct ofproto *p, ofp_port_t port, uint16_t priority, uint8_t state)
{
    const struct lacp_pdu pdu = {.actor = {1, sys_b, 7, priority, port, state}};
    uint8_t bytes[LACP_PDU_SIZE];

    lacp_pdu_encode(&pdu, bytes);
    bundle_lacp_receive(p, port, bytes, sizeof bytes);
    bonds_run(fx->all);
}

static struct bond *
bond_of(struct ofproto *p)
{
    struct ofbundle *b = p->bundles;

    while (b && !b->state) {
        b = b->next;
    }
    assert_non_null(b);
    return b->state;
}

/* The partner sends from the moment on when it hears that we are in sync. */
static void
a_link_that_waits_collects(void **state)
{
    struct fx fx;
    struct ofproto *p;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP, .up_delay_ms = 5000}, true);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    hear(&fx, p, 2, 1, LACP_STATE_SYNC);
    assert_int_equal(bond_of(p)->members[0].enabled + bond_of(p)->members[1].enabled, 1);
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", false, "3");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", false, "3");
    hear(&fx, p, 2, 1, 0); /* no more: it must not come in by there */
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", false, "3");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", false, "drop");
    fx_fini(&fx);
}

/* A partner that says something else each time, nothing of which concerns the view. */
static void
chatter_costs_no_view(void **state)
{
    const struct ofproto_view *view;
    struct fx fx;
    struct ofproto *p;
    uint64_t seq;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP}, true);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    hear(&fx, p, 2, 1, LACP_STATE_SYNC);
    view = ofproto_view(p);
    seq = ofprotos_bond_seq(fx.all);
    for (uint16_t i = 0; i < 100; i++) {
        hear(&fx, p, 1, i & 3, LACP_STATE_SYNC | (i & 1 ? LACP_STATE_COLLECTING : 0));
    }
    assert_ptr_equal(ofproto_view(p), view);
    assert_int_equal(ofprotos_bond_seq(fx.all), seq);
    hear(&fx, p, 1, 1, 0);
    assert_ptr_not_equal(ofproto_view(p), view);
    assert_int_not_equal(ofprotos_bond_seq(fx.all), seq);
    fx_fini(&fx);
}

static struct ofbundle *
bundle_of(struct ofproto *p, const char *name)
{
    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

static unsigned n_asked;
static uint64_t resets;

static void
ask(const struct netdev *netdev, struct netdev_link *link)
{
    n_asked++;
    link->carrier = true;
    link->resets = resets;
}

/* A device may be slow to say whether it has a link: it is asked when it has news, by no frame. */
static void
chatter_asks_no_device(void **state)
{
    const struct netdev_class *class;
    struct netdev_class asked;
    struct netdev *netdev;
    struct lacp *lacp;
    struct fx fx;
    struct ofproto *p;

    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP}, true);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    lacp = bundle_of(p, "bond0")->lacp;
    netdev = ofport_find(p, 1)->netdev;
    class = netdev->class;
    asked = *class;
    asked.get_link = ask;
    netdev->class = &asked;
    n_asked = 0;
    resets = ofport_find(p, 1)->carrier_resets;
    for (uint16_t i = 0; i < 100; i++) {
        hear(&fx, p, 1 + i % 2, 1, LACP_STATE_SYNC);
    }
    assert_int_equal(n_asked, 0);
    assert_int_equal(lacp_member(lacp, 1)->status, LACP_MEMBER_CURRENT);
    resets += 2; /* gone, and there again */
    netdev_changed(netdev);
    bonds_run(fx.all);
    bonds_run(fx.all);
    assert_int_equal(n_asked, 1);
    assert_int_equal(lacp_member(lacp, 1)->status, LACP_MEMBER_EXPIRED);
    assert_int_equal(lacp_member(lacp, 2)->status, LACP_MEMBER_CURRENT);
    netdev->class = class;
    fx_fini(&fx);
}

/* A link that comes and goes hides no other bond's news, and nothing that a command does. */
static void
log_lines_have_a_rate_for_each_bond(void **state)
{
    struct ofproto_bond_cfg cfg = {OFPROTO_BOND_ACTIVE_BACKUP};
    ofp_port_t ports[2];
    const struct ofproto_bundle_cfg other = {.name = "bond1",
                                             .vlan_mode = OFPROTO_VLAN_TRUNK,
                                             .tag = -1,
                                             .members = ports,
                                             .n_members = 2,
                                             .bond = &cfg};
    struct ofbundle *b, *quiet;
    struct fx fx;
    struct ofproto *p;

    fx_init(&fx);
    p = bond_bridge(&fx, cfg, false);
    ports[0] = fx_port(&fx, p, "p4", 4, NULL, NULL);
    ports[1] = fx_port(&fx, p, "p5", 5, NULL, NULL);
    ofproto_bundle_set(p, &other);
    bonds_run(fx.all);
    b = bundle_of(p, "bond0");
    quiet = bundle_of(p, "bond1");
    for (int i = 0; i < 300; i++) {
        bond_set_enabled(p, b, &b->state->members[0], i % 2);
    }
    assert_true(b->state->events.n_dropped > 100);
    bond_set_enabled(p, quiet, &quiet->state->members[0], !quiet->state->members[0].enabled);
    assert_int_equal(quiet->state->events.n_dropped, 0);
    bond_log_all(b->state);
    bond_set_enabled(p, b, &b->state->members[0], !b->state->members[0].enabled);
    assert_int_equal(b->state->events.n_dropped, 0); /* They were told of. */
    fx_fini(&fx);
}

/* A flood on one link does not keep the other's partner out, and its own last word counts. */
static void
a_flood_is_the_ports_own(void **state)
{
    struct lacp_pdu pdu = {.actor = {1, sys_b, 7, 1, 1, 0}};
    uint8_t bytes[LACP_PDU_SIZE];
    struct lacp *lacp;
    struct fx fx;
    struct ofproto *p;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP}, true);
    lacp = p->bundles->lacp;
    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        lacp = b->lacp ? b->lacp : lacp;
    }
    for (int i = 1; i <= 5000; i++) {
        pdu.actor.state = i == 5000 ? LACP_STATE_SYNC : 0;
        lacp_pdu_encode(&pdu, bytes);
        ofproto_lacp_in(p, 1, bytes, sizeof bytes);
    }
    pdu.actor.port_id = 2;
    lacp_pdu_encode(&pdu, bytes);
    ofproto_lacp_in(p, 2, bytes, sizeof bytes);
    ofproto_lacp_in(p, 2, NULL, 0);
    handler_jobs_run(fx.all);
    bonds_run(fx.all);
    assert_int_equal(lacp_member(lacp, 1)->counts.rx, 8);
    assert_int_equal(lacp_member(lacp, 2)->counts.rx, 2);
    assert_int_equal(lacp_member(lacp, 2)->counts.rx_bad, 1);
    assert_true(lacp_may_enable(lacp, 1) && lacp_may_enable(lacp, 2));
    assert_int_equal(ofproto_lacp_current(p, 1), 1);
    assert_int_equal(ofproto_lacp_current(p, 3), -1);
    ofproto_lacp_in(p, 1, bytes, sizeof bytes); /* Still waits when the bridge goes. */
    fx_fini(&fx);
}

/* Who is taught that the guest is behind the other link now: all but a partner of LACP. */
static void
lessons_go_where_traffic_goes(void **state)
{
    static const struct {
        enum ofproto_bond_mode mode;
        bool lacp, fallback, partner, taught;
    } cases[] = {
        {OFPROTO_BOND_ACTIVE_BACKUP, false, false, false, true},
        {OFPROTO_BOND_SLB, false, false, false, true},
        {OFPROTO_BOND_TCP, false, false, false, false},
        {OFPROTO_BOND_ACTIVE_BACKUP, true, true, false, true},
        {OFPROTO_BOND_SLB, true, true, false, true},
        {OFPROTO_BOND_TCP, true, true, false, true},
        {OFPROTO_BOND_ACTIVE_BACKUP, true, true, true, false},
        {OFPROTO_BOND_SLB, true, false, true, false},
        {OFPROTO_BOND_TCP, true, false, true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fx fx;
        struct ofproto *p;
        struct bond *bond;

        fx_init(&fx);
        p = bond_bridge(
            &fx,
            (struct ofproto_bond_cfg){.mode = cases[i].mode, .lacp_fallback_ab = cases[i].fallback},
            cases[i].lacp);
        if (cases[i].partner) {
            hear(&fx, p, 1, 1, LACP_STATE_SYNC);
            hear(&fx, p, 2, 1, LACP_STATE_SYNC);
        } else {
            clock_warp(4000); /* Nobody there. */
            bonds_run(fx.all);
        }
        for (int mac = 1; mac <= 8; mac++) { /* of several buckets */
            char flow[80];

            snprintf(flow, sizeof flow, "dl_src=00:00:00:00:01:%02d,dl_dst=ff:ff:ff:ff:ff:ff", mac);
            free(fx_actions(&fx, 3, flow, true));
        }
        bond = bond_of(p);
        assert_true(bond->active >= 0);
        n_lessons = 0;
        bond->teach = true;
        bonds_run(fx.all);
        assert_int_equal(n_lessons, cases[i].taught ? 8 : 0);
        if (cases[i].lacp && cases[i].taught) {
            assert_int_equal(lesson_port, bond->members[bond->active].port);
        }
        fx_fini(&fx);
    }
}

static uint64_t
carried(struct fx *fx, struct ofproto *p)
{
    uint64_t sum = 0;

    (void)fx;
    for (int i = 0; i < BOND_BUCKETS; i++) {
        sum += bond_load(bond_of(p), i);
    }
    return sum;
}

/* Actions and mask of the first pass are the same for all connections; each bucket has its member,
 * also for what comes by a patch port from another bridge, and its load counts once. */
static void
the_datapath_hashes(void **state)
{
    static const char conn[] =
        "dl_type=0x800,nw_proto=6,dl_src=00:00:00:00:00:01,tp_src=%d,tp_dst=80";
    struct ofpacts acts = {0};
    char first[64];
    uint32_t id;
    struct fx fx;
    struct ofproto *p, *other;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP, .hash_basis = 7}, true);
    other = fx_bridge(&fx, "br1");
    fx_output(&acts, OFPP_NORMAL);
    fx_flow_acts(other, 0, "", 0, &acts);
    fx_port(&fx, p, "to1", ODPP_NONE, "to0", NULL);
    fx_port(&fx, other, "to0", ODPP_NONE, "to1", NULL);
    fx_port(&fx, other, "far", 4, NULL, NULL);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    hear(&fx, p, 2, 1, LACP_STATE_SYNC);
    id = bond_recirc_id(bond_of(p));
    assert_int_not_equal(id, 0);
    for (int port = 1000; port < 1020; port++) {
        char text[128];
        struct flow flow;
        struct xlate_out out;

        snprintf(text, sizeof text, conn, port);
        flow = fx_flow_of(text);
        fx_xlate(&fx, 4, &flow, false, &out);
        assert_int_equal(out.mask.bits.tp_src | out.mask.bits.nw_src | out.mask.bits.nw_proto, 0);
        xlate_out_fini(&out);
        snprintf(first, sizeof first, "3,hash(l4(7)),recirc(0x%x)", id);
        fx_expect(&fx, 4, text, true, first);
    }
    assert_int_equal(carried(&fx, p), 0); /* The first pass does not know. */
    for (unsigned i = 0; i < BOND_BUCKETS; i++) {
        const struct bond *bond = bond_of(p);
        char text[128], expected[8];

        snprintf(text, sizeof text, "recirc_id=0x%x,dp_hash=0x%x,dl_src=00:00:00:00:00:01", id,
                 0xabcd00 | i);
        snprintf(expected, sizeof expected, "%u", bond->members[bond->bucket[i]].port);
        fx_expect(&fx, 4, text, true, expected);
        assert_int_equal(bond_load(bond, (int)i), 100);
    }
    assert_int_equal(carried(&fx, p), 100 * BOND_BUCKETS);
    fx_fini(&fx);
}

/* A mirror has a packet of the bond once, and in the first pass. */
static void
mirrors_have_it_once(void **state)
{
    static const char *const dst[] = {"bond0"};
    const struct ofproto_mirror_cfg m = {
        .id = "m", .select_dst = dst, .n_dst = 1, .output_port = "spy", .output_vlan = -1};
    char text[64];
    uint32_t id;
    struct fx fx;
    struct ofproto *p;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP}, true);
    fx_port(&fx, p, "spy", 5, NULL, NULL);
    ofproto_mirrors_set(p, &m, 1);
    ofproto_commit(p);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    id = bond_recirc_id(bond_of(p));
    snprintf(text, sizeof text, "5,hash(l4(0)),recirc(0x%x)", id);
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", false, text);
    snprintf(text, sizeof text, "recirc_id=0x%x,dp_hash=1", id);
    fx_expect(&fx, 3, text, false, "1");
    fx_fini(&fx);
}

/* Without room for a state the translation hashes; what comes back to a bond that is gone, or is
 * none any more, goes nowhere. */
static void
without_the_datapath(void **state)
{
    static const char flow[] = "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02";
    char back[64], *got;
    struct fx fx;
    struct ofproto *p;
    struct bond *bond;

    (void)state;
    fx_init(&fx);
    p = bond_bridge(&fx, (struct ofproto_bond_cfg){OFPROTO_BOND_TCP}, true);
    hear(&fx, p, 1, 1, LACP_STATE_SYNC);
    bond = bond_of(p);
    snprintf(back, sizeof back, "recirc_id=0x%x,dp_hash=1", bond_recirc_id(bond));
    frozen_unref(bond->recirc);
    bond->recirc = NULL;
    ofproto_view_changed(p);
    ofproto_commit(p);
    fx_expect(&fx, 3, flow, false, "1");
    bonds_run(fx.all); /* There is room. */
    got = fx_actions(&fx, 3, flow, false);
    assert_non_null(strstr(got, "recirc("));
    free(got);
    ofproto_bundle_del(p, "bond0");
    ofproto_commit(p);
    fx_expect(&fx, 3, back, false, "drop");
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_waits_collects),
        cmocka_unit_test(chatter_costs_no_view),
        cmocka_unit_test(lessons_go_where_traffic_goes),
        cmocka_unit_test(a_flood_is_the_ports_own),
        cmocka_unit_test(the_datapath_hashes),
        cmocka_unit_test(mirrors_have_it_once),
        cmocka_unit_test(without_the_datapath),
        cmocka_unit_test(chatter_asks_no_device),
        cmocka_unit_test(log_lines_have_a_rate_for_each_bond),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
