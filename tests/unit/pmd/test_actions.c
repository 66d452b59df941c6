// SPDX-License-Identifier: Apache-2.0
//
// Each datapath action on a real packet: what leaves, where, and what is counted when it does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "fake_ports.h"
#include "packet/build.h"

static struct dp *dp;
static struct pmd *pmd;
static struct netdev *devs[3]; // ports 1 to 3

static struct {
    unsigned port;
    uint32_t size;
    uint8_t data[256];
} sent[600];
static unsigned n_sent;

static void
record(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        sent[n_sent].port = (unsigned)(netdev->name[0] - '0');
        sent[n_sent].size = rte_pktmbuf_pkt_len(m[i]);
        rte_memcpy(sent[n_sent].data, rte_pktmbuf_mtod(m[i], void *),
                   MIN(rte_pktmbuf_data_len(m[i]), 256));
        n_sent++;
        rte_pktmbuf_free(m[i]);
    }
}

static unsigned in_use_before;

static int
setup(void **state)
{
    in_use_before = rte_mempool_in_use_count(netdev_default_pool());
    dp = dp_create();
    pmd = fake_pmd(dp);
    upcall_port_add(dp, 1);
    for (unsigned i = 0; i < 3; i++) {
        char name[] = {(char)('1' + i), '\0'};
        devs[i] = fake_netdev(name, record);
        fake_pmd_connect(pmd, i + 1, devs[i]);
    }
    n_sent = 0;
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    for (unsigned i = 0; i < 3; i++) {
        fake_netdev_free(devs[i]);
    }
    // Every packet was consumed exactly once.
    return rte_mempool_in_use_count(netdev_default_pool()) == in_use_before ? 0 : -1;
}

static uint64_t
counter(const char *name)
{
    uint64_t n = 0;

    coverage_read(name, &n);
    return n;
}

static struct rte_mbuf *
udp_packet(uint32_t payload)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    static const uint8_t zeros[200];
    uint8_t buf[256];

    uint32_t size = compose_udp4(buf, sizeof buf, &src, &dst, rte_cpu_to_be_32(0x0a000001),
                                 rte_cpu_to_be_32(0x0a000002), 1000, 2000, zeros, payload);
    return fake_packet(buf, size);
}

// Runs the list on one packet from port 1 and takes the list over.
static void
run(struct dp_actions *actions, uint32_t payload)
{
    struct packet_md md = {.in_port = 1};

    assert_false(actions->overflow);
    pmd_execute_list(pmd, udp_packet(payload), &md, actions, 0);
    fake_pmd_settle(pmd);
    dp_actions_fini(actions);
}

static void
test_output_to_several(void **state)
{
    struct dp_actions a = {0};

    dp_put_output(&a, 1);
    dp_put_output(&a, 2);
    dp_put_output(&a, 3);
    run(&a, 20);
    assert_int_equal(n_sent, 3);
    assert_int_equal(sent[0].port + sent[1].port + sent[2].port, 6);
    assert_memory_equal(sent[0].data, sent[2].data, 62);
}

static void
test_output_to_nowhere_is_counted(void **state)
{
    uint64_t before = counter("datapath_drop_invalid_port");
    struct dp_actions a = {0};

    dp_put_output(&a, 77);
    dp_put_output(&a, 2);
    dp_put_output(&a, 999999);
    run(&a, 20);
    assert_int_equal(n_sent, 1);
    assert_int_equal(counter("datapath_drop_invalid_port") - before, 2);
}

static void
test_drop_has_its_reason(void **state)
{
    uint64_t before = counter("drop_action_recursion_too_deep");
    struct dp_actions a = {0};

    dp_put_drop(&a, DP_DROP_RECURSION_TOO_DEEP);
    run(&a, 20);
    assert_int_equal(n_sent, 0);
    assert_int_equal(counter("drop_action_recursion_too_deep") - before, 1);
}

// A change after an output must not show in what was output before.
static void
test_changes_come_after_outputs(void **state)
{
    struct dp_act_set_eth set = {.value.dst = {{9, 9, 9, 9, 9, 9}}};
    struct dp_actions a = {0};

    memset(&set.mask.dst, 0xff, 6);
    dp_put_output(&a, 1);
    struct dp_act_set_eth *p = dp_actions_put(&a, DP_ACT_SET_ETH, sizeof set);
    p->value = set.value;
    p->mask = set.mask;
    dp_put_output(&a, 2);
    dp_put_push_vlan(&a, rte_cpu_to_be_16(ETH_TYPE_VLAN), rte_cpu_to_be_16(VLAN_CFI | 5));
    dp_put_output(&a, 3);
    run(&a, 20);
    assert_int_equal(n_sent, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sent[i].data[0], sent[i].port == 1 ? 2 : 9);
        assert_int_equal(sent[i].size, sent[i].port == 3 ? 66 : 62);
        assert_int_equal(sent[i].data[12], sent[i].port == 3 ? 0x81 : 0x08);
    }
}

