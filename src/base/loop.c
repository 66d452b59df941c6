// SPDX-License-Identifier: Apache-2.0
/*
 * One iteration of a loop: arm the timerfd for the nearest of our timers, go offline in RCU, wait
 * once for events and run their callbacks (each wrapper enters RCU first), then expired timers,
 * posted work, deferred work and hooks, then quiesce.
 *
 * Timers stand in a binary heap ordered by deadline on the warpable clock; a warp wakes every loop.
 * libevent has no timer of ours: it would program the kernel's in every iteration, where a timerfd
 * stays armed until the nearest deadline is another one.
 */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/rcu.h"
#include "base/work_queue.h"

COVERAGE_DEFINE(long_poll_interval); /* iterations of more than a second */
COVERAGE_DEFINE(poll_zero_timeout);

enum { LONG_ITERATION_US = 1000000 };

struct loop {
    char *name;
    struct event_base *base;
    struct event *wake_event;
    struct event *timer_event;
    int wake_fd;
    int timer_fd;
    _Atomic bool woken;  /* wake_fd has been written and not yet read */
    _Atomic bool warped; /* the clock jumped since timer_fd was armed */
    _Atomic bool stop;

    pthread_mutex_t lock; /* Guards 'posted'. */
    struct work_queue posted;

    /* The rest belongs to the loop's thread. */
    struct work_queue posted_now; /* Being run; here so that loop_cancel() finds it. */
    struct work_queue deferred;
    struct work *hooks;
    struct work *next_hook; /* The next one to run, when hooks run. */
    struct loop_timer **heap;
    size_t n_heap;
    size_t heap_capacity;
    int64_t armed_ms; /* The deadline that timer_fd is armed for, or NOT_ARMED. */
    int64_t began_us; /* When the wait of this iteration ended; 0: not yet. */
};

#define NOT_ARMED INT64_MIN

/* Not of the clock that tests stop. */
static int64_t
real_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void
loop_enter(struct loop *loop)
{
    rcu_online();
    if (loop->began_us == 0) {
        loop->began_us = real_us();
    }
}

struct event_base *
loop_base(struct loop *loop)
{
    return loop->base;
}

void
loop_wake(struct loop *loop)
{
    if (!atomic_exchange_explicit(&loop->woken, true, memory_order_acq_rel)) {
        uint64_t one = 1;
        ssize_t n = write(loop->wake_fd, &one, sizeof(one));
        (void)n; /* Only a full counter refuses, and then the loop is awake already. */
    }
}

static void
wake_cb(evutil_socket_t fd, short events, void *arg)
{
    struct loop *loop = arg;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n;
    atomic_store_explicit(&loop->woken, false, memory_order_release);
}

/* The wait is over; run_timers() does the work. */
static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
    struct loop *loop = arg;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n;
    loop->armed_ms = NOT_ARMED;
}

static void
warp_hook(void *arg)
{
    struct loop *loop = arg;

    atomic_store_explicit(&loop->warped, true, memory_order_release);
    loop_wake(loop);
}

struct loop *
loop_create(const char *name)
{
    struct loop *loop = xzalloc(sizeof(*loop));

    loop->name = xstrdup(name);
    loop->base = event_base_new();
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->armed_ms = NOT_ARMED;
    if (loop->base == NULL || loop->wake_fd < 0 || loop->timer_fd < 0) {
        abort();
    }
    loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, wake_cb, loop);
    event_add(loop->wake_event, NULL);
    loop->timer_event = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, timer_cb, loop);
    event_add(loop->timer_event, NULL);
    pthread_mutex_init(&loop->lock, NULL);
    work_queue_init(&loop->posted);
    work_queue_init(&loop->posted_now);
    work_queue_init(&loop->deferred);
    clock_add_warp_hook(warp_hook, loop);
    return loop;
}

void
loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    clock_del_warp_hook(warp_hook, loop);
    event_free(loop->wake_event);
    event_free(loop->timer_event);
    event_base_free(loop->base);
    close(loop->wake_fd);
    close(loop->timer_fd);
    work_queue_drop(&loop->posted);
    work_queue_drop(&loop->posted_now);
    work_queue_drop(&loop->deferred);
    while (loop->hooks != NULL) {
        struct work *w = loop->hooks;
        loop->hooks = w->next;
        free(w);
    }
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop->name);
    free(loop);
}

/* ---- Posted and deferred work ---- */

void
loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
    pthread_mutex_lock(&loop->lock);
    work_queue_put(&loop->posted, fn, arg);
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}

void
loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    if (!work_queue_has(&loop->deferred, fn, arg)) {
        work_queue_put(&loop->deferred, fn, arg);
    }
}

