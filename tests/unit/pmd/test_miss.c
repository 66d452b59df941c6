// SPDX-License-Identifier: Apache-2.0
//
// What misses of one queue may take from the others (miss.c).  The test moves the PMD's time.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/coverage.h"
#include "fake_ports.h"
#include "packet/build.h"

static struct dp *dp;
static struct pmd *pmd;
static struct rxq *hostile, *other;
static uint64_t now, ms; // in cycles
static uint16_t next_port;

static struct rxq *
make_rxq(odp_port_t odp)
{
    struct rxq *rxq = xzalloc_cacheline(ROUND_UP(sizeof *rxq, CACHE_LINE_SIZE));

    rxq->odp = odp;
    atomic_init(&rxq->emc_enable, true);
    return rxq;
}

static int
setup(void **state)
{
    dp = dp_create();
    pmd = fake_pmd(dp);
    upcall_port_add(dp, 1);
    upcall_set_n_handlers(dp, 1);
    hostile = make_rxq(1);
    other = make_rxq(2);
    ms = 2 * pmd->half_ms_cycles;
    now = pmd->now_tsc;
    next_port = 1;
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    free(hostile);
    free(other);
    return 0;
}

static unsigned n_taken; // by handlers

static void
drain(void)
{
    struct upcall *up[64];

    for (unsigned n; (n = upcall_wait(dp, 0, up, 64, 0));) {
        n_taken += n;
        for (unsigned i = 0; i < n; i++) {
            upcall_free(dp, up[i]);
        }
    }
}

static void
burst_from(struct rxq *rxq, unsigned n, uint64_t gap, bool same)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    struct burst *b = &pmd->burst;
    uint8_t buf[128];

    now += gap;
    pmd->now_tsc = now;
    for (unsigned i = 0; i < n; i++) {
        uint16_t port = same ? 7 : next_port++;
        b->m[i] =
            fake_packet(buf, compose_udp4(buf, sizeof buf, &src, &dst, 1, 2, port, 4, "x", 1));
    }
    b->n = n;
    b->in_port = rxq->odp;
    pmd->polling = rxq;
    drop_begin_port(rxq->drops);
    pmd_input(pmd, b);
    drop_begin_port(NULL);
    pmd->polling = NULL;
    atomic_fetch_add(&rxq->n_packets, n);
    rcu_quiesce();
    drain();
}

// A burst of the hostile queue, 'gap' cycles after the last one: new flows, or one known flow.
static void
burst(unsigned n, uint64_t gap, bool same)
{
    burst_from(hostile, n, gap, same);
}

static void
other_waits(void)
{
    pmd->now_tsc = now;
    pmd_note_backlog(pmd, other);
}

static uint64_t
n_asked(void)
{
    return perf_get(&pmd->perf, PMD_STAT_MISS);
}

static uint64_t
n_refused(void)
{
    return atomic_load(&hostile->drops[DROP_MISS_SHARE]);
}

static void
test_nobody_waits_no_limit(void **state)
{
    for (unsigned i = 0; i < 2000; i++) {
        burst(32, 1, false);
        pmd_note_backlog(pmd, hostile); // its own backlog is no reason
    }
    assert_int_equal(n_asked(), 2000 * 32);
    assert_int_equal(n_refused(), 0);
}

// Spends all credit while time stands still.
static void
spend(void)
{
    for (unsigned i = 0; !n_refused(); i++) {
        assert_true(i < 100000);
        other_waits();
        burst(32, 0, false);
    }
}

static void
test_credit_ends_and_returns(void **state)
{
    uint64_t total = 0;

    spend();
    // A burst of a thousand new flows went through before that.
    assert_true(n_asked() >= 64);
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_LOST), n_refused());
    uint64_t asked = n_asked();
    for (unsigned i = 0; i < 100; i++) {
        other_waits();
        burst(32, 0, false);
    }
    assert_int_equal(n_asked(), asked);
    coverage_read("datapath_drop_miss_share", &total);
    assert_true(total >= n_refused());
    // 2 % of fifty milliseconds are some misses, not many.
    for (unsigned i = 0; i < 100; i++) {
        other_waits();
        burst(32, ms / 2, false);
    }
    assert_true(n_asked() > asked);
    assert_true(n_asked() - asked < 50 * 1000000 / 50 / 230 + 64);
}

