// SPDX-License-Identifier: Apache-2.0
//
// Token buckets against sums made by hand: what passes at once, what comes back with time, order.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_ports.h"
#include "netdev/netdev_provider.h"
#include "pmd/policer.h"

static struct netdev *dev;
static uint64_t now;

static int
setup(void **state)
{
    dev = fake_netdev("dev", netdev_tx_nothing);
    now = clock_tsc();
    return 0;
}

static int
teardown(void **state)
{
    fake_netdev_free(dev);
    return 0;
}

// How many of 'n' frames with 'payload' bytes pass; those that do are the first ones, in order.
static unsigned
offer(struct policer *p, uint32_t queue, unsigned n, uint32_t payload)
{
    static const uint8_t zeros[2048];
    struct policer_call call = {
        .netdev = dev, .direction = POLICER_RX, .queue = queue, .now_tsc = now};
    struct rte_mbuf *m[NETDEV_MAX_BURST], *given[NETDEV_MAX_BURST];

    for (unsigned i = 0; i < n; i++) {
        m[i] = given[i] = fake_packet(zeros, payload + RTE_ETHER_HDR_LEN);
    }
    unsigned passed = policer_run(p, &call, m, n);
    for (unsigned i = 0; i < passed; i++) {
        assert_ptr_equal(m[i], given[i]);
    }
    rte_pktmbuf_free_bulk(m, passed);
    return passed;
}

static void
test_bucket_refills_with_time(void **state)
{
    const struct dp_ingress_policing cfg = {.bytes = {.rate = 1000, .burst = 500}};
    struct policer *p = policer_create_ingress(&cfg);

    now = clock_tsc();
    assert_int_equal(offer(p, 0, 20, 100), 5);
    // 250 bytes, by our clock; by that of DPDK's meters, which is rounded, some more or less.
    now += clock_tsc_hz() / 4;
    assert_int_equal(offer(p, 0, 20, 100), 2);
    now += clock_tsc_hz() * 100; // not more than the bucket holds
    assert_int_equal(offer(p, 0, 20, 100), 5);
    assert_int_equal(netdev_policed(dev, true), 48);
    assert_int_equal(netdev_policed_rx_bytes(dev), 48 * 114);
    free(p);
}

static void
test_small_frames_pass_where_large_ones_do_not(void **state)
{
    const struct dp_ingress_policing cfg = {.bytes = {.rate = 1, .burst = 500}};
    struct policer *p = policer_create_ingress(&cfg);

    assert_int_equal(offer(p, 0, 2, 600), 0);
    assert_int_equal(offer(p, 0, 1, 450), 1);
    assert_int_equal(offer(p, 0, 2, 100), 0);
    assert_int_equal(offer(p, 0, 2, 40), 1);
    free(p);
}

static void
test_both_buckets_must_admit(void **state)
{
    const struct dp_ingress_policing cfg = {.bytes = {.rate = 1, .burst = 1000},
                                            .packets = {.rate = 1, .burst = 3}};
    struct policer *p = policer_create_ingress(&cfg);

    assert_int_equal(offer(p, 0, 20, 100), 3);
    free(p);
}

static void
test_rates_of_any_size(void **state)
{
    const struct dp_ingress_policing cfg = {.bytes = {.rate = UINT64_MAX, .burst = UINT64_MAX}};
    struct policer *p = policer_create_ingress(&cfg);

    for (int i = 0; i < 50; i++) {
        now += clock_tsc_hz() << i % 20;
        assert_int_equal(offer(p, 0, 32, 1500), 32);
    }
    free(p);
}

static void
test_nothing_to_police(void **state)
{
    const struct dp_ingress_policing none = {.bytes = {.rate = 0, .burst = 8000}};
    struct dp_qos qos = {.type = DP_QOS_EGRESS_POLICER, .rates = {.cir = 1}};
    struct policer *p;

    assert_null(policer_create_ingress(&none));
    assert_int_equal(policer_create_qos(&qos, &p), -EINVAL);
    assert_null(p);
    qos.type = DP_QOS_TRTCM_POLICER;
    qos.rates = (struct dp_qos_rates){.cir = 1, .cbs = 1, .eir = 1};
    assert_int_equal(policer_create_qos(&qos, &p), -EINVAL);
    assert_null(p);
}

static void
test_queues(void **state)
{
    const struct dp_qos_queue queues[] = {
        {.id = 5, .rates = {.cir = 1, .cbs = 300}},
        {.id = 0, .rates = {.cir = 1, .cbs = 200, .eir = 1, .ebs = 200}},
    };
    const struct dp_qos qos = {
        .type = DP_QOS_TRTCM_POLICER,
        .rates = {.cir = 1, .cbs = 1000},
        .n_queues = 2,
        .queues = queues,
    };
    struct dp_queue_stats stats;
    struct policer *p;

    assert_int_equal(policer_create_qos(&qos, &p), 0);
    now = clock_tsc();
    assert_int_equal(offer(p, 5, 10, 100), 3);
    assert_int_equal(offer(p, 0, 3, 100), 3); // its own row, not the default's thousand
    assert_int_equal(offer(p, 9, 3, 100), 1); // is queue 0
    assert_true(policer_queue_stats(p, 0, &stats));
    assert_int_equal(stats.n_packets, 4);
    assert_int_equal(stats.n_bytes, 400);
    assert_int_equal(stats.n_dropped, 2);
    assert_false(policer_queue_stats(p, 9, &stats));
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bucket_refills_with_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_frames_pass_where_large_ones_do_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_both_buckets_must_admit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rates_of_any_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_police, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
    };

    fake_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
