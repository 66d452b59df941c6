// SPDX-License-Identifier: Apache-2.0
//
// Miss queues: bounded for each port, served in turn, woken, and gone with their port.  The PMD is
// driven by the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/thread.h"
#include "fake_ports.h"
#include "packet/build.h"

enum { QUEUE = 511 };

static struct dp *dp;
static struct pmd *pmd;

static void
miss(odp_port_t in_port, unsigned n)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    struct rte_mbuf *m[BURST_MAX];
    uint8_t buf[128];

    while (n) {
        unsigned burst = MIN(n, (unsigned)BURST_MAX);
        for (unsigned i = 0; i < burst; i++) {
            uint32_t size =
                compose_udp4(buf, sizeof buf, &src, &dst, 1, 2, (uint16_t)(n - i), 4, "x", 1);
            m[i] = fake_packet(buf, size);
        }
        fake_pmd_receive(pmd, in_port, m, burst);
        n -= burst;
    }
}

static int
setup(void **state)
{
    dp = dp_create();
    pmd = fake_pmd(dp);
    for (odp_port_t odp = 1; odp <= 3; odp++) {
        upcall_port_add(dp, odp);
    }
    upcall_set_n_handlers(dp, 1);
    // The change of their number wakes all handlers once.
    struct upcall *up;
    return (int)upcall_wait(dp, 0, &up, 1, 1);
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    return 0;
}

static unsigned
take(struct upcall **up, unsigned max)
{
    return upcall_wait(dp, 0, up, max, 0);
}

static void
drain(void)
{
    struct upcall *up[64];
    unsigned n;

    while ((n = take(up, 64))) {
        for (unsigned i = 0; i < n; i++) {
            upcall_free(dp, up[i]);
        }
    }
}

static void
test_a_miss_tells_all(void **state)
{
    struct upcall *up[4];

    miss(2, 1);
    assert_int_equal(take(up, 4), 1);
    assert_int_equal(up[0]->type, UPCALL_MISS);
    assert_int_equal(up[0]->pmd_index, pmd->index);
    assert_int_equal(up[0]->key.w[0], 2);
    assert_int_equal(up[0]->key.map, 0x1f);
    assert_int_equal(up[0]->layers.l3, 14);
    assert_int_equal(rte_pktmbuf_pkt_len(up[0]->mbuf), 43);
    upcall_free(dp, up[0]);
}

static void
test_a_flood_is_bounded_and_counted(void **state)
{
    uint64_t before = 0, after = 0;
    struct upcall *up[1024];

    coverage_read("datapath_drop_upcall_error", &before);
    miss(1, 2000);
    coverage_read("datapath_drop_upcall_error", &after);
    assert_int_equal(after - before, 2000 - QUEUE);
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_LOST), 2000 - QUEUE);
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_MISS), QUEUE);
    // The flood costs the neighbour nothing: its miss is among the very next ones taken.
    miss(2, 1);
    unsigned n = take(up, 16), of_neighbour = 0;
    for (unsigned i = 0; i < n; i++) {
        of_neighbour += up[i]->key.w[0] == 2;
        upcall_free(dp, up[i]);
    }
    assert_int_equal(n, 16);
    assert_int_equal(of_neighbour, 1);
    drain();
    // What was given back can be used again.
    miss(1, QUEUE);
    coverage_read("datapath_drop_upcall_error", &before);
    assert_int_equal(before, after);
    drain();
}

static void
test_ports_are_served_in_turn(void **state)
{
    unsigned n_of[4] = {0};
    struct upcall *up[30];

    miss(1, 300);
    miss(2, 300);
    miss(3, 300);
    assert_int_equal(take(up, 30), 30);
    for (unsigned i = 0; i < 30; i++) {
        n_of[up[i]->key.w[0]]++;
        upcall_free(dp, up[i]);
    }
    assert_int_equal(n_of[1], 10);
    assert_int_equal(n_of[2], 10);
    assert_int_equal(n_of[3], 10);
    drain();
}

static void
test_packets_of_a_port_stay_in_order(void **state)
{
    struct upcall *up[100];
    uint16_t last = 101;

    miss(1, 100);
    assert_int_equal(take(up, 100), 100);
    for (unsigned i = 0; i < 100; i++) {
        const uint8_t *p = rte_pktmbuf_mtod_offset(up[i]->mbuf, const uint8_t *, 34);
        uint16_t number = (uint16_t)(p[0] << 8 | p[1]);
        assert_true(number < last);
        last = number;
        upcall_free(dp, up[i]);
    }
}