static void
test_the_others_have_gone(void **state)
{
    spend();
    uint64_t asked = n_asked(), refused = n_refused();
    burst(32, 3 * ms, false); // nobody has waited for that long
    assert_int_equal(n_asked(), asked + 32);
    assert_int_equal(n_refused(), refused);
}

// All flows were made anew: the lane has failed often, but from now on its lookups succeed.
static void
test_a_lane_recovers_soon(void **state)
{
    struct flow flow;
    struct flow_mask mask = {0};
    struct dp_actions drop = {0};

    spend();
    FLOW_MASK_SET(&mask, nw_dst);
    mask.bits.w[0] = UINT64_MAX;
    flow_from_key(&pmd->burst.key[0], &flow);
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &drop};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    uint64_t asked = n_asked();
    for (unsigned i = 0; i < 160; i++) { // sixteen milliseconds
        other_waits();
        burst(32, ms / 10, false);
    }
    uint64_t refused = n_refused();
    for (unsigned i = 0; i < 40; i++) {
        other_waits();
        burst(32, ms / 10, false);
    }
    assert_int_equal(n_refused(), refused);
    assert_int_equal(n_asked(), asked);
}

static void
test_no_limit_when_told_so(void **state)
{
    atomic_store(&pmd->miss_share, 1024);
    for (unsigned i = 0; i < 2000; i++) {
        other_waits();
        burst(32, 0, false);
    }
    assert_int_equal(n_refused(), 0);
}

// A flow for UDP source port 7, whatever else, and no cache that could know it.
static void
put_known_flow_without_caches(void)
{
    struct flow flow;
    struct flow_mask mask = {0};
    struct dp_actions drop = {0};

    burst(1, ms, true);
    FLOW_MASK_SET(&mask, tp_src);
    mask.bits.w[0] = UINT64_MAX;
    struct burst *b = &pmd->burst;
    flow_from_key(&b->key[0], &flow);
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = b->key[0].map, .actions = &drop};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    atomic_store(&pmd->emc_inv_prob, 0);
    struct smc *smc = rcu_get_protected(&pmd->smc);
    rcu_assign(&pmd->smc, NULL);
    rcu_defer(smc_free, smc);
}

// A lane in which lookups succeed is not limited: its caches may just be cold.
static void
test_a_lane_that_finds_flows_goes_on(void **state)
{
    put_known_flow_without_caches();
    for (unsigned i = 0; i < 200; i++) {
        other_waits();
        burst(8, 0, true);
    }
    hostile->miss_credit = -1000000000;
    hostile->miss_tsc = now;
    uint64_t hits = perf_get(&pmd->perf, PMD_STAT_DPCLS_HIT);
    other_waits();
    burst(8, 0, true);
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_DPCLS_HIT), hits + 8);
    assert_int_equal(n_refused(), 0);
}

// Half of the lookups succeed, since each new header comes twice: that is no way around the limit.
static void
test_headers_that_come_twice_are_limited(void **state)
{
    put_known_flow_without_caches();
    for (unsigned i = 0; i < 100000 && !n_refused(); i++) {
        other_waits();
        burst(1, 0, i % 2);
    }
    assert_true(n_refused() > 0);
}

