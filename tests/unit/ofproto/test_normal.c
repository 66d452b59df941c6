// SPDX-License-Identifier: Apache-2.0
/*
 * test_normal.c - NORMAL: every VLAN mode to every other one, against a slow and obvious twin;
 * learning, reserved addresses, protected ports, ports that want no floods, mirrors.
 */
#include "xlate_fixture.h"

#include "base/bitmap.h"
#include "base/clock.h"
#include "ofproto/mac_table.h"

enum { N_PORTS = 9, NOT_SENT = -1, UNTAGGED = 0 };

static uint64_t vlans_10_20[64];

/* Tag, mode and trunks of the ports 1...N_PORTS. */
static const struct ofproto_bundle_cfg modes[N_PORTS] = {
    {.vlan_mode = OFPROTO_VLAN_TRUNK, .tag = -1},
    {.vlan_mode = OFPROTO_VLAN_ACCESS, .tag = 10},
    {.vlan_mode = OFPROTO_VLAN_ACCESS, .tag = 20},
    {.vlan_mode = OFPROTO_VLAN_TRUNK, .tag = -1, .trunks = vlans_10_20},
    {.vlan_mode = OFPROTO_VLAN_NATIVE_TAGGED, .tag = 10},
    {.vlan_mode = OFPROTO_VLAN_NATIVE_UNTAGGED, .tag = 10},
    {.vlan_mode = OFPROTO_VLAN_NATIVE_UNTAGGED, .tag = 30, .trunks = vlans_10_20},
    {.vlan_mode = OFPROTO_VLAN_ACCESS, .tag = 10, .priority_tags = OFPROTO_PRIO_TAGS_NONZERO},
    {.vlan_mode = OFPROTO_VLAN_DOT1Q_TUNNEL, .tag = 40},
};

static bool
twin_carries(const struct ofproto_bundle_cfg *c, int vlan)
{
    switch (c->vlan_mode) {
    case OFPROTO_VLAN_ACCESS:
    case OFPROTO_VLAN_DOT1Q_TUNNEL:
        return vlan == c->tag;
    case OFPROTO_VLAN_NATIVE_TAGGED:
    case OFPROTO_VLAN_NATIVE_UNTAGGED:
        if (vlan == 0 || vlan == c->tag) {
            return vlan != 0;
        }
        break;
    case OFPROTO_VLAN_TRUNK:
    default:
        break;
    }
    return !c->trunks || bitmap_is_set(c->trunks, (size_t)vlan);
}

/* The VLAN of a packet with 'vid' (0: no tag, or a priority tag), or NOT_SENT if it is refused. */
static int
twin_input(const struct ofproto_bundle_cfg *c, int vid)
{
    switch (c->vlan_mode) {
    case OFPROTO_VLAN_ACCESS:
        return vid ? NOT_SENT : c->tag;
    case OFPROTO_VLAN_DOT1Q_TUNNEL:
        return c->tag;
    case OFPROTO_VLAN_NATIVE_TAGGED:
    case OFPROTO_VLAN_NATIVE_UNTAGGED:
        if (!vid) {
            return c->tag;
        }
        break;
    case OFPROTO_VLAN_TRUNK:
    default:
        break;
    }
    return twin_carries(c, vid) ? vid : NOT_SENT;
}

/* The tags of a packet, outermost first; -1 ends. */
struct tags {
    int tci[4];
    int n;
};

static struct tags
twin_output(const struct ofproto_bundle_cfg *in, const struct ofproto_bundle_cfg *out, int vlan,
            struct tags t)
{
    bool tagged = out->vlan_mode == OFPROTO_VLAN_TRUNK ||
                  out->vlan_mode == OFPROTO_VLAN_NATIVE_TAGGED ||
                  (out->vlan_mode == OFPROTO_VLAN_NATIVE_UNTAGGED && vlan != out->tag);
    int pcp = 0;

    if (in->vlan_mode != OFPROTO_VLAN_DOT1Q_TUNNEL && t.n) {
        pcp = t.tci[0] & VLAN_PCP_MASK;
        t.n--;
        memmove(t.tci, t.tci + 1, sizeof t.tci - sizeof t.tci[0]);
    }
    if ((tagged && vlan) || (!tagged && pcp && out->priority_tags == OFPROTO_PRIO_TAGS_NONZERO)) {
        memmove(t.tci + 1, t.tci, sizeof t.tci - sizeof t.tci[0]);
        t.tci[0] = pcp | (tagged ? vlan : 0);
        t.n++;
    }
    return t;
}

