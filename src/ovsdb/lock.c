// SPDX-License-Identifier: Apache-2.0
/*
 * lock.c - queues of lock requesters, see lock.h.
 */
#include "ovsdb/lock.h"

#include <utlist.h>

struct ovsdb_lock {
    UT_hash_handle hh; /* by name */
    struct ovsdb_lock_waiter *queue;
    char name[];
};

static struct ovsdb_lock *
lock_get(struct ovsdb_locks *locks, const char *name)
{
    struct ovsdb_lock *lock;

    HASH_FIND_STR(locks->locks, name, lock);
    if (lock == NULL) {
        size_t size = strlen(name) + 1;

        lock = xzalloc(sizeof *lock + size);
        memcpy(lock->name, name, size);
        HASH_ADD_STR(locks->locks, name, lock);
    }
    return lock;
}

struct ovsdb_lock_waiter *
ovsdb_lock_acquire(struct ovsdb_locks *locks, const char *name, bool is_steal,
                   ovsdb_lock_notify_fn *notify, void *aux)
{
    struct ovsdb_lock *lock = lock_get(locks, name);
    struct ovsdb_lock_waiter *waiter = xzalloc(sizeof *waiter);
    struct ovsdb_lock_waiter *victim = is_steal ? lock->queue : NULL;

    waiter->lock = lock;
    waiter->name = xstrdup(name);
    waiter->notify = notify;
    waiter->aux = aux;
    if (is_steal) {
        DL_PREPEND(lock->queue, waiter);
    } else {
        DL_APPEND(lock->queue, waiter);
    }
    if (victim != NULL) {
        /* It is out of the queue, and must unlock before it can ask again. */
        DL_DELETE(lock->queue, victim);
        victim->lock = NULL;
        victim->notify(victim->aux, name, true);
    }
    return waiter;
}

void
ovsdb_lock_release(struct ovsdb_locks *locks, struct ovsdb_lock_waiter *waiter)
{
    struct ovsdb_lock *lock = waiter->lock;

    if (lock != NULL) {
        bool was_owner = ovsdb_lock_is_owner(waiter);

        DL_DELETE(lock->queue, waiter);
        if (lock->queue == NULL) {
            HASH_DEL(locks->locks, lock);
            free(lock);
        } else if (was_owner) {
            lock->queue->notify(lock->queue->aux, lock->name, false);
        }
    }
    free(waiter->name);
    free(waiter);
}

bool
ovsdb_lock_is_owner(const struct ovsdb_lock_waiter *waiter)
{
    return waiter->lock != NULL && waiter->lock->queue == waiter;
}