// A flow whose packets go to a handler one by one.
static void
test_upcalls_by_action_have_the_same_share(void **state)
{
    struct dp_act_userspace userspace = {.kind = DP_USERSPACE_SLOW_PATH};
    struct flow flow;
    struct flow_mask mask = {0};
    struct dp_actions actions = {0};

    burst(1, ms, true);
    mask.bits.w[0] = UINT64_MAX;
    flow_from_key(&pmd->burst.key[0], &flow);
    dp_put_userspace(&actions, &userspace);
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &actions};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    dp_actions_fini(&actions);
    uint64_t missed = n_asked(), taken = n_taken;
    other_waits();
    burst(8, 0, true);
    assert_int_equal(n_taken, taken + 8);
    assert_int_equal(n_refused(), 0);
    hostile->miss_credit = 0;
    hostile->miss_tsc = now;
    other_waits();
    burst(8, 0, true);
    assert_int_equal(n_taken, taken + 8);
    assert_int_equal(n_refused(), 8);
    assert_true(hostile->rest_tsc > now);
    // Nobody waits any more.
    burst(8, 3 * ms, true);
    assert_int_equal(n_taken, taken + 16);
    assert_int_equal(n_asked(), missed); // they had a megaflow
}

// Short bursts of a queue in debt are gathered; long ones, and those of who owes nothing, are not.
static void
test_a_queue_in_debt_rests(void **state)
{
    burst(1, ms, false);
    other_waits();
    burst(1, ms, false);
    assert_int_equal(hostile->rest_tsc, 0);
    spend();
    hostile->rest_tsc = 0;
    other_waits();
    burst(32, 0, false);
    assert_int_equal(hostile->rest_tsc, 0);
    hostile->miss_credit = -(int64_t)ms;
    // Twelve in a tenth of a millisecond: as many again take that long.
    other_waits();
    burst(12, ms / 10, false);
    assert_in_range(hostile->rest_tsc - now, ms / 10, ms / 4);
    // What comes seldom, or one on the heels of the other: within bounds.
    other_waits();
    burst(1, ms * 9 / 10, false);
    assert_in_range(hostile->rest_tsc - now, ms / 4, ms / 2);
    hostile->rest_tsc = 0;
    other_waits();
    burst(1, 0, false);
    assert_in_range(hostile->rest_tsc - now, ms / 20, ms / 10);
    // Others of the queue came in between, which were not refused: they wait no longer than needed.
    hostile->rest_tsc = 0;
    atomic_fetch_add(&hostile->n_packets, 1000);
    other_waits();
    burst(1, ms * 9 / 10, false);
    assert_in_range(hostile->rest_tsc - now, ms / 20, ms / 10);
    // Nobody waits: there is no reason to begin another rest.
    uint64_t until = hostile->rest_tsc;
    burst(3, 3 * ms, false);
    assert_int_equal(hostile->rest_tsc, until);
    assert_true(until < now);
}

// How many new flows get through in 'n_ms' when each answer takes the PMD 'answer_ns'.
static uint64_t
asked_with_answers(unsigned n_ms, uint64_t answer_ns)
{
    uint64_t before = n_asked(), seen = before;

    for (unsigned i = 0; i < n_ms * 10; i++) {
        other_waits();
        burst(8, ms / 10, false);
        pmd_note_answer(pmd, (n_asked() - seen) * (ms / 1000) * answer_ns / 1000);
        seen = n_asked();
    }
    return n_asked() - before;
}

// Under a flood of refused packets half of the share is left for new flows, not less.
static void
test_refused_packets_take_half_of_the_share(void **state)
{
    spend();
    uint64_t before = n_asked();
    for (unsigned i = 0; i < 2000; i++) { // a second
        for (unsigned j = 0; j < 8; j++) {
            other_waits();
            burst(32, j ? 0 : ms / 2, false);
        }
    }
    // 1 % of a second; each takes 1.3 microseconds and what was measured, 3.8 at most.
    assert_in_range(n_asked() - before, 10000 / 6, 10000 * 10 / 13);
}

// What answers take is the asking queue's debt, whatever they are.
static void
test_answers_are_charged(void **state)
{
    spend();
    uint64_t cheap = asked_with_answers(200, 0);
    uint64_t dear = asked_with_answers(200, 10000);
    // 2 % of 200 ms; each miss is charged more than a microsecond, and more than ten.
    assert_in_range(cheap, 100, 200 * 1000 / 50);
    assert_in_range(dear, 20, 200 * 1000 / 50 / 10);
    // Answers to others' misses of long ago are not held against anybody for good.
    pmd_note_answer(pmd, UINT64_MAX / 2);
    assert_true(pmd->answer_cycles <= ms / 4);
}

