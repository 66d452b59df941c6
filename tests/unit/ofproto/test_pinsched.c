// SPDX-License-Identifier: Apache-2.0
/*
 * Packet-ins that wait for a rate, on a clock that stands still: what goes at once, what waits, in
 * which order it is sent, and what is lost.
 */
#include "../unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "ofproto/pinsched.h"

static char sent[4096];

static void
send_letter(void *aux, const void *data, size_t size)
{
    size_t n = strlen(sent);

    assert_ptr_equal(aux, sent);
    assert_int_equal(size, 1);
    assert_true(n + 1 < sizeof sent);
    sent[n] = *(const char *)data;
    sent[n + 1] = '\0';
}

struct world {
    struct loop *loop;
    struct pinsched *ps;
};

static struct world
start(int rate, int burst)
{
    struct world w;

    sent[0] = '\0';
    rcu_init(4);
    rcu_thread_register();
    w.loop = loop_create("test");
    clock_stop();
    w.ps = pinsched_create(w.loop, rate, burst, send_letter, sent);
    return w;
}

static void
end(struct world w)
{
    pinsched_destroy(w.ps);
    loop_destroy(w.loop);
    rcu_thread_unregister();
    rcu_fini();
}

static void
put(struct world w, ofp_port_t port, const char *letters)
{
    for (; *letters; letters++) {
        pinsched_put(w.ps, port, letters, 1);
    }
}

/* What is sent within 'ms'. */
static const char *
within(struct world w, int ms)
{
    sent[0] = '\0';
    for (; ms > 0; ms--) {
        clock_warp(1);
        loop_run_once(w.loop, 0);
    }
    return sent;
}

static void
expect(struct world w, uint64_t bypassed, uint64_t queued, uint64_t backlog, uint64_t dropped)
{
    struct pinsched_stats s;

    pinsched_get_stats(w.ps, &s);
    assert_int_equal(s.bypassed, bypassed);
    assert_int_equal(s.queued, queued);
    assert_int_equal(s.backlog, backlog);
    assert_int_equal(s.dropped, dropped);
}

static void
a_burst_goes_at_once_and_the_rest_in_turn(void **state)
{
    struct world w = start(100, 4);

    put(w, 1, "abcdefg");
    assert_string_equal(sent, "abcd");
    put(w, 2, "X");
    expect(w, 4, 4, 4, 0);
    assert_string_equal(within(w, 9), "");
    assert_string_equal(within(w, 1), "e");
    assert_string_equal(within(w, 30), "Xfg"); /* The second port has its turn. */
    expect(w, 4, 4, 0, 0);
    assert_string_equal(within(w, 1000), "");
    put(w, 1, "hijkl");
    assert_string_equal(sent, "hijk"); /* No more than a burst is saved up. */
    end(w);
}

static void
the_longest_queue_loses_its_oldest(void **state)
{
    struct world w = start(100, 4);

    put(w, 1, "....abcdef");
    expect(w, 4, 6, 4, 2);
    put(w, 2, "XY");
    expect(w, 4, 8, 4, 4);
    assert_string_equal(within(w, 100), "eXfY");
    end(w);
}

static void
limits_change_and_go(void **state)
{
    struct world w = start(1000, 0); /* A quarter of the rate is the burst. */
    char many[251];

    memset(many, '.', 250);
    many[250] = '\0';
    put(w, 1, many);
    put(w, 1, "abcd");
    expect(w, 250, 4, 4, 0);
    pinsched_set_limits(w.ps, 100, 2);
    expect(w, 250, 4, 2, 2);
    assert_string_equal(within(w, 10), "c");
    sent[0] = '\0';
    pinsched_flush(w.ps);
    assert_string_equal(sent, "d");
    end(w);
}

static void
large_messages_are_bounded_in_bytes(void **state)
{
    struct pinsched_stats s;
    struct world w = start(1, 1000000);
    char *data = xzalloc(60000);

    pinsched_set_limits(w.ps, 1, 1); /* No tokens are left after the first one. */
    put(w, 1, ".");
    pinsched_set_limits(w.ps, 1, 1000000);
    for (int i = 0; i < 1000; i++) {
        pinsched_put(w.ps, 1, data, 60000);
    }
    pinsched_get_stats(w.ps, &s);
    assert_true(s.backlog * 60000 <= 16 << 20);
    assert_int_equal(s.backlog + s.dropped, 1000);
    free(data);
    end(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_goes_at_once_and_the_rest_in_turn),
        cmocka_unit_test(the_longest_queue_loses_its_oldest),
        cmocka_unit_test(limits_change_and_go),
        cmocka_unit_test(large_messages_are_bounded_in_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