void
loop_cancel(struct loop *loop, loop_fn *fn, void *arg)
{
    pthread_mutex_lock(&loop->lock);
    work_queue_del(&loop->posted, fn, arg);
    pthread_mutex_unlock(&loop->lock);
    work_queue_del(&loop->posted_now, fn, arg);
    work_queue_del(&loop->deferred, fn, arg);
}

void
loop_add_hook(struct loop *loop, loop_fn *fn, void *arg)
{
    struct work **p = &loop->hooks;

    while (*p != NULL) {
        p = &(*p)->next;
    }
    *p = xmalloc(sizeof(**p));
    **p = (struct work){.fn = fn, .arg = arg};
}

void
loop_del_hook(struct loop *loop, loop_fn *fn, void *arg)
{
    for (struct work **p = &loop->hooks; *p != NULL; p = &(*p)->next) {
        struct work *w = *p;
        if (w->fn == fn && w->arg == arg) {
            *p = w->next;
            if (loop->next_hook == w) {
                loop->next_hook = w->next;
            }
            free(w);
            return;
        }
    }
}

static void
run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    work_queue_move(&loop->posted_now, &loop->posted);
    pthread_mutex_unlock(&loop->lock);
    work_queue_run(&loop->posted_now);
}

static void
run_hooks(struct loop *loop)
{
    loop->next_hook = loop->hooks;
    while (loop->next_hook != NULL) {
        struct work *w = loop->next_hook;
        loop->next_hook = w->next;
        w->fn(w->arg);
    }
}

/* ---- Timers ---- */

static void
heap_place(struct loop *loop, size_t pos, struct loop_timer *timer)
{
    loop->heap[pos] = timer;
    timer->heap_pos = pos + 1;
}

