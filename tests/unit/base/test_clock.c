// SPDX-License-Identifier: Apache-2.0
/*
 * The clock: runs, stops, warps; waits follow; the cycle counter's frequency is plausible.
 */
#include "../unit.h"

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static void
count_warps(void *arg)
{
    ++*(int *)arg;
}

static void
runs_then_stops_then_warps(void **state)
{
    int n_warps = 0;
    int64_t start = clock_now_us();

    usleep(3000);
    assert_true(clock_now_us() >= start + 3000);
    assert_in_range(clock_until_ms(clock_now_ms() + 1000), 900, 1001);

    clock_add_warp_hook(count_warps, &n_warps);
    clock_stop();
    assert_true(clock_is_stopped());
    int64_t stopped = clock_now_ms();
    usleep(3000);
    assert_true(clock_now_ms() == stopped);
    assert_true(clock_until_ms(stopped) == 0);
    assert_true(clock_until_ms(stopped + 1) == -1);
    clock_warp(5000);
    assert_true(clock_now_ms() == stopped + 5000);
    assert_true(clock_until_ms(stopped + 4999) == 0);
    assert_int_equal(n_warps, 2);
    clock_del_warp_hook(count_warps, &n_warps);
    clock_warp(1);
    assert_int_equal(n_warps, 2);
}

static void
wall_clock_is_formatted(void **state)
{
    struct str s = STR_INIT;

    clock_format_utc(&s, INT64_C(1795218634033));
    assert_string_equal(str_cstr(&s), "2026-11-20T23:50:34.033Z");
    str_free(&s);
    assert_true(llabs(clock_wall_ms() / 1000 - (int64_t)time(NULL)) <= 1);
}

static void
cycle_counter_has_a_frequency(void **state)
{
    uint64_t hz = clock_tsc_hz();
    uint64_t before = clock_tsc();

    assert_true(hz > 10000000 && hz < UINT64_C(10000000000));
    assert_true(hz == clock_tsc_hz());
    usleep(20000);
    double seconds = (double)(clock_tsc() - before) / (double)hz;
    assert_true(seconds > 0.019 && seconds < 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_then_stops_then_warps),
        cmocka_unit_test(wall_clock_is_formatted),
        cmocka_unit_test(cycle_counter_has_a_frequency),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
