// SPDX-License-Identifier: Apache-2.0
//
// The keeper and the signature cache: it grows with what is pushed out, up to its bound.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_ports.h"

static struct dp *dp;
static struct pmd *pmd;

static int
setup(void **state)
{
    dp = dp_create();
    pmd = fake_pmd(dp);
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    return 0;
}

static uint32_t
size_now(void)
{
    uint32_t n = rcu_get(&pmd->smc)->n_buckets;

    rcu_quiesce();
    return n;
}

// What the PMD does with 'n' flows in turn whose words are often gone, for 'ms'.
static void
load(uint32_t n, unsigned ms)
{
    for (unsigned t = 0; t < ms; t++) {
        struct smc *smc = rcu_get(&pmd->smc);
        for (uint32_t i = 1; i <= n; i++) {
            smc_insert(smc, i * 2654435761u, i);
        }
        perf_add(&pmd->perf, PMD_STAT_DPCLS_HIT, n);
        rcu_quiesce();
        usleep(1000);
    }
}

static void
wait_for_size(uint32_t n_buckets, uint32_t n_flows)
{
    for (unsigned i = 0; i < 200 && size_now() != n_buckets; i++) {
        load(n_flows, 50);
    }
    assert_int_equal(size_now(), n_buckets);
}

static void
test_the_cache_grows_to_its_bound_and_back(void **state)
{
    assert_int_equal(size_now(), SMC_MIN_BUCKETS);
    atomic_store(&pmd->smc_max_buckets, 2 * SMC_MIN_BUCKETS);
    wait_for_size(2 * SMC_MIN_BUCKETS, 60000);
    load(60000, 400); // four more looks of the keeper
    assert_int_equal(size_now(), 2 * SMC_MIN_BUCKETS);
    // With more room it grows as far as it needs.
    atomic_store(&pmd->smc_max_buckets, 64 * SMC_MIN_BUCKETS);
    for (unsigned i = 0; i < 200 && size_now() < 8 * SMC_MIN_BUCKETS; i++) {
        load(60000, 50);
    }
    assert_true(size_now() >= 8 * SMC_MIN_BUCKETS);
    // A bound made less takes effect at once.
    atomic_store(&pmd->smc_max_buckets, SMC_MIN_BUCKETS);
    wait_for_size(SMC_MIN_BUCKETS, 1);
}

static uint32_t
hash_of(uint32_t flow)
{
    return flow * 2654435761u;
}

static uint32_t
n_found(uint32_t n_flows)
{
    const struct smc *smc = rcu_get(&pmd->smc);
    uint32_t n = 0;

    for (uint32_t i = 1; i <= n_flows; i++) {
        n += bucket_match(&smc->b[hash_of(i) & smc->mask], hash_of(i)) != 0;
    }
    return n;
}

// A tick of the keeper after each of 'n_flows' had a packet: who is not in the cache is looked up
// and put there.
static void
tick_under_load(struct keeper *k, uint32_t n_flows)
{
    struct smc *smc = rcu_get(&pmd->smc);

    for (uint32_t i = 1; i <= n_flows; i++) {
        if (bucket_match(&smc->b[hash_of(i) & smc->mask], hash_of(i))) {
            perf_add(&pmd->perf, PMD_STAT_SMC_HIT, 1);
        } else {
            smc_insert(smc, hash_of(i), i);
            perf_add(&pmd->perf, PMD_STAT_DPCLS_HIT, 1);
        }
    }
    keeper_tick(k);
    rcu_quiesce();
}

static void
test_the_cache_follows_a_million_flows_and_back(void **state)
{
    enum { MANY = 1000000, FEW = 500, TICKS_OF_SWEEP = 256 };
    struct keeper *k;

    keeper_stop(dp); // its thread: the ticks are ours
    k = keeper_create(dp);
    for (unsigned i = 0; i < 20; i++) {
        tick_under_load(k, MANY);
    }
    // Words of eight in a line, and lines that chance fills first: nearly all are found.
    assert_in_range(size_now(), MANY / BUCKET_WORDS, SMC_MAX_BUCKETS_DEFAULT);
    assert_true(n_found(MANY) > MANY * 97 / 100);
    // The first sweep still meets the words of flows that are gone.
    for (unsigned i = 0; i < 8 * TICKS_OF_SWEEP; i++) {
        tick_under_load(k, FEW);
    }
    assert_int_equal(size_now(), SMC_MIN_BUCKETS);
    // A sweep empties one of 256 parts at a time, and the flows come back at once.
    assert_true(n_found(FEW) > FEW * 97 / 100);
    assert_in_range(atomic_load(&pmd->smc_most_buckets), MANY / BUCKET_WORDS,
                    SMC_MAX_BUCKETS_DEFAULT);
    assert_true(atomic_load(&pmd->smc_evicted) > 0);
    free(k);
    rcu_barrier();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_cache_grows_to_its_bound_and_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_cache_follows_a_million_flows_and_back, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
