// SPDX-License-Identifier: Apache-2.0
//
// What a front-end may say of its rings, message by message.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netdev/netdev_vhost_rings.h"

#define MQ (1ULL << 22)
#define LOG_ALL (1ULL << 26)
#define EVENT_IDX (1ULL << 29)
#define IOMMU (1ULL << 33)
#define PACKED (1ULL << 34)

enum { FEATURES = 2, RESET = 4, MEMORY, NUM = 8, ADDR, BASE, STOP, KICK, IOTLB = 22 };

static struct netdev_vhost_rings rings;

static int
set_up(void **state)
{
    memset(&rings, 0, sizeof(rings));
    return 0;
}

static bool
say(uint32_t request, uint32_t ring, uint32_t value)
{
    const uint32_t payload[10] = {ring, value};
    bool may = netdev_vhost_rings_may(&rings, request, payload);

    if (may) {
        netdev_vhost_rings_did(&rings, request, payload);
    }
    return may;
}

static bool
set_features(uint64_t features)
{
    return say(FEATURES, (uint32_t)features, (uint32_t)(features >> 32));
}

static bool
start(uint32_t ring, uint32_t size, uint32_t base)
{
    return say(NUM, ring, size) && say(BASE, ring, base) && say(ADDR, ring, 0) &&
           say(KICK, ring, 0);
}

static void
test_as_front_ends_do(void **state)
{
    assert_true(set_features(0));
    for (int turn = 0; turn < 3; turn++) {
        for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
            assert_true(start(i, 1024, 37 * i % 1024));
            assert_true(say(NUM, i, 1024)); // the same again
        }
        for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
            assert_true(say(STOP, i, 0));
        }
        // Another driver of the guest.
        assert_true(set_features(turn % 2 == 0 ? PACKED | MQ : 0));
    }
    assert_int_equal(rings.n_entries, 0);
}

static void
test_a_size_comes_first(void **state)
{
    assert_false(say(ADDR, 0, 0));
    assert_false(say(KICK, 0, 0));
    assert_true(start(0, 256, 0));
    assert_true(say(STOP, 0, 0));
    assert_false(say(ADDR, 0, 0));
    assert_false(say(KICK, 0, 0));
    assert_true(start(0, 256, 0));
    // The library would forget what it has for it.
    assert_false(say(RESET, 0, 0));
    assert_int_equal(rings.n_entries, 256);
}

static void
test_a_size_that_the_library_did_not_take(void **state)
{
    const uint32_t payload[10] = {0, 256};

    assert_true(netdev_vhost_rings_may(&rings, NUM, payload));
    assert_false(say(ADDR, 0, 0));
    assert_false(say(KICK, 0, 0));
    // Of a ring that runs: it has none any more.
    assert_true(start(0, 256, 0));
    assert_true(netdev_vhost_rings_may(&rings, NUM, payload));
    assert_false(say(KICK, 0, 0));
}

static void
test_sizes(void **state)
{
    static const uint32_t bad[] = {0, 3, 255, 32769, 65536, UINT32_MAX};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(say(NUM, 1, bad[i]));
    }
    assert_true(say(NUM, 1, 32768));
    assert_true(say(NUM, 1, 128));
    assert_true(say(ADDR, 1, 0));
    assert_false(say(NUM, 1, 256));
    assert_false(say(NUM, 1, 64));
    assert_true(say(NUM, 1, 128));
    assert_true(say(STOP, 1, 0));
    assert_true(say(NUM, 1, 256));
    assert_true(set_features(PACKED));
    assert_true(say(NUM, 1, 255)); // packed ones have any
    // Rings that there cannot be are the library's.
    assert_true(say(NUM, VHOST_RINGS_MAX, 0));
    assert_true(say(ADDR, UINT32_MAX, 0));
}

static void
test_all_together(void **state)
{
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(say(NUM, i, 32768));
    }
    assert_false(say(NUM, 8, 1));
    assert_true(say(NUM, 7, 16384));
    assert_true(say(NUM, 8, 16384));
    assert_false(say(NUM, 9, 1));
    assert_true(say(STOP, 0, 0));
    assert_true(say(NUM, 9, 32768));
    assert_int_equal(rings.n_entries, VHOST_RINGS_MAX_ENTRIES);
}

static void
test_packed_rings_begin_within_themselves(void **state)
{
    assert_true(set_features(PACKED));
    assert_true(start(0, 256, 0x80ff80ff));
    assert_false(say(BASE, 0, 256));
    assert_false(say(BASE, 0, 256u << 16));
    assert_true(say(BASE, 0, 255));
    // It was stopped somewhere: without a word the library goes on there, with another size.
    assert_true(say(STOP, 0, 0));
    assert_true(say(NUM, 0, 16));
    assert_true(say(ADDR, 0, 0));
    assert_false(say(KICK, 0, 0));
    assert_true(say(BASE, 0, 15));
    assert_true(say(KICK, 0, 0));
    // A place that was said before the size.
    assert_true(say(BASE, 1, 0x7fff));
    assert_false(say(NUM, 1, 256));
    assert_false(say(ADDR, 1, 0));
    assert_false(say(KICK, 1, 0));
    assert_true(say(BASE, 1, 255));
    assert_true(say(NUM, 1, 256));
    assert_false(say(NUM, 1, 255));
    assert_true(say(ADDR, 1, 0) && say(KICK, 1, 0));
    assert_false(say(KICK, 2 | 256, 0)); // no descriptor comes with it
}

