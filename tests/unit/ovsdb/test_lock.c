// SPDX-License-Identifier: Apache-2.0
/*
 * Lock queues: order, theft, and who is told.
 */
#include "ovsdb_test.h"

#include "ovsdb/lock.h"

struct client {
    int n_locked;
    int n_stolen;
};

static void
notify(void *client_, const char *name, bool is_stolen)
{
    struct client *client = client_;

    assert_string_equal(name, "l");
    *(is_stolen ? &client->n_stolen : &client->n_locked) += 1;
}

static void
test_queue(void **state)
{
    struct ovsdb_locks locks = {NULL};
    struct client a = {0, 0}, b = {0, 0}, c = {0, 0};
    struct ovsdb_lock_waiter *wa = ovsdb_lock_acquire(&locks, "l", false, notify, &a);
    struct ovsdb_lock_waiter *wb = ovsdb_lock_acquire(&locks, "l", false, notify, &b);
    struct ovsdb_lock_waiter *wc = ovsdb_lock_acquire(&locks, "l", false, notify, &c);

    assert_true(ovsdb_lock_is_owner(wa));
    assert_false(ovsdb_lock_is_owner(wb));
    ovsdb_lock_release(&locks, wb); /* one that waits */
    assert_int_equal(c.n_locked, 0);
    ovsdb_lock_release(&locks, wa);
    assert_int_equal(c.n_locked, 1);
    assert_true(ovsdb_lock_is_owner(wc));
    ovsdb_lock_release(&locks, wc);
    assert_null(locks.locks);
}

static void
test_steal(void **state)
{
    struct ovsdb_locks locks = {NULL};
    struct client a = {0, 0}, b = {0, 0}, c = {0, 0};
    struct ovsdb_lock_waiter *wa = ovsdb_lock_acquire(&locks, "l", false, notify, &a);
    struct ovsdb_lock_waiter *wb = ovsdb_lock_acquire(&locks, "l", false, notify, &b);
    struct ovsdb_lock_waiter *wc = ovsdb_lock_acquire(&locks, "l", true, notify, &c);

    assert_int_equal(a.n_stolen, 1);
    assert_int_equal(b.n_stolen, 0);
    assert_false(ovsdb_lock_is_owner(wa));
    assert_true(ovsdb_lock_is_owner(wc));
    ovsdb_lock_release(&locks, wa); /* the victim has no place in the queue */
    assert_int_equal(b.n_locked, 0);
    ovsdb_lock_release(&locks, wc);
    assert_int_equal(b.n_locked, 1);
    ovsdb_lock_release(&locks, wb);
    assert_null(locks.locks);
}

static void
test_locks_of_other_names_are_apart(void **state)
{
    struct ovsdb_locks locks = {NULL};
    struct client a = {0, 0};
    struct ovsdb_lock_waiter *wa = ovsdb_lock_acquire(&locks, "l", false, notify, &a);
    struct ovsdb_lock_waiter *wb = ovsdb_lock_acquire(&locks, "m", false, notify, &a);

    assert_true(ovsdb_lock_is_owner(wa) && ovsdb_lock_is_owner(wb));
    ovsdb_lock_release(&locks, wa);
    ovsdb_lock_release(&locks, wb);
    assert_null(locks.locks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_steal),
        cmocka_unit_test(test_locks_of_other_names_are_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
