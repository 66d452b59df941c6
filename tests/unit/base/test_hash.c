// SPDX-License-Identifier: Apache-2.0
/*
 * Quality of the hash: every input bit moves every output bit, sequences spread over buckets, the
 * seed matters, tails of different lengths differ.
 */
#include "../unit.h"

#include <math.h>

#include "base/hash.h"
#include "base/random.h"

static void
each_input_bit_flips_half_the_output(void **state)
{
    enum { N = 4000 };

    random_set_seed(3);
    for (unsigned int in = 0; in < 64; in++) {
        unsigned int flips[64] = {0};

        for (int i = 0; i < N; i++) {
            uint64_t x = random_u64();
            uint64_t diff = hash_u64(x, 0) ^ hash_u64(x ^ UINT64_C(1) << in, 0);
            for (unsigned int out = 0; out < 64; out++) {
                flips[out] += diff >> out & 1;
            }
        }
        for (unsigned int out = 0; out < 64; out++) {
            /* Half, give or take 6 standard deviations. */
            assert_true(fabs(flips[out] - N / 2.0) < 6 * sqrt(N / 4.0));
        }
    }
}

static void
check_spread(uint64_t (*hash)(uint32_t), unsigned int shift)
{
    enum { BUCKETS = 1024, N = BUCKETS * 64 };
    static unsigned int counts[BUCKETS];
    double chi2 = 0;

    memset(counts, 0, sizeof(counts));
    for (uint32_t i = 0; i < N; i++) {
        counts[hash(i) >> shift & (BUCKETS - 1)]++;
    }
    for (int i = 0; i < BUCKETS; i++) {
        chi2 += (counts[i] - 64.0) * (counts[i] - 64.0) / 64.0;
    }
    /* Mean BUCKETS - 1, variance twice that. */
    assert_true(chi2 < BUCKETS - 1 + 8 * sqrt(2.0 * BUCKETS));
}

static uint64_t
hash_sequence(uint32_t i)
{
    return hash_u64(i, 0);
}

static uint64_t
hash_sequence_bytes(uint32_t i)
{
    uint8_t bytes[13] = {0};

    memcpy(bytes + 6, &i, sizeof(i));
    return hash_bytes(bytes, sizeof(bytes), 0);
}

static uint64_t
hash_high_bits(uint32_t i)
{
    return hash_2u64((uint64_t)i << 48, (uint64_t)i << 32, 0);
}

static void
sequences_spread_over_buckets(void **state)
{
    for (int seed = 0; seed < 5; seed++) {
        hash_set_seed((uint64_t)seed);
        for (unsigned int shift = 0; shift <= 48; shift += 16) {
            check_spread(hash_sequence, shift);
            check_spread(hash_sequence_bytes, shift);
            check_spread(hash_high_bits, shift);
        }
    }
}

static void
seed_and_length_matter(void **state)
{
    static const uint8_t zeros[64];

    hash_set_seed(1);
    uint64_t a = hash_u64(42, 0), b = hash_bytes("abc", 3, 0);
    hash_set_seed(2);
    assert_true(a != hash_u64(42, 0));
    assert_true(b != hash_bytes("abc", 3, 0));
    for (size_t i = 0; i < sizeof(zeros); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(hash_bytes(zeros, i, 0) != hash_bytes(zeros, j, 0));
        }
    }
    assert_true(hash_u64(1, 0) != hash_u64(1, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_input_bit_flips_half_the_output),
        cmocka_unit_test(sequences_spread_over_buckets),
        cmocka_unit_test(seed_and_length_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