static void
test_the_kind_of_rings(void **state)
{
    assert_true(say(NUM, 0, 256));
    assert_true(set_features(PACKED));
    assert_false(say(ADDR, 0, 0)); // what the library has is of the other kind
    assert_true(start(0, 256, 0));
    assert_false(set_features(0));
    assert_true(set_features(PACKED | LOG_ALL));
    assert_true(say(STOP, 0, 0));
    assert_true(set_features(0));
}

// A split ring is anywhere of 65,536, a packed one within itself, with 15 bits.
static void
test_where_a_ring_of_the_other_kind_was(void **state)
{
    assert_true(say(BASE, 0, 0x80ff) && say(BASE, 1, 5));
    assert_true(set_features(PACKED));
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(say(NUM, i, 256));
        assert_true(say(ADDR, i, 0));
        assert_false(say(KICK, i, 0));
        assert_true(say(BASE, i, 0x80058005) && say(KICK, i, 0));
        assert_true(say(STOP, i, 0));
    }
    // Ring 2 was nowhere yet: both kinds begin there.
    assert_true(say(NUM, 2, 256) && say(ADDR, 2, 0) && say(KICK, 2, 0));
}

// What the library has for rings of one kind it keeps until they have another size.
static void
test_all_together_of_both_kinds(void **state)
{
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(say(NUM, i, 32768));
    }
    assert_false(set_features(PACKED)); // the library would free all but two
    assert_true(set_features(PACKED | MQ));
    assert_false(say(NUM, 8, 1));
    assert_true(say(STOP, 0, 0));
    assert_true(say(NUM, 8, 32768));
    assert_false(say(NUM, 0, 1));
}

// The length of a ring that was looked at is that of its features.
static void
test_features_of_placed_rings(void **state)
{
    assert_true(set_features(MQ));
    assert_true(say(NUM, 2, 256));
    assert_false(set_features(0));
    assert_true(set_features(MQ | EVENT_IDX));
    assert_true(say(ADDR, 2, 0));
    assert_false(set_features(MQ));
    assert_true(set_features(MQ | EVENT_IDX | LOG_ALL));
    assert_true(set_features(MQ | EVENT_IDX));
    assert_true(say(STOP, 2, 0));
    assert_true(set_features(0));
    // The library remembers the place of a ring that is started again without.
    assert_true(say(NUM, 0, 256) && say(KICK, 0, 0));
    assert_false(say(NUM, 0, 512));
    assert_false(set_features(EVENT_IDX));
}

static void
test_started_rings(void **state)
{
    assert_false(netdev_vhost_rings_has_started(&rings, 0));
    assert_true(say(NUM, 0, 256) && say(ADDR, 0, 0));
    assert_false(netdev_vhost_rings_has_started(&rings, 0));
    assert_true(say(KICK, 0, 0));
    assert_true(netdev_vhost_rings_has_started(&rings, 0));
    assert_true(say(STOP, 0, 0));
    assert_false(netdev_vhost_rings_has_started(&rings, 0));
    assert_false(netdev_vhost_rings_has_started(&rings, UINT32_MAX));
}

static void
test_what_an_iommu_said_of_memory_that_is_gone(void **state)
{
    assert_true(set_features(IOMMU) && say(MEMORY, 0, 0) && say(IOTLB, 0, 0));
    // While it is used, the library forgets it with the memory.
    assert_true(say(MEMORY, 0, 0) && set_features(0) && set_features(IOMMU));
    assert_true(set_features(0) && say(MEMORY, 0, 0) && set_features(EVENT_IDX));
    assert_false(set_features(IOMMU));
}

static void
test_what_an_iommu_said_too_early(void **state)
{
    assert_true(set_features(0) && say(MEMORY, 0, 0) && say(MEMORY, 0, 0));
    assert_true(set_features(IOMMU) && set_features(0));
    assert_true(say(IOTLB, 0, 0) && say(MEMORY, 0, 0));
    assert_false(set_features(IOMMU));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_as_front_ends_do, set_up),
        cmocka_unit_test_setup(test_a_size_comes_first, set_up),
        cmocka_unit_test_setup(test_a_size_that_the_library_did_not_take, set_up),
        cmocka_unit_test_setup(test_sizes, set_up),
        cmocka_unit_test_setup(test_all_together, set_up),
        cmocka_unit_test_setup(test_packed_rings_begin_within_themselves, set_up),
        cmocka_unit_test_setup(test_the_kind_of_rings, set_up),
        cmocka_unit_test_setup(test_where_a_ring_of_the_other_kind_was, set_up),
        cmocka_unit_test_setup(test_all_together_of_both_kinds, set_up),
        cmocka_unit_test_setup(test_features_of_placed_rings, set_up),
        cmocka_unit_test_setup(test_started_rings, set_up),
        cmocka_unit_test_setup(test_what_an_iommu_said_of_memory_that_is_gone, set_up),
        cmocka_unit_test_setup(test_what_an_iommu_said_too_early, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
