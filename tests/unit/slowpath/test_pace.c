// SPDX-License-Identifier: Apache-2.0
/* Rests are in proportion to work, within bounds. */
#include "../unit.h"

#include "slowpath/pace.h"

static int64_t
rest_after_ms(int64_t worked_ms)
{
    struct pace pace = {0};

    pace_worked(&pace, pace_now_ns() - worked_ms * 1000000, PACE_REST_FACTOR, PACE_REST_MIN_MS);
    return (atomic_load(&pace.rest_until_ns) - pace_now_ns()) / 1000000;
}

static void
a_rest_is_in_proportion_to_work(void **state)
{
    (void)state;
    /* Wide enough for a machine that stops the test for a while. */
    assert_in_range(rest_after_ms(0), 0, 5 * PACE_REST_MIN_MS);
    assert_in_range(rest_after_ms(30), 15 * PACE_REST_FACTOR, 60 * PACE_REST_FACTOR);
    assert_in_range(rest_after_ms(1000), PACE_REST_MAX_MS / 2, PACE_REST_MAX_MS);
}

static void
a_rest_ends(void **state)
{
    const struct timespec never = {.tv_sec = INT32_MAX};
    struct pace pace = {0};
    struct timespec t;

    (void)state;
    assert_false(pace_rests(&pace));
    pace_worked(&pace, pace_now_ns(), PACE_REST_FACTOR, PACE_REST_MIN_MS);
    assert_true(pace_rests(&pace));
    t = pace_or(&pace, never);
    assert_int_not_equal(t.tv_sec, never.tv_sec);
    assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
    assert_false(pace_rests(&pace));
    t = pace_or(&pace, (struct timespec){.tv_sec = 1});
    assert_int_equal(t.tv_sec, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_is_in_proportion_to_work),
        cmocka_unit_test(a_rest_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
