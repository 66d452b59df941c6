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

#define PACKED (1ULL << 34)

enum { FEATURES = 2, RESET = 4, NUM = 8, ADDR, BASE, STOP, KICK };

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
        assert_true(set_features(turn % 2 == 0 ? PACKED : 0));
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
    // All is forgotten.
    assert_true(say(RESET, 0, 0));
    assert_false(say(KICK, 0, 0));
    assert_int_equal(rings.n_entries, 0);
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
    assert_true(say(NUM, 1, 256));
    assert_true(say(ADDR, 1, 0));
    assert_false(say(KICK, 1, 0));
    assert_false(say(KICK, 1 | 256, 0)); // no descriptor comes with it
}

static void
test_the_kind_of_rings(void **state)
{
    assert_true(say(NUM, 0, 256));
    assert_true(set_features(PACKED));
    assert_false(say(ADDR, 0, 0)); // what the library has is of the other kind
    assert_true(start(0, 256, 0));
    assert_false(set_features(0));
    assert_true(set_features(PACKED | 1));
    assert_true(say(STOP, 0, 0));
    assert_true(set_features(0));
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
