// SPDX-License-Identifier: Apache-2.0
/*
 * Threads with names: the name stands in the log, in /proc and in debuggers.  A thread made here is
 * registered with RCU (online) and has its coverage slots before 'fn' runs, and blocks all signals.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/util.h"

typedef void *thread_fn(void *arg);

/* Aborts when no thread can be made.  Join with pthread_join(), while rcu_offline(). */
pthread_t thread_create(const char *name, thread_fn *fn, void *arg);
/* thread_create() for a thread that never touches RCU pointers (starts unregistered). */
pthread_t thread_create_plain(const char *name, thread_fn *fn, void *arg);
/* Joins; goes offline meanwhile. */
void thread_join(pthread_t thread);
/* Wakes who polls 'event_fd', a non-blocking eventfd that nobody outside of the process has.  By
 * write(2): eventfd_write() is that of netdev_vhost_call.h, which takes twice as long for
 * descriptors that are not to be trusted. */
void thread_wake(int event_fd);
/* Renames the calling thread, at most 15 bytes reach the kernel.  "" means the main thread. */
void thread_set_name(const char *name);
/* "" for the main thread. */
const char *thread_name(void);

#endif
