// SPDX-License-Identifier: Apache-2.0
//
// What a queue teaches the signature cache: everything, unless hardly any of its packets comes
// again; then little, until some do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_ports.h"
#include "packet/build.h"

enum { IN_PORT = 1, OTHER_PORT = 2, N_FLOWS = 4096 };

static struct dp *dp;
static struct pmd *pmd;
static struct rxq *queue, *other;

static struct rxq *
make_rxq(odp_port_t odp)
{
    struct rxq *rxq = xzalloc_cacheline(ROUND_UP(sizeof *rxq, CACHE_LINE_SIZE));

    rxq->odp = odp;
    atomic_init(&rxq->emc_enable, true);
    return rxq;
}

// Packets from addresses 'first' on.
static void
receive(struct rxq *rxq, uint32_t first, unsigned n)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    struct burst *b = &pmd->burst;
    uint8_t buf[128];

    for (unsigned i = 0; i < n; i++) {
        b->m[i] = fake_packet(
            buf, compose_udp4(buf, sizeof buf, &src, &dst, htonl(first + i), 2, 3, 4, "x", 1));
    }
    b->n = n;
    b->in_port = rxq->odp;
    pmd->polling = rxq;
    pmd_input(pmd, b);
    pmd->polling = NULL;
    atomic_fetch_add(&rxq->n_packets, n);
    rcu_quiesce();
}

// One flow takes all, another one's mask has caches look at the whole address.
static void
put_flows(odp_port_t in_port)
{
    static const struct dp_actions drop;
    struct flow_mask mask = {0};
    struct flow flow;

    flow_from_key(&pmd->burst.key[0], &flow);
    flow.in_port = in_port;
    mask.bits.w[0] = UINT64_MAX;
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &drop};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    FLOW_MASK_SET(&mask, nw_src);
    flow.nw_src = UINT32_MAX;
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
}

static int
setup(void **state)
{
    dp = dp_create();
    dp->set.emc_inv_prob = 0;
    pmd = fake_pmd(dp);
    queue = make_rxq(IN_PORT);
    other = make_rxq(OTHER_PORT);
    receive(queue, 1, 1);
    put_flows(IN_PORT);
    put_flows(OTHER_PORT);
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    free(queue);
    free(other);
    return 0;
}

static unsigned
n_words(void)
{
    const struct smc *smc = rcu_get(&pmd->smc);
    unsigned n = 0;

    for (uint32_t i = 0; i < smc->n_buckets * BUCKET_WORDS; i++) {
        n += bucket_get(&smc->b[i / BUCKET_WORDS], i % BUCKET_WORDS) != 0;
    }
    return n;
}

static uint64_t
n_found(void)
{
    return perf_get(&pmd->perf, PMD_STAT_SMC_HIT);
}

// All flows from 'first' on once; how many of them the cache knew.
static unsigned
round_of(struct rxq *rxq, uint32_t first, uint32_t n, unsigned burst)
{
    uint64_t before = n_found();

    for (uint32_t i = 0; i < n; i += burst) {
        receive(rxq, first + i, burst);
    }
    return (unsigned)(n_found() - before);
}

static void
test_what_never_comes_again_is_hardly_learnt(void **state)
{
    round_of(queue, 0, 16384, 32);
    // The first window is learnt, of the others a sixteenth.
    assert_in_range(n_words(), 1024, 3072);
    // In bursts of one packet, too.
    unsigned n = n_words();
    round_of(queue, 0x01000000, 4096, 1);
    assert_in_range(n_words() - n, 1, 512);
}

static void
test_flows_that_come_again_are_all_learnt(void **state)
{
    unsigned rounds = 0;

    round_of(queue, 0x01000000, 4096, 32);
    assert_true(queue->feeds_by_turns);
    while (round_of(queue, 0, N_FLOWS, 32) < N_FLOWS * 9 / 10) {
        assert_true(++rounds < 4);
    }
    assert_false(queue->feeds_by_turns);
}

static void
test_one_queue_is_not_judged_by_another(void **state)
{
    round_of(queue, 0, 8192, 32);
    unsigned n = n_words();
    round_of(other, 0, 512, 32);
    assert_in_range(n_words() - n, 400, 512); // some share a full line
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_never_comes_again_is_hardly_learnt),
        TEST(test_flows_that_come_again_are_all_learnt),
        TEST(test_one_queue_is_not_judged_by_another),
    };
#undef TEST

    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
