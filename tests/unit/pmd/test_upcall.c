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

// --- giving back ----------------------------------------------------------------------------

enum { N_BACK = 120, SINK_A = 11, SINK_B = 12 };

static struct {
    unsigned n[2];
    uint16_t came[2][N_BACK]; // UDP source ports, as they came
} sinks;

static void
sink_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    unsigned s = netdev->name[0] == 'b';

    (void)qid;
    for (uint16_t i = 0; i < n; i++) {
        assert_true(sinks.n[s] < N_BACK);
        sinks.came[s][sinks.n[s]++] = get_be16(rte_pktmbuf_mtod_offset(m[i], uint8_t *, 34));
        rte_pktmbuf_free(m[i]);
    }
}

// Where packet 'i' goes: runs of one to eleven to one port, lists of two, drops.
static void
actions_of(unsigned i, struct dp_actions *actions)
{
    switch (i / 11 % 5) {
    case 0:
        dp_put_output(actions, SINK_A);
        break;
    case 1:
        dp_put_output(actions, i % 3 ? SINK_A : SINK_B);
        break;
    case 2:
        dp_put_output(actions, SINK_A);
        dp_put_output(actions, SINK_B);
        break;
    case 3:
        dp_put_drop(actions, DP_DROP_OF_PIPELINE);
        break;
    default:
        dp_put_output(actions, SINK_B);
        break;
    }
}

static bool
goes_to(unsigned i, odp_port_t port)
{
    struct dp_actions actions = {0};
    bool found = false;

    actions_of(i, &actions);
    DP_ACTION_FOREACH (a, actions.data, actions.size) {
        found |= a->type == DP_ACT_OUTPUT && ((const struct dp_act_port *)a)->port == port;
    }
    dp_actions_fini(&actions);
    return found;
}

static void
expect_in_order(unsigned sink, odp_port_t port, const uint16_t *sent)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_BACK; i++) {
        if (goes_to(i, port)) {
            assert_true(n < sinks.n[sink]);
            assert_int_equal(sinks.came[sink][n++], sent[i]);
        }
    }
    assert_int_equal(sinks.n[sink], n);
}

// Packets that wait for others on their way back are all sent, each where it is to go, and none
// passes another one; those of two ports take turns.
static void
test_packets_given_back_keep_their_order(void **state)
{
    struct netdev *a = fake_netdev("a", sink_tx), *b = fake_netdev("b", sink_tx);
    unsigned in_use = rte_mempool_in_use_count(netdev_default_pool());
    struct upcall_returns returns = {.n = 0};
    struct upcall *up[N_BACK];
    uint16_t sent[N_BACK];

    fake_pmd_connect(pmd, SINK_A, a);
    fake_pmd_connect(pmd, SINK_B, b);
    miss(1, N_BACK / 2);
    miss(2, N_BACK / 2);
    assert_int_equal(take(up, N_BACK), N_BACK);
    for (unsigned i = 0; i < N_BACK; i++) {
        struct dp_actions actions = {0};
        sent[i] = get_be16(rte_pktmbuf_mtod_offset(up[i]->mbuf, uint8_t *, 34));
        actions_of(i, &actions);
        upcall_give_back(dp, up[i], &actions, &returns);
        dp_actions_fini(&actions);
        assert_null(up[i]->mbuf);
    }
    upcall_flush(dp, &returns);
    upcall_free_all(dp, up, N_BACK);
    fake_pmd_settle(pmd);
    expect_in_order(0, SINK_A, sent);
    expect_in_order(1, SINK_B, sent);
    assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), in_use);
    fake_netdev_free(a);
    fake_netdev_free(b);
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
        TEST(test_packets_given_back_keep_their_order),
        TEST(test_a_miss_wakes_the_handler),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
