// SPDX-License-Identifier: Apache-2.0
/*
 * Coverage counters: sums over threads, also ended ones; rates; the table's text.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/thread.h"

COVERAGE_DEFINE(test_hits);
COVERAGE_DEFINE(test_never);

static void *
hit_many(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        coverage_inc(test_hits);
    }
    return NULL;
}

static uint64_t
total(const char *name)
{
    uint64_t value = 12345;

    assert_true(coverage_read(name, &value));
    return value;
}

static void
threads_are_summed_also_after_their_end(void **state)
{
    pthread_t threads[4];
    uint64_t before = total("test_hits");

    for (int i = 0; i < 4; i++) {
        threads[i] = thread_create("hitter", hit_many, NULL);
    }
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
    }
    coverage_add(test_hits, 5);
    assert_int_equal(total("test_hits") - before, 400005);
    assert_int_equal(total("test_never"), 0);
    assert_int_equal(total("conntrack_full"), 0); /* of Open vSwitch; cannot happen here */
    assert_false(coverage_read("no_such_counter", &before));
}

static void
rates_follow_the_clock(void **state)
{
    struct str s = STR_INIT;
    char expected[120];

    clock_stop();
    coverage_run();
    coverage_run();
    clock_warp(5000);
    coverage_run(); /* Takes in what came before. */
    clock_warp(5000);
    coverage_add(test_hits, 50);
    coverage_run();
    coverage_show(&s);
    snprintf(expected, sizeof(expected), "%-24s %5.1f/sec ", "test_hits", 10.0);
    assert_non_null(strstr(str_cstr(&s), expected));

    clock_warp(5000);
    coverage_run();
    str_clear(&s);
    coverage_show(&s);
    snprintf(expected, sizeof(expected), "%-24s %5.1f/sec ", "test_hits", 0.0);
    assert_non_null(strstr(str_cstr(&s), expected));

    /* After a minute of nothing, only the hour remembers. */
    clock_warp(60000);
    coverage_run();
    str_clear(&s);
    coverage_show(&s);
    snprintf(expected, sizeof(expected), "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: 400055\n",
             "test_hits", 0.0, 0.0, 400055 / 3600.0);
    assert_non_null(strstr(str_cstr(&s), expected));
    assert_null(strstr(str_cstr(&s), "test_never"));
    str_free(&s);
}

static unsigned int
n_never_hit(void)
{
    struct str s = STR_INIT;
    unsigned int n = 0;

    coverage_show(&s);
    const char *last = strrchr(str_cstr(&s), ':'); /* of the last line but this one */
    assert_non_null(last);
    assert_int_equal(sscanf(strchr(last, '\n'), "%u events never hit\n", &n), 1);
    str_free(&s);
    return n;
}

static void
what_was_hit_is_not_among_those_never_hit(void **state)
{
    unsigned int before = n_never_hit();

    coverage_inc(test_never);
    assert_int_equal(n_never_hit(), before - 1);
    coverage_inc(test_never);
    assert_int_equal(n_never_hit(), before - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_summed_also_after_their_end),
        cmocka_unit_test(rates_follow_the_clock),
        cmocka_unit_test(what_was_hit_is_not_among_those_never_hit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