static void
test_vlan_push_pop_is_nothing(void **state)
{
    struct dp_actions a = {0};

    dp_put_push_vlan(&a, rte_cpu_to_be_16(ETH_TYPE_VLAN), rte_cpu_to_be_16(VLAN_CFI | 5));
    dp_put_pop_vlan(&a);
    dp_put_output(&a, 1);
    run(&a, 20);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0].size, 62);
    assert_int_equal(sent[0].data[12], 0x08);
}

static void
test_trunc_cuts_one_output(void **state)
{
    struct dp_actions a = {0};

    dp_put_trunc(&a, 40);
    dp_put_output(&a, 1);
    dp_put_output(&a, 2);
    run(&a, 100);
    assert_int_equal(n_sent, 2);
    assert_int_equal(sent[0].size, sent[0].port == 1 ? 40 : 142);
    assert_int_equal(sent[1].size, sent[1].port == 1 ? 40 : 142);
}

// What went before, and waits in a send buffer, is not cut.
static void
test_trunc_of_the_last_output_leaves_others_whole(void **state)
{
    struct dp_actions a = {0};

    dp_put_output(&a, 1);
    dp_put_output(&a, 3);
    dp_put_trunc(&a, 40);
    dp_put_output(&a, 2);
    run(&a, 100);
    assert_int_equal(n_sent, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sent[i].size, sent[i].port == 2 ? 40 : 142);
    }
}

static void
test_clone_leaves_the_original_alone(void **state)
{
    struct dp_actions a = {0};

    uint32_t pos = dp_begin_clone(&a);
    dp_put_push_vlan(&a, rte_cpu_to_be_16(ETH_TYPE_VLAN), rte_cpu_to_be_16(VLAN_CFI | 5));
    uint32_t inner = dp_begin_clone(&a);
    dp_put_output(&a, 3);
    dp_end_nested(&a, inner);
    dp_put_output(&a, 1);
    dp_end_nested(&a, pos);
    dp_put_output(&a, 2);
    run(&a, 20);
    assert_int_equal(n_sent, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sent[i].size, sent[i].port == 2 ? 62 : 66);
    }
}

static void
test_sample_all_and_none(void **state)
{
    struct dp_actions a = {0}, b = {0};

    uint32_t pos = dp_begin_sample(&a, UINT32_MAX);
    dp_put_output(&a, 1);
    dp_end_nested(&a, pos);
    dp_put_output(&a, 2);
    run(&a, 20);
    assert_int_equal(n_sent, 2);
    pos = dp_begin_sample(&b, 0);
    dp_put_output(&b, 1);
    dp_end_nested(&b, pos);
    dp_put_output(&b, 2);
    run(&b, 20);
    assert_int_equal(n_sent, 3);
    assert_int_equal(sent[2].port, 2);
}

static void
test_check_pkt_len(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        struct dp_actions a = {0};
        uint32_t pos = dp_begin_check_pkt_len(&a, 100);
        dp_put_output(&a, 1);
        dp_check_pkt_len_else(&a, pos);
        dp_put_output(&a, 2);
        dp_end_nested(&a, pos);
        run(&a, i ? 59 : 58); // 101 or 100 bytes
    }
    assert_int_equal(n_sent, 2);
    assert_int_equal(sent[0].port, 2);
    assert_int_equal(sent[1].port, 1);
}

static void
put_flow(uint32_t recirc_id, struct dp_actions *a)
{
    struct flow_mask mask;
    struct flow key = {.in_port = 1, .recirc_id = recirc_id};

    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    struct dp_flow_put put = {.key = &key, .mask = &mask, .actions = a};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    dp_actions_fini(a);
}

static void
test_recirculation_is_bounded(void **state)
{
    uint64_t before = counter("datapath_drop_recirc_error");
    struct dp_actions a = {0}, b = {0};

    dp_put_output(&a, 1);
    dp_put_recirc(&a, 5);
    put_flow(5, &a);
    dp_put_recirc(&b, 5);
    run(&b, 20);
    assert_int_equal(n_sent, RECIRC_MAX_DEPTH);
    assert_int_equal(counter("datapath_drop_recirc_error") - before, 1);
}

static void
test_metadata_survives_recirculation(void **state)
{
    struct dp_actions a = {0}, b = {0};
    struct flow_mask mask;
    struct flow key = {.in_port = 1, .recirc_id = 6, .pkt_mark = 0x1234};

    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, pkt_mark);
    dp_put_output(&a, 2);
    struct dp_flow_put put = {.key = &key, .mask = &mask, .actions = &a};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    dp_actions_fini(&a);
    struct dp_act_set_u32 *set = dp_actions_put(&b, DP_ACT_SET_MARK, sizeof *set);
    set->value = 0x1234;
    set->mask = UINT32_MAX;
    dp_put_recirc(&b, 6);
    run(&b, 20);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0].port, 2);
}

