// SPDX-License-Identifier: Apache-2.0
/*
 * lock.h - the named locks of RFC 7047 paragraphs 4.1.8 to 4.1.10.  Each lock is a queue of
 * requesters of which the first is the owner.  Main thread.
 */
#ifndef OVSDB_LOCK_H
#define OVSDB_LOCK_H 1

#include <stdbool.h>

#include "base/uthash.h"

struct ovsdb_lock;

/* Tells a requester that it got the lock later ("locked"), or lost it ("stolen"). */
typedef void ovsdb_lock_notify_fn(void *aux, const char *name, bool is_stolen);

/* One request by one client.  The client keeps it until it unlocks. */
struct ovsdb_lock_waiter {
    struct ovsdb_lock_waiter *prev, *next;
    struct ovsdb_lock *lock; /* NULL: it was stolen */
    char *name;
    ovsdb_lock_notify_fn *notify;
    void *aux;
    UT_hash_handle hh; /* for the client's own table, by name */
};

struct ovsdb_locks {
    struct ovsdb_lock *locks;
};

/* Joins the queue, at the front if 'is_steal'; a new waiter.  ovsdb_lock_is_owner() tells whether
 * the lock is held at once. */
struct ovsdb_lock_waiter *ovsdb_lock_acquire(struct ovsdb_locks *locks, const char *name,
                                             bool is_steal, ovsdb_lock_notify_fn *notify,
                                             void *aux);
/* Leaves the queue and frees 'waiter'; the next one is notified if the owner left. */
void ovsdb_lock_release(struct ovsdb_locks *locks, struct ovsdb_lock_waiter *waiter);

bool ovsdb_lock_is_owner(const struct ovsdb_lock_waiter *waiter);

#endif /* ovsdb/lock.h */