static void
test_handlers_divide_the_ports(void **state)
{
    struct upcall *up[8];

    upcall_set_n_handlers(dp, 2);
    miss(1, 1);
    miss(2, 1);
    assert_int_equal(upcall_wait(dp, 0, up, 8, 0), 1);
    assert_int_equal(up[0]->key.w[0], 2);
    upcall_free(dp, up[0]);
    assert_int_equal(upcall_wait(dp, 1, up, 8, 0), 1);
    assert_int_equal(up[0]->key.w[0], 1);
    upcall_free(dp, up[0]);
}

static void
test_a_deleted_port_takes_its_misses_along(void **state)
{
    struct upcall *up[8];
    unsigned in_use = rte_mempool_in_use_count(netdev_default_pool());

    miss(3, 4);
    assert_int_equal(take(up, 1), 1);
    upcall_ports_del(dp, &(odp_port_t){3}, 1);
    // One is out and stays good; the others are freed.
    assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), in_use + 1);
    assert_int_equal(up[0]->key.w[0], 3);
    upcall_free(dp, up[0]);
    assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), in_use);
    assert_int_equal(take(up, 8), 0);
    // Packets from a port that is gone are nobody's, but not lost.
    miss(3, 1);
    assert_int_equal(take(up, 8), 1);
    upcall_free(dp, up[0]);
}

// A batch of several ports, one of which has gone meanwhile, is given back in one piece.
static void
test_a_batch_is_given_back(void **state)
{
    unsigned in_use = rte_mempool_in_use_count(netdev_default_pool());
    uint64_t before = 0, after = 0;
    struct upcall *up[32];

    coverage_read("datapath_drop_upcall_error", &before);
    for (unsigned round = 0; round < 2 * QUEUE / 10; round++) {
        miss(1, 10);
        miss(2, 10);
        assert_int_equal(take(up, 20), 20);
        rte_pktmbuf_free(up[3]->mbuf); // a packet that found another way
        up[3]->mbuf = NULL;
        upcall_free_all(dp, up, 20);
    }
    miss(2, QUEUE);
    drain();
    coverage_read("datapath_drop_upcall_error", &after);
    assert_int_equal(after, before);
    miss(1, 3);
    miss(3, 3);
    miss(2, 3);
    assert_int_equal(take(up, 9), 9);
    upcall_ports_del(dp, &(odp_port_t){3}, 1);
    upcall_free_all(dp, up, 9);
    upcall_free_all(dp, up, 0);
    assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), in_use);
}

static void *
sleeper(void *taken)
{
    struct upcall *up[8];

    unsigned n = upcall_wait(dp, 0, up, 8, 10000);
    for (unsigned i = 0; i < n; i++) {
        upcall_free(dp, up[i]);
    }
    *(unsigned *)taken = rcu_is_online() ? n : 77;
    return NULL;
}

// A handler that sleeps holds up nobody's memory.
static void
test_a_sleeper_holds_up_no_grace_period(void **state)
{
    unsigned taken = 99;
    pthread_t thread = thread_create("sleeper", sleeper, &taken);
    int64_t start = clock_now_ms();

    for (unsigned i = 0; i < 20; i++) {
        rcu_synchronize();
        usleep(5000);
    }
    assert_true(clock_now_ms() - start < 5000);
    upcall_wake(dp);
    thread_join(thread);
    assert_int_equal(taken, 0);
}

static void
sleep_then(bool with_miss, unsigned expect)
{
    unsigned taken = 99;
    pthread_t thread = thread_create("sleeper", sleeper, &taken);

    rcu_offline();
    usleep(50000);
    rcu_online();
    if (with_miss) {
        miss(1, 1);
    } else {
        upcall_wake(dp);
    }
    int64_t start = clock_now_ms();
    thread_join(thread);
    assert_true(clock_now_ms() - start < 5000);
    assert_int_equal(taken, expect);
}

static void
test_a_miss_wakes_the_handler(void **state)
{
    struct upcall *up[8];

    // Nobody sleeps, nobody is woken.
    pmd->woke_handler = false;
    miss(1, 1);
    assert_false(pmd->woke_handler);
    assert_int_equal(take(up, 8), 1);
    upcall_free(dp, up[0]);
    sleep_then(true, 1);
    for (unsigned i = 0; i < 50 && !pmd->woke_handler; i++) { // it was not yet asleep
        sleep_then(true, 1);
    }
    assert_true(pmd->woke_handler);
    sleep_then(false, 0);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_miss_tells_all),
        TEST(test_a_flood_is_bounded_and_counted),
        TEST(test_ports_are_served_in_turn),
        TEST(test_packets_of_a_port_stay_in_order),
        TEST(test_handlers_divide_the_ports),
        TEST(test_a_deleted_port_takes_its_misses_along),
        TEST(test_a_sleeper_holds_up_no_grace_period),

        TEST(test_a_batch_is_given_back),
        TEST(test_a_miss_wakes_the_handler),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