static void
heap_up(struct loop *loop, size_t pos)
{
    struct loop_timer *timer = loop->heap[pos];

    while (pos > 0 && loop->heap[(pos - 1) / 2]->deadline_ms > timer->deadline_ms) {
        heap_place(loop, pos, loop->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    heap_place(loop, pos, timer);
}

static void
heap_down(struct loop *loop, size_t pos)
{
    struct loop_timer *timer = loop->heap[pos];

    for (;;) {
        size_t child = 2 * pos + 1;
        if (child >= loop->n_heap) {
            break;
        }
        if (child + 1 < loop->n_heap &&
            loop->heap[child + 1]->deadline_ms < loop->heap[child]->deadline_ms) {
            child++;
        }
        if (loop->heap[child]->deadline_ms >= timer->deadline_ms) {
            break;
        }
        heap_place(loop, pos, loop->heap[child]);
        pos = child;
    }
    heap_place(loop, pos, timer);
}

static void
heap_put(struct loop *loop, struct loop_timer *timer)
{
    if (loop->n_heap == loop->heap_capacity) {
        loop->heap_capacity = MAX(loop->heap_capacity * 2, (size_t)16);
        loop->heap = xreallocarray(loop->heap, loop->heap_capacity, sizeof(*loop->heap));
    }
    heap_place(loop, loop->n_heap++, timer);
    heap_up(loop, loop->n_heap - 1);
}

void
loop_timer_stop(struct loop_timer *timer)
{
    if (timer->heap_pos == 0) {
        return;
    }
    struct loop *loop = timer->loop;
    size_t pos = timer->heap_pos - 1;
    struct loop_timer *last = loop->heap[--loop->n_heap];

    timer->heap_pos = 0;
    if (last != timer) {
        heap_place(loop, pos, last);
        heap_up(loop, pos);
        heap_down(loop, last->heap_pos - 1);
    }
}

static void
timer_start(struct loop_timer *timer, struct loop *loop, int64_t delay_ms, int64_t period_ms,
            loop_fn *fn, void *arg)
{
    loop_timer_stop(timer);
    *timer = (struct loop_timer){
        .loop = loop,
        .fn = fn,
        .arg = arg,
        .deadline_ms = clock_now_ms() + MAX(delay_ms, (int64_t)0),
        .period_ms = period_ms,
    };
    heap_put(loop, timer);
}

void
loop_timer_once(struct loop_timer *timer, struct loop *loop, int64_t delay_ms, loop_fn *fn,
                void *arg)
{
    timer_start(timer, loop, delay_ms, 0, fn, arg);
}

void
loop_timer_every(struct loop_timer *timer, struct loop *loop, int64_t period_ms, loop_fn *fn,
                 void *arg)
{
    period_ms = MAX(period_ms, (int64_t)1);
    timer_start(timer, loop, period_ms, period_ms, fn, arg);
}

static void
run_timers(struct loop *loop)
{
    int64_t now = clock_now_ms();

    while (loop->n_heap > 0 && loop->heap[0]->deadline_ms <= now) {
        struct loop_timer *timer = loop->heap[0];

        loop_timer_stop(timer);
        if (timer->period_ms > 0) {
            /* Periods that were slept through are skipped, not made up for. */
            int64_t next = timer->deadline_ms + timer->period_ms;
            timer->deadline_ms = next > now ? next : now + timer->period_ms;
            heap_put(loop, timer);
        }
        timer->fn(timer->arg);
    }
}

/* ---- Descriptors and signals ---- */

static void
fd_cb(evutil_socket_t fd, short events, void *arg)
{
    struct loop_fd *watch = arg;

    loop_enter(watch->loop);
    watch->fn(fd, (events & EV_READ ? LOOP_READ : 0) | (events & EV_WRITE ? LOOP_WRITE : 0),
              watch->arg);
}

int
loop_fd_start(struct loop_fd *watch, struct loop *loop, int fd, unsigned int events, loop_fd_fn *fn,
              void *arg)
{
    short flags = EV_PERSIST;

    loop_fd_stop(watch);
    flags |= events & LOOP_READ ? EV_READ : 0;
    flags |= events & LOOP_WRITE ? EV_WRITE : 0;
    *watch = (struct loop_fd){.loop = loop, .fn = fn, .arg = arg, .fd = fd};
    watch->event = event_new(loop->base, fd, flags, fd_cb, watch);
    if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
        loop_fd_stop(watch);
        return -EINVAL;
    }
    return 0;
}

void
loop_fd_stop(struct loop_fd *watch)
{
    if (watch->event != NULL) {
        event_free(watch->event);
        watch->event = NULL;
    }
}

static void
signal_cb(evutil_socket_t fd, short events, void *arg)
{
    struct loop_signal *sig = arg;

    loop_enter(sig->loop);
    sig->fn(sig->arg);
}

int
loop_signal_start(struct loop_signal *sig, struct loop *loop, int signum, loop_fn *fn, void *arg)
{
    loop_signal_stop(sig);
    *sig = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
    sig->event = evsignal_new(loop->base, signum, signal_cb, sig);
    if (sig->event == NULL || event_add(sig->event, NULL) != 0) {
        loop_signal_stop(sig);
        return -EINVAL;
    }
    return 0;
}

void
loop_signal_stop(struct loop_signal *sig)
{
    if (sig->event != NULL) {
        event_free(sig->event);
        sig->event = NULL;
    }
}

/* ---- Running ---- */

static void
arm(struct loop *loop, int64_t wait_ms, int64_t deadline_ms)
{
    struct itimerspec when = {
        .it_value.tv_sec = wait_ms / 1000,
        .it_value.tv_nsec = wait_ms % 1000 * 1000000,
    };

    timerfd_settime(loop->timer_fd, 0, &when, NULL);
    loop->armed_ms = deadline_ms;
}

/* Makes sure that the coming wait ends after 'timeout_ms' (-1: no bound) and when a timer is due.
 * False if there is nothing to wait for. */
static bool
prepare_wait(struct loop *loop, int timeout_ms)
{
    int64_t deadline = loop->n_heap > 0 ? loop->heap[0]->deadline_ms : INT64_MAX;
    int64_t until = -1;

    if (loop->deferred.head != NULL || timeout_ms == 0) {
        return false;
    }
    if (atomic_exchange_explicit(&loop->warped, false, memory_order_acq_rel)) {
        loop->armed_ms = NOT_ARMED;
    }
    if (timeout_ms < 0 && (deadline == INT64_MAX || deadline == loop->armed_ms)) {
        return true; /* A timer that fires too early costs one empty iteration. */
    }
    if (deadline != INT64_MAX) {
        until = clock_until_ms(deadline);
    }
    if (until == 0) {
        return false;
    }
    if (timeout_ms > 0 && (until < 0 || timeout_ms < until)) {
        arm(loop, timeout_ms, NOT_ARMED);
    } else if (until > 0) {
        arm(loop, until, deadline);
    }
    return true;
}

void
loop_run_once(struct loop *loop, int timeout_ms)
{
    bool wait = prepare_wait(loop, timeout_ms);

    if (!wait) {
        coverage_inc(poll_zero_timeout);
    }
    loop->began_us = 0;
    rcu_offline();
    event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
    loop_enter(loop);
    run_timers(loop);
    run_posted(loop);
    work_queue_run(&loop->deferred);
    run_hooks(loop);
    rcu_quiesce();
    if (real_us() - loop->began_us > LONG_ITERATION_US) {
        coverage_inc(long_poll_interval);
    }
}

void
loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
        loop_run_once(loop, -1);
    }
    atomic_store_explicit(&loop->stop, false, memory_order_release);
}

void
loop_break(struct loop *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    loop_wake(loop);
}