/* What leaves on each port when 'out' is done to a packet with tags 't'. */
static void
run_actions(const struct xlate_out *out, struct tags t, struct tags sent[N_PORTS + 1],
            bool is_sent[N_PORTS + 1])
{
    DP_ACTION_FOREACH (a, out->actions.data, out->actions.size) {
        const void *p = a;

        if (a->type == DP_ACT_PUSH_VLAN) {
            const struct dp_act_push_vlan *v = p;

            memmove(t.tci + 1, t.tci, sizeof t.tci - sizeof t.tci[0]);
            t.tci[0] = ntohs(v->tci) & ~VLAN_CFI;
            t.n++;
        } else if (a->type == DP_ACT_POP_VLAN) {
            assert_true(t.n > 0);
            t.n--;
            memmove(t.tci, t.tci + 1, sizeof t.tci - sizeof t.tci[0]);
        } else if (a->type == DP_ACT_OUTPUT) {
            const struct dp_act_port *o = p;

            assert_in_range(o->port, 1, N_PORTS);
            assert_false(is_sent[o->port]);
            is_sent[o->port] = true;
            sent[o->port] = t;
        }
    }
}

static void
check(struct fx *fx, odp_port_t in, bool has_tag, uint16_t tci)
{
    struct flow flow = {.dl_type = htons(ETH_TYPE_IP),
                        .dl_src = {{0, 0, 0, 0, 0, (uint8_t)in}},
                        .dl_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};
    struct tags t = {.n = has_tag, .tci = {tci}};
    struct tags sent[N_PORTS + 1];
    bool is_sent[N_PORTS + 1] = {false};
    struct xlate_out out;
    int vlan = twin_input(&modes[in - 1], tci & VLAN_VID_MASK);

    if (has_tag) {
        flow_push_vlan(&flow, htons(ETH_TYPE_VLAN), htons(tci | VLAN_CFI));
    }
    fx_xlate(fx, in, &flow, false, &out);
    run_actions(&out, t, sent, is_sent);
    for (odp_port_t p = 1; p <= N_PORTS; p++) {
        const struct ofproto_bundle_cfg *c = &modes[p - 1];
        bool expected = p != in && vlan != NOT_SENT && twin_carries(c, vlan);

        if (is_sent[p] != expected) {
            fail_msg("in %u tag %d tci %#x: port %u: sent %d", in, has_tag, tci, p, is_sent[p]);
        }
        if (expected) {
            struct tags want = twin_output(&modes[in - 1], c, vlan, t);

            if (sent[p].n != want.n ||
                memcmp(sent[p].tci, want.tci, (size_t)want.n * sizeof want.tci[0])) {
                fail_msg("in %u tag %d tci %#x: port %u: %d tags, %#x; not %d tags, %#x", in,
                         has_tag, tci, p, sent[p].n, sent[p].tci[0], want.n, want.tci[0]);
            }
        }
    }
    xlate_out_fini(&out);
}

static struct ofproto *
normal_bridge(struct fx *fx)
{
    struct ofproto *p = fx_bridge(fx, "br0");
    struct ofpacts acts = {0};

    fx_output(&acts, OFPP_NORMAL);
    fx_flow_acts(p, 0, "", 1, &acts);
    return p;
}

static void
every_vlan_mode_to_every_other(void **state)
{
    static const uint16_t vids[] = {0, 1, 10, 20, 30, 40, 4095};
    struct fx fx;
    struct ofproto *p;

    (void)state;
    bitmap_set(vlans_10_20, 10);
    bitmap_set(vlans_10_20, 20);
    fx_init(&fx);
    p = normal_bridge(&fx);
    for (odp_port_t i = 1; i <= N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%u", i);
        fx_port(&fx, p, name, i, NULL, &modes[i - 1]);
    }
    for (odp_port_t in = 1; in <= N_PORTS; in++) {
        check(&fx, in, false, 0);
        for (size_t i = 0; i < ARRAY_SIZE(vids); i++) {
            check(&fx, in, true, vids[i]);
            check(&fx, in, true, (uint16_t)(vids[i] | 5 << VLAN_PCP_SHIFT));
        }
    }
    fx_fini(&fx);
}

