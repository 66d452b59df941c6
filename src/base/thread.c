// SPDX-License-Identifier: Apache-2.0
/*
 * Named threads, registered with RCU and coverage before their function runs.
 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/coverage.h"
#include "base/rcu.h"

struct thread_start {
    char name[32];
    thread_fn *fn;
    void *arg;
    bool rcu;
};

static _Thread_local char this_name[32];

const char *
thread_name(void)
{
    return this_name;
}

void
thread_set_name(const char *name)
{
    char kernel_name[16];

    str_copy(this_name, name, sizeof(this_name));
    if (name[0] != '\0') {
        str_copy(kernel_name, name, sizeof(kernel_name));
        pthread_setname_np(pthread_self(), kernel_name);
    }
}

static void *
thread_main(void *arg)
{
    struct thread_start start = *(struct thread_start *)arg;

    free(arg);
    thread_set_name(start.name);
    coverage_thread_init();
    if (start.rcu) {
        rcu_thread_register();
    }
    void *result = start.fn(start.arg);
    if (start.rcu) {
        rcu_thread_unregister();
    }
    return result;
}

static pthread_t
create(const char *name, thread_fn *fn, void *arg, bool rcu)
{
    struct thread_start *start = xmalloc(sizeof(*start));
    sigset_t all, old;
    pthread_t thread;

    str_copy(start->name, name, sizeof(start->name));
    start->fn = fn;
    start->arg = arg;
    start->rcu = rcu;

    /* The new thread inherits the mask: signals are the main thread's. */
    sigfillset(&all);
    // A fault while its signal is blocked ends the process, handler or not (netdev_vhost_guard.c).
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&thread, NULL, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error != 0) {
        fprintf(stderr, "ovs-vswitchd: cannot create thread %s (%s)\n", name, err_str(error));
        abort();
    }
    return thread;
}

pthread_t
thread_create(const char *name, thread_fn *fn, void *arg)
{
    return create(name, fn, arg, true);
}

pthread_t
thread_create_plain(const char *name, thread_fn *fn, void *arg)
{
    return create(name, fn, arg, false);
}

void
thread_join(pthread_t thread)
{
    bool online = rcu_is_online();

    if (online) {
        rcu_offline();
    }
    pthread_join(thread, NULL);
    if (online) {
        rcu_online();
    }
}

void
thread_wake(int event_fd)
{
    uint64_t one = 1;

    /* EAGAIN, the one way to fail: as many wakes as can be counted wait there already. */
    ssize_t n = write(event_fd, &one, sizeof one);

    (void)n;
}