static void
test_userspace_gives_a_copy_to_the_handler(void **state)
{
    struct dp_act_userspace us = {.kind = DP_USERSPACE_CONTROLLER, .ofp_in_port = 9};
    struct dp_actions a = {0};
    struct upcall *up[2];

    upcall_set_n_handlers(dp, 1);
    us.controller.reason = 3;
    dp_put_userspace(&a, &us);
    dp_put_output(&a, 2);
    run(&a, 20);
    assert_int_equal(n_sent, 1);
    assert_int_equal(upcall_wait(dp, 0, up, 2, 0), 1);
    assert_int_equal(up[0]->type, UPCALL_ACTION);
    assert_int_equal(up[0]->userspace.controller.reason, 3);
    assert_int_equal(up[0]->userspace.ofp_in_port, 9);
    upcall_free(dp, up[0]);
}

static void
test_meter_admits_its_rate(void **state)
{
    struct dp_meter_config config = {.by_packets = true, .n_bands = 1, .bands[0] = {10, 10}};
    uint64_t before = counter("datapath_drop_meter");
    struct dp_meter_stats stats;

    assert_int_equal(dp_meter_set(dp, 3, &config), 0);
    for (unsigned i = 0; i < 15; i++) {
        struct dp_actions a = {0};
        dp_put_meter(&a, 3);
        dp_put_output(&a, 2);
        run(&a, 20);
    }
    assert_true(n_sent >= 10 && n_sent <= 11);
    assert_int_equal(counter("datapath_drop_meter") - before, 15 - n_sent);
    assert_true(dp_meter_get_stats(dp, 3, &stats));
    assert_int_equal(stats.n_packets, 15);
    assert_int_equal(stats.band_packets[0], 15 - n_sent);
    assert_true(dp_meter_del(dp, 3));
    assert_false(dp_meter_del(dp, 3));
}

static void
test_runts_are_dropped_and_counted(void **state)
{
    uint64_t before = counter("datapath_drop_rx_invalid_packet");
    struct rte_mbuf *m = fake_packet("short", 5);

    fake_pmd_receive(pmd, 1, &m, 1);
    assert_int_equal(n_sent, 0);
    assert_int_equal(counter("datapath_drop_rx_invalid_packet") - before, 1);
}

// Packets that no flow of their lane tells apart may still differ for a flow of any shape.
static void
test_flows_for_any_shape_see_every_packet(void **state)
{
    struct flow key = {.in_port = 1, .nw_dst = rte_cpu_to_be_32(0x0a0000ff)};
    struct rte_mbuf *m[BURST_MAX];
    struct dp_actions drop = {0};
    struct flow_mask mask;

    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, nw_dst);
    struct dp_flow_put put = {.key = &key, .mask = &mask, .shape = 0x1f, .actions = &drop};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    FLOW_MASK_CLEAR(&mask, nw_dst);
    FLOW_MASK_SET(&mask, tp_src);
    for (unsigned i = 0; i < 2; i++) {
        struct dp_actions a = {0};
        key.tp_src = rte_cpu_to_be_16((uint16_t)(1000 + i));
        dp_put_output(&a, 2 + i);
        put = (struct dp_flow_put){.key = &key, .mask = &mask, .actions = &a};
        assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
        dp_actions_fini(&a);
    }
    for (unsigned i = 0; i < BURST_MAX; i++) {
        m[i] = udp_packet(20);
        rte_pktmbuf_mtod(m[i], uint8_t *)[35] = (uint8_t)(1000 + i % 2);
    }
    fake_pmd_receive(pmd, 1, m, BURST_MAX);
    assert_int_equal(n_sent, BURST_MAX);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        assert_int_equal(sent[i].port, 2 + (sent[i].data[35] - (uint8_t)1000));
    }
}

// Packets with the same actions leave together and in order, whatever flows they are of.
static void
test_order_is_kept(void **state)
{
    struct rte_mbuf *m[BURST_MAX];
    struct dp_actions a = {0};

    dp_put_output(&a, 3);
    put_flow(0, &a);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        m[i] = udp_packet(20 + i);
    }
    fake_pmd_receive(pmd, 1, m, BURST_MAX);
    assert_int_equal(n_sent, BURST_MAX);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        assert_int_equal(sent[i].size, 62 + i);
    }
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_output_to_several),
        TEST(test_output_to_nowhere_is_counted),
        TEST(test_drop_has_its_reason),
        TEST(test_changes_come_after_outputs),
        TEST(test_vlan_push_pop_is_nothing),
        TEST(test_trunc_cuts_one_output),
        TEST(test_trunc_of_the_last_output_leaves_others_whole),
        TEST(test_clone_leaves_the_original_alone),
        TEST(test_sample_all_and_none),
        TEST(test_check_pkt_len),
        TEST(test_recirculation_is_bounded),
        TEST(test_metadata_survives_recirculation),
        TEST(test_userspace_gives_a_copy_to_the_handler),
        TEST(test_meter_admits_its_rate),
        TEST(test_runts_are_dropped_and_counted),
        TEST(test_order_is_kept),
        TEST(test_flows_for_any_shape_see_every_packet),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
