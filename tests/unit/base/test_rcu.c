// SPDX-License-Identifier: Apache-2.0
/*
 * RCU: nothing deferred runs while a reader may hold it; everything does in the end; before
 * rcu_init() the only thread runs it itself.
 */
#include "../unit.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/rcu.h"
#include "base/thread.h"

static void
set_flag(void *arg)
{
    atomic_store((_Atomic int *)arg, 1);
}

static void
without_init_the_queue_waits_for_a_quiescent_state(void **state)
{
    _Atomic int done = 0;

    rcu_defer(set_flag, (void *)&done);
    assert_int_equal(done, 0);
    rcu_quiesce();
    assert_int_equal(done, 1);
    done = 0;
    rcu_defer(set_flag, (void *)&done);
    rcu_synchronize();
    assert_int_equal(done, 1);
}

static void
an_online_reader_holds_it_up(void **state)
{
    _Atomic int done = 0;

    rcu_defer(set_flag, (void *)&done);
    usleep(30000);
    assert_int_equal(done, 0);
    rcu_quiesce();
    for (int i = 0; i < 2000 && !done; i++) {
        usleep(1000);
        rcu_quiesce();
    }
    assert_int_equal(done, 1);

    done = 0;
    rcu_offline();
    assert_false(rcu_is_online());
    rcu_defer(set_flag, (void *)&done);
    rcu_barrier();
    assert_int_equal(done, 1);
    rcu_online();
}

static void
defer_again(void *arg)
{
    rcu_defer(set_flag, arg);
}

static void
deferred_work_may_defer(void **state)
{
    _Atomic int done = 0;

    rcu_defer(defer_again, (void *)&done);
    rcu_barrier();
    rcu_barrier();
    assert_int_equal(done, 1);
}

/* Readers check that what they see is never dead, while one writer replaces it. */

#define ALIVE 0x11112222
#define DEAD 0xdeaddead

struct object {
    unsigned int magic;
};

static RCU_PTR(struct object) shared;
static _Atomic bool stop;
static _Atomic unsigned long n_reads;

static void *
reader(void *arg)
{
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 100; i++) {
            const struct object *o = rcu_get(&shared);
            if (o->magic != ALIVE) {
                abort();
            }
            if (i == 50) {
                sched_yield();
            }
            if (o->magic != ALIVE) {
                abort();
            }
        }
        atomic_fetch_add(&n_reads, 100);
        rcu_quiesce();
        if (atomic_load(&n_reads) % 1000 == 0) {
            rcu_offline();
            usleep(100);
            rcu_online();
        }
    }
    return NULL;
}

static void
kill_object(void *arg)
{
    struct object *o = arg;

    o->magic = DEAD;
    free(o);
}

static void
replace(void)
{
    struct object *fresh = xmalloc(sizeof(*fresh));
    struct object *old = rcu_get_protected(&shared);

    fresh->magic = ALIVE;
    rcu_assign(&shared, fresh);
    if (old != NULL) {
        rcu_defer(kill_object, old);
    }
}

static void
readers_never_see_the_dead(void **state)
{
    pthread_t threads[3];

    replace();
    for (int i = 0; i < 3; i++) {
        threads[i] = thread_create("reader", reader, NULL);
    }
    for (int i = 0; i < 2000; i++) {
        replace();
        rcu_quiesce();
        if (i % 100 == 0) {
            usleep(1000);
        }
        if (i % 500 == 0) {
            rcu_synchronize();
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        thread_join(threads[i]);
    }
    assert_true(n_reads > 0);
    free(rcu_get_protected(&shared));
}

static int
start(void **state)
{
    int error = rcu_init(16);

    rcu_thread_register();
    return error;
}

static int
finish(void **state)
{
    rcu_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest before[] = {
        cmocka_unit_test(without_init_the_queue_waits_for_a_quiescent_state),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_online_reader_holds_it_up),
        cmocka_unit_test(deferred_work_may_defer),
        cmocka_unit_test(readers_never_see_the_dead),
    };
    int failed = cmocka_run_group_tests(before, NULL, NULL);

    return failed + cmocka_run_group_tests(tests, start, finish);
}
