// SPDX-License-Identifier: Apache-2.0
/*
 * Buckets of balanced bonds: their hash, their first places, and where load takes them.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/util.h"
#include "ofproto/bond.h"

static struct bond *
make(size_t n)
{
    struct bond *bond = xzalloc(sizeof *bond);

    bond->members = xcalloc(n, sizeof *bond->members);
    bond->n_members = n;
    bond->active = -1;
    bond->loads = xzalloc(sizeof *bond->loads);
    memset(bond->bucket, BOND_NO_MEMBER, sizeof bond->bucket);
    for (size_t i = 0; i < n; i++) {
        bond->members[i].name = xasprintf("m%zu", i);
        bond->members[i].enabled = true;
    }
    return bond;
}

static void
destroy(struct bond *bond)
{
    for (size_t i = 0; i < bond->n_members; i++) {
        free(bond->members[i].name);
    }
    free(bond->members);
    free(bond->loads);
    free(bond);
}

static unsigned
buckets_of(const struct bond *bond, unsigned member)
{
    unsigned n = 0;

    for (int i = 0; i < BOND_BUCKETS; i++) {
        n += bond->bucket[i] == member;
    }
    return n;
}

static void
count(struct bond *bond, int bucket, uint64_t bytes)
{
    atomic_fetch_add(&bond->loads->bytes[bucket], bytes);
}

static uint64_t
load_of(const struct bond *bond, unsigned member)
{
    uint64_t sum = 0;

    for (int i = 0; i < BOND_BUCKETS; i++) {
        sum += bond->bucket[i] == member ? bond_load(bond, i) : 0;
    }
    return sum;
}

/* What ovs-appctl bond/hash of Open vSwitch 3.1 says. */
static void
the_hash_of_other_hosts(void **state)
{
    const struct rte_ether_addr a = {{2, 0, 0, 0, 0, 1}},
                                b = {{0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54}};

    (void)state;
    assert_int_equal(bond_hash_mac(a, 0, 0) % 256, 38);
    assert_int_equal(bond_hash_mac(a, 7, 0) % 256, 239);
    assert_int_equal(bond_hash_mac(a, 4095, 9) % 256, 62);
    assert_int_equal(bond_hash_mac(b, 100, 4294967295u) % 256, 88);
}

static void
buckets_are_spread_and_stay(void **state)
{
    struct bond *bond = make(3);
    uint8_t before[BOND_BUCKETS];

    (void)state;
    bond_spread(bond);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(buckets_of(bond, i), 85, 86);
    }
    memcpy(before, bond->bucket, sizeof before);
    bond->members[1].enabled = false;
    bond_spread(bond);
    assert_int_equal(buckets_of(bond, 1), 0);
    assert_int_equal(buckets_of(bond, 0), 128);
    for (int i = 0; i < BOND_BUCKETS; i++) {
        assert_true(before[i] == 1 || bond->bucket[i] == before[i]);
    }
    bond->members[1].enabled = true;
    bond_spread(bond);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(buckets_of(bond, i), 85, 86);
    }
    for (unsigned i = 0; i < 3; i++) {
        bond->members[i].enabled = false;
    }
    bond_spread(bond);
    assert_int_equal(buckets_of(bond, BOND_NO_MEMBER), 256);
    assert_false(bond_rebalance(bond, "b"));
    destroy(bond);
}

static void
load_moves_to_who_has_less(void **state)
{
    struct bond *bond = make(2);
    int mine[8], n = 0;

    (void)state;
    bond_spread(bond);
    for (int i = 0; i < BOND_BUCKETS && n < 8; i++) {
        if (bond->bucket[i] == 0) {
            mine[n++] = i;
        }
    }
    for (int i = 0; i < 8; i++) {
        count(bond, mine[i], 1000000);
    }
    assert_true(bond_rebalance(bond, "b"));
    assert_int_equal(load_of(bond, 0), 2000000); /* half of it, and half is forgotten */
    assert_int_equal(load_of(bond, 1), 2000000);
    assert_false(bond_rebalance(bond, "b"));
    destroy(bond);
}

static void
what_is_not_worth_it_stays(void **state)
{
    struct bond *bond = make(2);
    uint8_t before[BOND_BUCKETS];

    (void)state;
    bond_spread(bond);
    memcpy(before, bond->bucket, sizeof before);
    count(bond, 0, 99999); /* too little */
    assert_false(bond_rebalance(bond, "b"));
    count(bond, 0, UINT64_C(1) << 40); /* all of it in one bucket: nowhere is better */
    assert_false(bond_rebalance(bond, "b"));
    assert_memory_equal(bond->bucket, before, sizeof before);
    for (int i = 0; i < 8; i++) {
        assert_false(bond_rebalance(bond, "b"));
    }
    assert_true(bond_load(bond, 0) < UINT64_C(1) << 32); /* forgotten by halves */
    for (int i = 0; i < 40; i++) {
        bond_rebalance(bond, "b");
    }
    assert_int_equal(bond_load(bond, 0), 0);
    destroy(bond);
}

/* Whatever the loads: nothing is lost, nothing goes to a member that is out, the greatest
 * difference never grows, and it comes to rest. */
static void
random_loads(void **state)
{
    uint32_t x = 7;

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = 2 + (unsigned)round % 6;
        struct bond *bond = make(n);

        bond->members[round % n].enabled = round % 5;
        bond_spread(bond);
        for (int i = 0; i < BOND_BUCKETS; i++) {
            x = x * 1664525 + 1013904223;
            count(bond, i, x >> 28 ? 0 : (uint64_t)x << (x >> 4 & 7));
        }
        uint64_t sum = 0, most = 0, after_most = 0;
        for (unsigned m = 0; m < n; m++) {
            uint64_t load = load_of(bond, m);
            sum += load;
            most = MAX(most, load);
        }
        bond_rebalance(bond, "b");
        uint64_t after = 0;
        for (unsigned m = 0; m < n; m++) {
            uint64_t load = load_of(bond, m);
            after += load;
            after_most = MAX(after_most, load);
            assert_true(bond->members[m].enabled || !buckets_of(bond, m));
        }
        assert_in_range(after, sum / 2 - BOND_BUCKETS, sum / 2);
        assert_true(after_most <= most / 2 + BOND_BUCKETS);
        int times = 0;
        while (bond_rebalance(bond, "b")) {
            assert_true(++times < 50);
        }
        destroy(bond);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_other_hosts),
        cmocka_unit_test(buckets_are_spread_and_stay),
        cmocka_unit_test(load_moves_to_who_has_less),
        cmocka_unit_test(what_is_not_worth_it_stays),
        cmocka_unit_test(random_loads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
