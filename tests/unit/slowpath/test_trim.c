// SPDX-License-Identifier: Apache-2.0
/* Memory is given back once after many flows have gone, and not while they may come again. */
#include "../unit.h"

#include "slowpath/trim.h"

static unsigned
times(struct trim *t, uint64_t n_flows, unsigned n_walks)
{
    unsigned n = 0;

    while (n_walks--) {
        n += trim_is_due(t, n_flows);
    }
    return n;
}

static void
once_after_many_have_gone(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_int_equal(times(&t, 1000000, 100), 0);
    assert_int_equal(times(&t, 300000, 100), 0); /* too many are left */
    assert_int_equal(times(&t, 200000, TRIM_WALKS - 1), 0);
    assert_int_equal(times(&t, 200000, 100), 1);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_after_many_have_gone),
        cmocka_unit_test(not_for_few),
        cmocka_unit_test(not_while_they_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
