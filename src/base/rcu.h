// SPDX-License-Identifier: Apache-2.0
/*
 * Quiescent-state based reclamation for the whole process, on rte_rcu_qsbr (no EAL needed).
 *
 * Readers: a registered thread that is online may use what rcu_get() returns until it next says
 * rcu_quiesce() or rcu_offline().  No locks, no counts.
 * Writers: one at a time per structure (its owner or its lock): build the new thing, rcu_assign()
 * it, then rcu_defer(free, old).  Remove is: unlink, wait a grace period, free.
 *
 * A thread must quiesce often (a PMD: each iteration or so; an event loop: by loop.h) or be
 * offline: one that does neither holds up all reclamation.  thread_create() registers and
 * unregisters.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include <stdatomic.h>

#include "base/util.h"

typedef void rcu_fn(void *arg);

/* Starts the reclaimer thread, so: after the last fork().  Before it, rcu_defer() queues, and
 * rcu_quiesce(), rcu_synchronize() or rcu_fini() of the only thread run the queue in place (unit
 * tests may leave rcu_init() out).  0 or a negative errno. */
int rcu_init(unsigned int max_threads);
/* Runs everything still deferred, and ends the reclaimer.  Other threads must have unregistered. */
void rcu_fini(void);

/* Registers this thread and brings it online; nested calls are counted.  Aborts when more than
 * 'max_threads' register. */
void rcu_thread_register(void);
void rcu_thread_unregister(void);

/* Around anything that may block.  Offline, a thread must not use rcu_get(). */
void rcu_online(void);
void rcu_offline(void);
bool rcu_is_online(void);

/* "I hold no reference now."  Cheap: a load and a store. */
void rcu_quiesce(void);

/* Runs fn(arg) in the reclaimer thread after a grace period.  Any thread but a PMD (it allocates).
 * 'fn' may itself defer. */
void rcu_defer(rcu_fn *fn, void *arg);
#define rcu_free(p) rcu_defer(free, p)

/* Waits for a grace period; the calling thread's own references end.  Never on a PMD. */
void rcu_synchronize(void);
/* Waits until everything deferred before the call has run (tests, teardown). */
void rcu_barrier(void);

/* Pointers that readers follow are declared RCU_PTR(struct foo) name; PTR below is its address. */
#define RCU_PTR(TYPE) _Atomic(TYPE *)
#define rcu_assign(PTR, VALUE) atomic_store_explicit(PTR, VALUE, memory_order_release)
#define rcu_get(PTR) atomic_load_explicit(PTR, memory_order_consume)
/* For the only writer, which needs no ordering. */
#define rcu_get_protected(PTR) atomic_load_explicit(PTR, memory_order_relaxed)

#endif