// A flow of the hostile queue's that looks at addresses and UDP ports up to some bit each.
static struct dp_flow *
put_shape(unsigned i)
{
    static const struct dp_actions drop;
    struct flow_mask mask = {0};
    struct dp_flow *f = NULL;
    struct flow flow;

    flow_from_key(&pmd->burst.key[0], &flow);
    flow.in_port = hostile->odp;
    flow.nw_src = htonl(0x0a000000 + i);
    mask.bits.w[0] = UINT64_MAX;
    mask.bits.nw_src = htonl(UINT32_MAX << i % 32);
    mask.bits.tp_src = htons((uint16_t)(UINT16_MAX << i / 32 % 16));
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &drop};
    int error = dp_flow_put(dp, &put, &f);
    assert_true(!error || error == -EEXIST);
    return error ? NULL : f;
}

// Flows and masks of one port that come and go take nothing from what caches know of another's.
static void
test_caches_of_others_stay(void **state)
{
    static const struct dp_actions drop;
    struct flow_mask mask = {0};
    struct dp_flow *shapes[512];
    struct flow flow;

    burst_from(other, 1, ms, true);
    mask.bits.w[0] = UINT64_MAX;
    flow_from_key(&pmd->burst.key[0], &flow);
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &drop};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    atomic_store(&pmd->emc_inv_prob, 1);
    burst_from(other, 8, ms, true);
    uint64_t slow = perf_get(&pmd->perf, PMD_STAT_DPCLS_HIT) + n_asked();
    uint64_t emc = perf_get(&pmd->perf, PMD_STAT_EMC_HIT);
    for (unsigned i = 0; i < 512; i++) {
        shapes[i] = put_shape(i);
        burst_from(other, 8, ms / 10, true);
    }
    for (unsigned i = 0; i < 512; i++) {
        if (shapes[i]) {
            dp_flow_del(dp, shapes[i], NULL);
        }
        burst_from(other, 8, ms / 10, true);
    }
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_DPCLS_HIT) + n_asked(), slow);
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_EMC_HIT), emc + 2 * 512 * 8);
}

// What a miss is charged is bounded, and the bound is higher for one that wakes a handler.
static void
test_who_wakes_a_handler_pays_for_it(void **state)
{
    int64_t us = (int64_t)ms / 1000;

    pmd->polling = hostile;
    hostile->miss_credit = (int64_t)ms;
    pmd_charge_ask(pmd, ms);
    int64_t miss = (int64_t)ms - hostile->miss_credit;
    assert_in_range(miss, 4 * us, 6 * us);
    pmd->woke_handler = true;
    hostile->miss_credit = (int64_t)ms;
    pmd_charge_ask(pmd, ms);
    assert_in_range((int64_t)ms - hostile->miss_credit, miss + 15 * us, miss + 25 * us);
    hostile->miss_credit = (int64_t)ms;
    pmd_charge_ask(pmd, ms);
    assert_int_equal((int64_t)ms - hostile->miss_credit, miss);
    // No more than it took.
    pmd->woke_handler = true;
    hostile->miss_credit = (int64_t)ms;
    pmd_charge_ask(pmd, 0);
    assert_in_range((int64_t)ms - hostile->miss_credit, 1, miss);
    pmd->polling = NULL;
}

static void
test_drops_are_counted_for_their_queue(void **state)
{
    spend();
    uint64_t n = n_refused();
    other_waits();
    burst(5, 0, false);
    assert_int_equal(n_refused(), n + 5);
    assert_int_equal(atomic_load(&other->drops[DROP_MISS_SHARE]), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_waits_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credit_ends_and_returns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_others_have_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lane_recovers_soon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_limit_when_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lane_that_finds_flows_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_that_come_twice_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upcalls_by_action_have_the_same_share, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_queue_in_debt_rests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_packets_take_half_of_the_share, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_answers_are_charged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caches_of_others_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_wakes_a_handler_pays_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drops_are_counted_for_their_queue, setup, teardown),
    };

    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
