// SPDX-License-Identifier: Apache-2.0
//
// The exact-match cache has as many words as emc-entries says, also when that changes under
// traffic; one that most packets miss rests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_ports.h"
#include "packet/build.h"

enum { N_FLOWS = 16384, IN_PORT = 1 };

static struct dp *dp;
static struct pmd *pmd;

// The burst's packets are those of the flows from 'first' on.
static void
receive(uint32_t first, unsigned n)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    struct rte_mbuf *m[BURST_MAX];
    uint8_t buf[128];

    for (unsigned i = 0; i < n; i++) {
        m[i] = fake_packet(
            buf, compose_udp4(buf, sizeof buf, &src, &dst, 1, 2, (uint16_t)(first + i), 4, "x", 1));
    }
    fake_pmd_receive(pmd, IN_PORT, m, n);
}

// A megaflow for each port.
static void
put_flows(void)
{
    static const struct dp_actions drop;
    struct flow_mask mask = {0};
    struct flow flow;

    receive(0, 1);
    uint64_t shape = pmd->burst.key[0].map;
    flow_from_key(&pmd->burst.key[0], &flow);
    mask.bits.w[0] = UINT64_MAX;
    mask.bits.tp_src = UINT16_MAX;
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        flow.tp_src = htons((uint16_t)i);
        struct dp_flow_put put = {.key = &flow, .mask = &mask, .shape = shape, .actions = &drop};
        assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    }
}

static int
setup(void **state)
{
    dp = dp_create();
    dp->set.smc_enable = false;
    dp->set.emc_inv_prob = 1;
    pmd = fake_pmd(dp);
    put_flows();
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    return 0;
}

static void
set_entries(uint32_t n)
{
    dp->set.emc_entries = n;
    dp_apply_settings(dp, pmd);
}

static uint32_t
rest_now(void)
{
    return rcu_get(&pmd->emc.table)->rest;
}

// The first 'n_flows' flows in turn, 'rounds' times; percent of the last round's packets that the
// cache knew.
static unsigned
percent_found(unsigned n_flows, unsigned rounds)
{
    uint64_t before = 0;

    for (unsigned r = 0; r < rounds; r++) {
        before = perf_get(&pmd->perf, PMD_STAT_EMC_HIT);
        for (uint32_t i = 0; i < n_flows; i += BURST_MAX) {
            receive(i, BURST_MAX);
        }
    }
    return (unsigned)((perf_get(&pmd->perf, PMD_STAT_EMC_HIT) - before) * 100 / n_flows);
}

static void
test_as_many_flows_as_there_are_words(void **state)
{
    // Flows whose hashes lead to one word take it from each other.  By default there are 8,192
    // words: of 2,048 flows four in five have one alone, of 1,024 words one in seven, of a million
    // nearly all.  So few packets are no window: nothing rests.
    assert_int_equal(rcu_get(&pmd->emc.table)->n_entries, 8192);
    assert_in_range(percent_found(2048, 2), 65, 90);
    set_entries(EMC_ENTRIES_MIN);
    assert_in_range(percent_found(2048, 2), 5, 30);
    set_entries(EMC_ENTRIES_MAX);
    assert_in_range(percent_found(N_FLOWS, 2), 90, 100);
    // Where nothing changes nothing is lost.
    set_entries(EMC_ENTRIES_MAX);
    assert_in_range(percent_found(N_FLOWS, 1), 90, 100);
}

static void
test_a_cache_that_is_missed_rests(void **state)
{
    set_entries(EMC_ENTRIES_MIN);
    assert_in_range(percent_found(N_FLOWS, 3), 0, 5);
    assert_true(rest_now() > 0);
    // It is not asked meanwhile, and asked again when that is over.
    uint64_t hits = perf_get(&pmd->perf, PMD_STAT_EMC_HIT);
    while (rest_now()) {
        receive(7, BURST_MAX);
    }
    assert_int_equal(perf_get(&pmd->perf, PMD_STAT_EMC_HIT), hits);
    receive(7, BURST_MAX);
    receive(7, BURST_MAX);
    assert_true(perf_get(&pmd->perf, PMD_STAT_EMC_HIT) > hits);
}

// Hardly any flow is put into a cache of 'n' words, so most packets miss it; how long it rests
// after a window of them.
static uint32_t
rest_of_empty(uint32_t n)
{
    dp->set.emc_inv_prob = UINT32_C(1) << 30;
    set_entries(n);
    const struct emc_table *t = rcu_get(&pmd->emc.table);
    assert_int_equal(t->n_entries, n);
    for (uint32_t i = 0; i <= 2 * n + 2 * EMC_WINDOW && !t->rest; i += BURST_MAX) {
        receive(7, BURST_MAX);
    }
    return t->rest;
}

// A larger cache is judged by more packets: it is left alone for as many times more, so that all
// are asked of the same share of packets when they are of no use.
static void
test_the_rest_is_as_much_longer_as_the_window(void **state)
{
    assert_int_equal(rest_of_empty(EMC_ENTRIES_MIN), 262144);
    assert_int_equal(rest_of_empty(EMC_ENTRIES_DEFAULT), 262144);
    assert_int_equal(rest_of_empty(65536), 8 * 262144);
    assert_int_equal(rest_of_empty(EMC_ENTRIES_MAX), 128 * 262144);
}

static unsigned
words_used(void)
{
    const struct emc_table *t = rcu_get(&pmd->emc.table);
    unsigned n = 0;

    for (uint32_t i = 0; i < t->n_entries; i++) {
        n += t->w[i] != 0;
    }
    return n;
}

static void
set_inv_prob(uint32_t inv_prob)
{
    dp->set.emc_inv_prob = inv_prob;
    dp_apply_settings(dp, pmd);
}

// The key takes any number of 32 bits.  The larger it is, the fewer flows are put in: of these, the
// first one.
static void
test_the_least_probabilities(void **state)
{
    static const uint32_t probs[] = {(UINT32_C(1) << 31) + 1, UINT32_C(1) << 31, UINT32_MAX,
                                     (UINT32_C(1) << 30) + 1, UINT32_C(1) << 30};

    for (size_t i = 0; i < sizeof probs / sizeof probs[0]; i++) {
        set_entries(i % 2 ? 65536 : 32768); // an empty one
        set_inv_prob(probs[i]);
        percent_found(N_FLOWS, 1);
        assert_in_range(words_used(), 0, 2);
    }
    // And what comes after it counts at once.
    set_inv_prob(1);
    percent_found(N_FLOWS, 1);
    assert_true(words_used() > N_FLOWS / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_many_flows_as_there_are_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cache_that_is_missed_rests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_rest_is_as_much_longer_as_the_window, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_least_probabilities, setup, teardown),
    };

    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
