// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop of a thread: file descriptors, timers on the warpable clock, work posted by other
 * threads, work deferred to the end of an iteration.  Glue over libevent; streams and unixctl build
 * on it.
 *
 * All functions are for the loop's own thread (before loop_run(): the creator) except loop_post(),
 * loop_break() and loop_wake().
 *
 * RCU: the thread is offline while it waits.  Callbacks of this header and of rpc/stream.h run
 * online; the thread passes a quiescent state after each iteration, so a pointer from rcu_get()
 * must not be kept across callbacks.  Code that hangs its own events on loop_base() calls
 * loop_enter() first in each callback.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/util.h"

struct event_base;
struct event;
struct loop;

typedef void loop_fn(void *arg);

struct loop *loop_create(const char *name);
/* NULL is fine.  Timers and fds must have been stopped; posted work that never ran is dropped. */
void loop_destroy(struct loop *loop);

/* Runs until loop_break(). */
void loop_run(struct loop *loop);
/* One iteration; waits at most 'timeout_ms' (-1: for ever, 0: not at all).  For tests and main. */
void loop_run_once(struct loop *loop, int timeout_ms);
/* Ends loop_run() after the present iteration.  Any thread. */
void loop_break(struct loop *loop);

/* Runs fn(arg) in the loop's thread, in order of posting, as soon as it can.  Any thread. */
void loop_post(struct loop *loop, loop_fn *fn, void *arg);
/* Makes the loop go through one iteration.  Any thread. */
void loop_wake(struct loop *loop);
/* Runs fn(arg) once at the end of this iteration; the same pair is not queued twice. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);
/* Takes a pair out of the deferred and posted work (an object goes away). */
void loop_cancel(struct loop *loop, loop_fn *fn, void *arg);
/* 'fn' runs once at the end of each iteration, after the deferred work, until removed. */
void loop_add_hook(struct loop *loop, loop_fn *fn, void *arg);
void loop_del_hook(struct loop *loop, loop_fn *fn, void *arg);

struct event_base *loop_base(struct loop *loop);
void loop_enter(struct loop *loop);

/* A timer on clock_now_ms().  Zeroed memory is a stopped timer.  May be started, restarted and
 * stopped from its own callback, and freed there once stopped. */
struct loop_timer {
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    int64_t deadline_ms;
    int64_t period_ms; /* 0: one shot. */
    size_t heap_pos;   /* Place in the loop's heap + 1; 0 when not running. */
};

/* (Re)starts it: once in 'delay_ms'. */
void loop_timer_once(struct loop_timer *timer, struct loop *loop, int64_t delay_ms, loop_fn *fn,
                     void *arg);
/* (Re)starts it: every 'period_ms' (> 0), first in 'period_ms'. */
void loop_timer_every(struct loop_timer *timer, struct loop *loop, int64_t period_ms, loop_fn *fn,
                      void *arg);
void loop_timer_stop(struct loop_timer *timer);
static inline bool
loop_timer_is_running(const struct loop_timer *timer)
{
    return timer->heap_pos != 0;
}

/* A watched file descriptor.  Zeroed memory is a stopped watcher. */
#define LOOP_READ 1
#define LOOP_WRITE 2
typedef void loop_fd_fn(int fd, unsigned int events, void *arg);
struct loop_fd {
    struct loop *loop;
    struct event *event;
    loop_fd_fn *fn;
    void *arg;
    int fd;
};

/* Calls fn(fd, ready events, arg) while 'fd' is ready (level triggered).  0 or a negative errno. */
int loop_fd_start(struct loop_fd *watch, struct loop *loop, int fd, unsigned int events,
                  loop_fd_fn *fn, void *arg);
/* Does not close the descriptor. */
void loop_fd_stop(struct loop_fd *watch);

/* Signal 'signum' runs fn(arg) in this loop from now on; one loop per process may do this. */
struct loop_signal {
    struct loop *loop;
    struct event *event;
    loop_fn *fn;
    void *arg;
};
int loop_signal_start(struct loop_signal *sig, struct loop *loop, int signum, loop_fn *fn,
                      void *arg);
void loop_signal_stop(struct loop_signal *sig);

#endif