static void
learns_and_forwards(void **state)
{
    struct fx fx;
    struct ofproto *p;

    (void)state;
    fx_init(&fx);
    p = normal_bridge(&fx);
    fx_port(&fx, p, "p1", 1, NULL, NULL);
    fx_port(&fx, p, "p2", 2, NULL, NULL);
    fx_port(&fx, p, "p3", 3, NULL, NULL);
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", true, "2,3");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01", true, "1");
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", true, "2");
    /* Another VLAN knows nothing of it. */
    fx_expect(&fx, 1, "dl_vlan=7,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02", true, "2,3");
    /* Back to where it came from: nowhere. */
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:09,dl_dst=00:00:00:00:00:02", true, "drop");
    /* Without side effects nothing is learned. */
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:03,dl_dst=00:00:00:00:00:01", false, "1");
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:03", true, "2,3");
    fx_expect(&fx, 1, "dl_dst=01:80:c2:00:00:00", false, "drop");
    fx_expect(&fx, 1, "dl_dst=01:80:c2:00:00:0f", false, "drop");
    fx_expect(&fx, 1, "dl_dst=01:80:c2:00:00:10", false, "2,3");
    fx_expect(&fx, 1, "dl_dst=01:00:0c:cc:cc:cc", false, "drop");
    fx_fini(&fx);
}

static void
what_a_credit_refreshes(void **state)
{
    struct fx fx;
    struct ofproto *p;
    struct flow flow = fx_flow_of("dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02");
    struct xlate_out out;
    struct mac_table *mt;

    (void)state;
    fx_init(&fx);
    p = normal_bridge(&fx);
    fx_port(&fx, p, "p1", 1, NULL, NULL);
    mt = ofproto_view(p)->mac_table;
    clock_stop();
    fx_xlate(&fx, 1, &flow, true, &out);
    clock_warp(200 * 1000);
    xlate_cache_credit(out.cache, 1, 100, clock_now_ms(), 0);
    clock_warp(200 * 1000);
    mac_table_expire(mt);
    struct mac_where where;
    assert_true(mac_table_lookup(mt, 0, flow.dl_src, &where));
    clock_warp(101 * 1000);
    mac_table_expire(mt);
    assert_false(mac_table_lookup(mt, 0, flow.dl_src, &where));
    xlate_out_fini(&out);
    fx_fini(&fx);
}

static void
protected_ports_and_no_flood(void **state)
{
    static const struct ofproto_bundle_cfg prot = {
        .vlan_mode = OFPROTO_VLAN_TRUNK, .tag = -1, .is_protected = true};
    struct fx fx;
    struct ofproto *p;

    (void)state;
    fx_init(&fx);
    p = normal_bridge(&fx);
    fx_port(&fx, p, "p1", 1, NULL, &prot);
    fx_port(&fx, p, "p2", 2, NULL, &prot);
    fx_port(&fx, p, "p3", 3, NULL, NULL);
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01", true, "3");
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:03", true, "1,2");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01", true, "drop");
    ofport_update_config(ofport_find(p, ofproto_port_by_name(p, "p1")), OFPORT_NO_FLOOD,
                         OFPORT_NO_FLOOD);
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:03", true, "2");
    fx_expect(&fx, 3, "dl_src=00:00:00:00:00:03,dl_dst=00:00:00:00:00:01", true, "1");
    fx_fini(&fx);
}

static void
mirrors_copy_once(void **state)
{
    static const char *const p1[] = {"p1"};
    struct ofproto_mirror_cfg m = {.id = "m",
                                   .select_src = p1,
                                   .n_src = 1,
                                   .select_dst = p1,
                                   .n_dst = 1,
                                   .output_port = "p4",
                                   .output_vlan = -1};
    struct fx fx;
    struct ofproto *p;
    uint64_t packets, bytes;

    (void)state;
    fx_init(&fx);
    p = normal_bridge(&fx);
    for (odp_port_t i = 1; i <= 4; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%u", i);
        fx_port(&fx, p, name, i, NULL, NULL);
    }
    ofproto_mirrors_set(p, &m, 1);
    ofproto_commit(p);
    /* What comes in on p1 goes to p4 first; floods leave p4 out. */
    fx_expect(&fx, 1, "dl_src=00:00:00:00:00:01", true, "4,2,3");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01", true, "4,1");
    fx_expect(&fx, 2, "dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:03", true, "4,1,3");
    fx_expect(&fx, 4, "dl_src=00:00:00:00:00:04", true, "drop");
    ofproto_mirror_get_stats(p, "m", &packets, &bytes);
    assert_int_equal(packets, 3);
    assert_int_equal(bytes, 300);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vlan_mode_to_every_other),
        cmocka_unit_test(learns_and_forwards),
        cmocka_unit_test(what_a_credit_refreshes),
        cmocka_unit_test(protected_ports_and_no_flood),
        cmocka_unit_test(mirrors_copy_once),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
