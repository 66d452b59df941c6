// SPDX-License-Identifier: Apache-2.0
//
// The CPU variant of bucket_match() against the plain one, and the signature cache built on it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "pmd/bucket.h"
#include "pmd/cache.h"

static void
test_match_agrees_with_plain(void **state)
{
    static struct bucket b;

    for (int round = 0; round < 100000; round++) {
        uint32_t hash = random_u32() & 3; // few values: many matches, and hash 0 meets empty words
        for (unsigned i = 0; i < BUCKET_WORDS; i++) {
            bucket_set(&b, i, bucket_word(random_u32() & 3, random_u32()));
        }
        assert_int_equal(bucket_match(&b, hash), bucket_match_plain(&b, hash));
    }
}

static uint32_t
smc_find(const struct smc *smc, uint32_t hash)
{
    const struct bucket *b = &smc->b[hash & smc->mask];
    unsigned match = bucket_match(b, hash);

    return match ? bucket_word_slot(bucket_get(b, (unsigned)__builtin_ctz(match))) : 0;
}

static void
test_smc_finds_what_was_inserted(void **state)
{
    struct smc *smc = smc_create(1024);
    unsigned found = 0;

    for (uint32_t i = 1; i <= 4096; i++) {
        smc_insert(smc, i * 2654435761u, i);
    }
    for (uint32_t i = 1; i <= 4096; i++) {
        uint32_t slot = smc_find(smc, i * 2654435761u);
        assert_true(slot == 0 || slot == i);
        found += slot == i;
    }
    // Half full: few lines overflow.
    assert_true(found > 3900);
    smc_free(smc);
}

static void
test_smc_replaces_a_hash_in_place(void **state)
{
    struct smc *smc = smc_create(1024);

    smc_insert(smc, 77, 1);
    smc_insert(smc, 77, 2);
    assert_int_equal(smc_find(smc, 77), 2);
    assert_int_equal(__builtin_popcount(bucket_match(&smc->b[77], 77)), 1);
    smc_free(smc);
}

static void
test_smc_counts_evictions(void **state)
{
    struct smc *smc = smc_create(1024);

    for (uint32_t i = 0; i < 9; i++) {
        smc_insert(smc, (i + 1) << 12 | 5, i + 1);
    }
    assert_int_equal(atomic_load(&smc->n_evicted), 1);
    smc_free(smc);
}

static void
test_smc_keeps_words_when_resized(void **state)
{
    struct smc *small = smc_create(1024);

    for (uint32_t i = 1; i <= 2000; i++) {
        smc_insert(small, i * 2654435761u, i);
    }
    struct smc *big = smc_create_from(small, 4096);
    for (uint32_t i = 1; i <= 2000; i++) {
        if (smc_find(small, i * 2654435761u) == i) {
            assert_int_equal(smc_find(big, i * 2654435761u), i);
        }
    }
    smc_free(small);
    smc_free(big);
}

static void
test_smc_sweep_counts_and_clears(void **state)
{
    struct smc *smc = smc_create(1024);
    uint32_t n = 0;

    for (uint32_t i = 1; i <= 500; i++) {
        smc_insert(smc, i * 2654435761u, i);
    }
    for (uint32_t part = 0; part < 7; part++) {
        n += smc_sweep(smc, part, 7);
    }
    assert_int_equal(n, 500);
    for (uint32_t i = 1; i <= 500; i++) {
        assert_int_equal(smc_find(smc, i * 2654435761u), 0);
    }
    smc_free(smc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match_agrees_with_plain),
        cmocka_unit_test(test_smc_finds_what_was_inserted),
        cmocka_unit_test(test_smc_replaces_a_hash_in_place),
        cmocka_unit_test(test_smc_counts_evictions),
        cmocka_unit_test(test_smc_keeps_words_when_resized),
        cmocka_unit_test(test_smc_sweep_counts_and_clears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
