// SPDX-License-Identifier: Apache-2.0
/* Memory is given back once after many flows have gone, and not while they may come again. */
#include "../unit.h"

#include "slowpath/trim.h"

enum { WALK_MS = 500 };

static uint64_t n_upcalls;
static int64_t now_ms;

/* How often it is due in so many walks, with so many upcalls between two of them. */
static unsigned
times_busy(struct trim *t, uint64_t n_flows, unsigned n_walks, unsigned n_upcalls_each)
{
    unsigned n = 0;

    while (n_walks--) {
        now_ms += WALK_MS;
        n_upcalls += n_upcalls_each;
        n += trim_is_due(t, n_flows, n_upcalls, now_ms);
    }
    return n;
}

static unsigned
times(struct trim *t, uint64_t n_flows, unsigned n_walks)
{
    return times_busy(t, n_flows, n_walks, 0);
}

static void
once_after_many_have_gone(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_int_equal(times(&t, 1000000, 100), 0);
    assert_int_equal(times(&t, 300000, 100), 0); /* too many are left */
    assert_int_equal(times(&t, 200000, TRIM_WALKS - 1), 0);
    assert_int_equal(times(&t, 200000, 200), 1);
    assert_int_equal(times(&t, 0, 100), 1);
    assert_int_equal(times(&t, 0, 100), 0);
}

static void
not_for_few(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_int_equal(times(&t, TRIM_FLOWS - 1, 10), 0);
    assert_int_equal(times(&t, 0, 100), 0);
    assert_int_equal(times(&t, TRIM_FLOWS, 10), 0);
    assert_int_equal(times(&t, 0, 100), 1);
}

static void
not_while_they_come_and_go(void **state)
{
    struct trim t = {0};

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(times(&t, 200000, 1), 0);
        assert_int_equal(times(&t, 0, TRIM_WALKS - 1), 0);
    }
}

/* It makes handlers wait. */
static void
not_while_packets_miss(void **state)
{
    enum { FEW = TRIM_UPCALLS * WALK_MS / 1000 };
    struct trim t = {0};

    (void)state;
    assert_int_equal(times(&t, 1000000, 1), 0);
    assert_int_equal(times_busy(&t, 0, 1000, FEW + 1), 0);
    assert_int_equal(times_busy(&t, 0, TRIM_WALKS - 1, FEW), 0);
    assert_int_equal(times_busy(&t, 0, 1, FEW + 1), 0); /* From the beginning. */
    assert_int_equal(times_busy(&t, 0, TRIM_WALKS - 1, FEW), 0);
    assert_int_equal(times_busy(&t, 0, 1, FEW), 1);

    /* Walks that follow each other at once see few upcalls each. */
    t = (struct trim){0};
    assert_int_equal(times(&t, 1000000, 1), 0);
    for (unsigned i = 0; i < 1000; i++) {
        now_ms++;
        n_upcalls += FEW;
        assert_false(trim_is_due(&t, 0, n_upcalls, now_ms));
    }
}

static void
once_a_minute(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_int_equal(times(&t, 1000000, 1), 0);
    assert_int_equal(times(&t, 0, TRIM_WALKS), 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(times(&t, 1000000, 1), 0);
        assert_int_equal(times(&t, 0, TRIM_WALKS + 6), 0);
    }
    /* What was freed meanwhile is not forgotten. */
    assert_int_equal(times(&t, 0, TRIM_REST_MS / WALK_MS), 1);
    assert_int_equal(times(&t, 0, 1000), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_after_many_have_gone),
        cmocka_unit_test(not_for_few),
        cmocka_unit_test(not_while_they_come_and_go),
        cmocka_unit_test(not_while_packets_miss),
        cmocka_unit_test(once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
