// SPDX-License-Identifier: Apache-2.0
//
// How a handler waits for upcalls (handler.c).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../pmd/fake_ports.h"
#include "pmd/upcall.h"

static unsigned watched_wait(struct dp *, unsigned, struct upcall **, unsigned, int);

#define upcall_wait watched_wait
#include "slowpath/handler.c"
#undef upcall_wait

static _Atomic unsigned n_waits, n_offline;

static unsigned
watched_wait(struct dp *dp, unsigned handler, struct upcall **ups, unsigned max, int timeout_ms)
{
    atomic_fetch_add(&n_offline, !rcu_is_online());
    atomic_fetch_add(&n_waits, 1);
    usleep(100);
    return 0;
}

// What it looks into there is freed after a grace period: the rings of a port that goes.
static void
test_a_handler_that_looks_into_rings_is_online(void **state)
{
    struct slowpath *sp = xzalloc_cacheline(ROUND_UP(sizeof *sp, CACHE_LINE_SIZE));

    sp->dp = dp_create();
    handlers_start(sp, 2);
    rcu_offline();
    for (unsigned i = 0; i < 50000 && atomic_load(&n_waits) < 100; i++) {
        usleep(100);
    }
    rcu_online();
    handlers_stop(sp);
    assert_true(atomic_load(&n_waits) >= 100);
    assert_int_equal(atomic_load(&n_offline), 0);
    dp_destroy(sp->dp);
    free(sp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handler_that_looks_into_rings_is_online),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
