// SPDX-License-Identifier: Apache-2.0
/*
 * test_xlate_share.c - translation of a batch: results that packets share, and what is remembered
 * of tables meanwhile.
 */
#include "xlate_fixture.h"

#include "base/clock.h"

/* Translates a packet of 100 bytes in a batch. */
static void
xlate_shared_from(struct fx *fx, odp_port_t port, const char *text, struct xlate_share *share,
                  struct xlate_out *out)
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

    flow.in_port = port;
    xlate(&in, out);
}

static void
xlate_shared(struct fx *fx, const char *text, struct xlate_share *share, struct xlate_out *out)
{
    xlate_shared_from(fx, 1, text, share, out);
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
    struct ofproto *p = fx_start(&fx, 2);
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
    struct ofproto *p = fx_start(&fx, 2);
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

/* Translates in a batch; the actions must be these. */
static void
expect_in_batch_from(struct fx *fx, odp_port_t port, const char *text, struct xlate_share *share,
                     const char *expected)
{
    struct xlate_out out;
    struct text t = {0};

    xlate_shared_from(fx, port, text, share, &out);
    dp_actions_format(out.actions.data, out.actions.size, NULL, &t);
    assert_string_equal(text_cstr(&t), expected);
    text_fini(&t);
    xlate_out_fini(&out);
}

static void
expect_in_batch(struct fx *fx, const char *text, struct xlate_share *share, const char *expected)
{
    expect_in_batch_from(fx, 1, text, share, expected);
}

/* The answers of tables that a batch remembers are those of one version, one bridge, one table, and
 * of packets that agree in what was looked at. */
static void
a_batch_follows_its_tables(void **state)
{
    struct fx fx;
    struct xlate_share share;
    struct ofpacts acts = {0};

    (void)state;
    struct ofproto *p = fx_start(&fx, 4);
    rules_for_sharing(p);
    xlate_share_init(&share);
    expect_in_batch(&fx, "udp,nw_src=10.0.0.1,tp_src=1", &share, "2");
    assert_int_equal(__builtin_popcountll(share.seen_map), 2);
    expect_in_batch(&fx, "tcp,nw_src=10.0.0.1,tp_src=1", &share, "drop");
    expect_in_batch(&fx, "udp,nw_src=10.0.0.2,tp_src=1", &share, "2");

    /* A rule that comes counts from the next translation on. */
    fx_output(&acts, 3);
    fx_flow_acts(p, 1, "udp,nw_src=10.0.0.2", 3, &acts);
    expect_in_batch(&fx, "udp,nw_src=10.0.0.2,tp_src=1", &share, "3");
    expect_in_batch(&fx, "udp,nw_src=10.0.0.1,tp_src=1", &share, "2");

    /* A table whose packets differ is left alone, and answers all the same. */
    for (int i = 0; i < 40; i++) {
        bool second = i % 2;

        expect_in_batch(&fx, second ? "udp,nw_src=10.0.0.2" : "udp,nw_src=10.0.0.1", &share,
                        second ? "3" : "2");
    }

    /* A mask with more words than are compared. */
    fx_output(&acts, 4);
    fx_flow_acts(p, 1,
                 "udp,reg0=0,reg2=0,reg4=0,reg6=0,reg8=0,metadata=0,dl_src=00:00:00:00:00:00,"
                 "nw_src=10.0.0.3,tp_src=1",
                 9, &acts);
    for (int i = 0; i < 3; i++) {
        expect_in_batch(&fx, "udp,nw_src=10.0.0.3,tp_src=1", &share, "4");
        expect_in_batch(&fx, "udp,nw_src=10.0.0.3,tp_src=2", &share, "2");
    }
    xlate_share_fini(&share);
    fx_fini(&fx);
}

/* Tables 0 and 64 of a bridge are remembered in one place, and so is table 0 of whichever bridge a
 * packet comes to first, table 7 of that and table 0 of the second one that it comes to. */
static void
a_batch_tells_tables_apart(void **state)
{
    struct fx fx;
    struct xlate_share share;
    struct ofpacts acts = {0};

    (void)state;
    fx_init(&fx);
    struct ofproto *br0 = fx_bridge(&fx, "br0"), *br1 = fx_bridge(&fx, "br1");
    fx_port(&fx, br0, "p1", 1, NULL, NULL);
    fx_port(&fx, br0, "p2", 2, NULL, NULL);
    fx_port(&fx, br1, "p3", 3, NULL, NULL);
    ofp_port_t p4 = fx_port(&fx, br1, "p4", 4, NULL, NULL);
    fx_port(&fx, br0, "patch0", ODPP_NONE, "patch1", NULL);
    ofp_port_t patch1 = fx_port(&fx, br1, "patch1", ODPP_NONE, "patch0", NULL);
    fx_resubmit(&acts, XLATE_SEEN);
    fx_flow_acts(br0, 0, "", 1, &acts);
    fx_output(&acts, 2);
    fx_flow_acts(br0, XLATE_SEEN, "", 1, &acts);
    fx_resubmit(&acts, 7);
    fx_flow_acts(br1, 0, "", 1, &acts);
    fx_output(&acts, p4);
    fx_output(&acts, patch1);
    fx_flow_acts(br1, 7, "", 1, &acts);
    assert_int_equal(ofproto_version(br0), ofproto_version(br1)); /* It does not tell them apart. */

    xlate_share_init(&share);
    for (int i = 0; i < 3; i++) {
        expect_in_batch_from(&fx, 1, "udp", &share, "2");
        expect_in_batch_from(&fx, 3, "udp", &share, "4,2");
    }
    xlate_share_fini(&share);
    fx_fini(&fx);
}

/* Sets register 'reg' and goes on to 'table_id'. */
static void
link_flow(struct ofproto *p, uint8_t from, const char *match, uint16_t priority, enum mf_id reg,
          uint8_t value, uint8_t table_id)
{
    struct ofpacts acts = {0};
    uint8_t bytes[4] = {0, 0, 0, value};

    ofpacts_put_set_field(&acts, reg, bytes, NULL);
    fx_resubmit(&acts, table_id);
    fx_flow_acts(p, from, match, priority, &acts);
}

/* Five tables: what the second says about the sender decides in the fourth, what the third says
 * about ports is for nobody; 10.0.0.3 comes back from the third one and goes to port 4, too. */
static void
rules_of_a_chain(struct ofproto *p)
{
    struct ofpacts acts = {0};

    link_flow(p, 0, "udp", 1, MF_REG0, 7, 1);
    link_flow(p, 1, "udp,nw_src=10.0.0.1", 1, MF_REG1, 1, 2);
    link_flow(p, 1, "udp,nw_src=10.0.0.2", 1, MF_REG1, 2, 2);
    fx_resubmit(&acts, 2);
    fx_output(&acts, 4);
    fx_flow_acts(p, 1, "udp,nw_src=10.0.0.3", 1, &acts);
    fx_resubmit(&acts, 2);
    fx_flow_acts(p, 1, "udp,nw_src=10.0.0.5", 1, &acts);
    link_flow(p, 2, "udp", 1, MF_REG2, 1, 3);
    link_flow(p, 2, "udp,tp_dst=9", 2, MF_REG2, 2, 3);
    fx_output(&acts, 2);
    fx_flow_acts(p, 3, "reg0=7,reg1=1", 1, &acts);
    fx_output(&acts, 3);
    fx_flow_acts(p, 3, "reg0=7,reg1=2", 1, &acts);
}

static void
expect_as_alone(struct fx *fx, const char *text, const struct xlate_out *out)
{
    struct flow flow = fx_flow_of(text);
    struct xlate_out alone;

    fx_xlate(fx, 1, &flow, false, &alone);
    assert_int_equal(out->actions.size, alone.actions.size);
    assert_memory_equal(out->actions.data, alone.actions.data, alone.actions.size);
    assert_memory_equal(&out->mask, &alone.mask, sizeof alone.mask);
    xlate_out_fini(&alone);
}

static uint64_t
rule_packets(struct ofproto *p, uint8_t table_id, const char *text)
{
    struct flow flow = fx_flow_of(text);
    struct rule *rule = ofproto_lookup(p, ofproto_version(p), table_id, &flow, NULL);

    assert_non_null(rule);
    return atomic_load(&rule->stats->packets);
}

/* A packet that goes on where an earlier one was has what it would have had alone: actions, mask,
 * credits and what it depends on. */
static void
a_batch_goes_on_where_others_were(void **state)
{
    static const char *const packets[] = {
        "udp,nw_src=10.0.0.1,tp_dst=1", "udp,nw_src=10.0.0.1,tp_dst=9",
        "udp,nw_src=10.0.0.2,tp_dst=1", "udp,nw_src=10.0.0.3,tp_dst=1",
        "udp,nw_src=10.0.0.3,tp_dst=2", "udp,nw_src=10.0.0.1,tp_dst=2",
        "udp,nw_src=10.0.0.4,tp_dst=1", "tcp,nw_src=10.0.0.1,tp_dst=1",
    };
    struct fx fx;
    struct xlate_share share;
    struct xlate_out out[ARRAY_SIZE(packets)];

    (void)state;
    struct ofproto *p = fx_start(&fx, 4);
    rules_of_a_chain(p);
    for (unsigned first = 0; first < ARRAY_SIZE(packets); first++) {
        xlate_share_init(&share);
        for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
            const char *text = packets[(first + i) % ARRAY_SIZE(packets)];

            xlate_shared(&fx, text, &share, &out[i]);
            expect_as_alone(&fx, text, &out[i]);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
            xlate_out_fini(&out[i]);
        }
        xlate_share_fini(&share);
    }
    assert_int_equal(rule_packets(p, 0, "udp"), 7 * ARRAY_SIZE(packets));
    assert_int_equal(rule_packets(p, 1, "udp,nw_src=10.0.0.1"), 3 * ARRAY_SIZE(packets));
    assert_int_equal(rule_packets(p, 2, "udp,tp_dst=9"), ARRAY_SIZE(packets));
    assert_int_equal(rule_packets(p, 2, "udp"), 5 * ARRAY_SIZE(packets));
    assert_int_equal(rule_packets(p, 3, "udp,reg0=7,reg1=2"), ARRAY_SIZE(packets));

    /* The first one of these goes all the way, the second leaves it where the third one does: what
     * the same packet depends on is the same. */
    xlate_share_init(&share);
    xlate_shared(&fx, "udp,nw_src=10.0.0.5,tp_dst=9", &share, &out[0]);
    xlate_shared(&fx, "udp,nw_src=10.0.0.5,tp_dst=1", &share, &out[1]);
    xlate_shared(&fx, "udp,nw_src=10.0.0.5,tp_dst=9", &share, &out[2]);
    assert_ptr_not_equal(out[0].deps, out[1].deps);
    assert_ptr_equal(out[0].deps, out[2].deps);
    assert_ptr_equal(out[0].cache, out[2].cache);
    xlate_out_fini(&out[2]);
    /* A rule that comes, and one that goes, in the middle of the chain. */
    link_flow(p, 2, "udp,tp_dst=3", 3, MF_REG1, 2, 3);
    expect_in_batch(&fx, "udp,nw_src=10.0.0.1,tp_dst=3", &share, "3");
    expect_in_batch(&fx, "udp,nw_src=10.0.0.1,tp_dst=2", &share, "2");
    xlate_out_fini(&out[0]);
    xlate_out_fini(&out[1]);
    xlate_share_fini(&share);
    fx_fini(&fx);
}

static void
packets_of_other_ports_go_their_own_way(void **state)
{
    struct fx fx;
    struct xlate_share share;

    (void)state;
    struct ofproto *p = fx_start(&fx, 4);
    struct ofpacts acts = {0};
    fx_output(&acts, 2);
    fx_flow_acts(p, 0, "udp", 1, &acts);
    fx_output(&acts, OFPP_IN_PORT);
    fx_flow_acts(p, 0, "udp,in_port=2", 2, &acts);
    xlate_share_init(&share);
    for (int i = 0; i < 3; i++) {
        expect_in_batch_from(&fx, 1, "udp", &share, "2");
        expect_in_batch_from(&fx, 2, "udp", &share, "2");
        expect_in_batch_from(&fx, 3, "udp", &share, "2");
    }
    xlate_share_fini(&share);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_results_of_a_batch_are_one),
        cmocka_unit_test(a_share_is_bounded),
        cmocka_unit_test(a_batch_follows_its_tables),
        cmocka_unit_test(a_batch_tells_tables_apart),
        cmocka_unit_test(a_batch_goes_on_where_others_were),
        cmocka_unit_test(packets_of_other_ports_go_their_own_way),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
